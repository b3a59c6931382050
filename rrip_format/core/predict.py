"""Prediction and chroma from luma, one step at a time, for the encoder (spec sections 5.2 to 5.4).

A reader decodes a tile with one call instead: :func:`rrip_format.core.tile_decoder.decode_rgb`.
"""

from __future__ import annotations

from ctypes import byref, c_int16, c_void_p

import numpy as np
from numpy.typing import NDArray

from . import library as lib
from .colour import Corner, Plane, Window, checked, target

__all__ = ["Residuals", "Taps", "box2", "coarser_window", "reconstruct", "reconstruct_rgb", "up2"]

Taps = tuple[int, int, int, int]
Residuals = tuple[Plane | None, Plane | None, Plane | None]

_WIDEST = 1024
"""Largest width of a coarse plane, px: half of the largest tile (spec section 12)."""


def up2(plane: Plane, taps: Taps) -> Plane:
    """Upsample a plane of at most 1024 columns by 2 with four taps in 64ths (spec section 5.2)."""
    height, width = plane.shape
    _check_width(width)
    plane, out = np.ascontiguousarray(plane), np.empty((2 * height, 2 * width), np.uint8)
    start, size, _memory = lib.scratch(lib.library.rrip_predict_scratch())
    up = lib.library.rrip_up2
    lib.call(up(lib.core(), lib.address(plane), height, width, (c_int16 * 4)(*taps), lib.address(out), start, size))
    return out


def coarser_window(window: Window, height: int, width: int) -> Window:
    """Return the window of a coarser level of `height` x `width` px that `window` is predicted from."""
    top, bottom, left, right = window
    return (
        max(top // 2 - 2, 0),
        min((bottom + 1) // 2 + 2, height),
        max(left // 2 - 2, 0),
        min((right + 1) // 2 + 2, width),
    )


def reconstruct(
    coarse: Plane,
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None = None,
    window: Window | None = None,
) -> Plane:
    """Reconstruct the planes of a residual level from those of the next coarser level (spec section 5.3).

    Parameters
    ----------
    coarse : (3, h, w) uint8
        Y, Cb, Cr of the coarser level; w is at most 1024.
    residuals : three (2h, 2w) uint8 or None
        Decoded residual planes, 128 = zero; None stands for a plane of 128.
    taps, cfl, chroma_taps : tuple of int
        As in :class:`rrip_format.spec.metadata.ResidualCoding`; `chroma_taps` default to `taps`.
    window : Window, optional
        The part of the finer level to reconstruct; samples outside are then undefined.

    Returns
    -------
    (3, 2h, 2w) uint8
        Y, Cb, Cr.
    """
    _, height, width = coarse.shape
    top, _, left, _ = wanted = checked(window, 2 * height, 2 * width)
    out = np.empty((3, 2 * height, 2 * width), np.uint8)
    to = lib.Target(lib.address(out), out.size, top * 2 * width + left, 4 * height * width, 2 * width, 1)
    _reconstruct(coarse, residuals, (taps, chroma_taps or taps, cfl), wanted, to, colour=False)
    return out


def reconstruct_rgb(
    coarse: Plane,
    residuals: Residuals,
    taps: Taps,
    cfl: tuple[int, int],
    chroma_taps: Taps | None = None,
    window: Window | None = None,
    corner: Corner | None = None,
) -> Plane:
    """Reconstruct a window of a residual level as RGB; see :func:`reconstruct`.

    Parameters
    ----------
    coarse, residuals, taps, cfl, chroma_taps, window : object
        As in :func:`reconstruct`.
    corner : Corner, optional
        Where in a picture to write the pixels.

    Returns
    -------
    (3, bottom - top, right - left) uint8
        RGB of the window; a view of the picture, if a `corner` is given.

    Raises
    ------
    ValueError
        If the window does not lie within the level, or does not fit into the picture.
    """
    _, height, width = coarse.shape
    wanted = checked(window, 2 * height, 2 * width)
    to, rgb = target(wanted, corner)
    _reconstruct(coarse, residuals, (taps, chroma_taps or taps, cfl), wanted, to, colour=True)
    return rgb


def _reconstruct(
    coarse: Plane,
    residuals: Residuals,
    how: tuple[Taps, Taps, tuple[int, int]],
    window: Window,
    to: lib.Target,
    *,
    colour: bool,
) -> None:
    _, height, width = coarse.shape
    _check_width(width)
    kept = [np.ascontiguousarray(coarse)]
    addresses = (c_void_p * 3)()
    for k, plane in enumerate(residuals):
        if plane is None:
            continue
        if plane.shape != (2 * height, 2 * width):
            raise ValueError(f"residual plane is {plane.shape}, expected {(2 * height, 2 * width)}")
        kept.append(np.ascontiguousarray(plane))
        addresses[k] = lib.address(kept[-1])
    start, size, _memory = lib.scratch(lib.library.rrip_predict_scratch())
    numbers, wanted = lib.Residual(*how, 1), lib.Window(*window)
    lib.call(
        lib.library.rrip_reconstruct(
            *(lib.core(), lib.address(kept[0]), height, width, addresses, byref(numbers), byref(wanted), colour),
            *(byref(to), start, size),
        )
    )


def _check_width(width: int) -> None:
    if width > _WIDEST:
        raise ValueError(f"plane is {width} px wide, expected at most {_WIDEST}")


def box2(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average 2 x 2 pixels of (h, w, 3) uint8, a last odd row or column used twice (spec section 4.3)."""
    height, width = rgb.shape[:2]
    rgb, out = np.ascontiguousarray(rgb), np.empty((-(-height // 2), -(-width // 2), 3), np.uint8)
    lib.call(lib.library.rrip_box2(lib.core(), lib.address(rgb), height, width, lib.address(out)))
    return out
