"""Read families of a slide, and choose a sample of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Executor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ..core import colour, predict
from ..family.overviews import pad
from ..sources import Source
from ..spec.geometry import Geometry

__all__ = [
    "TISSUE_DEVIATION",
    "Image",
    "Levels",
    "even_families",
    "halve_twice",
    "luma_deviation",
    "pad_levels",
    "read_families",
    "tissue_families",
]

Image = NDArray[np.uint8]
Levels = tuple[Image, Image, Image]

_FAMILIES = 24
"""Number of families that represent a whole slide, glass included."""

_TISSUE_TILE = 64
"""Base tile of the families that represent its tissue, px, whatever that of the container: losses hardly depend on the
tile size, and many small families represent a slide better than a few large ones."""

_PLACES, _AT_ONCE = 192, 8
"""Largest number of families read in search of tissue, and how many at a time."""

TISSUE_DEVIATION = 8.0
"""Least standard deviation of level 2 luma, 8-bit steps, of a family that counts as tissue."""


def read_families(source: Source, geometry: Geometry, row: int, col: int, rows: int = 1, cols: int = 1) -> Image:
    """Read the level 0 pixels of a rectangle of families, without padding."""
    side = geometry.tile_side(0)
    y, x = row * side, col * side
    return source.read(y, x, min(rows * side, geometry.height - y), min(cols * side, geometry.width - x))


def halve_twice(rgb: Image) -> Levels:
    """Return levels 0, 1 and 2 of a rectangle of level 0 that starts at a tile's corner."""
    half = predict.box2(rgb)
    return rgb, half, predict.box2(half)


def pad_levels(levels: Levels, geometry: Geometry) -> Levels:
    """Pad the levels of one family to whole tiles."""
    first, second, third = (pad(rgb, geometry.tile_side(level)) for level, rgb in enumerate(levels))
    return first, second, third


def even_families(source: Source, geometry: Geometry, count: int = _FAMILIES) -> Iterator[Levels]:
    """Read families spread evenly over the slide, without padding."""
    rows, cols = geometry.families
    for index in np.linspace(0, rows * cols - 1, min(rows * cols, count)).round().astype(int).tolist():
        yield halve_twice(read_families(source, geometry, *divmod(index, cols)))


def luma_deviation(levels: Levels) -> float:
    """Return the standard deviation of level 2 luma, 8-bit steps, which is small on glass."""
    return float(colour.rgb_to_exact_ycc(levels[2])[0].std())


def _spread(count: int) -> Iterator[int]:
    """Iterate over 0 … count - 1 in an order whose first members are already spread over the range."""
    step = next(step for step in range(round(0.618 * count), count + 2) if math.gcd(step, count) == 1)
    return (index * step % count for index in range(count))


def tissue_families(source: Source, executor: Executor, count: int) -> list[Levels]:
    """Read small families of tissue, spread over the slide and padded to whole tiles.

    Families that lie wholly inside the slide are preferred. The search ends when there are `count` with tissue; if
    there are none, the two with the most contrast are returned.
    """
    geometry = Geometry(source.info.width, source.info.height, _TISSUE_TILE)
    side = geometry.tile_side(0)
    rows, cols = max(1, geometry.height // side), max(1, geometry.width // side)
    candidates = min(rows * cols, _PLACES)

    def read(candidate: int) -> Levels:
        index = round(candidate * (rows * cols - 1) / max(1, candidates - 1))
        return pad_levels(halve_twice(read_families(source, geometry, *divmod(index, cols))), geometry)

    order, tissue, glass = _spread(candidates), list[Levels](), list[tuple[float, Levels]]()
    while len(tissue) < count and (some := list(islice(order, _AT_ONCE))):
        for levels in executor.map(read, some):
            deviation = luma_deviation(levels)
            if deviation >= TISSUE_DEVIATION:
                tissue.append(levels)
            elif not tissue:
                glass = sorted([*glass, (deviation, levels)], key=lambda pair: -pair[0])[:2]
    return tissue[:count] or [levels for _, levels in glass]
