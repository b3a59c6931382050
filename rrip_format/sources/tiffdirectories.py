"""Walk the directories of a TIFF before a library loads them.

The chain has to be whole: tifffile follows a broken one as far as it goes, and would take a coarser level for the
slide. It also has to be of a size that slides have, because libraries load all tags of all directories, and a few bytes
can state a directory whose tags are those of another.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from rrip_format.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MOST_DEPTH", "MOST_DIRECTORIES", "check_directories"]

MOST_DIRECTORIES = 10_000
"""Pages and sub-pages that are looked at; a slide has some ten for each focal plane."""

MOST_TAGS = 4096
"""Tags of one directory."""

MOST_SHARED_BYTES, MOST_TAG_BYTES = 16 << 20, 256 << 20
"""Bytes of all tags together: at most so many more than the file has, and so many at all (20 million tiles)."""

MOST_DEPTH = 2
"""Sub-pages of sub-pages are looked at, theirs are not."""

SUB_IFDS = 330
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type."""
OFFSETS = {4: "I", 13: "I", 16: "Q", 18: "Q"}


class _Form(NamedTuple):
    """Formats of the first offset and of each next one, of the number of tags, and of a tag."""

    first_at: int
    offset: str
    number: str
    entry: str


def _form(head: bytes, *, is_ndpi: bool) -> _Form:
    order = "<" if head[:2] == b"II" else ">"
    if struct.unpack(f"{order}H", head[2:4])[0] == 43:
        return _Form(8, f"{order}Q", f"{order}Q", f"{order}HHQ8s")
    return _Form(4, f"{order}{'Q' if is_ndpi and order == '<' else 'I'}", f"{order}H", f"{order}HHI4s")


def check_directories(path: Path) -> None:
    """Raise `SourceError` for directories that form a loop, lie outside the file, or are too many or too large."""
    with path.open("rb") as file:
        form = _form(file.read(4), is_ndpi=path.suffix.lower() == ".ndpi")  # which has offsets of its own, of 8 bytes
        _Walk(path, file, form).follow()


class _Walk:
    """The directories of one file, counted."""

    def __init__(self, path: Path, file: BinaryIO, form: _Form) -> None:
        self._path, self._file, self._form = path, file, form
        self._size = path.stat().st_size
        self._directories = self._bytes = 0

    def follow(self) -> None:
        """Follow the chain from first to last, and the sub-pages of each."""
        seen: set[int] = set()
        at = self._form.first_at
        while True:
            data = self._read(at, struct.calcsize(self._form.offset))
            if not data:
                msg = (
                    f"{self._path}: its TIFF directories cannot be read: the file ends after {self._size} bytes; get a "
                    "complete copy"
                )
                raise SourceError(msg)
            (offset,) = struct.unpack(self._form.offset, data)
            if offset == 0 and seen:
                return
            if offset in seen:
                msg = f"{self._path}: its TIFF directories form a loop at offset {offset}; get an undamaged copy"
                raise SourceError(msg)
            seen.add(offset)
            at = self._directory(offset, 0)

    def _read(self, at: int, count: int) -> bytes:
        """Return so many bytes, nothing where the file has fewer."""
        self._file.seek(at)
        data = self._file.read(count)
        return data if len(data) == count else b""

    def _directory(self, offset: int, depth: int) -> int:
        """Look at one directory and its sub-pages; return where the offset of the next one is."""
        self._directories += 1
        if self._directories > MOST_DIRECTORIES:
            msg = (
                f"{self._path}: found more than {MOST_DIRECTORIES} TIFF directories, the limit; write the slide to a "
                "file of its own"
            )
            raise SourceError(msg)
        number = struct.calcsize(self._form.number)
        data = self._read(offset, number) if 8 <= offset < self._size else b""
        where = f"{self._path}: TIFF directory {self._directories - 1} at offset {offset}"
        if not data:
            msg = f"{where} is outside the file of {self._size} bytes; get a complete copy"
            raise SourceError(msg)
        tags: int = struct.unpack(self._form.number, data)[0]
        if not 0 < tags <= MOST_TAGS:
            found = f"{tags} tags, limit {MOST_TAGS}" if tags else "no tags"
            msg = f"{where} has {found}; get a complete copy"
            raise SourceError(msg)
        length = tags * struct.calcsize(self._form.entry)
        entries = self._read(offset + number, length)
        inner: list[int] = []
        for code, kind, count, value in struct.iter_unpack(self._form.entry, entries):
            self._add(count * SIZES.get(kind, 0))
            if code == SUB_IFDS and kind in OFFSETS and depth < MOST_DEPTH:
                inner += self._offsets(kind, count, value)
        for place in inner:
            if self._holds_tags(place):  # tifffile leaves out others
                self._directory(place, depth + 1)
        return offset + number + length

    def _holds_tags(self, offset: int) -> bool:
        """Return whether a directory seems to be there."""
        data = self._read(offset, struct.calcsize(self._form.number)) if 8 <= offset < self._size else b""
        return bool(data) and 0 < struct.unpack(self._form.number, data)[0] <= MOST_TAGS

    def _add(self, count: int) -> None:
        self._bytes += count
        most = min(self._size + MOST_SHARED_BYTES, MOST_TAG_BYTES)
        if self._bytes > most:
            msg = (
                f"{self._path}: found more than {most} bytes in the tags of its TIFF directories, the limit for a file "
                f"of {self._size} bytes; write the file again"
            )
            raise SourceError(msg)

    def _offsets(self, kind: int, count: int, value: bytes) -> list[int]:
        """Return the places of the sub-pages of a directory; none where they cannot be read, as libraries do."""
        form = f"{self._form.offset[0]}{min(count, MOST_DIRECTORIES + 1)}{OFFSETS[kind]}"
        length = struct.calcsize(form)
        if length > len(value):
            (at,) = struct.unpack(f"{self._form.offset[0]}{'I' if len(value) == 4 else 'Q'}", value)
            value = self._read(at, length)
        return list(struct.unpack(form, value[:length])) if len(value) >= length else []
