"""The TIFF binding's tags, and how directories become bytes (spec section 10).

A file is a little-endian BigTIFF: header, tiles, then one index at the end with every directory (IFD), its values and
the metadata. The main chain of IFDs is an ordinary pyramid of level 2 and coarser, or in a sealed file one page that
says what it is. Private tags of the first IFD refer to all other IFDs, so that no other reader takes them for pages.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

from .geometry import BASE_LEVEL, Geometry

__all__ = [
    "ENTRY",
    "HEADER",
    "Kind",
    "Tag",
    "Value",
    "ifd_positions",
    "level_tags",
    "pack_index",
    "picture_tags",
    "resolution_tags",
]

HEADER = struct.Struct("<2sHHHQ")
"""File header: byte order, 43, size of an offset, 0, offset of the first IFD."""

ENTRY = struct.Struct("<HHQ8s")
"""Entry of an IFD: tag, field type, number of values, and the values themselves or their offset."""


class Kind(IntEnum):
    """TIFF field types that this binding uses."""

    BYTE = 1
    ASCII = 2
    SHORT = 3
    LONG = 4
    RATIONAL = 5
    UNDEFINED = 7
    LONG8 = 16
    IFD8 = 18

    @property
    def size(self) -> int:
        """Number of bytes of one value."""
        return {3: 2, 4: 4, 5: 8, 16: 8, 18: 8}.get(self, 1)


class Tag(IntEnum):
    """Tags that this binding uses; the last five are private (spec section 10.5)."""

    SUBFILE_TYPE = 254
    WIDTH = 256
    LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    DESCRIPTION = 270
    STRIP_OFFSETS = 273
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTES = 279
    X_RESOLUTION = 282
    Y_RESOLUTION = 283
    PLANAR = 284
    PAGE_NAME = 285
    RESOLUTION_UNIT = 296
    SOFTWARE = 305
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILE_OFFSETS = 324
    TILE_BYTES = 325
    SUBSAMPLING = 530
    REFERENCE_BLACK_WHITE = 532
    ICC_PROFILE = 34675
    RRIP_METADATA = 65380
    RRIP_RESIDUALS = 65381
    RRIP_ASSOCIATED = 65382
    RRIP_ICC_CHECKSUM = 65383
    RRIP_LEVELS = 65384


@dataclass(frozen=True, slots=True)
class Value:
    """The values of one tag, as bytes."""

    kind: Kind
    data: bytes

    @classmethod
    def of(cls, kind: Kind, *numbers: int) -> Value:
        """Pack integers."""
        letter = {1: "B", 2: "H", 4: "I", 8: "Q"}[kind.size]
        return cls(kind, struct.pack(f"<{len(numbers)}{letter}", *numbers))

    @classmethod
    def text(cls, text: str) -> Value:
        """Encode text as ASCII, as baseline TIFF requires."""
        return cls(Kind.ASCII, text.encode("ascii", "replace") + b"\0")

    @property
    def count(self) -> int:
        """Number of values."""
        return len(self.data) // self.kind.size


def _rationals(*numbers: float) -> Value:
    """Pack fractions of 32-bit integers, each the nearest with a denominator of at most a million."""
    pairs = []
    for number in numbers:
        most = 10**6 if number < 1 else int((2**32 - 1) // number)
        fraction = Fraction(number).limit_denominator(max(1, min(most, 10**6)))
        pairs += [fraction.numerator, fraction.denominator]
    return Value(Kind.RATIONAL, struct.pack(f"<{len(pairs)}I", *pairs))


def picture_tags(height: int, width: int, samples: int) -> dict[int, Value]:
    """Return the tags of a JPEG picture of 1 (grayscale) or 3 (YCbCr 4:4:4) samples per pixel."""
    tags = {
        Tag.WIDTH: Value.of(Kind.LONG, width),
        Tag.LENGTH: Value.of(Kind.LONG, height),
        Tag.BITS_PER_SAMPLE: Value.of(Kind.SHORT, *[8] * samples),
        Tag.COMPRESSION: Value.of(Kind.SHORT, 7),
        Tag.PHOTOMETRIC: Value.of(Kind.SHORT, 6 if samples == 3 else 1),
        Tag.SAMPLES_PER_PIXEL: Value.of(Kind.SHORT, samples),
        Tag.PLANAR: Value.of(Kind.SHORT, 1),
    }
    if samples == 3:
        tags[Tag.SUBSAMPLING] = Value.of(Kind.SHORT, 1, 1)
        tags[Tag.REFERENCE_BLACK_WHITE] = _rationals(0, 255, 128, 255, 128, 255)
    return {int(tag): value for tag, value in tags.items()}


def level_tags(geometry: Geometry, level: int) -> dict[int, Value]:
    """Return the tags of the IFD of a level but for its tiles; the reader requires these values (spec section 10.3)."""
    side = Value.of(Kind.LONG, geometry.tile_side(level))
    return {
        Tag.SUBFILE_TYPE: Value.of(Kind.LONG, 1 if level > BASE_LEVEL else 0),
        **picture_tags(*geometry.shape(level), 3 if level >= BASE_LEVEL else 1),
        Tag.TILE_WIDTH: side,
        Tag.TILE_LENGTH: side,
    }


def resolution_tags(mpp: tuple[float, float], level: int) -> dict[int, Value]:
    """Return the resolution of `level` in pixels per cm from the size of a level 0 pixel in µm."""
    x, y = (min(max(10_000 / (size * 2**level), 1e-6), 2**32 - 1) for size in mpp)
    return {
        Tag.X_RESOLUTION: _rationals(x),
        Tag.Y_RESOLUTION: _rationals(y),
        Tag.RESOLUTION_UNIT: Value.of(Kind.SHORT, 3),
    }


def ifd_positions(ifds: Sequence[dict[int, Value]], start: int) -> list[int]:
    """Return the offsets of IFDs that follow one another from `start`, and the end of the last."""
    positions = [start]
    for ifd in ifds:
        positions.append(positions[-1] + 16 + ENTRY.size * len(ifd))
    return positions


def pack_index(ifds: Sequence[dict[int, Value]], chained: int, start: int) -> list[bytes]:
    """Pack all IFDs from offset `start` on: directories, then small values, then the tables of tiles.

    Parameters
    ----------
    ifds : sequence of mapping of tag to Value
        The directories.
    chained : int
        Number of these, from the first, that form the main chain.
    start : int
        Offset of the first byte, a multiple of 8.

    Returns
    -------
    list of bytes
        The parts, to be written one after another.
    """
    *positions, at = ifd_positions(ifds, start)
    outside: list[bytes] = []
    offsets: dict[tuple[int, int], int] = {}
    is_table = {Tag.TILE_OFFSETS, Tag.TILE_BYTES}
    for tables in (False, True):  # tables last, so that one read from the first IFD on gets everything else
        for index, ifd in enumerate(ifds):
            for tag, value in ifd.items():
                if len(value.data) > 8 and (tag in is_table) == tables:
                    offsets[index, tag] = at
                    outside.append(value.data + bytes(-len(value.data) % 8))
                    at += len(outside[-1])
    packed = []
    for index, ifd in enumerate(ifds):
        packed.append(len(ifd).to_bytes(8, "little"))
        for tag in sorted(ifd):
            value = ifd[tag]
            offset = offsets.get((index, tag))
            inline = value.data.ljust(8, b"\0") if offset is None else offset.to_bytes(8, "little")
            packed.append(ENTRY.pack(tag, value.kind, value.count, inline))
        following = positions[index + 1] if index + 1 < chained else 0
        packed.append(following.to_bytes(8, "little"))
    return packed + outside
