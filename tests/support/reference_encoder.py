"""The JPEG encoder in plain NumPy, which the compiled one equals byte for byte.

It decides nothing that the format prescribes: any baseline stream will do (spec section 5.1). But streams that are the
same on every machine are worth something, so floating-point operations are in single precision, in the order that is
written here. References are to ITU-T T.81.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rrip_format.core.jpeg_encoder import EFFORTS, ZIGZAG, Quantiser

Floats = NDArray[np.float32]
Levels = NDArray[np.int64]
F = np.float32

DEAD_ZONE = 0.42
LARGEST_AC = 1023
LARGEST_LOSS = 5.0
TABLE_BITS = 8 * 160
END, ZEROS = 0x00, 0xF0
"""The symbols EOB and ZRL of section F.1.2.2.1."""
ALL_ONES = 256
"""Stands for the code of all ones, which no symbol may have (section K.2)."""


def encode_gray(plane: Floats, quantiser: Quantiser, *, effort: str = "default", optional: bool = False) -> bytes:
    coefficients = transform(plane[None], [quantiser])
    levels, symbols = choose_levels(coefficients, [quantiser], EFFORTS[effort])
    if not levels.any():
        return b""
    tables = tables_of(symbols, 1)
    if optional and quantiser.rate:
        losses = block_losses(coefficients[0], levels[0])
        bits = sum(len(word) for word in words(symbols, tables)) + TABLE_BITS
        if losses.max() < LARGEST_LOSS and float(losses.sum()) < float(F(quantiser.rate)) * bits:
            return b""
    return stream(plane.shape, [quantiser], symbols, tables)


def encode_ycc(planes: Floats, luma: Quantiser, chroma: Quantiser, *, effort: str = "default") -> bytes:
    coefficients = transform(planes, [luma, chroma, chroma])
    _, symbols = choose_levels(coefficients, [luma, chroma], EFFORTS[effort])
    return stream(planes.shape[1:], [luma, chroma], symbols, tables_of(symbols, 2))


# Coefficients


def dct(x: Floats) -> Floats:
    """Compute the orthonormal DCT of eight samples along the last axis (section A.3.3)."""
    c1, c2, c3, c4, c5, c6, c7 = (F(np.cos(k * np.pi / 16) / 2) for k in range(1, 8))
    x0, x1, x2, x3, x4, x5, x6, x7 = np.moveaxis(x, -1, 0)
    s0, s1, s2, s3, d0, d1, d2, d3 = x0 + x7, x1 + x6, x2 + x5, x3 + x4, x0 - x7, x1 - x6, x2 - x5, x3 - x4
    frequencies = [
        ((s0 + s3) + (s1 + s2)) * c4,
        d0 * c1 + d1 * c3 + d2 * c5 + d3 * c7,
        (s0 - s3) * c2 + (s1 - s2) * c6,
        d0 * c3 - d1 * c7 - d2 * c1 - d3 * c5,
        ((s0 + s3) - (s1 + s2)) * c4,
        d0 * c5 - d1 * c1 + d2 * c7 + d3 * c3,
        (s0 - s3) * c6 - (s1 - s2) * c2,
        d0 * c7 - d1 * c5 + d2 * c3 - d3 * c1,
    ]
    return np.stack(frequencies, -1)


def transform(planes: Floats, quantisers: Sequence[Quantiser]) -> Floats:
    """Return the coefficients of the blocks of planes, (C, N, 64), zigzag order, in units of quantiser steps."""
    count, height, width = planes.shape
    blocks = planes.reshape(count, height // 8, 8, width // 8, 8).swapaxes(2, 3)
    turned = dct(dct(blocks.swapaxes(-1, -2)).swapaxes(-1, -2))  # vertically first
    scales = np.stack([F(1) / quantiser.table.astype(F) for quantiser in quantisers])
    return turned.reshape(count, -1, 64)[..., ZIGZAG] * scales[:, None]


def are_kept(coefficients: Floats) -> NDArray[np.bool_]:
    """Return which coefficients may become other than zero: all of DC, and those of AC of at least one half."""
    return np.abs(coefficients) >= F(0.5)


# Levels


def round_levels(coefficients: Floats, offset: float) -> Levels:
    """Round to levels; an `offset` below one half favours smaller AC levels."""
    magnitudes = np.minimum((np.abs(coefficients) + F(offset)).astype(np.int64), LARGEST_AC)
    levels = np.where(are_kept(coefficients), np.sign(coefficients).astype(np.int64) * magnitudes, 0)
    levels[..., 0] = np.floor(coefficients[..., 0] + F(0.5))
    return levels


def choose_levels(coefficients: Floats, quantisers: Sequence[Quantiser], passes: int) -> tuple[Levels, list[Symbol]]:
    """Choose levels by rate and distortion, `passes` times; return them and their symbols."""
    has_rate = any(quantiser.rate for quantiser in quantisers)
    levels = round_levels(coefficients, DEAD_ZONE if has_rate else 0.5)
    symbols = list(list_symbols(levels))
    for _ in range(passes if has_rate else 0):
        for plane, (values, out) in enumerate(zip(coefficients, levels, strict=True)):
            table = min(plane, 1)
            if not quantisers[table].rate:
                continue
            rate = F(quantisers[table].rate)
            dc_bits, ac_bits = (symbol_costs(frequencies(symbols, table, kind)) for kind in (0, 1))
            sizes, runs = np.arange(11)[:, None], np.arange(63)
            ac_cost = rate * (ac_bits[(runs & 15) << 4 | sizes] + (runs >> 4) * ac_bits[ZEROS] + sizes)
            for block, chosen in zip(values, out, strict=True):
                chosen[1:] = choose_ac(block, ac_cost.astype(F), rate * ac_bits[END])[1:]
            out[:, 0] = choose_dc(values[:, 0], (rate * (dc_bits[:12] + np.arange(12))).astype(F))
        symbols = list(list_symbols(levels))
    return levels, symbols


def choose_ac(values: Floats, cost: Floats, end: np.float32) -> Levels:
    """Find the AC levels of a block with the least error and bits: a shortest path over the coefficients kept.

    Parameters
    ----------
    values : (64,) float32
        Of which the first, DC, is point 0 of every path.
    cost : (11, 63) float32
        Of a level by its number of bits and the run of zeros before it, in squared steps.
    end : float32
        Cost of the end of a block.
    """
    where = [0, *(k for k in range(1, 64) if abs(values[k]) >= F(0.5))]
    best, skipped, floor = (np.zeros(len(where), F) for _ in range(3))  # skipped: error if all so far were zero
    before, chosen = [0] * len(where), [0] * len(where)
    error = F(0)
    for t, k in enumerate(where[1:], 1):
        x = abs(values[k])
        high = min(int(x + F(0.5)), LARGEST_AC)
        low = high - 1 if high > 1 and x < F(high) else high
        errors = [(x - F(level)) * (x - F(level)) for level in (high, low)]
        costs = [cost[level.bit_length()] for level in (high, low)]
        bound = error + min(lost + each.min() for lost, each in zip(errors, costs, strict=True))
        path = (best[:t] + (error - skipped[:t]))[::-1]  # from the nearest point backwards
        runs = k - np.array(where[:t])[::-1] - 1
        totals = np.stack([path + (lost + each[runs]) for lost, each in zip(errors, costs, strict=True)], 1)
        so_far = np.minimum.accumulate(np.append(F(1e30), totals.min(1)))[:-1]
        hopeless = so_far <= floor[:t][::-1] + bound  # no path through this point or an earlier one is cheaper
        looked = int(np.argmax(hopeless)) if hopeless.any() else t
        at, which = divmod(int(totals[:looked].argmin()), 2)
        best[t], before[t], chosen[t] = totals[at, which], t - 1 - at, (high, low)[which]
        error = error + x * x
        skipped[t] = error
        floor[t] = min(floor[t - 1], best[t] - error)
    ends = np.where(np.array(where) < 63, end, F(0))
    last = len(where) - 1 - int((best + (error - skipped) + ends)[::-1].argmin())
    levels = np.zeros(64, np.int64)
    while last:
        k = where[last]
        levels[k] = chosen[last] if values[k] >= 0 else -chosen[last]
        last = before[last]
    return levels


def choose_dc(values: Floats, cost: Floats) -> Levels:
    """Find the cheapest sequence of DC levels of a plane, whose differences are coded (section F.1.1.5.1)."""
    totals, tried, back = [F(0)] * 3, [[0, 0, 0]], []
    for value in values:
        below = int(np.floor(value))
        nearer_zero = below - 1 if below >= 1 else below + 2 if below < -1 else 0
        choices = [below, below + 1, nearer_zero]
        sums = [
            [total + cost[abs(level - last).bit_length()] for total, last in zip(totals, tried[-1], strict=True)]
            for level in choices
        ]
        back.append([row.index(min(row)) for row in sums])
        errors = [value - F(level) for level in choices]
        totals = [min(row) + error * error for row, error in zip(sums, errors, strict=True)]
        tried.append(choices)
    at, chain = totals.index(min(totals)), []
    for choices, came_from in zip(tried[:0:-1], back[::-1], strict=True):
        chain.append(choices[at])
        at = came_from[at]
    return np.array(chain[::-1], np.int64)


def block_losses(coefficients: Floats, levels: Levels) -> Floats:
    """Return by how much the squared error of each block of a plane grows if all its levels become zero."""
    errors = coefficients - levels.astype(F)
    gains = coefficients * coefficients - errors * errors
    gains[:, 1:][~are_kept(coefficients[:, 1:])] = 0
    return np.cumsum(gains, axis=1, dtype=F)[:, -1]


# Symbols


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of a scan, and its amplitude."""

    table: int
    kind: int
    """0 of DC, 1 of AC."""
    symbol: int
    amplitude: str = ""


