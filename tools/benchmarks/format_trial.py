"""Steps that a decoder could add, tried in the closed loop of the encoder.

The filter of luma is the one of the format (spec section 5.8), tried at level 1 too; its weights are fitted to each
family and level, which gains at least what weights fitted to a slide gain. Lapping, which is no part of the format,
draws luma residuals on both sides of an edge of blocks together after decoding, and apart before encoding.
``format_trial.c`` has the same arithmetic.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from rrip_format.core import colour
from rrip_format.core.luma_filter import filter_luma
from rrip_format.evaluate import ours
from rrip_format.evaluate.peers import Stored
from rrip_format.family import encode, jpeg
from rrip_format.family.encode import EncodedLevel, StreamCoder
from rrip_format.tuning import chroma_fit
from rrip_format.tuning.luma_fit import fit_luma_filter

Plane = NDArray[np.uint8]
Planes = NDArray[np.uint8]

LAPPING = 17, 9, 5
"""Parts, in 256ths, of the difference of the three pairs of samples nearest to an edge of blocks."""

_encode_level = encode.encode_level


@dataclass(frozen=True)
class Option:
    """What a decoder would add.

    Parameters
    ----------
    name : str
        Its name in tables.
    filtered : tuple of int
        Levels whose luma is filtered.
    lapped : bool
        Whether luma residuals of both levels are lapped.
    """

    name: str
    filtered: tuple[int, ...] = ()
    lapped: bool = False


OPTIONS = (
    Option("format 1"),
    Option("3 × 3 filter, level 1", (1,)),
    Option("3 × 3 filter, level 0", (0,)),
    Option("3 × 3 filter, both", (0, 1)),
    Option("lapping", (), lapped=True),
    Option("filter of level 0, lapping", (0,), lapped=True),
)


def fitted(plane: Plane, wanted: NDArray[np.float32]) -> Plane:
    """Filter a plane with weights that are fitted to it; return it unchanged if that is better."""
    weights = fit_luma_filter([wanted], [plane], _Here())
    return plane if weights is None else filter_luma(plane, weights)


class _Here(Executor):
    """Runs what is submitted in this thread."""

    def submit(self, call: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(call(*args, **kwargs))
        return done


def unlap(residual: Plane) -> Plane:
    """Draw the samples at edges of blocks together, first across columns, then across rows."""
    out = residual.astype(np.int32)
    for view in (out.T, out):
        for k, weight in enumerate(LAPPING):
            before, behind = view[7 - k : -8 : 8], view[8 + k :: 8]
            change = ((behind - before) * weight + 128) >> 8
            before += change
            behind -= change
    return out.astype(np.uint8)


def lap(missing: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move the samples at edges of blocks apart, so that :func:`unlap` gives them back."""
    out = missing.copy()
    for view in (out, out.T):
        for k, weight in enumerate(LAPPING):
            before, behind = view[7 - k : -8 : 8], view[8 + k :: 8]
            change = (behind - before) * np.float32(weight / 256 / (1 - weight / 128))
            before -= change
            behind += change
    return np.clip(out, np.float32(-128), np.float32(127))


@dataclass(frozen=True, slots=True)
class _FilteredLevel(EncodedLevel):
    """A level whose decoded luma is filtered towards `wanted`."""

    wanted: NDArray[np.float32]

    def planes(self) -> Planes:
        planes = EncodedLevel.planes(self)
        planes[0] = fitted(planes[0], self.wanted)
        return planes


class _Lapped:
    """A stream coder that laps residuals of luma."""

    def __init__(self, coder: StreamCoder) -> None:
        self._coder = coder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coder, name)

    def encode_residual(
        self, missing: NDArray[np.float32], level: int, plane: int, samples: Plane | None = None
    ) -> bytes:
        stream = self._coder.encode_residual(missing if plane else lap(missing), level, plane, samples)
        if stream and samples is not None and not plane:
            samples[:] = unlap(samples)
        return stream


@contextlib.contextmanager
def trying(option: Option) -> Iterator[None]:
    """Let conversions and measurements of this process decode as `option` says."""

    def encode_level(
        coarse: Planes, rgb: Plane, level: int, how: Any, coder: StreamCoder, *more: Any, **options: Any
    ) -> EncodedLevel:
        made = _encode_level(coarse, rgb, level, how, _Lapped(coder) if option.lapped else coder, *more, **options)
        if level not in option.filtered:
            return made
        wanted = colour.rgb_to_exact_ycc(rgb)[0]
        return _FilteredLevel(made.streams, made.coarse, made.residuals, made.how, wanted)

    def decode_gray(stream: bytes, side: int) -> Plane:
        samples = jpeg.decode_gray(stream, side)
        return unlap(samples) if option.lapped else samples

    def stored(coding: Any, family: Any, coder: StreamCoder) -> Stored:
        made = encode.encode_family(coding, family.row, family.col, family.levels, coder)
        sizes, planes = [len(tile) for tile in made.tiles], made.planes()
        return Stored((sizes[0], sizes[1], sizes[2]), lambda level: colour.ycc_to_rgb(planes[level]).transpose(1, 2, 0))

    with contextlib.ExitStack() as patches:
        for module in (encode, chroma_fit):
            patches.enter_context(mock.patch.object(module, "encode_level", encode_level))
        patches.enter_context(mock.patch.object(encode, "decode_gray", decode_gray))
        patches.enter_context(mock.patch.object(ours, "_stored", stored))
        yield
