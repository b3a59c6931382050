"""The frames of one level of a DICOM image: JPEG tiles of the container as they are, or encoded anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..concurrency.pool import in_order_on
from ..errors import RripError
from ..family.decode import decode_tile
from ..spec.geometry import BASE_LEVEL, Geometry
from ..spec.tile import split_tile
from .tiles import ExportJob, export_side, level_grid

__all__ = ["LevelFrames", "encode_jpeg", "exported_levels", "level_frames", "total_frames"]

_FINEST_STEPS = 100
"""JPEG quality of empty tiles among those that are copied: all steps are 1, so that their colour is kept."""


@dataclass(frozen=True)
class LevelFrames:
    """The frames of a level.

    Parameters
    ----------
    level : int
    side : int
        Height and width of a frame, px.
    grid : (rows, columns)
        Number of frames.
    is_copied : bool
        Whether they are the JPEG tiles of the container.
    make : callable
        Returns the JPEG of the frame at (row, column).
    """

    level: int
    side: int
    grid: tuple[int, int]
    is_copied: bool
    make: Callable[[tuple[int, int]], bytes]

    def stream(self, job: ExportJob) -> Iterator[bytes]:
        """Generate the frames row by row, made by the threads of the job."""
        rows, cols = self.grid
        places = ((row, col) for row in range(rows) for col in range(cols))
        for frame in in_order_on(job.executor, 2 * job.workers, self.make, places):
            job.count()  # before the yield, because no frame is requested after the last
            yield frame


def exported_levels(geometry: Geometry) -> list[int]:
    """Return the levels that become instances: all but a second one 1 px wide, as OpenSlide orders them by width."""
    widths = [geometry.shape(level)[1] for level in range(geometry.levels)]
    return [level for level, width in enumerate(widths) if width not in widths[:level]]


def total_frames(geometry: Geometry) -> int:
    """Return the number of frames of all levels."""
    grids = [level_grid(geometry, level) for level in exported_levels(geometry)]
    return sum(rows * cols for rows, cols in grids)


def level_frames(job: ExportJob, level: int) -> LevelFrames:
    """Return the frames of a level, which have the same side on all levels, because wsidicom leaves out other levels.

    Where JPEG tiles of the container have that side too, they are copied, once they have been decoded without an error.
    """
    geometry = job.slide.geometry
    side, grid = export_side(geometry), level_grid(geometry, level)
    if level >= BASE_LEVEL and geometry.tile_side(level) == side:
        return LevelFrames(level, side, grid, True, lambda place: _stored_jpeg(job, level, *place))

    def encode(place: tuple[int, int]) -> bytes:
        rgb = job.read(level, *place)
        padded = np.pad(rgb, ((0, side - rgb.shape[0]), (0, side - rgb.shape[1]), (0, 0)), mode="edge")
        return encode_jpeg(padded, job.quality, job.subsampling)

    return LevelFrames(level, side, grid, False, encode)


def _stored_jpeg(job: ExportJob, level: int, row: int, col: int) -> bytes:
    """Return the JPEG of a stored tile, or that of an empty one."""
    container, coding = job.slide.container, job.slide.metadata.coding
    if coding.is_empty(level, row, col):
        return _plain_jpeg(coding.background, coding.geometry.tile_side(level))
    try:
        tile = container.read_tile(level, row, col)
        decode_tile(coding, level, row, col, [tile])  # which raises where it is missing or damaged
        (stream,) = split_tile(tile or b"", coding.place(level, row, col), 1)
    except RripError as error:
        raise error.within(container.name) from error
    return bytes(stream or b"")


@lru_cache(8)
def _plain_jpeg(colour: tuple[int, int, int], side: int) -> bytes:
    return encode_jpeg(np.full((side, side, 3), colour, np.uint8), _FINEST_STEPS, (1, 1))


def encode_jpeg(rgb: NDArray[np.uint8], quality: int, subsampling: tuple[int, int]) -> bytes:
    """Encode RGB (height, width, 3) uint8 as baseline JPEG in YCbCr."""
    import imagecodecs

    sampling = "444" if subsampling == (1, 1) else "420"
    encoded = imagecodecs.jpeg8_encode(
        np.ascontiguousarray(rgb), level=quality, colorspace="RGB", outcolorspace="YCBCR", subsampling=sampling
    )
    return bytes(encoded)
