"""What a decoder makes of quantised blocks, for the encoder's closed loop: without the detour of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jpeg_blocks import ZIGZAG, Blocks, Levels
from .jpeg_idct import LANES, inverse_dct
from .kernels import kernel

__all__ = ["decode_levels"]

U = np.uint64

_PLACES = (ZIGZAG * LANES).astype(np.uint64)
"""Where a coefficient of each position in zigzag order goes."""


@kernel
def _decode_levels(dc: Any, first: Any, place: Any, ac: Any, scale: Any, out: Any) -> None:
    planes, height, across = out.shape[0], out.shape[1], out.shape[2] // 2
    coefficients = np.zeros(64 * LANES, np.int16)
    memory = np.zeros(64 * LANES, np.int16), np.zeros(2 * LANES, np.uint32)
    for c in range(planes):
        for row in range(height // 8):
            for left in range(0, across, LANES):
                count = min(LANES, across - left)
                coefficients[:] = 0
                last = np.int64(0)
                for lane in range(count):
                    n = row * across + left + lane
                    coefficients[lane] = dc[c, n]
                    for k in range(first[c, n], first[c, n + 1]):
                        at = place[U(k)]
                        if ac[U(k)]:
                            coefficients[_PLACES[U(at)] + U(lane)] = ac[U(k)]
                            last = max(last, np.int64(at))
                inverse_dct(coefficients, scale[c], last, memory, out[c], 8 * row, 2 * left, count)


def decode_levels(blocks: Blocks, levels: Levels, scale: NDArray[np.int16], out: NDArray[np.uint8]) -> None:
    """Samples of planes as the inverse DCT of spec section 5.1 makes them.

    Parameters
    ----------
    blocks : Blocks
        Of C planes.
    levels : Levels
    scale : (C, 64 * LANES) int16
        Quantiser steps of each plane in raster order, each once for every lane.
    out : (C, h, w) uint8
        Gets the samples; contiguous.
    """
    _decode_levels(levels.dc, blocks.first, blocks.place, levels.ac, scale, out.view(np.uint32))
