"""The pixels of a slide in the tiles that other formats want."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..slides.slide import Slide
from ..spec.geometry import Geometry, ceil_div
from ..spec.metadata import JPEG, Compression, SlideMetadata

__all__ = ["ExportJob", "export_side", "level_grid", "total_tiles"]

_LARGEST_SIDE = 1024
"""Tiles of other formats are no larger, px: their readers decode whole tiles."""


@dataclass(frozen=True)
class ExportJob:
    """What every export format is given.

    Parameters
    ----------
    slide : Slide
    about : SlideMetadata
        What to tell of the slide, without what may identify a patient unless that is wanted.
    quality : int
        Of JPEG, 1 … 100.
    pictures : dict of (height, width, 3) uint8
        Associated images by name.
    icc_profile : bytes or None
    executor : Executor
        Decodes tiles.
    workers : int
        Its threads.
    count : callable
        To be called once for each tile that is written.
    """

    slide: Slide
    about: SlideMetadata
    quality: int
    pictures: dict[str, NDArray[np.uint8]]
    icc_profile: bytes | None
    executor: Executor
    workers: int
    count: Callable[[], None]

    @property
    def subsampling(self) -> tuple[int, int]:
        """Of chroma: none from quality 90 on, as libvips does it."""
        return (1, 1) if self.quality >= 90 else (2, 2)

    @property
    def history(self) -> list[Compression]:
        """All lossy or other compressions of what is exported, oldest first, this one included (spec section 8.9)."""
        writer = self.slide.metadata.writer
        settings = writer.get("settings")
        quality = settings.get("quality") if isinstance(settings, dict) else None
        known = isinstance(quality, int) and not isinstance(quality, bool) and 1 <= quality <= 100
        subsampling = "4:4:4" if self.subsampling == (1, 1) else "4:2:0"
        return [
            *(self.about.compressions or ()),
            Compression("RRIP", True, quality if known else None),
            Compression(JPEG, True, self.quality, subsampling),
        ]

    def read(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """RGB of one tile of the export grid, cut at the edges of the level."""
        side = export_side(self.slide.geometry)
        rows, cols = self.slide.geometry.shape(level)
        y, x = row * side, col * side
        return self.slide.read_region(level, y, x, min(side, rows - y), min(side, cols - x))


def export_side(geometry: Geometry) -> int:
    """Side of an exported tile, px: a level 0 tile, so that each is decoded once, or an even part of a large one."""
    side = geometry.tile_side(0)
    while side > _LARGEST_SIDE:
        side //= 2
    return side


def level_grid(geometry: Geometry, level: int) -> tuple[int, int]:
    """(rows, columns) of exported tiles of a level."""
    side = export_side(geometry)
    height, width = geometry.shape(level)
    return ceil_div(height, side), ceil_div(width, side)


def total_tiles(geometry: Geometry) -> int:
    """Exported tiles of all levels."""
    return sum(rows * cols for rows, cols in (level_grid(geometry, level) for level in range(geometry.levels)))
