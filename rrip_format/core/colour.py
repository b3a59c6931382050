"""Conversion between RGB and YCbCr (spec section 5.5), and the destination of decoded pixels."""

from __future__ import annotations

from ctypes import byref

import numpy as np
from numpy.typing import NDArray

from . import library as lib

__all__ = [
    "LUMA_WEIGHTS",
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

LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in luma (BT.601, as in JPEG)."""

Window = tuple[int, int, int, int]
"""Rows and columns of a level, px: first row, end of the rows, first column, end of the columns (ends excluded)."""

Corner = tuple[Plane, int, int]
"""A picture to write into, contiguous (H, W, 3 or 4) uint8, and the row and column of the upper left pixel written.

The fourth channel is opacity, which is written as 255.
"""


def target(window: Window, corner: Corner | None) -> tuple[lib.Target, Plane]:
    """Describe for the core where the RGB pixels of a window go: to new planes, or into a picture.

    Parameters
    ----------
    window : Window
        Its height and width are used.
    corner : Corner or None
        Where in a picture to write; None for new planes.

    Returns
    -------
    library.Target
        Description of the memory.
    (3, height, width) uint8
        The pixels: new planes, or a view of the picture.

    Raises
    ------
    ValueError
        If the window does not fit into the picture, or the picture is not contiguous RGB or RGBA.
    """
    height, width = window[1] - window[0], window[3] - window[2]
    if corner is None:
        rgb = np.empty((3, height, width), np.uint8)
        return lib.Target(lib.address(rgb), rgb.size, 0, height * width, width, 1), rgb
    picture, top, left = corner
    if not picture.flags.c_contiguous or picture.ndim != 3 or picture.shape[2] not in {3, 4}:
        raise ValueError(f"picture is {picture.shape} uint8, expected contiguous (height, width, 3 or 4)")
    if not picture.flags.writeable:
        raise ValueError("picture is read-only, expected a writable array")
    rows, columns, channels = picture.shape
    if top + height > rows or left + width > columns or min(top, left) < 0:
        raise ValueError(f"{height} x {width} px at ({top}, {left}) do not fit into a picture of {rows} x {columns} px")
    row_stride = channels * columns
    part = picture[top : top + height, left : left + width, :3]
    start = top * row_stride + channels * left
    return lib.Target(lib.address(picture), picture.size, start, 1, row_stride, channels), part.transpose(2, 0, 1)


def checked(window: Window | None, height: int, width: int) -> Window:
    """Return the window, or the whole level if it is None, after checking it against `height` x `width` px."""
    top, bottom, left, right = window or (0, height, 0, width)
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(f"window {window} does not lie within {height} x {width} px")
    return top, bottom, left, right


def _convert(planes: Plane, wanted: Window, corner: Corner | None, *, colour: bool) -> Plane:
    to, out = target(wanted, corner)
    planes = np.ascontiguousarray(planes)
    _, height, width = planes.shape
    convert, window = lib.library.rrip_convert_planes, lib.Window(*wanted)
    lib.call(convert(lib.core(), lib.address(planes), height, width, byref(window), colour, byref(to)))
    return out


def ycc_to_rgb(planes: Plane, window: Window | None = None, corner: Corner | None = None) -> Plane:
    """Convert YCbCr planes, (3, h, w) uint8, or a window of them, to RGB (spec section 5.5).

    Returns
    -------
    (3, height, width) uint8
        A view of the picture, if a `corner` is given.

    Raises
    ------
    ValueError
        As in :func:`target`, or if the window does not lie within the planes.
    """
    return _convert(planes, checked(window, *planes.shape[1:]), corner, colour=True)


def interleave(planes: Plane, corner: Corner) -> None:
    """Copy planes, (3, h, w) uint8, into a picture; errors as in :func:`target`."""
    _convert(planes, (0, planes.shape[1], 0, planes.shape[2]), corner, colour=False)


def rgb_to_ycc(rgb: Plane) -> Plane:
    """Convert (h, w, 3) uint8 RGB to YCbCr planes, (3, h, w) uint8, with the rounding of libjpeg."""
    height, width, _ = rgb.shape
    rgb, out = np.ascontiguousarray(rgb), np.empty((3, height, width), np.uint8)
    lib.call(lib.library.rrip_rgb_to_ycc(lib.core(), lib.address(rgb), height, width, lib.address(out)))
    return out


def rgb_to_exact_ycc(rgb: Plane) -> NDArray[np.float32]:
    """Convert (h, w, 3) uint8 RGB to unrounded YCbCr planes, (3, h, w) float32, for the encoder."""
    height, width, _ = rgb.shape
    rgb, out = np.ascontiguousarray(rgb), np.empty((3, height, width), np.float32)
    lib.call(lib.library.rrip_rgb_to_exact_ycc(lib.core(), lib.address(rgb), height, width, lib.address(out)))
    return out
