"""Write ordinary pyramidal TIFF, OME-TIFF and the layout of Aperio slides with tifffile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..concurrency.pool import in_order_on
from ..extras import needs
from ..slides.slide import Level
from .descriptions import describe_aperio, describe_ome, describe_tiff
from .tiles import ExportJob, export_side, level_grid

__all__ = ["Form", "write_tiff"]

_CLASSIC_BYTES = 1 << 31
"""Size of raw pixels up to which a classic TIFF is written; JPEG then stays far below its limit of 4 GiB."""

_BUFFER_BYTES = 1 << 25
"""Size of raw pixels that tifffile collects before it writes."""

_REDUCED = 1
"""NewSubfileType of a smaller version of another picture."""

_APERIO_KINDS = {"label": 1, "macro": 9}
"""NewSubfileType of associated images in an Aperio slide."""

_THUMBNAIL = 1024
"""Longest side of the thumbnail that an Aperio slide has, px, where the container has none."""

Form = Literal["tiff", "ome", "svs"]


def write_tiff(job: ExportJob, path: Path, form: Form) -> None:
    """Write every level as JPEG tiles, finest first, then the associated images, one strip each.

    In an ordinary TIFF the levels are pages, which OpenSlide, libvips and GDAL recognise; in OME-TIFF they are SubIFDs
    of the first page, as its specification requires. An Aperio slide has its thumbnail as the second page, in strips.

    Parameters
    ----------
    job : ExportJob
    path : Path
    form : {"tiff", "ome", "svs"}
    """
    with needs("convert", "writing TIFF"):
        import imagecodecs  # noqa: F401  (tifffile encodes with it)
        import tifffile
    levels, pictures = job.slide.levels, dict(job.pictures)
    pixels = sum(3 * level.width * level.height for level in levels)
    side = export_side(job.slide.geometry)
    with tifffile.TiffWriter(path, bigtiff=pixels > _CLASSIC_BYTES) as tiff:
        for level in levels:
            options = _options(job, job.level_mpp(level.index))
            if level.index:
                options["subfiletype"] = _REDUCED
            elif form == "ome":
                sizes = {name: picture.shape[:2] for name, picture in pictures.items()}
                options["description"] = describe_ome(job, sizes)
                options["subifds"] = len(levels) - 1
            elif form == "tiff":
                options["description"] = describe_tiff(job.about, job.history)
            if form == "svs":
                options["subfiletype"] = 0
                options["description"] = _aperio_level(job, level)
            shape = level.height, level.width, 3
            tiff.write(_tiles(job, level.index), shape=shape, dtype="uint8", tile=(side, side), **options)
            if form == "svs" and level.index == 0:
                small = pictures.pop("thumbnail", None)
                small = job.slide.thumbnail(_THUMBNAIL) if small is None else small
                what = f"-> {small.shape[1]}x{small.shape[0]} -"
                described = describe_aperio(job.slide.geometry.shape(0), job.about, what)
                tiff.write(small, rowsperstrip=small.shape[0], **_options(job, None), description=described)
        for name, picture in pictures.items():
            options = _options(job, None)
            if form == "svs":
                options["description"] = describe_aperio(picture.shape[:2], None, name)
                options["subfiletype"] = _APERIO_KINDS.get(name, _REDUCED)
            elif form == "tiff":
                options["description"] = name
            tiff.write(picture, rowsperstrip=picture.shape[0], **options)


def _aperio_level(job: ExportJob, level: Level) -> bytes:
    """Return the description of a level in an Aperio slide."""
    side, (height, width) = export_side(job.slide.geometry), job.slide.geometry.shape(0)
    smaller = f" -> {level.width}x{level.height}" if level.index else ""
    what = f"[0,0 {width}x{height}] ({side}x{side}){smaller} JPEG/YCC Q={job.quality}"
    return describe_aperio((height, width), job.about, what, () if level.index else job.history)


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
