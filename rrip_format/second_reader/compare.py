"""Whether two decoders show the same picture, whatever they round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .base import Image

__all__ = ["TELLING", "Difference", "describe", "deviation", "measure", "shapes_agree"]

_CELL = 8
"""Side of the squares whose means are compared, px: one block of JPEG, in which a decoder's upsampling of chroma, its
inverse transform and its rounding cancel out, and a picture's content does not."""

MEAN_LIMIT, FAR_LIMIT, FAR_SHARE = 2.5, 16.0, 0.02
"""Most mean difference of cells, and the share of cells that may differ by more than so much; 8-bit steps."""

LUMA_LIMIT = 2.0
"""Most mean difference of the luma of pixels, 8-bit steps: that of a picture and its enlarged thumbnail is larger."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""BT.601 weights, those of JPEG."""

TELLING = 5.0
"""Least standard deviation of the cells of a block in which a wrong picture is seen, 8-bit steps."""

_CORRELATION = 0.9
"""Least correlation of two blocks that show the same shapes in other colours."""

Cells = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two blocks: mean over cells, share of cells that are far apart, mean of the luma of pixels."""

    mean: float
    far: float
    luma: float

    @property
    def is_rounding(self) -> bool:
        """Whether two right decoders may differ so."""
        return self.mean <= MEAN_LIMIT and self.far <= FAR_SHARE and self.luma <= LUMA_LIMIT


def _cells(rgb: Image) -> Cells:
    """Means of squares, (rows, columns, 3); a rest that fills no square is left out."""
    side = min(_CELL, *rgb.shape[:2])
    rows, cols = rgb.shape[0] // side, rgb.shape[1] // side
    cut = rgb[: rows * side, : cols * side].reshape(rows, side, -1)
    sums = (
        cut.sum(axis=1, dtype=np.uint32).reshape(rows, cols, side, 3).sum(axis=2)
    )  # down first: NumPy likes long rows
    found: Cells = sums.astype(np.float32) / (side * side)
    return found


def measure(one: Image, other: Image) -> Difference:
    """Measure the difference of two blocks of equal shape, (h, w, 3) uint8."""
    if np.array_equal(one, other):
        return Difference(0.0, 0.0, 0.0)
    distance = np.abs(_cells(one) - _cells(other)).max(axis=-1)
    luma = np.abs((one.astype(np.float32) - other) @ _LUMA)
    return Difference(float(distance.mean()), float((distance > FAR_LIMIT).mean()), float(luma.mean()))


def deviation(rgb: Image) -> float:
    """Return the standard deviation of the cells of a block: that of glass is small."""
    return float(_cells(rgb).mean(axis=-1).std())


def shapes_agree(one: Image, other: Image) -> bool:
    """Return whether two blocks show the same shapes, though in other colours; also where they show none."""
    grays = [_cells(rgb).mean(axis=-1).ravel() for rgb in (one, other)]
    if min(float(gray.std()) for gray in grays) < TELLING:
        return max(float(gray.std()) for gray in grays) < 3 * TELLING
    return float(np.corrcoef(*grays)[0, 1]) >= _CORRELATION


_WAYS: dict[str, Callable[[Image], Image]] = {
    "mirrored left to right": lambda rgb: rgb[:, ::-1],
    "mirrored top to bottom": lambda rgb: rgb[::-1],
    "turned by 180 degrees": lambda rgb: rgb[::-1, ::-1],
    "with rows and columns exchanged": lambda rgb: rgb.transpose(1, 0, 2),
    "turned by 90 degrees": lambda rgb: rgb.transpose(1, 0, 2)[::-1],
    "turned by 270 degrees": lambda rgb: rgb[::-1].transpose(1, 0, 2),
    "with red and blue exchanged": lambda rgb: rgb[..., ::-1],
    "as its negative": lambda rgb: 255 - rgb,
}


def describe(one: Image, other: Image) -> str:
    """Return how the first block shows what is in the second, as far as that is plain: a few words, or nothing."""
    if deviation(one) < 1 <= TELLING <= deviation(other):
        return "blank"
    for words, change in _WAYS.items():
        changed = change(other)
        if changed.shape == one.shape and measure(one, np.ascontiguousarray(changed)).is_rounding:
            return words
    return ""
