"""Tiles that are pictures by Pillow; those of JPEG with the colours that their own markers tell."""

from __future__ import annotations

import io

import numpy as np

from .base import Image, load_second

__all__ = ["decode_tile"]


def decode_tile(data: bytes, tables: bytes | None, *, is_rgb: bool) -> Image:
    """Decode one tile to gray or RGB, (h, w, 1 or 3).

    Parameters
    ----------
    data : bytes
        The stream.
    tables : bytes or None
        TIFF's JPEGTables, where a JPEG is abbreviated.
    is_rgb : bool
        What the container says: components are RGB. It counts where a JPEG has neither a JFIF nor an Adobe marker, and
        no component of another size, as only chroma has.
    """
    pillow = load_second("PIL.Image")
    stream = tables[:-2] + data[2:] if tables else data
    with pillow.open(io.BytesIO(stream), formats=("JPEG", "JPEG2000", "WEBP")) as picture:
        told = "jfif" in picture.info or "adobe_transform" in picture.info
        told = told or len({layer[1:3] for layer in getattr(picture, "layer", ())}) > 1
        if is_rgb and not told and (picture.format, picture.mode) == ("JPEG", "RGB"):
            picture.draft("YCbCr", picture.size)  # components as they are stored
        samples: Image = np.asarray(picture)
    return samples[..., None] if samples.ndim == 2 else samples
