"""Write Deep Zoom: one XML file and a folder of JPEG tiles, for web viewers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..concurrency.pool import in_order_on
from ..core.predict import box2
from ..extras import needs
from .tiles import ExportJob, export_side, level_grid

__all__ = ["files_folder", "write_deepzoom"]

_XML = """<?xml version="1.0" encoding="UTF-8"?>
<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="jpeg" Overlap="0" TileSize="{side}">
  <Size Width="{width}" Height="{height}"/>
</Image>
"""


def files_folder(path: Path) -> Path:
    """Return the folder of tiles that belongs to a ``.dzi`` file."""
    return path.with_name(f"{path.stem}_files")


def write_deepzoom(job: ExportJob, path: Path) -> None:
    """Write the tiles, then the ``.dzi`` file.

    Deep Zoom cannot store pixel size, ICC profile and associated images. They are written to files in the folder of the
    levels: ``properties.json``, ``icc_profile.icc`` and ``associated/macro.jpeg``.
    """
    geometry, folder = job.slide.geometry, files_folder(path)
    finest = (max(geometry.width, geometry.height) - 1).bit_length()
    for level in range(geometry.levels):
        target = folder / str(finest - level)
        target.mkdir(parents=True)
        rows, cols = level_grid(geometry, level)
        places = ((level, row, col) for row in range(rows) for col in range(cols))

        def write(place: tuple[int, int, int], target: Path = target) -> None:
            _save(job, job.read(*place), target / f"{place[2]}_{place[1]}.jpeg")

        for _ in in_order_on(job.executor, 4 * job.workers, write, places):
            job.count()
    coarsest = geometry.levels - 1
    smallest = job.slide.read_region(coarsest, 0, 0, *geometry.shape(coarsest))
    for number, rgb in enumerate(_halves(smallest), start=coarsest + 1):
        target = folder / str(finest - number)
        target.mkdir()
        _save(job, rgb, target / "0_0.jpeg")
    _write_attachments(job, folder)
    path.write_text(_XML.format(side=export_side(geometry), width=geometry.width, height=geometry.height), "utf-8")


def _halves(rgb: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Generate pictures of half the size each, down to one pixel."""
    while rgb.shape[:2] != (1, 1):
        rgb = box2(rgb)
        yield rgb


def _save(job: ExportJob, rgb: NDArray[np.uint8], path: Path) -> None:
    with needs("convert", "writing Deep Zoom tiles"):
        from PIL import Image
    subsampling = 0 if job.subsampling == (1, 1) else 2
    Image.fromarray(rgb).save(path, "JPEG", quality=job.quality, subsampling=subsampling)


def _write_attachments(job: ExportJob, folder: Path) -> None:
    about = job.about
    properties: dict[str, Any] = {
        "name": about.source_name,
        "mpp": about.mpp,
        "objective": about.objective,
        "vendor": about.vendor,
    }
    properties["compressions"] = [compression.to_json() for compression in job.history]
    properties["properties"] = dict(sorted(about.properties.items()))
    (folder / "properties.json").write_text(json.dumps(properties, ensure_ascii=False, indent=2), "utf-8")
    if job.icc_profile:
        (folder / "icc_profile.icc").write_bytes(job.icc_profile)
    for name, picture in job.pictures.items():
        (folder / "associated").mkdir(exist_ok=True)
        _save(job, picture, folder / "associated" / f"{name}.jpeg")
