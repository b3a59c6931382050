"""The pixels of a slide in tiles for other formats."""

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
"""Largest side of exported tiles, px, since readers of other formats decode whole tiles."""


@dataclass(frozen=True)
class ExportJob:
    """Everything that the writers of other formats need.

    Parameters
    ----------
    slide : Slide
        The slide.
    about : SlideMetadata
        Description of the slide, without what may identify a patient unless that is wanted.
    quality : int
        JPEG quality, 1 … 100.
    pictures : dict of (height, width, 3) uint8
        Associated images by name.
    icc_profile : bytes or None
        The ICC profile.
    executor : Executor
        Threads that decode tiles.
    workers : int
        Number of these threads.
    count : callable
        To be called for each tile written.
    showing_label : frozenset of str
        Names of those associated images that show the label, or may show it.
    keeps_identifiers : bool
        Whether `about` has what may identify a patient.
    """

    slide: Slide
    about: SlideMetadata
    quality: int
    pictures: dict[str, NDArray[np.uint8]]
    icc_profile: bytes | None
    executor: Executor
    workers: int
    count: Callable[[], None]
    showing_label: frozenset[str] = frozenset()
    keeps_identifiers: bool = False

    @property
    def subsampling(self) -> tuple[int, int]:
        """Subsampling of chroma: none from quality 90 on, as in libvips."""
        return (1, 1) if self.quality >= 90 else (2, 2)

    @property
    def history(self) -> list[Compression]:
        """All compressions of what is exported, oldest first, this one included (spec section 8.9)."""
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

    def level_mpp(self, level: int) -> tuple[float, float] | None:
        """Return the width and height of a pixel of a level, µm; None if unknown."""
        mpp = self.about.mpp
        return None if mpp is None else (mpp[0] * 2**level, mpp[1] * 2**level)

    def read(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """Read RGB of one exported tile, cropped to the level."""
        side = export_side(self.slide.geometry)
        rows, cols = self.slide.geometry.shape(level)
        y, x = row * side, col * side
        return self.slide.read_region(level, y, x, min(side, rows - y), min(side, cols - x))


def export_side(geometry: Geometry) -> int:
    """Return the side of an exported tile, px: that of a level 0 tile, or an even fraction of it if it is large."""
    side = geometry.tile_side(0)
    while side > _LARGEST_SIDE:
        side //= 2
    return side


def level_grid(geometry: Geometry, level: int) -> tuple[int, int]:
    """Return (rows, columns) of exported tiles of a level."""
    side = export_side(geometry)
    height, width = geometry.shape(level)
    return ceil_div(height, side), ceil_div(width, side)


def total_tiles(geometry: Geometry) -> int:
    """Return the number of exported tiles of all levels."""
    return sum(rows * cols for rows, cols in (level_grid(geometry, level) for level in range(geometry.levels)))
