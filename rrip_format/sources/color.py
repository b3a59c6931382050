"""Convert the 8-bit samples of a source to RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rrip_format.core.colour import LUMA_WEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["to_rgb", "ycbcr_to_rgb"]

_RED, _GREEN, _BLUE = LUMA_WEIGHTS.tolist()
BT601 = (_RED, _GREEN, _BLUE)


def to_rgb(
    samples: NDArray[np.uint8], background: tuple[int, int, int], *, premultiplied: bool = False
) -> NDArray[np.uint8]:
    """Convert gray, gray + alpha, RGB or RGBA to RGB.

    Parameters
    ----------
    samples : NDArray[uint8]
        Shape (H, W) or (H, W, S) with S from 1 to 4; the last of 2 or 4 samples is alpha.
    background : tuple of int
        RGB behind transparent pixels.
    premultiplied : bool
        Whether the colours are already multiplied by alpha ("associated" alpha of TIFF).

    Returns
    -------
    NDArray[uint8]
        Shape (H, W, 3). ``round((c·a + b·(255 - a)) / 255)``: exact at alpha 0 and 255.
    """
    if samples.ndim == 2:
        samples = samples[..., np.newaxis]
    color, alpha = (samples[..., :-1], samples[..., -1:]) if samples.shape[-1] in {2, 4} else (samples, None)
    if color.shape[-1] == 1:
        color = np.repeat(color, 3, axis=-1)
    if alpha is None or bool((alpha == 255).all()):
        return color if color.flags.c_contiguous else _packed(color)
    weight = alpha.astype(np.uint32)
    over = color * (np.uint32(255) if premultiplied else weight)
    mixed = (over + np.array(background, np.uint32) * (255 - weight) + 127) // 255
    # Premultiplied colour above its alpha is illegal, yet seen: saturate, as every viewer does.
    rgb: NDArray[np.uint8] = np.minimum(mixed, 255).astype(np.uint8)
    return rgb


def ycbcr_to_rgb(
    samples: NDArray[np.uint8],
    coefficients: tuple[float, float, float] = BT601,
    reference: tuple[float, float, float, float, float, float] = (0, 255, 128, 255, 128, 255),
) -> NDArray[np.uint8]:
    """Convert YCbCr to RGB (TIFF 6.0, section 21; the default arguments are those of JFIF).

    Parameters
    ----------
    samples : NDArray[uint8]
        Shape (H, W, 3).
    coefficients : three floats
        Luma coefficients of red, green and blue.
    reference : six floats
        Codes of black and white for Y, Cb and Cr (ReferenceBlackWhite).

    Returns
    -------
    NDArray[uint8]
        Shape (H, W, 3), rounded.
    """
    red, green, blue = coefficients
    span = np.maximum([reference[1] - reference[0], reference[3] - reference[2], reference[5] - reference[4]], 1)
    full = samples.astype(np.float32)
    luma = (full[..., 0] - np.float32(reference[0])) * np.float32(255 / span[0])
    cb = (full[..., 1] - np.float32(reference[2])) * np.float32(127 / span[1] * (2 - 2 * blue))
    cr = (full[..., 2] - np.float32(reference[4])) * np.float32(127 / span[2] * (2 - 2 * red))
    r, b = luma + cr, luma + cb
    g = (luma - np.float32(red) * r - np.float32(blue) * b) / np.float32(green)
    rgb: NDArray[np.uint8] = np.stack([r, g, b], -1).round().clip(0, 255).astype(np.uint8)
    return rgb


def _packed(color: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a contiguous copy, made plane by plane, which is four times as fast as NumPy's own copy."""
    out = np.empty(color.shape, np.uint8)
    for k in range(3):
        out[..., k] = color[..., k]
    return out
