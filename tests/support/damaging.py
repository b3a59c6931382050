"""Damage to a container in a folder, with or without correct checksums."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conftest import tile_path

import rrip_format
from rrip_format.containers.opening import open_container
from rrip_format.spec.metadata import seal
from rrip_format.spec.tile import join_tile
from rrip_format.spec.zarr_layout import dump

Json = Any


def all_places(path: Path) -> list[tuple[int, int, int]]:
    """Return (level, row, col) of every stored tile."""
    with rrip_format.open(path) as slide:
        coding = slide.metadata.coding
        return [
            (level, *place)
            for level in range(coding.geometry.levels)
            for place in coding.geometry.tiles(level)
            if not coding.is_empty(level, *place)
        ]


def flip(path: Path, at: int = 50) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)


def forge(folder: Path, level: int, row: int, col: int, streams: Sequence[bytes]) -> None:
    """Write a tile with a correct checksum."""
    coding = open_container(folder).metadata.coding
    tile_path(folder, level, row, col).write_bytes(join_tile(streams, coding.place(level, row, col)))


def changed_root(folder: Path, change: Callable[[Json], object]) -> Json:
    """Return the root document of a container with a changed ``rrip`` object and recomputed checksums."""
    document = json.loads((folder / "zarr.json").read_text())
    rrip = document["attributes"]["rrip"]
    change(rrip)
    rrip["coding"] = seal(rrip["coding"])
    document["attributes"]["rrip"] = seal(rrip)
    return document


def change_metadata(folder: Path, change: Callable[[Json], object]) -> Json:
    """Change the ``rrip`` object in place, recompute its checksums, and return it."""
    document = changed_root(folder, change)
    (folder / "zarr.json").write_bytes(dump(document))
    return document["attributes"]["rrip"]
