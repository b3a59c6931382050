"""Encode one family in a closed loop: every level is predicted from what a decoder will have (spec section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..core import predict
from ..core.difference import difference
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import Coding, ResidualCoding
from ..spec.tile import join_tile
from .decode import Planes
from .jpeg import decode_gray, decode_ycc, encode

__all__ = [
    "EncodedFamily",
    "EncodedLevel",
    "Quality",
    "StreamCoder",
    "encode_base",
    "encode_family",
    "encode_level",
]


class StreamCoder(Protocol):
    """What makes the JPEG streams of a container (not normative: every stream carries its own tables)."""

    def encode_base(self, rgb: NDArray[np.uint8], samples: Planes | None = None) -> bytes:
        """4:4:4 colour JPEG of a tile of the base level or a coarser one, (s, s, 3) uint8.

        `samples`, (3, s, s) uint8, gets what it decodes to.
        """
        ...

    def encode_residual(
        self, missing: NDArray[np.float32], level: int, plane: int, samples: Planes | None = None
    ) -> bytes:
        """Grayscale JPEG of what a prediction misses, or no bytes for nothing.

        Parameters
        ----------
        missing : (s, s) float32
            Wanted less predicted samples, -128 … 127; the stream holds them plus 128.
        level : int
            0 or 1.
        plane : int
            0, 1, 2 for Y, Cb, Cr.
        samples : (s, s) uint8, optional
            Gets what the stream decodes to; undefined if there are no bytes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Quality:
    """Streams by libvips, an encoder other than our own: for comparisons and test vectors.

    Parameters
    ----------
    base : int
        Quality of the base level and coarser ones, on libjpeg's scale.
    luma : two ints
        Quality of the luma residuals of levels 0 and 1.
    chroma : two ints
        Quality of the chroma residuals of levels 0 and 1, where the level has them.
    flat : bool
        Flat quantisation tables rather than those of Annex K.
    trellis : bool
        Choose coefficients by rate and distortion.
    """

    base: int
    luma: tuple[int, int]
    chroma: tuple[int, int]
    flat: bool = True
    trellis: bool = True

    def encode_base(self, rgb: NDArray[np.uint8], samples: Planes | None = None) -> bytes:
        """As :meth:`StreamCoder.encode_base`."""
        stream = encode(rgb, self.base, flat=self.flat, trellis=self.trellis)
        if samples is not None:
            samples[:] = decode_ycc(stream, rgb.shape[0])
        return stream

    def encode_residual(
        self, missing: NDArray[np.float32], level: int, plane: int, samples: Planes | None = None
    ) -> bytes:
        """As :meth:`StreamCoder.encode_residual`; no bytes if nothing survives quantisation."""
        residual = np.clip(np.floor(missing + np.float32(128.5)), 0, 255).astype(np.uint8)
        if (residual == 128).all():
            return b""
        quality = self.chroma[level] if plane else self.luma[level]
        stream = encode(residual, quality, flat=self.flat, trellis=self.trellis)
        # A blank stream takes two bits a block and its tables; only one about that short is worth decoding to see.
        if len(stream) < 600 + residual.size // 200 and (decode_gray(stream, residual.shape[0]) == 128).all():
            return b""
        if samples is not None:
            samples[:] = decode_gray(stream, residual.shape[0])
        return stream


@dataclass(frozen=True, slots=True)
class EncodedLevel:
    """A residual level of a family, encoded.

    Parameters
    ----------
    streams : one or three bytes
        No bytes for a plane that is all zero.
    coarse : (3, s / 2, s / 2) uint8
        Planes of the next coarser level, as a decoder will have them.
    residuals : three (s, s) uint8 or None
        What the streams decode to.
    how : ResidualCoding
    """

    streams: list[bytes]
    coarse: Planes
    residuals: predict.Residuals
    how: ResidualCoding

    def planes(self) -> Planes:
        """Y, Cb, Cr as a decoder will have them, (3, s, s) uint8."""
        return predict.reconstruct(self.coarse, self.residuals, self.how.taps, self.how.cfl, self.how.chroma_taps)


@dataclass(frozen=True, slots=True)
class EncodedFamily:
    """The stored tiles of a family, and what a reader will see of it.

    Parameters
    ----------
    tiles : three bytes
        Of levels 0, 1 and 2.
    finest : EncodedLevel
        Level 0, made from the planes of level 1.
    base : (3, s, s) uint8
        Planes of level 2.
    """

    tiles: tuple[bytes, bytes, bytes]
    finest: EncodedLevel
    base: Planes

    def planes(self) -> tuple[Planes, Planes, Planes]:
        """Y, Cb, Cr of levels 0, 1 and 2 as decoded from `tiles`, each (3, s, s) uint8; those of level 0 made anew."""
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
    """Stored tile of the base level or a coarser one from (s, s, 3) uint8 RGB.

    `planes`, (3, s, s) uint8, gets what :func:`decode_base` makes of it.
    """
    return join_tile([coder.encode_base(rgb, planes)], coding.place(level, row, col))


def encode_family(
    coding: Coding, row: int, col: int, levels: Sequence[NDArray[np.uint8]], coder: StreamCoder
) -> EncodedFamily:
    """Encode a family in a closed loop: every level is predicted from what a decoder will have.

    Parameters
    ----------
    coding : Coding
    row, col : int
        Which family.
    levels : three (s, s, 3) uint8
        RGB of levels 0, 1 and 2, padded to whole tiles.
    coder : StreamCoder

    Returns
    -------
    EncodedFamily
    """
    side = coding.geometry.tile
    base = np.empty((3, side, side), np.uint8)
    base_tile = encode_base(coding, BASE_LEVEL, row, col, levels[BASE_LEVEL], coder, base)
    middle = encode_level(base, levels[1], 1, coding.residuals[1], coder)
    finest = encode_level(middle.planes(), levels[0], 0, coding.residuals[0], coder)
    tiles = [join_tile(made.streams, coding.place(level, row, col)) for level, made in enumerate((finest, middle))]
    return EncodedFamily((tiles[0], tiles[1], base_tile), finest, base)


def encode_level(
    coarse: Planes,
    rgb: NDArray[np.uint8],
    level: int,
    how: ResidualCoding,
    coder: StreamCoder,
    luma: bytes | None = None,
) -> EncodedLevel:
    """Encode one residual level of a family.

    Parameters
    ----------
    coarse : (3, s / 2, s / 2) uint8
        Planes of the next coarser level, as a decoder will have them.
    rgb : (s, s, 3) uint8
        The level, padded.
    level : int
        0 or 1.
    how : ResidualCoding
    coder : StreamCoder
    luma : bytes, optional
        The luma stream, where it is known.

    Returns
    -------
    EncodedLevel
    """
    residuals: list[Planes | None] = [None, None, None]

    def encode(plane: int, predicted: Planes) -> bytes:
        samples = np.empty_like(predicted)
        stream = coder.encode_residual(difference(rgb, plane, predicted), level, plane, samples)
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
