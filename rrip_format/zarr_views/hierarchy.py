"""A container of any kind as keys and values of a Zarr hierarchy (spec sections 9.2 and 9.8).

Documents are made from the metadata, tiles are read on demand and checked. A tile that is missing although its family
is not empty is an error, since Zarr would use the fill value for "no such key".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from ..containers.base import Container, Place, Tiles, read_attachment
from ..containers.opening import open_container
from ..errors import DamagedError, FormatError
from ..family.packet import join_packet
from ..spec.attachments import ICC_NAME, known_attachments
from ..spec.geometry import needed_levels
from ..spec.metadata import Coding
from ..spec.tile import missing_tile, split_tile
from ..spec.zarr_layout import (
    associated_documents,
    associated_group,
    attachment_key,
    documents,
    icc_documents,
    parse_tile_key,
    tile_key,
)
from ..spec.zarr_v2_layout import documents_v2, parse_tile_key_v2, tile_key_v2
from ..storage.access import Access

__all__ = ["Hierarchy", "check_tile", "open_hierarchy"]


class _Documents(Mapping[str, bytes]):
    """Metadata documents and attachments by key; attachments are read on demand, so a damaged one affects no other."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._ready = dict(documents(container.metadata))
        self._names: dict[str, str] = {}
        names = known_attachments(container.metadata.attachments)
        for name in names:
            key = attachment_key(name)
            self._names.update({f"{key.partition('/c/')[0]}/zarr.json": name, key: name})
        if set(names) - {ICC_NAME}:
            self._ready.update([associated_group()])

    def __getitem__(self, key: str) -> bytes:
        if key not in self._ready and key in self._names:
            name = self._names[key]
            data = read_attachment(self._container, name)
            found = icc_documents(data) if name == ICC_NAME else associated_documents({name: data})
            self._ready.update(found)
        return self._ready[key]

    def __contains__(self, key: object) -> bool:
        return key in self._ready or key in self._names

    def __iter__(self) -> Iterator[str]:
        return iter({**self._ready, **self._names})

    def __len__(self) -> int:
        return len({**self._ready, **self._names})


class Hierarchy:
    """Keys and values of a container; thread-safe and picklable.

    Parameters
    ----------
    container : Container
        The container.
    zarr_format : int
        3 for the hierarchy of the Zarr binding, 2 for one of packets (NGFF 0.4).
    """

    def __init__(self, container: Container, zarr_format: int = 3) -> None:
        self.container = container
        self.zarr_format = zarr_format

    @cached_property
    def documents(self) -> Mapping[str, bytes]:
        """Metadata documents, ICC profile and associated images by key."""
        if self.zarr_format == 2:
            return dict(documents_v2(self.container.metadata))
        return _Documents(self.container)

    def locate(self, key: str) -> Place | None:
        """Return the tile at a key, None for any other key and for empty tiles."""
        place = parse_tile_key_v2(key) if self.zarr_format == 2 else parse_tile_key(key)
        if place is None:
            return None
        level, row, col = place
        coding = self.container.metadata.coding
        if level >= coding.geometry.levels:
            return None
        rows, cols = coding.geometry.grid(level)
        return place if row < rows and col < cols and not coding.is_empty(*place) else None

    def read(self, key: str) -> bytes | None:
        """Return the value of a key, None if there is none.

        Raises
        ------
        MissingTileError, DamagedError
            If a tile is absent although its family is not empty, or is damaged.
        """
        places = self.places_of(key)
        if places is None:
            return self.documents.get(key)
        return self.value_of(places, self.container.read_tiles(places))

    def places_of(self, key: str) -> list[Place] | None:
        """Return the stored tiles that the value of a key is made of, None where it is made of none."""
        place = self.locate(key)
        if place is None:
            return None
        level, row, col = place
        levels = needed_levels(level) if self.zarr_format == 2 else (level,)
        return [(needed, row, col) for needed in levels]

    def value_of(self, places: Sequence[Place], tiles: Tiles) -> bytes:
        """Make a value of stored tiles, each checked; errors as in :meth:`read`."""
        return join_packet([self._check(*place, tile) for place, tile in zip(places, tiles, strict=True)])

    def _check(self, level: int, row: int, col: int, tile: bytes | None) -> bytes:
        try:
            return check_tile(self.container.metadata.coding, level, row, col, tile)
        except DamagedError as error:
            raise error.within(self.container.name) from error

    def exists(self, key: str) -> bool:
        """Return whether the metadata imply such a key."""
        return self.locate(key) is not None or key in self.documents

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Generate every key that starts with `prefix`."""
        yield from (key for key in self.documents if key.startswith(prefix))
        coding = self.container.metadata.coding
        for level in range(coding.geometry.levels):
            start = self._chunks(level)
            if not (start.startswith(prefix) or prefix.startswith(start)):
                continue
            for row, col in coding.geometry.tiles(level):
                key = f"{start}{row}/{col}"
                if key.startswith(prefix) and not coding.is_empty(level, row, col):
                    yield key

    def _chunks(self, level: int) -> str:
        """Return the common prefix of all chunk keys of a level."""
        return (tile_key_v2 if self.zarr_format == 2 else tile_key)(level, 0, 0)[: -len("0/0")]

    def children(self, folder: str) -> Iterator[str]:
        """Generate the names directly in a folder."""
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        starts = [self._chunks(level) for level in range(self.container.metadata.coding.geometry.levels)]
        for level, start in enumerate(starts):
            if prefix.startswith(start):
                yield from self._tile_names(level, prefix.removeprefix(start))
                return
        names = [name for name in (*self.documents, *starts) if name.startswith(prefix)]
        found = dict.fromkeys(name[len(prefix) :].split("/", 1)[0] for name in names)
        yield from (name for name in found if name)

    def _tile_names(self, level: int, row: str) -> Iterator[str]:
        """Generate the rows of a level that have tiles, or the columns of a row given as ``5/``."""
        coding = self.container.metadata.coding
        rows, cols = coding.geometry.grid(level)
        if not row:
            within = (any(not coding.is_empty(level, k, col) for col in range(cols)) for k in range(rows))
        elif (number := row.removesuffix("/")).isdecimal() and str(int(number)) == number and int(number) < rows:
            within = (not coding.is_empty(level, int(number), col) for col in range(cols))
        else:
            return
        yield from (str(k) for k, is_there in enumerate(within) if is_there)


def check_tile(coding: Coding, level: int, row: int, col: int, tile: bytes | None) -> bytes:
    """Check a stored tile (spec section 6.2) and return it.

    Raises
    ------
    MissingTileError, DamagedError
        If it is absent, or the bytes are not those of that tile.
    """
    place = coding.place(level, row, col)
    if tile is None:
        raise missing_tile(place)
    split_tile(tile, place, coding.streams(level))
    return tile


def open_hierarchy(
    container: Container | str | os.PathLike[str] | Any, zarr_format: int, access: Access | None = None
) -> Hierarchy:
    """Return the hierarchy of an open container, or of one at a path or URL or in a store.

    Raises
    ------
    FormatError
        If it is not an RRIP container, or `zarr_format` is neither 2 nor 3.
    """
    if zarr_format not in {2, 3}:
        raise FormatError(f"zarr_format is {zarr_format!r}, expected 2 or 3")
    opened = container if isinstance(container, Container) else open_container(container, access)
    return Hierarchy(opened, zarr_format)
