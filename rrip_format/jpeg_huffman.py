"""Entropy coding of quantised blocks: statistics, optimal tables and the scan (ITU-T T.81, F.1.2 and Annex K.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jpeg_blocks import SIZES, Blocks, Levels
from .kernels import brief, inlined, inner, kernel

__all__ = ["HuffmanTables", "Symbols", "list_symbols", "symbol_costs", "write_scan"]

Counts = NDArray[np.int64]
U = np.uint64

_END, _ZEROS = 0x00, 0xF0  # the symbols EOB and ZRL of T.81 F.1.2.2.1


@dataclass(frozen=True, slots=True)
class HuffmanTables:
    """Huffman tables of baseline JPEG (T.81 annex C), n of them.

    Parameters
    ----------
    counts : (n, 16) uint8
        Number of codes of each length, 1 … 16 bits.
    symbols : (n, 256) uint8
        By ascending code, as many as there are codes.
    codes : (n, 256) uint64
        Of each symbol, 32 times its code, and the length of that; 0 where it has none.
    bits : int
        Of all the symbols that they are made for, with the amplitudes behind them.
    """

    counts: NDArray[np.uint8]
    symbols: NDArray[np.uint8]
    codes: NDArray[np.uint64]
    bits: int

    @classmethod
    def of(cls, frequencies: Counts) -> HuffmanTables:
        """The optimal tables for symbols that occur so often, (n, 256) int64."""
        count = frequencies.shape[0]
        counts, symbols = np.zeros((count, 16), np.uint8), np.zeros((count, 256), np.uint8)
        codes = np.zeros((count, 256), U)
        bits = _optimal(frequencies, counts, symbols, codes)
        return cls(counts, symbols, codes, bits)

    def segment(self, row: int) -> bytes:
        """Counts and symbols of one table, as a segment of a stream holds them (T.81 B.2.4.2)."""
        counts: bytes = self.counts[row].tobytes()
        return counts + self.symbols[row, : sum(counts)].tobytes()


@kernel
def _tree_depths(frequency: Counts) -> Counts:
    """Code length of each of 257 symbols, before any limit; the last stands for the code of all ones (T.81 K.2)."""
    used = np.flatnonzero(frequency)
    count = used.size + 1
    weight, parent = np.empty(2 * count, np.int64), np.zeros(2 * count, np.int64)
    weight[: count - 1] = frequency[used]
    weight[count - 1] = 1
    node = np.arange(count)  # roots of the subtrees, of which those before `left` are there yet
    for made in range(count, 2 * count - 1):
        left = 2 * count - made
        a = b = 0  # the two lightest; of equals the last, which keeps the longest code for the all-ones symbol
        lightest = second = np.int64(1) << 62
        for k in range(left):
            if weight[node[k]] <= lightest:
                a, b, lightest, second = k, a, weight[node[k]], lightest
            elif weight[node[k]] <= second:
                b, second = k, weight[node[k]]
        parent[node[a]] = parent[node[b]] = made
        weight[made] = lightest + second
        node[a] = made
        for k in range(b, left - 1):
            node[k] = node[k + 1]
    depths = np.zeros(2 * count, np.int64)
    for k in range(2 * count - 3, -1, -1):
        depths[k] = depths[parent[k]] + 1
    depth = np.zeros(257, np.int64)
    depth[used] = depths[: count - 1]
    depth[256] = depths[count - 1]
    return depth


@brief
def _optimal(frequencies: Counts, counts_out: Any, symbols_out: Any, codes_out: Any) -> int:
    """Fill counts by length, symbols and codes of tables, and return all their bits (T.81 figures K.1 … 4, C.1 … 3)."""
    bits = np.int64(0)
    for row in range(frequencies.shape[0]):
        frequency, symbols, codes = frequencies[row], symbols_out[row], codes_out[row]
        depth = _tree_depths(frequency)
        counts = np.zeros(258, np.int64)
        deepest = np.int64(0)
        for k in range(257):
            if depth[k]:
                counts[depth[k]] += 1
                deepest = max(deepest, depth[k])
        for length in range(257, 16, -1):  # no code has more than 16 bits: figure K.3
            while counts[length] > 0:
                shorter = length - 2
                while counts[shorter] == 0:
                    shorter -= 1
                counts[length] -= 2
                counts[length - 1] += 1
                counts[shorter + 1] += 2
                counts[shorter] -= 1
        longest = 16
        while longest > 0 and counts[longest] == 0:
            longest -= 1
        counts[longest] -= 1  # the code of all ones is no symbol's
        n = 0
        for length in range(1, deepest + 1):
            for k in range(256):
                if depth[k] == length:
                    symbols[n] = k
                    n += 1
        code = k = 0
        for length in range(1, 17):
            counts_out[row, length - 1] = counts[length]
            for _ in range(counts[length]):
                codes[symbols[k]] = code << 5 | length
                bits += frequency[symbols[k]] * (length + (symbols[k] & 15))
                code += 1
                k += 1
            code <<= 1
    return int(bits)


@dataclass(frozen=True, slots=True)
class Symbols:
    """What a scan consists of, in its order.

    Parameters
    ----------
    coded : (n,) uint32
        From the least bit: a symbol (8), 1 for AC (1), its table (1), the number of bits behind its code (4), these.
    counts : (2, 2, 256) int64
        How often each table's DC and AC symbols occur.
    """

    coded: NDArray[np.uint32]
    counts: Counts

    @property
    def are_blank(self) -> bool:
        """Whether every level is zero: then there are only DC differences of no bits and ends of blocks."""
        return int(self.counts[:, :, 0].sum()) == self.coded.size


@kernel
def _list(dc: Any, first: Any, place: Any, ac: Any, tables: Any, coded: Any, counts: Any) -> int:
    """Fill `coded` and `counts`, which is flat and zero; the number of symbols."""
    planes, blocks = dc.shape
    previous = np.zeros(planes, np.int64)
    at = U(0)
    for n in range(blocks):
        for plane in range(planes):
            c, table = U(plane), np.int64(tables[plane]) << 9
            value = np.int64(dc[c, n])
            at = _append(table, value - previous[c], coded, at, counts)
            previous[c] = value
            last: Any = 0
            for k in range(first[c, n], first[c, n + 1]):
                value = np.int64(ac[U(k)])
                if value == 0:
                    continue
                run = np.int64(place[U(k)]) - last - 1
                last = np.int64(place[U(k)])
                while run > 15:
                    at = _append(table | 256 | _ZEROS, 0, coded, at, counts)
                    run -= 16
                at = _append(table | 256 | run << 4, value, coded, at, counts)
            if last < 63:
                at = _append(table | 256 | _END, 0, coded, at, counts)
    return int(at)


@inlined
def _append(symbol: Any, value: Any, coded: Any, at: Any, counts: Any) -> Any:
    """Add a symbol whose size is that of `value`, and the bits of that (T.81 F.1.2.1.1)."""
    size = np.int64(SIZES[U(abs(value))])
    amplitude = value + ((1 << size) - 1 if value < 0 else 0)
    symbol |= size
    counts[U(symbol)] += 1
    coded[at] = symbol | size << 10 | amplitude << 14
    return at + U(1)


def list_symbols(blocks: Blocks, levels: Levels, tables: Sequence[int]) -> Symbols:
    """The symbols of the interleaved scan of all planes; `tables`, 0 or 1, are those of each plane."""
    coded = np.empty(levels.ac.size + 5 * levels.dc.size, np.uint32)  # with ends, and three long runs in a block
    counts = np.zeros((2, 2, 256), np.int64)
    chosen = np.array(tables, np.int64)
    size = _list(levels.dc, blocks.first, blocks.place, levels.ac, chosen, coded, counts.reshape(-1))
    return Symbols(coded[:size], counts)


@brief
def _log2(value: int) -> int:
    """256 · log2 of an integer 1 … 2^30, rounded down, in integers: the same on every machine."""
    exponent = 0
    while value >> (exponent + 1):
        exponent += 1
    mantissa = value << (30 - exponent)
    fraction = 0
    for _ in range(8):
        mantissa = (mantissa * mantissa) >> 30
        fraction <<= 1
        if mantissa >> 31:
            mantissa >>= 1
            fraction |= 1
    return exponent << 8 | fraction


@brief
def _costs(counts: Counts) -> NDArray[np.float32]:
    total = max(2 * counts.sum(), 1)
    out = np.empty(256, np.float32)
    for k in range(256):
        bits = _log2(total) - _log2(max(2 * counts[k], 1))  # what never occurred counts as half an occurrence
        out[k] = np.float32(min(max(bits, 256), 18 * 256)) / np.float32(256)
    return out


def symbol_costs(counts: Counts) -> NDArray[np.float32]:
    """Bits that an ideal code would spend on each symbol, (256,) float32, 1 … 18."""
    costs: NDArray[np.float32] = _costs(counts)
    return costs


@kernel
def _write(coded: Any, tables: Any, words: Any, out: Any) -> int:
    """The codes of symbols into `out`, by way of `words`; `tables` hold 32 times each code, and its length.

    Zeros are stuffed in a second loop: in the first, the question whether there is a 0xFF took most of the time.
    """
    word = filled = at = U(0)
    for k in range(coded.shape[0]):
        symbol = U(coded[U(k)])
        entry, size = tables[symbol & U(1023)], symbol >> U(10) & U(15)
        word = word << ((entry & U(31)) + size) | (entry >> U(5)) << size | symbol >> U(14)
        filled += (entry & U(31)) + size  # at most 27 behind 31 that waited
        if filled >= U(32):
            filled -= U(32)
            words[at] = word >> filled & U(0xFFFFFFFF)
            at += U(1)
    spare = U(32) - filled
    words[at] = (word << spare | (U(1) << spare) - U(1)) & U(0xFFFFFFFF)  # ones fill the last byte
    to = U(0)
    for k in range(at):
        four = U(words[U(k)])
        zeros = four ^ U(0xFFFFFFFF)  # is one of these bytes zero?
        if (zeros - U(0x01010101)) & four & U(0x80808080):
            to = _stuff(four, U(4), out, to)
            continue
        out[to] = four >> U(24)
        out[to + U(1)] = four >> U(16) & U(255)
        out[to + U(2)] = four >> U(8) & U(255)
        out[to + U(3)] = four & U(255)
        to += U(4)
    return int(_stuff(U(words[at]), (filled + U(7)) >> U(3), out, to))


@inner
def _stuff(four: Any, count: Any, out: Any, to: Any) -> Any:
    """Write the first bytes of 32 bits; a zero follows each 0xFF (T.81 F.1.2.3)."""
    for k in range(count):
        byte = four >> (U(24) - U(8) * U(k)) & U(255)
        out[to] = byte
        to += U(1)
        if byte == U(255):
            out[to] = 0
            to += U(1)
    return to


def write_scan(symbols: Symbols, tables: HuffmanTables) -> bytes:
    """Entropy-coded data of one scan, by the tables of DC and AC for each number of a table."""
    words = np.empty(tables.bits // 32 + 1, np.uint32)
    out = np.empty(8 * words.size, np.uint8)  # every byte may need a zero behind it
    size = _write(symbols.coded, tables.codes.reshape(-1), words, out)
    return out[:size].tobytes()
