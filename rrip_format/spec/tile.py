"""The stored tile: JPEG streams, a trailer that says what and where it is, and a CRC-32C (spec section 6).

The bytes are the same in every container. A tile ends in 36 bytes, little-endian::

    -36  3 x uint32   lengths of the streams: luma (or the base tile's only one), Cb, Cr
    -24  uint32       row of the tile
    -20  uint32       column of the tile
    -16  uint8        level
    -15  uint8        number of streams, 1 or 3
    -14  uint16       0
    -12  8 bytes      first half of the slide's uuid
     -4  uint32       CRC-32C of all bytes before

The place and the slide are in the tile because a checksum alone cannot see that two tiles changed places.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import google_crc32c

from ..errors import ChecksumError, DamagedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TRAILER_BYTES", "TilePlace", "crc32c", "join_tile", "jpeg_of_base", "split_tile", "stream_lengths"]

_TRAILER = struct.Struct("<3I2IBBH8s")
_CRC = struct.Struct("<I")
TRAILER_BYTES = _TRAILER.size + _CRC.size
"""Bytes after the last stream."""

_RESIDUE = 0x48674BC7
"""The CRC-32C of any bytes that end in their own: so a tile is checked without a copy of all but its last four."""


@dataclass(frozen=True, slots=True)
class TilePlace:
    """Which tile of which slide."""

    slide: UUID
    level: int
    row: int
    col: int

    def __str__(self) -> str:
        return f"tile (level {self.level}, row {self.row}, column {self.col})"


def crc32c(data: bytes | NDArray[np.uint8]) -> int:
    """CRC-32C (Castagnoli) of `data`, the checksum of Zarr's ``crc32c`` codec."""
    return int(google_crc32c.value(data))


def join_tile(streams: Sequence[bytes], place: TilePlace) -> bytes:
    """Put JPEG streams together to a stored tile.

    Parameters
    ----------
    streams : one or three bytes
        Luma, or luma, Cb and Cr; of a base tile, its colour JPEG. Empty bytes stand for a plane of 128.
    place : TilePlace
    """
    lengths = [len(stream) for stream in streams] + [0] * (3 - len(streams))
    trailer = _TRAILER.pack(*lengths, place.row, place.col, place.level, len(streams), 0, place.slide.bytes[:8])
    body = b"".join((*streams, trailer))
    return body + _CRC.pack(crc32c(body))


def stream_lengths(data: bytes, place: TilePlace, count: int) -> list[int]:
    """Check a stored tile: how many bytes each of its streams has, none for an empty one; they follow each other.

    Parameters
    ----------
    data : bytes
        The stored tile.
    place : TilePlace
        Where it was read from.
    count : int
        Number of streams that the metadata promises, 1 or 3.

    Raises
    ------
    ChecksumError
        If the CRC-32C does not match.
    DamagedError
        If the tile is too short, or its trailer contradicts `place`, `count` or its own length.
    """
    if len(data) < TRAILER_BYTES:
        raise DamagedError(
            f"{place} has {len(data)} bytes, fewer than its {TRAILER_BYTES} byte trailer", rule="tile.short"
        )
    if crc32c(data) != _RESIDUE:
        stored, computed = _CRC.unpack_from(data, len(data) - 4)[0], crc32c(data[:-4])
        raise ChecksumError(
            f"{place} is damaged: its CRC-32C is {computed:08x}, stored is {stored:08x}; restore it from a copy"
        )
    *lengths, row, col, level, found, zero, slide = _TRAILER.unpack_from(data, len(data) - TRAILER_BYTES)
    if (level, row, col, slide) != (place.level, place.row, place.col, place.slide.bytes[:8]):
        origin = "of this slide" if slide == place.slide.bytes[:8] else f"of another slide ({slide.hex()}…)"
        raise DamagedError(
            f"{place} holds the tile (level {level}, row {row}, column {col}) {origin}", rule="tile.place"
        )
    if found != count or zero or sum(lengths) + TRAILER_BYTES != len(data) or any(lengths[count:]):
        raise DamagedError(
            f"{place}: {found} streams of {lengths} bytes do not make its {len(data)} bytes", rule="tile.trailer"
        )
    return lengths[:count]


def split_tile(data: bytes, place: TilePlace, count: int) -> list[memoryview | None]:
    """As :func:`stream_lengths`, but the streams themselves, None for an empty one."""
    view = memoryview(data)
    streams: list[memoryview | None] = []
    at = 0
    for length in stream_lengths(data, place, count):
        streams.append(view[at : at + length] if length else None)
        at += length
    return streams


def jpeg_of_base(data: bytes) -> memoryview:
    """The JPEG of a base tile whose CRC-32C Zarr has checked and taken away; all of what is no tile."""
    end = len(data) - _TRAILER.size
    is_tile = end > 0 and _TRAILER.unpack_from(data, end)[0] == end
    return memoryview(data)[:end] if is_tile else memoryview(data)
