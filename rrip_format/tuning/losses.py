"""Losses of an encoded family: squared errors, 1 - SSIM and CIEDE2000; smaller is better.

A search computes these hundreds of times on the same few families. So what depends on the original alone is computed
once, and SSIM and CIEDE2000, which took most of the time of a search with scikit-image, are implemented here in single
precision; tests compare them with scikit-image.
"""

from __future__ import annotations

from ctypes import byref, c_double
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import colour
from ..core import library as lib
from .sampling import Image, Levels

__all__ = ["C1", "C2", "EDGE", "WINDOW", "Original", "ciede2000", "dissimilarity", "lab", "luma"]

Floats = NDArray[np.float32]

EDGE = 4
"""Width of the border of a level that is not measured, px."""

_REACH = 5
_WEIGHTS = np.exp(-0.5 * (np.arange(-_REACH, _REACH + 1) / 1.5) ** 2)
WINDOW = (_WEIGHTS / _WEIGHTS.sum()).astype(np.float32)
"""The Gaussian window of SSIM: sigma = 1.5 px, cut off at 5 px."""

C1, C2 = (np.float32((k * 255) ** 2) for k in (0.01, 0.03))
"""Constants of SSIM for 8-bit samples, which keep its quotients finite."""

_COLOUR_STRIDE = 3
"""Distance of the pixels compared by CIEDE2000; with 3, they include every position of an 8 x 8 block."""

_SRGB = np.arange(256) / 255
_LINEAR = np.where(_SRGB > 0.04045, ((_SRGB + 0.055) / 1.055) ** 2.4, _SRGB / 12.92).astype(np.float32)
"""Linear light of 8-bit sRGB (IEC 61966-2-1)."""

_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_TO_XYZ = (_XYZ / np.array([[0.95047], [1.0], [1.08883]])).astype(np.float32)
"""Matrix from linear RGB to CIE XYZ relative to the white point D65."""


def luma(rgb: NDArray[np.uint8]) -> Floats:
    """Convert (3, h, w) RGB planes to unrounded luma, (h, w) float32."""
    _, height, width = rgb.shape
    rgb, out = np.ascontiguousarray(rgb), np.empty((height, width), np.float32)
    lib.call(lib.library.rrip_luma(lib.core(), lib.address(rgb), height, width, lib.address(out)))
    return out


def dissimilarity(first: Floats, second: Floats) -> float:
    """Return the mean of 1 - SSIM over all positions whose window lies inside (Wang et al. 2004)."""
    height, width = first.shape
    first, second, mean = np.ascontiguousarray(first), np.ascontiguousarray(second), c_double()
    start, size, _memory = lib.scratch(lib.library.rrip_dissimilarity_scratch(width))
    lib.call(
        lib.library.rrip_dissimilarity(
            *(lib.core(), lib.address(first), lib.address(second), height, width, lib.address(WINDOW), WINDOW.size),
            *(C1, C2, byref(mean), start, size),
        )
    )
    return mean.value


def lab(rgb: NDArray[np.uint8]) -> Floats:
    """Convert every third pixel of RGB planes in both directions to CIE L*, a*, b*, (3, h, w)."""
    red, green, blue = _LINEAR[rgb[:, ::_COLOUR_STRIDE, ::_COLOUR_STRIDE]]
    x, y, z = (
        np.where(part > np.float32(0.008856), np.cbrt(part), np.float32(7.787) * part + np.float32(16 / 116))
        for part in (row[0] * red + row[1] * green + row[2] * blue for row in _TO_XYZ)
    )
    return np.stack((np.float32(116) * y - np.float32(16), np.float32(500) * (x - y), np.float32(200) * (y - z)))


def _seventh(chroma: Floats) -> Floats:
    """Return the square root of C^7 / (C^7 + 25^7), a weight of chroma C in CIEDE2000."""
    square = chroma * chroma
    power = square * square * square * chroma
    root: Floats = np.sqrt(power / (power + np.float32(25**7)))
    return root


