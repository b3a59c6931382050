"""A bounded cache of decoded tiles."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["RecentTiles"]

_WEIGHT = 1 / 16
"""Of the last request in the share of requests for tiles that were requested before."""

_WORTH_KEEPING = 3 / 8
"""Share from which decoding whole tiles once takes less time than decoding a part of them for each request.

A quarter of a tile takes about 0.6 of the time of a whole one, so a tile has to be requested 1.6 times.
"""


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
        self._sizes: dict[Hashable, int] = {}
        self._bytes = 0
        self._again = 0.0
        self._lock = threading.Lock()
        self._process = os.getpid()

    def find(self, key: Hashable) -> Any:
        """Return the read-only array of a key, None if it is not in the cache."""
        if self._process != os.getpid():  # another thread may have held the lock while this process was forked
            self._start()
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._requested(key, tile)
            return tile

    def get(self, key: Hashable, decode: Callable[[], Any]) -> Any:
        """Return the read-only array of a key, from the cache or else from `decode`."""
        tile = self.find(key)
        if tile is not None:
            return tile
        tile = decode()
        tile.flags.writeable = False
        with self._lock:
            self._put(key, tile, tile.nbytes)
        return tile

    def is_worth_keeping(self, key: Hashable, size: int) -> bool:
        """Note a request for a tile that is not in the cache, and return whether to decode all of it and keep it.

        That is so where many of the last requests were for tiles that had been requested before, and that the cache
        would still have had. Otherwise, as with random patches, a tile that is kept only takes memory.

        Parameters
        ----------
        key : hashable
            Key of the tile.
        size : int
            Its size, bytes; a tile that is not kept counts as much as one that is.
        """
        with self._lock:
            self._requested(key, None, size)
            return self._again > _WORTH_KEEPING

    def _requested(self, key: Hashable, tile: Any, size: int = 0) -> None:
        """Make a key the most recent one, and count whether it was requested before."""
        self._again += _WEIGHT * ((key in self._tiles) - self._again)
        self._put(key, tile, size or self._sizes[key])

    def _put(self, key: Hashable, tile: Any, size: int) -> None:
        self._tiles.pop(key, None)
        self._bytes += size - self._sizes.get(key, 0)
        self._tiles[key], self._sizes[key] = tile, size
        while self._bytes > self.capacity and len(self._tiles) > 1:
            oldest = next(iter(self._tiles))
            del self._tiles[oldest]
            self._bytes -= self._sizes.pop(oldest)
