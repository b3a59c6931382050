"""A strict decoder of the baseline JPEG streams of a tile (ITU-T T.81; spec sections 5.1 and 6.1).

Whatever other decoders report as a warning is an error here: a code that is none, a block that runs over its end,
bytes that are missing or left, a restart marker out of its place. Samples are those of the method of spec section 5.1,
bit for bit.

Two things make it fast. One look into a table gives up to two coefficients: most codes of a residual have four bits, so
that two fit the ten that are looked at. And blocks are transformed 16 at a time, one in each lane of a vector.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DamagedError, LimitError
from .jpeg_blocks import ZIGZAG
from .jpeg_header import PROBLEMS, read_header
from .kernels import inlined, kernel

__all__ = ["decode_stream"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

U = np.uint64
_BITS, _FEW_BITS, _FEW_BYTES = 10, 9, 6000
"""How many bits are looked at: two usual codes with their amplitudes, and a table that fits the first cache; fewer in a
stream that is so short that making the table would take as long as reading it."""

_DC_BITS = 9

_LANES = 16
"""Blocks that are transformed at once."""

_SPARE = 160
"""Words behind the last one of a scan: more than the 54 that one damaged block can read past it."""

_SCAN_PROBLEMS = {
    20: "JPEG Huffman table has more codes than there are",
    21: "JPEG scan holds a code that is none, in block {0}",
    22: "JPEG scan holds more than 64 coefficients, in block {0}",
    23: "JPEG scan ends early, in block {0}",
    24: "JPEG scan goes on after its last block",
    25: "JPEG stream goes on after its end marker, or has a marker in its scan",
    26: "JPEG restart markers are missing, out of order, or more than the scan has intervals",
}
_BAD_TABLE, _NO_CODE, _TOO_MANY, _EARLY, _LATE, _MARKER, _INTERVALS = range(20, 27)

_LONG = 15
"""In a table's field for bits that still have to be read: the code is longer than what is looked at, or none."""

_NONE = _LONG << 5 | 31
"""The entry of a symbol that baseline JPEG does not have: not to be taken for the beginning of a longer code."""

_END = 129
"""What an end of block adds to the position: a sum of this and the last position cannot be reached otherwise."""

_PLACES = np.full(256, 64 * _LANES, np.uint64)
_PLACES[:64] = ZIGZAG.astype(np.uint64) * np.uint64(_LANES)
"""Where a coefficient of each position in zigzag order goes; behind the block for those that are none."""

_COLUMNS = np.maximum.accumulate(ZIGZAG % 8)
"""Largest horizontal frequency of the positions up to each."""


@kernel
def _fill_table(
    counts: Array, symbols: Array, is_dc: bool, bits: int, table: Array, above: Array, offset: Array
) -> int:
    """Make the table of one symbol from a Huffman table (T.81 annex C).

    An entry holds, from its least bit: bits of the code and, if they fit, of the amplitude (5); bits of the amplitude
    that did not fit, or ``_LONG`` (4); the run of zeros (8); the amplitude. `above` (17,) is the first code of each
    length that is none, `offset` (17,) what a code of that length lacks to the index of its symbol.
    """
    table[:] = _LONG << 5
    code = k = 0
    for length in range(1, 17):
        offset[length] = k - code
        for _ in range(counts[length - 1]):
            if code >= 1 << length:
                return _BAD_TABLE
            spare = bits - length
            size, run = _meaning(symbols[k], is_dc)
            if spare >= 0:
                start = code << spare
                if size == 12:
                    for n in range(start, start + (1 << spare)):
                        table[n] = _NONE
                elif size > spare:
                    for n in range(start, start + (1 << spare)):
                        table[n] = length | size << 5 | run << 9
                else:
                    width = 1 << (spare - size)
                    for amplitude in range(1 << size):
                        value = _signed(amplitude, size)
                        at = start + amplitude * width
                        for n in range(at, at + width):
                            table[n] = (length + size) | run << 9 | value << 17
            code += 1
            k += 1
        above[length] = code
        code <<= 1
    return 0


