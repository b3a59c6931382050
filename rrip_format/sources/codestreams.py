"""Decode the tiles of TIFF and DICOM that are JPEG or JPEG 2000, with the colours that the stream itself says.

What is wrong is a ValueError here, which knows nothing of files; the source adds path and block.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.sources.base import load_reader
from rrip_format.sources.color import ycbcr_to_rgb
from rrip_format.sources.jpeg2000 import parse_jpeg2000
from rrip_format.sources.jpegcheck import check_jpeg
from rrip_format.sources.jpegheader import stream_colour

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode_jpeg", "decode_jpeg2000"]


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
    tile: Any = _imagecodecs().jpeg2k_decode(data)
    if tile.dtype != np.uint8 or tile.size != header.height * header.width * samples:
        msg = f"a JPEG 2000 tile decodes to {tile.shape} {tile.dtype}, expected {samples} sample(s) of 8 bits"
        raise ValueError(msg)
    decoded: NDArray[np.uint8] = tile.reshape(header.height, header.width, samples)
    if samples == 3 and colour is not None and (header.colour or colour) == "YCBCR":
        return ycbcr_to_rgb(decoded)
    return decoded
