"""Build the levels coarser than the base level, while families arrive in any order (spec section 4.3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..core import predict
from ..spec.geometry import BASE_LEVEL, Geometry

__all__ = ["OverviewBuilder", "pad"]


def pad(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Pad a tile to (side, side, 3) by repeating its last row and column, which costs the fewest bytes."""
    height, width = rgb.shape[:2]
    if (height, width) == (side, side):
        return rgb
    return np.pad(rgb, ((0, side - height), (0, side - width), (0, 0)), mode="edge")


class OverviewBuilder:
    """Collects base level pixels and returns the tiles of coarser levels as they become complete.

    Only incomplete tiles are kept in memory: about one row of tiles of level 3 if families arrive row by row.

    Parameters
    ----------
    geometry : Geometry
        Levels and tiles of the slide.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._open: dict[tuple[int, int, int], tuple[NDArray[np.uint8], int]] = {}

    def add(self, row: int, col: int, rgb: NDArray[np.uint8]) -> Iterator[tuple[int, int, int, NDArray[np.uint8]]]:
        """Add the base level pixels of one family, (h, w, 3) uint8 without padding.

        Yields
        ------
        level, row, column, (h, w, 3) uint8
            Each tile of a coarser level that has become complete, without padding.
        """
        side = self._geometry.tile
        yield from self._add(BASE_LEVEL, row * side, col * side, rgb)

    def _add(
        self, level: int, y: int, x: int, rgb: NDArray[np.uint8]
    ) -> Iterator[tuple[int, int, int, NDArray[np.uint8]]]:
        """Add a rectangle of `level` that starts at even (y, x): halve it and put it into the next level."""
        level, y, x, rgb = level + 1, y // 2, x // 2, predict.box2(rgb)
        if level >= self._geometry.levels:
            return
        side = self._geometry.tile_side(level)
        row, col = y // side, x // side
        shape = self._geometry.tile_shape(level, row, col)
        tile, missing = self._open.pop((level, row, col), (None, shape[0] * shape[1]))
        if tile is None:
            tile = np.empty((*shape, 3), np.uint8)
        height, width = rgb.shape[:2]
        tile[y - row * side : y - row * side + height, x - col * side : x - col * side + width] = rgb
        missing -= height * width
        if missing:
            self._open[level, row, col] = tile, missing
            return
        yield level, row, col, tile
        yield from self._add(level, row * side, col * side, tile)
