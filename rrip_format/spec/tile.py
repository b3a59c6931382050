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

The trailer names the tile and the slide because a checksum alone cannot detect that two tiles were exchanged.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import google_crc32c

from ..errors import ChecksumError, DamagedError, MissingTileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "TRAILER_BYTES",
    "TilePlace",
    "crc32c",
    "join_tile",
    "jpeg_of_base",
    "missing_tile",
    "split_tile",
    "stream_lengths",
]

_TRAILER = struct.Struct("<3I2IBBH8s")
_CRC = struct.Struct("<I")
TRAILER_BYTES = _TRAILER.size + _CRC.size
"""Bytes after the last stream."""

_RESIDUE = 0x48674BC7
"""The CRC-32C of any bytes that end in their own CRC-32C: it saves a copy of the tile without its last four bytes."""


@dataclass(frozen=True, slots=True)
class TilePlace:
    """Identity of a tile: slide, level, row and column."""

    slide: UUID
    level: int
    row: int
    col: int

    def __str__(self) -> str:
        return f"tile (level {self.level}, row {self.row}, column {self.col})"


def missing_tile(place: TilePlace) -> MissingTileError:
    """Return the error for a tile that is absent although its family is not empty (spec section 7)."""
    return MissingTileError(
        f"{place} is missing, and the metadata do not list its family as empty: the container is incomplete; "
        "restore it from a copy"
    )


def crc32c(data: bytes | NDArray[np.uint8]) -> int:
    """Return the CRC-32C (Castagnoli) of `data`, the checksum of Zarr's ``crc32c`` codec."""
    return int(google_crc32c.value(data))


def join_tile(streams: Sequence[bytes], place: TilePlace) -> bytes:
    """Pack JPEG streams and a trailer to a stored tile.

    Parameters
    ----------
    streams : one or three bytes
        Luma, or luma, Cb and Cr; of a base tile, its colour JPEG. Empty bytes stand for a residual plane of zeros.
    place : TilePlace
        Slide, level, row and column for the trailer.

    Returns
    -------
    bytes
        The stored tile.
    """
    lengths = [len(stream) for stream in streams] + [0] * (3 - len(streams))
    trailer = _TRAILER.pack(*lengths, place.row, place.col, place.level, len(streams), 0, place.slide.bytes[:8])
    body = b"".join((*streams, trailer))
    return body + _CRC.pack(crc32c(body))


def stream_lengths(data: bytes, place: TilePlace, count: int) -> list[int]:
    """Check a stored tile and return the lengths of its streams.

    Parameters
    ----------
    data : bytes
        The stored tile.
    place : TilePlace
        The tile that was asked for.
    count : int
        Number of streams according to the metadata, 1 or 3.

    Returns
    -------
    list of int
        Lengths of the streams in bytes, 0 for an omitted one; the streams follow one another from the first byte.

    Raises
    ------
    ChecksumError
        If the CRC-32C does not match.
    DamagedError
        If the tile is too short, or its trailer contradicts `place`, `count` or its own length.
    """
    if len(data) < TRAILER_BYTES:
        raise DamagedError(
            f"{place} has {len(data)} bytes, fewer than its trailer of {TRAILER_BYTES}; restore it from a copy",
            rule="tile.short",
        )
    if crc32c(data) != _RESIDUE:
        stored, computed = _CRC.unpack_from(data, len(data) - 4)[0], crc32c(data[:-4])
        raise ChecksumError(
            f"{place} is damaged: its CRC-32C is {computed:08x}, expected {stored:08x}; restore it from a copy"
        )
    *lengths, row, col, level, found, zero, slide = _TRAILER.unpack_from(data, len(data) - TRAILER_BYTES)
    if (level, row, col, slide) != (place.level, place.row, place.col, place.slide.bytes[:8]):
        origin = "of this slide" if slide == place.slide.bytes[:8] else f"of another slide ({slide.hex()}…)"
        raise DamagedError(
            f"{place} contains the tile (level {level}, row {row}, column {col}) {origin}", rule="tile.place"
        )
    if found != count or zero or sum(lengths) + TRAILER_BYTES != len(data) or any(lengths[count:]):
        raise DamagedError(
            f"{place} has {len(data)} bytes and a trailer with {found} streams of {lengths} bytes, expected {count} "
            f"streams of {len(data) - TRAILER_BYTES} bytes together",
            rule="tile.trailer",
        )
    return lengths[:count]


def split_tile(data: bytes, place: TilePlace, count: int) -> list[memoryview | None]:
    """Check a stored tile and return its streams, None for an omitted one; see :func:`stream_lengths`."""
    view = memoryview(data)
    streams: list[memoryview | None] = []
    at = 0
    for length in stream_lengths(data, place, count):
        streams.append(view[at : at + length] if length else None)
        at += length
    return streams


def jpeg_of_base(data: bytes) -> memoryview:
    """Return the JPEG of a base tile without CRC-32C, which Zarr has removed; other bytes unchanged."""
    end = len(data) - _TRAILER.size
    is_tile = end > 0 and _TRAILER.unpack_from(data, end)[0] == end
    return memoryview(data)[:end] if is_tile else memoryview(data)
