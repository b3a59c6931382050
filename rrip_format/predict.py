"""The reconstruction kernels: prediction, chroma-from-luma and colour, compiled by Numba (spec section 5).

They release the interpreter lock and equal :mod:`rrip_format.reference` bit for bit. All arithmetic is in 16 bits,
which the range proof of spec section 5.6 allows, and every intermediate value is cast to that: so LLVM makes vectors of
16-bit lanes of it. Two samples of a row, an even and an odd one, are read and written as one 16-bit word, for the same
reason: nothing has to be moved from lane to lane.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import inlined, inner, kernel

__all__ = [
    "Window",
    "box2",
    "coarser_window",
    "interleave",
    "reconstruct",
    "reconstruct_rgb",
    "rgb_to_exact_ycc",
    "rgb_to_ycc",
    "up2",
    "ycc_to_rgb",
]

Plane = NDArray[np.uint8]
Taps = tuple[int, int, int, int]
Residuals = tuple[Plane | None, Plane | None, Plane | None]
Window = tuple[int, int, int, int]
"""First row, row behind the last, first column, column behind the last."""

U, i16, u16 = np.uint64, np.int16, np.uint16

_WIDEST = 1024
"""Largest width of a coarse plane, px: half of the largest tile (spec section 12)."""

_STRIDE = _WIDEST + 16
"""Distance of filtered rows; a constant, so that LLVM sees that they do not overlap."""

_NOTHING = np.full((1, _WIDEST), 0x8080, np.uint16)
"""A row of residuals that are zero, for planes that are not stored."""


@inner
def _vertical(planes: Any, plane: int, n: int, taps: Any, first: int, stop: int, rows: Any, at: int) -> None:
    """The two rows between which coarse row `n` lies, each with two more samples at both ends (spec section 5.2)."""
    k0, k1, k2, k3 = taps[0], taps[1], taps[2], taps[3]
    height, width = planes.shape[1], planes.shape[2]
    c = U(plane)
    a, b, m = U(max(n - 2, 0)), U(max(n - 1, 0)), U(n)
    d, e = U(min(n + 1, height - 1)), U(min(n + 2, height - 1))
    first, stop = max(first - 2, 0), min(stop + 2, width)
    x0, upper, lower = U(first), U(at + 2 + first), U(at + 2 + first + _STRIDE)
    for k in range(stop - first):  # centring by -128 * 64 and rounding by 16 in one constant
        x = x0 + U(k)
        row = k3 * planes[c, a, x] + k2 * planes[c, b, x] + k1 * planes[c, m, x] + k0 * planes[c, d, x] - 8176
        rows[upper + U(k)] = i16(i16(row) >> 5)
    for k in range(stop - first):
        x = x0 + U(k)
        row = k0 * planes[c, b, x] + k1 * planes[c, m, x] + k2 * planes[c, d, x] + k3 * planes[c, e, x] - 8176
        rows[lower + U(k)] = i16(i16(row) >> 5)
    for half in range(2):
        i = U(at + half * _STRIDE)
        rows[i] = rows[i + U(1)] = rows[i + U(2)]
        i += U(width + 1)
        rows[i + U(1)] = rows[i + U(2)] = rows[i]


@inlined
def _clip(value: Any) -> Any:
    return min(max(value, i16(0)), i16(255))


@inlined
def _horizontal(a: Any, b: Any, c: Any, d: Any, k0: Any, k1: Any, k2: Any, k3: Any) -> Any:
    """One predicted sample from four of a filtered row."""
    total = i16(i16(i16(i16(k0 * a) + i16(k1 * b)) + i16(i16(k2 * c) + i16(k3 * d))) + i16(64))
    return _clip(i16(i16(total >> 7) + i16(128)))


@inlined
def _tell(b: Any, detail: Any) -> Any:
    """Chroma from luma (spec section 5.4)."""
    return i16(i16(i16(b * detail) + i16(32)) >> 6)


@inlined
def _even(pair: Any) -> Any:
    """The residual of the first of two samples."""
    return i16(i16(pair & u16(255)) - i16(128))


@inlined
def _odd(pair: Any) -> Any:
    return i16(i16(pair >> u16(8)) - i16(128))


@inlined
def _pair(even: Any, odd: Any) -> Any:
    return u16(u16(even) | u16(u16(odd) << u16(8)))


@inlined
def _rgb(y: Any, cb: Any, cr: Any) -> Any:
    """The colour of a pixel (spec section 5.5), `cb` and `cr` not clipped yet, without products of more than 16 bits.

    A factor of that section is 65536 i + 256 a + b, and then (factor * c + 32768) >> 16 is
    i * c + ((a * c + (b * c >> 8) + 128) >> 8): of the sum, 256 a * c and 32768 are multiples of 256, so dividing b * c
    by 256 first, downwards, changes nothing. With c in -128 ... 127, a * c and b * c of all factors, and the sums of
    both in G, stay within 20608.
    """
    b, r = i16(_clip(cb) - i16(128)), i16(_clip(cr) - i16(128))
    red = i16(i16(i16(103 * r) + i16(i16(i16(-23 * r) >> 8) + 128)) >> 8)
    fine = i16(i16(i16(-26 * b) + i16(46 * r)) >> 8)
    green = i16(i16(i16(i16(-88 * b) + i16(73 * r)) + i16(fine + 128)) >> 8)
    blue = i16(i16(i16(-58 * b) + i16(i16(i16(-94 * b) >> 8) + 128)) >> 8)
    return _clip(i16(i16(y + r) + red)), _clip(i16(i16(y - r) + green)), _clip(i16(i16(y + i16(b + b)) + blue))


@inner
def _row(
    rows: Any,
    lower: Any,
    first: int,
    count: int,
    luma: Any,
    luma_row: Any,
    cb: Any,
    cb_row: Any,
    cr: Any,
    cr_row: Any,
    taps: Any,
    chroma_taps: Any,
    cfl: Any,
    rgb: bool,
    out: Any,
    row: Any,
    col: Any,
) -> None:
    """One row of the finer level, from filtered rows and residuals (spec section 5.3)."""
    k0, k1, k2, k3 = taps[0], taps[1], taps[2], taps[3]
    c0, c1, c2, c3 = chroma_taps[0], chroma_taps[1], chroma_taps[2], chroma_taps[3]
    b_cb, b_cr = cfl[0], cfl[1]
    start = U(first)
    for k in range(count):
        x = start + U(k)
        i = lower * U(_STRIDE) + x
        v0, v1, v2, v3, v4 = rows[i], rows[i + U(1)], rows[i + U(2)], rows[i + U(3)], rows[i + U(4)]
        even, odd = _horizontal(v3, v2, v1, v0, k0, k1, k2, k3), _horizontal(v1, v2, v3, v4, k0, k1, k2, k3)
        pair = luma[luma_row, x]
        y_even, y_odd = _clip(i16(even + _even(pair))), _clip(i16(odd + _odd(pair)))
        d_even, d_odd = i16(y_even - even), i16(y_odd - odd)

        i += U(2 * _STRIDE)
        v0, v1, v2, v3, v4 = rows[i], rows[i + U(1)], rows[i + U(2)], rows[i + U(3)], rows[i + U(4)]
        even, odd = _horizontal(v3, v2, v1, v0, c0, c1, c2, c3), _horizontal(v1, v2, v3, v4, c0, c1, c2, c3)
        pair = cb[cb_row, x]
        b_even = i16(i16(even + _tell(b_cb, d_even)) + _even(pair))
        b_odd = i16(i16(odd + _tell(b_cb, d_odd)) + _odd(pair))

        i += U(2 * _STRIDE)
        v0, v1, v2, v3, v4 = rows[i], rows[i + U(1)], rows[i + U(2)], rows[i + U(3)], rows[i + U(4)]
        even, odd = _horizontal(v3, v2, v1, v0, c0, c1, c2, c3), _horizontal(v1, v2, v3, v4, c0, c1, c2, c3)
        pair = cr[cr_row, x]
        r_even = i16(i16(even + _tell(b_cr, d_even)) + _even(pair))
        r_odd = i16(i16(odd + _tell(b_cr, d_odd)) + _odd(pair))

        to = col + U(k)
        if rgb:
            even_r, even_g, even_b = _rgb(y_even, b_even, r_even)
            odd_r, odd_g, odd_b = _rgb(y_odd, b_odd, r_odd)
            out[U(0), row, to] = _pair(even_r, odd_r)
            out[U(1), row, to] = _pair(even_g, odd_g)
            out[U(2), row, to] = _pair(even_b, odd_b)
        else:
            out[U(0), row, to] = _pair(y_even, y_odd)
            out[U(1), row, to] = _pair(_clip(b_even), _clip(b_odd))
            out[U(2), row, to] = _pair(_clip(r_even), _clip(r_odd))


@kernel
def _reconstruct(
    coarse: Any, luma: Any, cb: Any, cr: Any, taps: Any, chroma_taps: Any, cfl: Any, window: Any, rgb: bool, out: Any
) -> None:
    """Rows and columns of `window`, in coarse samples, to `out` (3, rows, columns) of pairs.

    `out` begins at the window's first row and column if it is RGB, at the first of the level if it is not. A residual
    plane of one row stands for one that is not stored.
    """
    top, bottom, left, right = window[0], window[1], window[2], window[3]
    rows = np.zeros(6 * _STRIDE, np.int16)
    luma_step, cb_step, cr_step = U(luma.shape[0] > 1), U(cb.shape[0] > 1), U(cr.shape[0] > 1)
    for n in range(top, bottom):
        _vertical(coarse, 0, n, taps, left, right, rows, 0)
        _vertical(coarse, 1, n, chroma_taps, left, right, rows, 2 * _STRIDE)
        _vertical(coarse, 2, n, chroma_taps, left, right, rows, 4 * _STRIDE)
        for half in range(2):
            y = U(2 * n + half)
            sources = luma, y * luma_step, cb, y * cb_step, cr, y * cr_step, taps, chroma_taps, cfl
            if rgb:
                _row(rows, U(half), left, right - left, *sources, True, out, y - U(2 * top), U(0))
            else:
                _row(rows, U(half), left, right - left, *sources, False, out, y, U(left))


@kernel
def _up2(planes: Any, taps: Any, out: Any) -> None:
    _, height, width = planes.shape
    k0, k1, k2, k3 = taps[0], taps[1], taps[2], taps[3]
    rows = np.zeros(2 * _STRIDE, np.int16)
    for n in range(height):
        _vertical(planes, 0, n, taps, 0, width, rows, 0)
        for half in range(2):
            row, start = U(2 * n + half), U(half * _STRIDE)
            for x in range(width):
                i = start + U(x)
                v0, v1, v2, v3, v4 = rows[i], rows[i + U(1)], rows[i + U(2)], rows[i + U(3)], rows[i + U(4)]
                even = _horizontal(v3, v2, v1, v0, k0, k1, k2, k3)
                out[row, x] = _pair(even, _horizontal(v1, v2, v3, v4, k0, k1, k2, k3))


@kernel
def _ycc_to_rgb(planes: Any, out: Any) -> None:
    _, height, width = planes.shape
    for k in range(height):
        row = U(k)
        for x in range(width):
            r, g, b = _rgb(i16(planes[U(0), row, x]), i16(planes[U(1), row, x]), i16(planes[U(2), row, x]))
            out[U(0), row, x] = np.uint8(r)
            out[U(1), row, x] = np.uint8(g)
            out[U(2), row, x] = np.uint8(b)


@kernel
def _interleave(planes: Any, out: Any, top: int, left: int) -> None:
    """To `out` (H, 3 W): with three axes LLVM does not see that it writes every byte of a row."""
    _, height, width = planes.shape
    for k in range(height):
        row, to = U(k), U(top + k)
        for x in range(width):
            i = U(3 * left) + U(3) * U(x)
            out[to, i] = planes[U(0), row, x]
            out[to, i + U(1)] = planes[U(1), row, x]
            out[to, i + U(2)] = planes[U(2), row, x]


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


def up2(plane: NDArray[np.uint8], taps: Taps) -> Plane:
    """Fast twin of :func:`rrip_format.reference.up2`."""
    height, width = plane.shape
    _check_width(width)
    out = np.empty((2 * height, width), np.uint16)
    _up2(np.ascontiguousarray(plane)[None], np.array(taps, np.int16), out)
    return out.view(np.uint8)


def coarser_window(window: Window, height: int, width: int) -> Window:
    """What of a coarser level of `height` x `width` px the samples of `window` are predicted from."""
    top, bottom, left, right = window
    return (
        max(top // 2 - 2, 0),
        min((bottom + 1) // 2 + 2, height),
        max(left // 2 - 2, 0),
        min((right + 1) // 2 + 2, width),
    )


def reconstruct(
    coarse: NDArray[np.uint8],
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None = None,
    window: Window | None = None,
) -> NDArray[np.uint8]:
    """Planes of one residual level from those of the next coarser one (spec section 5.3).

    Parameters
    ----------
    coarse : (3, h, w) uint8
        Y, Cb, Cr of the coarser level; w is 1024 at most.
    residuals : three (2h, 2w) uint8 or None
        Decoded residual planes, 128 = zero; None stands for a plane of 128.
    taps, cfl, chroma_taps
        As in :func:`rrip_format.reference.reconstruct`.
    window : Window, optional
        The part of the finer level that is wanted; what lies outside is undefined then.

    Returns
    -------
    (3, 2h, 2w) uint8
        Y, Cb, Cr.
    """
    _, height, width = coarse.shape
    out = np.empty((3, 2 * height, width), np.uint16)
    _run(coarse, residuals, taps, cfl, chroma_taps, _checked(window, height, width), out, rgb=False)
    return out.view(np.uint8)


def reconstruct_rgb(
    coarse: NDArray[np.uint8],
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None = None,
    window: Window | None = None,
) -> NDArray[np.uint8]:
    """As :func:`reconstruct`, but RGB, and only the window: (3, bottom - top, right - left) uint8."""
    _, height, width = coarse.shape
    top, bottom, left, right = _checked(window, height, width)
    out = np.empty((3, 2 * ((bottom + 1) // 2 - top // 2), (right + 1) // 2 - left // 2), np.uint16)
    _run(coarse, residuals, taps, cfl, chroma_taps, (top, bottom, left, right), out, rgb=True)
    return out.view(np.uint8)[:, top % 2 : top % 2 + bottom - top, left % 2 : left % 2 + right - left]


def _run(
    coarse: Plane,
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None,
    window: Window,
    out: NDArray[np.uint16],
    *,
    rgb: bool,
) -> None:
    _, height, width = coarse.shape
    _check_width(width)
    pairs = []
    for plane in residuals:
        if plane is not None and plane.shape != (2 * height, 2 * width):
            raise ValueError(f"residual plane is {plane.shape}, expected {(2 * height, 2 * width)}")
        pairs.append(_NOTHING if plane is None else np.ascontiguousarray(plane).view(np.uint16))
    top, bottom, left, right = window
    numbers = np.array((*taps, *(chroma_taps or taps), *cfl), np.int16)
    halves = np.array((top // 2, (bottom + 1) // 2, left // 2, (right + 1) // 2), np.int64)
    _reconstruct(np.ascontiguousarray(coarse), *pairs, numbers[:4], numbers[4:8], numbers[8:], halves, rgb, out)


def _checked(window: Window | None, height: int, width: int) -> Window:
    """The window, or all of the finer level, of a coarse one of `height` x `width` px."""
    top, bottom, left, right = window or (0, 2 * height, 0, 2 * width)
    if not (0 <= top < bottom <= 2 * height and 0 <= left < right <= 2 * width):
        raise ValueError(f"window {window} is not in {2 * height} x {2 * width} px")
    return top, bottom, left, right


def _check_width(width: int) -> None:
    if width > _WIDEST:
        raise ValueError(f"plane is {width} px wide, expected at most {_WIDEST}")


def ycc_to_rgb(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB, (3, h, w) uint8, of YCbCr planes of the same shape (spec section 5.5)."""
    out = np.empty(planes.shape, np.uint8)
    _ycc_to_rgb(np.ascontiguousarray(planes), out)
    return out


def interleave(planes: NDArray[np.uint8], out: NDArray[np.uint8], top: int, left: int) -> None:
    """Write planes, (3, h, w) uint8, to the rectangle of (H, W, 3) uint8 that begins at (top, left)."""
    if top + planes.shape[1] > out.shape[0] or left + planes.shape[2] > out.shape[1] or min(top, left) < 0:
        raise ValueError(f"{planes.shape} at ({top}, {left}) is not in {out.shape}")
    _interleave(np.ascontiguousarray(planes), out.reshape(out.shape[0], -1), top, left)


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
