"""What holds a slide: one small protocol, and the ways to open one (spec sections 9 and 10).

Nothing above this module knows whether tiles come from a folder, a zip archive, a TIFF file or a server.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from ..errors import ChecksumError, FormatError, LimitError, NewerFormatError, NotFoundError, StorageError
from ..spec.attachments import ICC_NAME, attachment_checksum, attachment_title, check_attachment, known_attachments
from ..spec.limits import check_limit, limit
from ..spec.metadata import Metadata, parse_metadata
from ..spec.zarr_layout import attachment_key, tile_key
from ..storage.byte_source import is_url, open_bytes
from ..storage.zarr_stores import Folder, get_sync, is_synchronous, list_sizes, open_store

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = [
    "Container",
    "Place",
    "ZarrContainer",
    "load_json",
    "open_container",
    "parse_root",
    "read_associated",
    "read_attachment",
    "read_icc_profile",
    "reopen",
    "total_bytes",
]

_MAX_DIGITS = 400
"""Of a whole number in JSON; those of the metadata have 16 (spec section 8.1)."""

Place = tuple[int, int, int]
"""Level, row and column of a tile."""


class Container(Protocol):
    """A slide's stored tiles and what belongs to them; thread-safe, picklable, safe to use after a fork.

    Attributes
    ----------
    name : str
        Path or URL.
    metadata : Metadata
    is_local : bool
        Whether bytes come without an event loop and without waiting for a network.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def metadata(self) -> Metadata: ...  # noqa: D102
    @property
    def is_local(self) -> bool: ...  # noqa: D102

    def read_tile(self, level: int, row: int, col: int) -> bytes | None:
        """A stored tile, unchecked, None where there is none.

        Raises
        ------
        StorageError, DamagedError
            If its bytes cannot be had.
        """

    def read_tiles(self, places: Sequence[Place]) -> list[bytes | None]:
        """Several tiles, at the same time where that is faster."""

    def attachment(self, name: str) -> bytes | None:
        """The ICC profile or the JPEG file of an associated image; None if there is none.

        Raises
        ------
        ChecksumError
            If it is damaged.
        """

    def sizes(self) -> Iterator[tuple[str, int]]:
        """(key, bytes) of everything that is stored; tiles have their Zarr keys, whatever the container."""

    def close(self) -> None:
        """Release files and connections."""


class ZarrContainer:
    """A container in the Zarr binding, over any Zarr store.

    Parameters
    ----------
    store : zarr.abc.store.Store or Folder
    name : str
        What to call it in errors.
    metadata : Metadata, optional
        Instead of those of its root.

    Raises
    ------
    FormatError
        If there is no RRIP container, or its metadata break a rule of the spec.
    """

    def __init__(self, store: Store | Folder, name: str, metadata: Metadata | None = None) -> None:
        self._store = store
        self.name = name
        self.metadata = metadata or parse_root(self.document("zarr.json"), name)

    @property
    def store(self) -> Store:
        """The Zarr store."""
        return open_store(self._store.root) if isinstance(self._store, Folder) else self._store

    @property
    def is_local(self) -> bool:
        """Whether the store answers without an event loop."""
        return is_synchronous(self._store)

    def read_tile(self, level: int, row: int, col: int) -> bytes | None:
        """A stored tile, unchecked, None where there is none."""
        return self.read_tiles([(level, row, col)])[0]

    def read_tiles(self, places: Sequence[Place]) -> list[bytes | None]:
        """Several tiles, at the same time where the store can."""
        limits = [self.metadata.coding.tile_limit(level) for level, _, _ in places]
        return get_sync(self._store, [tile_key(*place) for place in places], limits)

    def document(self, key: str) -> bytes | None:
        """A ``zarr.json`` as it is stored, None where there is none."""
        return get_sync(self._store, [key], [limit("metadata_bytes")], "limit.metadata")[0]

    def attachment(self, name: str) -> bytes | None:
        """The ICC profile or the JPEG file of an associated image."""
        (stored,) = get_sync(self._store, [attachment_key(name)], [limit("attachment_bytes")], "limit.attachment")
        return None if stored is None else check_attachment(stored, f"{self.name}: {attachment_title(name)}")

    def sizes(self) -> Iterator[tuple[str, int]]:
        """(key, bytes) of everything in the store."""
        return list_sizes(self._store)

    def close(self) -> None:
        """Release the store."""
        self._store.close()


def read_attachment(container: Container, name: str) -> bytes:
    """An attachment that the metadata list (spec section 8.7).

    Raises
    ------
    ChecksumError
        If it is not there or not the listed one.
    """
    what, data = f"{container.name}: {attachment_title(name)}", container.attachment(name)
    if data is None:
        raise ChecksumError(
            f"{what} is listed in the metadata but missing; restore it from a copy", rule="attachment.missing"
        )
    if attachment_checksum(data) != container.metadata.attachments[name]:
        raise ChecksumError(
            f"{what} is not the one that the metadata list; restore it from a copy", rule="attachment.checksum"
        )
    return data


