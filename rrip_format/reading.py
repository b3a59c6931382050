"""One call from a path to pixels, for people whose habit is ``tifffile.imread``."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from .slide import open_slide

__all__ = ["imread"]


def imread(
    path: str | os.PathLike[str], level: int = 0, region: tuple[int, int, int, int] | None = None
) -> NDArray[np.uint8]:
    """Read one level of a slide, or a rectangle of it.

    Parameters
    ----------
    path : str or path
        A folder, a zip file, a TIFF file, or a URL that fsspec knows.
    level : int
        0 is the finest.
    region : (y, x, height, width), optional
        Rectangle in px of that level; the whole level if not given.

    Returns
    -------
    (height, width, 3) uint8
        RGB.

    Raises
    ------
    FormatError
        If no RRIP container is there.
    IndexError
        If there is no such level, or the rectangle reaches outside it.
    MissingTileError, DamagedError
        If a stored tile that it needs is absent or is not what was written.
    LimitError
        If there is not enough memory for it.
    StorageError
        If the container cannot be read.
    """
    with open_slide(path) as slide:
        if not 0 <= level < len(slide.levels):
            raise IndexError(
                f"{slide.name}: level {level} does not exist, there are levels 0 … {len(slide.levels) - 1}"
            )
        y, x, height, width = region if region is not None else (0, 0, *slide.geometry.shape(level))
        return slide.read_region(level, y, x, height, width, workers=os.cpu_count() or 1)
