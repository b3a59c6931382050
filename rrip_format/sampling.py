"""Families of a slide as pixels: their levels, and which of them stand for the slide."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from . import predict
from .geometry import Geometry
from .overview import pad
from .source import Source

__all__ = ["Image", "Levels", "even_families", "halve_twice", "pad_levels", "read_families", "tissue_families"]

Image = NDArray[np.uint8]
Levels = tuple[Image, Image, Image]

_FAMILIES = 24
"""Families that stand for a slide."""


def read_families(source: Source, geometry: Geometry, row: int, col: int, rows: int = 1, cols: int = 1) -> Image:
    """Level 0 pixels of a rectangle of families, without padding."""
    side = geometry.tile_side(0)
    y, x = row * side, col * side
    return source.read(y, x, min(rows * side, geometry.height - y), min(cols * side, geometry.width - x))


def halve_twice(rgb: Image) -> Levels:
    """Levels 0, 1 and 2 of a rectangle that starts at a tile's corner."""
    half = predict.box2(rgb)
    return rgb, half, predict.box2(half)


def pad_levels(levels: Levels, geometry: Geometry) -> Levels:
    """The levels of one family, padded to whole tiles."""
    first, second, third = (pad(rgb, geometry.tile_side(level)) for level, rgb in enumerate(levels))
    return first, second, third


def even_families(source: Source, geometry: Geometry, count: int = _FAMILIES) -> Iterator[Levels]:
    """Families spread evenly over the slide, without padding."""
    rows, cols = geometry.families
    for index in np.linspace(0, rows * cols - 1, min(rows * cols, count)).round().astype(int).tolist():
        yield halve_twice(read_families(source, geometry, *divmod(index, cols)))


def tissue_families(source: Source, geometry: Geometry) -> list[Levels]:
    """Those with most contrast among three times as many places, most first, padded."""
    chosen: list[tuple[float, int, Levels]] = []
    for index, levels in enumerate(even_families(source, geometry, 3 * _FAMILIES)):
        chosen.append((-float(levels[2].std()), index, levels))
        chosen.sort(key=lambda candidate: candidate[:2])
        del chosen[_FAMILIES:]
    return [pad_levels(levels, geometry) for _, _, levels in chosen]