def amplitude_of(value: int) -> str:
    """Return the amplitude of a value: ones' complement of a negative one (section F.1.2.1.1)."""
    size = abs(value).bit_length()
    return f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""


def list_symbols(levels: Levels) -> Iterator[Symbol]:
    """List the symbols of the interleaved scan of all planes, (C, N, 64)."""
    previous = [0] * len(levels)
    for block in levels.swapaxes(0, 1).tolist():
        for plane, (dc, *ac) in enumerate(block):
            table, difference = min(plane, 1), dc - previous[plane]
            previous[plane] = dc
            yield Symbol(table, 0, abs(difference).bit_length(), amplitude_of(difference))
            last = 0
            for k, level in enumerate(ac, 1):
                if level == 0:
                    continue
                zeros, run = divmod(k - last - 1, 16)
                last = k
                yield from [Symbol(table, 1, ZEROS)] * zeros
                yield Symbol(table, 1, run << 4 | abs(level).bit_length(), amplitude_of(level))
            if last < 63:
                yield Symbol(table, 1, END)


def frequencies(symbols: Sequence[Symbol], table: int, kind: int) -> list[int]:
    """Count the occurrences of each symbol of a table."""
    counts = Counter(each.symbol for each in symbols if (each.table, each.kind) == (table, kind))
    return [counts[k] for k in range(256)]


