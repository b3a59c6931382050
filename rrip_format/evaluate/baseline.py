"""The usual pyramid, Deep Zoom by libvips, to compare a container with."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..conversion.run import convert
from ..errors import TargetError
from ..family.jpeg import libvips
from ..slides.describing import describe
from ..slides.slide import open_slide
from ..spec.geometry import BASE_LEVEL
from ..storage.workplace import as_target_error

if TYPE_CHECKING:
    from ..sources import Source
    from ..tuning.settings import Settings

__all__ = ["DEEP_ZOOMS", "Sizes", "check_scratch", "container_sizes", "deep_zoom_sizes", "savings"]

DEEP_ZOOMS = {"deep_zoom": ".jpg[Q=90]", "deep_zoom_420": ".jpg[Q=90,subsample_mode=on]"}
"""Suffixes for dzsave, by baseline: quality 90, for which libvips uses 4:4:4, and the same with 4:2:0 chroma."""

_STRIP = 1024
"""Number of rows of a source that are copied at once."""

Json = Any


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a pyramid: level 0, level 1, level 2 and coarser, and metadata."""

    level_0: int
    level_1: int
    level_2_up: int
    metadata: int = 0

    @property
    def total(self) -> int:
        """Bytes of the whole pyramid."""
        return self.level_0 + self.level_1 + self.level_2_up + self.metadata

    def to_json(self, raw_bytes: int) -> dict[str, Json]:
        """Return the sizes for JSON, with the compression ratio to the raw pixels of all levels."""
        return {
            "level_0": self.level_0,
            "level_1": self.level_1,
            "level_2_and_coarser": self.level_2_up,
            "metadata": self.metadata,
            "total": self.total,
            "compression_ratio": round(raw_bytes / self.total, 3),
        }


def _file_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def check_scratch(height: int, width: int) -> None:
    """Check that the temporary folder has room for Deep Zoom pyramids of a picture.

    Raises
    ------
    TargetError
        If less is free than the raw pixels and half as much again for the pyramids.
    """
    folder = Path(tempfile.gettempdir())
    wanted = 3 * height * width * 3 // 2
    with as_target_error(folder):
        free = shutil.disk_usage(folder).free
    if wanted > free:
        raise TargetError(
            f"{folder}: {free} bytes are free, expected about {wanted} for pyramids of {height} x {width} px; "
            "set TMPDIR to a folder with more room, or measure a sample"
        )


def _raw_file(pixels: Source | NDArray[np.uint8], path: Path) -> tuple[int, int]:
    """Write level 0 to a file of raw RGB, strip by strip, so that memory does not grow with the slide."""
    if isinstance(pixels, np.ndarray):
        pixels.tofile(path)
        return pixels.shape[0], pixels.shape[1]
    height, width = pixels.info.height, pixels.info.width
    with path.open("wb") as file:
        for y in range(0, height, _STRIP):
            file.write(pixels.read(y, 0, min(_STRIP, height - y), width).tobytes())
    return height, width


def deep_zoom_sizes(pixels: Source | NDArray[np.uint8]) -> dict[str, Sizes]:
    """Make Deep Zoom pyramids and return their sizes: tiles of 256 px, no overlap, quality 90.

    Parameters
    ----------
    pixels : Source or (h, w, 3) uint8
        Level 0.

    Returns
    -------
    dict of Sizes
        Sizes by the keys of ``DEEP_ZOOMS``.
    """
    vips = libvips()
    found = {}
    with tempfile.TemporaryDirectory(prefix="rrip-evaluate-") as scratch:
        raw = Path(scratch) / "level0.raw"
        with as_target_error(raw):
            height, width = _raw_file(pixels, raw)
        for key, suffix in DEEP_ZOOMS.items():
            image = vips.Image.rawload(str(raw), width, height, 3).copy(interpretation="srgb")
            target = Path(scratch) / key
            image.dzsave(str(target), layout="dz", tile_size=256, overlap=0, suffix=suffix, depth="onepixel")
            folders = [path for path in (Path(scratch) / f"{key}_files").iterdir() if path.is_dir()]
            sizes = [_file_size(path) for path in sorted(folders, key=lambda path: -int(path.name))]
            descriptor = target.with_suffix(".dzi").stat().st_size
            found[key] = Sizes(sizes[0], sum(sizes[1:2]), sum(sizes[2:]), descriptor)
    return found


def container_sizes(source: Any, target: Path, settings: Settings) -> tuple[Sizes, int]:
    """Convert a source; return the sizes of the container and the bytes of its raw pixels, all levels."""
    convert(source, target, settings, overwrite=True)
    with open_slide(target) as slide:
        found = describe(slide)
        raw = sum(3 * level.width * level.height for level in slide.levels)
    sizes = {level["level"]: level["bytes"] for level in found["levels"]}
    coarse = sum(size for level, size in sizes.items() if level >= BASE_LEVEL)
    return Sizes(sizes[0], sizes[1], coarse, found["bytes"]["total"] - sum(sizes.values())), raw


def savings(ours: Sizes, theirs: Sizes) -> dict[str, float]:
    """Return the fraction of bytes that our pyramid saves, by level: 0.4 is 40 % fewer."""
    pairs = {
        "level_0": (ours.level_0, theirs.level_0),
        "level_1": (ours.level_1, theirs.level_1),
        "level_2_and_coarser": (ours.level_2_up, theirs.level_2_up),
        "total": (ours.total, theirs.total),
    }
    return {key: round(1 - a / b, 4) if b else 0.0 for key, (a, b) in pairs.items()}
