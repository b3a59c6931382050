"""Tiles of one picture, and which way up it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .base import BLOCK, Area, Image, SecondReader

__all__ = ["TiledReader"]

_KEPT = 8
"""Decoded tiles that are kept: neighbouring blocks may lie in one."""


class TiledReader(SecondReader):
    """A picture in tiles or strips, turned by TIFF's Orientation.

    Parameters
    ----------
    height, width : int
        As it is stored, px.
    tile_height, tile_width : int
        Of its tiles, px; a strip is as wide as the picture.
    orientation : int
        TIFF's tag 274, 1 … 8.
    sizes : sequence of int
        Bytes of each stored tile, row by row; those of the most detail have most. Empty where nothing is known.
    """

    def __init__(
        self,
        height: int,
        width: int,
        tile_height: int,
        tile_width: int,
        orientation: int = 1,
        sizes: Sequence[int] = (),
    ) -> None:
        self._stored = height, width
        self._side = tile_height, tile_width
        self._swapped = orientation in {5, 6, 7, 8}
        self._flips = orientation in {3, 4, 7, 8}, orientation in {2, 3, 6, 7}
        super().__init__(*((width, height) if self._swapped else (height, width)))
        rows, cols = -(-height // tile_height), -(-width // tile_width)
        whole = len(sizes) == rows * cols and len(set(sizes)) > 1
        self._sizes = np.array(sizes, np.int64).reshape(rows, cols) if whole else None
        self._tile = lru_cache(maxsize=_KEPT)(self._read_tile)

    @abstractmethod
    def _read_tile(self, row: int, col: int) -> Image:
        """Return RGB of a stored tile; what lies outside the picture may be cut or not."""

    def _moved(self, area: Area, height: int, width: int) -> Area:
        """Mirror an area in a picture of that size as the orientation says; the same again leads back."""
        y = height - area.y - area.height if self._flips[0] else area.y
        x = width - area.x - area.width if self._flips[1] else area.x
        return Area(y, x, area.height, area.width)

    def _to_stored(self, area: Area) -> Area:
        area = self._moved(area, self.height, self.width)
        return Area(area.x, area.y, area.width, area.height) if self._swapped else area

    def _to_shown(self, area: Area) -> Area:
        area = Area(area.x, area.y, area.width, area.height) if self._swapped else area
        return self._moved(area, self.height, self.width)

    def block(self, y: int, x: int) -> Area:
        """Return the part of one tile around a pixel; of several strips where these are low."""
        at = self._to_stored(Area(y, x, 1, 1))
        spans = []
        for place, side, length in zip((at.y, at.x), self._side, self._stored, strict=True):
            start = place // side * side
            stop = min(start + side, length)
            if side < BLOCK // 4:
                stop = min(start + -(-BLOCK // 4 // side) * side, length)
            if stop - start > BLOCK:
                start = min(start + (place - start) // BLOCK * BLOCK, stop - BLOCK)
                stop = start + BLOCK
            spans.append((start, stop - start))
        (top, height), (left, width) = spans
        return self._to_shown(Area(top, left, height, width))

    def likely(self, count: int) -> list[tuple[int, int]]:
        """Return the middle of the tile of most bytes in each of `count` parts of the picture."""
        if self._sizes is None:
            return []
        found = []
        rows, cols = self._sizes.shape
        down = max(1, round(count**0.5))
        for part_y in np.array_split(np.arange(rows), down):
            for part_x in np.array_split(np.arange(cols), -(-count // down)):
                if part_y.size and part_x.size:
                    sizes = self._sizes[part_y[0] : part_y[-1] + 1, part_x[0] : part_x[-1] + 1]
                    row, col = divmod(int(sizes.argmax()), part_x.size)
                    found.append((int(sizes.max()), int(part_y[row]), int(part_x[col])))
        return [self._middle(row, col) for _, row, col in sorted(found, reverse=True)]

    def edges(self) -> list[tuple[int, int]]:
        """Return the middle of the tile of most bytes in the last column, and of that in the last row."""
        if self._sizes is None:
            return super().edges()
        rows, cols = self._sizes.shape
        return [
            self._middle(int(self._sizes[:, -1].argmax()), cols - 1),
            self._middle(rows - 1, int(self._sizes[-1].argmax())),
        ]

    def _middle(self, row: int, col: int) -> tuple[int, int]:
        """Return where the middle of a stored tile, as far as it is inside the picture, is shown."""
        y, x = (
            (start + min(start + side, length)) // 2
            for start, side, length in zip(
                (row * self._side[0], col * self._side[1]), self._side, self._stored, strict=True
            )
        )
        shown = self._to_shown(Area(y, x, 1, 1))
        return shown.y, shown.x

    def read(self, area: Area) -> Image:
        """Return RGB, put together from tiles and turned."""
        at = self._to_stored(area)
        out = np.zeros((at.height, at.width, 3), np.uint8)
        high, wide = self._side
        for row in range(at.y // high, (at.y + at.height - 1) // high + 1):
            for col in range(at.x // wide, (at.x + at.width - 1) // wide + 1):
                tile = self._tile(row, col)
                y, x = max(row * high, at.y), max(col * wide, at.x)
                part = tile[y - row * high : at.y + at.height - row * high, x - col * wide :][:, : at.x + at.width - x]
                out[y - at.y : y - at.y + part.shape[0], x - at.x : x - at.x + part.shape[1]] = part
        rgb = out.transpose(1, 0, 2) if self._swapped else out
        return rgb[:: -1 if self._flips[0] else 1, :: -1 if self._flips[1] else 1]

    def close(self) -> None:
        """Let go of decoded tiles."""
        self._tile.cache_clear()
