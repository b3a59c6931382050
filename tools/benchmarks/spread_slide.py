"""A slide of any size in a moment: the tiles of a small one, at all places of a large grid."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from uuid import UUID

from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.containers.order import file_order
from rrip_format.spec.geometry import BASE_LEVEL, Geometry
from rrip_format.spec.tile import join_tile, split_tile

__all__ = ["spread"]


def spread(small: Path, target: Path, width: int, height: int, uuid: UUID) -> Path:
    """Write a container of width × height px whose tiles are those of a small one, over and over."""
    container = open_container(small)
    old = container.metadata.coding
    rows, cols = old.geometry.families
    geometry = Geometry(width, height, old.geometry.tile)
    coding = dataclasses.replace(old, geometry=geometry, uuid=uuid, document=None, empty_bits=b"")
    streams: dict[tuple[int, int, int], list[bytes]] = {}
    with open_writer(target) as writer:
        for level, row, col in file_order(geometry):
            at = (level, row % rows, col % cols) if level <= BASE_LEVEL else (BASE_LEVEL + 1, 0, 0)
            if at not in streams:
                tile = container.read_tile(*at)
                assert tile is not None, "the small slide has empty families"
                parts = split_tile(tile, old.place(*at), old.streams(at[0]))
                streams[at] = [b"" if part is None else bytes(part) for part in parts]
            writer.write_tile(level, row, col, join_tile(streams[at], coding.place(level, row, col)))
        writer.finish(dataclasses.replace(container.metadata, coding=coding))
    container.close()
    return target
