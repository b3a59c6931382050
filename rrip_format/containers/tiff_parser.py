"""A small strict BigTIFF parser (spec section 10.8).

Every number in a file may be a lie, so each is held against the size of the file before anything is read or
allocated, and no directory is visited twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import DamagedError, FormatError
from ..spec.tiff_layout import ENTRY, HEADER, Kind, Value
from ..storage.byte_source import ByteSource

__all__ = ["Field", "Ifd", "Index", "read_ifd", "read_start", "walk"]

MAX_FIELDS = 128
"""Most tags of one IFD that are accepted (spec section 12)."""

FIRST_READ_BYTES = 1 << 16
"""What is read at the first IFD at once: all directories and metadata of most files."""

REMOTE_READ_BYTES = 1 << 23
"""From a server everything behind the first IFD is read at once up to this size: the index is mostly the file's end."""

WINDOW_BYTES = 1 << 25
"""Tables of tiles are kept in memory up to this size; larger ones are read entry by entry."""

_SIZES = {int(kind): kind.size for kind in Kind}


@dataclass(frozen=True, slots=True)
class Field:
    """Where the values of one tag are."""

    kind: int
    count: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes of all values; zero for a kind that this binding does not use."""
        return self.count * _SIZES.get(self.kind, 0)


@dataclass(frozen=True, slots=True)
class Ifd:
    """One directory: where it is, its fields by tag, the offset of the next."""

    offset: int
    fields: dict[int, Field]
    following: int


class Index:
    """The part of the file that says where everything is, as far as it is in memory; the rest is read on demand.

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
        """Exactly `length` bytes from `offset`."""
        for start, window in self._windows:
            if start <= offset and offset + length <= start + len(window):
                return window[offset - start : offset - start + length]
        return self.source.read(offset, length)

    def keep(self, fields: list[Field]) -> None:
        """Read what is not yet there of `fields`, in one read, if that is a reasonable size."""
        start, window = self._windows[0]
        missing = [f for f in fields if not (start <= f.offset and f.offset + f.size <= start + len(window))]
        if missing:
            low = min(f.offset for f in missing)
            high = max(f.offset + f.size for f in missing)
            if high - low <= WINDOW_BYTES:
                self._windows.append((low, self.source.read(low, high - low)))

    def numbers(self, field: Field, first: int, count: int) -> list[int]:
        """`count` of the whole numbers of a field, from number `first` on."""
        size = self._kind(field).size
        data = self.read(field.offset + first * size, count * size)
        return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]

    def value(self, field: Field) -> Value:
        """All values of a field."""
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
            f"{source.name}: is not a little-endian BigTIFF, which RRIP files are; 'rrip convert' makes one of it",
            rule="tiff.header",
        )
    if start == 0:
        raise FormatError(
            f"{source.name}: its header points nowhere: it was not written to the end; write it again",
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
    """The `expected` IFDs of the main chain.

    Raises
    ------
    FormatError
        If the chain is shorter or longer, or comes back to an IFD that it has been at.
    """
    at = start
    for position in range(expected):
        if at in visited:
            raise FormatError(f"{index.source.name}: the IFD at byte {at} is met twice", rule="tiff.loop")
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
