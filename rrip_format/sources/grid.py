"""A block of a picture from the tiles that it touches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_block"]


def read_block(
    box: tuple[int, int, int, int],
    tile_size: tuple[int, int],
    decode: Callable[[int, int], NDArray[np.uint8]],
    recall: Callable[[int, int], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Return RGB (height, width, 3) of a box.

    Parameters
    ----------
    box : four int
        y, x, height and width, px.
    tile_size : two int
        Height and width of a tile, px.
    decode : callable
        Called with row and column, returns RGB of that tile, which may be cut at the right and lower border.
    recall : callable
        The same with a memory, for tiles that the next box may want too: to keep the others costs fresh memory.
    """
    y, x, height, width = box
    tall, wide = tile_size
    out = np.empty((height, width, 3), np.uint8)
    for row in range(y // tall, (y + height - 1) // tall + 1):
        for column in range(x // wide, (x + width - 1) // wide + 1):
            top, left = row * tall - y, column * wide - x
            is_inside = min(top, left) >= 0 and top + tall <= height and left + wide <= width
            _paste(out, (decode if is_inside else recall)(row, column), top, left)
    return out


def _paste(out: NDArray[np.uint8], tile: NDArray[np.uint8], top: int, left: int) -> None:
    """Copy a tile, whose corner lies at (`top`, `left`) of `out`, as far as it overlaps."""
    bottom, right = min(top + tile.shape[0], out.shape[0]), min(left + tile.shape[1], out.shape[1])
    y, x = max(top, 0), max(left, 0)
    out[y:bottom, x:right] = tile[y - top : bottom - top, x - left : right - left]
