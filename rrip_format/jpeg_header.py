"""What stands before the scan of a JPEG stream: sizes, tables, and whether it is what its tile's place wants.

The rules of spec section 6.1, checked before anything is decoded, so that a stream cannot claim more than the tile that
it is said to be. Compiled, because a family has up to five streams and none of them may hold the interpreter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .kernels import inlined, inner

__all__ = ["PROBLEMS", "read_header"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

i64 = np.int64

PROBLEMS = {
    1: "not a whole JPEG stream: start or end marker is missing",
    2: "JPEG header is broken at byte {0}",
    3: "JPEG segment at byte {0} is longer than its stream",
    4: "JPEG stream has two frame headers",
    5: "JPEG is not baseline with 8 bits a sample, which this format requires",
    6: "JPEG is {1}x{0} px with {2} components, expected {side}x{side} px with {planes}",
    7: "JPEG components are subsampled; this format stores none that are",
    8: "JPEG scan comes before its frame header",
    9: "JPEG scan header is broken, or does not hold all components in their order",
    10: "JPEG quantisation table at byte {0} is broken, or not of 8 bits",
    11: "JPEG Huffman table at byte {0} is broken, or of no baseline stream",
    12: "JPEG stream has no table {0} that its component {1} needs",
    13: "JPEG restart interval at byte {0} is broken",
    14: "JPEG marker at byte {0} has no place before the scan",
}
"""By code, what is wrong; numbers are what was found."""

_BROKEN, _LONG, _TWO_FRAMES, _NOT_BASELINE, _SIZE, _SUBSAMPLED, _NO_FRAME, _SCAN = 2, 3, 4, 5, 6, 7, 8, 9
_QUANTISER, _HUFFMAN, _NO_TABLE, _RESTART, _MARKER = 10, 11, 12, 13, 14

_SOF0, _SOS, _DQT, _DHT, _DRI, _COM = 0xC0, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE


@inlined
def _two(data: Array, at: Any) -> Any:
    return i64(data[at]) << 8 | i64(data[at + 1])


@inner
def _frame(data: Array, at: int, end: int, side: int, planes: int, chosen: Array, found: Array) -> int:
    """SOF0: 8 bits, the size of the tile, no subsampling; keeps each component's identifier and quantiser."""
    if data[at - 3] != _SOF0 or end - at < 6 or data[at] != 8:
        return _NOT_BASELINE
    found[0] = _two(data, at + 1)
    found[1] = _two(data, at + 3)
    found[2] = data[at + 5]
    if found[0] != side or found[1] != side or found[2] != planes:
        return _SIZE
    if end - at != 6 + 3 * planes:
        return _SUBSAMPLED
    for c in range(planes):
        if data[at + 7 + 3 * c] != 0x11:
            return _SUBSAMPLED
        chosen[c, 0] = data[at + 6 + 3 * c]
        chosen[c, 1] = data[at + 8 + 3 * c]
    return 0


@inner
def _quantisers(data: Array, at: int, end: int, steps: Array) -> int:
    """DQT: `steps` (4, 64) in zigzag order, all zero where there is no table."""
    while at < end:
        if data[at] > 3 or at + 65 > end:
            return _QUANTISER
        for k in range(64):
            steps[data[at], k] = data[at + 1 + k]
            if data[at + 1 + k] == 0:
                return _QUANTISER
        at += 65
    return 0


@inner
def _codes(data: Array, at: int, end: int, codes: Array) -> int:
    """DHT: `codes` (4, 16 + 256), counts and symbols of DC tables 0 and 1 and AC tables 0 and 1."""
    while at < end:
        kind, number = data[at] >> 4, data[at] & 15
        if kind > 1 or number > 1 or at + 17 > end:
            return _HUFFMAN
        table = 2 * kind + number
        total: Any = 0
        for length in range(1, 17):
            total += i64(data[at + length])  # bytes alone would wrap around where nothing compiles this
        if total > 256 or at + 17 + total > end:
            return _HUFFMAN
        for k in range(16 + total):
            codes[table, k] = data[at + 1 + k]
        at += 17 + total
    return 0


