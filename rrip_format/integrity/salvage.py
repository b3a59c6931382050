"""Open containers that readers refuse, for a repair: without the root's metadata, or without a zip directory.

Every array has a sealed copy of the coding, and every member of an archive has a header, so pixels survive the loss of
either. What only the root's metadata contain is lost: pixel size, properties and the list of attachments.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..containers.base import Container, load_json
from ..containers.opening import open_container
from ..containers.zarr_reader import ZarrContainer
from ..containers.zip_reader import Archive, ZipContainer
from ..errors import DamagedError, FormatError, NewerFormatError, RripError
from ..spec.attachments import ASSOCIATED_NAMES, ICC_NAME, attachment_checksum
from ..spec.limits import check_limit, limit
from ..spec.metadata import Coding, Metadata, SlideMetadata, parse_coding
from ..storage.access import Access, is_url
from ..storage.byte_source import ByteSource, open_bytes
from ..storage.objects import Folder

__all__ = ["open_damaged", "scan_members"]

Json = Any

_LOCAL_HEADER_BYTES = 30
_ENTRY_BYTES = 46
"""Smallest size of an entry in the directory of an archive."""

_WINDOW_BYTES = 1 << 20


def open_damaged(path: str | os.PathLike[str]) -> tuple[Container, bool]:
    """Open a container as far as possible; return it and whether its root metadata are lost.

    Raises
    ------
    FormatError, DamagedError
        If there is no undamaged coding, or the container is a TIFF file, which has only one, or a URL.
    """
    name = os.fsdecode(path)
    try:
        return open_container(name, Access().without_cache()), False
    except NewerFormatError:
        raise
    except (FormatError, DamagedError) as error:  # the latter of a member of an archive
        if is_url(name) or str(error.rule).partition(".")[0] not in {"metadata", "zip"}:
            raise
        failure = error
    if os.path.isdir(name):  # noqa: PTH112
        folder = Folder(name)

        def read(key: str) -> bytes | None:
            return folder.read([key], [limit("metadata_bytes")], "limit.metadata")[0]

        return _with_attachments(ZarrContainer(folder, name, _metadata_without_root(read, failure))), True
    source = open_bytes(name)
    try:
        if source.read(0, min(2, source.size)) != b"PK":
            raise failure
        return _scanned(source)
    except BaseException:
        source.close()
        raise


def _scanned(source: ByteSource) -> tuple[Container, bool]:
    """Open an archive by the headers of its members; return it and whether its root metadata are lost."""
    archive = Archive(source, list(scan_members(source)))
    try:
        return ZipContainer(archive), False
    except NewerFormatError:
        raise
    except (FormatError, DamagedError) as error:
        metadata = _metadata_without_root(archive.document, error)
        return _with_attachments(ZipContainer(archive, metadata)), True


def _metadata_without_root(read: Callable[[str], bytes | None], failure: RripError) -> Metadata:
    """Return metadata with the first undamaged coding among a container's documents."""
    for key in ("zarr.json", *(f"{level}/zarr.json" for level in range(3))):
        try:
            data = read(key)
            coding = None if data is None else _coding_in(load_json(data, key))
        except NewerFormatError:
            raise
        except RripError:
            continue
        if coding is not None:
            return Metadata(coding, SlideMetadata(source_name="unknown"), {})
    raise failure


def _coding_in(document: Json) -> Coding | None:
    """Return the coding in a document of a root or an array, None if there is none."""
    parts = [("attributes", "rrip", "coding"), ("codecs", 0, "configuration", "coding")]
    for path in parts:
        value = document
        for step in path:
            fits = isinstance(value, list) and value if step == 0 else isinstance(value, dict) and step in value
            value = value[step] if fits else None
        if value is not None:
            return parse_coding(value)
    return None


def _with_attachments(container: ZarrContainer | ZipContainer) -> Container:
    """List in the metadata the attachments that are present and match their own checksum."""
    found = {}
    for name in (ICC_NAME, *ASSOCIATED_NAMES):
        try:
            data = container.attachment(name)
        except DamagedError:
            continue
        if data is not None:
            found[name] = attachment_checksum(data)
    container.metadata = replace(container.metadata, attachments=found)
    return container


def scan_members(source: ByteSource) -> Iterator[zipfile.ZipInfo]:
    """Find the members of an archive by their own headers, and skip anything between them."""
    at = found = 0
    window = _Window(source)
    while at + _LOCAL_HEADER_BYTES <= source.size:
        header = window.read(at, _LOCAL_HEADER_BYTES)
        if header[:4] != b"PK\3\4":
            following = window.next_header(at + 1)
            if following is None:
                return
            at = following
            continue
        flags, method = int.from_bytes(header[6:8], "little"), int.from_bytes(header[8:10], "little")
        packed, size = int.from_bytes(header[18:22], "little"), int.from_bytes(header[22:26], "little")
        name_bytes, extra_bytes = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
        end = at + _LOCAL_HEADER_BYTES + name_bytes + extra_bytes + packed
        if flags & 8 or end > source.size:  # the size follows the data, or the member is truncated
            at += 4
            continue
        name = window.read(at + _LOCAL_HEADER_BYTES, name_bytes).decode("utf-8", "replace")
        found += 1
        check_limit("directory_bytes", found * _ENTRY_BYTES, f"{source.name}: its directory", rule="limit.directory")
        member = zipfile.ZipInfo(name or "?")
        member.compress_type, member.compress_size, member.file_size = method, packed, size
        member.header_offset = at
        yield member
        at = end


class _Window:
    """The part of an archive that a scan has read last; it moves forwards, so that every byte is read once."""

    def __init__(self, source: ByteSource) -> None:
        self._source, self._start, self._data = source, 0, b""

    def read(self, at: int, length: int) -> bytes:
        """Read bytes of the archive, from the window if they are in it."""
        begin = at - self._start
        inside = 0 <= begin <= len(self._data) - length
        return self._data[begin : begin + length] if inside else self._source.read(at, length)

    def next_header(self, at: int) -> int | None:
        """Return the offset of the next possible header of a member from `at` on, None at the end."""
        while True:
            found = self._data.find(b"PK\3\4", max(0, at - self._start))
            if found >= 0:
                return self._start + found
            at = max(at, self._start + len(self._data) - 3)
            if at + _LOCAL_HEADER_BYTES > self._source.size:
                return None
            self._start, self._data = at, self._source.read(at, min(_WINDOW_BYTES, self._source.size - at))
