"""Planes to quantised DCT blocks, chosen by rate and distortion (ITU-T T.81, A.3 and F.1).

Most coefficients of a residual round to zero, so a plane is kept as its DC values and a list of the AC coefficients
that do not: all later work is on that list. Coefficients are in units of their quantiser step. Those in the list may
still become zero: the choice weighs the squared error that it makes against the bits that it saves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import inlined, inner, kernel

__all__ = ["SIZES", "ZIGZAG", "Blocks", "Levels", "block_losses", "choose", "round_levels", "transform"]

Floats = NDArray[np.float32]
U = np.uint64

# fmt: off
ZIGZAG = np.array([
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
])
"""Raster index, 8 · vertical + horizontal frequency, of each coefficient in the order of coding (T.81 figure A.6)."""
# fmt: on

_BLOCKS = 32
"""Blocks that are transformed at once."""

_WIDTH = 8 * _BLOCKS
"""Samples in a row of those; a constant, so that LLVM sees that rows do not overlap and uses vectors."""

_LARGEST = 1023
"""Largest AC magnitude of baseline JPEG (T.81 table F.2: ten bits)."""

_C1, _C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(np.cos(k * np.pi / 16) / 2) for k in range(1, 8))

SIZES = np.array([v.bit_length() for v in range(4096)], np.uint8)
"""Number of bits of a magnitude: its category (T.81 tables F.1 and F.2)."""

_DC_CHOICES = 3
"""DC levels that are tried in each block: the two nearest and the next one towards zero."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """DCT coefficients of C planes of N blocks each, in units of their quantiser step.

    Parameters
    ----------
    dc : (C, N) float32
    first : (C, N + 1) int32
        Where the AC coefficients of each block begin in the next two.
    place : (M,) uint8
        Position in zigzag order, 1 … 63, ascending in each block, of those whose magnitude is at least one half.
    value : (M,) float32
    """

    dc: Floats
    first: NDArray[np.int32]
    place: NDArray[np.uint8]
    value: Floats


@dataclass(frozen=True, slots=True)
class Levels:
    """What the coefficients of a :class:`Blocks` are quantised to: ``dc`` (C, N) and ``ac`` (M,), int16."""

    dc: NDArray[np.int16]
    ac: NDArray[np.int16]


@inlined
def _dct(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any) -> Any:
    """Orthonormal forward DCT of eight samples (T.81 A.3.3)."""
    s0, d0 = x0 + x7, x0 - x7
    s1, d1 = x1 + x6, x1 - x6
    s2, d2 = x2 + x5, x2 - x5
    s3, d3 = x3 + x4, x3 - x4
    return (
        ((s0 + s3) + (s1 + s2)) * _C4,
        d0 * _C1 + d1 * _C3 + d2 * _C5 + d3 * _C7,
        (s0 - s3) * _C2 + (s1 - s2) * _C6,
        d0 * _C3 - d1 * _C7 - d2 * _C1 - d3 * _C5,
        ((s0 + s3) - (s1 + s2)) * _C4,
        d0 * _C5 - d1 * _C1 + d2 * _C7 + d3 * _C3,
        (s0 - s3) * _C6 - (s1 - s2) * _C2,
        d0 * _C7 - d1 * _C5 + d2 * _C3 - d3 * _C1,
    )


@inner
def _dct_columns(plane: Floats, top: int, left: int, count: int, out: Floats) -> None:
    """Vertical frequencies of `count` columns of a plane: to rows that are ``_WIDTH`` apart."""
    y = U(top)
    for k in range(count):
        x, i = U(left + k), U(k)
        f0, f1, f2, f3, f4, f5, f6, f7 = _dct(
            plane[y, x],
            plane[y + U(1), x],
            plane[y + U(2), x],
            plane[y + U(3), x],
            plane[y + U(4), x],
            plane[y + U(5), x],
            plane[y + U(6), x],
            plane[y + U(7), x],
        )
        _put(out, i, f0, f1, f2, f3, f4, f5, f6, f7)


@inner
def _dct_rows(rows: Floats, out: Floats) -> None:
    """Horizontal frequencies h of blocks: vertical ones v are side by side, at ``_WIDTH`` h + ``_BLOCKS`` v."""
    for v in range(8):
        for b in range(_BLOCKS):
            i = U(v * _WIDTH) + U(8) * U(b)
            f0, f1, f2, f3, f4, f5, f6, f7 = _dct(
                rows[i],
                rows[i + U(1)],
                rows[i + U(2)],
                rows[i + U(3)],
                rows[i + U(4)],
                rows[i + U(5)],
                rows[i + U(6)],
                rows[i + U(7)],
            )
            _put(out, U(v * _BLOCKS) + U(b), f0, f1, f2, f3, f4, f5, f6, f7)


@inlined
def _put(out: Floats, i: Any, f0: Any, f1: Any, f2: Any, f3: Any, f4: Any, f5: Any, f6: Any, f7: Any) -> None:
    """Eight frequencies, ``_WIDTH`` apart."""
    out[i] = f0
    out[i + U(_WIDTH)] = f1
    out[i + U(2 * _WIDTH)] = f2
    out[i + U(3 * _WIDTH)] = f3
    out[i + U(4 * _WIDTH)] = f4
    out[i + U(5 * _WIDTH)] = f5
    out[i + U(6 * _WIDTH)] = f6
    out[i + U(7 * _WIDTH)] = f7


@inner
def _order(turned: Floats, scale: Floats, zigzag: Any, scaled: Floats, last: Any) -> None:
    """Coefficients in zigzag order and in units of their step, and the last position of each block that is not zero."""
    half = np.float32(0.5)
    for b in range(_BLOCKS):
        last[U(b)] = 0
    for k in range(64):
        start, to, unit = U(zigzag[k] & 7) * U(_WIDTH) + U(zigzag[k] >> 3) * U(_BLOCKS), U(k * _BLOCKS), scale[U(k)]
        for b in range(_BLOCKS):
            v = turned[start + U(b)] * unit
            scaled[to + U(b)] = v
            last[U(b)] = np.int32(k) if abs(v) >= half else last[U(b)]


@kernel
def _transform(planes: Floats, scales: Floats, zigzag: Any, dc: Floats, first: Any, place: Any, value: Floats) -> int:
    """Fill `dc` (C, N), `first` (C, N + 1) and the lists; returns where those end."""
    count, height, width = planes.shape
    rows, turned = np.zeros(8 * _WIDTH, np.float32), np.zeros(8 * _WIDTH, np.float32)
    scaled, last = np.zeros(64 * _BLOCKS, np.float32), np.zeros(_BLOCKS, np.int32)
    half = np.float32(0.5)
    at = 0
    for c in range(count):
        block = 0
        for top in range(0, height, 8):
            for left in range(0, width, _WIDTH):
                inside = min(_WIDTH, width - left)
                _dct_columns(planes[c], top, left, inside, rows)
                _dct_rows(rows, turned)
                _order(turned, scales[c], zigzag, scaled, last)
                for b in range(inside // 8):
                    dc[c, block] = scaled[b]
                    first[c, block] = at
                    for k in range(1, last[b] + 1):  # writes all and keeps some: a branch would be hard to foresee
                        v = scaled[U(k * _BLOCKS) + U(b)]
                        place[U(at)] = k
                        value[U(at)] = v
                        at += abs(v) >= half
                    block += 1
        first[c, block] = at
    return at


def transform(planes: Floats, scales: Floats) -> Blocks:
    """The DCT of planes.

    Parameters
    ----------
    planes : (C, h, w) float32
        Samples less 128; sides are multiples of 8.
    scales : (C, 64) float32
        One by the quantiser steps of each plane, in zigzag order.
    """
    count, height, width = planes.shape
    blocks = height * width // 64
    dc = np.empty((count, blocks), np.float32)
    first = np.empty((count, blocks + 1), np.int32)
    place, value = np.empty(planes.size + 1, np.uint8), np.empty(planes.size + 1, np.float32)
    end = _transform(planes, scales, ZIGZAG, dc, first, place, value)
    return Blocks(dc, first, place[:end], value[:end])


@kernel
def _round_levels(dc: Floats, value: Floats, offset: np.float32, dc_out: Any, out: Any) -> None:
    for n in range(dc.shape[0]):
        dc_out[n] = np.int16(np.floor(dc[n] + np.float32(0.5)))
    for k in range(value.shape[0]):
        magnitude = min(np.int16(abs(value[k]) + offset), np.int16(_LARGEST))
        out[k] = magnitude if value[k] >= 0 else -magnitude


def round_levels(blocks: Blocks, offset: float) -> Levels:
    """Quantise by rounding; `offset` below one half rounds AC coefficients towards zero, for fewer bits."""
    levels = Levels(np.empty(blocks.dc.shape, np.int16), np.empty(blocks.value.shape, np.int16))
    _round_levels(blocks.dc.ravel(), blocks.value, np.float32(offset), levels.dc.ravel(), levels.ac)
    return levels


@kernel
def _choose_ac(
    first: Any, place: Any, value: Floats, weight: Floats, cost: Floats, cheapest: Floats, end: np.float32, out: Any
) -> None:
    """The cheapest sequence of levels in each block: a shortest path over the coefficients that stay.

    `cost` (11, 63) is that of a level of s bits after a run of zeros, `cheapest` (11,) its least over the runs, `end`
    that of the end-of-block code, in the units of the squared error. Point 0 of a path is the DC coefficient.
    """
    best: Any = np.zeros(64, np.float32)  # cost of the cheapest path that ends at a point
    skipped: Any = np.zeros(64, np.float32)  # squared error if all up to a point were zero
    floor: Any = np.zeros(64, np.float32)  # least `best - skipped` up to a point: bounds paths through earlier points
    where: Any = np.zeros(64, np.int64)
    before: Any = np.zeros(64, np.int64)
    chosen: Any = np.zeros(64, np.int16)
    for n in range(first.shape[0] - 1):
        start, count = U(first[n]), np.int64(first[n + 1] - first[n])
        error = np.float32(0)  # of all up to the point before, if they were zero
        for point in range(1, count + 1):
            t = U(point)
            k = np.int64(place[start + t - U(1)])
            x = abs(value[start + t - U(1)])
            high: Any = min(np.int64(x + np.float32(0.5)), _LARGEST)
            low: Any = high - 1 if high > 1 and x < np.float32(high) else high
            size_high, size_low = U(SIZES[U(high)]), U(SIZES[U(low)])
            error_high = weight[U(k)] * (x - np.float32(high)) * (x - np.float32(high))
            error_low = weight[U(k)] * (x - np.float32(low)) * (x - np.float32(low))
            bound = error + min(error_high + cheapest[size_high], error_low + cheapest[size_low])
            least, level = np.float32(1e30), high
            prior: Any = 0
            for earlier in range(point - 1, -1, -1):
                j = U(earlier)
                if least <= floor[j] + bound:
                    break
                path = best[j] + (error - skipped[j])
                run = U(k - where[j] - 1)
                total = path + (error_high + cost[size_high, run])
                if total < least:
                    least, prior, level = total, earlier, high
                total = path + (error_low + cost[size_low, run])
                if total < least:
                    least, prior, level = total, earlier, low
            best[t], where[t], before[t], chosen[t] = least, k, prior, level
            error = error + weight[U(k)] * x * x
            skipped[t] = error
            floor[t] = min(floor[t - U(1)], least - error)
        least = np.float32(1e30)
        last: Any = 0
        for point in range(count, -1, -1):
            j = U(point)
            total = best[j] + (error - skipped[j]) + (end if where[j] < 63 else np.float32(0))
            if total < least:
                least, last = total, point
        for point in range(count, 0, -1):
            t, i = U(point), start + U(point - 1)
            out[i] = 0
            if point == last:
                out[i] = chosen[t] if value[i] >= 0 else -chosen[t]
                last = before[t]


@kernel
def _choose_dc(dc: Floats, weight: np.float32, cost: Floats, back: Any, tried: Any, out: Any) -> None:
    """The cheapest chain of DC levels of one plane, whose differences are what is coded (T.81 F.1.1.5.1)."""
    count = dc.shape[0]
    so_far = np.zeros(_DC_CHOICES, np.float32)
    totals = np.zeros(_DC_CHOICES, np.float32)
    for n in range(count):
        below = np.int16(np.floor(dc[n]))
        tried[n, 0] = below
        tried[n, 1] = below + 1
        tried[n, 2] = below - 1 if below >= 1 else (below + 2 if below < -1 else 0)
        for a in range(_DC_CHOICES):
            error = dc[n] - np.float32(tried[n, a])
            least = np.float32(1e30)
            for b in range(_DC_CHOICES):
                difference = abs(np.int64(tried[n, a]) - np.int64(tried[n - 1, b] if n else 0))
                total = so_far[b] + cost[SIZES[difference]]
                if total < least:
                    least, back[n, a] = total, b
            totals[a] = least + weight * error * error
        so_far[:] = totals
    a = 0
    for b in range(1, _DC_CHOICES):
        if so_far[b] < so_far[a]:
            a = b
    for n in range(count - 1, -1, -1):
        out[n] = tried[n, a]
        a = back[n, a]


def choose(
    blocks: Blocks, levels: Levels, planes: Iterable[int], weight: Floats, dc_cost: Floats, ac_cost: Floats, end: float
) -> None:
    """Quantise some of the planes again, now knowing what codes cost.

    Parameters
    ----------
    blocks : Blocks
    levels : Levels
        Overwritten where it belongs to `planes`.
    planes : iterable of int
    weight : (64,) float32
        What a squared error of one step counts, in zigzag order.
    dc_cost : (12,) float32
        Cost of a difference by its number of bits, in the same units.
    ac_cost : (11, 63) float32
        Cost of a level by its number of bits and the run of zeros before it.
    end : float
        Cost of the end of a block.
    """
    count = blocks.dc.shape[1]
    back, tried = np.empty((count, _DC_CHOICES), np.uint8), np.empty((count, _DC_CHOICES), np.int16)
    where = blocks.place, blocks.value
    costs = ac_cost, ac_cost.min(axis=1), np.float32(end)
    for c in planes:
        _choose_ac(blocks.first[c], *where, weight, *costs, levels.ac)
        _choose_dc(blocks.dc[c], weight[0], dc_cost, back, tried, levels.dc[c])


@kernel
def _block_losses(
    dc: Floats, first: Any, place: Any, value: Floats, weight: Floats, dc_out: Any, out: Any, most: Any, gain: Floats
) -> bool:
    for n in range(dc.shape[0]):
        error = dc[n] - np.float32(dc_out[n])
        total = weight[0] * (dc[n] * dc[n] - error * error)
        for k in range(first[n], first[n + 1]):
            error = value[k] - np.float32(out[k])
            total += weight[place[k]] * (value[k] * value[k] - error * error)
        gain[n] = total
        if total >= most:
            return False
    return True


def block_losses(blocks: Blocks, levels: Levels, weight: Floats, most: float) -> Floats | None:
    """By how much the squared error of each block of the first plane grows if all levels become zero, (N,) float32.

    None if a block loses `most` or more: in tissue that is soon found.
    """
    gain, values = np.empty(blocks.dc.shape[1], np.float32), (blocks.first[0], blocks.place, blocks.value)
    is_little = _block_losses(blocks.dc[0], *values, weight, levels.dc[0], levels.ac, np.float32(most), gain)
    return gain if is_little else None
