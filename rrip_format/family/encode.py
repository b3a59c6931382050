"""Encode one family in a closed loop: each level is predicted from the decoded coarser one (spec section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..core import predict
from ..core.colour import rgb_to_exact_ycc
from ..core.difference import difference
from ..core.projection import back_project
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import Coding, ResidualCoding
from ..spec.tile import join_tile
from .decode import Planes, reconstruct
from .jpeg import decode_gray, decode_ycc, encode

__all__ = [
    "EncodedFamily",
    "EncodedLevel",
    "Quality",
    "StreamCoder",
    "aim",
    "encode_base",
    "encode_family",
    "encode_level",
]


Floats = NDArray[np.float32]

_GLASS_DEVIATION = 3.0
"""Largest standard deviation of green samples of level 1 within a family of glass, noise and dust included."""


class StreamCoder(Protocol):
    """An encoder of the JPEG streams of a container; not normative, since every stream carries its own tables."""

    @property
    def projected(self) -> tuple[float, float]:
        """Parts of the back projection of level 0 that are added to luma and chroma of level 1; see :func:`aim`."""
        ...

    def encode_base(self, rgb: NDArray[np.uint8], samples: Planes | None = None) -> bytes:
        """Encode a tile of the base level or a coarser one, (s, s, 3) uint8, as a 4:4:4 colour JPEG.

        `samples`, (3, s, s) uint8, receives the decoded planes.
        """
        ...

    def encode_residual(
        self, missing: NDArray[np.float32], level: int, plane: int, samples: Planes | None = None
    ) -> bytes:
        """Encode a residual as a grayscale JPEG.

        Parameters
        ----------
        missing : (s, s) float32
            Source minus prediction, -128 … 127; the samples of the stream are these plus 128.
        level : int
            0 or 1.
        plane : int
            0, 1, 2 for Y, Cb, Cr.
        samples : (s, s) uint8, optional
            Receives the decoded samples; undefined if the result is empty.

        Returns
        -------
        bytes
            One stream, or no bytes for a residual of zeros.
        """
        ...


@dataclass(frozen=True, slots=True)
class Quality:
    """A stream coder that uses libvips, for comparisons and test vectors.

    Parameters
    ----------
    base : int
        Quality of the base level and coarser ones, on libjpeg's scale.
    luma : two ints
        Quality of the luma residuals of levels 0 and 1.
    chroma : two ints
        Quality of the chroma residuals of levels 0 and 1, if the level has them.
    flat : bool
        Use flat quantisation tables rather than those of T.81 Annex K.
    trellis : bool
        Use mozjpeg's rate-distortion optimised quantisation.
    """

    base: int
    luma: tuple[int, int]
    chroma: tuple[int, int]
    flat: bool = True
    trellis: bool = True

    projected = (0.0, 0.0)

    def encode_base(self, rgb: NDArray[np.uint8], samples: Planes | None = None) -> bytes:
        """Encode a base tile; see :meth:`StreamCoder.encode_base`."""
        stream = encode(rgb, self.base, flat=self.flat, trellis=self.trellis)
        if samples is not None:
            samples[:] = decode_ycc(stream, rgb.shape[0])
        return stream

    def encode_residual(
        self, missing: NDArray[np.float32], level: int, plane: int, samples: Planes | None = None
    ) -> bytes:
        """Encode a residual; no bytes if it is quantised to zero. See :meth:`StreamCoder.encode_residual`."""
        residual = np.clip(np.floor(missing + np.float32(128.5)), 0, 255).astype(np.uint8)
        if (residual == 128).all():
            return b""
        quality = self.chroma[level] if plane else self.luma[level]
        stream = encode(residual, quality, flat=self.flat, trellis=self.trellis)
        # A stream of zeros takes two bits a block and its tables: only streams about that short are decoded to see.
        if len(stream) < 600 + residual.size // 200 and (decode_gray(stream, residual.shape[0]) == 128).all():
            return b""
        if samples is not None:
            samples[:] = decode_gray(stream, residual.shape[0])
        return stream


@dataclass(frozen=True, slots=True)
class EncodedLevel:
    """A residual level of a family after encoding.

    Parameters
    ----------
    streams : one or three bytes
        JPEG streams; no bytes for a residual plane of zeros.
    coarse : (3, s / 2, s / 2) uint8
        Decoded planes of the next coarser level.
    residuals : three (s, s) uint8 or None
        Decoded residual planes.
    how : ResidualCoding
        Parameters of the prediction.
    """

    streams: list[bytes]
    coarse: Planes
    residuals: predict.Residuals
    how: ResidualCoding

    def planes(self) -> Planes:
        """Return Y, Cb and Cr as decoded from the streams, (3, s, s) uint8."""
        return reconstruct(self.coarse, self.residuals, self.how)


@dataclass(frozen=True, slots=True)
class EncodedFamily:
    """The stored tiles of a family and the planes that they decode to.

    Parameters
    ----------
    tiles : three bytes
        Stored tiles of levels 0, 1 and 2.
    finest : EncodedLevel
        Level 0, predicted from the decoded planes of level 1.
    base : (3, s, s) uint8
        Decoded planes of level 2.
    """

    tiles: tuple[bytes, bytes, bytes]
    finest: EncodedLevel
    base: Planes

    def planes(self) -> tuple[Planes, Planes, Planes]:
        """Return Y, Cb and Cr of levels 0, 1 and 2 as decoded from `tiles`, each (3, s, s) uint8."""
        return self.finest.planes(), self.finest.coarse, self.base


def encode_base(
    coding: Coding,
    level: int,
    row: int,
    col: int,
    rgb: NDArray[np.uint8],
    coder: StreamCoder,
    planes: Planes | None = None,
) -> bytes:
    """Encode (s, s, 3) uint8 RGB as a stored tile of the base level or a coarser one.

    `planes`, (3, s, s) uint8, receives the decoded planes.
    """
    return join_tile([coder.encode_base(rgb, planes)], coding.place(level, row, col))


def encode_family(
    coding: Coding, row: int, col: int, levels: Sequence[NDArray[np.uint8]], coder: StreamCoder
) -> EncodedFamily:
    """Encode a family in a closed loop: each level is predicted from the decoded coarser one.

    Parameters
    ----------
    coding : Coding
        Coding of the slide.
    row, col : int
        Row and column of the family.
    levels : three (s, s, 3) uint8
        RGB of levels 0, 1 and 2, padded to whole tiles.
    coder : StreamCoder
        Encoder of the JPEG streams.

    Returns
    -------
    EncodedFamily
        Stored tiles and decoded planes.
    """
    side = coding.geometry.tile
    base = np.empty((3, side, side), np.uint8)
    base_tile = encode_base(coding, BASE_LEVEL, row, col, levels[BASE_LEVEL], coder, base)
    wanted = aim(levels, coding.residuals, coder.projected)
    middle = encode_level(base, levels[1], 1, coding.residuals[1], coder, wanted=wanted)
    finest = encode_level(middle.planes(), levels[0], 0, coding.residuals[0], coder)
    tiles = [join_tile(made.streams, coding.place(level, row, col)) for level, made in enumerate((finest, middle))]
    return EncodedFamily((tiles[0], tiles[1], base_tile), finest, base)


def aim(
    levels: Sequence[NDArray[np.uint8]],
    residuals: Sequence[ResidualCoding],
    projected: tuple[float, float],
    exact: Sequence[Floats] | None = None,
) -> Floats | None:
    """Move planes of level 1 towards those that level 0 is predicted from best.

    The move is one step of iterative back projection: the error of the prediction of level 0 from level 1, through the
    transposed filter. For chroma, the part that chroma from luma predicts is left out (spec section 5.3).

    Parameters
    ----------
    levels : (2s, 2s, 3), (s, s, 3) uint8
        RGB of levels 0 and 1; coarser ones may follow.
    residuals : two ResidualCoding
        Parameters of the prediction of levels 0 and 1.
    projected : two floats
        Parts of the back projection to add, for luma and for chroma.
    exact : (3, 2s, 2s) and (3, s, s) float32, optional
        Unrounded YCbCr of both levels, if the caller has them.

    Returns
    -------
    (3, s, s) float32 or None
        What to encode as level 1, where chroma is unchanged if level 1 has no chroma residuals. None if that is level 1
        itself: nothing is to be added, or the family is glass, where it would cost time and gain nothing.
    """
    if not any(projected) or levels[1][::4, ::4, 1].std() <= _GLASS_DEVIATION:
        return None
    fine, out = (exact[0], exact[1].copy()) if exact else [rgb_to_exact_ycc(rgb) for rgb in levels[:2]]
    how = residuals[0]
    luma = back_project(fine[0], out[0], how.taps)
    for k in (1, 2) if residuals[1].planes == 3 else ():
        chroma = back_project(fine[k], out[k], how.chroma_taps)
        chroma -= np.float32(how.cfl[k - 1] / 64) * luma
        chroma *= np.float32(projected[1])
        out[k] += chroma
    luma *= np.float32(projected[0])
    out[0] += luma
    return out


def encode_level(
    coarse: Planes,
    rgb: NDArray[np.uint8],
    level: int,
    how: ResidualCoding,
    coder: StreamCoder,
    luma: bytes | None = None,
    wanted: Floats | None = None,
) -> EncodedLevel:
    """Encode one residual level of a family.

    Parameters
    ----------
    coarse : (3, s / 2, s / 2) uint8
        Decoded planes of the next coarser level.
    rgb : (s, s, 3) uint8
        The source pixels, padded to a whole tile.
    level : int
        0 or 1.
    how : ResidualCoding
        Parameters of the prediction.
    coder : StreamCoder
        Encoder of the JPEG streams.
    luma : bytes, optional
        The luma stream, if it is already encoded.
    wanted : (3, s, s) float32, optional
        Unrounded YCbCr to encode instead of that of `rgb`.

    Returns
    -------
    EncodedLevel
        Streams and decoded residuals.
    """
    residuals: list[Planes | None] = [None, None, None]

    def encode(plane: int, predicted: Planes) -> bytes:
        samples = np.empty_like(predicted)
        if wanted is None:
            missing = difference(rgb, plane, predicted)
        else:
            missing = wanted[plane] - predicted
            np.clip(missing, np.float32(-128), np.float32(127), out=missing)
        stream = coder.encode_residual(missing, level, plane, samples)
        residuals[plane] = samples if stream else None
        return stream

    if luma is None:
        luma = encode(0, predict.up2(coarse[0], how.taps))
    elif luma:
        residuals[0] = decode_gray(luma, rgb.shape[0])
    made = EncodedLevel([luma], coarse, (residuals[0], None, None), how)
    if how.planes == 1:
        return made
    planes = made.planes()
    streams = [luma, *(encode(k, planes[k]) for k in (1, 2))]
    return EncodedLevel(streams, coarse, (residuals[0], residuals[1], residuals[2]), how)
