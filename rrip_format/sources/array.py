"""A source for NumPy, Dask and Zarr arrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.errors import SourceError
from rrip_format.sources.base import WHITE, SlideInfo, Source
from rrip_format.sources.color import to_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ArraySource"]


class ArraySource(Source):
    """A source that reads an array, in memory or computed block by block.

    Parameters
    ----------
    array : array_like
        uint8 of shape (H, W), (H, W, 3), (H, W, 4) with straight alpha, or (3, H, W). A last axis of 3 or 4 is always
        the channel axis: an array of shape (3, H, 3) is three rows high; transpose it if that is wrong.

    Raises
    ------
    SourceError
        If the array has another shape or data type.

    Notes
    -----
    A Dask array is computed block by block with the current scheduler. Missing chunks of a Zarr array are read as its
    fill value, as Zarr specifies.
    """

    def __init__(self, array: Any) -> None:
        self.where = f"array ({type(array).__module__.partition('.')[0]})"
        self._array = array
        if isinstance(array, np.ma.MaskedArray):
            msg = f"{self.where}: is masked, which no picture can show; fill it first, as by array.filled(255)"
            raise SourceError(msg)
        try:
            shape, is_bytes = tuple(int(n) for n in array.shape), np.dtype(array.dtype) == np.uint8
        except (TypeError, ValueError) as error:  # chunks of unknown size, data types of other libraries
            msg = (
                f"{self.where}: found shape {array.shape} of {array.dtype}, which NumPy does not understand; convert "
                "it to a NumPy array first"
            )
            raise SourceError(msg) from error
        self._channel_first = len(shape) == 3 and shape[2] not in {3, 4} and shape[0] == 3
        known = len(shape) == 2 or (len(shape) == 3 and (shape[2] in {3, 4} or self._channel_first))
        if not known or 0 in shape or not is_bytes:
            msg = (
                f"{self.where}: found shape {shape} of {array.dtype}, expected uint8 of shape (H, W), (H, W, 3), "
                "(H, W, 4) or (3, H, W); convert the array first"
            )
            raise SourceError(msg)
        _check_names(array, self.where)
        height, width = shape[1:] if self._channel_first else shape[:2]
        size = getattr(array, "nbytes", None)
        self.info = SlideInfo(
            "array",
            None if size is None else int(size),
            width,
            height,
            None,
            None,
            None,
            None,
            WHITE,
            {},
            None,
            "array",
        )

    def _read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        area = (slice(y, y + height), slice(x, x + width))
        part = self._array[(slice(None), *area) if self._channel_first else area]
        part = part.compute() if hasattr(part, "compute") else part  # Dask's own conversion forgets masks
        if isinstance(part, np.ma.MaskedArray):
            msg = "the block is masked, which no picture can show; fill the array first"
            raise TypeError(msg)
        # A copy, so that a caller who changes a block does not change the array.
        block = np.array(part)
        if block.dtype != np.uint8:
            msg = f"the array gives {block.dtype} though its data type is {self._array.dtype}; correct what computes it"
            raise TypeError(msg)
        return to_rgb(np.moveaxis(block, 0, -1) if self._channel_first else block, self.info.background)

    def fingerprint(self) -> dict[str, str | int]:
        """Return the name and the size; changed values are not noticed."""
        return {"name": "array", "size_bytes": self.info.size_bytes or 0, "mtime_ns": 0}

    def digest(self) -> bytes:
        """Return random bytes, because the values of an array may change."""
        return os.urandom(32)

    def _close(self) -> None:
        self._array = None


def _check_names(array: Any, where: str) -> None:
    """Raise `SourceError` if an array names its dimensions (xarray, Zarr v3), and these are not in the usual order."""
    said = getattr(array, "dims", None) or getattr(getattr(array, "metadata", None), "dimension_names", None)
    if not isinstance(said, tuple):
        return
    names = [str(name).strip().lower() for name in said]
    if "x" in names and "y" in names and names.index("x") < names.index("y"):
        msg = f"{where}: found the dimensions {', '.join(map(str, said))}, expected y before x; transpose it first"
        raise SourceError(msg)
    coordinates = getattr(array, "coords", {})
    for name, size in zip(said, array.shape, strict=False):
        if name not in coordinates or size not in {3, 4}:
            continue
        labels = [str(label).strip().lower() for label in np.asarray(coordinates[name]).tolist()]
        colours = "".join(label[:1] for label in labels)
        if sorted(colours[:3]) == ["b", "g", "r"] and not colours.startswith("rgb"):
            msg = f"{where}: found the channels {', '.join(labels)}, expected red, green, blue; put them in that order"
            raise SourceError(msg)