def log2(value: int) -> int:
    """Compute 256 · log2 of an integer 1 … 2^30, rounded down, in integers."""
    exponent = value.bit_length() - 1
    mantissa, fraction = value << (30 - exponent), 0
    for _ in range(8):
        mantissa = mantissa * mantissa >> 30
        fraction = fraction << 1 | mantissa >> 31
        mantissa >>= mantissa >> 31
    return exponent << 8 | fraction


def symbol_costs(counts: Sequence[int]) -> Floats:
    """Estimate the length of each symbol's code, 1 … 18 bits; an absent one counts as half an occurrence."""
    total = log2(max(2 * sum(counts), 1))
    bits = [min(max(total - log2(max(2 * count, 1)), 256), 18 * 256) for count in counts]
    return np.array(bits, F) / F(256)


# Huffman tables


@dataclass(frozen=True)
class HuffmanTable:
    """Number of codes of each length, 1 … 16 bits, and symbols by ascending code (section B.2.4.2)."""

    counts: list[int]
    symbols: list[int]
    codes: dict[int, str] = field(init=False)

    def __post_init__(self) -> None:
        code, codes, left = 0, {}, iter(self.symbols)
        for length, count in enumerate(self.counts, 1):  # figures C.1 … C.3
            for _ in range(count):
                codes[next(left)] = f"{code:0{length}b}"
                code += 1
            code <<= 1
        object.__setattr__(self, "codes", codes)

    @classmethod
    def of(cls, frequency: Sequence[int]) -> HuffmanTable:
        """Return the optimal table for symbols of such frequencies (section K.2)."""
        depth = tree_depths(frequency)
        counts = [0] * 258
        for length in depth.values():
            counts[length] += 1
        for length in range(257, 16, -1):  # no code has more than 16 bits: figure K.3
            while counts[length]:
                shorter = next(k for k in range(length - 2, 0, -1) if counts[k])
                counts[length] -= 2
                counts[length - 1] += 1
                counts[shorter + 1] += 2
                counts[shorter] -= 1
        counts[max(k for k in range(17) if counts[k])] -= 1  # the code of all ones
        symbols = sorted(depth.keys() - {ALL_ONES}, key=lambda symbol: (depth[symbol], symbol))
        return cls(counts[1:17], symbols)

    def segment(self) -> bytes:
        return bytes((*self.counts, *self.symbols))