@inlined
def _meaning(symbol: Any, is_dc: bool) -> Any:
    """Bits of the amplitude, 12 if the symbol is none of baseline JPEG, and the run of zeros (T.81 tables F.1, F.2)."""
    size, run = np.int64(symbol) & 15, np.int64(symbol) >> 4
    if is_dc:
        return (np.int64(symbol), 0) if symbol <= 11 else (12, 0)
    if size == 0:
        return (0, _END - 1) if run == 0 else ((0, 15) if run == 15 else (12, 0))
    return (size, run) if size <= 10 else (12, 0)


@inlined
def _signed(amplitude: Any, size: Any) -> Any:
    """A value from its bits: below half of its range it is negative (T.81 F.2.2.1)."""
    return amplitude - (1 << size) + 1 if size > 0 and amplitude < 1 << (size - 1) else amplitude


@kernel
def _pair_table(single: Array, looked: int, pairs: Array) -> None:
    """Make the table of up to two symbols from that of one.

    An entry holds, from its least bit: nonzero if `single` has to be asked (4); bits of both (5), bits of the first
    (5); steps to the position of the first (8), from there to the second (8); their values (12 each). Without a second
    symbol the step to it is 0 and the value the same.
    """
    for k in range(1 << looked):
        first = np.int64(single[k])
        length, step, value = first & 31, (first >> 9 & 255) + 1, first >> 17
        if first >> 5 & 15:
            pairs[k] = U(1)
            continue
        length_2, step_2, value_2 = np.int64(0), np.int64(0), value
        if step < _END:
            second = np.int64(single[k << length & (1 << looked) - 1])
            if second >> 5 & 15 == 0 and length + (second & 31) <= looked:
                length_2, step_2, value_2 = second & 31, (second >> 9 & 255) + 1, second >> 17
        entry = length + length_2 << 4 | length << 9 | step << 14 | step_2 << 22
        pairs[k] = U(entry | (value & 0xFFF) << 32 | (value_2 & 0xFFF) << 44)


@kernel
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
    return np.int64(at)


@kernel
def _copy(data: Array, at: int, out: Array, to: int, count: int) -> None:
    for k in range(count):
        out[U(to) + U(k)] = data[U(at) + U(k)]


@kernel
def _split_scan(data: Array, at: int, interval: int, words: Array, first: Array, bits: Array) -> int:
    """The scan's bits as 32-bit words, without stuffed zeros, each restart interval from a new word.

    `first` and `bits` get the first word and the number of bits of each interval.
    """
    out = words.view(np.uint8)
    stop = data.shape[0] - 2  # the end marker
    to = count = 0
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
        w = w << np.uint32(16) | w >> np.uint32(16)
        words[k] = (w & np.uint32(0x00FF00FF)) << np.uint32(8) | w >> np.uint32(8) & np.uint32(0x00FF00FF)
    words[used : used + _SPARE] = 0
    return 0


@kernel
def _long_code(bits: Any, shortest: int, above: Array, offset: Array) -> Any:
    """Length and index of the symbol of a code, length 0 if it is none; the code is at the upper end of `bits`."""
    for length in range(shortest, 17):
        code = np.int64(bits >> U(64 - length))
        if code < above[length]:
            return length, code + offset[length]
    return 0, 0


@kernel
def _one(bits: Any, entry: int, is_dc: bool, looked: int, above: Array, offset: Array, symbols: Array) -> Any:
    """A symbol that its table does not hold whole: bits it takes (0 if it is none), run of zeros, value."""
    taken, size, run = entry & 31, entry >> 5 & 15, entry >> 9 & 255
    if entry == _NONE:
        return 0, 0, 0
    if size == _LONG:
        taken, index = _long_code(bits, looked + 1, above, offset)
        if taken == 0:
            return 0, 0, 0
        size, run = _meaning(symbols[index & 255], is_dc)
        if size == 12:
            return 0, 0, 0
    elif size == 0:
        return taken, run, entry >> 17
    if size == 0:
        return taken, run, 0
    amplitude = np.int64((bits << U(taken)) >> U(64 - size))
    return taken + size, run, _signed(amplitude, size)


