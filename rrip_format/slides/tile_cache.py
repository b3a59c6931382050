"""A slide that keeps the tiles that it decoded last, for readers that ask for many small neighbouring regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..concurrency.recent import RecentTiles
from ..core.colour import interleave
from .slide import Slide

if TYPE_CHECKING:
    from ..containers.base import Container
    from ..core.colour import Corner, Window

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
        return tile if window is None else tile[:, window[0] : window[1], window[2] : window[3]]

    def _put_tile(self, level: int, row: int, col: int, window: Window | None, corner: Corner) -> None:
        interleave(self.read_tile(level, row, col, window), corner)

    def __reduce__(self) -> tuple[type[CachingSlide], tuple[Container, int]]:
        return CachingSlide, (self.container, self.capacity)
