"""Deep Zoom images whose tiles are made when they are asked for."""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray

from ..core.predict import box2
from ..exporters.tiles import export_side, level_grid
from ..extras import needs
from ..slides.slide import Slide

__all__ = ["describe", "encode_jpeg", "make_tile", "parse_tile"]

_XML = """<?xml version="1.0" encoding="UTF-8"?>
<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="jpeg" Overlap="0" TileSize="{side}">
  <Size Width="{width}" Height="{height}"/>
</Image>
"""
_TILE = re.compile(r"(\d{1,2})/(\d{1,8})_(\d{1,8})\.jpe?g")


def describe(slide: Slide) -> bytes:
    """Return the ``.dzi`` document."""
    geometry = slide.geometry
    return _XML.format(side=export_side(geometry), width=geometry.width, height=geometry.height).encode()


def parse_tile(path: str) -> tuple[int, int, int] | None:
    """Return (Deep Zoom level, row, column) of ``LEVEL/COLUMN_ROW.jpeg``, None for another path."""
    match = _TILE.fullmatch(path)
    if not match:
        return None
    level, col, row = map(int, match.groups())
    return level, row, col


def make_tile(slide: Slide, level: int, row: int, col: int, quality: int) -> bytes | None:
    """Make the JPEG of a tile; None where Deep Zoom has none.

    Raises
    ------
    DamagedError
        If a stored tile of it is damaged or missing.
    """
    rgb = _read(slide, level, row, col)
    return None if rgb is None else encode_jpeg(rgb, quality)


def _read(slide: Slide, level: int, row: int, col: int) -> NDArray[np.uint8] | None:
    geometry, side = slide.geometry, export_side(slide.geometry)
    ours = (max(geometry.width, geometry.height) - 1).bit_length() - level
    if ours < 0 or level < 0:
        return None
    if ours >= geometry.levels:  # Deep Zoom goes on to a single pixel
        rgb = slide.read_region(geometry.levels - 1, 0, 0, *geometry.shape(geometry.levels - 1))
        for _ in range(ours - geometry.levels + 1):
            rgb = box2(rgb)
        return rgb if (row, col) == (0, 0) else None
    rows, cols = level_grid(geometry, ours)
    if row >= rows or col >= cols:
        return None
    height, width = geometry.shape(ours)
    y, x = row * side, col * side
    return slide.read_region(ours, y, x, min(side, height - y), min(side, width - x))


def encode_jpeg(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """Make a JPEG file of (height, width, 3) RGB; chroma is halved below quality 90, as libvips does it."""
    with needs("serve", "serving JPEG tiles"):
        from PIL import Image
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)
    return out.getvalue()
