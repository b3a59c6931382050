"""Back projection: what upsampling a coarser level leaves of a finer one, for the encoder (spec section 5.2)."""

from __future__ import annotations

from ctypes import c_int16

import numpy as np
from numpy.typing import NDArray

from . import library as lib
from .predict import Taps

__all__ = ["back_project"]

Floats = NDArray[np.float32]


def back_project(fine: Floats, coarse: Floats, taps: Taps) -> Floats:
    """Apply the transposed upsampling filter to the error of the prediction of a finer plane.

    A part of the result, added to `coarse`, gives a plane from which `fine` is predicted better (iterative back
    projection: Irani and Peleg, Improving resolution by image registration, 1991).

    Parameters
    ----------
    fine : (2h, 2w) float32
        The finer plane.
    coarse : (h, w) float32
        The coarser plane; h and w are at most 1024.
    taps : four ints
        The upsampling filter in 64ths (spec section 5.2), applied without rounding.

    Returns
    -------
    (h, w) float32
        The transpose of upsampling, times ``fine`` minus the upsampled `coarse`.
    """
    height, width = coarse.shape
    if fine.shape != (2 * height, 2 * width):
        raise ValueError(f"the finer plane is {fine.shape}, expected {(2 * height, 2 * width)}")
    fine, coarse = (np.ascontiguousarray(plane, np.float32) for plane in (fine, coarse))
    out = np.empty((height, width), np.float32)
    start, size, _memory = lib.scratch(lib.library.rrip_back_project_scratch(height, width))
    project = lib.library.rrip_back_project
    lib.call(
        project(
            *(lib.core(), lib.address(fine), lib.address(coarse), height, width, (c_int16 * 4)(*taps)),
            *(lib.address(out), start, size),
        )
    )
    return out
