"""Readers of patches of the same slide: those of RRIP, and those of an ordinary pyramid TIFF."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from bench_tissue import Image, all_tissue, mosaic, pyramid, write_ordinary_tiff

import rrip_format
from rrip_format.containers.copying import transmux

__all__ = ["LABELS", "OURS", "Files", "Reader", "check_readers", "make_files", "open_reader"]

OURS = ("rrip", "rrip-tiff", "rrip-zarr", "rrip-tiff-zarr", "rrip-slide")

LABELS = {
    "rrip": "RRIP, direct",
    "rrip-tiff": "RRIP TIFF, direct",
    "rrip-zarr": "RRIP, zarr",
    "rrip-tiff-zarr": "RRIP TIFF, zarr",
    "rrip-slide": "RRIP, RripSlide",
    "tifffile-zarr": "JPEG TIFF, tifffile, zarr",
    "openslide": "JPEG TIFF, OpenSlide",
}
"""Every reader, ours first."""


@dataclass(frozen=True, slots=True)
class Files:
    """One slide in several files of a folder.

    Parameters
    ----------
    shapes : tuple of (height, width)
        Of every level that all files have, px.
    """

    folder: Path
    shapes: tuple[tuple[int, int], ...]

    @property
    def rrip(self) -> Path:
        """Path of the container in a folder."""
        return self.folder / "slide.rrip.zarr"

    @property
    def rrip_tiff(self) -> Path:
        """Path of the container in a TIFF file."""
        return self.folder / "slide.rrip.tif"

    @property
    def tiff(self) -> Path:
        """Path of the ordinary pyramid, JPEG 4:2:0 at quality 90, tiles of 512 px."""
        return self.folder / "ordinary.tif"


Reader = Callable[[int, int, int, int, int], Image]
"""Pixels, (height, width, 3) or (3, height, width) uint8, of level, y, x, height, width."""


def make_files(testdata: Path, folder: Path, megapixels: float) -> Files:
    """Write a mosaic of all kinds of tissue as a container, default quality, and as an ordinary TIFF, quality 90."""
    levels = pyramid(mosaic(all_tissue(testdata), megapixels))
    files = Files(folder, tuple((level.shape[0], level.shape[1]) for level in levels))
    write_ordinary_tiff(files.tiff, levels)
    rrip_format.convert(levels[0], files.rrip)
    transmux(files.rrip, files.rrip_tiff)
    return files


def open_reader(key: str, files: Files) -> AbstractContextManager[Reader]:
    """Open one of ``LABELS``; any number of threads may read from it."""
    if key in {"rrip", "rrip-tiff"}:
        return _direct(files.rrip if key == "rrip" else files.rrip_tiff)
    if key in {"rrip-slide", "openslide"}:
        return _openslide(key, files)
    return _zarr(key, files)


class _Opened(ExitStack):
    """A reader, and what has to be closed afterwards."""

    def __init__(self, read: Reader, *close: Any) -> None:
        super().__init__()
        self._read = read
        for one in close:
            self.enter_context(one)

    def __enter__(self) -> Reader:  # type: ignore[override]
        return self._read


def _direct(path: Path) -> AbstractContextManager[Reader]:
    slide = rrip_format.open(path)
    return _Opened(slide.read_region, slide)


def _zarr(key: str, files: Files) -> AbstractContextManager[Reader]:
    import tifffile
    import zarr

    stores: dict[str, Callable[[], Any]] = {
        "rrip-zarr": lambda: str(files.rrip),
        "rrip-tiff-zarr": lambda: rrip_format.RripStore(files.rrip_tiff),
        "tifffile-zarr": lambda: tifffile.imread(files.tiff, aszarr=True),
    }
    store = stores[key]()
    group = zarr.open_group(store, mode="r")
    arrays: list[Any] = [group[_array(key, level)] for level in range(len(files.shapes))]
    axes = slice(None)

    def read(level: int, y: int, x: int, height: int, width: int) -> Image:
        area = slice(y, y + height), slice(x, x + width)
        found: Image = arrays[level][area if key == "tifffile-zarr" else (axes, *area)]
        return found

    return _Opened(read, *([closing(store)] if hasattr(store, "close") else []))


def _array(key: str, level: int) -> str:
    """Return the path of a level in the group."""
    return str(level) if level < 2 or key == "tifffile-zarr" else f"base/{level - 2}"


def _openslide(key: str, files: Files) -> AbstractContextManager[Reader]:
    import openslide

    slide: Any = openslide.OpenSlide(str(files.tiff)) if key == "openslide" else rrip_format.RripSlide(files.rrip)

    def read(level: int, y: int, x: int, height: int, width: int) -> Image:
        region = slide.read_region((x << level, y << level), level, (width, height))
        return np.asarray(region.convert("RGB"))

    return _Opened(read, slide)


def check_readers(files: Files) -> None:
    """Raise unless all readers show the same tissue at every level, and those of RRIP the same pixels."""
    for level, (height, width) in enumerate(files.shapes):
        size = min(200, height, width)
        area = level, (height - size) // 2, (width - size) // 2, size, size
        found = {}
        for key in LABELS:
            with open_reader(key, files) as read:
                pixels = np.asarray(read(*area)).astype(np.int16)
            found[key] = pixels if pixels.shape[-1] == 3 else pixels.transpose(1, 2, 0)
        wrong = [key for key in OURS if (found[key] != found["rrip"]).any()]
        wrong += [key for key in LABELS if np.abs(found[key] - found["rrip"]).mean() > 8]
        if wrong:
            raise click.ClickException(f"level {level}: other pixels from {', '.join(LABELS[key] for key in wrong)}")
