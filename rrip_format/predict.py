"""The reconstruction kernels: prediction, chroma-from-luma and colour, compiled by Numba (spec section 5).

They release the interpreter lock and equal :mod:`rrip_format.reference` bit for bit. Intermediate rows are stored as
int16, which the range proof of spec section 5.6 allows; separate loops over such rows are what LLVM turns into
16-bit vector arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .kernels import kernel

__all__ = ["box2", "reconstruct", "reconstruct_rgb", "rgb_to_exact_ycc", "rgb_to_ycc", "up2", "ycc_to_rgb"]

Plane = NDArray[np.uint8]
Rows = NDArray[np.int16]
Taps = tuple[int, int, int, int]
Residuals = tuple[Plane | None, Plane | None, Plane | None]

_NO_RESIDUAL = np.empty((0, 0), np.uint8)


@kernel
def _up2(plane: Plane, taps: Rows, out: Plane) -> None:
    """Upsample a plane; every intermediate row fits int16 (spec section 5.6)."""
    height, width = plane.shape
    k0, k1, k2, k3 = taps[0], taps[1], taps[2], taps[3]
    rows = np.empty(width + 4, np.int16)
    even = np.empty(width, np.int16)
    odd = np.empty(width, np.int16)
    for y in range(2 * height):
        near = y >> 1
        step = 1 if y & 1 else -1
        s0 = min(max(near - step, 0), height - 1)
        s2 = min(max(near + step, 0), height - 1)
        s3 = min(max(near + 2 * step, 0), height - 1)
        for x in range(width):
            # centring by -128 * 64 and rounding by 16 in one constant
            row = k0 * plane[s0, x] + k1 * plane[near, x] + k2 * plane[s2, x] + k3 * plane[s3, x] - 8176
            rows[x + 2] = np.int16(row)
        for x in range(2, width + 2):
            rows[x] = np.int16(rows[x] >> 5)
        rows[0] = rows[1] = rows[2]
        rows[width + 2] = rows[width + 3] = rows[width + 1]
        for x in range(width):
            even[x] = np.int16(k3 * rows[x] + k2 * rows[x + 1] + k1 * rows[x + 2] + k0 * rows[x + 3] + 64)
        for x in range(width):
            odd[x] = np.int16(k0 * rows[x + 1] + k1 * rows[x + 2] + k2 * rows[x + 3] + k3 * rows[x + 4] + 64)
        for x in range(width):
            a = np.int16((even[x] >> 7) + 128)
            b = np.int16((odd[x] >> 7) + 128)
            out[y, 2 * x] = np.uint8(min(max(a, np.int16(0)), np.int16(255)))
            out[y, 2 * x + 1] = np.uint8(min(max(b, np.int16(0)), np.int16(255)))


@kernel
def _correct_luma(predicted: Plane, residual: Plane, out: Plane) -> None:
    """Add a residual to the predicted luma (spec section 5.3)."""
    height, width = predicted.shape
    for y in range(height):
        for x in range(width):
            value = np.int16(predicted[y, x] + residual[y, x] - 128)
            out[y, x] = np.uint8(min(max(value, np.int16(0)), np.int16(255)))


@kernel
def _correct_chroma(predicted: Plane, before: Plane, after: Plane, b: np.int16, residual: Plane, out: Plane) -> None:
    """Add to predicted chroma what luma tells, before and after its residual, and a residual if there is one."""
    height, width = predicted.shape
    row = np.empty(width, np.int16)
    for y in range(height):
        for x in range(width):
            row[x] = np.int16(after[y, x] - before[y, x])
        for x in range(width):
            row[x] = np.int16(b * row[x] + 32)
        for x in range(width):
            row[x] = np.int16(predicted[y, x] + (row[x] >> 6))
        if residual.shape[0]:
            for x in range(width):
                row[x] = np.int16(row[x] + residual[y, x] - 128)
        for x in range(width):
            out[y, x] = np.uint8(min(max(row[x], np.int16(0)), np.int16(255)))


@kernel
def _ycc_to_rgb(planes: Plane, out: Plane) -> None:
    """Convert planes to RGB; `out` may be `planes`. Products need 32 bits (spec section 5.5)."""
    _, height, width = planes.shape
    luma = np.empty(width, np.int16)
    cb = np.empty(width, np.int16)
    cr = np.empty(width, np.int16)
    work = np.empty(width, np.int32)
    for y in range(height):
        for x in range(width):
            luma[x] = np.int16(planes[0, y, x])
        for x in range(width):
            cb[x] = np.int16(planes[1, y, x] - 128)
        for x in range(width):
            cr[x] = np.int16(planes[2, y, x] - 128)
        for x in range(width):
            work[x] = np.int32(91881 * cr[x] + 32768)
        for x in range(width):
            value = np.int16(luma[x] + np.int16(work[x] >> 16))
            out[0, y, x] = np.uint8(min(max(value, np.int16(0)), np.int16(255)))
        for x in range(width):
            work[x] = np.int32(-22554 * cb[x] - 46802 * cr[x] + 32768)
        for x in range(width):
            value = np.int16(luma[x] + np.int16(work[x] >> 16))
            out[1, y, x] = np.uint8(min(max(value, np.int16(0)), np.int16(255)))
        for x in range(width):
            work[x] = np.int32(116130 * cb[x] + 32768)
        for x in range(width):
            value = np.int16(luma[x] + np.int16(work[x] >> 16))
            out[2, y, x] = np.uint8(min(max(value, np.int16(0)), np.int16(255)))


@kernel
def _rgb_to_ycc(rgb: Plane, out: Plane) -> None:
    height, width, _ = rgb.shape
    for k in range(height):
        for x in range(width):
            r, g, b = np.int32(rgb[k, x, 0]), np.int32(rgb[k, x, 1]), np.int32(rgb[k, x, 2])
            out[0, k, x] = np.uint8(np.int32(19595 * r + 38470 * g + 7471 * b + 32768) >> 16)
            out[1, k, x] = np.uint8(np.int32(-11059 * r - 21709 * g + 32768 * b + 8421375) >> 16)
            out[2, k, x] = np.uint8(np.int32(32768 * r - 27439 * g - 5329 * b + 8421375) >> 16)


@kernel
def _rgb_to_exact_ycc(rgb: Plane, out: NDArray[np.float32]) -> None:
    height, width, _ = rgb.shape
    unit = np.float32(1 / 65536)
    for k in range(height):
        for x in range(width):
            r, g, b = np.int32(rgb[k, x, 0]), np.int32(rgb[k, x, 1]), np.int32(rgb[k, x, 2])
            out[0, k, x] = np.float32(np.int32(19595 * r + 38470 * g + 7471 * b)) * unit
            out[1, k, x] = np.float32(np.int32(-11059 * r - 21709 * g + 32768 * b + 8388608)) * unit
            out[2, k, x] = np.float32(np.int32(32768 * r - 27439 * g - 5329 * b + 8388608)) * unit


@kernel
def _box2(rgb: Plane, out: Plane) -> None:
    height, width, _ = rgb.shape
    for y in range(out.shape[0]):
        upper = rgb[2 * y]
        lower = rgb[min(2 * y + 1, height - 1)]
        for x in range(out.shape[1]):
            left = 2 * x
            right = min(2 * x + 1, width - 1)
            for k in range(3):
                total = np.int32(upper[left, k]) + np.int32(upper[right, k])
                total += np.int32(lower[left, k]) + np.int32(lower[right, k])
                out[y, x, k] = np.uint8((total + 2) >> 2)


def up2(plane: Plane, taps: Taps) -> Plane:
    """Fast twin of :func:`rrip_format.reference.up2`."""
    height, width = plane.shape
    out = np.empty((2 * height, 2 * width), np.uint8)
    _up2(np.ascontiguousarray(plane), np.array(taps, np.int16), out)
    return out


def reconstruct(
    coarse: NDArray[np.uint8],
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None = None,
) -> NDArray[np.uint8]:
    """Planes of one residual level from those of the next coarser one (spec section 5.3).

    Parameters
    ----------
    coarse : (3, h, w) uint8
        Y, Cb, Cr of the coarser level.
    residuals : three (2h, 2w) uint8 or None
        Decoded residual planes, 128 = zero; None stands for a plane of 128.
    taps, cfl, chroma_taps
        As in :func:`rrip_format.reference.reconstruct`.

    Returns
    -------
    (3, 2h, 2w) uint8
        Y, Cb, Cr.
    """
    _, height, width = coarse.shape
    predicted = np.empty((3, 2 * height, 2 * width), np.uint8)
    luma_filter = np.array(taps, np.int16)
    chroma_filter = luma_filter if chroma_taps is None else np.array(chroma_taps, np.int16)
    for plane, filter_, upsampled in zip(coarse, (luma_filter, chroma_filter, chroma_filter), predicted, strict=True):
        _up2(np.ascontiguousarray(plane), filter_, upsampled)
    planes = [_NO_RESIDUAL if plane is None else np.ascontiguousarray(plane) for plane in residuals]
    for plane in planes:
        if plane is not _NO_RESIDUAL and plane.shape != predicted.shape[1:]:
            raise ValueError(f"residual plane is {plane.shape}, expected {predicted.shape[1:]}")
    out = predicted
    if residuals[0] is not None:
        out = np.empty(predicted.shape, np.uint8)
        _correct_luma(predicted[0], planes[0], out[0])
    for k in (1, 2):
        if out is not predicted or residuals[k] is not None:
            _correct_chroma(predicted[k], predicted[0], out[0], np.int16(cfl[k - 1]), planes[k], out[k])
    return out


def reconstruct_rgb(
    coarse: NDArray[np.uint8],
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None = None,
) -> NDArray[np.uint8]:
    """As :func:`reconstruct`, but RGB, (3, 2h, 2w) uint8."""
    planes = reconstruct(coarse, residuals, taps, cfl, chroma_taps)
    _ycc_to_rgb(planes, planes)
    return planes


def ycc_to_rgb(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB, (3, h, w) uint8, of YCbCr planes of the same shape (spec section 5.5)."""
    out = np.empty(planes.shape, np.uint8)
    _ycc_to_rgb(np.ascontiguousarray(planes), out)
    return out


def rgb_to_ycc(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """YCbCr planes, (3, h, w) uint8, of (h, w, 3) uint8 RGB, as libjpeg converts them."""
    out = np.empty((3, *rgb.shape[:2]), np.uint8)
    _rgb_to_ycc(np.ascontiguousarray(rgb), out)
    return out


def rgb_to_exact_ycc(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """As :func:`rgb_to_ycc` before it rounds, (3, h, w) float32: what an encoder aims at."""
    out = np.empty((3, *rgb.shape[:2]), np.float32)
    _rgb_to_exact_ycc(np.ascontiguousarray(rgb), out)
    return out


def box2(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fast twin of :func:`rrip_format.reference.box2`."""
    height, width = rgb.shape[:2]
    out = np.empty((-(-height // 2), -(-width // 2), 3), np.uint8)
    _box2(np.ascontiguousarray(rgb), out)
    return out
