"""What a residual has to hold: exact YCbCr of a picture less what is predicted, for the encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import kernel

__all__ = ["difference"]

U, i32, f32 = np.uint64, np.int32, np.float32

_FACTORS = np.array(
    [[19595, 38470, 7471, 0], [-11059, -21709, 32768, 8388608], [32768, -27439, -5329, 8388608]], np.int32
)
"""Of R, G, B and 1 in each plane, times 65536."""


@kernel
def _difference(rgb: Any, factors: Any, predicted: Any, out: Any) -> None:
    """`rgb` is (h, 3 w): with three axes LLVM does not see that samples of a row lie together."""
    height, width = predicted.shape
    a, b, c, d = factors[0], factors[1], factors[2], factors[3]
    unit, least, most = f32(1 / 65536), f32(-128), f32(127)
    for k in range(height):
        y = U(k)
        for n in range(width):
            x = U(n)
            i = U(3) * x
            total = i32(i32(i32(a * i32(rgb[y, i])) + i32(b * i32(rgb[y, i + U(1)]))) + i32(c * i32(rgb[y, i + U(2)])))
            value = f32(i32(total + d)) * unit - f32(i32(predicted[y, x]))
            out[y, x] = min(max(value, least), most)


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
    height, width, _ = rgb.shape
    out = np.empty((height, width), np.float32)
    _difference(np.ascontiguousarray(rgb).reshape(height, 3 * width), _FACTORS[plane], predicted, out)
    return out
