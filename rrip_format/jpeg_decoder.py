"""A strict decoder of the baseline JPEG streams of a tile (ITU-T T.81; spec sections 5.1 and 6.1).

Whatever other decoders report as a warning is an error here: a code that is none, a block that runs over its end,
bytes that are missing or left, a restart marker out of its place. Samples are those of the method of spec section 5.1,
bit for bit.

Two things make it fast. One look into a table gives up to two coefficients: most codes of a residual have four bits, so
that two fit the ten that are looked at. And blocks are transformed 16 at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DamagedError, LimitError
from .jpeg_blocks import ZIGZAG
from .jpeg_codes import BAD_TABLE, DC_BITS, fill_table, pair_table
from .jpeg_header import PROBLEMS, read_header
from .jpeg_idct import LANES
from .jpeg_scan import SCAN_PROBLEMS, SPARE, decode_scan, split_scan
from .kernels import kernel

__all__ = ["decode_stream"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

_BITS, _FEW_BITS, _FEW_BYTES = 10, 9, 6000
"""How many bits are looked at: two usual codes with their amplitudes, and a table that fits the first cache; fewer in a
stream that is so short that making the table would take as long as reading it."""

_PROBLEMS = {**PROBLEMS, BAD_TABLE: "JPEG Huffman table has more codes than there are", **SCAN_PROBLEMS}


@kernel
def _decode(data: Array, begin: int, end: int, out: Array, found: Array) -> int:
    """Decode a stream to `out` (planes, side, side / 8) uint64, as :func:`decode_scan`; 0, or what is wrong."""
    planes, side, across = out.shape
    steps, codes, chosen = np.zeros((4, 64), np.int32), np.zeros((4, 16 + 256), np.int32), np.zeros((3, 4), np.int32)
    problem = read_header(data, side, planes, steps, codes, chosen, found)
    if problem:
        return int(problem)
    start, interval = found[0], found[1]
    looked = _BITS if data.shape[0] > _FEW_BYTES else _FEW_BITS
    above, offset = np.zeros((planes, 2, 17), np.int64), np.zeros((planes, 2, 17), np.int64)
    dc, single = np.empty((planes, 1 << DC_BITS), np.int32), np.empty((planes, 1 << looked), np.int32)
    pairs = np.empty((planes, 1 << looked), np.uint64)
    symbols, scale = np.empty((planes, 2, 256), np.uint8), np.empty((planes, 64 * LANES), np.int32)
    for c in range(planes):
        for k in range(64):
            for lane in range(LANES):
                scale[c, ZIGZAG[k] * LANES + lane] = steps[chosen[c, 1], k]
        for k in range(2):
            row, is_dc = codes[2 * k + chosen[c, 2 + k]], k == 0
            for n in range(256):
                symbols[c, k, n] = row[16 + n]
            looks, table = (DC_BITS, dc[c]) if is_dc else (looked, single[c])
            problem = fill_table(row, is_dc, looks, table, above[c, k], offset[c, k])
            if problem:
                return int(problem)
        pair_table(single[c], looked, pairs[c])
    blocks = (side // 8) * across
    parts = 1 if interval == 0 else -(-blocks // interval)
    words = np.empty((data.shape[0] - start) // 4 + parts + 2 * SPARE, np.uint32)
    first, bits = np.empty(parts, np.int64), np.empty(parts, np.int64)
    problem = split_scan(data, start, interval, words, first, bits)
    if problem:
        return int(problem)
    tables = dc, single, pairs, above, offset, symbols, scale
    return int(decode_scan(words, first, bits, interval, looked, *tables, begin, end, out, found))


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
        message = _PROBLEMS[problem]
        raise DamagedError(message.format(*found.tolist(), side=side, planes=planes))
    return out.view(np.uint8)
