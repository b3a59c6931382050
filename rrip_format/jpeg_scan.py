"""The scan of a JPEG stream: from its bits to samples, with every fault an error (ITU-T T.81, F.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jpeg_blocks import ZIGZAG
from .jpeg_codes import END, read_symbol
from .jpeg_idct import LANES, inverse_dct
from .kernels import inlined, inner

__all__ = ["BLOCKS", "SCAN_PROBLEMS", "SPARE", "decode_scan", "split_scan"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

U, i16, i64, u32 = np.uint64, np.int16, np.int64, np.uint32

SPARE = 8
"""Words behind the last one of a scan: more than are read past it before that is noticed."""

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

_BY_LANE = np.full((LANES + 1, END), 64 * LANES, np.uint16)
_BY_LANE[:LANES, :64] = ZIGZAG * LANES + np.arange(LANES)[:, None]
_PLACES = _BY_LANE.reshape(-1)
"""Where a coefficient of each lane and position in zigzag order goes; behind the blocks for those that are none.

There is one lane more, because an end puts a zero into the next block: before that is read, so that it does no harm.
"""

_LAST = U(62)
"""The last position behind which there can be another, in a block that has not ended."""


@inlined
def _four(data: Array, at: Any) -> Any:
    """Four bytes, the first one uppermost: LLVM makes one load of it."""
    upper = u32(data[at]) << u32(24) | u32(data[at + U(1)]) << u32(16)
    return upper | u32(data[at + U(2)]) << u32(8) | u32(data[at + U(3)])


@inlined
def _has_ff(eight: Any) -> Any:
    """Whether one of eight bytes is 0xFF: then something is borrowed from its complement."""
    return ((~eight - U(0x0101010101010101)) & eight & U(0x8080808080808080)) != U(0)


@inner
def split_scan(data: Array, at: int, interval: int, words: Array, first: Array, bits: Array) -> int:
    """The scan's bits as 32-bit words, without stuffed zeros, each restart interval from a new word.

    `first` and `bits` get the first word and the number of bits of each interval.
    """
    stop = data.shape[0] - 2  # the end marker
    to = count = i64(0)  # not typed as the constant first, which would compile what it is passed to twice
    held, some = U(0), U(0)  # bits that do not fill a word yet: the lowest ones, and how many
    first[0] = 0
    while True:
        if at + 8 <= stop:
            eight = U(_four(data, U(at))) << U(32) | U(_four(data, U(at) + U(4)))
            if not _has_ff(eight):
                upper = held << U(32) | eight >> U(32)
                held = eight
                words[U(to)] = u32(upper >> some)
                words[U(to) + U(1)] = u32((upper << U(32) | U(u32(eight))) >> some)
                to, at = to + 2, at + 8
                continue
        if at < stop and (data[U(at)] != 0xFF or data[U(at) + U(1)] == 0):  # in bounds: the end marker comes behind
            held, some = held << U(8) | U(data[U(at)]), some + U(8)
            if some == U(32):
                words[U(to)] = u32(held)
                to, some = to + 1, U(0)
            at += 2 if data[U(at)] == 0xFF else 1
            continue
        bits[count] = 32 * (to - first[count]) + i64(some)
        count += 1
        if some:
            words[to] = u32(held << (U(32) - some))
            to, some = to + 1, U(0)
        while at < stop and data[at + 1] == 0xFF:  # fill bytes before a marker
            at += 1
        if at >= stop:
            break
        if not 0xD0 <= data[at + 1] <= 0xD7:
            return _MARKER
        if interval == 0 or count >= first.shape[0] or data[at + 1] & 7 != (count - 1) & 7:
            return _INTERVALS
        first[count] = to
        at += 2
    if count != first.shape[0]:
        return _INTERVALS
    words[to:] = 0
    return 0


@inlined
def _refill(words: Array, at: Any, bits: Any, have: Any) -> Any:
    """64 bits, from the upper end: where the words are then, the bits, and how many of them come before that.

    These are 32 at least, 63 at most; the other bits are those of the words from there on.
    """
    bits |= (U(words[at]) << U(32) | U(words[at + U(1)])) >> have
    return at + (have >> U(5) ^ U(1)), bits, have | U(32)


@inlined
def _start(words: Array, at: Any) -> Any:
    """Where the words and bits are at the beginning of an interval."""
    return U(at), U(words[U(at)]) << U(32), U(0)


@inlined
def _put_pair(e: Any, k: Any, coefficients: Array) -> Any:
    """The coefficients of an entry of the table of pairs, behind position `k`; the position of the last."""
    first, to = k + (e >> U(11) & U(31)), k + U(u32(e) >> u32(24))
    coefficients[U(_PLACES[first])] = i16(e >> U(32))
    coefficients[U(_PLACES[to])] = i16(e >> U(48))
    return to


@inlined
def _read_one(bits: Any, have: Any, k: Any, kind: Any, row: Any, looked: int, tables: Any, coefficients: Array) -> Any:
    """One symbol, which may be of any length: the bits then, the position, with ``END`` added at its block's end."""
    single, _, above, offset, symbols = tables
    entry = i64(single[row, kind << U(looked) | bits >> U(64 - looked)])
    taken, run, value = read_symbol(bits, entry, row, kind, looked, above, offset, symbols)
    to = k + U(run + 1) - kind
    coefficients[U(_PLACES[to])] = i16(value)
    problem = _NO_CODE if taken == 0 else 0
    if run < END - 1:
        last = to & U(END - 1)
        if last > U(63):
            problem = _TOO_MANY
        if last == U(63) and taken > 0:  # the block is full
            to += U(END)
    return bits << U(taken), have - U(taken), to, problem


