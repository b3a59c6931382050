"""Rectangles of a level: their memory, and the tiles that cover them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..concurrency.pool import in_order_on
from ..errors import LimitError
from .levels import whole

if TYPE_CHECKING:
    from ..core.colour import Window

__all__ = ["Part", "check_region", "checked_pixels", "empty_pixels", "for_each", "list_parts"]

Item = TypeVar("Item")


class Part:
    """The part of one tile that a region needs.

    Parameters
    ----------
    row, col : int
        Row and column of the tile.
    window : (top, bottom, left, right) or None
        Rows and columns within the tile; None for all of it.
    top, left : int
        Position in the region.
    """

    __slots__ = ("col", "left", "row", "top", "window")

    def __init__(self, row: int, col: int, window: Window | None, top: int, left: int) -> None:
        self.row, self.col, self.window, self.top, self.left = row, col, window, top, left


def check_region(
    name: str, level: int, shape: tuple[int, int], y: int, x: int, height: int, width: int
) -> tuple[int, int, int, int]:
    """Return corner and size of a region as whole numbers after checking that it is inside the level.

    Raises
    ------
    IndexError
        If it reaches outside.
    TypeError
        If an argument is not a whole number.
    """
    y, x, height, width = map(whole, ("y", "x", "height", "width"), (y, x, height, width))
    if min(y, x, height, width) < 0 or y + height > shape[0] or x + width > shape[1]:
        raise IndexError(
            f"{name}: region (y, x, height, width) is {(y, x, height, width)}, which reaches outside level {level}, "
            f"{shape[0]} px high and {shape[1]} px wide"
        )
    return y, x, height, width


def list_parts(y: int, x: int, height: int, width: int, side: int) -> list[Part]:
    """List the parts of a region, px of its level, for tiles with side `side`."""
    parts = []
    for (row, top, bottom, below), (col, left, right, beside) in product(
        _overlaps(y, height, side), _overlaps(x, width, side)
    ):
        whole = bottom - top == right - left == side
        parts.append(Part(row, col, None if whole else (top, bottom, left, right), below, beside))
    return parts


def for_each(work: Callable[[Item], object], items: Iterable[Item], workers: int) -> None:
    """Call `work` with each item in several threads; items are consumed as needed."""
    if workers < 2:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="rrip") as executor:
        try:
            for _ in in_order_on(executor, 2 * workers + 1, work, items):
                pass
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise


def empty_pixels(height: int, width: int) -> NDArray[np.uint8]:
    """Allocate (height, width, 3) uint8 RGB.

    Raises
    ------
    LimitError
        If there is not enough memory; a small file may state a large size.
    """
    try:
        return np.empty((height, width, 3), np.uint8)
    except (MemoryError, ValueError) as error:  # ValueError: more than an array can have
        raise LimitError(f"not enough memory for {height} x {width} px; read a part, or a coarser level") from error


def checked_pixels(out: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return `out` as a plain array after checking that it can hold (height, width, 3 or 4) uint8.

    Raises
    ------
    ValueError
        If it has another shape or type, is not contiguous or not writable.
    """
    shapes = (height, width, 3), (height, width, 4)
    if not isinstance(out, np.ndarray) or out.shape not in shapes or out.dtype != np.uint8:
        found = f"{out.shape} {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out is {found}, expected a NumPy array {shapes[0]} or {shapes[1]} uint8")
    if not out.flags.writeable:
        raise ValueError("out is not writable; pass a copy")
    if not out.flags.c_contiguous:
        raise ValueError("out is not contiguous; pass a contiguous array and copy from it")
    return out.view(np.ndarray)


_Overlap = tuple[int, int, int, int]
"""Along one axis: index of a tile, start and end of the part of it in the region, and start in the region."""


def _overlaps(start: int, length: int, side: int) -> Iterator[_Overlap]:
    """Yield the overlap with every tile along one axis of a region."""
    at = start
    while at < start + length:
        index = at // side
        end = min((index + 1) * side, start + length)
        yield index, at - index * side, end - index * side, at - start
        at = end