def read_icc_profile(container: Container) -> bytes | None:
    """The ICC profile that the metadata list, None if they list none; errors as in :func:`read_attachment`."""
    return read_attachment(container, ICC_NAME) if ICC_NAME in container.metadata.attachments else None


def read_associated(container: Container) -> dict[str, bytes]:
    """JPEG files of the associated images that the metadata list; errors as in :func:`read_attachment`."""
    names = known_attachments(container.metadata.attachments)
    return {name: read_attachment(container, name) for name in names if name != ICC_NAME}


def total_bytes(path: str | os.PathLike[str]) -> int:
    """Add up all that is stored in a container, metadata too: the size that every command states.

    Raises
    ------
    StorageError
        If it cannot be listed.
    """
    container = open_container(path)
    try:
        return sum(size for _, size in container.sizes())
    finally:
        container.close()


def load_json(data: bytes, what: str) -> Any:
    """Parse JSON that comes from a file, in memory and time that the limits bound (spec section 12).

    Raises
    ------
    FormatError
        If it is no JSON in UTF-8.
    LimitError
        If it has too many bytes or values, or they are nested too deeply.
    """
    check_limit("metadata_bytes", len(data), what, rule="limit.metadata")
    check_limit("metadata_marks", sum(map(data.count, (b",", b"[", b"{", b'"', b"\\"))), what, rule="limit.metadata")
    try:
        document = json.loads(data.decode(), parse_int=_parse_int)
    except RecursionError as error:
        raise LimitError(f"{what} is nested too deeply", rule="limit.metadata") from error
    except ValueError as error:
        raise FormatError(f"{what} is not JSON: {error}", rule="metadata.json") from error
    depth, values = 1, [document] if isinstance(document, dict | list) else []
    while values:
        check_limit("metadata_depth", depth, what, rule="limit.metadata")
        depth += 1
        nested = (value.values() if isinstance(value, dict) else value for value in values)
        values = [item for items in nested for item in items if isinstance(item, dict | list)]
    return document


def _parse_int(digits: str) -> int:
    """A whole number, unless it is so long that a few of them would take seconds."""
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def parse_root(data: bytes | None, name: str) -> Metadata:
    """The metadata in the root's ``zarr.json`` (spec section 9.2)."""
    if data is None:
        raise FormatError(
            f"{name}: has no zarr.json, so it is not an RRIP container or an incomplete one", rule="metadata.absent"
        )
    document = load_json(data, f"{name}: its zarr.json")
    attributes = document.get("attributes") if isinstance(document, dict) else None
    try:
        return parse_metadata(attributes.get("rrip") if isinstance(attributes, dict) else None)
    except (FormatError, LimitError) as error:
        raise error.within(name) from error


def open_container(path: str | bytes | os.PathLike[str]) -> Container:
    """Open a folder, a zip archive or a TIFF file by what it is; a URL by its extension, or else by what it is.

    Raises
    ------
    NotFoundError
        If nothing is there.
    FormatError
        If no RRIP container is there.
    StorageError
        If it cannot be read.
    """
    name = os.fsdecode(path)
    if is_url(name):
        return _open_url(name)
    if os.path.isdir(name):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
        return ZarrContainer(Folder(name), str(Path(name).absolute()))
    return _open_file(name)


def _open_url(name: str) -> Container:
    if name.startswith(("zip::", "reference::")):  # file systems that hold a Zarr hierarchy
        return ZarrContainer(open_store(name), name)
    if urlsplit(name.rpartition("::")[2]).path.lower().endswith((".tif", ".tiff", ".rrip", ".zip")):
        return _open_file(name)
    try:
        return ZarrContainer(open_store(name), name)
    except NewerFormatError:
        raise
    except FormatError as error:
        try:
            return _open_file(name)
        except (FormatError, StorageError):
            raise error from None


def _open_file(name: str) -> Container:
    """Open one file by its first bytes."""
    source = open_bytes(name)
    try:
        magic = source.read(0, min(4, source.size))
        if magic in {b"II+\0", b"II*\0", b"MM\0+", b"MM\0*"}:
            from .tiff_reader import TiffContainer

            return TiffContainer(source)
        if magic[:2] == b"PK":
            from .zip_reader import Archive, ZipContainer

            return ZipContainer(Archive(source))
        raise FormatError(f"{name}: neither a TIFF file nor a zip archive, expected an RRIP container")
    except BaseException:
        source.close()
        raise


def reopen(name: str, uuid: UUID) -> Container:
    """Open a container again, in another process.

    Raises
    ------
    StorageError
        If another one has taken its place, or nothing.
    """
    try:
        container = open_container(name)
    except NotFoundError as error:  # readers of chunks take a FileNotFoundError for "fill with the fill value"
        raise StorageError(f"{error}; it was there when it was opened first", rule=StorageError.rule) from error
    if container.metadata.coding.uuid != uuid:
        container.close()
        raise StorageError(f"{name}: was replaced by another container since it was opened; open it again")
    return container
