"""The filter of decoded luma of level 0, for the encoder (spec section 5.8)."""

from __future__ import annotations

from ctypes import c_int16

import numpy as np

from . import library as lib
from .colour import Plane

__all__ = ["Weights", "filter_luma"]

Weights = tuple[int, int, int, int]
"""Weights in 128ths: of clipped differences to edge and to diagonal neighbours, and of whole differences to both."""


def filter_luma(plane: Plane, weights: Weights) -> Plane:
    """Filter a plane of luma (spec section 5.8).

    Parameters
    ----------
    plane : (h, w) uint8
        Luma of a tile of level 0, both sides at most 2048.
    weights : four ints
        As in :class:`rrip_format.spec.metadata.ResidualCoding`.

    Returns
    -------
    (h, w) uint8
        Filtered luma.

    Raises
    ------
    ValueError
        If the plane is too large, or the weights are out of range.
    """
    height, width = plane.shape
    plane = np.ascontiguousarray(plane)
    out = np.empty_like(plane)
    start, size, _memory = lib.scratch(lib.library.rrip_filter_scratch(width))
    lib.call(
        lib.library.rrip_filter_luma(
            *(lib.core(), lib.address(plane), height, width, (c_int16 * 4)(*weights)),
            *(lib.address(out), start, size),
        )
    )
    return out
