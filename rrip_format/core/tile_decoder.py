"""Decode stored tiles to RGB in one call of the core (spec sections 5 and 6).

One call per tile, rather than one per stream and level, saves the time of the interpreter between calls and keeps the
samples in the processor's caches.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, c_char_p, c_size_t, c_uint8
from functools import lru_cache
from uuid import UUID

from ..errors import DamagedError, RripError
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import Coding, ResidualCoding
from ..spec.tile import stream_lengths
from . import library as lib
from .colour import Window
from .jpeg_decoder import stream_error

__all__ = ["decode_rgb"]

_Tiles, _Sizes = c_char_p * 3, c_size_t * 3

_FIRST_OF_TILES = 40
"""Codes from this number on are about stored tiles, smaller ones about streams (``enum rrip_code``)."""


@lru_cache(64)
def _numbers(uuid: UUID, tile: int, residuals: tuple[ResidualCoding, ResidualCoding]) -> lib.Coding:
    """Convert the coding to the struct of the core."""
    levels = [lib.Residual(how.taps, how.chroma_taps, how.cfl, how.planes) for how in residuals]
    weights = residuals[0].luma_filter or (0, 0, 0, 0)
    return lib.Coding((c_uint8 * 8)(*uuid.bytes[:8]), tile, (lib.Residual * 2)(*levels), weights)


def decode_rgb(
    coding: Coding,
    levels: Sequence[int],
    row: int,
    col: int,
    tiles: Sequence[bytes],
    window: Window,
    target: lib.Target,
) -> None:
    """Decode the finest of some levels into memory, whose content is undefined after an error.

    Parameters
    ----------
    coding : Coding
        Coding of the slide.
    levels : sequence of int
        The levels that the finest one needs, coarsest first.
    row, col : int
        Row and column of the tile at each of these levels.
    tiles : sequence of bytes
        The stored tile of each level.
    window : Window
        The part of the finest tile to decode.
    target : rrip_format.core.library.Target
        Where to write the pixels of the window.

    Raises
    ------
    ChecksumError, DamagedError
        If the stored bytes are not those of that tile.
    LimitError
        If there is not enough memory.
    """
    numbers = _numbers(coding.uuid, coding.geometry.tile, coding.residuals)
    sizes = [len(tile) for tile in tiles]
    start, room, _memory = lib.scratch(lib.library.rrip_decode_scratch(coding.geometry.tile, max(sizes)))
    fault = lib.Fault()
    code = lib.library.rrip_decode_tile(
        *(lib.core(), byref(numbers), levels[-1], row, col, _Tiles(*tiles), _Sizes(*sizes)),
        *(byref(lib.Window(*window)), byref(target), start, room, byref(fault)),
    )
    lib.call(code)
    if not code:
        return
    level = levels[fault.tile]
    where, count = coding.place(level, row, col), 1 if level < BASE_LEVEL else 3
    if code < _FIRST_OF_TILES:
        raise stream_error(fault, coding.geometry.tile_side(level), count).within(str(where))
    lengths = stream_lengths(tiles[fault.tile], where, coding.streams(level))  # raises the error of the same fault
    if lengths == [0] and level >= BASE_LEVEL:
        raise DamagedError(f"{where} has no JPEG stream, expected one", rule="stream.empty")
    raise RripError(f"{where}: the compiled core reports code {code} for a valid tile; please report this bug")
