"""The reconstruction kernels: prediction and chroma-from-luma, compiled by Numba (spec section 5).

They release the interpreter lock and equal :mod:`rrip_format.reference` bit for bit. All arithmetic is in 16 bits,
which the range proof of spec section 5.6 allows, and every intermediate value is cast to that: so LLVM makes vectors of
16-bit lanes of it. Two samples of a row, an even and an odd one, are read and written as one 16-bit word, for the same
reason: nothing has to be moved from lane to lane.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .colour import Corner, Strides, Window, checked, clip, pixel, put_line, target
from .kernels import inlined, inner, kernel

__all__ = [
    "NOTHING",
    "box2",
    "check_width",
    "coarser_window",
    "filters",
    "reconstruct",
    "reconstruct_into",
    "reconstruct_rgb",
    "up2",
]

U, i16, u16 = np.uint64, np.int16, np.uint16

Plane = NDArray[np.uint8]
Taps = tuple[int, int, int, int]
Residuals = tuple[Plane | None, Plane | None, Plane | None]

_WIDEST = 1024
"""Largest width of a coarse plane, px: half of the largest tile (spec section 12)."""

_LINE = _WIDEST + 16
"""Distance of the lines of the scratch memory; a constant, so that LLVM sees that they do not overlap."""

_EVEN, _ODD, _YCC, _RGB, _LINES = (U(k * _LINE) for k in (6, 7, 8, 11, 14))
"""Where lines begin, behind two filtered rows of each plane: the change of luma in even and in odd samples; as pairs
Y, Cb and Cr; R, G and B; and how much that is."""

NOTHING = np.full((1, _WIDEST), 0x8080, np.uint16)
"""A row of residuals that are zero, for planes that are not stored."""


@inlined
def _centred(a: Any, b: Any, c: Any, d: Any, k0: Any, k1: Any, k2: Any, k3: Any) -> Any:
    """A sample of a filtered row: centring by -128 * 64 and rounding by 16 are one constant."""
    return i16(i16(i16(i16(k0 * a) + i16(k1 * b)) + i16(i16(i16(k2 * c) + i16(k3 * d)) + i16(-8176))) >> 5)


@inner
def _vertical(planes: Any, plane: int, n: int, taps: Any, first: int, stop: int, rows: Any, at: int) -> None:
    """The two rows between which coarse row `n` lies, each with two more samples at both ends (spec section 5.2)."""
    k0, k1, k2, k3 = taps[0], taps[1], taps[2], taps[3]
    height, width = planes.shape[1], planes.shape[2]
    c = U(plane)
    a, b, m = U(max(n - 2, 0)), U(max(n - 1, 0)), U(n)
    d, e = U(min(n + 1, height - 1)), U(min(n + 2, height - 1))
    first, stop = max(first - 2, 0), min(stop + 2, width)
    x0, upper, lower = U(first), U(at + 2 + first), U(at + 2 + first + _LINE)
    for k in range(stop - first):
        x = x0 + U(k)
        v0, v1, v2 = i16(planes[c, a, x]), i16(planes[c, b, x]), i16(planes[c, m, x])
        v3, v4 = i16(planes[c, d, x]), i16(planes[c, e, x])
        rows[upper + U(k)] = _centred(v0, v1, v2, v3, k3, k2, k1, k0)
        rows[lower + U(k)] = _centred(v1, v2, v3, v4, k0, k1, k2, k3)
    for half in range(2):
        i = U(at + half * _LINE)
        rows[i] = rows[i + U(1)] = rows[i + U(2)]
        i += U(width + 1)
        rows[i + U(1)] = rows[i + U(2)] = rows[i]


@inlined
def _horizontal(a: Any, b: Any, c: Any, d: Any, k0: Any, k1: Any, k2: Any, k3: Any) -> Any:
    """One predicted sample less 128, from four of a filtered row."""
    total = i16(i16(i16(i16(k0 * a) + i16(k1 * b)) + i16(i16(k2 * c) + i16(k3 * d))) + i16(64))
    return min(max(i16(total >> 7), i16(-128)), i16(127))


@inlined
def _two(rows: Any, i: Any, k0: Any, k1: Any, k2: Any, k3: Any) -> Any:
    """An even and an odd predicted sample less 128, from the five of a filtered row that begin at `i`."""
    v0, v1, v2, v3, v4 = rows[i], rows[i + U(1)], rows[i + U(2)], rows[i + U(3)], rows[i + U(4)]
    return _horizontal(v3, v2, v1, v0, k0, k1, k2, k3), _horizontal(v1, v2, v3, v4, k0, k1, k2, k3)


@inlined
def _tell(b: Any, change: Any) -> Any:
    """Chroma from luma (spec section 5.4)."""
    return i16(i16(i16(b * change) + i16(32)) >> 6)


@inlined
def _even(pair: Any) -> Any:
    """The first of two samples."""
    return i16(u16(pair) & u16(255))


@inlined
def _odd(pair: Any) -> Any:
    return i16(u16(pair) >> u16(8))


@inlined
def _pair(even: Any, odd: Any) -> Any:
    return i16(u16(even) | u16(u16(odd) << u16(8)))


# A line of the finer level passes through four short loops rather than a long one, whose values would not fit the
# registers. `first` and `count` are in pairs; lines in `rows` begin with the first pair that is wanted.


@inlined
def _luma_line(rows: Any, row: Any, first: Any, count: int, residual: Any, y: Any, taps: Any) -> None:
    """Y and its change by the residual (spec section 5.3), the filtered row being at `row`."""
    k0, k1, k2, k3 = taps[0], taps[1], taps[2], taps[3]
    for k in range(count):
        i = row + first + U(k)
        even, odd = _two(rows, i, k0, k1, k2, k3)
        pair = residual[y, first + U(k)]
        y_even, y_odd = clip(i16(even + _even(pair))), clip(i16(odd + _odd(pair)))
        rows[_EVEN + U(k)] = i16(i16(y_even - even) - i16(128))
        rows[_ODD + U(k)] = i16(i16(y_odd - odd) - i16(128))
        rows[_YCC + U(k)] = _pair(y_even, y_odd)


@inlined
def _chroma_line(
    rows: Any, row: Any, first: Any, count: int, residual: Any, y: Any, taps: Any, b: Any, line: Any
) -> None:
    """Cb or Cr, to the line that begins at `line`."""
    k0, k1, k2, k3 = taps[0], taps[1], taps[2], taps[3]
    for k in range(count):
        i = row + first + U(k)
        even, odd = _two(rows, i, k0, k1, k2, k3)
        pair = residual[y, first + U(k)]
        even = i16(i16(even + _tell(b, rows[_EVEN + U(k)])) + _even(pair))
        odd = i16(i16(odd + _tell(b, rows[_ODD + U(k)])) + _odd(pair))
        rows[line + U(k)] = _pair(clip(even), clip(odd))


@inlined
def _colour_line(rows: Any, count: int) -> None:
    for k in range(count):
        i = _YCC + U(k)
        y, cb, cr = rows[i], rows[i + U(_LINE)], rows[i + U(2 * _LINE)]
        even_r, even_g, even_b = pixel(_even(y), _even(cb), _even(cr))
        odd_r, odd_g, odd_b = pixel(_odd(y), _odd(cb), _odd(cr))
        i = _RGB + U(k)
        rows[i] = _pair(even_r, odd_r)
        rows[i + U(_LINE)] = _pair(even_g, odd_g)
        rows[i + U(2 * _LINE)] = _pair(even_b, odd_b)


@kernel
def reconstruct_into(
    coarse: Any, luma: Any, cb: Any, cr: Any, numbers: Any, window: Any, colour: bool, out: Any, strides: Any
) -> None:
    """The samples of `window` to `out`, which is flat.

    `strides` are those of :data:`rrip_format.colour.Strides`. A residual plane of one row stands for one that is not
    stored.
    """
    top, bottom, left, right = window[0], window[1], window[2], window[3]
    taps, chroma_taps, b_cb, b_cr = numbers[:4], numbers[4:8], numbers[8], numbers[9]
    start, row_stride, plane_stride = strides[0], strides[1], strides[2]
    rows = np.zeros(_LINES, np.int16)
    samples = rows.view(np.uint8)
    luma_step, cb_step, cr_step = U(luma.shape[0] > 1), U(cb.shape[0] > 1), U(cr.shape[0] > 1)
    begin, stop = left // 2, (right + 1) // 2
    first, count = U(begin), stop - begin
    lines = U(2) * (_RGB if colour else _YCC) + U(left % 2)
    for n in range(top // 2, (bottom + 1) // 2):
        _vertical(coarse, 0, n, taps, begin, stop, rows, 0)
        _vertical(coarse, 1, n, chroma_taps, begin, stop, rows, 2 * _LINE)
        _vertical(coarse, 2, n, chroma_taps, begin, stop, rows, 4 * _LINE)
        for half in range(2):
            row, y, at = 2 * n + half, U(2 * n + half), U(half * _LINE)
            if row < top or row >= bottom:
                continue
            _luma_line(rows, at, first, count, luma, y * luma_step, taps)
            _chroma_line(rows, at + U(2 * _LINE), first, count, cb, y * cb_step, chroma_taps, b_cb, _YCC + U(_LINE))
            _chroma_line(rows, at + U(4 * _LINE), first, count, cr, y * cr_step, chroma_taps, b_cr, _YCC + U(2 * _LINE))
            if colour:
                _colour_line(rows, count)
            to = U(start + (row - top) * row_stride)
            put_line(samples, lines, U(2 * _LINE), right - left, out, to, plane_stride)


@kernel
def _up2(planes: Any, taps: Any, out: Any) -> None:
    _, height, width = planes.shape
    k0, k1, k2, k3 = taps[0], taps[1], taps[2], taps[3]
    rows = np.zeros(2 * _LINE, np.int16)
    for n in range(height):
        _vertical(planes, 0, n, taps, 0, width, rows, 0)
        for half in range(2):
            row, start = U(2 * n + half), U(half * _LINE)
            for x in range(width):
                i = start + U(x)
                even, odd = _two(rows, i, k0, k1, k2, k3)
                out[row, x] = u16(_pair(i16(even + i16(128)), i16(odd + i16(128))))


@kernel
def _box2(rgb: Any, out: Any, sums: Any) -> None:
    """`rgb` (h, 3 w) and `out`: with three axes LLVM does not see that samples of a row lie together."""
    height, width = rgb.shape
    for k in range(out.shape[0]):
        y, upper, lower = U(k), U(2 * k), U(min(2 * k + 1, height - 1))
        for n in range(width):
            x = U(n)
            sums[x] = u16(u16(rgb[upper, x]) + u16(rgb[lower, x]))
        for n in range(3):  # an odd column more
            sums[U(width + n)] = sums[U(width - 3 + n)]
        for n in range(out.shape[1] // 3):
            i, x = U(6 * n), U(3 * n)
            out[y, x] = u16(u16(sums[i] + sums[i + U(3)]) + u16(2)) >> u16(2)
            out[y, x + U(1)] = u16(u16(sums[i + U(1)] + sums[i + U(4)]) + u16(2)) >> u16(2)
            out[y, x + U(2)] = u16(u16(sums[i + U(2)] + sums[i + U(5)]) + u16(2)) >> u16(2)


def up2(plane: NDArray[np.uint8], taps: Taps) -> Plane:
    """Fast twin of :func:`rrip_format.reference.up2`."""
    height, width = plane.shape
    check_width(width)
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
    top, _, left, _ = wanted = checked(window, 2 * height, 2 * width)
    out = np.empty((3, 2 * height, 2 * width), np.uint8)
    strides = top * 2 * width + left, 2 * width, 4 * height * width
    _run(coarse, residuals, taps, cfl, chroma_taps, wanted, out, strides, colour=False)
    return out


def reconstruct_rgb(
    coarse: NDArray[np.uint8],
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None = None,
    window: Window | None = None,
    corner: Corner | None = None,
) -> NDArray[np.uint8]:
    """As :func:`reconstruct`, but RGB, and only the window.

    Parameters
    ----------
    corner : Corner, optional
        Where in a picture to put it.

    Returns
    -------
    (3, bottom - top, right - left) uint8
        A view of the picture, if there is one.

    Raises
    ------
    ValueError
        If the window is not in the plane, or does not fit into the picture there.
    """
    _, height, width = coarse.shape
    wanted = checked(window, 2 * height, 2 * width)
    out, strides, rgb = target(wanted, corner)
    _run(coarse, residuals, taps, cfl, chroma_taps, wanted, out, strides, colour=True)
    return rgb


def _run(
    coarse: Plane,
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None,
    window: Window,
    out: Plane,
    strides: Strides,
    *,
    colour: bool,
) -> None:
    _, height, width = coarse.shape
    check_width(width)
    pairs = []
    for plane in residuals:
        if plane is not None and plane.shape != (2 * height, 2 * width):
            raise ValueError(f"residual plane is {plane.shape}, expected {(2 * height, 2 * width)}")
        pairs.append(NOTHING if plane is None else np.ascontiguousarray(plane).view(np.uint16))
    numbers, where = filters(taps, chroma_taps, cfl), np.array(window, np.int64)
    reconstruct_into(
        np.ascontiguousarray(coarse), *pairs, numbers, where, colour, out.reshape(-1), np.array(strides, np.int64)
    )


@functools.lru_cache(64)
def filters(taps: Taps, chroma_taps: Taps | None, cfl: tuple[int, int]) -> NDArray[np.int16]:
    """The numbers of :func:`reconstruct` as :func:`reconstruct_into` takes them."""
    return np.array((*taps, *(chroma_taps or taps), *cfl), np.int16)


def check_width(width: int) -> None:
    """Refuse a coarse plane that the kernels have no memory for, with a ``ValueError``."""
    if width > _WIDEST:
        raise ValueError(f"plane is {width} px wide, expected at most {_WIDEST}")


def box2(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fast twin of :func:`rrip_format.reference.box2`."""
    height, width = rgb.shape[:2]
    out = np.empty((-(-height // 2), -(-width // 2), 3), np.uint8)
    samples = np.ascontiguousarray(rgb).reshape(height, 3 * width)
    _box2(samples, out.reshape(out.shape[0], -1), np.empty(3 * width + 3, np.uint16))
    return out
