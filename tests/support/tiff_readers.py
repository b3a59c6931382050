"""What other libraries read of a TIFF, as RGB."""

from __future__ import annotations

import numpy as np
import pyvips
import tifffile
from PIL import Image, ImageOps

HEIGHT, WIDTH = 44, 70


def picture(channels=3):
    """Smooth, with a mark in one corner, so that a turned or shifted one is another."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    planes = [127 + 100 * np.sin(x / (17 + 5 * c)) * np.cos(y / (13 - 2 * c)) for c in range(channels)]
    out = np.stack(planes, -1)
    out[2:10, 3:20] = [230, 20, 40, 250, 60][:channels]
    return out.clip(0, 255).astype(np.uint8)


def readers(path):
    """What other libraries read as RGB, turned; those that cannot are left out."""
    for load in (_by_vips, _by_pillow, _by_tifffile):
        try:
            pixels = load(path)
        except Exception:  # noqa: BLE001 - they raise anything
            continue
        if pixels is not None:
            yield pixels


def _by_vips(path):
    image = pyvips.Image.tiffload(str(path), fail_on="error").autorot()
    if image.format != "uchar" or image.interpretation not in {"srgb", "b-w", "rgb", "multiband"}:
        return None
    pixels = image.numpy().reshape(image.height, image.width, -1)
    return pixels[..., :3] if pixels.shape[-1] > 2 else np.repeat(pixels[..., :1], 3, -1)


def _by_pillow(path):
    with Image.open(path) as image:
        turned = ImageOps.exif_transpose(image)
        return np.asarray(turned.convert("RGB")) if image.mode in {"1", "L", "P", "RGB"} else None


def _by_tifffile(path):
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        if page.tags.valueof(274, 1) != 1:
            return None
        if page.photometric not in {1, 2} and not (page.photometric == 6 and page.compression == 7):
            return None
        pixels = page.asarray()
        if page.planarconfig == 2 and pixels.ndim == 3:
            pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    return pixels[..., :3] if pixels.shape[-1] > 2 else np.repeat(pixels[..., :1], 3, -1)
