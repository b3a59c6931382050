"""Caches of the bytes that were used last."""

from __future__ import annotations

import threading
from bisect import bisect_right, insort

__all__ = ["KeyCache", "RangeCache"]

_LOOKED_AT = 8
"""Number of ranges that are tried for an offset, because ranges may overlap."""


class RangeCache:
    """Byte ranges by offset; thread-safe.

    Parameters
    ----------
    capacity : int
        Most bytes to keep; 0 keeps nothing.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: dict[int, bytes] = {}  # oldest first
        self._starts: list[int] = []
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, offset: int, data: bytes) -> None:
        """Keep bytes; the least recently used ones are dropped."""
        if len(data) > self.capacity:
            return
        with self._lock:
            if offset in self._kept:
                if len(self._kept[offset]) >= len(data):
                    return
                self._drop(offset)
            self._kept[offset] = data
            self._bytes += len(data)
            insort(self._starts, offset)
            while self._bytes > self.capacity:
                self._drop(next(iter(self._kept)))

    def _drop(self, offset: int) -> None:
        self._bytes -= len(self._kept.pop(offset))
        self._starts.remove(offset)

    def find(self, offset: int, length: int) -> bytes | None:
        """Return the bytes of a range if they are cached, also as part of a larger range; else None."""
        if not self._starts:
            return None
        with self._lock:
            end = bisect_right(self._starts, offset)
            for start in reversed(self._starts[max(0, end - _LOOKED_AT) : end]):
                data = self._kept[start]
                if offset + length <= start + len(data):
                    self._kept[start] = self._kept.pop(start)
                    return data[offset - start : offset - start + length]
        return None

    def clear(self) -> None:
        """Drop all bytes."""
        with self._lock:
            self._kept.clear()
            self._starts.clear()
            self._bytes = 0


class KeyCache:
    """The most recently used values by key, as many as fit; thread-safe.

    Parameters
    ----------
    capacity : int
        Most bytes to keep; 0 keeps nothing.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: dict[str, bytes] = {}  # oldest first
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, key: str, value: bytes) -> None:
        """Keep a value; the least recently used ones are dropped."""
        if 4 * len(value) > self._capacity:
            return
        with self._lock:
            self._bytes += len(value) - len(self._kept.pop(key, b""))
            self._kept[key] = value
            while self._bytes > self._capacity:
                self._bytes -= len(self._kept.pop(next(iter(self._kept))))

    def find(self, key: str) -> bytes | None:
        """Return a cached value, else None."""
        with self._lock:
            value = self._kept.pop(key, None)
            if value is not None:
                self._kept[key] = value
            return value

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0
