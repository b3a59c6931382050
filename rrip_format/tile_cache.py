"""A slide that keeps the tiles that it decoded last, for readers that ask for many small neighbouring regions."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .slide import Slide

if TYPE_CHECKING:
    from .container import Container

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
        self.capacity = capacity
        self._start()

    def _start(self) -> None:
        self._tiles: dict[tuple[int, int, int], NDArray[np.uint8]] = {}  # oldest first
        self._bytes = 0
        self._lock = threading.Lock()
        self._process = os.getpid()

    def read_tile(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """RGB of one tile, (3, side, side) uint8, read-only; errors as in :meth:`Slide.read_tile`."""
        if self._process != os.getpid():  # another thread may have held the lock while this process was forked
            self._start()
        place = level, row, col
        with self._lock:
            tile = self._tiles.pop(place, None)
            if tile is not None:
                self._tiles[place] = tile
                return tile
        tile = super().read_tile(level, row, col)
        tile.flags.writeable = False
        with self._lock:
            self._bytes += 0 if place in self._tiles else tile.nbytes
            self._tiles[place] = tile
            while self._bytes > self.capacity and len(self._tiles) > 1:
                self._bytes -= self._tiles.pop(next(iter(self._tiles))).nbytes
        return tile

    def __reduce__(self) -> tuple[type[CachingSlide], tuple[Container, int]]:
        return CachingSlide, (self.container, self.capacity)
