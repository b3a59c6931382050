"""The reconstruction arithmetic of spec section 5 in plain NumPy.

The compiled core equals it bit for bit. Every intermediate value fits 16 bits (spec section 5.6); this module computes
in 64 bits, so that it would show a range that the proof had missed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["box2", "chroma_from_luma_term", "filter_luma", "reconstruct", "rgb_to_ycc", "up2", "ycc_to_rgb"]

Plane = NDArray[np.uint8]
Taps = tuple[int, int, int, int]


def up2(plane: Plane, taps: Taps) -> Plane:
    """Upsample a plane by two in both directions (spec section 5.2).

    Parameters
    ----------
    plane : (h, w) uint8
    taps : four ints that sum to 64, with sum of magnitudes at most 90

    Returns
    -------
    (2h, 2w) uint8
    """
    centred = plane.astype(np.int64) - 128
    rows = (_filter(centred, taps) + 16) >> 5
    pixels = ((_filter(rows.T, taps).T + 64) >> 7) + 128
    return _clip8(pixels)


def _clip8(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    clipped: NDArray[np.int64] = np.clip(values, 0, 255)
    return clipped.astype(np.uint8)


def _filter(samples: NDArray[np.int64], taps: Taps) -> NDArray[np.int64]:
    """Interleave the two quarter-sample phases along the first axis; outside, the edge sample repeats."""
    count = samples.shape[0]
    s = np.pad(samples, ((2, 2), (0, 0)), mode="edge")
    before2, before1, here, after1, after2 = (s[k : k + count] for k in range(5))
    k0, k1, k2, k3 = taps
    out = np.empty((2 * count, samples.shape[1]), np.int64)
    out[0::2] = k3 * before2 + k2 * before1 + k1 * here + k0 * after1
    out[1::2] = k0 * before1 + k1 * here + k2 * after1 + k3 * after2
    return out


def chroma_from_luma_term(luma_change: NDArray[np.int64], coefficient: int) -> NDArray[np.int64]:
    """Compute ``(b · change + 32) >> 6``, the change of chroma that follows from luma (spec section 5.4)."""
    return (coefficient * luma_change + 32) >> 6


def reconstruct(
    coarse: tuple[Plane, Plane, Plane],
    residuals: tuple[Plane | None, Plane | None, Plane | None],
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None = None,
) -> tuple[Plane, Plane, Plane]:
    """Reconstruct one residual level from the next coarser one (spec section 5.3).

    Parameters
    ----------
    coarse : three (h, w) uint8
        Y, Cb, Cr of the coarser level.
    residuals : three (2h, 2w) uint8 or None
        Decoded residual planes, 128 = zero; None stands for a plane of 128.
    taps : see :func:`up2`
        Filter of Y.
    cfl : two ints, -127 … 127
        Chroma-from-luma coefficients of Cb and Cr, in 64ths.
    chroma_taps : like `taps`
        Filter of Cb and Cr; that of Y if not given.

    Returns
    -------
    three (2h, 2w) uint8
        Y, Cb, Cr.
    """
    filters = (taps, chroma_taps or taps, chroma_taps or taps)
    predicted = [up2(plane, filter_).astype(np.int64) for plane, filter_ in zip(coarse, filters, strict=True)]
    change = [np.int64(0) if r is None else r.astype(np.int64) - 128 for r in residuals]
    luma = np.clip(predicted[0] + change[0], 0, 255)
    luma_change = luma - predicted[0]
    cb, cr = (
        np.clip(predicted[k] + chroma_from_luma_term(luma_change, cfl[k - 1]) + change[k], 0, 255) for k in (1, 2)
    )
    return luma.astype(np.uint8), cb.astype(np.uint8), cr.astype(np.uint8)


def filter_luma(luma: Plane, weights: tuple[int, int, int, int]) -> Plane:
    """Filter the luma of a tile of level 0 with its eight neighbours (spec section 5.8).

    Parameters
    ----------
    luma : (h, w) uint8
        A whole tile: beyond it, the nearest sample repeats.
    weights : four ints
        Of clipped differences to edge and to diagonal neighbours, and of whole differences to both, in 128ths.

    Returns
    -------
    (h, w) uint8
    """
    (height, width), sample = luma.shape, luma.astype(np.int64)
    around = np.pad(sample, 1, mode="edge")
    total = np.full_like(sample, 64)
    for diagonal, moves in ((0, ((0, 1), (1, 0), (1, 2), (2, 1))), (1, ((0, 0), (0, 2), (2, 0), (2, 2)))):
        for down, right in moves:
            difference = around[down : down + height, right : right + width] - sample
            total += weights[diagonal] * np.clip(difference, -6, 6) + weights[2 + diagonal] * difference
    return _clip8(sample + (total >> 7))


def ycc_to_rgb(y: Plane, cb: Plane, cr: Plane) -> NDArray[np.uint8]:
    """Convert YCbCr to RGB with the fixed-point arithmetic of libjpeg (spec section 5.5).

    Parameters
    ----------
    y, cb, cr : (h, w) uint8

    Returns
    -------
    (3, h, w) uint8
    """
    luma, blue, red = y.astype(np.int64), cb.astype(np.int64) - 128, cr.astype(np.int64) - 128
    rgb = (
        luma + ((91881 * red + 32768) >> 16),
        luma + ((-22554 * blue - 46802 * red + 32768) >> 16),
        luma + ((116130 * blue + 32768) >> 16),
    )
    return _clip8(np.stack(rgb))


def rgb_to_ycc(rgb: NDArray[np.uint8]) -> tuple[Plane, Plane, Plane]:
    """Convert RGB to YCbCr with the fixed-point arithmetic of libjpeg, for encoders (not normative).

    Parameters
    ----------
    rgb : (h, w, 3) uint8

    Returns
    -------
    three (h, w) uint8
    """
    r, g, b = (rgb[..., k].astype(np.int64) for k in range(3))
    y = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
    cb = (-11059 * r - 21709 * g + 32768 * b + (128 << 16) + 32767) >> 16
    cr = (32768 * r - 27439 * g - 5329 * b + (128 << 16) + 32767) >> 16
    return y.astype(np.uint8), cb.astype(np.uint8), cr.astype(np.uint8)


def box2(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Halve an image by the mean of 2x2 pixels, halves up; an odd last row or column repeats (spec section 4.3).

    Parameters
    ----------
    rgb : (h, w, 3) uint8

    Returns
    -------
    (ceil(h/2), ceil(w/2), 3) uint8
    """
    height, width = rgb.shape[:2]
    even = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.uint16)
    total = even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) >> 2).astype(np.uint8)
