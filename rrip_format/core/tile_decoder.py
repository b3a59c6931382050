"""Stored tiles to RGB in one call: what is read most (spec sections 5 and 6).

One call for each stream and level would do, but the interpreter is slow between two of them, and the caches full.
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
"""Codes from here on are of tiles, those below of streams."""


@lru_cache(64)
def _numbers(uuid: UUID, tile: int, residuals: tuple[ResidualCoding, ResidualCoding]) -> lib.Coding:
    """The coding as the core takes it."""
    levels = [lib.Residual(how.taps, how.chroma_taps, how.cfl, how.planes) for how in residuals]
    return lib.Coding((c_uint8 * 8)(*uuid.bytes[:8]), tile, (lib.Residual * 2)(*levels))


def decode_rgb(
    coding: Coding,
    levels: Sequence[int],
    row: int,
    col: int,
    tiles: Sequence[bytes],
    window: Window,
    target: lib.Target,
) -> None:
    """Decode the finest of some levels to a place in memory, what is in it being undefined after an error.

    Parameters
    ----------
    coding : Coding
    levels : sequence of int
        Those that the finest needs, coarsest first.
    row, col : int
        Which tile of each.
    tiles : sequence of bytes
        The stored tile of each level.
    window : Window
        The part of the finest that is wanted, inside the tile.
    target : rrip_format.core.library.Target

    Raises
    ------
    ChecksumError, DamagedError
        If a tile is not what was written at that place.
    LimitError
        If memory does not suffice.
    """
    numbers = _numbers(coding.uuid, coding.geometry.tile, coding.residuals)
    sizes = [len(tile) for tile in tiles]
    place, room, _memory = lib.scratch(lib.library.rrip_decode_scratch(coding.geometry.tile, max(sizes)))
    fault = lib.Fault()
    code = lib.library.rrip_decode_tile(
        *(lib.core(), byref(numbers), levels[-1], row, col, _Tiles(*tiles), _Sizes(*sizes)),
        *(byref(lib.Window(*window)), byref(target), place, room, byref(fault)),
    )
    lib.call(code)
    if not code:
        return
    level = levels[fault.tile]
    where, count = coding.place(level, row, col), 1 if level < BASE_LEVEL else 3
    if code < _FIRST_OF_TILES:
        raise stream_error(fault, coding.geometry.tile_side(level), count).within(str(where))
    lengths = stream_lengths(tiles[fault.tile], where, coding.streams(level))  # says what is wrong with the tile
    if lengths == [0] and level >= BASE_LEVEL:
        raise DamagedError(f"{where} has no picture", rule="stream.empty")
    raise RripError(f"{where}: the compiled core refuses with code {code} what is in order; please report it")
