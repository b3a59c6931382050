"""The interface of all containers, and what the three bindings share (spec sections 9 and 10).

Code that uses this interface need not know whether tiles come from a folder, a zip archive, a TIFF file or a server.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..errors import ChecksumError, FormatError, LimitError, NotFoundError, StorageError
from ..spec.attachments import ICC_NAME, attachment_checksum, attachment_title, known_attachments
from ..spec.geometry import Place
from ..spec.limits import check_limit
from ..spec.metadata import Metadata, parse_metadata

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = [
    "Container",
    "Place",
    "Tiles",
    "load_json",
    "parse_root",
    "read_associated",
    "read_attachment",
    "read_icc_profile",
    "reopen",
    "restore",
]

_MAX_DIGITS = 400
"""Most digits of a whole number in JSON; those of the metadata have 16 (spec section 8.1)."""

Tiles = list[bytes | None]
"""Stored tiles in the requested order, unchecked; None for absent ones."""


class Container(ABC):
    """The stored tiles of a slide and everything that belongs to them; thread-safe, picklable, fork-safe.

    Attributes
    ----------
    name : str
        Path or URL.
    metadata : Metadata
        Contents of the object ``rrip`` (spec section 8).
    is_remote : bool
        Whether reading waits for a server, so that many tiles should be requested at once.
    is_file : bool
        Whether it is a single file, in which :meth:`locate` finds tiles.
    has_documents : bool
        Whether it has ``zarr.json`` documents, which :meth:`document` reads.
    """

    is_file: bool = False
    has_documents: bool = False

    name: str
    metadata: Metadata
    is_remote: bool

    def read_tile(self, level: int, row: int, col: int) -> bytes | None:
        """Read a stored tile without checking it; None if it does not exist.

        Raises
        ------
        StorageError, DamagedError
            If the tile cannot be read.
        """
        return self.read_tiles([(level, row, col)])[0]

    @abstractmethod
    def read_tiles(self, places: Sequence[Place]) -> Tiles:
        """Read several tiles, concurrently where that is faster."""

    def tile_sizes(self, places: Sequence[Place]) -> list[int | None]:
        """Return the sizes of tiles in bytes, None for absent ones; remote tiles are not read for that."""
        return [None if tile is None else len(tile) for tile in self.read_tiles(places)]

    async def fetch_tiles(self, places: Sequence[Place]) -> Tiles:
        """Read several tiles from any event loop; local containers are read synchronously."""
        return self.read_tiles(places)

    def stream_tiles(self, groups: Sequence[Sequence[Place]]) -> Iterator[tuple[int, Tiles]]:
        """Yield (position, tiles) of groups of tiles as each is complete, in any order and bounded memory."""
        for position, places in enumerate(groups):
            yield position, self.read_tiles(places)

    def locate(self, level: int, row: int, col: int) -> tuple[int, int] | None:  # noqa: ARG002
        """Return (offset, length) of a stored tile in the file; None if it does not exist.

        Raises
        ------
        StorageError
            If the container is not a single file.
        """
        raise StorageError(f"{self.name}: is not a single file; Zarr reads it without references")

    def document(self, key: str) -> bytes | None:  # noqa: ARG002
        """Read a stored ``zarr.json``; None if it does not exist."""
        return None

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Yield (rule, key, what was found) of faults that readers ignore but a validator reports."""
        yield from ()

    @abstractmethod
    def attachment(self, name: str) -> bytes | None:
        """Read the ICC profile or the JPEG file of an associated image; None if it does not exist.

        Raises
        ------
        ChecksumError
            If it is damaged.
        """

    @abstractmethod
    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield (key, bytes) of everything that is stored; tiles have Zarr keys in every kind of container.

        Raises
        ------
        StorageError
            If it cannot be listed.
        """

    def make_store(self) -> Store | None:
        """Make a read-only Zarr store of the container; None if it is not a Zarr hierarchy."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Release files and connections."""


def read_attachment(container: Container, name: str) -> bytes:
    """Read an attachment that the metadata list (spec section 8.7).

    Raises
    ------
    ChecksumError
        If it is missing, or differs from the listed one.
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
    """Read the ICC profile; None if the metadata list none. Raises as :func:`read_attachment`."""
    return read_attachment(container, ICC_NAME) if ICC_NAME in container.metadata.attachments else None


def read_associated(container: Container) -> dict[str, bytes]:
    """Read the JPEG files of all listed associated images. Raises as :func:`read_attachment`."""
    names = known_attachments(container.metadata.attachments)
    return {name: read_attachment(container, name) for name in names if name != ICC_NAME}


def load_json(data: bytes, what: str) -> Any:
    """Parse JSON from a file within the limits of memory and time (spec section 12).

    Raises
    ------
    FormatError
        If it is not JSON in UTF-8.
    LimitError
        If it has too many bytes or values, or is nested too deeply.
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
    """Parse a whole number; reject very long ones, because a few of them would take seconds."""
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def parse_root(data: bytes | None, name: str) -> Metadata:
    """Parse the metadata in the ``zarr.json`` of the root (spec section 9.2)."""
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


def reopen(open_again: Callable[[str], Container], name: str, uuid: UUID) -> Container:
    """Open a local container again in another process.

    Raises
    ------
    StorageError
        If it was replaced or removed.
    """
    try:
        container = open_again(name)
    except NotFoundError as error:  # readers of chunks take a FileNotFoundError for "fill with the fill value"
        raise StorageError(f"{error}; it was there when it was opened first", rule=StorageError.rule) from error
    if container.metadata.coding.uuid != uuid:
        container.close()
        raise StorageError(f"{name}: was replaced by another container since it was opened; open it again")
    return container


def restore(kind: type[Container], state: dict[str, Any]) -> Container:
    """Recreate a remote container in another process from its pickled state, without a request."""
    container = kind.__new__(kind)
    container.__dict__.update(state)
    return container
