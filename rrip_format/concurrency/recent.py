"""A bounded cache of decoded tiles."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["RecentTiles"]


class RecentTiles:
    """A thread-safe and fork-safe cache of decoded tiles by key, bounded in bytes, that drops the least recent.

    Parameters
    ----------
    capacity : int
        Bytes of pixels to keep; the most recent tile is always kept.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._start()

    def _start(self) -> None:
        self._tiles: dict[Hashable, Any] = {}  # oldest first
        self._bytes = 0
        self._lock = threading.Lock()
        self._process = os.getpid()

    def find(self, key: Hashable) -> Any:
        """Return the read-only array of a key, None if it is not in the cache."""
        if self._process != os.getpid():  # another thread may have held the lock while this process was forked
            self._start()
        with self._lock:
            tile = self._tiles.pop(key, None)
            if tile is not None:
                self._tiles[key] = tile
            return tile

    def get(self, key: Hashable, decode: Callable[[], Any]) -> Any:
        """Return the read-only array of a key, from the cache or else from `decode`."""
        tile = self.find(key)
        if tile is not None:
            return tile
        tile = decode()
        tile.flags.writeable = False
        with self._lock:
            self._bytes += 0 if key in self._tiles else tile.nbytes
            self._tiles[key] = tile
            while self._bytes > self.capacity and len(self._tiles) > 1:
                self._bytes -= self._tiles.pop(next(iter(self._tiles))).nbytes
        return tile
