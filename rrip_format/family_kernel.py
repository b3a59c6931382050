"""A family's streams to RGB in one call: what is read most (spec section 5).

Streams and planes fill the caches, so that between two kernels the interpreter takes five times as long as it does
by itself: a tenth of the time of a family, if there is one kernel for each stream and level.
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
from .predict import NOTHING, coarser_window, filters, reconstruct_into

__all__ = ["decode_rgb"]

Array = Any
"""What Numba compiles for: annotations inside kernels say nothing to it."""

Plane = NDArray[np.uint8]

_NO_TILE, _NO_BASE = as_stream(b""), -1


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
    if spans[0] == spans[1]:
        return _NO_BASE
    found = np.empty(4, np.int64)
    planes = np.empty((3, side, side // 4), np.uint32)
    problem = decode_into(base[spans[0] : spans[1]], 0, side // 8, planes, found)
    coarse = planes.view(np.uint8)
    for n in range(levels):
        side *= 2
        top, bottom, left = windows[4 * n], windows[4 * n + 1], windows[4 * n + 2]
        samples = np.empty((3, side, side // 4), np.uint32)
        for c in range(3):
            begin, end = spans[2 + 6 * n + 2 * c], spans[3 + 6 * n + 2 * c]
            if begin < end and problem == 0:
                stream = middle[begin:end] if n == 0 else finest[begin:end]
                problem = decode_into(stream, top // 8, (bottom + 7) // 8, samples[c : c + 1], found)
        if problem:
            break
        i = 2 + 6 * n
        luma = samples[0].view(np.uint16) if spans[i] < spans[i + 1] else nothing
        cb = samples[1].view(np.uint16) if spans[i + 2] < spans[i + 3] else nothing
        cr = samples[2].view(np.uint16) if spans[i + 4] < spans[i + 5] else nothing
        window, numbers = windows[4 * n : 4 * n + 4], coarse_filters if n == 0 else fine_filters
        if n == levels - 1:
            reconstruct_into(coarse, luma, cb, cr, numbers, window, True, out, job[2:5])
        else:
            finer = np.empty((3, side, side), np.uint8)
            strides = np.array([top * side + left, side, side * side])
            reconstruct_into(coarse, luma, cb, cr, numbers, window, False, finer.reshape(finer.size), strides)
            coarse = finer
    return int(problem)


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
        Of their streams, bytes.
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
    windows = [window]
    for n in range(levels - 1, 0, -1):
        windows.insert(0, coarser_window(windows[0], side << n, side << n))
    job = [side, levels, *strides, *windows[0], *windows[-1]]
    for n, stored in enumerate(lengths):
        at = 0
        for length in stored:
            job += at, at + length
            at += length
        job += [0] * (6 - 2 * len(stored) if n else 0)
    base, middle, finest, *_ = *map(as_stream, tiles), _NO_TILE
    coarse, *_, fine = (filters(each.taps, each.chroma_taps, each.cfl) for each in (how[0], *how))
    try:
        problem: int = _decode(base, middle, finest, coarse, fine, NOTHING, np.array(job, np.int64), out)
    except MemoryError:
        return False
    return problem == 0
