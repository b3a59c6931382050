"""Sizes of levels, tiles and families (spec section 4).

Level 0 is the finest. Levels 0 and 1 are residual levels, level 2 is the base level, levels 3 and coarser are
ordinary overview levels. Levels 0, 1 and 2 share one grid: family ``(row, col)`` is one tile of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BASE_LEVEL", "MAX_SIDE", "TILE_SIZES", "Geometry", "Place", "ceil_div", "needed_levels"]

Place = tuple[int, int, int]
"""Level, row and column of a tile."""

BASE_LEVEL = 2
"""Index of the base level, the coarsest of a family; finer levels are residuals."""

MAX_SIDE = 2**31 - 1
"""Largest width or height of level 0, px (spec section 12)."""

TILE_SIZES = range(64, 513, 16)
"""Sides of a base tile that the format allows, px (spec section 4.2)."""


def ceil_div(numerator: int, denominator: int) -> int:
    """Return ``numerator / denominator``, rounded up."""
    return -(-numerator // denominator)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of every level and of its tiles (spec section 4).

    Parameters
    ----------
    width, height : int
        Size of level 0, px, 1 … ``MAX_SIDE``.
    tile : int
        Side T of a base tile, px, one of ``TILE_SIZES``.
    """

    width: int
    height: int
    tile: int

    @property
    def levels(self) -> int:
        """Number of levels: at least three, and as many as it takes until one tile covers a whole level."""
        level = BASE_LEVEL
        while self.grid(level) != (1, 1):
            level += 1
        return level + 1

    def shape(self, level: int) -> tuple[int, int]:
        """Return (height, width) of `level`, px: ``ceil(H / 2^level), ceil(W / 2^level)``."""
        return ceil_div(self.height, 1 << level), ceil_div(self.width, 1 << level)

    def tile_side(self, level: int) -> int:
        """Return the side of a tile of `level`, px: 4T, 2T, T at levels 0, 1, 2 and 4T at coarser levels."""
        return self.tile << (BASE_LEVEL - level) if level <= BASE_LEVEL else self.tile * 4

    def grid(self, level: int) -> tuple[int, int]:
        """Return (rows, columns) of tiles at `level`; equal for levels 0, 1 and 2."""
        height, width = self.shape(level)
        side = self.tile_side(level)
        return ceil_div(height, side), ceil_div(width, side)

    @property
    def families(self) -> tuple[int, int]:
        """(rows, columns) of families."""
        return self.grid(BASE_LEVEL)

    def tile_shape(self, level: int, row: int, col: int) -> tuple[int, int]:
        """Return (height, width), px, of the part of a tile that lies inside `level`; the rest is padding."""
        height, width = self.shape(level)
        side = self.tile_side(level)
        return min(side, height - row * side), min(side, width - col * side)

    def families_under(self, level: int, row: int, col: int) -> Iterator[tuple[int, int]]:
        """Iterate over the families that a tile covers: one at levels 0 to 2, more at coarser levels."""
        if level <= BASE_LEVEL:
            yield row, col
            return
        span = 4 << (level - BASE_LEVEL)
        rows, cols = self.families
        for family_row in range(row * span, min((row + 1) * span, rows)):
            for family_col in range(col * span, min((col + 1) * span, cols)):
                yield family_row, family_col

    def tiles(self, level: int) -> Iterator[tuple[int, int]]:
        """Iterate over (row, column) of all tiles of `level`, row by row."""
        rows, cols = self.grid(level)
        return ((row, col) for row in range(rows) for col in range(cols))


def needed_levels(level: int) -> tuple[int, ...]:
    """Levels whose tiles at one place make a tile of `level`, coarsest first."""
    return tuple(range(BASE_LEVEL, level - 1, -1)) if level < BASE_LEVEL else (level,)
