"""Coefficients to samples: the inverse DCT of spec section 5.1, of 16 blocks at a time, one in each lane."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jpeg_blocks import ZIGZAG
from .kernels import inlined, inner

__all__ = ["LANES", "inverse_dct"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

i16, i32, u32 = np.int16, np.int32, np.uint32

LANES = 16
"""Blocks that are transformed at once."""

_COLUMNS = np.maximum.accumulate(ZIGZAG % 8)
"""Largest horizontal frequency of the positions up to each."""


@inner
def inverse_dct(
    coefficients: Array, scale: Array, last: int, memory: Any, out: Array, top: int, left: int, count: int
) -> None:
    """Samples of up to 16 blocks beside each other (spec section 5.1).

    Its F and w are kept in 16 bits, which they do not leave in a stream that obeys that section.

    Parameters
    ----------
    coefficients, scale : (64 * LANES,) int16
        Quantised coefficients and quantiser steps in raster order, those of all lanes for each frequency. What is
        behind position `last` in zigzag order is zero.
    memory
        ``64 * LANES`` int16 and ``2 * LANES`` uint32.
    out : (side, side / 4) uint32
        Gets them, four samples each, from row `top` and item `left` on.
    """
    w = LANES
    work, packed = memory
    if last == 0:  # (4 * dc << 13) + 131072 >> 18
        for b in range(count):
            dc = i32(i16(coefficients[b] * scale[b]))
            four = u32(min(max((i32(dc + 4) >> i32(3)) + i32(128), i32(0)), i32(255))) * u32(0x01010101)
            for y in range(8):
                out[top + y, left + 2 * b] = four
                out[top + y, left + 2 * b + 1] = four
        return
    width = (_COLUMNS[last] + 1) * w
    for k in range(width):
        s0, s1, s2, s3, s4, s5, s6, s7 = _butterfly(
            i16(coefficients[k] * scale[k]),
            i16(coefficients[8 * w + k] * scale[8 * w + k]),
            i16(coefficients[16 * w + k] * scale[16 * w + k]),
            i16(coefficients[24 * w + k] * scale[24 * w + k]),
            i16(coefficients[32 * w + k] * scale[32 * w + k]),
            i16(coefficients[40 * w + k] * scale[40 * w + k]),
            i16(coefficients[48 * w + k] * scale[48 * w + k]),
            i16(coefficients[56 * w + k] * scale[56 * w + k]),
            i32(1 << 10),
        )
        work[k] = i16(s0 >> i32(11))
        work[8 * w + k] = i16(s1 >> i32(11))
        work[16 * w + k] = i16(s2 >> i32(11))
        work[24 * w + k] = i16(s3 >> i32(11))
        work[32 * w + k] = i16(s4 >> i32(11))
        work[40 * w + k] = i16(s5 >> i32(11))
        work[48 * w + k] = i16(s6 >> i32(11))
        work[56 * w + k] = i16(s7 >> i32(11))
    for y in range(8):
        row = work[y * 8 * w : (y + 1) * 8 * w]
        row[width:] = 0
        line = out[top + y, left : left + 2 * w] if count == w else packed
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
                i32((1 << 17) + (128 << 18)),
            )
            line[2 * b] = _clip(s0) | _clip(s1) << u32(8) | _clip(s2) << u32(16) | _clip(s3) << u32(24)
            line[2 * b + 1] = _clip(s4) | _clip(s5) << u32(8) | _clip(s6) << u32(16) | _clip(s7) << u32(24)
        if count < w:
            for b in range(2 * count):
                out[top + y, left + b] = packed[b]


@inlined
def _clip(value: Any) -> Any:
    """clip8 of a sample that is still to be divided by 2^18."""
    return u32(min(max(value >> i32(18), i32(0)), i32(255)))


@inlined
def _butterfly(c0: Any, c1: Any, c2: Any, c3: Any, c4: Any, c5: Any, c6: Any, c7: Any, half: Any) -> Any:
    """One dimension of the inverse DCT (spec section 5.1), with `half` added to each result.

    Multiplied out, so that all products are of two 16-bit numbers: there are instructions that add those.
    """
    e0, e1 = i32((i32(i32(c0) + i32(c4)) << i32(13)) + half), i32((i32(i32(c0) - i32(c4)) << i32(13)) + half)
    e2, e3 = i32(_times(c2, 4433) + _times(c6, -10704)), i32(_times(c2, 10703) + _times(c6, 4433))
    a0, a1, a2, a3 = i32(e0 + e3), i32(e1 + e2), i32(e1 - e2), i32(e0 - e3)
    b0 = _four(c1, 2260, c3, -6436, c5, 9633, c7, -11363)
    b1 = _four(c1, 6437, c3, -11362, c5, 2261, c7, 9633)
    b2 = _four(c1, 9633, c3, -2259, c5, -11362, c7, -6436)
    b3 = _four(c1, 11363, c3, 9633, c5, 6437, c7, 2260)
    return (
        i32(a0 + b3),
        i32(a1 + b2),
        i32(a2 + b1),
        i32(a3 + b0),
        i32(a3 - b0),
        i32(a2 - b1),
        i32(a1 - b2),
        i32(a0 - b3),
    )


@inlined
def _four(a: Any, u: Any, b: Any, v: Any, c: Any, x: Any, d: Any, y: Any) -> Any:
    """The sum of four coefficients, each times the factor behind it."""
    return i32(i32(_times(a, u) + _times(b, v)) + i32(_times(c, x) + _times(d, y)))


@inlined
def _times(c: Any, factor: Any) -> Any:
    """A product of two 16-bit numbers in 32 bits."""
    return i32(i32(c) * i32(factor))