@inner
def _scan(data: Array, at: int, end: int, planes: int, chosen: Array) -> int:
    """SOS: all components in the order of the frame, the whole spectrum at once; keeps each one's tables."""
    if end - at != 4 + 2 * planes or data[at] != planes:
        return _SCAN
    for c in range(planes):
        if data[at + 1 + 2 * c] != chosen[c, 0]:
            return _SCAN
        chosen[c, 2] = data[at + 2 + 2 * c] >> 4
        chosen[c, 3] = data[at + 2 + 2 * c] & 15
    at += 1 + 2 * planes
    if data[at] != 0 or data[at + 1] != 63 or data[at + 2] != 0:
        return _SCAN
    return 0


@inner
def _tables_are_there(planes: int, steps: Array, codes: Array, chosen: Array, found: Array) -> int:
    for c in range(planes):
        found[1] = c + 1
        for k in range(1, 4):
            found[0] = chosen[c, k]
            if chosen[c, k] > (3 if k == 1 else 1):
                return _NO_TABLE
        if steps[chosen[c, 1], 0] == 0:
            found[0] = chosen[c, 1]
            return _NO_TABLE
        for k in range(2):
            table = 2 * k + chosen[c, 2 + k]
            found[0] = chosen[c, 2 + k]
            total: Any = 0
            for length in range(16):
                total += codes[table, length]
            if total == 0:
                return _NO_TABLE
    return 0


@inner
def read_header(data: Array, side: int, planes: int, steps: Array, codes: Array, chosen: Array, found: Array) -> int:
    """Read everything up to the scan of a stream.

    Parameters
    ----------
    data : (n,) uint8
        The stream.
    side, planes : int
        What it should be.
    steps : (4, 64) int32
        Gets the quantiser steps of each table in zigzag order; zeros on entry.
    codes : (4, 16 + 256) int32
        Gets the number of Huffman codes of each length, and their symbols, of DC tables 0 and 1 and AC tables 0 and 1;
        zeros on entry.
    chosen : (3, 4) int32
        Gets identifier, quantiser, DC and AC table of each component.
    found : (4,) int64
        Gets the numbers of a problem; without one, where the scan's data begin and the restart interval.

    Returns
    -------
    int
        0, or a key of ``PROBLEMS``.
    """
    size = data.shape[0]
    if size < 4 or data[0] != 0xFF or data[1] != 0xD8 or data[size - 2] != 0xFF or data[size - 1] != 0xD9:
        return 1
    at: Any = 2
    interval: Any = 0
    framed = False
    while True:
        found[0] = at
        if at + 4 > size or data[at] != 0xFF:
            return _BROKEN
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker < _SOF0 or 0xD0 <= marker < _SOS or marker == 0xDC or 0xDE <= marker < 0xE0 or 0xEF < marker < _COM:
            return _MARKER  # anything but frames, tables, APPn and COM; TEM and RST have no length to pass over, either
        start = at + 4
        end = at + 2 + _two(data, at + 2)
        if end < start or end > size:
            return _LONG
        problem: Any = 0
        if marker == _DHT:
            problem = _codes(data, start, end, codes)
        elif marker == _DQT:
            problem = _quantisers(data, start, end, steps)
        elif marker == _DRI:
            if end - start != 2:
                return _RESTART
            interval = _two(data, start)
        elif _SOF0 <= marker <= 0xCF:  # also JPG and DAC, which no baseline stream has
            if framed:
                return _TWO_FRAMES
            framed = True
            problem = _frame(data, start, end, side, planes, chosen, found)
        elif marker == _SOS:
            if not framed:
                return _NO_FRAME
            problem = _scan(data, start, end, planes, chosen)
            if problem == 0:
                problem = _tables_are_there(planes, steps, codes, chosen, found)
            if problem == 0:
                found[0], found[1] = end, interval
            return int(problem)
        if problem != 0:
            return int(problem)
        at = end