@inlined
def _take(e: Any, bits: Any, have: Any, k: Any, c: Any, lane: Any, coefficients: Array) -> Any:
    """Both symbols of an entry of the table of pairs: bits, their number, positions of the first and the second."""
    length = e >> U(4) & U(31)
    first = k + (e >> U(14) & U(255))
    second = first + (e >> U(22) & U(255))
    coefficients[c, _PLACES[first] + lane] = np.int32(np.int64(e << U(20)) >> 52)
    coefficients[c, _PLACES[second] + lane] = np.int32(np.int64(e << U(8)) >> 52)
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
        if e & U(15):
            entry = np.int64(single[c, bits >> shift])
            taken, run, value = _one(bits, entry, False, looked, above[c, 1], offset[c, 1], symbols[c, 1])
            if taken == 0:
                return at, bits, have, -_NO_CODE
            bits <<= U(taken)
            have -= U(taken)
            k += U(run + 1)
            coefficients[c, _PLACES[k] + lane] = np.int32(value)
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
        if e & U(15):
            continue
        was, had = bits, have
        bits, have, first, k = _take(e, bits, have, k, c, lane, coefficients)
        if k >= U(63):
            break
        e = pairs[c, bits >> shift]
        if e & U(15):
            continue
        was, had = bits, have
        bits, have, first, k = _take(e, bits, have, k, c, lane, coefficients)
        if k >= U(63):
            break
    if first == U(63):  # the block was full: what looked like a second symbol is the next block's
        length = e >> U(9) & U(31)
        return at, was << length, had - length, 63
    if k == U(63):
        return at, bits, have, 63
    if k < U(_END) or k >= U(_END + 63):
        return at, bits, have, -_TOO_MANY
    return at, bits, have, np.int64(k) - _END


@kernel
def _interval_problem(at: Any, have: Any, first: Any, bits: Any) -> Any:
    """Whether the bits of a restart interval were all used, but for those that fill its last byte."""
    spent = 32 * (np.int64(at) - first) - np.int64(have)
    return _EARLY if spent > bits else (_LATE if bits - spent >= 8 else 0)


