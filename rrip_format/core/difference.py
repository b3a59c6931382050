"""Residuals for the encoder: unrounded YCbCr of a picture minus a prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import library as lib

__all__ = ["centred", "difference"]


def _less(rgb: NDArray[np.uint8], first: int, count: int, predicted: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    height, width, _ = rgb.shape
    rgb, out = np.ascontiguousarray(rgb), np.empty((count, height, width), np.float32)
    if predicted is not None:
        predicted = np.ascontiguousarray(predicted)
        if predicted.shape != (height, width):
            raise ValueError(f"prediction is {predicted.shape}, expected {(height, width)}")
    less = None if predicted is None else lib.address(predicted)
    minus = lib.library.rrip_difference
    lib.call(minus(lib.core(), lib.address(rgb), height, width, first, count, less, lib.address(out)))
    return out


def difference(rgb: NDArray[np.uint8], plane: int, predicted: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Subtract a prediction from one unrounded YCbCr plane.

    Parameters
    ----------
    rgb : (h, w, 3) uint8
        The picture.
    plane : int
        0, 1, 2 for Y, Cb, Cr.
    predicted : (h, w) uint8
        The prediction of that plane.

    Returns
    -------
    (h, w) float32
        Clipped to -128 … 127, the range of the samples of a stream.
    """
    found: NDArray[np.float32] = _less(rgb, plane, 1, predicted)[0]
    return found


def centred(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert (h, w, 3) uint8 RGB to unrounded YCbCr planes minus 128, (3, h, w) float32."""
    return _less(rgb, 0, 3, None)
