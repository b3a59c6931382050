"""Huffman codes as tables to look into: one look gives up to two symbols with their values (ITU-T T.81, F.2.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .kernels import inlined, inner

__all__ = ["BAD_TABLE", "END", "fill_table", "pair_table", "read_symbol"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

U, i64 = np.uint64, np.int64

BAD_TABLE = 20
"""The problem of a table that has more codes than there are."""

_LONG = 15
"""In a table's field for bits that still have to be read: the code is longer than what is looked at, or none."""

_NONE = _LONG << 5 | 31
"""The entry of a symbol that baseline JPEG does not have: not to be taken for the beginning of a longer code."""

END = 128
"""What an end of block adds to the position: a bit that no position within a block has."""

_ASK = 64
"""Steps of an entry of the table of pairs that says nothing: more than two symbols of a block can make."""


@inner
def fill_table(codes: Array, is_dc: bool, bits: int, table: Array, above: Array, offset: Array) -> int:
    """Make the table of one symbol from a Huffman table (T.81 annex C): 16 counts, by length, and then the symbols.

    An entry holds, from its least bit: bits of the code and, if they fit, of the amplitude (5); bits of the amplitude
    that did not fit, or ``_LONG`` (4); the run of zeros (8); the amplitude. `above` (17,) is the first code of each
    length that is none, `offset` (17,) what a code of that length lacks to the index of its symbol.
    """
    table[:] = _LONG << 5
    code = k = i64(0)
    for length in range(1, 17):
        offset[length] = k - code
        for _ in range(codes[length - 1]):
            if code >= 1 << length:
                return BAD_TABLE
            spare = bits - length
            size, run = _meaning(codes[16 + k], is_dc)
            if spare >= 0:
                start = U(code << spare)
                if size == 12:
                    _fill(table, start, 1 << spare, _NONE)
                elif size > spare:
                    _fill(table, start, 1 << spare, length | size << 5 | run << 9)
                else:
                    width = 1 << (spare - size)
                    for amplitude in range(1 << size):
                        entry = (length + size) | run << 9 | _signed(amplitude, size) << 17
                        _fill(table, start + U(amplitude * width), width, entry)
            code += 1
            k += 1
        above[length] = code
        code <<= 1
    return 0


@inlined
def _fill(table: Array, start: Any, count: int, entry: int) -> None:
    for n in range(count):
        table[start + U(n)] = entry


@inlined
def _meaning(symbol: Any, is_dc: bool) -> Any:
    """Bits of the amplitude, 12 if the symbol is none of baseline JPEG, and the run of zeros (T.81 tables F.1, F.2)."""
    size, run = i64(symbol) & 15, i64(symbol) >> 4
    if is_dc:
        return (i64(symbol), 0) if symbol <= 11 else (12, 0)
    if size == 0:
        return (0, END - 1) if run == 0 else ((0, 15) if run == 15 else (12, 0))
    return (size, run) if size <= 10 else (12, 0)


@inlined
def _signed(amplitude: Any, size: Any) -> Any:
    """A value from its bits: below half of its range it is negative (T.81 F.2.2.1)."""
    return amplitude - (1 << size) + 1 if size > 0 and amplitude < 1 << (size - 1) else amplitude


@inner
def pair_table(single: Array, following: Array, steps: int, looked: int, pairs: Array) -> None:
    """Make the table of up to two symbols from that of the first, and that of the AC symbol that may follow.

    `steps` are those that a first symbol makes from the position before it, besides its run: 1, but 0 for DC.
    An entry holds, from bit 0, the bits of both (6, as many as a shift takes); in bit `looked`, whether the block ends,
    which makes of an index one of the table of DC behind this; from bit 11, steps to the position of the first (5);
    from 16, ones if the block ends (7); from 24, steps to the position of the last (8); from 32 and 48, their values.
    Without a second symbol the first is the last. An end puts 0 to the same position of the next block; an end alone,
    and an entry that says nothing, put one behind the position: neither place has been read yet. The steps of an entry
    that says nothing, for which the table of one symbol has to be asked, lead to where no coefficient is.
    """
    mask = U((1 << looked) - 1)
    for n in range(1 << looked):
        k = U(n)
        first = i64(single[k])
        if first >> 5 & 15:
            pairs[k] = U(1 << 11 | _ASK << 24)
            continue
        length, step, value = first & 31, (first >> 9 & 255) + steps, first >> 17
        both, value_2 = i64(step), value
        if step < END:
            second = i64(following[k << U(length) & mask])
            if second >> 5 & 15 == 0 and length + (second & 31) <= looked:
                length += second & 31
                both, value_2 = step + (second >> 9 & 255) + 1, second >> 17
        else:
            step = i64(31)
        ends = both // END
        entry = length | ends << looked | step << 11 | 127 * ends << 16 | both << 24
        pairs[k] = U(entry | (value & 0xFFFF) << 32 | value_2 << 48)


@inlined
def _long_code(bits: Any, shortest: int, row: Any, kind: Any, above: Array, offset: Array) -> Any:
    """Length and index of the symbol of a code, length 0 if it is none; the code is at the upper end of `bits`."""
    for k in range(shortest, 17):
        length = U(k)
        code = i64(bits >> (U(64) - length))
        if code < above[row, kind, length]:
            return k, code + offset[row, kind, length]
    return 0, 0


@inner
def read_symbol(
    bits: Any, entry: int, row: Any, kind: Any, looked: int, above: Array, offset: Array, symbols: Array
) -> Any:
    """A symbol that its table does not hold whole: bits it takes (0 if it is none), run of zeros, value.

    `row` and `kind`, 0 for AC and 1 for DC, say which table of `above`, `offset` and `symbols` it is.
    """
    taken, size, run = entry & 31, entry >> 5 & 15, entry >> 9 & 255
    if entry == _NONE:
        return 0, 0, 0
    if size == _LONG:
        taken, index = _long_code(bits, looked + 1, row, kind, above, offset)
        if taken == 0:
            return 0, 0, 0
        size, run = _meaning(symbols[row, kind, index & 255], kind == 1)
        if size == 12:
            return 0, 0, 0
    elif size == 0:
        return taken, run, entry >> 17
    if size == 0:
        return taken, run, 0
    amplitude = i64((bits << U(taken)) >> U(64 - size))
    return taken + size, run, _signed(amplitude, size)
