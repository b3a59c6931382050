"""A strict decoder of the baseline JPEG streams of a tile (ITU-T T.81; spec sections 5.1 and 6.1).

Whatever other decoders report as a warning is an error here: a code that is none, a block that runs over its end,
bytes that are missing or left, a restart marker out of its place. Samples are those of the method of spec section 5.1,
bit for bit.

Three things make it fast. One look into a table gives up to two coefficients: most codes of a residual have four bits,
so that two fit the ten that are looked at. In a plane alone nothing branches where a block ends, which a processor
cannot foresee. And blocks are transformed 16 at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DamagedError, LimitError
from .jpeg_blocks import ZIGZAG
from .jpeg_codes import BAD_TABLE, fill_table, pair_table
from .jpeg_header import PROBLEMS, read_header
from .jpeg_idct import LANES
from .jpeg_scan import BLOCKS, SCAN_PROBLEMS, SPARE, decode_scan, split_scan
from .kernels import kernel

__all__ = ["as_stream", "decode_into", "decode_stream"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

_BITS, _FEW_BITS, _FEW_BYTES = 10, 9, 6000
"""How many bits are looked at: two usual codes with their amplitudes, and a table that fits the first cache; fewer in a
stream that is so short that making the table would take as long as reading it."""

_PROBLEMS = {**PROBLEMS, BAD_TABLE: "JPEG Huffman table has more codes than there are", **SCAN_PROBLEMS}


@kernel
def decode_into(data: Array, begin: int, end: int, out: Array, found: Array) -> int:
    """Decode a stream to `out` (planes, side, side / 4) uint32, as :func:`decode_scan`; 0, or what is wrong."""
    planes, side = out.shape[:2]
    steps, codes, chosen = np.zeros((4, 64), np.int32), np.zeros((4, 16 + 256), np.int32), np.zeros((3, 4), np.int32)
    problem = read_header(data, side, planes, steps, codes, chosen, found)
    if problem:
        return int(problem)
    start, interval = found[0], found[1]
    looked = _BITS if data.shape[0] > _FEW_BYTES else _FEW_BITS
    above, offset = np.zeros((planes, 2, 17), np.int64), np.zeros((planes, 2, 17), np.int64)
    single, pairs = np.empty((planes, 2 << looked), np.int32), np.empty((planes, 2 << looked), np.uint64)
    symbols, scale = np.empty((planes, 2, 256), np.uint8), np.empty((planes, 64 * LANES), np.int16)
    rows = np.arange(planes)  # of tables
    for c in range(planes):
        for k in range(64):
            for lane in range(LANES):
                scale[c, ZIGZAG[k] * LANES + lane] = steps[chosen[c, 1], k]
        if c == 2 and chosen[2, 2] == chosen[1, 2] and chosen[2, 3] == chosen[1, 3]:
            rows[c] = 1  # Cr has the tables of Cb
            continue
        ac, dc = single[c, : 1 << looked], single[c, 1 << looked :]
        for k in range(2):  # AC, then DC
            table = codes[2 - 2 * k + chosen[c, 3 - k]]
            for n in range(256):
                symbols[c, k, n] = table[16 + n]
            problem = fill_table(table, k == 1, looked, dc if k else ac, above[c, k], offset[c, k])
            if problem:
                return int(problem)
        pair_table(ac, ac, 1, looked, pairs[c, : 1 << looked])
        pair_table(dc, ac, 0, looked, pairs[c, 1 << looked :])
    blocks = (side // 8) ** 2
    parts = 1 if interval == 0 else -(-blocks // interval)
    words = np.empty((data.shape[0] - start) // 4 + parts + 2 * SPARE, np.uint32)
    first, bits = np.empty(parts, np.int64), np.empty(parts, np.int64)
    problem = split_scan(data, start, interval, words, first, bits)
    if problem:
        return int(problem)
    scan, tables = (words, first, bits), (single, pairs, above, offset, symbols)
    scratch = (
        np.empty((planes, BLOCKS), np.int16),
        np.empty(planes, np.int16),
        np.empty(planes, np.int64),
        (np.empty(64 * LANES, np.int16), np.empty(2 * LANES, np.uint32)),
    )
    if looked == _BITS:  # numbers that are known take no registers
        return int(decode_scan(scan, interval, _BITS, rows, tables, scale, begin, end, scratch, out, found))
    return int(decode_scan(scan, interval, _FEW_BITS, rows, tables, scale, begin, end, scratch, out, found))


def as_stream(data: bytes | memoryview) -> NDArray[np.uint8]:
    """Bytes as an array that Numba takes for the same type, whatever holds them."""
    stream = np.frombuffer(data, np.uint8)
    stream.flags.writeable = False
    return stream


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
    stream = as_stream(data)
    top, bottom = rows or (0, side)
    found = np.zeros(4, np.int64)
    try:
        out = np.empty((planes, side, side // 4), np.uint32)
        problem = decode_into(stream, top // 8, (bottom + 7) // 8, out, found)
    except MemoryError as error:
        raise LimitError("not enough memory to decode a JPEG tile") from error
    if problem:
        message = _PROBLEMS[problem]
        raise DamagedError(message.format(*found.tolist(), side=side, planes=planes))
    return out.view(np.uint8)
