"""Write ordinary pyramidal TIFF and OME-TIFF with tifffile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..concurrency.pool import in_order_on
from ..extras import needs
from ..spec.metadata import history_text
from .tiles import ExportJob, export_side, level_grid

__all__ = ["write_tiff"]

_CLASSIC_BYTES = 1 << 31
"""Size of raw pixels up to which a classic TIFF is written; JPEG then stays far below its limit of 4 GiB."""

_BUFFER_BYTES = 1 << 25
"""Size of raw pixels that tifffile collects before it writes."""

_REDUCED = 1
"""NewSubfileType of a smaller version of another picture."""


def write_tiff(job: ExportJob, path: Path, *, ome: bool) -> None:
    """Write every level as JPEG tiles, finest first, then the associated images, one strip each.

    In an ordinary TIFF the levels are pages, which OpenSlide, libvips and GDAL recognise; in OME-TIFF they are SubIFDs
    of the first page, as its specification requires.
    """
    with needs("convert", "writing TIFF"):
        import imagecodecs  # noqa: F401  (tifffile encodes with it)
        import tifffile
    levels = job.slide.levels
    pixels = sum(3 * level.width * level.height for level in levels)
    with tifffile.TiffWriter(path, bigtiff=pixels > _CLASSIC_BYTES, ome=ome) as tiff:
        for level in levels:
            options = _options(job, level.mpp)
            if level.index:
                options["subfiletype"] = _REDUCED
            elif ome:
                options |= {"subifds": len(levels) - 1, "metadata": _ome(job)}
            else:
                options["description"] = history_text(job.history)
            side = export_side(job.slide.geometry)
            shape = level.height, level.width, 3
            tiff.write(_tiles(job, level.index), shape=shape, dtype="uint8", tile=(side, side), **options)
        for name, picture in job.pictures.items():
            options = _options(job, None)
            options |= {"metadata": {"axes": "YXS", "Name": name}} if ome else {"description": name}
            tiff.write(picture, rowsperstrip=picture.shape[0], **options)


def _options(job: ExportJob, mpp: tuple[float, float] | None) -> dict[str, Any]:
    """Return the options that are common to all pages."""
    options: dict[str, Any] = {
        "photometric": "rgb",  # tifffile converts it to YCbCr
        "compression": "jpeg",
        "compressionargs": {"level": job.quality},
        "subsampling": job.subsampling,
        "maxworkers": job.workers,
        "buffersize": _BUFFER_BYTES,
        "metadata": None,
        "software": f"rrip_format {__version__}",
    }
    if mpp is not None:
        options |= {"resolution": (1e4 / mpp[0], 1e4 / mpp[1]), "resolutionunit": "CENTIMETER"}
    if job.icc_profile:
        options["iccprofile"] = job.icc_profile
    return options


def _ome(job: ExportJob) -> dict[str, Any]:
    """Return OME's description of the slide."""
    about = job.about
    found: dict[str, Any] = {"axes": "YXS", "Name": about.source_name}
    for axis, size in zip("XY", about.mpp or (), strict=False):
        found |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    found["Description"] = history_text(job.history)
    return found


def _tiles(job: ExportJob, level: int) -> Iterator[NDArray[np.uint8]]:
    """Generate the tiles of one level, row by row, padded with their last row and column."""
    side = export_side(job.slide.geometry)
    rows, cols = level_grid(job.slide.geometry, level)

    def read(place: tuple[int, int]) -> NDArray[np.uint8]:
        rgb = job.read(level, *place)
        return np.pad(rgb, ((0, side - rgb.shape[0]), (0, side - rgb.shape[1]), (0, 0)), mode="edge")

    places = ((row, col) for row in range(rows) for col in range(cols))
    for tile in in_order_on(job.executor, 2 * job.workers, read, places):
        job.count()  # before the yield, because no tile is requested after the last
        yield tile
