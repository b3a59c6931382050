"""Encode and decode one family: pure functions of arrays and bytes (spec sections 5 and 6).

A family is one tile of the base level with the residual tiles of levels 1 and 0 that cover the same tissue. It is
coded from exactly its own three tiles, never a neighbour's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .core import predict
from .core.colour import Corner, Window, checked, target
from .core.difference import difference
from .core.tile_decoder import decode_rgb
from .errors import DamagedError, MissingTileError
from .jpeg import decode_gray, decode_ycc, encode
from .spec.geometry import BASE_LEVEL
from .spec.metadata import Coding, ResidualCoding
from .spec.tile import join_tile, split_tile

__all__ = [
    "EncodedFamily",
    "EncodedLevel",
    "Quality",
    "StreamCoder",
    "decode_base",
    "decode_family",
    "decode_planes",
    "decode_residual",
    "decode_samples",
    "decode_tile",
    "encode_base",
    "encode_family",
    "encode_level",
    "needed_levels",
]

Planes = NDArray[np.uint8]


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


def decode_base(coding: Coding, level: int, row: int, col: int, tile: bytes) -> Planes:
    """Planes, (3, s, s) uint8, of a stored tile of the base level or a coarser one.

    Raises
    ------
    DamagedError
        If the tile is not what was written at that place.
    """
    place = coding.place(level, row, col)
    (stream,) = split_tile(tile, place, 1)
    if stream is None:
        raise DamagedError(f"{place} has no picture", rule="stream.empty")
    try:
        return decode_ycc(stream, coding.geometry.tile_side(level))
    except DamagedError as error:
        raise error.within(str(place)) from error


def decode_samples(
    coding: Coding, level: int, row: int, col: int, tile: bytes, window: Window | None = None
) -> predict.Residuals:
    """The residual planes of a stored tile of level 1 or 0, None where one is all zero; of `window`, only the rows.

    Raises
    ------
    DamagedError
        If the tile is not what was written at that place.
    """
    place = coding.place(level, row, col)
    side = coding.geometry.tile_side(level)
    streams = split_tile(tile, place, coding.streams(level))
    try:
        rows = None if window is None else window[:2]
        planes = [None if stream is None else decode_gray(stream, side, rows) for stream in streams]
    except DamagedError as error:
        raise error.within(str(place)) from error
    luma, cb, cr = [*planes, None, None][:3]
    return luma, cb, cr


def decode_planes(coding: Coding, row: int, col: int, tiles: Sequence[bytes], window: Window | None = None) -> Planes:
    """Y, Cb, Cr of a family at the finest level that `tiles` reach.

    Parameters
    ----------
    coding : Coding
    row, col : int
        Which family.
    tiles : one to three bytes
        Stored tiles of level 2; levels 2 and 1; or levels 2, 1 and 0.
    window : Window, optional
        The part that is wanted; what lies outside is undefined then.

    Returns
    -------
    (3, s, s) uint8
        Padding included.

    Raises
    ------
    DamagedError
        If a tile is not what was written at that place.
    """
    level = BASE_LEVEL + 1 - len(tiles)
    if level == BASE_LEVEL:
        return decode_base(coding, level, row, col, tiles[0])
    coarse = decode_planes(coding, row, col, tiles[:-1], _coarser_window(coding, level, window))
    return decode_residual(coding, level, row, col, coarse, tiles[-1], window)


def decode_residual(
    coding: Coding, level: int, row: int, col: int, coarse: Planes, tile: bytes, window: Window | None = None
) -> Planes:
    """As :func:`decode_planes`, from a stored tile of level 1 or 0 and the planes of its family's coarser one."""
    how, residuals = coding.residuals[level], decode_samples(coding, level, row, col, tile, window)
    return predict.reconstruct(coarse, residuals, how.taps, how.cfl, how.chroma_taps, window)


def decode_family(
    coding: Coding,
    row: int,
    col: int,
    tiles: Sequence[bytes],
    window: Window | None = None,
    corner: Corner | None = None,
) -> NDArray[np.uint8]:
    """As :func:`decode_planes`, but RGB, and of `window` alone: (3, height, width) uint8.

    It is a view of a picture, if there is a `corner` of one to put it.
    """
    return _decode_rgb(coding, needed_levels(BASE_LEVEL + 1 - len(tiles)), row, col, tiles, window, corner)


def _decode_rgb(
    coding: Coding,
    levels: Sequence[int],
    row: int,
    col: int,
    tiles: Sequence[bytes],
    window: Window | None,
    corner: Corner | None,
) -> NDArray[np.uint8]:
    """RGB of a window of the last of some levels, from the stored tile of each."""
    side = coding.geometry.tile_side(levels[-1])
    wanted = checked(window, side, side)
    to, rgb = target(wanted, corner)
    decode_rgb(coding, levels, row, col, tiles, wanted, to)
    return rgb


def _coarser_window(coding: Coding, level: int, window: Window | None) -> Window | None:
    """What of the next coarser level a window of `level` needs."""
    side = coding.geometry.tile_side(level + 1)
    return None if window is None else predict.coarser_window(window, side, side)


def needed_levels(level: int) -> tuple[int, ...]:
    """Levels whose tiles at one place make a tile of `level`, coarsest first."""
    return tuple(range(BASE_LEVEL, level - 1, -1)) if level < BASE_LEVEL else (level,)


def decode_tile(
    coding: Coding,
    level: int,
    row: int,
    col: int,
    tiles: Sequence[bytes | None],
    window: Window | None = None,
    corner: Corner | None = None,
) -> NDArray[np.uint8]:
    """RGB of one tile of any level from what a container holds at its place (spec sections 5 and 7.3).

    Parameters
    ----------
    coding : Coding
    level, row, col : int
        Which tile.
    tiles : bytes or None
        Stored tiles of :func:`needed_levels`, None where the container has none.
    window : Window, optional
        The part of the tile that is wanted. What only others need is not decoded, though every byte is checked.
    corner : Corner, optional
        Where in a picture to put it.

    Returns
    -------
    (3, height, width) uint8
        Padding included. A view of the picture, if there is one; else read-only where the tile is empty.

    Raises
    ------
    MissingTileError
        If a tile is absent and the metadata do not say that its families are empty.
    DamagedError
        If a tile is not what was written at that place.
    """
    if coding.is_empty(level, row, col):
        return _background(coding, window or (0, side := coding.geometry.tile_side(level), 0, side), corner)
    present, levels = [], needed_levels(level)
    for needed, tile in zip(levels, tiles, strict=True):
        if tile is None:
            raise MissingTileError(
                f"{coding.place(needed, row, col)} is missing; its family is not empty, so the container is incomplete"
            )
        present.append(tile)
    return _decode_rgb(coding, levels, row, col, present, window, corner)


def _background(coding: Coding, window: Window, corner: Corner | None) -> NDArray[np.uint8]:
    """What an empty tile shows (spec section 7.3)."""
    height, width = window[1] - window[0], window[3] - window[2]
    background = np.array(coding.background, np.uint8)
    if corner is None:
        return np.broadcast_to(background[:, None, None], (3, height, width))
    picture, top, left = corner
    part = picture[top : top + height, left : left + width]
    part[:] = background
    return part.transpose(2, 0, 1)


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
