"""The scan of a JPEG stream: from its bits to samples, with every fault an error (ITU-T T.81, F.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jpeg_blocks import ZIGZAG
from .jpeg_codes import ASK, END, read_symbol
from .jpeg_idct import LANES, inverse_dct
from .kernels import inlined, inner

__all__ = ["BLOCKS", "SCAN_PROBLEMS", "SPARE", "decode_scan", "split_scan"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

U, i32, i64, u32 = np.uint64, np.int32, np.int64, np.uint32

SPARE = 160
"""Words behind the last one of a scan: more than the 54 that one damaged block can read past it."""

SCAN_PROBLEMS = {
    21: "JPEG scan holds a code that is none, in block {0}",
    22: "JPEG scan holds more than 64 coefficients, in block {0}",
    23: "JPEG scan ends early, in block {0}",
    24: "JPEG scan goes on after its last block",
    25: "JPEG stream goes on after its end marker, or has a marker in its scan",
    26: "JPEG restart markers are missing, out of order, or more than the scan has intervals",
}
"""By code, what is wrong; the number is the block's."""

_NO_CODE, _TOO_MANY, _EARLY, _LATE, _MARKER, _INTERVALS = SCAN_PROBLEMS

BLOCKS = 65 * LANES
"""Coefficients of a group of blocks, and a place for those that are none."""

_PLACES = np.full(256, 64 * LANES, np.uint64)
_PLACES[:64] = ZIGZAG.astype(np.uint64) * np.uint64(LANES)
"""Where a coefficient of each position in zigzag order goes; behind the block for those that are none."""


@inner
def _next_ff(data: Array, at: Any, stop: Any) -> Any:
    """Where the next byte 0xFF is, `stop` if there is none."""
    at, stop = U(at), U(stop)
    while at + U(32) <= stop:
        found = np.uint8(0)
        for k in range(32):
            found |= np.uint8(data[at + U(k)] == 0xFF)
        if found:
            break
        at += U(32)
    while at < stop and data[at] != 0xFF:
        at += U(1)
    return i64(at)


@inner
def _copy(data: Array, at: int, out: Array, to: int, count: int) -> None:
    for k in range(count):
        out[U(to) + U(k)] = data[U(at) + U(k)]


@inner
def split_scan(data: Array, at: int, interval: int, words: Array, first: Array, bits: Array) -> int:
    """The scan's bits as 32-bit words, without stuffed zeros, each restart interval from a new word.

    `first` and `bits` get the first word and the number of bits of each interval.
    """
    out = words.view(np.uint8)
    stop = data.shape[0] - 2  # the end marker
    to = count = i64(0)  # not typed as the constant first, which would compile what it is passed to twice
    first[0] = 0
    while True:
        here = _next_ff(data, at, stop)
        stuffed = here < stop and data[here + 1] == 0  # in bounds: the end marker comes behind
        length = here - at + (1 if stuffed else 0)
        _copy(data, at, out, to, length)
        to, at = to + length, here + 2
        if stuffed:
            if at > stop:
                return _MARKER
            continue
        bits[count] = 8 * to - 32 * first[count]
        count += 1
        while here < stop and data[here + 1] == 0xFF:  # fill bytes before a marker
            here += 1
        if here >= stop:
            break
        at = here + 2
        if not 0xD0 <= data[here + 1] <= 0xD7:
            return _MARKER
        if interval == 0 or count >= first.shape[0] or data[here + 1] & 7 != (count - 1) & 7:
            return _INTERVALS
        to = (to + 3) // 4 * 4
        first[count] = to // 4
    if count != first.shape[0]:
        return _INTERVALS
    out[to : to + 4] = 0
    used = (to + 3) // 4
    for k in range(used):
        w = words[k]
        w = w << u32(16) | w >> u32(16)
        words[k] = (w & u32(0x00FF00FF)) << u32(8) | w >> u32(8) & u32(0x00FF00FF)
    words[used:] = 0
    return 0


@inlined
def _refill(words: Array, at: Any, bits: Any, have: Any) -> Any:
    """At least 32 bits: where the words are then, the bits, from the upper end, and how many there are.

    There may be 64 already, by which nothing can be shifted.
    """
    more = U(have <= U(32))
    return at + more, bits | (U(words[at]) << U(32) >> (have & U(63))) & (U(0) - more), have + (more << U(5))


@inlined
def _put_pair(e: Any, k: Any, lane: Any, coefficients: Array) -> Any:
    """Both coefficients of an entry of the table of pairs, behind position `k`; the position of the second."""
    first = k + (e >> U(16) & U(255))
    second = first + (e >> U(24) & U(255))
    coefficients[_PLACES[first] + lane] = i32(i64(e << U(16)) >> 48)
    coefficients[_PLACES[second] + lane] = i32(i64(e) >> 48)
    return second


@inlined
def _is_odd(e: Any, to: Any) -> Any:
    """Whether what an entry of the table of pairs says does not hold: it says nothing, or the block is full before."""
    return e & ASK != U(0) or to & U(127) > U(62)


