"""The bytes of a container as browsers ask for them: ranges of a file, or keys of a Zarr hierarchy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..containers.opening import open_container
from ..containers.zarr_reader import ZarrContainer
from ..spec.attachments import ASSOCIATED_NAMES, ICC_NAME
from ..spec.zarr_layout import attachment_key, parse_tile_key
from ..storage.byte_source import ByteSource, open_bytes

__all__ = ["FileParts", "FolderParts", "Parts", "open_parts", "parse_range"]

_PIECE_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(?:(\d{1,19})-(\d{1,19})?|-(\d{1,19}))")
_KEYS = {"zarr.json", *(attachment_key(name) for name in (ICC_NAME, *ASSOCIATED_NAMES))}


@dataclass(frozen=True)
class FileParts:
    """A container in one file."""

    source: ByteSource

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.source.size

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Read bytes `start` to `end`, the latter not included, a MiB at a time."""
        for at in range(start, end, _PIECE_BYTES):
            yield self.source.read(at, min(_PIECE_BYTES, end - at))


@dataclass(frozen=True)
class FolderParts:
    """A container in a folder, or in any other store of Zarr keys."""

    container: ZarrContainer

    def value(self, key: str) -> bytes | None:
        """Read the value of a key of the format; None for another key, and where there is none."""
        if key not in _KEYS and parse_tile_key(key) is None:
            return None
        return self.container.document(key)


Parts = FileParts | FolderParts


def open_parts(path: str) -> Parts:
    """Open a container of any kind, local or remote.

    Raises
    ------
    RripError
        If no RRIP container is there.
    """
    container = open_container(path)
    if isinstance(container, ZarrContainer):
        return FolderParts(container)
    container.close()
    return FileParts(open_bytes(path))


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last of a ``Range``, None where all is wanted.

    Raises
    ------
    ValueError
        If the file has no such bytes.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None:
        return None  # several ranges too: a server may send the whole file instead
    first, last, tail = match.groups()
    start, end = (int(first), int(last) + 1 if last else size) if first else (size - int(tail), size)
    start, end = max(start, 0), min(end, size)
    if start >= end:
        raise ValueError(f"there are no bytes {header} of {size}")
    return start, end
