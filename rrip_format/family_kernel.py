"""A family's streams to RGB in one call: what is read most (spec section 5).

One kernel for each stream and level would do, but streams and planes fill the caches, so that the interpreter is slow
between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .colour import Strides, Window
from .jpeg_decoder import as_stream, decode_into
from .kernels import kernel
from .metadata import ResidualCoding
from .predict import NOTHING, check_width, coarser_window, filters, reconstruct_into

__all__ = ["decode_rgb"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

Plane = NDArray[np.uint8]

_NO_TILE, _NO_BASE = as_stream(b""), -1

i64 = np.int64


@kernel
def _decode(
    base: Array,
    middle: Array,
    finest: Array,
    coarse_filters: Array,
    fine_filters: Array,
    nothing: Array,
    job: Array,
    out: Array,
) -> int:
    """RGB of the finest level that there is to `out`, which is flat; 0, or what is wrong with some stream.

    `job` has the side of the base tile, the levels, the strides of `out`, the window of each residual level, and where
    each stream begins and ends.
    """
    side, levels = job[0], job[1]
    windows, spans = job[5:13], job[13:]
    found = np.empty(4, np.int64)
    coarse = np.empty((3, 0, 0), np.uint8)
    for n in range(levels + 1):  # the base first; each call stands here once, because LLVM puts a copy at every place
        stored = base if n == 0 else (middle if n == 1 else finest)
        top, bottom, left = i64(0), side, i64(0)
        if n > 0:
            top, bottom, left = windows[4 * n - 4], windows[4 * n - 3], windows[4 * n - 2]
        samples = np.empty((3, side, side // 4), np.uint32)
        is_here = np.zeros(3, np.bool_)
        for c in range(1 if n == 0 else 3):
            begin, end = spans[6 * n + 2 * c], spans[6 * n + 2 * c + 1]
            is_here[c] = begin < end
            if is_here[c]:
                planes = samples if n == 0 else samples[c : c + 1]
                problem = decode_into(stored[begin:end], top // 8, (bottom + 7) // 8, planes, found)
                if problem:
                    return int(problem)
        if n == 0:
            if not is_here[0]:
                return _NO_BASE
            coarse = samples.view(np.uint8)
        else:
            luma = samples[0].view(np.uint16) if is_here[0] else nothing
            cb = samples[1].view(np.uint16) if is_here[1] else nothing
            cr = samples[2].view(np.uint16) if is_here[2] else nothing
            is_last = n == levels
            finer = np.empty((3, 0, 0) if is_last else (3, side, side), np.uint8)
            to = out if is_last else finer.reshape(finer.size)
            strides = job[2:5] if is_last else np.array([top * side + left, side, side * side])
            numbers = coarse_filters if n == 1 else fine_filters
            reconstruct_into(coarse, luma, cb, cr, numbers, windows[4 * n - 4 : 4 * n], is_last, to, strides)
            coarse = finer
        side *= 2
    return 0


def decode_rgb(
    side: int,
    tiles: Sequence[bytes],
    lengths: Sequence[Sequence[int]],
    how: Sequence[ResidualCoding],
    window: Window,
    out: Plane,
    strides: Strides,
) -> bool:
    """Decode the finest level to a place in memory.

    Parameters
    ----------
    side : int
        Of the base tile, px.
    tiles : two or three bytes
        Stored tiles of level 2 and of the finer ones, of which only the streams are looked at.
    lengths : sequences of int, one for each tile
        Of their streams, bytes, as :func:`rrip_format.tile.stream_lengths` has found them.
    how : ResidualCoding for each tile but the first
    window : Window
        Of the finest level.
    out : (n,) uint8
    strides : Strides
        Where in it.

    Returns
    -------
    bool
        False if some stream is damaged, or there is not enough memory; nothing was written then.
    """
    levels = len(tiles) - 1
    check_width(side << (levels - 1))
    windows = [window]
    for n in range(levels - 1, 0, -1):
        windows.insert(0, coarser_window(windows[0], side << n, side << n))
    job = [side, levels, *strides, *windows[0], *windows[-1]]
    for stored in lengths:
        at = 0
        for length in stored:
            job += at, at + length
            at += length
        job += [0] * (6 - 2 * len(stored))
    base, middle, finest, *_ = *map(as_stream, tiles), _NO_TILE
    coarse, *_, fine = (filters(each.taps, each.chroma_taps, each.cfl) for each in (how[0], *how))
    try:
        problem: int = _decode(base, middle, finest, coarse, fine, NOTHING, np.array(job, np.int64), out)
    except MemoryError:
        return False
    return problem == 0
