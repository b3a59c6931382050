"""From one kind of container to another: tiles are copied byte for byte, never decoded (spec section 10.9)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice

from .container import Container, Place, open_container, read_associated, read_icc_profile
from .errors import MissingTileError
from .geometry import BASE_LEVEL
from .tile import split_tile
from .writing import open_writer

__all__ = ["transmux"]

_BATCH = 96
"""Tiles that are read at once and held in memory."""


def transmux(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Copy a container to another kind of container, or to the same kind.

    Parameters
    ----------
    source : path or URL
    target : path
        Its extension says which kind; it appears when it is complete.
    overwrite : bool
        Replace a container at the target.
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    int
        Bytes of all stored tiles.

    Raises
    ------
    DamagedError
        If a tile of the source is missing or damaged: damage is not copied.
    TargetError
        If the target cannot be written, or is there and `overwrite` is not set.
    """
    container = open_container(source)
    try:
        with open_writer(target, overwrite=overwrite) as writer:
            geometry = container.metadata.coding.geometry
            total = sum(rows * cols for rows, cols in map(geometry.grid, range(geometry.levels)))
            stored = 0
            for done, place, tile in _tiles(container):
                if tile is not None:
                    writer.write_tile(*place, tile)
                    stored += len(tile)
                if progress is not None and (done % _BATCH == 0 or done == total):
                    progress(done, total)
            for name, jpeg in read_associated(container).items():
                writer.write_associated(name, jpeg)
            writer.finish(container.metadata, read_icc_profile(container))
            return stored
    finally:
        container.close()


def _places(container: Container) -> Iterator[Place]:
    """Every tile, the three of a family together, so that they are neighbours in a file."""
    geometry = container.metadata.coding.geometry
    for row, col in geometry.tiles(BASE_LEVEL):
        for level in range(BASE_LEVEL + 1):
            yield level, row, col
    for level in range(BASE_LEVEL + 1, geometry.levels):
        for row, col in geometry.tiles(level):
            yield level, row, col


def _tiles(container: Container) -> Iterator[tuple[int, Place, bytes | None]]:
    """(count so far, place, checked tile or None where it is empty) of every tile."""
    coding = container.metadata.coding
    places, done = _places(container), 0
    while batch := list(islice(places, _BATCH)):
        present = [place for place in batch if not coding.is_empty(*place)]
        found = dict(zip(present, container.read_tiles(present), strict=True))
        for place in batch:
            tile = found.get(place)
            if tile is not None:
                split_tile(tile, coding.place(*place), coding.streams(place[0]))
            elif place in found:
                raise MissingTileError(f"{container.name}: {coding.place(*place)} is missing, and it is not empty")
            done += 1
            yield done, place, tile
