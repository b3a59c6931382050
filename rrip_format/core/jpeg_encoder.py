"""A baseline JPEG encoder with rate-distortion optimised quantisation (ITU-T T.81).

A quantised coefficient (a level of T.81) is lowered or set to zero where the bits saved are worth more than the error
added. The length of a code depends on how often it occurs, so the choice is repeated, each time with the statistics of
the previous one. The Huffman tables are then optimal for the result, which any baseline decoder reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, c_size_t, c_uint8, c_void_p, string_at
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import library as lib

__all__ = ["EFFORTS", "ZIGZAG", "Quantiser", "encode_gray", "encode_ycc"]

EFFORTS = {"fast": 0, "default": 1, "best": 3}
"""Number of rate-distortion passes; with none, coefficients are rounded with a preference for zero."""

# fmt: off
ZIGZAG = np.array([
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
])
"""Raster index, 8 · vertical + horizontal frequency, of each coefficient in the order of coding (T.81 figure A.6)."""
# fmt: on

Floats = NDArray[np.float32]
Samples = NDArray[np.uint8]


@dataclass(frozen=True)
class Quantiser:
    """Quantiser steps and the weight of the bit rate.

    Parameters
    ----------
    table : (64,) uint8
        Quantiser steps in zigzag order, 1 … 255 (T.81 B.2.4.1).
    rate : float
        Squared error, in squared steps of each coefficient, that saving one bit is worth; 0 rounds to the nearest
        level. So coarser steps count errors of their frequencies less.
    """

    table: NDArray[np.uint8]
    rate: float = 0.0


def encode_gray(
    plane: Floats,
    quantiser: Quantiser,
    *,
    effort: str = "default",
    optional: bool = False,
    samples: Samples | None = None,
) -> bytes:
    """Encode one plane as a grayscale JPEG.

    Parameters
    ----------
    plane : (h, w) float32
        Samples minus 128, -128 … 127; h and w are multiples of 8.
    quantiser : Quantiser
        Quantiser steps and rate.
    effort : str
        A key of ``EFFORTS``.
    optional : bool
        Omit the plane if the bits saved are worth more than the error and no block loses much.
    samples : (h, w) uint8, optional
        Receives the decoded samples; left as it is if the result is empty.

    Returns
    -------
    bytes
        One stream, or no bytes if every level is zero or the plane is omitted.
    """
    return _encode(plane[None], [quantiser], effort, samples, optional=optional)


def encode_ycc(
    planes: Floats, luma: Quantiser, chroma: Quantiser, *, effort: str = "default", samples: Samples | None = None
) -> bytes:
    """Encode Y, Cb and Cr, (3, h, w) float32, as a 4:4:4 colour JPEG; see :func:`encode_gray`."""
    return _encode(planes, [luma, chroma], effort, samples, optional=False)


def _encode(
    planes: Floats, quantisers: Sequence[Quantiser], effort: str, samples: Samples | None, *, optional: bool
) -> bytes:
    count, height, width = planes.shape
    planes = np.ascontiguousarray(planes, np.float32)
    if samples is not None and (samples.size != planes.size or not samples.flags.c_contiguous):
        raise ValueError(f"samples are {samples.shape}, expected contiguous {planes.shape}")
    how = (lib.Quantiser * len(quantisers))(
        *(lib.Quantiser((c_uint8 * 64)(*quantiser.table.tolist()), quantiser.rate) for quantiser in quantisers)
    )
    start, room, memory = lib.scratch(lib.library.rrip_encode_scratch(count, height, width))
    stream, size = c_void_p(), c_size_t()
    lib.call(
        lib.library.rrip_encode(
            *(lib.core(), lib.address(planes), count, height, width, how, EFFORTS[effort], optional),
            *(None if samples is None else lib.address(samples), start, room, byref(stream), byref(size)),
        )
    )
    return string_at(stream.value or start, size.value) if memory.size else b""
