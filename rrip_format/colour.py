"""Colour: between RGB and YCbCr, and where pixels are put (spec section 5.5); compiled by Numba.

As in :mod:`rrip_format.predict`, arithmetic is in 16 bits, so that LLVM makes vectors of 16-bit lanes of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import inlined, inner, kernel

__all__ = [
    "Corner",
    "Strides",
    "Window",
    "checked",
    "clip",
    "interleave",
    "pixel",
    "put_line",
    "rgb_to_exact_ycc",
    "rgb_to_ycc",
    "target",
    "ycc_to_rgb",
]

U, i16 = np.uint64, np.int16

Plane = NDArray[np.uint8]
Strides = tuple[int, int, int]
"""In flat memory: the first sample, and the distances of rows and of planes; 0 of planes, if pixels are interleaved."""

Window = tuple[int, int, int, int]
"""First row, row behind the last, first column, column behind the last."""

Corner = tuple[Plane, int, int]
"""A picture, (H, W, 3) uint8 and contiguous, and the row and column of it where something begins."""


@inlined
def clip(value: Any) -> Any:
    """A 16-bit value to 0 … 255."""
    return min(max(value, i16(0)), i16(255))


@inlined
def pixel(y: Any, cb: Any, cr: Any) -> Any:
    """The colour of a pixel (spec section 5.5), without products of more than 16 bits.

    A factor of that section is 65536 i + 256 a + b, and then (factor * c + 32768) >> 16 is
    i * c + ((a * c + (b * c >> 8) + 128) >> 8): of the sum, 256 a * c and 32768 are multiples of 256, so dividing b * c
    by 256 first, downwards, changes nothing. With c in -128 ... 127, a * c and b * c of all factors, and the sums of
    both in G, stay within 20608.
    """
    b, r = i16(cb - i16(128)), i16(cr - i16(128))
    red = i16(i16(i16(103 * r) + i16(i16(i16(-23 * r) >> 8) + 128)) >> 8)
    fine = i16(i16(i16(-26 * b) + i16(46 * r)) >> 8)
    green = i16(i16(i16(i16(-88 * b) + i16(73 * r)) + i16(fine + 128)) >> 8)
    blue = i16(i16(i16(-58 * b) + i16(i16(i16(-94 * b) >> 8) + 128)) >> 8)
    return clip(i16(i16(y + r) + red)), clip(i16(i16(y - r) + green)), clip(i16(i16(y + i16(b + b)) + blue))


@inner
def put_line(samples: Any, at: Any, apart: Any, count: int, out: Any, to: Any, plane_stride: int) -> None:
    """Three lines of samples to `out`: to three lines that far apart, or sample by sample if `plane_stride` is 0."""
    one, two = at + apart, at + apart + apart
    if plane_stride == 0:
        for k in range(count):
            i = to + U(3) * U(k)
            out[i] = samples[at + U(k)]
            out[i + U(1)] = samples[one + U(k)]
            out[i + U(2)] = samples[two + U(k)]
        return
    for c in range(3):
        i, j = at + U(c) * apart, to + U(c * plane_stride)
        for k in range(count):
            out[j + U(k)] = samples[i + U(k)]


@kernel
def _ycc_to_rgb(planes: Any, window: Any, out: Any, strides: Any) -> None:
    """RGB of `window` to `out`, which is flat, at `strides`."""
    top, bottom, left, right = window[0], window[1], window[2], window[3]
    count = right - left
    samples = np.empty(3 * count, np.uint8)
    one, two = U(count), U(2 * count)
    for n in range(bottom - top):
        row = U(top + n)
        for k in range(count):
            x = U(left) + U(k)
            r, g, b = pixel(i16(planes[U(0), row, x]), i16(planes[U(1), row, x]), i16(planes[U(2), row, x]))
            samples[U(k)] = np.uint8(r)
            samples[one + U(k)] = np.uint8(g)
            samples[two + U(k)] = np.uint8(b)
        put_line(samples, U(0), one, count, out, U(strides[0] + n * strides[1]), strides[2])


@kernel
def _interleave(planes: Any, out: Any, strides: Any) -> None:
    samples, height, width = planes.reshape(planes.size), planes.shape[1], planes.shape[2]
    for n in range(height):
        put_line(samples, U(n * width), U(height * width), width, out, U(strides[0] + n * strides[1]), strides[2])


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


def target(window: Window, corner: Corner | None) -> tuple[Plane, Strides, Plane]:
    """Where RGB of a window goes: new planes, or a place in a picture; flat, its strides, and as (3, height, width)."""
    height, width = window[1] - window[0], window[3] - window[2]
    if corner is None:
        rgb = np.empty((3, height, width), np.uint8)
        return rgb, (0, width, height * width), rgb
    picture, top, left = corner
    if not picture.flags.c_contiguous or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError("picture is not contiguous RGB")
    if top + height > picture.shape[0] or left + width > picture.shape[1] or min(top, left) < 0:
        raise ValueError(f"{height} x {width} px at ({top}, {left}) are not in {picture.shape[:2]}")
    row_stride = 3 * picture.shape[1]
    part = picture[top : top + height, left : left + width]
    return picture, (top * row_stride + 3 * left, row_stride, 0), part.transpose(2, 0, 1)


def checked(window: Window | None, height: int, width: int) -> Window:
    """The window, or all of a level of `height` x `width` px."""
    top, bottom, left, right = window or (0, height, 0, width)
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(f"window {window} is not in {height} x {width} px")
    return top, bottom, left, right


def ycc_to_rgb(
    planes: NDArray[np.uint8], window: Window | None = None, corner: Corner | None = None
) -> NDArray[np.uint8]:
    """RGB of YCbCr planes, (3, h, w) uint8, or of a window of them (spec section 5.5).

    Parameters, result and errors as in :func:`target`.
    """
    wanted = checked(window, *planes.shape[1:])
    out, strides, rgb = target(wanted, corner)
    _ycc_to_rgb(np.ascontiguousarray(planes), np.array(wanted, np.int64), out.reshape(-1), np.array(strides, np.int64))
    return rgb


def interleave(planes: NDArray[np.uint8], corner: Corner) -> None:
    """Put planes, (3, h, w) uint8, to a place in a picture; errors as in :func:`target`."""
    out, strides, _ = target((0, planes.shape[1], 0, planes.shape[2]), corner)
    _interleave(np.ascontiguousarray(planes), out.reshape(-1), np.array(strides, np.int64))


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
