"""Copy a container to another kind of container; tiles are copied byte for byte (spec section 10.9)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from ..errors import DamagedError
from ..privacy.identifiers import strip as without
from ..spec.tile import missing_tile, split_tile
from ..storage.access import Access
from ..storage.workplace import Span
from .base import Container, Place, read_associated, read_icc_profile
from .creating import check_room, open_writer
from .opening import open_container
from .order import file_order
from .pictures import shows_label
from .writer import ContainerWriter

__all__ = ["Stripping", "transmux"]

_BATCH = 96
"""Tiles that are read together and held in memory."""


@dataclass(frozen=True, slots=True)
class Stripping:
    """Identifying information that a copy keeps; the rest of it is removed (spec section 8.8).

    Parameters
    ----------
    label : bool
        Whether images are kept that show the label, or may show it.
    identifiers : bool
        Whether the name of the source and all properties are kept.
    """

    label: bool = False
    identifiers: bool = False


def transmux(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    verify: bool = True,
    strip: Stripping | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Copy a container to another kind of container, or to the same kind.

    Parameters
    ----------
    source : path or URL
        The container to copy.
    target : path or URL
        The copy; its extension selects the kind of container. It appears when it is complete.
    overwrite : bool
        Replace a container at the target.
    verify : bool
        Read every tile back and compare it.
    strip : Stripping, optional
        Remove information that may identify a patient; without Pillow also any macro image, because it cannot be
        checked. Tiles and UUID stay.
    progress : callable, optional
        Called with (tiles done, number of tiles).

    Returns
    -------
    int
        Bytes of all stored tiles.

    Raises
    ------
    DamagedError
        If a tile of the source is missing or damaged, or a written tile does not read back unchanged.
    TargetError
        If the target cannot be written, or exists and `overwrite` is not set.
    """
    container = open_container(source, Access().without_cache())
    try:
        with open_writer(target, overwrite=overwrite, verify=verify) as writer:
            geometry = container.metadata.coding.geometry
            check_room(writer.place.title, geometry, container.metadata.coding.is_empty)
            total = sum(rows * cols for rows, cols in map(geometry.grid, range(geometry.levels)))
            stored = done = 0
            for batch in _tiles(container):
                written = [(writer.write_tile(*place, tile), tile) for place, tile in batch if tile is not None]
                if verify:
                    _check(writer, written)
                stored += sum(len(tile) for _, tile in written)
                done += len(batch)
                if progress is not None:
                    progress(done, total)
            metadata, pictures = container.metadata, read_associated(container)
            if strip is not None:
                kept = [name for name in pictures if strip.label or not shows_label(container, name)]
                pictures = {name: pictures[name] for name in kept}
                metadata = without(metadata, pictures, identifiers=strip.identifiers)
            for name, jpeg in pictures.items():
                writer.write_associated(name, jpeg)
            writer.finish(metadata, read_icc_profile(container))
            return stored
    finally:
        container.close()


def _check(writer: ContainerWriter, written: list[tuple[Span, bytes]]) -> None:
    writer.flush()
    for span, tile in written:
        if span.read() != tile:
            raise DamagedError(f"{span.path} does not read back as it was written; check the disk")


def _tiles(container: Container) -> Iterator[list[tuple[Place, bytes | None]]]:
    """Yield batches of (place, checked tile) of all tiles; None stands for an empty one."""
    coding = container.metadata.coding
    places = file_order(coding.geometry)
    while batch := list(islice(places, _BATCH)):
        present = [place for place in batch if not coding.is_empty(*place)]
        found = dict(zip(present, container.read_tiles(present), strict=True))
        for place, tile in found.items():
            try:
                if tile is None:
                    raise missing_tile(coding.place(*place))
                split_tile(tile, coding.place(*place), coding.streams(place[0]))
            except DamagedError as error:
                raise error.within(container.name) from error
        yield [(place, found.get(place)) for place in batch]
