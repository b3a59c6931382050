"""What a residual has to hold: exact YCbCr of a picture less what is predicted, for the encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import kernel

__all__ = ["centred", "difference"]

U, i32, f32 = np.uint64, np.int32, np.float32

_FACTORS = np.array(
    [[19595, 38470, 7471, 0], [-11059, -21709, 32768, 8388608], [32768, -27439, -5329, 8388608]], np.int32
)
"""Of R, G, B and 1 in each plane, times 65536."""


@kernel
def _difference(rgb: Any, factors: Any, predicted: Any, out: Any) -> None:
    """`rgb` is (h, 3 w): with three axes LLVM does not see that samples of a row lie together."""
    planes, height, width = predicted.shape
    unit, least, most = f32(1 / 65536), f32(-128), f32(127)
    for plane in range(planes):
        p = U(plane)
        a, b, c, d = factors[p, 0], factors[p, 1], factors[p, 2], factors[p, 3]
        for k in range(height):
            y = U(k)
            for n in range(width):
                x = U(n)
                i = U(3) * x
                total = i32(
                    i32(i32(a * i32(rgb[y, i])) + i32(b * i32(rgb[y, i + U(1)]))) + i32(c * i32(rgb[y, i + U(2)]))
                )
                value = f32(i32(total + d)) * unit - f32(i32(predicted[p, y, x]))
                out[p, y, x] = min(max(value, least), most)


def _less(rgb: NDArray[np.uint8], factors: NDArray[np.int32], predicted: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The planes of those factors less a prediction of each, (C, h, w)."""
    height, width, _ = rgb.shape
    out = np.empty(predicted.shape, np.float32)
    _difference(np.ascontiguousarray(rgb).reshape(height, 3 * width), factors, predicted, out)
    return out


def difference(rgb: NDArray[np.uint8], plane: int, predicted: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One plane of YCbCr without rounding, less a prediction.

    Parameters
    ----------
    rgb : (h, w, 3) uint8
    plane : int
        0, 1, 2 for Y, Cb, Cr.
    predicted : (h, w) uint8

    Returns
    -------
    (h, w) float32
        Clipped to -128 … 127, as the samples of a stream are.
    """
    found: NDArray[np.float32] = _less(rgb, _FACTORS[plane : plane + 1], predicted[None])[0]
    return found


def centred(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """All three planes, less 128: what :func:`difference` gives without a prediction, (3, h, w) float32."""
    return _less(rgb, _FACTORS, np.full((3, *rgb.shape[:2]), 128, np.uint8))
