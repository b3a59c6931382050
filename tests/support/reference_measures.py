"""The measures of an encoder in plain NumPy, which the compiled functions equal bit for bit.

Floating-point operations are in the order that is written here: in single precision, but for the last sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint8]
Floats = NDArray[np.float32]
F = np.float32

FACTORS = np.array(
    [[19595, 38470, 7471, 0], [-11059, -21709, 32768, 8388608], [32768, -27439, -5329, 8388608]], np.int32
)
"""Of R, G, B and 1 in Y, Cb and Cr, times 65536."""


def exact_ycc(rgb: Samples) -> Floats:
    """Convert (h, w, 3) RGB to Y, Cb, Cr without rounding, (3, h, w)."""
    r, g, b = np.moveaxis(rgb.astype(np.int32), -1, 0)
    return np.stack([(f[0] * r + f[1] * g + f[2] * b + f[3]).astype(F) * F(1 / 65536) for f in FACTORS])


def difference(rgb: Samples, plane: int, predicted: Samples) -> Floats:
    """Subtract a prediction from one plane of unrounded YCbCr."""
    return np.clip(exact_ycc(rgb)[plane] - predicted.astype(F), F(-128), F(127))


def centred(rgb: Samples) -> Floats:
    """Subtract 128 from all planes of unrounded YCbCr."""
    return np.stack([difference(rgb, plane, np.uint8(128)) for plane in range(3)])


def _filtered(lines: Floats, k: Floats) -> tuple[Floats, Floats]:
    """Filter along the first axis without rounding: even and odd lines of the finer level (spec section 5.2)."""
    count = lines.shape[0]
    at = [lines[np.clip(np.arange(count) + shift, 0, count - 1)] for shift in range(-2, 3)]
    return (
        k[0] * at[3] + k[1] * at[2] + k[2] * at[1] + k[3] * at[0],
        k[0] * at[1] + k[1] * at[2] + k[2] * at[3] + k[3] * at[4],
    )


def _transposed(even: Floats, odd: Floats, k: Floats) -> Floats:
    """Apply the transposed filter along the first axis; what belongs beyond an edge goes to the outermost line."""
    count = even.shape[0]
    e, o = (np.pad(each, ((4, 4), *[(0, 0)] * (each.ndim - 1))) for each in (even, odd))
    e, o = ([each[2 + shift : 2 + shift + count + 4] for shift in range(-2, 3)] for each in (e, o))
    return (k[0] * e[1] + k[1] * e[2] + k[2] * e[3] + k[3] * e[4]) + (
        k[0] * o[3] + k[1] * o[2] + k[2] * o[1] + k[3] * o[0]
    )


def back_project(fine: Floats, coarse: Floats, taps: tuple[int, ...]) -> Floats:
    """Return U^T (fine - U coarse), where U is the upsampling of spec section 5.2 without rounding."""
    k = np.array(taps, F) / F(64)
    height = coarse.shape[0]
    across = [each.T for each in _filtered(coarse.T, k)]  # even and odd columns
    errors = []
    for half in range(2):
        even, odd = (fine[half::2, side::2] - _filtered(across[side], k)[half] for side in range(2))
        lines = _transposed(even.T, odd.T, k)
        inner = lines[2:-2].copy()
        inner[0] += lines[1] + lines[0]
        inner[-1] += lines[-2] + lines[-1]
        errors.append(inner.T)
    lines = _transposed(*errors, k)
    out = lines[2:-2].copy()
    for beyond, edge in ((0, 0), (1, 0), (height + 2, -1), (height + 3, -1)):
        out[edge] += lines[beyond]
    return out


def dissimilarity(first: Floats, second: Floats, window: Floats, c1: np.float32, c2: np.float32) -> float:
    """Return the mean of 1 - SSIM over all positions whose window lies inside (Wang et al. 2004).

    With d the difference of both pictures, SSIM's factors are 1 - mean(d)^2 / (mean_1^2 + mean_2^2 + c1) and
    1 - var(d) / (var_1 + var_2 + c2). Samples are counted from 128.
    """

    def weighted(plane: Floats) -> Floats:
        rows, columns = (side - window.size + 1 for side in plane.shape)
        down = np.zeros((rows, plane.shape[1]), F)
        for k, weight in enumerate(window):
            down += weight * plane[k : k + rows]
        across = np.zeros((rows, columns), F)
        for k, weight in enumerate(window):
            across += weight * down[:, k : k + columns]
        return across

    middle = F(128)
    a, b = first - middle, second - middle
    mean, d, squares, both = (weighted(plane) for plane in (a, a - b, (a - b) * (a - b), a * a + b * b))
    other = mean - d
    contrast = (squares - d * d) / (both - mean * mean - other * other + c2)
    mean, other = mean + middle, other + middle
    luminance = d * d / (mean * mean + other * other + c1)
    losses = (contrast + luminance - contrast * luminance).astype(np.float64)
    return float(np.cumsum(losses)[-1] / losses.size)  # one after the other, which np.sum does not do
