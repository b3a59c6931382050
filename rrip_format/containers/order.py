"""The order of tiles in a file, in which neighbours in the slide are neighbours in the file.

The order only affects how many requests a remote reader needs (spec section 10.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..spec.geometry import BASE_LEVEL, Geometry, Place

__all__ = ["BLOCK_PX", "block_order", "file_order", "overview_order"]


BLOCK_PX = 2048
"""Side of a block of families, px of level 0."""


def block_order(families: Iterable[tuple[int, int]]) -> list[Place]:
    """Order the tiles of a block: base tiles together, then levels 1 and 0 family by family."""
    places = list(families)
    finer = [(level, row, col) for row, col in places for level in range(BASE_LEVEL - 1, -1, -1)]
    return [(BASE_LEVEL, row, col) for row, col in places] + finer


def overview_order(geometry: Geometry) -> Iterator[Place]:
    """Yield the tiles of level 3 and coarser, the coarsest first."""
    for level in range(geometry.levels - 1, BASE_LEVEL, -1):
        for row, col in geometry.tiles(level):
            yield level, row, col


def file_order(geometry: Geometry) -> Iterator[Place]:
    """Yield all tiles: block by block, then the overviews, so that those end up next to the index."""
    rows, cols = geometry.families
    step = max(1, BLOCK_PX // geometry.tile_side(0))
    for top in range(0, rows, step):
        for left in range(0, cols, step):
            below, beside = range(top, min(rows, top + step)), range(left, min(cols, left + step))
            yield from block_order((row, col) for row in below for col in beside)
    yield from overview_order(geometry)
