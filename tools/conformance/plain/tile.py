"""Sections 6 and 7: a stored tile, which is streams and a trailer of 36 bytes."""

from __future__ import annotations

import struct
from uuid import UUID

from plain.errors import ChecksumError, DamagedError

TRAILER = struct.Struct("<IIIIIBBH8sI")
"""Section 6.2: three lengths, row, column, level, number of streams, zero, slide, checksum. Little-endian, 36 bytes."""

POLYNOMIAL = 0x82F63B78
"""0x1EDC6F41 with its bits in reverse, because the checksum is a reflected one (section 7.1)."""


def _crc_of_byte(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (POLYNOMIAL if value & 1 else 0)
    return value


CRC_TABLE = [_crc_of_byte(value) for value in range(256)]


def crc32c(data: bytes) -> int:
    """Compute the CRC-32C (Castagnoli) of bytes (section 7.1)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def largest(side: int) -> int:
    """Return the largest size of a stored tile of this side that a reader accepts, bytes (section 12)."""
    return 65536 + 6 * side**2


def split(tile: bytes, level: int, row: int, col: int, uuid: str, count: int, side: int) -> list[bytes]:
    """Check a stored tile, in the order of section 6.2, and return its streams.

    Parameters
    ----------
    tile : bytes
        The whole stored tile.
    level, row, col : int
        The place that it was read for.
    uuid : str
        The slide's UUID, as the coding has it.
    count : int
        Streams that the coding promises: 1 or 3.
    side : int
        Side of a tile of this level, px, for the limit on its length.

    Returns
    -------
    list of bytes
        ``count`` streams; one of length 0 is a plane of 128 everywhere (section 6.3).

    Raises
    ------
    ChecksumError, DamagedError
        The tile is damaged, at another's place, or not what the coding promises.
    """
    if len(tile) < 36:
        raise DamagedError("tile.short", f"a tile of {len(tile)} bytes, fewer than its trailer has")
    if len(tile) > largest(side):
        raise DamagedError("tile.size", f"a tile of {len(tile)} bytes, at most {largest(side)} are accepted")
    *lengths, its_row, its_col, its_level, its_count, zero, slide, checksum = TRAILER.unpack(tile[-36:])
    if crc32c(tile[:-4]) != checksum:
        raise ChecksumError("tile.checksum", f"tile {level}/{row}/{col} has another checksum than {checksum:08x}")
    if (its_level, its_row, its_col) != (level, row, col):
        raise DamagedError("tile.place", f"tile {its_level}/{its_row}/{its_col} stands at {level}/{row}/{col}")
    if slide != UUID(uuid).bytes[:8]:
        raise DamagedError("tile.place", f"tile {level}/{row}/{col} is of slide {slide.hex()}, not {uuid}")
    if its_count != count:
        raise DamagedError("tile.trailer", f"{its_count} streams, expected {count}")
    if zero != 0 or sum(lengths) + 36 != len(tile) or any(lengths[count:]):
        raise DamagedError("tile.trailer", f"lengths {lengths} and zero field {zero} in a tile of {len(tile)} bytes")
    ends = [sum(lengths[: i + 1]) for i in range(count)]
    return [tile[end - length : end] for end, length in zip(ends, lengths, strict=False)]
