"""From the 8-bit samples of a source to RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["to_rgb"]


def to_rgb(
    samples: NDArray[np.uint8], background: tuple[int, int, int], *, premultiplied: bool = False
) -> NDArray[np.uint8]:
    """Return RGB from gray, gray + alpha, RGB or RGBA.

    Parameters
    ----------
    samples : NDArray[uint8]
        Shape (H, W) or (H, W, S) with S from 1 to 4; of 2 or 4 samples the last is alpha.
    background : tuple of int
        RGB under the transparent pixels.
    premultiplied : bool
        Colour is already multiplied with alpha ("associated" alpha of TIFF).

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


def _packed(color: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A contiguous copy, made plane by plane: NumPy takes four times as long for three samples of each pixel."""
    out = np.empty(color.shape, np.uint8)
    for k in range(3):
        out[..., k] = color[..., k]
    return out
