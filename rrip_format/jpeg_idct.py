"""Coefficients to samples: the inverse DCT of spec section 5.1, of 16 blocks at a time, one in each lane."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jpeg_blocks import ZIGZAG
from .kernels import inlined, inner

__all__ = ["LANES", "inverse_dct"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

U, i32, u32 = np.uint64, np.int32, np.uint32

LANES = 16
"""Blocks that are transformed at once."""

_COLUMNS = np.maximum.accumulate(ZIGZAG % 8)
"""Largest horizontal frequency of the positions up to each."""


@inner
def inverse_dct(
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
    w = LANES
    if last == 0:  # (4 * dc << 13) + 131072 >> 18
        for b in range(count):
            dc = i32(coefficients[b] * scale[b])
            sample = min(max((i32(dc + 4) >> i32(3)) + i32(128), i32(0)), i32(255))
            for y in range(8):
                out[top + y, left + b] = U(sample) * U(0x0101010101010101)
        return
    width = (_COLUMNS[last] + 1) * w
    for k in range(width):
        c0, c1 = i32(coefficients[k] * scale[k]), i32(coefficients[8 * w + k] * scale[8 * w + k])
        c2, c3 = (
            i32(coefficients[16 * w + k] * scale[16 * w + k]),
            i32(coefficients[24 * w + k] * scale[24 * w + k]),
        )
        c4, c5 = (
            i32(coefficients[32 * w + k] * scale[32 * w + k]),
            i32(coefficients[40 * w + k] * scale[40 * w + k]),
        )
        c6, c7 = (
            i32(coefficients[48 * w + k] * scale[48 * w + k]),
            i32(coefficients[56 * w + k] * scale[56 * w + k]),
        )
        s0, s1, s2, s3, s4, s5, s6, s7 = _butterfly(c0, c1, c2, c3, c4, c5, c6, c7, i32(1 << 10))
        work[k] = s0 >> i32(11)
        work[8 * w + k] = s1 >> i32(11)
        work[16 * w + k] = s2 >> i32(11)
        work[24 * w + k] = s3 >> i32(11)
        work[32 * w + k] = s4 >> i32(11)
        work[40 * w + k] = s5 >> i32(11)
        work[48 * w + k] = s6 >> i32(11)
        work[56 * w + k] = s7 >> i32(11)
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
                i32((1 << 17) + (128 << 18)),
            )
            packed[b] = _clip(s0) | _clip(s1) << u32(8) | _clip(s2) << u32(16) | _clip(s3) << u32(24)
            packed[w + b] = _clip(s4) | _clip(s5) << u32(8) | _clip(s6) << u32(16) | _clip(s7) << u32(24)
        for b in range(count):
            out[top + y, left + b] = U(packed[b]) | U(packed[w + b]) << U(32)


@inlined
def _clip(value: Any) -> Any:
    """clip8 of a sample that is still to be divided by 2^18."""
    return u32(min(max(value >> i32(18), i32(0)), i32(255)))


@inlined
def _butterfly(c0: Any, c1: Any, c2: Any, c3: Any, c4: Any, c5: Any, c6: Any, c7: Any, half: Any) -> Any:
    """One dimension of the inverse DCT (spec section 5.1), with `half` added to each result."""
    z = i32((c2 + c6) * 4433)
    e0, e1 = i32(((c0 + c4) << 13) + half), i32(((c0 - c4) << 13) + half)
    e2, e3 = i32(z - c6 * 15137), i32(z + c2 * 6270)
    a0, a1, a2, a3 = i32(e0 + e3), i32(e1 + e2), i32(e1 - e2), i32(e0 - e3)
    z5 = i32((c7 + c3 + c5 + c1) * 9633)
    z1, z2 = i32((c7 + c1) * -7373), i32((c5 + c3) * -20995)
    z3, z4 = i32((c7 + c3) * -16069 + z5), i32((c5 + c1) * -3196 + z5)
    b0, b1 = i32(c7 * 2446 + z1 + z3), i32(c5 * 16819 + z2 + z4)
    b2, b3 = i32(c3 * 25172 + z2 + z3), i32(c1 * 12299 + z1 + z4)
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
