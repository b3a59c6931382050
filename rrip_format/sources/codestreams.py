"""Decode tiles of TIFF and DICOM that are pictures by themselves, with the colours that the stream itself says.

None is decoded before its header has been compared with the size of the tile: a few bytes can claim any size.

What is wrong is a ValueError here, which knows nothing of files; the source adds path and block.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.sources.base import load_reader
from rrip_format.sources.color import ycbcr_to_rgb
from rrip_format.sources.jpeg2000 import parse_jpeg2000
from rrip_format.sources.jpegcheck import check_end, check_jpeg
from rrip_format.sources.jpegheader import stream_colour

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

__all__ = ["decode_jpeg", "decode_jpeg2000", "decode_sized"]


@cache
def _imagecodecs() -> Any:
    return load_reader("imagecodecs")


def decode_jpeg(
    data: bytes, tables: bytes | None, samples: int, colour: str | None, heights: set[int], widths: set[int]
) -> NDArray[np.uint8]:
    """Decode a complete JPEG stream; `ValueError` where it is damaged or not what the container says.

    Parameters
    ----------
    data : bytes
        The stored tile.
    tables : bytes or None
        JPEGTables of a TIFF, for an abbreviated stream.
    samples : int
        Components that the container says it has.
    colour : ``"RGB"``, ``"YCBCR"`` or None
        What the container says of three components, in force where the stream says nothing; None for samples that
        are not colour by themselves: gray, inks, planes.
    heights, widths : set of int
        Allowed sizes, px.

    Returns
    -------
    NDArray[uint8]
        (height, width, `samples`); of three components RGB, unless `colour` is None.
    """
    header = check_jpeg(data, tables, heights, widths)
    if len(header.components) != samples or header.precision != 8:
        msg = (
            f"a JPEG tile of {len(header.components)} component(s) of {header.precision} bits, expected {samples} of 8"
        )
        raise ValueError(msg)
    if samples == 4 and header.adobe is not None:
        msg = "a JPEG tile with four components and Adobe's marker: whether its inks are inverted is not defined"
        raise ValueError(msg)
    if samples == 3 and colour is not None:
        spaces = {"colorspace": stream_colour(header) or colour, "outcolorspace": "RGB"}
    else:
        space = {1: "GRAYSCALE", 4: "CMYK"}.get(samples, "UNKNOWN")
        spaces = {"colorspace": space, "outcolorspace": space}
    tile: NDArray[np.uint8] = _imagecodecs().jpeg8_decode(data, tables=tables, **spaces)
    return tile.reshape(header.height, header.width, samples)


def decode_jpeg2000(
    data: bytes, samples: int, colour: str | None, most_pixels: int, *, must_transform: bool = False
) -> NDArray[np.uint8]:
    """Decode a JPEG 2000 stream; `ValueError` where it is not what the container says.

    Parameters
    ----------
    data : bytes
        The stored tile, a code stream or a JP2 file.
    samples : int
        Components that the container says it has.
    colour : ``"RGB"``, ``"YCBCR"`` or None
        As for :func:`decode_jpeg`.
    most_pixels : int
        Pixels of the tile that the container says it has; a larger one is not decoded, because it may fill the memory.
    must_transform : bool
        The container says that the stream's own colour transform is on.

    Returns
    -------
    NDArray[uint8]
        (height, width, `samples`); of three components RGB, unless `colour` is None.
    """
    header = parse_jpeg2000(data)
    if header.precision != (8,) * samples or header.has_palette:
        msg = f"a JPEG 2000 tile of components of {header.precision} bits, expected {samples} of 8 bits, unsigned"
        raise ValueError(msg)
    if header.height * header.width > most_pixels:
        msg = f"a JPEG 2000 tile of {header.height}x{header.width} px, expected at most {most_pixels} pixels"
        raise ValueError(msg)
    if must_transform and not header.has_transform:
        msg = "a JPEG 2000 tile without the colour transform that its container speaks of"
        raise ValueError(msg)
    check_end(data)
    tile: Any = _imagecodecs().jpeg2k_decode(data)
    if tile.dtype != np.uint8 or tile.size != header.height * header.width * samples:
        msg = f"a JPEG 2000 tile decodes to {tile.shape} {tile.dtype}, expected {samples} sample(s) of 8 bits"
        raise ValueError(msg)
    decoded: NDArray[np.uint8] = tile.reshape(header.height, header.width, samples)
    if samples == 3 and colour is not None and (header.colour or colour) == "YCBCR":
        return ycbcr_to_rgb(decoded)
    return decoded


def decode_sized(codec: str, data: bytes, samples: int, heights: Collection[int], width: int) -> NDArray[np.uint8]:
    """Decode a stream of 8-bit samples that states its size; `ValueError` where that is not the size of the tile.

    Parameters
    ----------
    codec : str
        Name in imagecodecs: ``"png"``, ``"webp"``, ``"jpegxl"``, ``"jpegxr"``, ``"lerc"`` or ``"jpegls"``. Each of them
        reads the header and compares it with the array it is given, before it decodes anything.
    data : bytes
        The stored tile.
    samples : int
        Samples of a pixel that the container says it has.
    heights : collection of int
        Allowed heights, px.
    width : int
        Of the tile, px.

    Returns
    -------
    NDArray[uint8]
        (height, `width`, `samples`), as they are stored.
    """
    decode = getattr(_imagecodecs(), f"{codec}_decode")
    # of a tile that is opaque everywhere WebP keeps no alpha
    options = {"hasalpha": True} if codec == "webp" and samples == 4 else {}
    for height in (tall := sorted(heights, reverse=True)):
        tile = np.empty((height, width, samples) if samples > 1 else (height, width), np.uint8)
        try:
            decode(data, out=tile, **options)
        except ValueError as error:
            found = re.search(r"invalid out\.(\w+)=.*\b\1=(.*)", str(error))
            if found is None:
                raise
            name, value = found.groups()
        else:
            return tile.reshape(height, width, samples)
    if name == "dtype":
        kind = re.search("u?int[0-9]+|float[0-9]+|bool", value)
        msg = f"a tile with samples of {kind.group() if kind else value}, expected 8 bits as the tags say"
    else:
        expected = f"{' or '.join(map(str, tall))}x{width} px of {samples} sample(s)"
        msg = f"a tile that says to have the shape {value}, expected {expected}"
    raise ValueError(msg)
