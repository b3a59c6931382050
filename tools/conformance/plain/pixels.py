"""Sections 5.2 to 5.5 and 5.8: reconstruct a level from the coarser one and a residual, filter luma, convert to RGB.

Everything is int64, in which nothing overflows and ``>>`` is floor division by a power of two, as section 2 wants.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.int64]


def clip8(values: Planes) -> Planes:
    """Compute ``min(max(v, 0), 255)`` (section 2)."""
    return np.clip(values, 0, 255)


def _filter(p: Planes, k: Sequence[int]) -> Planes:
    """Filter in one dimension: ``(…, n)`` samples to ``(…, 2n)`` sums (section 5.2)."""
    n = p.shape[-1]

    def shifted(offset: int) -> Planes:  # p[x + offset]; outside, the sample at the edge
        return p[..., np.clip(np.arange(n) + offset, 0, n - 1)]

    sums = np.empty((*p.shape[:-1], 2 * n), np.int64)
    sums[..., 0::2] = k[3] * shifted(-2) + k[2] * shifted(-1) + k[1] * p + k[0] * shifted(+1)
    sums[..., 1::2] = k[0] * shifted(-1) + k[1] * p + k[2] * shifted(+1) + k[3] * shifted(+2)
    return sums


def up2(plane: Planes, k: Sequence[int]) -> Planes:
    """Upsample a plane ``(h, w)`` of [0, 255] to ``(2h, 2w)``, vertically first (section 5.2)."""
    c = plane - 128
    v = (_filter(c.T, k).T + 16) >> 5
    q = (_filter(v, k) + 64) >> 7
    return clip8(q + 128)


def add_residual(
    coarser: Planes, residual: Planes, taps: Sequence[int], chroma_taps: Sequence[int], cfl: Sequence[int]
) -> Planes:
    """Reconstruct the finer planes from Y, Cb, Cr ``(3, s, s)`` and residuals ``(3, 2s, 2s)`` (sections 5.3, 5.4)."""
    luma = up2(coarser[0], taps)
    finer = [clip8(luma + residual[0] - 128)]
    change = finer[0] - luma  # D: what the residual changed after clipping
    for plane, difference, b in zip(coarser[1:], residual[1:], cfl, strict=True):
        finer.append(clip8(up2(plane, chroma_taps) + ((b * change + 32) >> 6) + difference - 128))
    return np.stack(finer)


def filter_luma(luma: Planes, weights: Sequence[int]) -> Planes:
    """Filter the luma ``(s, s)`` of a tile of level 0 (section 5.8)."""
    rows, columns = (np.arange(side) for side in luma.shape)

    def differences(down: int, right: int) -> Planes:  # outside, the nearest sample of the tile
        y, x = np.clip(rows + down, 0, rows[-1]), np.clip(columns + right, 0, columns[-1])
        return luma[np.ix_(y, x)] - luma

    edge = [differences(*step) for step in ((-1, 0), (0, -1), (0, 1), (1, 0))]
    diagonal = [differences(*step) for step in ((-1, -1), (-1, 1), (1, -1), (1, 1))]
    e, g = (sum(np.clip(d, -6, 6) for d in four) for four in (edge, diagonal))
    w0, w1, w2, w3 = weights
    return clip8(luma + ((w0 * e + w1 * g + w2 * sum(edge) + w3 * sum(diagonal) + 64) >> 7))


def to_rgb(planes: Planes) -> npt.NDArray[np.uint8]:
    """Convert Y, Cb, Cr to R, G, B, both ``(3, h, w)`` (section 5.5)."""
    y, b, r = planes[0], planes[1] - 128, planes[2] - 128
    red = y + ((91881 * r + 32768) >> 16)
    green = y + ((-22554 * b - 46802 * r + 32768) >> 16)
    blue = y + ((116130 * b + 32768) >> 16)
    return clip8(np.stack([red, green, blue])).astype(np.uint8)
