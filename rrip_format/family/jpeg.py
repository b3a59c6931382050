"""JPEG streams: decoding by the compiled core, and the only calls of libvips and imagecodecs (spec section 6.1).

imagecodecs encodes the ordinary JPEG that the quality of a container is compared with.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.jpeg_decoder import decode_stream
from ..errors import RripError
from ..extras import needs

__all__ = ["decode_gray", "decode_ycc", "encode", "has_trellis", "libvips", "ordinary_jpeg"]


def decode_gray(data: bytes | memoryview, side: int, rows: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode a JPEG-L stream.

    Parameters
    ----------
    data : bytes or memoryview
        One complete stream.
    side : int
        Expected width and height, px.
    rows : two ints, optional
        As in :func:`rrip_format.core.jpeg_decoder.decode_stream`.

    Returns
    -------
    (side, side) uint8
        The samples.

    Raises
    ------
    DamagedError
        If the stream is not a complete baseline grayscale JPEG of that size.
    """
    plane: NDArray[np.uint8] = decode_stream(data, side, 1, rows)[0]
    return plane


def decode_ycc(data: bytes | memoryview, side: int) -> NDArray[np.uint8]:
    """Decode a 4:4:4 colour JPEG to its planes, without the conversion to RGB.

    Parameters and errors as in :func:`decode_gray`.

    Returns
    -------
    (3, side, side) uint8
        Y, Cb, Cr.
    """
    return decode_stream(data, side, 3)


@functools.cache
def libvips() -> Any:
    """Return the pyvips module, with its cache of operations switched off: every tile is encoded once."""
    with needs("convert", "encoding by libvips"):
        import pyvips
    pyvips.cache_set_max(0)
    return pyvips


def encode(pixels: NDArray[np.uint8], quality: int, *, flat: bool = True, trellis: bool = True) -> bytes:
    """Encode a plane (JPEG-L) or an RGB image (4:4:4) as baseline JPEG with optimised Huffman tables.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3) uint8
        Samples of the plane, or RGB.
    quality : int
        1 … 100 on the scale of libjpeg.
    flat : bool
        Use the same quantiser step for all frequencies, rather than the tables of T.81 Annex K.
    trellis : bool
        Use mozjpeg's rate-distortion optimised quantisation; ignored by a libvips without mozjpeg
        (:func:`has_trellis`).

    Returns
    -------
    bytes
        One stream, without metadata segments.

    Raises
    ------
    RripError
        If libvips fails.
    """
    vips = libvips()
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    try:
        image = vips.Image.new_from_memory(pixels, width, height, pixels.size // (width * height), "uchar")
        data: bytes = image.jpegsave_buffer(
            Q=quality,
            keep="none",
            subsample_mode="off",
            optimize_coding=True,
            quant_table=1 if flat else 0,
            trellis_quant=trellis,
        )
    except vips.Error as error:
        raise RripError(f"libvips could not encode a tile: {error}") from error
    return data


def ordinary_jpeg(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encode (h, w, 3) uint8 RGB as JPEG 4:2:0 with libjpeg-turbo, and return the decoded pixels."""
    with needs("convert", "finding the steps of a quality"):
        import imagecodecs
    stream = imagecodecs.jpeg8_encode(np.ascontiguousarray(rgb), level=quality, subsampling="420")
    pixels: NDArray[np.uint8] = imagecodecs.jpeg8_decode(stream)
    return pixels


@functools.cache
def has_trellis() -> bool:
    """Return whether the installed libvips includes mozjpeg, which flat tables and trellis quantisation need."""
    gradient = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    data = encode(gradient, 50, flat=True)
    at = data.index(b"\xff\xdb") + 5
    return len(set(data[at : at + 64])) == 1
