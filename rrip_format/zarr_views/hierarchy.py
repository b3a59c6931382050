"""A container as keys and values of a Zarr hierarchy, whatever it is stored in (spec sections 9.2 and 9.8).

Documents are made from the metadata, tiles are read on demand. A tile that the metadata promise is served whole and
checked, or is an error: a reader above takes "no such key" for "fill with the fill value".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cached_property

from ..containers.base import Container, Place, open_container, read_attachment
from ..errors import FormatError, MissingTileError
from ..family.decode import needed_levels
from ..family.packet import join_packet
from ..spec.attachments import ICC_NAME, known_attachments
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

__all__ = ["Hierarchy", "check_tile", "open_hierarchy"]


class _Documents(Mapping[str, bytes]):
    """What is no tile, by key. An attachment is read when it is asked for, so that a damaged one harms nothing else."""

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
    """Keys and values; thread-safe, picklable.

    Parameters
    ----------
    container : Container
    zarr_format : int
        3 for the hierarchy that a folder has, 2 for one of packets (NGFF 0.4).
    """

    def __init__(self, container: Container, zarr_format: int = 3) -> None:
        self.container = container
        self.zarr_format = zarr_format

    @cached_property
    def documents(self) -> Mapping[str, bytes]:
        """Everything that is no tile: metadata documents, ICC profile, associated images."""
        if self.zarr_format == 2:
            return dict(documents_v2(self.container.metadata))
        return _Documents(self.container)

    def locate(self, key: str) -> Place | None:
        """The tile whose key this is, None for any other key and for empty tiles."""
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
        """The value of a key, None where there is none.

        Raises
        ------
        MissingTileError, DamagedError
            If a promised tile is absent or is not what was written there.
        """
        place = self.locate(key)
        if place is None:
            return self.documents.get(key)
        level, row, col = place
        levels = needed_levels(level) if self.zarr_format == 2 else (level,)
        tiles = self.container.read_tiles([(needed, row, col) for needed in levels])
        return join_packet([self._check(needed, row, col, tile) for needed, tile in zip(levels, tiles, strict=True)])

    def _check(self, level: int, row: int, col: int, tile: bytes | None) -> bytes:
        try:
            return check_tile(self.container.metadata.coding, level, row, col, tile)
        except MissingTileError as error:
            raise error.within(self.container.name) from error

    def exists(self, key: str) -> bool:
        """Whether there is such a key, as the metadata have it."""
        return self.locate(key) is not None or key in self.documents

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Every key that starts with `prefix`."""
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
        """What all chunk keys of a level start with."""
        return (tile_key_v2 if self.zarr_format == 2 else tile_key)(level, 0, 0)[: -len("0/0")]

    def children(self, folder: str) -> Iterator[str]:
        """Names directly under a folder, as a listing gives them."""
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
        """Rows of a level that have tiles, or columns of one of its rows, given as ``5/``; never all keys at once."""
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
    """A stored tile that is promised, checked (spec section 6.2).

    Raises
    ------
    MissingTileError, DamagedError
        If it is absent, or is not what was written there.
    """
    place = coding.place(level, row, col)
    if tile is None:
        raise missing_tile(place)
    split_tile(tile, place, coding.streams(level))
    return tile


def open_hierarchy(container: Container | str | os.PathLike[str], zarr_format: int) -> Hierarchy:
    """The hierarchy of a container that is open, or of one that is opened.

    Raises
    ------
    FormatError
        If no RRIP container is there, or `zarr_format` is neither 2 nor 3.
    """
    if zarr_format not in {2, 3}:
        raise FormatError(f"zarr_format is {zarr_format!r}, expected 2 or 3")
    opened = open_container(container) if isinstance(container, str | bytes | os.PathLike) else container
    return Hierarchy(opened, zarr_format)