def tree_depths(frequency: Sequence[int]) -> dict[int, int]:
    """Return the code length of each symbol that occurs, and of the code of all ones, without a limit (K.1 and K.2)."""
    trees = [(count, [symbol]) for symbol, count in enumerate(frequency) if count] + [(1, [ALL_ONES])]
    depth = dict.fromkeys((symbol for _, (symbol,) in trees), 0)
    while len(trees) > 1:
        a, b = sorted(range(len(trees)), key=lambda k: (trees[k][0], -k))[:2]  # of equals the last
        trees[a] = trees[a][0] + trees[b][0], trees[a][1] + trees[b][1]
        for symbol in trees[a][1]:
            depth[symbol] += 1
        del trees[b]
    return depth


Tables = list[list[HuffmanTable]]


def tables_of(symbols: Sequence[Symbol], count: int) -> Tables:
    """Return the DC and the AC table for each number of a table."""
    return [[HuffmanTable.of(frequencies(symbols, table, kind)) for kind in (0, 1)] for table in range(count)]


# Streams


def words(symbols: Sequence[Symbol], tables: Tables) -> Iterator[str]:
    """Return the bits of each symbol."""
    for each in symbols:
        yield tables[each.table][each.kind].codes[each.symbol] + each.amplitude


def scan(symbols: Sequence[Symbol], tables: Tables) -> bytes:
    """Write entropy-coded data: ones pad the last byte, and a zero follows each 0xFF (section F.1.2.3)."""
    bits = "".join(words(symbols, tables))
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def segment(marker: int, *body: bytes) -> bytes:
    whole = b"".join(body)
    return bytes((0xFF, marker)) + (len(whole) + 2).to_bytes(2, "big") + whole


def stream(shape: tuple[int, ...], quantisers: Sequence[Quantiser], symbols: Sequence[Symbol], tables: Tables) -> bytes:
    """Write tables, frame and scan (section B.2)."""
    planes = 2 * len(quantisers) - 1
    size = b"".join(side.to_bytes(2, "big") for side in shape)
    components = (bytes((c + 1, 0x11, min(c, 1))) for c in range(planes))
    chosen = (bytes((c + 1, 0x11 * min(c, 1))) for c in range(planes))
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xDB, *(bytes((k, *quantiser.table.tolist())) for k, quantiser in enumerate(quantisers))),
            segment(0xC0, b"\x08", size, bytes((planes,)), *components),
            segment(
                0xC4,
                *(bytes((kind << 4 | k,)) + tables[k][kind].segment() for k in range(len(tables)) for kind in (0, 1)),
            ),
            segment(0xDA, bytes((planes,)), *chosen, bytes((0, 63, 0))),
            scan(symbols, tables),
            b"\xff\xd9",
        )
    )