@inlined
def _read_blocks(
    words: Array,
    limit: Any,
    at: Any,
    bits: Any,
    have: Any,
    k: Any,
    stop: Any,
    row: Any,
    looked: int,
    tables: Any,
    coefficients: Array,
) -> Any:
    """The coefficients of the blocks between two positions, DC as it is stored.

    Positions count ``END`` for a block. Returns where the words and bits are then, the position, all positions of last
    coefficients by "or", and what is wrong. Nothing branches where one block of several ends, which cannot be foreseen.
    """
    pairs = tables[1]
    dc = U(1 << looked)
    kind, seen, problem = dc, U(0), 0
    while k < stop and problem == 0:
        if at > limit:
            problem = _EARLY
            break
        e = pairs[row, kind + (bits >> U(64 - looked))]  # which does not wait for the bits that come in
        at, bits, have = _refill(words, at, bits, have)
        spent, alone = U(0), False
        for n in range(3):  # looks, which take 30 bits at most
            if n > 0:
                e = pairs[row, kind + (bits >> U(64 - looked))]
            to = _put_pair(e, k, coefficients)
            alone = to & U(END - 1) > _LAST  # the entry says nothing, or the block is full before its last
            if alone:
                break
            seen |= to
            k, kind, bits, spent = to & ~(e >> U(16) & U(127)), e & dc, bits << (e & U(63)), spent + e
            if k >= stop:
                break
        have -= spent & U(63)
        if alone:
            at, bits, have = _refill(words, at, bits, have)
            bits, have, to, problem = _read_one(bits, have, k, kind >> U(looked), row, looked, tables, coefficients)
            seen |= to
            ended = (to ^ k) & U(END)
            k, kind = to & ~(ended - (ended >> U(7))), ended << U(looked - 7)
    return at, bits, have, k, seen & U(END - 1), problem


@inner
def _interval_problem(at: Any, have: Any, first: Any, bits: Any) -> Any:
    """Whether the bits of a restart interval were all used, but for those that fill its last byte."""
    spent = 32 * (i64(at) - first) - i64(have)
    return _EARLY if spent > bits else (_LATE if bits - spent >= 8 else 0)


@inlined
def decode_scan(
    scan: Any,
    interval: int,
    looked: int,
    rows: Array,
    tables: Any,
    scale: Array,
    begin: int,
    end: int,
    scratch: Any,
    out: Array,
    found: Array,
) -> int:
    """Decode rows of blocks `begin` to `end` of `out` (planes, side, side / 4), whose items are four samples.

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
    scale : (planes, 64 * LANES) int16
        Quantiser steps, for :func:`rrip_format.jpeg_idct.inverse_dct`.
    scratch
        By plane: ``BLOCKS`` int16, one int16, one int64; and the memory of that function.
    """
    words, first, bits_in = scan
    coefficients, predicted, last, memory = scratch
    planes, side, across = out.shape[0], out.shape[1], out.shape[2] // 2
    limit = U(words.shape[0] - SPARE)
    at, bits, have = _start(words, first[0])
    until = interval or side * across  # blocks before the next restart
    part = 0
    predicted[:] = 0
    for row in range(end):
        for left in range(0, across, LANES):
            count = min(LANES, across - left)
            coefficients[:] = 0
            last[:] = 0
            lane = 0
            while lane < count:
                found[0] = row * across + left + lane
                if until == 0:
                    found[0] -= 1
                    problem: Any = _interval_problem(at, have, first[part], bits_in[part])
                    if problem:
                        return int(problem)
                    part += 1
                    until = interval
                    at, bits, have = _start(words, first[part])
                    predicted[:] = 0
                run = min(count - lane, until) if planes == 1 else 1
                for c in range(planes):
                    at, bits, have, reached, most, problem = _read_blocks(
                        words,
                        limit,
                        at,
                        bits,
                        have,
                        U(lane * END),
                        U((lane + run) * END),
                        U(rows[c]),
                        looked,
                        tables,
                        coefficients[c],
                    )
                    if problem:
                        found[0] = row * across + left + i64(reached) // END
                        return int(problem)
                    last[c] = max(last[c], i64(most))
                    value = predicted[c]
                    for n in range(lane, lane + run):
                        value += coefficients[c, n]
                        coefficients[c, n] = value
                    predicted[c] = value
                until -= run
                lane += run
            for c in range(planes if row >= begin else 0):
                inverse_dct(coefficients[c], scale[c], last[c], memory, out[c], 8 * row, 2 * left, count)
    found[0] = end * across - 1
    problem = int(_interval_problem(at, have, first[part], bits_in[part]))
    return 0 if problem == _LATE and end < side // 8 else problem
