"""A baseline JPEG decoder in NumPy, written from spec section 5.1: what a stream of a stored tile means, bit for bit.

It is slow, checks nothing and is used by nothing but the tests, which decode every stream of the test vectors with it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode", "inverse_dct"]

Ints = NDArray[np.int64]

# fmt: off
ZIGZAG = (
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
)
# fmt: on


def inverse_dct(coefficients: Ints) -> NDArray[np.uint8]:
    """Samples of blocks of dequantised coefficients, (n, 8, 8): vertical frequency first."""
    columns = [coefficients[:, k, :] for k in range(8)]
    work = np.stack([(value + (1 << 10)) >> 11 for value in _butterfly(columns)], axis=1)
    rows = [work[:, :, k] for k in range(8)]
    samples = np.stack([(value + (1 << 17)) >> 18 for value in _butterfly(rows)], axis=2)
    clipped: Ints = np.clip(samples + 128, 0, 255)
    return clipped.astype(np.uint8)


def _butterfly(c: list[Ints]) -> tuple[Ints, ...]:
    """One dimension of the inverse DCT of eight values, times 2^13 · sqrt(8)."""
    z = (c[2] + c[6]) * 4433
    e2, e3 = z - c[6] * 15137, z + c[2] * 6270
    e0, e1 = (c[0] + c[4]) << 13, (c[0] - c[4]) << 13
    a0, a1, a2, a3 = e0 + e3, e1 + e2, e1 - e2, e0 - e3
    z5 = (c[7] + c[3] + c[5] + c[1]) * 9633
    z1, z2 = (c[7] + c[1]) * -7373, (c[5] + c[3]) * -20995
    z3, z4 = (c[7] + c[3]) * -16069 + z5, (c[5] + c[1]) * -3196 + z5
    b0, b1 = c[7] * 2446 + z1 + z3, c[5] * 16819 + z2 + z4
    b2, b3 = c[3] * 25172 + z2 + z3, c[1] * 12299 + z1 + z4
    return a0 + b3, a1 + b2, a2 + b1, a3 + b0, a3 - b0, a2 - b1, a1 - b2, a0 - b3


def decode(data: bytes) -> NDArray[np.uint8]:
    """Planes, (components, side, side), of one stream that keeps the rules of spec section 6.1."""
    tables: dict[int, Ints] = {}
    codes: dict[int, dict[str, int]] = {}
    restart, at = 0, 2
    while True:
        if data[at + 1] == 0xFF:  # fill byte
            at += 1
            continue
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : end]
        if marker == 0xDB:
            for start in range(0, len(body), 65):
                tables[body[start]] = np.array(list(body[start + 1 : start + 65]))
        elif marker == 0xC4:
            codes.update(_huffman_tables(body))
        elif marker == 0xDD:
            restart = int.from_bytes(body, "big")
        elif marker == 0xC0:
            side = int.from_bytes(body[1:3], "big")
            quantisers = [body[8 + 3 * k] for k in range(body[5])]
        elif marker == 0xDA:
            chosen = [(codes[body[2 + 2 * k] >> 4], codes[0x10 | body[2 + 2 * k] & 15]) for k in range(body[0])]
            blocks = _entropy_decode(data[end:-2], chosen, (side // 8) ** 2, restart)
            planes = [
                inverse_dct((blocks[:, k] * tables[quantisers[k]])[:, np.argsort(ZIGZAG)].reshape(-1, 8, 8))
                for k in range(len(quantisers))
            ]
            n = side // 8
            return np.stack([p.reshape(n, n, 8, 8).swapaxes(1, 2).reshape(side, side) for p in planes])
        at = end


def _huffman_tables(body: bytes) -> Iterator[tuple[int, dict[str, int]]]:
    """Class and number of each table of a DHT segment, with the symbol of every code as a string of bits."""
    at = 0
    while at < len(body):
        counts, symbols = body[at + 1 : at + 17], iter(body[at + 17 :])
        code, table = 0, {}
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                table[f"{code:0{length}b}"] = next(symbols)
                code += 1
            code <<= 1
        yield body[at], table
        at += 17 + sum(counts)


def _entropy_decode(scan: bytes, tables: list[tuple[dict[str, int], dict[str, int]]], count: int, restart: int) -> Ints:
    """Quantised coefficients in zigzag order, (blocks, components, 64)."""
    out = np.zeros((count, len(tables), 64), np.int64)
    interval = restart or count
    for first, part in zip(range(0, count, interval), _intervals(scan), strict=True):
        bits = "".join(f"{byte:08b}" for byte in part)
        at, previous = 0, [0] * len(tables)
        for block in range(first, min(first + interval, count)):
            for k, (dc, ac) in enumerate(tables):
                symbol, at = _symbol(bits, at, dc)
                difference, at = _signed(bits, at, symbol)
                previous[k] += difference
                out[block, k, 0] = previous[k]
                index = 1
                while index < 64:
                    symbol, at = _symbol(bits, at, ac)
                    if symbol == 0:  # end of block
                        break
                    index += symbol >> 4
                    if symbol & 15:
                        out[block, k, index], at = _signed(bits, at, symbol & 15)
                    index += 1
    return out


def _intervals(scan: bytes) -> Iterator[bytes]:
    """The scan's bytes between restart markers, without the zero that follows a byte of 0xFF."""
    start = at = 0
    while (at := scan.find(b"\xff", at)) >= 0:
        if scan[at + 1] != 0:
            yield scan[start:at].replace(b"\xff\0", b"\xff")
            start = at + 2
        at += 2
    yield scan[start:].replace(b"\xff\0", b"\xff")


def _symbol(bits: str, at: int, table: dict[str, int]) -> tuple[int, int]:
    for length in range(1, 17):
        if (symbol := table.get(bits[at : at + length])) is not None:
            return symbol, at + length
    raise ValueError(f"no Huffman code at bit {at}")


def _signed(bits: str, at: int, size: int) -> tuple[int, int]:
    """A difference or coefficient of `size` bits: below half of its range it is negative."""
    if not size:
        return 0, at
    value = int(bits[at : at + size], 2)
    return value - ((1 << size) - 1 if value < 1 << (size - 1) else 0), at + size
