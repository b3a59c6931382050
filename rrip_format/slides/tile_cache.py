"""A slide that keeps the tiles that it decoded last, for readers that ask for many small neighbouring regions."""

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
    """As :class:`Slide`; thread-safe, and safe to use after a fork.

    Parameters
    ----------
    container : Container
    capacity : int
        Decoded pixels to keep, bytes; the last tile is always kept.
    """

    def __init__(self, container: Container, capacity: int = 1 << 25) -> None:
        super().__init__(container)
        self._recent = RecentTiles(capacity)

    @property
    def capacity(self) -> int:
        """Decoded pixels to keep, bytes."""
        return self._recent.capacity

    @capacity.setter
    def capacity(self, bytes_: int) -> None:
        self._recent.capacity = bytes_

    def read_tile(self, level: int, row: int, col: int, window: Window | None = None) -> NDArray[np.uint8]:
        """As :meth:`Slide.read_tile`, read-only; the whole tile is decoded and kept."""
        read = super().read_tile
        tile: NDArray[np.uint8] = self._recent.get((level, row, col), lambda: read(level, row, col))
        return _part_of(tile, window)

    def _put_tile(self, level: int, part: Part, picture: NDArray[np.uint8], tiles: Tiles | None = None) -> None:
        row, col = part.row, part.col
        if tiles is None:
            tile = self.read_tile(level, row, col)
        else:
            tile = self._recent.get((level, row, col), lambda: self._decoded(level, row, col, tiles, None))
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
