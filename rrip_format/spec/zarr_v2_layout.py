"""The Zarr v2 view of a container: keys and metadata documents (spec section 9.8).

::

    .zgroup  .zattrs          NGFF 0.4 multiscales over 0, 1, 2 …
    0/.zarray  0/0/3/5        level 0: compressor "rrip"; the chunk is the packet (row 3, column 5)

No container is stored in this form: it is a view for readers that know only Zarr version 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .metadata import Metadata
from .zarr_layout import dump, multiscales

__all__ = ["documents_v2", "parse_tile_key_v2", "tile_key_v2"]

Json = Any


def tile_key_v2(level: int, row: int, col: int) -> str:
    """Return the key of a packet."""
    return f"{level}/0/{row}/{col}"


_NUMBER = r"(0|[1-9]\d{0,9})"
_TILE_KEY = re.compile(rf"{_NUMBER}/0/{_NUMBER}/{_NUMBER}")


def parse_tile_key_v2(key: str) -> tuple[int, int, int] | None:
    """Return (level, row, column) of the packet at a key, None for any other key."""
    match = _TILE_KEY.fullmatch(key)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def documents_v2(metadata: Metadata) -> Iterator[tuple[str, bytes]]:
    """Generate every metadata document of the view."""
    geometry, coding = metadata.coding.geometry, metadata.coding.to_json()
    for level in range(geometry.levels):
        side = geometry.tile_side(level)
        array: dict[str, Json] = {
            "zarr_format": 2,
            "shape": [3, *geometry.shape(level)],
            "chunks": [3, side, side],
            "dtype": "|u1",
            "compressor": {"id": "rrip", "level": level, "coding": coding},
            "fill_value": metadata.coding.background[0],
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }
        yield f"{level}/.zarray", dump(array)
        yield f"{level}/.zattrs", dump({"_ARRAY_DIMENSIONS": ["c", "y", "x"]})
    ome = multiscales(metadata, range(geometry.levels), 0)
    image = {**ome["multiscales"][0], "version": "0.4"}
    omero = {**ome["omero"], "version": "0.4"}
    yield ".zattrs", dump({"multiscales": [image], "omero": omero, "rrip": metadata.to_json()})
    yield ".zgroup", dump({"zarr_format": 2})
