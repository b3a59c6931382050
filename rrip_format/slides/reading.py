"""One call from a path to pixels, for people whose habit is ``tifffile.imread``."""

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
        A folder, a zip file, a TIFF file, or a URL that fsspec knows; or a store, as :func:`rrip_format.open` takes it.
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
        If nothing is there; it is a ``FileNotFoundError``.
    FormatError
        If no RRIP container is there.
    ValueError
        If `region` is not four numbers.
    TypeError
        If one of them, or `level`, is not a whole number.
    IndexError
        If there is no such level, or the rectangle reaches outside it.
    MissingTileError, DamagedError
        If a stored tile that it needs is absent or is not what was written.
    LimitError
        If there is not enough memory for it.
    StorageError
        If the container cannot be read.
    """
    if region is not None:
        _check_four(region)  # before any work
    with open_slide(path, storage_options=storage_options, store=store, cache_mib=0) as slide:
        y, x, height, width = region if region is not None else (0, 0, *slide.level_shape(level))
        return slide.read_region(level, y, x, height, width, workers=usable_cores())


def _check_four(region: Sequence[int]) -> None:
    """Raise ``ValueError`` for what are not four numbers."""
    try:
        count = len(region)
    except TypeError:
        count = 0
    if count != 4:
        raise ValueError(f"region is {shown(region)}, expected four numbers (y, x, height, width), px of the level")
