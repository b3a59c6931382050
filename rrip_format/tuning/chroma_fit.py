"""Fit the prediction of chroma, from luma and from the coarser level, to a slide.

Taps and coefficients are found by least squares over the decoded levels of sample families, because the best taps
become smoother as the quantiser steps of chroma grow. Nothing here is normative, see ``docs/encoder.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import repeat
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ..core import predict
from ..core.luma_filter import Weights, filter_luma
from ..core.predict import Taps
from ..family.encode import EncodedFamily, EncodedLevel, StreamCoder, aim, encode_family, encode_level
from ..spec.geometry import BASE_LEVEL, Geometry
from ..spec.metadata import SHARP, Coding, ResidualCoding
from .losses import Original
from .sampling import Levels
from .settings import UNFITTED, LevelFit, Settings

__all__ = [
    "Fits",
    "Luma",
    "encode_base_planes",
    "encode_colour",
    "encode_luma",
    "encode_sample",
    "fit_chroma",
    "fit_to_luma",
    "legal_taps",
]

Floats = NDArray[np.float64]
Planes = NDArray[np.uint8]
Fits = tuple[LevelFit, LevelFit]
"""Fitted parameters of levels 0 and 1."""

Codings = tuple[ResidualCoding, ResidualCoding]
"""Coding of levels 0 and 1."""

_PLAIN = UNFITTED, UNFITTED

_LEAST_NEGATIVE = 12.0
"""Largest sum of magnitudes of negative taps before rounding, which may add one; the limit is 13 (spec section 5.2)."""

_PULL = 1e3
"""Weight of the default taps in the sums of squares: it matters only for a flat sample."""


def encode_sample(
    families: Sequence[Levels], settings: Settings, fits: Fits, executor: Executor
) -> list[EncodedFamily]:
    """Encode families of a sample, each as a slide of its own.

    Parameters
    ----------
    families : three (s, s, 3) uint8 each
        Levels 0, 1 and 2, padded.
    settings : Settings
        Settings of the encoder.
    fits : two LevelFit
        Prediction of chroma at levels 0 and 1.
    executor : Executor
        Where families are encoded.

    Returns
    -------
    list of EncodedFamily
        In the order of `families`.
    """
    side, _, tile = (rgb.shape[0] for rgb in families[0])
    coding = Coding(UUID(int=0), Geometry(side, side, tile), settings.residuals(fits))
    coder = settings.streams
    return list(executor.map(lambda levels: encode_family(coding, 0, 0, levels, coder), families))


def legal_taps(taps: Floats) -> Taps:
    """Return the nearest taps that the format allows: integers with sum 64, few negative (spec section 5.2)."""
    negative = -taps[taps < 0].sum()
    if negative > _LEAST_NEGATIVE:
        taps = np.where(taps < 0, taps * (_LEAST_NEGATIVE / negative), taps)
        taps = np.where(taps > 0, taps * (64 + _LEAST_NEGATIVE) / taps[taps > 0].sum(), taps)
    rounded = np.rint(taps).astype(int)
    rounded[int(np.argmax(rounded))] += 64 - rounded.sum()
    k0, k1, k2, k3 = rounded.tolist()
    return k0, k1, k2, k3


def _neighbours(plane: Floats) -> tuple[list[Floats], list[Floats]]:
    """Return the samples that the four taps are applied to, for odd and for even samples of a doubled row."""
    width = plane.shape[1]
    padded = np.pad(plane, ((0, 0), (2, 2)), mode="edge")
    at = [padded[:, k : k + width] for k in range(5)]
    return [at[1], at[2], at[3], at[4]], [at[3], at[2], at[1], at[0]]


def _product(first: Floats, second: Floats) -> float:
    """Return the scalar product. BLAS is not used, because its threads would compete with ours."""
    return float(np.einsum("i,i", first.ravel(), second.ravel()))


def _tap_equations(planes: Floats, coarse: NDArray[np.uint8]) -> Floats:
    """Return the normal equations, (4, 5), of the taps of both chroma planes, over rows and over columns."""
    equations = np.zeros((5, 5))
    for k in (1, 2):
        known, wanted = coarse[k].astype(np.float64) - 128, planes[k] - 128
        for source, target in ((known, wanted), (known.T, wanted.T)):
            halved = (target[0::2] + target[1::2]) / 2
            for samples, phase in zip(_neighbours(source), (1, 0), strict=True):
                rows = np.stack([*samples, halved[:, phase::2]]).reshape(5, -1)
                equations += np.einsum("ik,jk->ij", rows, rows)  # as in _product
    return equations[:4]


def _solve_taps(equations: Floats) -> Taps:
    """Return the taps with sum 64 and least squared error; the default ones if the sample is flat."""
    system = np.zeros((5, 5))
    system[:4, :4] = equations[:, :4] + _PULL * np.eye(4)
    system[4, :4] = system[:4, 4] = 1
    wanted = 64 * equations[:, 4] + _PULL * np.array(SHARP)
    return legal_taps(np.linalg.solve(system, np.append(wanted, 64.0))[:4])


def _detail_products(wanted: Floats, planes: Planes, coarse: Planes, luma: Taps, chroma: Taps) -> Floats:
    """Return products of decoded luma detail with the errors of predicted Cb and Cr, and with itself."""
    detail = planes[0].astype(np.float64) - predict.up2(coarse[0], luma)
    missing = [wanted[k] - predict.up2(coarse[k], chroma) for k in (1, 2)]
    return np.array([_product(detail, other) for other in (*missing, detail)])


@dataclass(frozen=True, slots=True)
class Luma:
    """Encoded luma of a family, which does not depend on chroma.

    Parameters
    ----------
    streams : one or two bytes
        Luma streams of level 1, and of level 0.
    planes : (3, s, s) uint8
        Decoded planes of the last of these levels, with chroma upsampled from the base.
    """

    streams: tuple[bytes, ...]
    planes: Planes

    def filtered(self, weights: Weights) -> Luma:
        """Return the same with filtered luma (spec section 5.8)."""
        return Luma(self.streams, np.stack([filter_luma(self.planes[0], weights), *self.planes[1:]]))


def encode_base_planes(original: Original, coder: StreamCoder) -> Planes:
    """Return the decoded planes of level 2, (3, s, s) uint8."""
    rgb = original.levels[BASE_LEVEL]
    planes = np.empty((3, *rgb.shape[:2]), np.uint8)
    coder.encode_base(rgb, planes)
    return planes


def _encode(
    original: Original,
    coarse: Planes,
    level: int,
    how: Codings,
    coder: StreamCoder,
    luma: bytes | None = None,
) -> EncodedLevel:
    """Encode level 1 or 0 of a family as :func:`rrip_format.family.encode.encode_family` does."""
    wanted = aim(original.levels, how, coder.projected, original.exact[:2]) if level else None
    return encode_level(coarse, original.levels[level], level, how[level], coder, luma, wanted)


def encode_luma(original: Original, settings: Settings, coarser: Luma | None = None) -> Luma:
    """Encode luma of level 1, or of level 0 if `coarser` is that of level 1; chroma is predicted by default."""
    level, streams, coder = 0 if coarser else 1, coarser.streams if coarser else (), settings.streams
    coarse = coarser.planes if coarser else encode_base_planes(original, coder)
    made = _encode(original, coarse, level, replace(settings, luma_only=True).residuals(_PLAIN), coder)
    return Luma((*streams, made.streams[0]), made.planes())


def encode_colour(original: Original, luma: Luma, settings: Settings, fits: Fits) -> Planes:
    """Return the decoded planes of level 0, (3, s, s) uint8, of a family whose luma is encoded."""
    how, coder = settings.residuals(fits), settings.streams
    planes = encode_base_planes(original, coder)
    for level, stream in zip((1, 0), luma.streams, strict=True):
        planes = _encode(original, planes, level, how, coder, stream).planes()
    return planes


def fit_chroma(families: Sequence[Levels], settings: Settings, executor: Executor) -> Fits:
    """Fit the taps and coefficients that predict chroma of levels 0 and 1, at given quantiser steps.

    Parameters
    ----------
    families : three (s, s, 3) uint8 each
        A few families of tissue, padded.
    settings : Settings
        Settings with the steps of the conversion.
    executor : Executor
        Where families are encoded.

    Returns
    -------
    two LevelFit
        For level 0 and level 1; the default ones if there are no families.
    """
    if not families or settings.preset is not None:
        return _PLAIN
    originals = [Original(levels) for levels in families]
    lumas = executor.map(lambda original: encode_luma(original, settings, encode_luma(original, settings)), originals)
    return fit_to_luma(originals, list(lumas), settings, executor)


def fit_to_luma(originals: Sequence[Original], lumas: Sequence[Luma], settings: Settings, executor: Executor) -> Fits:
    """Fit the prediction of chroma (see :func:`fit_chroma`) to families whose luma is encoded at the same steps.

    Chroma of level 1 is encoded for the prediction of level 0, which is fitted to it: so it is fitted twice.
    """
    fits = _PLAIN
    for _ in range(2 if any(settings.streams.projected) else 1):
        fits = _fit_once(originals, lumas, settings, executor, fits[0])
    return fits


def _fit_once(
    originals: Sequence[Original], lumas: Sequence[Luma], settings: Settings, executor: Executor, finest: LevelFit
) -> Fits:
    """Fit the prediction of both levels, where level 1 is encoded for a level 0 that is predicted by `finest`."""
    fits, coder = [finest, UNFITTED], settings.streams

    def encode(original: Original, coarse: Planes, luma: Luma, how: Codings, level: int) -> Planes:
        return _encode(original, coarse, level, how, coder, luma.streams[1 - level]).planes()

    coarse = list(executor.map(encode_base_planes, originals, repeat(coder)))
    for level in (1, 0):
        plain = replace(settings, luma_only=True).residuals((finest, UNFITTED))
        taps_of_luma = plain[level].taps
        wanted = [original.exact[level].astype(np.float64) for original in originals]
        planes = executor.map(encode, originals, coarse, lumas, repeat(plain), repeat(level))
        taps = _solve_taps(np.sum(list(executor.map(_tap_equations, wanted, coarse)), axis=0))
        products = executor.map(_detail_products, wanted, planes, coarse, repeat(taps_of_luma), repeat(taps))
        cb, cr, square = np.sum(list(products), axis=0)
        cfl = np.clip(np.rint(64 * np.array([cb, cr]) / max(square, 1.0)), -127, 127).astype(int).tolist()
        fits[level] = LevelFit(taps, (cfl[0], cfl[1]))
        if level:  # level 0 is predicted from level 1 as decoded with this fit
            how = settings.residuals((finest, fits[1]))
            coarse = list(executor.map(encode, originals, coarse, lumas, repeat(how), repeat(level)))
    return fits[0], fits[1]
