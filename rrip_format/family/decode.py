"""Decode one family: functions of arrays and bytes without I/O (spec sections 5 and 6).

A family is one tile of the base level with the residual tiles of levels 1 and 0 that cover the same tissue. It is
decoded from these three tiles alone, never from a neighbour's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..core import predict
from ..core.colour import Corner, Window, checked, target
from ..core.luma_filter import filter_luma
from ..core.tile_decoder import decode_rgb
from ..errors import DamagedError
from ..spec.geometry import BASE_LEVEL, needed_levels
from ..spec.metadata import Coding, ResidualCoding
from ..spec.tile import missing_tile, split_tile
from .jpeg import decode_gray, decode_ycc

__all__ = [
    "Planes",
    "decode_base",
    "decode_family",
    "decode_planes",
    "decode_residual",
    "decode_samples",
    "decode_tile",
    "needed_levels",
    "reconstruct",
]

Planes = NDArray[np.uint8]


def decode_base(coding: Coding, level: int, row: int, col: int, tile: bytes) -> Planes:
    """Decode a stored tile of the base level or a coarser one to its planes, (3, s, s) uint8.

    Raises
    ------
    DamagedError
        If the stored bytes are not those of that tile.
    """
    place = coding.place(level, row, col)
    (stream,) = split_tile(tile, place, 1)
    if stream is None:
        raise DamagedError(f"{place} has no JPEG stream, expected one", rule="stream.empty")
    try:
        return decode_ycc(stream, coding.geometry.tile_side(level))
    except DamagedError as error:
        raise error.within(str(place)) from error


def decode_samples(
    coding: Coding, level: int, row: int, col: int, tile: bytes, window: Window | None = None
) -> predict.Residuals:
    """Decode the residual planes of a stored tile of level 1 or 0; None stands for a plane of zeros.

    Parameters
    ----------
    coding : Coding
        Coding of the slide.
    level, row, col : int
        Level 1 or 0, and the row and column of the tile.
    tile : bytes
        The stored tile.
    window : Window, optional
        If given, only its rows are decoded, and other rows are undefined.

    Returns
    -------
    three (s, s) uint8 or None
        Y, Cb and Cr, 128 = zero.

    Raises
    ------
    DamagedError
        If the stored bytes are not those of that tile.
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
    """Decode Y, Cb and Cr of a family at the finest level among `tiles`.

    Parameters
    ----------
    coding : Coding
        Coding of the slide.
    row, col : int
        Row and column of the family.
    tiles : one to three bytes
        Stored tiles of level 2; levels 2 and 1; or levels 2, 1 and 0.
    window : Window, optional
        The part to decode; samples outside are then undefined.

    Returns
    -------
    (3, s, s) uint8
        The planes, padding included.

    Raises
    ------
    DamagedError
        If the stored bytes are not those of that tile.
    """
    level = BASE_LEVEL + 1 - len(tiles)
    if level == BASE_LEVEL:
        return decode_base(coding, level, row, col, tiles[0])
    coarse = decode_planes(coding, row, col, tiles[:-1], _coarser_window(coding, level, window))
    return decode_residual(coding, level, row, col, coarse, tiles[-1], window)


def decode_residual(
    coding: Coding, level: int, row: int, col: int, coarse: Planes, tile: bytes, window: Window | None = None
) -> Planes:
    """Decode a stored tile of level 1 or 0 from the planes of the next coarser level; see :func:`decode_planes`."""
    how = coding.residuals[level]
    if window is not None and how.luma_filter is not None:
        window = _window_beside(window, coding.geometry.tile_side(level))
    residuals = decode_samples(coding, level, row, col, tile, window)
    return reconstruct(coarse, residuals, how, window)


