"""Colour: between RGB and YCbCr, and where pixels are put (spec section 5.5)."""

from __future__ import annotations

from ctypes import byref

import numpy as np
from numpy.typing import NDArray

from . import library as lib

__all__ = [
    "Corner",
    "Plane",
    "Window",
    "checked",
    "interleave",
    "rgb_to_exact_ycc",
    "rgb_to_ycc",
    "target",
    "ycc_to_rgb",
]

Plane = NDArray[np.uint8]

Window = tuple[int, int, int, int]
"""First row, row behind the last, first column, column behind the last."""

Corner = tuple[Plane, int, int]
"""A picture, (H, W, 3) uint8 and contiguous, and the row and column of it where something begins."""


def target(window: Window, corner: Corner | None) -> tuple[lib.Target, Plane]:
    """Where RGB of a window goes: new planes, or a place in a picture; and that as (3, height, width).

    Raises
    ------
    ValueError
        If the window does not fit into the picture there, or the picture is not contiguous RGB.
    """
    height, width = window[1] - window[0], window[3] - window[2]
    if corner is None:
        rgb = np.empty((3, height, width), np.uint8)
        return lib.Target(lib.address(rgb), rgb.size, 0, height * width, width, 1), rgb
    picture, top, left = corner
    if not picture.flags.c_contiguous or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError("picture is not contiguous RGB")
    if not picture.flags.writeable:
        raise ValueError("picture cannot be written")
    rows, columns, _ = picture.shape
    if top + height > rows or left + width > columns or min(top, left) < 0:
        raise ValueError(f"{height} x {width} px at ({top}, {left}) are not in {picture.shape[:2]}")
    row_stride = 3 * columns
    part = picture[top : top + height, left : left + width]
    start = top * row_stride + 3 * left
    return lib.Target(lib.address(picture), picture.size, start, 1, row_stride, 3), part.transpose(2, 0, 1)


def checked(window: Window | None, height: int, width: int) -> Window:
    """The window, or all of a level of `height` x `width` px."""
    top, bottom, left, right = window or (0, height, 0, width)
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(f"window {window} is not in {height} x {width} px")
    return top, bottom, left, right


def _convert(planes: Plane, wanted: Window, corner: Corner | None, *, colour: bool) -> Plane:
    to, out = target(wanted, corner)
    planes = np.ascontiguousarray(planes)
    _, height, width = planes.shape
    convert, window = lib.library.rrip_convert_planes, lib.Window(*wanted)
    lib.call(convert(lib.core(), lib.address(planes), height, width, byref(window), colour, byref(to)))
    return out


def ycc_to_rgb(planes: Plane, window: Window | None = None, corner: Corner | None = None) -> Plane:
    """RGB of YCbCr planes, (3, h, w) uint8, or of a window of them (spec section 5.5).

    Returns
    -------
    (3, height, width) uint8
        A view of the picture, if there is a `corner` of one to put it.

    Raises
    ------
    ValueError
        As :func:`target`, or if the window is not in the planes.
    """
    return _convert(planes, checked(window, *planes.shape[1:]), corner, colour=True)


def interleave(planes: Plane, corner: Corner) -> None:
    """Put planes, (3, h, w) uint8, to a place in a picture; errors as in :func:`target`."""
    _convert(planes, (0, planes.shape[1], 0, planes.shape[2]), corner, colour=False)


def rgb_to_ycc(rgb: Plane) -> Plane:
    """YCbCr planes, (3, h, w) uint8, of (h, w, 3) uint8 RGB, as libjpeg converts them."""
    height, width, _ = rgb.shape
    rgb, out = np.ascontiguousarray(rgb), np.empty((3, height, width), np.uint8)
    lib.call(lib.library.rrip_rgb_to_ycc(lib.core(), lib.address(rgb), height, width, lib.address(out)))
    return out


def rgb_to_exact_ycc(rgb: Plane) -> NDArray[np.float32]:
    """As :func:`rgb_to_ycc` before it rounds, (3, h, w) float32: what an encoder aims at."""
    height, width, _ = rgb.shape
    rgb, out = np.ascontiguousarray(rgb), np.empty((3, height, width), np.float32)
    lib.call(lib.library.rrip_rgb_to_exact_ycc(lib.core(), lib.address(rgb), height, width, lib.address(out)))
    return out
