"""The scan of a JPEG stream: from its bits to samples, with every fault an error (ITU-T T.81, F.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jpeg_blocks import ZIGZAG
from .jpeg_codes import DC_BITS, END, read_symbol
from .jpeg_idct import LANES, inverse_dct
from .kernels import inlined, inner

__all__ = ["SCAN_PROBLEMS", "SPARE", "decode_scan", "split_scan"]

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
def _take(e: Any, bits: Any, have: Any, k: Any, c: Any, lane: Any, coefficients: Array) -> Any:
    """Both symbols of an entry of the table of pairs: bits, their number, positions of the first and the second."""
    length = e & U(63)
    first = k + (e >> U(12) & U(255))
    second = first + (e >> U(20) & U(255))
    coefficients[c, _PLACES[first] + lane] = i32(i64(e << U(20)) >> 52)
    coefficients[c, _PLACES[second] + lane] = i32(i64(e << U(8)) >> 52)
    return bits << length, have - length, first, second


@inlined
def _read_ac(
    words: Array,
    at: Any,
    bits: Any,
    have: Any,
    c: Any,
    looked: int,
    single: Array,
    pairs: Array,
    above: Array,
    offset: Array,
    symbols: Array,
    lane: Any,
    coefficients: Array,
) -> Any:
    """The AC coefficients of one block: where the words and bits are then, and the last position or minus a problem."""
    shift = U(64 - looked)
    first = k = e = U(0)
    was, had = bits, have
    while True:
        more = U(have <= U(32))
        bits |= (U(words[at]) << U(32) >> have) & (U(0) - more)
        at += more
        have += more << U(5)
        e = pairs[c, bits >> shift]
        if i64(e) < 0:  # ask the table of one symbol
            entry = i64(single[c, bits >> shift])
            taken, run, value = read_symbol(bits, entry, False, looked, above[c, 1], offset[c, 1], symbols[c, 1])
            if taken == 0:
                return at, bits, have, -_NO_CODE
            bits <<= U(taken)
            have -= U(taken)
            k += U(run + 1)
            coefficients[c, _PLACES[k] + lane] = i32(value)
            first = U(0)
            if k >= U(63):
                break
            continue
        # Three looks take 30 bits at most, and there are 32.
        was, had = bits, have
        bits, have, first, k = _take(e, bits, have, k, c, lane, coefficients)
        if k >= U(63):
            break
        e = pairs[c, bits >> shift]
        if i64(e) < 0:  # ask the table of one symbol
            continue
        was, had = bits, have
        bits, have, first, k = _take(e, bits, have, k, c, lane, coefficients)
        if k >= U(63):
            break
        e = pairs[c, bits >> shift]
        if i64(e) < 0:  # ask the table of one symbol
            continue
        was, had = bits, have
        bits, have, first, k = _take(e, bits, have, k, c, lane, coefficients)
        if k >= U(63):
            break
    if first == U(63):  # the block was full: what looked like a second symbol is the next block's
        length = e >> U(6) & U(63)
        return at, was << length, had - length, 63
    if k == U(63):
        return at, bits, have, 63
    if k < U(END) or k >= U(END + 63):
        return at, bits, have, -_TOO_MANY
    return at, bits, have, i64(k) - END


@inner
def _interval_problem(at: Any, have: Any, first: Any, bits: Any) -> Any:
    """Whether the bits of a restart interval were all used, but for those that fill its last byte."""
    spent = 32 * (i64(at) - first) - i64(have)
    return _EARLY if spent > bits else (_LATE if bits - spent >= 8 else 0)


@inner
def decode_scan(
    words: Array,
    first: Array,
    bits_in: Array,
    interval: int,
    looked: int,
    dc: Array,
    single: Array,
    pairs: Array,
    above: Array,
    offset: Array,
    symbols: Array,
    scale: Array,
    begin: int,
    end: int,
    out: Array,
    found: Array,
) -> int:
    """Decode rows of blocks `begin` to `end` of `out` (planes, side, side / 8), whose items are eight samples.

    What stands before has to be read all the same, what stands behind is not looked at. The tables have one row a
    plane; those of codes two: DC and AC.
    """
    planes, side, across = out.shape
    limit = U(words.shape[0] - SPARE)
    coefficients = np.zeros((planes, 65 * LANES), np.int32)
    work, packed = np.empty(64 * LANES, np.int32), np.empty(2 * LANES, np.uint32)
    predicted, last = np.zeros(3, np.int64), np.zeros(3, np.int64)
    bits = have = at = U(0)
    until = interval or side * across  # blocks before the next restart
    part = 0
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
                    if have <= U(32):
                        bits |= U(words[at]) << U(32) >> have
                        at += U(1)
                        have += U(32)
                    entry = i64(dc[c, bits >> U(64 - DC_BITS)])
                    taken, value = entry & 31, entry >> 17
                    if entry >> 5 & 15:  # not whole in the table
                        taken, _, value = read_symbol(
                            bits, entry, True, DC_BITS, above[c, 0], offset[c, 0], symbols[c, 0]
                        )
                        if taken == 0:
                            return _NO_CODE
                    predicted[c] += value
                    coefficients[c, lane] = i32(predicted[c])
                    at, bits, have, reached = _read_ac(
                        words,
                        at,
                        bits << U(taken),
                        have - U(taken),
                        U(c),
                        looked,
                        single,
                        pairs,
                        above,
                        offset,
                        symbols,
                        U(lane),
                        coefficients,
                    )
                    if reached < 0:
                        return int(-reached)
                    last[c] = max(last[c], reached)
                    if at > limit:
                        return _EARLY
            for c in range(planes if row >= begin else 0):
                inverse_dct(coefficients[c], scale[c], last[c], work, packed, out[c], 8 * row, left, count)
    problem = int(_interval_problem(at, have, first[part], bits_in[part]))
    return 0 if problem == _LATE and end < side // 8 else problem
