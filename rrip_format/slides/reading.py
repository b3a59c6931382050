"""Read pixels with a single call, like ``tifffile.imread``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..concurrency.pool import usable_cores
from ..errors import shown
from .slide import open_slide

__all__ = ["imread"]


def imread(
    path: Any,
    level: int = 0,
    *,
    region: Sequence[int] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    store: Any = None,
) -> NDArray[np.uint8]:
    """Read one level of a slide, or a rectangle of it.

    Parameters
    ----------
    path : str, path or store
        A folder, zip archive, TIFF file or URL; or a store, as for :func:`rrip_format.open`.
    level : int
        0 is the finest.
    region : (y, x, height, width), optional
        Rectangle in px of that level; the whole level if not given.
    storage_options : mapping, optional
        Options of the file system of a URL, as for :func:`rrip_format.open`.
    store : obstore or Zarr store, optional
        Store in which the path is a key, as for :func:`rrip_format.open`.

    Returns
    -------
    (height, width, 3) uint8
        RGB.

    Raises
    ------
    NotFoundError
        If it does not exist; it is a ``FileNotFoundError``.
    FormatError
        If it is not an RRIP container.
    ValueError
        If `region` does not have four items.
    TypeError
        If an item of `region`, or `level`, is not a whole number.
    IndexError
        If there is no such level, or the rectangle reaches outside it.
    MissingTileError, DamagedError
        If a required tile is missing or damaged.
    LimitError
        If there is not enough memory.
    StorageError
        If the container cannot be read.
    """
    if region is not None:
        _check_four(region)  # before any work
    with open_slide(path, storage_options=storage_options, store=store, cache_mib=0) as slide:
        y, x, height, width = region if region is not None else (0, 0, *slide.level_shape(level))
        return slide.read_region(level, y, x, height, width, workers=usable_cores())


def _check_four(region: Sequence[int]) -> None:
    """Raise ``ValueError`` unless a region has four items."""
    try:
        count = len(region)
    except TypeError:
        count = 0
    if count != 4:
        raise ValueError(f"region is {shown(region)}, expected four numbers (y, x, height, width), px of the level")
