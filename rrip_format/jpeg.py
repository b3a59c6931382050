"""JPEG in and out: the one boundary to imagecodecs (decode) and libvips (encode) (spec section 6.1).

A stream is looked at before a decoder sees it: baseline, 8 bits, the expected size and components, no subsampling,
and an end marker in its place. So a stream cannot make the decoder allocate more than the tile it is said to be.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DamagedError, ExtraMissingError, LimitError, RripError

__all__ = ["decode_gray", "decode_ycc", "encode", "has_trellis", "ordinary_jpeg"]

_SOF0, _SOS = 0xC0, 0xDA
_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))


def _check_stream(data: memoryview, side: int, components: int) -> None:
    """Raise unless `data` is a baseline JPEG of `side` x `side` px, `components` planes, not subsampled."""
    if len(data) < 4 or bytes(data[:2]) != _SOI or bytes(data[-2:]) != _EOI:
        raise DamagedError("not a whole JPEG stream: start or end marker is missing")
    at = 2
    framed = False
    while True:
        if at + 4 > len(data) or data[at] != 0xFF:
            raise DamagedError(f"JPEG header is broken at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE:  # fill byte, or a marker without a length
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(data):
            raise DamagedError(f"JPEG segment at byte {at} is longer than its stream")
        if marker in _FRAME_MARKERS:
            if framed:
                raise DamagedError("JPEG stream has two frame headers")
            _check_frame(marker, bytes(data[at + 4 : at + 2 + length]), side, components)
            framed = True
        if marker == _SOS:
            if not framed:
                raise DamagedError("JPEG scan comes before its frame header")
            if bytes(data).find(_EOI, at) != len(data) - 2:
                raise DamagedError("JPEG stream goes on after its end marker")
            return
        at += 2 + length


def _check_frame(marker: int, frame: bytes, side: int, components: int) -> None:
    """Raise unless a frame header segment says what the tile's place says (spec section 6.1)."""
    if marker != _SOF0 or len(frame) < 6 or frame[0] != 8:
        raise DamagedError("JPEG is not baseline with 8 bits a sample, which this format requires")
    height, width, count = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big"), frame[5]
    if (height, width, count) != (side, side, components):
        raise DamagedError(
            f"JPEG is {width}x{height} px with {count} components, expected {side}x{side} px with {components}"
        )
    if len(frame) != 6 + 3 * count or any(frame[7 + 3 * k] != 0x11 for k in range(count)):
        raise DamagedError("JPEG components are subsampled; this format stores none that are")


def _decode(data: memoryview, **colorspace: str) -> NDArray[np.uint8]:
    import imagecodecs

    try:
        pixels: NDArray[np.uint8] = imagecodecs.jpeg8_decode(data, **colorspace)
    except MemoryError as error:
        raise LimitError("not enough memory to decode a JPEG tile") from error
    except Exception as error:  # imagecodecs raises several types, all of which mean the same here
        raise DamagedError(f"JPEG decoder: {error}") from error
    return pixels


def decode_gray(data: bytes | memoryview, side: int) -> NDArray[np.uint8]:
    """Decode a JPEG-L stream.

    Parameters
    ----------
    data
        One whole stream.
    side : int
        Expected width and height, px.

    Returns
    -------
    (side, side) uint8

    Raises
    ------
    DamagedError
        If the stream is not a whole baseline grayscale JPEG of that size, or the decoder refuses it.
    """
    view = memoryview(data)
    _check_stream(view, side, 1)
    return _decode(view)


def decode_ycc(data: bytes | memoryview, side: int) -> NDArray[np.uint8]:
    """Decode a 4:4:4 colour JPEG to its planes, without the conversion to RGB.

    Parameters and errors as in :func:`decode_gray`.

    Returns
    -------
    (3, side, side) uint8
        Y, Cb, Cr.
    """
    view = memoryview(data)
    _check_stream(view, side, 3)
    pixels = _decode(view, colorspace="YCBCR", outcolorspace="YCBCR")
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@functools.cache
def _libvips() -> Any:
    """The pyvips module, set to keep no results of former operations: every tile is encoded once."""
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise ExtraMissingError(
            "libvips is not installed, which associated images and TIFF targets need: pip install pyvips-binary, or a "
            "system libvips"
        ) from error
    pyvips.cache_set_max(0)
    return pyvips


def encode(pixels: NDArray[np.uint8], quality: int, *, flat: bool = True, trellis: bool = True) -> bytes:
    """Encode a plane (JPEG-L) or an RGB image (4:4:4) as baseline JPEG with optimised Huffman tables.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3) uint8
    quality : int
        1 … 100 on the scale of libjpeg.
    flat : bool
        Use the same quantiser step for all frequencies, rather than the tables of Annex K.
    trellis : bool
        Let mozjpeg choose coefficients by rate and distortion; ignored by a libvips without mozjpeg
        (:func:`has_trellis`).

    Returns
    -------
    bytes
        One stream, without metadata segments.
    """
    vips = _libvips()
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
    """What libjpeg-turbo's JPEG 4:2:0 at `quality` makes of (h, w, 3) uint8 RGB: the measure of ours."""
    import imagecodecs

    stream = imagecodecs.jpeg8_encode(np.ascontiguousarray(rgb), level=quality, subsampling="420")
    return _decode(memoryview(stream))


@functools.cache
def has_trellis() -> bool:
    """Whether the installed libvips carries mozjpeg, whose flat tables and trellis `encode` can ask for."""
    gradient = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    data = encode(gradient, 50, flat=True)
    at = data.index(b"\xff\xdb") + 5
    return len(set(data[at : at + 64])) == 1
