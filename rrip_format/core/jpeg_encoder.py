"""A baseline JPEG encoder that spends bits where they save most error (ITU-T T.81).

Rate-distortion optimised quantisation: a level is lowered or dropped where that saves more bits than the error it makes
is worth. What a code costs depends on how often it occurs, so levels are chosen several times, each time with the
statistics of the last choice. The Huffman tables are then optimal for what was chosen. Any baseline decoder reads it.
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
"""How often levels are chosen by rate and distortion; without, coefficients are rounded towards zero."""

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
    """How coefficients become levels.

    Parameters
    ----------
    table : (64,) uint8
        Quantiser steps in zigzag order, 1 … 255 (T.81 B.2.4.1).
    rate : float
        What a bit is worth, in squared mean steps; 0 rounds to the nearest level.
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
        Samples less 128, -128 … 127; sides are multiples of 8.
    quantiser : Quantiser
    effort : str
        A key of ``EFFORTS``.
    optional : bool
        The plane may be left away: it is, if that saves more bits than the error is worth and no block loses much.
    samples : (h, w) uint8, optional
        Gets what the stream decodes to, unless that is none.

    Returns
    -------
    bytes
        One stream; none where every level is zero or the plane was left away.
    """
    return _encode(plane[None], [quantiser], effort, samples, optional=optional)


def encode_ycc(
    planes: Floats, luma: Quantiser, chroma: Quantiser, *, effort: str = "default", samples: Samples | None = None
) -> bytes:
    """Encode Y, Cb, Cr, (3, h, w), like the plane of :func:`encode_gray`, as a 4:4:4 colour JPEG."""
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
    place, room, memory = lib.scratch(lib.library.rrip_encode_scratch(count, height, width))
    stream, size = c_void_p(), c_size_t()
    lib.call(
        lib.library.rrip_encode(
            *(lib.core(), lib.address(planes), count, height, width, how, EFFORTS[effort], optional),
            *(None if samples is None else lib.address(samples), place, room, byref(stream), byref(size)),
        )
    )
    return string_at(stream.value or place, size.value) if memory.size else b""