def reconstruct(
    coarse: Planes, residuals: predict.Residuals, how: ResidualCoding, window: Window | None = None
) -> Planes:
    """Reconstruct the planes of level 1 or 0, with the filter of luma (spec sections 5.3 and 5.8).

    Parameters
    ----------
    coarse, residuals, window : object
        As in :func:`rrip_format.core.predict.reconstruct`.
    how : ResidualCoding
        Parameters of the level. With a filter, samples at the edges of the window that are not at those of the tile are
        undefined.

    Returns
    -------
    (3, s, s) uint8
        Y, Cb, Cr.
    """
    planes = predict.reconstruct(coarse, residuals, how.taps, how.cfl, how.chroma_taps, window)
    if how.luma_filter is not None:
        planes[0] = filter_luma(planes[0], how.luma_filter)
    return planes


def _window_beside(window: Window, side: int) -> Window:
    """Return the part of a tile that a filtered window depends on (spec section 5.8)."""
    top, bottom, left, right = window
    return max(top - 1, 0), min(bottom + 1, side), max(left - 1, 0), min(right + 1, side)


def decode_family(
    coding: Coding,
    row: int,
    col: int,
    tiles: Sequence[bytes],
    window: Window | None = None,
    corner: Corner | None = None,
) -> NDArray[np.uint8]:
    """Decode a window of a family to RGB, (3, height, width) uint8; see :func:`decode_planes`.

    With a `corner`, the pixels are written into its picture, and the result is a view of it.
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
    """Decode a window of the last of some levels to RGB, from the stored tile of each."""
    side = coding.geometry.tile_side(levels[-1])
    wanted = checked(window, side, side)
    to, rgb = target(wanted, corner)
    decode_rgb(coding, levels, row, col, tiles, wanted, to)
    return rgb


def _coarser_window(coding: Coding, level: int, window: Window | None) -> Window | None:
    """Return the part of the next coarser level that a window of `level` is predicted from."""
    if window is None:
        return None
    if coding.residuals[level].luma_filter is not None:
        window = _window_beside(window, coding.geometry.tile_side(level))
    side = coding.geometry.tile_side(level + 1)
    return predict.coarser_window(window, side, side)


def decode_tile(
    coding: Coding,
    level: int,
    row: int,
    col: int,
    tiles: Sequence[bytes | None],
    window: Window | None = None,
    corner: Corner | None = None,
) -> NDArray[np.uint8]:
    """Decode one tile of any level to RGB from the stored tiles of its family (spec sections 5 and 7.3).

    Parameters
    ----------
    coding : Coding
        Coding of the slide.
    level, row, col : int
        Level, row and column of the tile.
    tiles : sequence of bytes or None
        Stored tiles of :func:`needed_levels`, None for one that the container does not have.
    window : Window, optional
        The part of the tile to decode. The checksums cover the whole tiles all the same.
    corner : Corner, optional
        Where in a picture to write the pixels.

    Returns
    -------
    (3, height, width) uint8
        RGB, padding included. A view of the picture, if a `corner` is given; otherwise read-only if the tile is empty.

    Raises
    ------
    MissingTileError
        If a tile is absent and the metadata do not list its families as empty.
    DamagedError
        If the stored bytes are not those of that tile.
    """
    if coding.is_empty(level, row, col):
        return _background(coding, window or (0, side := coding.geometry.tile_side(level), 0, side), corner)
    present, levels = [], needed_levels(level)
    for needed, tile in zip(levels, tiles, strict=True):
        if tile is None:
            raise missing_tile(coding.place(needed, row, col))
        present.append(tile)
    return _decode_rgb(coding, levels, row, col, present, window, corner)


def _background(coding: Coding, window: Window, corner: Corner | None) -> NDArray[np.uint8]:
    """Return the pixels of an empty tile (spec section 7.3)."""
    height, width = window[1] - window[0], window[3] - window[2]
    background = np.array(coding.background, np.uint8)
    if corner is None:
        return np.broadcast_to(background[:, None, None], (3, height, width))
    picture, top, left = corner
    part = picture[top : top + height, left : left + width]
    part[..., :3] = background
    part[..., 3:] = 255
    return part[..., :3].transpose(2, 0, 1)
