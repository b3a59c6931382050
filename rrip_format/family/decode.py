"""Decode one family: pure functions of arrays and bytes (spec sections 5 and 6).

A family is one tile of the base level with the residual tiles of levels 1 and 0 that cover the same tissue. It is
coded from exactly its own three tiles, never a neighbour's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..core import predict
from ..core.colour import Corner, Window, checked, target
from ..core.tile_decoder import decode_rgb
from ..errors import DamagedError, MissingTileError
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import Coding
from ..spec.tile import split_tile
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
]

Planes = NDArray[np.uint8]


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
