"""A small strict BigTIFF parser (spec section 10.8).

Every number in a file may be wrong, so each is compared with the size of the file before anything is read or allocated,
and no directory is visited twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import DamagedError, FormatError
from ..spec.tiff_layout import ENTRY, HEADER, Kind, Value
from ..storage.byte_source import ByteSource

__all__ = ["Field", "Ifd", "Index", "read_ifd", "read_start", "walk"]

MAX_FIELDS = 128
"""Most tags that one IFD may have (spec section 12)."""

FIRST_READ_BYTES = 1 << 16
"""Bytes read at the first IFD, which hold all directories and metadata of most files."""

REMOTE_READ_BYTES = 1 << 23
"""A remote file is read from the first IFD to its end up to this size, because the index is usually there."""

WINDOW_BYTES = 1 << 25
"""Tile tables are kept in memory up to this size; larger ones are read entry by entry."""

_SIZES = {int(kind): kind.size for kind in Kind}


@dataclass(frozen=True, slots=True)
class Field:
    """The type, number and position of a tag's values."""

    kind: int
    count: int
    offset: int

    @property
    def size(self) -> int:
        """Size of all values in bytes; 0 for a type that this binding does not use."""
        return self.count * _SIZES.get(self.kind, 0)


@dataclass(frozen=True, slots=True)
class Ifd:
    """One directory: its offset, its fields by tag, and the offset of the next one."""

    offset: int
    fields: dict[int, Field]
    following: int


class Index:
    """The directories and tile tables of the file; small ones are kept in memory, others are read on demand.

    Parameters
    ----------
    source : ByteSource
    start : int
        Offset of the first IFD.
    """

    def __init__(self, source: ByteSource, start: int) -> None:
        self.source = source
        rest = source.size - start
        first = rest if source.is_remote and rest <= REMOTE_READ_BYTES else min(FIRST_READ_BYTES, rest)
        self._windows = [(start, source.read(start, first))]

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes from `offset`."""
        for start, window in self._windows:
            if start <= offset and offset + length <= start + len(window):
                return window[offset - start : offset - start + length]
        return self.source.read(offset, length)

    def keep(self, fields: list[Field]) -> None:
        """Read those `fields` that are not in memory, in one read, unless that would be too large."""
        start, window = self._windows[0]
        missing = [f for f in fields if not (start <= f.offset and f.offset + f.size <= start + len(window))]
        if missing:
            low = min(f.offset for f in missing)
            high = max(f.offset + f.size for f in missing)
            if high - low <= WINDOW_BYTES:
                self._windows.append((low, self.source.read(low, high - low)))

    def numbers(self, field: Field, first: int, count: int) -> list[int]:
        """Read `count` whole numbers of a field, starting with the number at index `first`."""
        size = self._kind(field).size
        data = self.read(field.offset + first * size, count * size)
        return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]

    def value(self, field: Field) -> Value:
        """Read all values of a field."""
        return Value(self._kind(field), self.read(field.offset, field.size))

    def _kind(self, field: Field) -> Kind:
        if field.kind not in Kind.__members__.values():
            raise FormatError(
                f"{self.source.name}: a tag has values of the unexpected type {field.kind}", rule="tiff.tag"
            )
        return Kind(field.kind)


def read_start(source: ByteSource) -> int:
    """Check the header; return the offset of the first IFD."""
    header = source.read(0, min(HEADER.size, source.size)).ljust(HEADER.size, b"\0")
    start: int
    order, version, offset_bytes, zero, start = HEADER.unpack(header)
    if (order, version, offset_bytes, zero) != (b"II", 43, 8, 0):
        raise FormatError(
            f"{source.name}: is not a little-endian BigTIFF, as RRIP files are; use 'rrip convert'",
            rule="tiff.header",
        )
    if start == 0:
        raise FormatError(
            f"{source.name}: its header has no offset of an IFD, because writing was not finished; write it again",
            rule="tiff.header",
        )
    if not HEADER.size <= start <= source.size - 16:
        raise DamagedError(
            f"{source.name}: its first IFD is at byte {start} of {source.size}: it is truncated or its header damaged",
            rule="file.range",
        )
    return start


def read_ifd(index: Index, offset: int) -> Ifd:
    """Read one directory.

    Raises
    ------
    FormatError
        If its tags are not in ascending order, or are more than ``MAX_FIELDS``.
    DamagedError
        If it or one of its values reaches outside the file.
    """
    source = index.source
    count = int.from_bytes(index.read(offset, 8), "little")
    if not 1 <= count <= MAX_FIELDS:
        raise FormatError(
            f"{source.name}: the IFD at byte {offset} has {count} tags, expected 1 … {MAX_FIELDS}", rule="tiff.ifd"
        )
    data = index.read(offset + 8, count * ENTRY.size + 8)
    fields: dict[int, Field] = {}
    last = -1
    for position in range(count):
        tag, kind, values, inline = ENTRY.unpack_from(data, position * ENTRY.size)
        if tag <= last:
            raise FormatError(
                f"{source.name}: tags {last} and {tag} at byte {offset} are not in ascending order", rule="tiff.ifd"
            )
        last = tag
        field = Field(kind, values, 0)
        at = int.from_bytes(inline, "little") if field.size > 8 else offset + 8 + position * ENTRY.size + 12
        if at + field.size > source.size:
            raise DamagedError(
                f"{source.name}: tag {tag} has {values} values at byte {at}, beyond the file's {source.size} bytes",
                rule="file.range",
            )
        fields[tag] = Field(kind, values, at)
    return Ifd(offset, fields, int.from_bytes(data[-8:], "little"))


def walk(index: Index, start: int, expected: int, visited: set[int]) -> Iterator[Ifd]:
    """Yield the `expected` IFDs of the main chain.

    Raises
    ------
    FormatError
        If the chain is shorter or longer, or has a loop.
    """
    at = start
    for position in range(expected):
        if at in visited:
            raise FormatError(
                f"{index.source.name}: two offsets point to the IFD at byte {at}, expected one", rule="tiff.loop"
            )
        if at == 0:
            raise FormatError(
                f"{index.source.name}: there are {position} IFDs, the metadata promise {expected}", rule="tiff.chain"
            )
        visited.add(at)
        ifd = read_ifd(index, at)
        yield ifd
        at = ifd.following
    if at:
        raise FormatError(
            f"{index.source.name}: another IFD at byte {at} follows the {expected} of the metadata", rule="tiff.chain"
        )
