"""A slide that caches decoded tiles while neighbouring regions are read, for readers that request many small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..concurrency.recent import RecentTiles
from ..core.colour import interleave
from .regions import Part
from .slide import Slide

if TYPE_CHECKING:
    from ..containers.base import Container, Tiles
    from ..core.colour import Window

__all__ = ["CachingSlide"]


class CachingSlide(Slide):
    """A :class:`Slide` that caches decoded tiles where regions touch them again; thread-safe and fork-safe.

    Parameters
    ----------
    container : Container
    capacity : int
        Size of the cache of decoded pixels, bytes.
    """

    def __init__(self, container: Container, capacity: int = 1 << 25) -> None:
        super().__init__(container)
        self._recent = RecentTiles(capacity)

    @property
    def capacity(self) -> int:
        """Size of the cache of decoded pixels, bytes."""
        return self._recent.capacity

    @capacity.setter
    def capacity(self, bytes_: int) -> None:
        self._recent.capacity = bytes_

    def read_tile(self, level: int, row: int, col: int, window: Window | None = None) -> NDArray[np.uint8]:
        """Read a tile as :meth:`Slide.read_tile`, read-only; the whole tile is decoded and cached."""
        read = super().read_tile
        tile: NDArray[np.uint8] = self._recent.get((level, row, col), lambda: read(level, row, col))
        return _part_of(tile, window)

    def _put_tile(self, level: int, part: Part, picture: NDArray[np.uint8], tiles: Tiles | None = None) -> None:
        if self._put_known(level, part, picture):
            return
        key = level, part.row, part.col
        if not self._recent.is_worth_keeping(key, 3 * self.geometry.tile_side(level) ** 2):
            super()._put_tile(level, part, picture, tiles)
            return
        if tiles is None:
            tile = self.read_tile(*key)
        else:
            tile = self._recent.get(key, lambda: self._decoded(*key, tiles, None))
        interleave(_part_of(tile, part.window), (picture, part.top, part.left))

    def _put_known(self, level: int, part: Part, picture: NDArray[np.uint8]) -> bool:
        tile = self._recent.find((level, part.row, part.col))
        if tile is not None:
            interleave(_part_of(tile, part.window), (picture, part.top, part.left))
        return tile is not None

    def __reduce__(self) -> tuple[type[CachingSlide], tuple[Container, int]]:
        return CachingSlide, (self.container, self.capacity)


def _part_of(tile: NDArray[np.uint8], window: Window | None) -> NDArray[np.uint8]:
    return tile if window is None else tile[:, window[0] : window[1], window[2] : window[3]]
