"""Read containers from zip archives by byte ranges (spec section 9.1).

Zarr's own zip store reads through one file handle with a lock, and remote archives through a cache of large blocks.
Here each tile is one range read, local or remote.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import RULES, DamagedError, FormatError, LimitError
from ..spec.attachments import attachment_title, check_attachment
from ..spec.limits import limit
from ..spec.metadata import Metadata
from ..spec.zarr_layout import attachment_key, parse_tile_key, tile_key
from ..storage.byte_source import ByteSource, LocalBytes
from ..storage.ranges import Range
from .base import Place, parse_root, reopen, restore
from .file_reader import FileContainer

__all__ = ["Archive", "ZipContainer"]

_LOCAL_HEADER_BYTES, _END_BYTES = 30, 22
_SLACK_BYTES = 64
"""Bytes read beyond a member, for local headers with more extra fields than the directory states."""

_LONGEST_SLACK_BYTES = 1 << 16

_TAIL_BYTES = 1 << 16

_ROOT_BYTES = 1 << 16
"""Bytes read before the directory of a remote archive: the members written last, including the root's metadata."""

_SEARCH_BYTES = 1 << 22
"""Most bytes that zipfile reads besides the directory, to find it and ahead of it."""


class Archive:
    """The members of a zip archive by name.

    Parameters
    ----------
    source : ByteSource
    members : sequence of ZipInfo, optional
        By default those of its directory.

    Raises
    ------
    FormatError
        If it has no directory.
    LimitError
        If the directory is larger than this reader accepts.
    """

    def __init__(self, source: ByteSource, members: Sequence[zipfile.ZipInfo] | None = None) -> None:
        self.source = source
        members = _directory(source) if members is None else members
        self._offsets = sorted(member.header_offset for member in members) if source.is_remote else None
        self.members = {member.filename: member for member in members}
        self.duplicates = [member.filename for member in members if self.members[member.filename] is not member]

    def member(self, key: str, most: int, too_large: str = "tile.size") -> zipfile.ZipInfo | None:
        """Return the member with a name; None if it does not exist. It may have at most `most` bytes."""
        member = self.members.get(key)
        if member is not None and max(member.compress_size, member.file_size) > most:
            size = max(member.compress_size, member.file_size)
            what = f"{self.source.name}: {member.filename}"
            raise RULES[too_large](f"{what} has {size} bytes, this reader accepts {most}", rule=too_large)
        return member

    def read(self, key: str, most: int, too_large: str) -> bytes | None:
        """Read the member with a name; None if it does not exist. Parameters as for :meth:`member`."""
        member = self.member(key, most, too_large)
        return None if member is None else self.data_in(member, self.source.read(*self.range_of(member)))

    def range_of(self, member: zipfile.ZipInfo) -> Range:
        """Return the byte range of a member with its local header; it exceeds a truncated file.

        The length of the header is known only after reading it. So the range in a local file may be too short, and
        :meth:`data_in` reads again; the range in a remote file extends to the next member.
        """
        header = _LOCAL_HEADER_BYTES + len(member.filename.encode()) + len(member.extra)
        slack, end = _SLACK_BYTES, self.source.size
        if self._offsets is not None:
            following = bisect_right(self._offsets, member.header_offset)
            end = self._offsets[following] if following < len(self._offsets) else end
            slack = _LONGEST_SLACK_BYTES
        most = min(header + slack + member.compress_size, end - member.header_offset)
        return member.header_offset, max(_LOCAL_HEADER_BYTES, most)

    def data_in(self, member: zipfile.ZipInfo, data: bytes) -> bytes:
        """Extract the content of a member from the bytes of :meth:`range_of`."""
        start = _data_start(data)
        size = member.compress_size
        if start is None:
            raise DamagedError(
                f"{self.source.name}: there is no member of the archive at byte {member.header_offset}",
                rule="zip.member",
            )
        if start + size > len(data):
            if self.source.is_remote:
                raise DamagedError(
                    f"{self.source.name}: {member.filename} reaches into the next member of the archive",
                    rule="zip.member",
                )
            data, start = self.source.read(member.header_offset + start, size), 0
        stored = data[start : start + size]
        if member.compress_type == zipfile.ZIP_STORED:
            return stored
        if member.compress_type != zipfile.ZIP_DEFLATED:
            raise FormatError(
                f"{self.source.name}: {member.filename} has compression method {member.compress_type}, expected 0 or 8",
                rule="zip.method",
            )
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, max(1, member.file_size))
        except zlib.error as error:
            raise DamagedError(f"{self.source.name}: {member.filename}: {error}", rule="zip.member") from error

    def document(self, key: str) -> bytes | None:
        """Read a stored ``zarr.json``; None if it does not exist."""
        return self.read(key, limit("metadata_bytes"), "limit.metadata")