@kernel
def _decode_scan(
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
    limit = U(words.shape[0] - _SPARE)
    coefficients = np.zeros((planes, 65 * _LANES), np.int32)
    work, packed = np.zeros(64 * _LANES, np.int32), np.zeros(2 * _LANES, np.uint32)
    predicted, last = np.zeros(3, np.int64), np.zeros(3, np.int64)
    bits = have = at = U(0)
    until = interval or side * across  # blocks before the next restart
    part = 0
    for row in range(end):
        for left in range(0, across, _LANES):
            count = min(_LANES, across - left)
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
                    entry = np.int64(dc[c, bits >> U(64 - _DC_BITS)])
                    taken, _, value = _one(bits, entry, True, _DC_BITS, above[c, 0], offset[c, 0], symbols[c, 0])
                    if taken == 0:
                        return _NO_CODE
                    predicted[c] += value
                    coefficients[c, lane] = np.int32(predicted[c])
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
                _inverse_dct(coefficients[c], scale[c], last[c], work, packed, out[c], 8 * row, left, count)
    problem = int(_interval_problem(at, have, first[part], bits_in[part]))
    return 0 if problem == _LATE and end < side // 8 else problem


@kernel
def _inverse_dct(
    coefficients: Array,
    scale: Array,
    last: int,
    work: Array,
    packed: Array,
    out: Array,
    top: int,
    left: int,
    count: int,
) -> None:
    """Samples of up to 16 blocks beside each other, without coefficients behind position `last` (spec section 5.1)."""
    w = _LANES
    if last == 0:  # (4 * dc << 13) + 131072 >> 18
        for b in range(count):
            dc = np.int32(coefficients[b] * scale[b])
            sample = min(max((np.int32(dc + 4) >> np.int32(3)) + np.int32(128), np.int32(0)), np.int32(255))
            for y in range(8):
                out[top + y, left + b] = U(sample) * U(0x0101010101010101)
        return
    width = (_COLUMNS[last] + 1) * w
    for k in range(width):
        c0, c1 = np.int32(coefficients[k] * scale[k]), np.int32(coefficients[8 * w + k] * scale[8 * w + k])
        c2, c3 = (
            np.int32(coefficients[16 * w + k] * scale[16 * w + k]),
            np.int32(coefficients[24 * w + k] * scale[24 * w + k]),
        )
        c4, c5 = (
            np.int32(coefficients[32 * w + k] * scale[32 * w + k]),
            np.int32(coefficients[40 * w + k] * scale[40 * w + k]),
        )
        c6, c7 = (
            np.int32(coefficients[48 * w + k] * scale[48 * w + k]),
            np.int32(coefficients[56 * w + k] * scale[56 * w + k]),
        )
        s0, s1, s2, s3, s4, s5, s6, s7 = _butterfly(c0, c1, c2, c3, c4, c5, c6, c7, np.int32(1 << 10))
        work[k] = s0 >> np.int32(11)
        work[8 * w + k] = s1 >> np.int32(11)
        work[16 * w + k] = s2 >> np.int32(11)
        work[24 * w + k] = s3 >> np.int32(11)
        work[32 * w + k] = s4 >> np.int32(11)
        work[40 * w + k] = s5 >> np.int32(11)
        work[48 * w + k] = s6 >> np.int32(11)
        work[56 * w + k] = s7 >> np.int32(11)
    for y in range(8):
        row = work[y * 8 * w : (y + 1) * 8 * w]
        row[width:] = 0
        for b in range(w):
            # 128 is added before the shift
            s0, s1, s2, s3, s4, s5, s6, s7 = _butterfly(
                row[b],
                row[w + b],
                row[2 * w + b],
                row[3 * w + b],
                row[4 * w + b],
                row[5 * w + b],
                row[6 * w + b],
                row[7 * w + b],
                np.int32((1 << 17) + (128 << 18)),
            )
            packed[b] = _clip(s0) | _clip(s1) << np.uint32(8) | _clip(s2) << np.uint32(16) | _clip(s3) << np.uint32(24)
            packed[w + b] = (
                _clip(s4) | _clip(s5) << np.uint32(8) | _clip(s6) << np.uint32(16) | _clip(s7) << np.uint32(24)
            )
        for b in range(count):
            out[top + y, left + b] = U(packed[b]) | U(packed[w + b]) << U(32)


@inlined
def _clip(value: Any) -> Any:
    """clip8 of a sample that is still to be divided by 2^18."""
    return np.uint32(min(max(value >> np.int32(18), np.int32(0)), np.int32(255)))


@inlined
def _butterfly(c0: Any, c1: Any, c2: Any, c3: Any, c4: Any, c5: Any, c6: Any, c7: Any, half: Any) -> Any:
    """One dimension of the inverse DCT (spec section 5.1), with `half` added to each result."""
    z = np.int32((c2 + c6) * 4433)
    e0, e1 = np.int32(((c0 + c4) << 13) + half), np.int32(((c0 - c4) << 13) + half)
    e2, e3 = np.int32(z - c6 * 15137), np.int32(z + c2 * 6270)
    a0, a1, a2, a3 = np.int32(e0 + e3), np.int32(e1 + e2), np.int32(e1 - e2), np.int32(e0 - e3)
    z5 = np.int32((c7 + c3 + c5 + c1) * 9633)
    z1, z2 = np.int32((c7 + c1) * -7373), np.int32((c5 + c3) * -20995)
    z3, z4 = np.int32((c7 + c3) * -16069 + z5), np.int32((c5 + c1) * -3196 + z5)
    b0, b1 = np.int32(c7 * 2446 + z1 + z3), np.int32(c5 * 16819 + z2 + z4)
    b2, b3 = np.int32(c3 * 25172 + z2 + z3), np.int32(c1 * 12299 + z1 + z4)
    return (
        np.int32(a0 + b3),
        np.int32(a1 + b2),
        np.int32(a2 + b1),
        np.int32(a3 + b0),
        np.int32(a3 - b0),
        np.int32(a2 - b1),
        np.int32(a1 - b2),
        np.int32(a0 - b3),
    )


@kernel
def _decode(data: Array, begin: int, end: int, out: Array, found: Array) -> int:
    """Decode a stream to `out` (planes, side, side / 8) uint64, as :func:`_decode_scan`; 0, or what is wrong."""
    planes, side, across = out.shape
    steps = np.zeros((4, 64), np.int32)
    counts, all_symbols = np.zeros((8, 16), np.uint8), np.zeros((8, 256), np.uint8)
    chosen = np.zeros((3, 4), np.int64)
    problem = read_header(data, side, planes, steps, counts, all_symbols, chosen, found)
    if problem:
        return int(problem)
    start, interval = found[0], found[1]
    looked = _BITS if data.shape[0] > _FEW_BYTES else _FEW_BITS
    above, offset = np.zeros((planes, 2, 17), np.int64), np.zeros((planes, 2, 17), np.int64)
    dc, single = np.empty((planes, 1 << _DC_BITS), np.int32), np.empty((planes, 1 << looked), np.int32)
    pairs = np.empty((planes, 1 << looked), np.uint64)
    symbols, scale = np.empty((planes, 2, 256), np.uint8), np.empty((planes, 64 * _LANES), np.int32)
    for c in range(planes):
        for k in range(64):
            for lane in range(_LANES):
                scale[c, ZIGZAG[k] * _LANES + lane] = steps[chosen[c, 1], k]
        for k in range(2):
            table = 4 * k + chosen[c, 2 + k]
            for n in range(256):
                symbols[c, k, n] = all_symbols[table, n]
        problem = _fill_table(counts[chosen[c, 2]], symbols[c, 0], True, _DC_BITS, dc[c], above[c, 0], offset[c, 0])
        if problem == 0:
            problem = _fill_table(
                counts[4 + chosen[c, 3]], symbols[c, 1], False, looked, single[c], above[c, 1], offset[c, 1]
            )
        if problem:
            return int(problem)
        _pair_table(single[c], looked, pairs[c])
    blocks = (side // 8) * across
    parts = 1 if interval == 0 else -(-blocks // interval)
    words = np.empty((data.shape[0] - start) // 4 + parts + 2 * _SPARE, np.uint32)
    first, bits = np.zeros(parts, np.int64), np.zeros(parts, np.int64)
    problem = _split_scan(data, start, interval, words, first, bits)
    if problem:
        return int(problem)
    tables = dc, single, pairs, above, offset, symbols, scale
    return int(_decode_scan(words, first, bits, interval, looked, *tables, begin, end, out, found))


def decode_stream(
    data: bytes | memoryview, side: int, planes: int, rows: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Planes of one stream.

    Parameters
    ----------
    data
        One whole stream.
    side : int
        Its height and width, px: a multiple of 16.
    planes : int
        1 or 3 components.
    rows : two ints, optional
        First row that is wanted and the one behind the last: others are undefined then, and what of the stream stands
        behind them is not checked.

    Returns
    -------
    (planes, side, side) uint8

    Raises
    ------
    DamagedError
        If it breaks a rule of spec section 6.1, or is not what an encoder makes.
    LimitError
        If memory does not suffice.
    """
    stream = np.frombuffer(data, np.uint8)
    stream.flags.writeable = False  # one type for Numba, whatever holds the bytes
    top, bottom = rows or (0, side)
    found = np.zeros(4, np.int64)
    try:
        out = np.empty((planes, side, side // 8), np.uint64)
        problem = _decode(stream, top // 8, (bottom + 7) // 8, out, found)
    except MemoryError as error:
        raise LimitError("not enough memory to decode a JPEG tile") from error
    if problem:
        message = {**PROBLEMS, **_SCAN_PROBLEMS}[problem]
        raise DamagedError(message.format(*found.tolist(), side=side, planes=planes))
    return out.view(np.uint8)