@inlined
def _read_one(
    bits: Any, have: Any, k: Any, kind: Any, lane: Any, row: Any, looked: int, tables: Any, coefficients: Array
) -> Any:
    """One symbol, which may be of any length: the bits then, the position, with ``END`` added at its block's end."""
    single, _, above, offset, symbols = tables
    entry = i64(single[row, kind << U(looked) | bits >> U(64 - looked)])
    taken, run, value = read_symbol(bits, entry, row, kind, looked, above, offset, symbols)
    k += U(run + 1) - kind
    coefficients[_PLACES[k] + lane] = i32(value)
    if k == U(63):  # the block is full
        k += U(END)
    problem = _NO_CODE if taken == 0 else (_TOO_MANY if U(63) < k < U(END) else 0)
    return bits << U(taken), have - U(taken), k, problem


@inlined
def _read_block(
    words: Array, at: Any, bits: Any, have: Any, lane: Any, row: Any, looked: int, tables: Any, coefficients: Array
) -> Any:
    """The coefficients of one block: where the words and bits are then, and the last position or minus a problem."""
    pairs = tables[1]
    k, kind, problem = U(0), U(1), 0  # 1 for DC, 0 for AC
    while k < U(END) and problem == 0:
        at, bits, have = _refill(words, at, bits, have)
        odd = False
        for _ in range(3):  # looks, which take 30 bits at most
            e = pairs[row, kind << U(looked) | bits >> U(64 - looked)]
            to = _put_pair(e, k, lane, coefficients)
            odd = _is_odd(e, to)
            if odd:
                break
            k, kind, bits, have = to, U(0), bits << (e & U(63)), have - (e & U(63))
            if k >= U(END):
                break
        if odd:
            at, bits, have = _refill(words, at, bits, have)
            bits, have, k, problem = _read_one(bits, have, k, kind, lane, row, looked, tables, coefficients)
            kind = U(0)
    return at, bits, have, -problem if problem else i64(k) - END


@inner
def _interval_problem(at: Any, have: Any, first: Any, bits: Any) -> Any:
    """Whether the bits of a restart interval were all used, but for those that fill its last byte."""
    spent = 32 * (i64(at) - first) - i64(have)
    return _EARLY if spent > bits else (_LATE if bits - spent >= 8 else 0)


@inner
def decode_scan(
    scan: Any,
    interval: int,
    looked: int,
    rows: Array,
    tables: Any,
    scale: Array,
    begin: int,
    end: int,
    memory: Any,
    out: Array,
    found: Array,
) -> int:
    """Decode rows of blocks `begin` to `end` of `out` (planes, side, side / 8), whose items are eight samples.

    What stands before has to be read all the same, what stands behind is not looked at.

    Parameters
    ----------
    scan
        The words, and the first word and the number of bits of each interval, of :func:`split_scan`.
    interval, looked : int
        Blocks of each plane in a restart interval, 0 if there is one; how many bits are looked at.
    rows : (planes,) int64
        Which row of the tables each plane has.
    tables
        By row and kind, AC and DC: of one symbol, of pairs, and of long codes, as in :mod:`rrip_format.jpeg_codes`.
    scale : (planes, 64 * LANES) int32
        Quantiser steps, for :func:`rrip_format.jpeg_idct.inverse_dct`.
    memory
        Of ``planes * BLOCKS`` and ``64 * LANES`` int32, ``2 * LANES`` uint32, and twice one int64 a plane.
    """
    words, first, bits_in = scan
    coefficients, work, packed, predicted, last = memory
    planes, side, across = out.shape
    limit = U(words.shape[0] - SPARE)
    bits = have = at = U(0)
    until = interval or side * across  # blocks before the next restart
    part = 0
    predicted[:] = 0
    for row in range(end):
        for left in range(0, across, LANES):
            count = min(LANES, across - left)
            coefficients[:] = 0
            last[:] = 0
            for lane in range(count):
                found[0] = row * across + left + lane
                if until == 0:
                    problem: Any = _interval_problem(at, have, first[part], bits_in[part])
                    if problem:
                        return int(problem)
                    part += 1
                    until = interval
                    bits, have, at = U(0), U(0), U(first[part])
                    predicted[:] = 0
                until -= 1
                for c in range(planes):
                    place = U(c * BLOCKS + lane)
                    at, bits, have, reached = _read_block(
                        words, at, bits, have, place, U(rows[c]), looked, tables, coefficients
                    )
                    if reached < 0:
                        return int(-reached)
                    predicted[c] += coefficients[place]
                    coefficients[place] = i32(predicted[c])
                    last[c] = max(last[c], reached)
                    if at > limit:
                        return _EARLY
            for c in range(planes if row >= begin else 0):
                of_plane = coefficients[c * BLOCKS : (c + 1) * BLOCKS]
                inverse_dct(of_plane, scale[c], last[c], work, packed, out[c], 8 * row, left, count)
    problem = int(_interval_problem(at, have, first[part], bits_in[part]))
    return 0 if problem == _LATE and end < side // 8 else problem
