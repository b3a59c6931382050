"""Read containers in the Zarr binding from a folder or a store (spec section 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import FormatError, StorageError
from ..spec.attachments import attachment_title, check_attachment
from ..spec.limits import limit
from ..spec.metadata import Metadata
from ..spec.tile import TRAILER_BYTES
from ..spec.zarr_layout import attachment_key, tile_key
from ..storage.objects import Folder, Objects
from .base import Container, Place, Tiles, parse_root, reopen, restore

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["ZarrContainer", "open_folder_container"]


class ZarrContainer(Container):
    """A container in the Zarr binding.

    Parameters
    ----------
    objects : Objects
        Values by key.
    name : str
        Name for error messages.
    metadata : Metadata, optional
        By default those of its root.

    Raises
    ------
    FormatError
        If there is no RRIP container, or its metadata violate the spec.
    """

    has_documents = True

    def __init__(self, objects: Objects, name: str, metadata: Metadata | None = None) -> None:
        self._objects = objects
        self.name, self.is_remote = name, objects.is_remote
        self.metadata = metadata or parse_root(self.document("zarr.json"), name)

    def _keys(self, places: Sequence[Place]) -> tuple[list[str], list[int]]:
        """Return the keys of tiles and their largest allowed sizes."""
        coding = self.metadata.coding
        return [tile_key(*place) for place in places], [coding.tile_limit(level) for level, _, _ in places]

    def read_tiles(self, places: Sequence[Place]) -> Tiles:
        """Read several tiles, concurrently if they are remote."""
        tiles = self._objects.read(*self._keys(places))
        if self.is_remote and self._are_doubtful(places, tiles):
            self._check_root(self.document("zarr.json"))
        return tiles

    def tile_sizes(self, places: Sequence[Place]) -> list[int | None]:
        """Return the sizes of tiles in bytes, None for absent ones."""
        return self._objects.sizes_of(self._keys(places)[0])

    async def fetch_tiles(self, places: Sequence[Place]) -> Tiles:
        """Read several tiles from any event loop."""
        tiles = await self._objects.fetch(*self._keys(places))
        if self.is_remote and self._are_doubtful(places, tiles):
            self._check_root((await self._objects.fetch(["zarr.json"], [limit("metadata_bytes")], "limit.metadata"))[0])
        return tiles

    def stream_tiles(self, groups: Sequence[Sequence[Place]]) -> Iterator[tuple[int, Tiles]]:
        """Yield (position, tiles) of groups of tiles as each is complete."""
        if not self.is_remote:
            yield from super().stream_tiles(groups)
            return
        places = [place for group in groups for place in group]
        owners = [position for position, group in enumerate(groups) for _ in group]
        starts, begin = [], 0
        for group in groups:
            starts.append(begin)
            begin += len(group)
        found: dict[int, Tiles] = {position: [None] * len(group) for position, group in enumerate(groups)}
        left = [len(group) for group in groups]
        yield from ((position, found.pop(position)) for position, count in enumerate(left) if not count)
        for at, value in self._objects.stream(*self._keys(places)):
            owner = owners[at]
            found[owner][at - starts[owner]] = value
            left[owner] -= 1
            if not left[owner]:
                tiles = found.pop(owner)
                if self._are_doubtful(groups[owner], tiles):
                    self._check_root(self.document("zarr.json"))
                yield owner, tiles

    def _are_doubtful(self, places: Sequence[Place], tiles: Tiles) -> bool:
        """Return whether a tile is missing or of another slide, as after a container was replaced."""
        coding = self.metadata.coding
        slide = coding.uuid.bytes[:8]  # the trailer stores this half of the UUID
        return any(
            not coding.is_empty(*place) if tile is None else slide not in tile[-TRAILER_BYTES:]
            for place, tile in zip(places, tiles, strict=True)
        )

    def _check_root(self, root: bytes | None) -> None:
        """Raise `StorageError` if the container was removed or replaced; otherwise the tiles are damaged."""
        if root is None:
            raise StorageError(f"{self.name}: was removed since it was opened; restore it or open another")
        try:
            same = parse_root(root, self.name).coding.uuid == self.metadata.coding.uuid
        except FormatError:
            same = False
        if not same:
            raise StorageError(f"{self.name}: was replaced since it was opened; open it again")

    def document(self, key: str) -> bytes | None:
        """Read a stored ``zarr.json``; None if it does not exist."""
        return self._objects.read([key], [limit("metadata_bytes")], "limit.metadata")[0]

    def attachment(self, name: str) -> bytes | None:
        """Read the ICC profile or the JPEG file of an associated image."""
        (stored,) = self._objects.read([attachment_key(name)], [limit("attachment_bytes")], "limit.attachment")
        return None if stored is None else check_attachment(stored, f"{self.name}: {attachment_title(name)}")

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Return (key, bytes) of everything that is stored."""
        return self._objects.sizes()

    def make_store(self) -> Store | None:
        """Make a read-only Zarr store of the same keys; None if Zarr has no such store."""
        return self._objects.make_store()

    def close(self) -> None:
        """Release connections."""
        self._objects.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_remote:
            return restore, (ZarrContainer, self.__dict__)
        return reopen, (open_folder_container, self.name, self.metadata.coding.uuid)


def open_folder_container(path: str) -> ZarrContainer:
    """Open a local folder."""
    folder = Folder(path)
    return ZarrContainer(folder, str(folder.root))
