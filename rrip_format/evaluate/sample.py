"""Choose the families of a source to measure, and read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..errors import RripError
from ..spec.geometry import Geometry
from ..tuning.sampling import TISSUE_DEVIATION, Image, Levels, halve_twice, luma_deviation, pad_levels

if TYPE_CHECKING:
    from ..sources import Source

__all__ = ["Family", "Sample", "choose"]


@dataclass(frozen=True, slots=True)
class Family:
    """RGB of levels 0, 1 and 2 of one family, (s, s, 3) uint8, padded to whole tiles."""

    row: int
    col: int
    levels: Levels


class Sample:
    """Families of an open source, which are read on demand.

    Parameters
    ----------
    source : Source
        The source.
    tile : int
        Side of a base tile, px.
    places : list of (row, column)
        Rows and columns of the families.
    passed_over : int
        Number of families that were drawn and rejected because they show glass.
    offset : int
        Offset of the grid of families to the right of and below the slide's corner, px.
    """

    def __init__(
        self, source: Source, tile: int, places: list[tuple[int, int]], passed_over: int = 0, offset: int = 0
    ) -> None:
        width, height = source.info.width - offset, source.info.height - offset
        if min(width, height) < 1:
            raise RripError(
                f"offset is {offset} px, expected less than the width and height of the slide, "
                f"{source.info.width} x {source.info.height} px"
            )
        self.source = source
        self.offset = offset
        self.geometry = Geometry(width, height, tile)
        self.places = places
        self.passed_over = passed_over
        self.family = lru_cache(maxsize=16)(self._read)

    def __len__(self) -> int:
        return len(self.places)

    def _read(self, row: int, col: int) -> Family:
        """Read the pixels of one family."""
        side = self.geometry.tile_side(0)
        y, x = row * side + self.offset, col * side + self.offset
        rgb = self.source.read(y, x, *self.geometry.tile_shape(0, row, col))
        return Family(row, col, pad_levels(halve_twice(rgb), self.geometry))

    def mosaic(self) -> Image:
        """Arrange level 0 of all families in a rectangle as square as possible, (h, w, 3) uint8."""
        rows = max(n for n in range(1, len(self) + 1) if len(self) % n == 0 and n * n <= len(self))
        pixels = [self.family(*place).levels[0] for place in self.places]
        columns = len(self) // rows
        return np.vstack([np.hstack(pixels[r * columns : (r + 1) * columns]) for r in range(rows)])


def choose(source: Source, tile: int, count: int | None, seed: int, offset: int = 0) -> Sample:
    """Draw families at random, without repetition, from those that lie wholly inside the slide and show tissue.

    Parameters
    ----------
    source : Source
        The source.
    tile : int
        Side of a base tile, px.
    count : int or None
        Number of families; None for all, those with glass or cut by the edge included.
    seed : int
        Seed of the random choice.
    offset : int
        As in :class:`Sample`.

    Returns
    -------
    Sample
        The families; those with glass or cut by the slide's edge only if there are no others.
    """
    everything = Sample(source, tile, [], offset=offset)
    geometry = everything.geometry
    side = geometry.tile_side(0)
    places = list(geometry.tiles(0))
    if count is None:
        return Sample(source, tile, places, offset=offset)
    whole = [place for place in places if geometry.tile_shape(0, *place) == (side, side)]
    drawn = whole or places
    order = [drawn[k] for k in np.random.default_rng(seed).permutation(len(drawn))]
    taken: list[tuple[int, int]] = []
    glass: list[tuple[int, int]] = []
    for place in order:
        if len(taken) == count:
            break
        deviation = luma_deviation(everything.family(*place).levels)
        (taken if deviation >= TISSUE_DEVIATION else glass).append(place)
    return Sample(source, tile, sorted(taken or glass[:count]), len(glass), offset)
