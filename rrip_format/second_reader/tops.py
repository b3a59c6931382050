"""Pictures that can only be decoded from their first row on: as much of them as shows something."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .base import Area, Image
from .tiles import TiledReader

__all__ = ["TopReader"]

_BAND = 256
"""Rows that are looked at together, px."""

_SHARES = (16, 4, 1)
"""Of the rows: one in so many is decoded, more only where that shows nothing."""

_DEVIATION = 8.0
"""Least standard deviation of a band's samples that shows something, 8-bit steps."""


class TopReader(TiledReader):
    """The first rows of a picture.

    Parameters
    ----------
    height, width : int
        As it is stored, px.
    orientation : int
        TIFF's or EXIF's, 1 … 8.
    decode : callable
        Given a number of rows, at least so many of the picture as RGB (rows, width, 3), or fewer if no more is known.
    """

    def __init__(self, height: int, width: int, orientation: int, decode: Callable[[int], Image]) -> None:
        super().__init__(height, width, _BAND, min(_BAND, width), orientation)
        for share in _SHARES:
            wanted = height if share == 1 else min(height, max(_BAND, height // share))
            self._top = decode(wanted)
            rows = self._top.shape[0]
            seen = self._top if rows == height else self._top[: rows // _BAND * _BAND]  # what is compared
            if len(seen) >= min(wanted, _BAND) and seen[::8, ::8].std() >= _DEVIATION:
                break

    def holds(self, area: Area) -> bool:
        """Return whether an area lies in the rows that are decoded."""
        at = self._to_stored(area)
        return bool(at.y + at.height <= self._top.shape[0])

    def likely(self, count: int) -> list[tuple[int, int]]:
        """Return the middle of those squares of the rows that show most."""
        found = []
        for y in range(0, self._top.shape[0] - _BAND // 2, _BAND):
            for x in range(0, self._top.shape[1], _BAND):
                part = self._top[y : y + _BAND : 4, x : x + _BAND : 4]
                at = self._to_shown(Area(y + min(_BAND // 2, part.shape[0]), x + part.shape[1] // 2, 1, 1))
                found.append((float(part.std()), at.y, at.x))
        return [(y, x) for _, y, x in sorted(found, reverse=True)[:count]]

    def _read_tile(self, row: int, col: int) -> Image:
        high, wide = self._side
        tile: Image = self._top[row * high : (row + 1) * high, col * wide : (col + 1) * wide]
        return np.ascontiguousarray(tile)
