"""Packets: what one tile is decoded from, in one piece (spec section 9.8).

A packet is the stored tiles of :func:`needed_levels` one after another, base tile first. Every tile ends in a trailer
that tells its length, so a packet is taken apart from its end, and needs no header of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedError
from ..spec.metadata import Coding
from ..spec.tile import TRAILER_BYTES
from .decode import decode_tile, needed_levels

__all__ = ["decode_packet", "join_packet", "split_packet"]

_TRAILER = struct.Struct("<3I2I")


def join_packet(tiles: Sequence[bytes]) -> bytes:
    """Put the stored tiles of :func:`needed_levels` together, coarsest first."""
    return b"".join(tiles)


def split_packet(packet: bytes, count: int) -> tuple[int, int, list[bytes]]:
    """Take a packet apart; what is in the tiles is left to their decoder to check.

    Parameters
    ----------
    packet : bytes
    count : int
        Number of tiles.

    Returns
    -------
    row, col : int
        Which tile the last one says it is.
    tiles : list of bytes
        Coarsest first.

    Raises
    ------
    DamagedError
        If the lengths in the trailers do not make `count` tiles.
    """
    tiles: list[bytes] = []
    end, row, col = len(packet), 0, 0
    for _ in range(count):
        if end < TRAILER_BYTES:
            raise DamagedError(
                f"a packet of {len(packet)} bytes ends before its {count} tiles do", rule="packet.structure"
            )
        *lengths, tile_row, tile_col = _TRAILER.unpack_from(packet, end - TRAILER_BYTES)
        start = end - TRAILER_BYTES - sum(lengths)
        if start < 0:
            raise DamagedError(
                f"a packet of {len(packet)} bytes has streams of {lengths} bytes at byte {end}", rule="packet.structure"
            )
        if not tiles:
            row, col = tile_row, tile_col
        tiles.insert(0, packet[start:end])
        end = start
    if end:
        raise DamagedError(
            f"a packet of {len(packet)} bytes has {end} bytes before its {count} tiles", rule="packet.structure"
        )
    return row, col, tiles


def decode_packet(coding: Coding, level: int, packet: bytes) -> NDArray[np.uint8]:
    """RGB, (3, s, s) uint8, of the tile that a packet holds.

    Raises
    ------
    DamagedError
        If it is not a packet of that level of that slide.
    """
    row, col, tiles = split_packet(packet, len(needed_levels(level)))
    rows, cols = coding.geometry.grid(level)
    if row >= rows or col >= cols or coding.is_empty(level, row, col):
        raise DamagedError(
            f"a packet says that it is of {coding.place(level, row, col)}, where the slide has no tile",
            rule="packet.structure",
        )
    return decode_tile(coding, level, row, col, tiles)
