"""Regions of a slide as OpenSlide places them: transparent outside, interpolated between pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..slides.slide import Slide

__all__ = ["read_rgba"]

_FRACTION = 128
"""Steps of a pixel in which regions may start."""


def _level_place(at: int, downsample: int) -> tuple[int, int]:
    """(pixel of a level, fraction of one in 1/128) of a level 0 coordinate; OpenSlide cuts negative ones."""
    if at < 0:
        return -(-at // downsample), 0
    pixel, rest = divmod(at, downsample)
    return pixel, rest * _FRACTION // downsample


def read_rgba(slide: Slide, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
    """RGBA whose corner is (y, x) of level 0, and whose size is in px of `level`."""
    top, part_y = _level_place(y, slide.levels[level].downsample)
    left, part_x = _level_place(x, slide.levels[level].downsample)
    if not (part_y or part_x):
        return _read_whole(slide, level, top, left, height, width)
    return _interpolate(_read_whole(slide, level, top, left, height + 1, width + 1), part_y, part_x)


def _read_whole(slide: Slide, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
    """RGBA of a rectangle of one level in its own px, transparent outside."""
    rows, cols = slide.geometry.shape(level)
    rgba = np.zeros((height, width, 4), np.uint8)
    top, bottom = max(0, y), min(rows, y + height)
    left, right = max(0, x), min(cols, x + width)
    if top < bottom and left < right:
        inside = rgba[top - y : bottom - y, left - x : right - x]
        inside[..., :3] = slide.read_region(level, top, left, bottom - top, right - left)
        inside[..., 3] = 255
    return rgba


def _interpolate(rgba: NDArray[np.uint8], part_y: int, part_x: int) -> NDArray[np.uint8]:
    """Bilinear, (h + 1, w + 1, 4) to (h, w, 4); transparent neighbours lend no colour."""
    out = np.empty((rgba.shape[0] - 1, rgba.shape[1] - 1, 4), np.uint8)
    for start in range(0, len(out), 128):  # 32-bit intermediates of a few rows only
        rows = rgba[start : start + 129].astype(np.uint32)
        rows = rows[:-1] * (_FRACTION - part_y) + rows[1:] * part_y
        sums = rows[:, :-1] * (_FRACTION - part_x) + rows[:, 1:] * part_x
        alpha = sums[..., 3:]
        out[start : start + 128, :, :3] = sums[..., :3].astype(np.uint64) * 255 // np.maximum(alpha, 1)
        out[start : start + 128, :, 3:] = alpha // _FRACTION**2
    return out
