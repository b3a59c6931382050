"""The quantisation tables of ITU-T T.81 annex K.1, scaled as libjpeg does, and which of them a table is nearest to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["nearest_quality", "scaled_table"]

# fmt: off
_TABLES = (
    np.array([
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]),
    np.array([
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
        47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32,
    ]),
)
"""Luma and chroma, in raster order."""
# fmt: on


def scaled_table(kind: int, quality: int) -> NDArray[np.int64]:
    """Return the steps of luma (`kind` 0) or chroma (1) at a quality of 1 … 100, raster order, each in 1 … 255."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: NDArray[np.int64] = np.clip((_TABLES[kind] * percent + 50) // 100, 1, 255)
    return table


def nearest_quality(table: NDArray[np.int64]) -> int:
    """Return the quality whose luma table is nearest to `table`, 64 steps in raster order, by the mean ratio of steps.

    That is libjpeg's quality of every table that libjpeg makes; of others it is the one that loses about as much. Of
    equally near ones the highest is taken.
    """
    logs = np.log(np.maximum(table, 1))
    apart = [float(np.abs(np.log(scaled_table(0, quality)) - logs).mean()) for quality in range(1, 101)]
    return 100 - int(np.argmin(apart[::-1]))