class ZipContainer(FileContainer):
    """A container in a zip archive.

    Parameters
    ----------
    archive : Archive
    metadata : Metadata, optional
        By default those of its root.

    Raises
    ------
    FormatError
        If there is no container at its root.
    """

    has_documents = True

    def __init__(self, archive: Archive, metadata: Metadata | None = None) -> None:
        super().__init__(archive.source)
        self._archive = archive
        self.metadata = metadata or parse_root(archive.document("zarr.json"), self.name)

    def locate(self, level: int, row: int, col: int) -> tuple[int, int] | None:
        """Return (offset, length) of a stored tile in the file, read from its local header; None if absent."""
        member = self._archive.members.get(tile_key(level, row, col))
        if member is None:
            return None
        if member.compress_type != zipfile.ZIP_STORED:
            raise FormatError(
                f"{self.name}: {member.filename} is compressed, so it is not a byte range of the archive",
                rule="zip.method",
            )
        start = _data_start(self._archive.source.read(member.header_offset, _LOCAL_HEADER_BYTES))
        if start is None:
            raise DamagedError(
                f"{self.name}: there is no member of the archive at byte {member.header_offset}", rule="zip.member"
            )
        return member.header_offset + start, member.compress_size

    def range_of(self, place: Place) -> Range | None:
        """Return the byte range of a tile's member and header; None if it does not exist."""
        member = self._archive.member(tile_key(*place), self.metadata.coding.tile_limit(place[0]))
        return None if member is None else self._archive.range_of(member)

    def tile_in(self, place: Place, data: bytes) -> bytes:
        """Extract the stored tile from the bytes of its member and header."""
        return self._archive.data_in(self._archive.members[tile_key(*place)], data)

    def document(self, key: str) -> bytes | None:
        """Read a stored ``zarr.json``; None if it does not exist."""
        return self._archive.document(key)

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Yield (rule, key, what was found) of faults that readers ignore but a validator reports."""
        if not _ends_with_its_record(self._archive.source):
            yield (
                "zip.structure",
                "",
                "does not end with the end record of the archive: it was cut, or bytes were added",
            )
        for key in self._archive.duplicates:
            yield "zip.duplicate", key, "is there more than once, and the last one is read"
        for key, member in self._archive.members.items():
            if member.compress_type != zipfile.ZIP_STORED and parse_tile_key(key) is not None:
                yield "zip.method", key, f"is compressed by method {member.compress_type}"

    def attachment(self, name: str) -> bytes | None:
        """Read the ICC profile or the JPEG file of an associated image."""
        stored = self._archive.read(attachment_key(name), limit("attachment_bytes"), "limit.attachment")
        return None if stored is None else check_attachment(stored, f"{self.name}: {attachment_title(name)}")

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Return (key, bytes) of every member."""
        return ((key, member.file_size) for key, member in self._archive.members.items())

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_remote:  # the directory travels, so that opening it elsewhere takes no request
            return restore, (ZipContainer, self._state())
        return reopen, (_open_again, self.name, self.metadata.coding.uuid)


def _open_again(path: str) -> ZipContainer:
    return ZipContainer(Archive(LocalBytes(path)))


def _directory(source: ByteSource) -> list[zipfile.ZipInfo]:
    """Read the members that the directory of an archive lists."""
    try:
        with zipfile.ZipFile(io.BufferedReader(_Tail(source), 1 << 20)) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, EOFError, MemoryError) as error:
        raise FormatError(f"{source.name}: is not a whole zip archive: {error}", rule="zip.structure") from error


def _ends_with_its_record(source: ByteSource) -> bool:
    """Return whether an archive ends with its end record and comment; :mod:`zipfile` ignores that."""
    tail = source.read(max(0, source.size - _TAIL_BYTES), min(source.size, _TAIL_BYTES))
    at = tail.rfind(b"PK\5\6")
    return at >= 0 and at + _END_BYTES + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)


def _data_start(header: bytes) -> int | None:
    """Return the length of a local header with name and extra field; None if it is not one."""
    if header[:4] != b"PK\3\4":
        return None
    return _LOCAL_HEADER_BYTES + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")


def _directory_start(tail: bytes) -> int | None:
    """Return the offset of the directory, according to the end of the archive; None if invalid."""
    at = tail.rfind(b"PK\6\6")  # large archives have a Zip64 record, which takes precedence
    if at >= 0 and at + 56 <= len(tail):
        return int.from_bytes(tail[at + 48 : at + 56], "little")
    at = tail.rfind(b"PK\5\6")
    return int.from_bytes(tail[at + 16 : at + 20], "little") if 0 <= at <= len(tail) - 22 else None


class _Tail(io.RawIOBase):
    """A byte source as a file for :mod:`zipfile`; its end, which holds the directory, is read once."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source = source
        self._at = self._served = 0
        self._start = max(0, source.size - _TAIL_BYTES)
        self._tail = source.read(self._start, source.size - self._start)
        begin = _directory_start(self._tail) if source.is_remote else None
        if begin is not None and begin < self._start and source.size - begin <= limit("directory_bytes"):
            begin = max(0, begin - _ROOT_BYTES)
            self._tail = source.read(begin, self._start - begin) + self._tail  # in one request
            self._start = begin

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        at = offset + (0, self._at, self._source.size)[whence]
        if at < 0:
            raise ValueError("an offset in the archive is negative")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        length = max(0, min(len(buffer), self._source.size - self._at))
        self._served += length
        most = limit("directory_bytes")
        if self._served > most + _SEARCH_BYTES:  # before zipfile makes an object of each member
            what = f"{self._source.name}: its directory"
            raise LimitError(
                f"{what} has more than {most} bytes, which RRIP_MAX_DIRECTORY_BYTES changes", rule="limit.directory"
            )
        if self._at < self._start:
            length = min(length, self._start - self._at)
            data = self._source.read(self._at, length)
        else:
            data = self._tail[self._at - self._start : self._at - self._start + length]
        buffer[:length] = data
        self._at += length
        return length
