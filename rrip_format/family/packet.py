"""Packets: the stored tiles that one tile is decoded from, concatenated (spec section 9.8).

A packet is the stored tiles of :func:`needed_levels` one after another, base tile first. Every tile ends in a trailer
with its length, so a packet is split from its end and needs no header of its own.
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
    """Concatenate the stored tiles of :func:`needed_levels`, coarsest first."""
    return b"".join(tiles)


def split_packet(packet: bytes, count: int) -> tuple[int, int, list[bytes]]:
    """Split a packet into its tiles, whose content is checked only when they are decoded.

    Parameters
    ----------
    packet : bytes
        The packet.
    count : int
        Number of tiles.

    Returns
    -------
    row, col : int
        Row and column in the trailer of the last tile.
    tiles : list of bytes
        Stored tiles, coarsest first.

    Raises
    ------
    DamagedError
        If the lengths in the trailers do not add up to `count` tiles.
    """
    tiles: list[bytes] = []
    end, row, col = len(packet), 0, 0
    for _ in range(count):
        if end < TRAILER_BYTES:
            raise DamagedError(
                f"a packet of {len(packet)} bytes is too short for {count} tiles", rule="packet.structure"
            )
        *lengths, tile_row, tile_col = _TRAILER.unpack_from(packet, end - TRAILER_BYTES)
        start = end - TRAILER_BYTES - sum(lengths)
        if start < 0:
            raise DamagedError(
                f"a packet of {len(packet)} bytes has a tile with streams of {lengths} bytes that ends at byte {end}",
                rule="packet.structure",
            )
        if not tiles:
            row, col = tile_row, tile_col
        tiles.insert(0, packet[start:end])
        end = start
    if end:
        raise DamagedError(
            f"a packet of {len(packet)} bytes has {end} surplus bytes before its {count} tiles", rule="packet.structure"
        )
    return row, col, tiles


def decode_packet(coding: Coding, level: int, packet: bytes) -> NDArray[np.uint8]:
    """Decode the tile of a packet to RGB, (3, s, s) uint8.

    Raises
    ------
    DamagedError
        If the bytes are not a packet of that level of that slide.
    """
    row, col, tiles = split_packet(packet, len(needed_levels(level)))
    rows, cols = coding.geometry.grid(level)
    if row >= rows or col >= cols or coding.is_empty(level, row, col):
        raise DamagedError(
            f"a packet names {coding.place(level, row, col)}, where the slide has no tile",
            rule="packet.structure",
        )
    return decode_tile(coding, level, row, col, tiles)