def ciede2000(first: Floats, second: Floats) -> Floats:
    """Return the colour differences of two arrays of :func:`lab` (Sharma, Wu and Dalal 2005).

    To avoid computing angles, the mean hue is the direction of the sum of two unit vectors, and the difference of hues
    follows from the cross product of the colours.
    """
    tiny = np.float32(1e-9)
    (l1, a1, b1), (l2, a2, b2) = first, second
    stretch = np.float32(1.5) - np.float32(0.5) * _seventh((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    mean_l, mean_c = (l1 + l2) / 2 - 50, (c1 + c2) / 2
    dot, cross, product = a1 * a2 + b1 * b2, a1 * b2 - a2 * b1, c1 * c2
    far = np.copysign(np.sqrt(np.maximum(2 * (product - dot), 0)), cross)
    hue = np.where(dot > 0, cross / np.sqrt((product + np.abs(dot)) / 2 + tiny), far)  # `far` cancels for near colours
    angle = np.arctan2(b1 / (c1 + tiny) + b2 / (c2 + tiny), a1 / (c1 + tiny) + a2 / (c2 + tiny))
    degrees = np.float32(np.pi / 180)
    weight = (
        1
        - np.float32(0.17) * np.cos(angle - 30 * degrees)
        + np.float32(0.24) * np.cos(2 * angle)
        + np.float32(0.32) * np.cos(3 * angle + 6 * degrees)
        - np.float32(0.20) * np.cos(4 * angle - 63 * degrees)
    )
    square = mean_l * mean_l
    lightness = (l2 - l1) / (1 + np.float32(0.015) * square / np.sqrt(20 + square))
    chroma = (c2 - c1) / (1 + np.float32(0.045) * mean_c)
    hue /= 1 + np.float32(0.015) * mean_c * weight
    turned = (angle + np.where(angle < 0, np.float32(2 * np.pi), np.float32(0))) / degrees - 275
    rotation = -2 * _seventh(mean_c) * np.sin(60 * degrees * np.exp(-np.square(turned / 25)))
    squares = lightness * lightness + chroma * chroma + hue * hue + rotation * chroma * hue
    difference: Floats = np.sqrt(np.maximum(squares, 0))
    return difference


def _inside(planes: NDArray[Any]) -> NDArray[Any]:
    return planes[..., EDGE:-EDGE, EDGE:-EDGE]


class Original:
    """A family before it is encoded.

    Parameters
    ----------
    levels : three (s, s, 3) uint8
        RGB of levels 0, 1 and 2, padded.
    """

    def __init__(self, levels: Levels) -> None:
        self.levels = levels

    @cached_property
    def exact(self) -> tuple[Floats, Floats, Floats]:
        """Unrounded YCbCr of levels 0, 1 and 2, (3, s, s) float32."""
        fine, middle, base = (colour.rgb_to_exact_ycc(rgb) for rgb in self.levels)
        return fine, middle, base

    @cached_property
    def _rgb(self) -> Image:
        return np.ascontiguousarray(_inside(self.levels[0].transpose(2, 0, 1)))

    @cached_property
    def _colours(self) -> Floats:
        return lab(self._rgb)

    def luma_losses(self, level: int, rgb: Image, *, ssim: bool = False) -> dict[str, float]:
        """Measure the squared error of luma, and with `ssim` also 1 - SSIM.

        Parameters
        ----------
        level : int
            0, 1 or 2.
        rgb : (3, s - 2 * EDGE, s - 2 * EDGE) uint8
            The decoded level without its border.
        ssim : bool
            Measure SSIM too.

        Returns
        -------
        dict of str to float
            Losses by name.
        """
        found, wanted = luma(rgb), _inside(self.exact[level][0])
        losses = {f"y{level}": float(np.square(wanted - found).mean())}
        if ssim:
            losses["ssim"] = dissimilarity(wanted, found)
        return losses

    def colour_losses(self, rgb: Image) -> dict[str, float]:
        """Measure squared error of RGB and CIEDE2000, mean and 95th percentile; see :meth:`luma_losses`."""
        error = np.subtract(self._rgb, rgb, dtype=np.float32)
        differences = ciede2000(self._colours, lab(rgb))
        return {
            "rgb": float(np.square(error, out=error).mean()),
            "delta_e": float(differences.mean()),
            "delta_e_p95": float(np.percentile(differences, 95)),
        }
