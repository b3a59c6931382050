"""Regions as OpenSlide returns them: transparent outside the slide, interpolated between pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..slides.slide import Slide

__all__ = ["read_rgba"]

_FRACTION = 128
"""Number of steps in a pixel for the start of a region."""


def _level_place(at: int, downsample: int) -> tuple[int, int]:
    """Convert a level 0 coordinate to a pixel of a level and a fraction in 1/128; negative ones are truncated."""
    if at < 0:
        return -(-at // downsample), 0
    pixel, rest = divmod(at, downsample)
    return pixel, rest * _FRACTION // downsample


def read_rgba(slide: Slide, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
    """Read RGBA pixels; (y, x) is the corner in px of level 0, the size is in px of `level`."""
    top, part_y = _level_place(y, slide.levels[level].downsample)
    left, part_x = _level_place(x, slide.levels[level].downsample)
    if not (part_y or part_x):
        return _read_whole(slide, level, top, left, height, width)
    return _interpolate(_read_whole(slide, level, top, left, height + 1, width + 1), part_y, part_x)


def _read_whole(slide: Slide, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
    """Read RGBA pixels of a rectangle of one level in px of that level, transparent outside."""
    rows, cols = slide.geometry.shape(level)
    top, bottom = max(0, y), min(rows, y + height)
    left, right = max(0, x), min(cols, x + width)
    if top >= bottom or left >= right:
        return np.zeros((height, width, 4), np.uint8)
    inside = np.empty((bottom - top, right - left, 4), np.uint8)
    slide.read_region(level, top, left, *inside.shape[:2], out=inside)
    if inside.shape[:2] == (height, width):
        return inside
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[top - y : bottom - y, left - x : right - x] = inside
    return rgba


def _interpolate(rgba: NDArray[np.uint8], part_y: int, part_x: int) -> NDArray[np.uint8]:
    """Interpolate bilinearly from (h + 1, w + 1, 4) to (h, w, 4); colours are weighted by alpha."""
    out = np.empty((rgba.shape[0] - 1, rgba.shape[1] - 1, 4), np.uint8)
    for start in range(0, len(out), 128):  # a few rows at a time, because intermediate values have 32 bits
        rows = rgba[start : start + 129].astype(np.uint32)
        rows = rows[:-1] * (_FRACTION - part_y) + rows[1:] * part_y
        sums = rows[:, :-1] * (_FRACTION - part_x) + rows[:, 1:] * part_x
        alpha = sums[..., 3:]
        out[start : start + 128, :, :3] = sums[..., :3].astype(np.uint64) * 255 // np.maximum(alpha, 1)
        out[start : start + 128, :, 3:] = alpha // _FRACTION**2
    return out
