"""Section 9: a Zarr hierarchy in a folder or a zip archive, read without a Zarr library."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from plain.canonical import MOST_BYTES, parse_json
from plain.errors import DamagedError, FormatError, LimitError, RripError
from plain.metadata import read_metadata
from plain.tile import largest

MOST_ATTACHMENT = 256 << 20


class Store(Protocol):
    """Interface of key-value stores."""

    kind: str

    def get(self, key: str, most: int, too_large: RripError) -> bytes | None:
        """Return the value of a key, None if there is none; raise an error if it has more than ``most`` bytes."""


class FolderStore:
    """A folder."""

    kind = "folder"

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str, most: int, too_large: RripError) -> bytes | None:
        """Return the content of the file of that name, None if there is none."""
        file = self.path / key
        if not file.is_file():
            return None
        if file.stat().st_size > most:
            raise too_large
        return file.read_bytes()


class ZipStore:
    """A zip archive.

    The directory is read with :mod:`zipfile`, the members here: the archive's own CRC-32 is not looked at, because
    whatever counts has a checksum of this format, by which damage is reported.
    """

    kind = "zip"

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self.members = {member.filename: member for member in archive.infolist()}
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise FormatError("zip.structure", f"no directory of a zip archive: {error}") from error

    def _read(self, at: int, length: int) -> bytes:
        size = self.path.stat().st_size
        if at < 0 or at + length > size:
            raise DamagedError("file.range", f"bytes {at} … {at + length} of an archive of {size}")
        with self.path.open("rb") as file:
            file.seek(at)
            return file.read(length)

    def get(self, key: str, most: int, too_large: RripError) -> bytes | None:
        """Return the content of the member of that name, None if there is none."""
        member = self.members.get(key)
        if member is None:
            return None
        if max(member.file_size, member.compress_size) > most:
            raise too_large
        local = self._read(member.header_offset, 30)
        if local[:4] != b"PK\x03\x04":
            raise DamagedError("zip.member", f"the member {key} is not where the directory says")
        behind = 30 + sum(struct.unpack("<HH", local[26:]))  # its name and its extra field
        data = self._read(member.header_offset + behind, member.compress_size)
        if member.compress_type == zipfile.ZIP_STORED:
            return data
        if member.compress_type != zipfile.ZIP_DEFLATED:
            raise FormatError("zip.method", f"the member {key} is compressed by method {member.compress_type}")
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most + 1)
        except zlib.error as error:
            raise DamagedError("zip.member", f"the member {key} does not inflate: {error}") from error


class ZarrContainer:
    """A container in a Zarr hierarchy (section 9.2)."""

    def __init__(self, store: Store) -> None:
        self.kind = store.kind
        self.store = store
        root = store.get("zarr.json", MOST_BYTES, LimitError("limit.metadata", "the root's zarr.json is too large"))
        if root is None:
            raise FormatError("metadata.absent", "no zarr.json: no container, or an incomplete one")
        document = parse_json(root)
        attributes = document.get("attributes") if isinstance(document, dict) else None
        self.metadata = read_metadata(attributes.get("rrip") if isinstance(attributes, dict) else None)

    def tile(self, level: int, row: int, col: int) -> bytes | None:
        """Return the chunk of a residual level, or of an array under ``base``."""
        array = f"{level}" if level < 2 else f"base/{level - 2}"
        most = largest(self.metadata.coding.side(level))
        return self.store.get(f"{array}/c/0/{row}/{col}", most, DamagedError("tile.size", f"more than {most} bytes"))

    def attachment(self, name: str) -> bytes | None:
        """Return the only chunk of an array of section 9.7."""
        key = "icc_profile/c/0" if name == "icc_profile" else f"associated/{name}/c/0/0/0"
        too_large = LimitError("limit.attachment", f"{name} has more than {MOST_ATTACHMENT} bytes")
        return self.store.get(key, MOST_ATTACHMENT + 4, too_large)
