"""Decode the stored bytes of a tile or strip to RGB.

Sizes are exact: a strip with more or fewer bytes than its tags demand is damaged, or was written with other tags.
Errors are `ValueError` here; the source adds the path and the block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.sources.base import load_reader
from rrip_format.sources.codestreams import decode_jpeg, decode_jpeg2000, decode_sized
from rrip_format.sources.color import to_rgb, ycbcr_to_rgb
from rrip_format.sources.icc import inks_to_srgb
from rrip_format.sources.jpeg2000 import parse_jpeg2000
from rrip_format.sources.tifflayout import (
    APERIO_YCBCR,
    CODES,
    JPEG,
    JPEG_2000,
    MIN_IS_WHITE,
    NO_COMPRESSION,
    PICTURES,
    RGB,
    SEPARATED,
    YCBCR,
    PageLayout,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode_segment", "samples_to_rgb"]

PADDING = 3
"""Most bytes behind the samples of an uncompressed strip that are accepted as alignment."""


def decode_segment(page: Any, layout: PageLayout, data: bytes, index: int, height: int) -> NDArray[np.uint8]:
    """Decode one tile or strip.

    Parameters
    ----------
    page : tifffile.TiffPage
    layout : PageLayout
        Layout of that page.
    data : bytes
        Stored bytes of the tile.
    index : int
        Index of the tile or strip.
    height : int
        Number of its rows inside the image.

    Returns
    -------
    NDArray[uint8]
        Shape (rows, tile_width, stored samples), with at least `height` rows. JPEG and JPEG 2000 with three colours
        are returned as RGB.
    """
    heights, widths = {layout.tile_height, height}, {layout.tile_width}
    samples, compression = layout.stored_samples, layout.compression
    if compression == JPEG or compression in JPEG_2000:
        colour = {RGB: "RGB", YCBCR: "YCBCR"}.get(layout.photometric) if samples == 3 else None
        if compression == JPEG:
            # some writers cut the tiles of the last column
            left = layout.width - index % layout.columns * layout.tile_width
            return decode_jpeg(data, page.jpegtables, samples, colour, heights, widths | {min(left, layout.tile_width)})
        if compression == APERIO_YCBCR and colour == "RGB":
            colour = _aperio_colour(page, data)
        tile = decode_jpeg2000(data, samples, colour, layout.tile_width * layout.tile_height)
    elif compression in CODES or compression == NO_COMPRESSION:
        tile = _unpack(_decompress(layout, data, heights), layout)
    elif compression in PICTURES:
        tile = decode_sized(PICTURES[compression], data, samples, heights, layout.tile_width)
    else:  # CCITT, which states no size
        tile = np.asarray(page.decode(data, index, jpegtables=None)[0][0])
    if layout.subsampling[1] > 1:
        tile = tile[:height] if tile.shape[0] < layout.tile_height else tile[: layout.tile_height]
    if tile.shape[0] not in heights or tile.shape[1:] != (layout.tile_width, samples):
        msg = f"tile {index} holds {tile.shape}, expected {(layout.tile_height, layout.tile_width, samples)}"
        raise ValueError(msg)
    if tile.dtype not in (np.uint8, np.bool_):
        msg = f"tile {index} holds samples of {tile.dtype}, expected 8 bits as the tags say"
        raise ValueError(msg)
    return tile.astype(np.uint8, copy=False)


def _aperio_colour(page: Any, data: bytes) -> str:
    """Return the colour of a tile of compression 33003 that the tags call RGB: Aperio's are YCbCr all the same."""
    if page.parent.pages.first.is_svs:
        return "YCBCR"
    if not page.parent.is_ome and parse_jpeg2000(data).colour is None:
        msg = (
            "JPEG 2000 of compression 33003 and photometric RGB, which are YCbCr if Aperio wrote it and RGB if "
            "Bio-Formats did, and nothing says by whom it is"
        )
        raise ValueError(msg)
    return "RGB"


def _decompress(layout: PageLayout, data: bytes, heights: set[int]) -> bytes:
    """Decompress a tile or strip, and check that it has the size of one of the allowed heights."""
    sizes = {_stored_bytes(layout, height) for height in heights}
    if layout.reversed_bits:
        data = load_reader("imagecodecs").bitorder_decode(data)
    if layout.compression == NO_COMPRESSION:
        for size in sorted(sizes, reverse=True):
            if size <= len(data) <= size + PADDING:
                return data[:size]
        raw = data
    else:
        decode = load_reader("tifffile").TIFF.DECOMPRESSORS[layout.compression]
        raw = decode(data, out=max(sizes) + 64)
    if len(raw) not in sizes:
        msg = f"a strip or tile of {len(raw)} bytes, expected {' or '.join(map(str, sorted(sizes)))}"
        raise ValueError(msg)
    return bytes(raw)


def _stored_bytes(layout: PageLayout, height: int) -> int:
    across, down = layout.subsampling
    if (across, down) == (1, 1):
        return layout.row_bytes() * height
    return -(-layout.tile_width // across) * -(-height // down) * (across * down + 2)


def _unpack(raw: bytes, layout: PageLayout) -> NDArray[np.uint8]:
    """Unpack samples to 8 bits, (rows, tile_width, stored samples), and repeat subsampled chroma."""
    data = np.frombuffer(raw, np.uint8)
    if layout.subsampling != (1, 1):
        return _spread_chroma(data, layout)
    rows = data.reshape(-1, layout.row_bytes())
    count = layout.tile_width * layout.stored_samples
    if layout.bits < 8:
        shifts = np.arange(8 - layout.bits, -1, -layout.bits, dtype=np.uint8)
        rows = ((rows[..., np.newaxis] >> shifts) & np.uint8((1 << layout.bits) - 1)).reshape(len(rows), -1)
    samples: NDArray[np.uint8] = rows[:, :count].reshape(len(rows), layout.tile_width, layout.stored_samples)
    if layout.predictor == 2:
        samples = np.cumsum(samples, axis=1, dtype=np.uint8)
    return samples


def _spread_chroma(data: NDArray[np.uint8], layout: PageLayout) -> NDArray[np.uint8]:
    """Return YCbCr from the data units of TIFF 6.0, section 21: the luma of a block, then its Cb and Cr."""
    across, down = layout.subsampling
    columns = -(-layout.tile_width // across)
    units = data.reshape(-1, columns, across * down + 2)
    blocks = units[..., :-2].reshape(len(units), columns, down, across)
    luma = blocks.swapaxes(1, 2).reshape(len(units) * down, columns * across)
    chroma = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return np.concatenate([luma[..., np.newaxis], chroma], axis=-1)[:, : layout.tile_width]


def samples_to_rgb(
    samples: NDArray[np.uint8], layout: PageLayout, background: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Convert all samples (H, W, S) of a block to RGB (H, W, 3), with alpha composited on the background."""
    colour = samples[..., : layout.colours]
    if layout.palette is not None:
        colour = layout.palette[colour[..., 0]]
    elif layout.photometric == SEPARATED and layout.inks is not None:
        colour = inks_to_srgb(colour, layout.inks)
    elif layout.colours == 1:
        if layout.bits < 8:
            colour = colour * np.uint8(255 // ((1 << layout.bits) - 1))
        if layout.photometric == MIN_IS_WHITE:
            colour = 255 - colour
    elif layout.photometric == YCBCR and layout.compression not in {JPEG, *JPEG_2000}:
        colour = ycbcr_to_rgb(colour, layout.coefficients, layout.reference)  # type: ignore[arg-type]
    if layout.alpha is None:
        return to_rgb(colour, background)
    alpha = samples[..., layout.alpha : layout.alpha + 1]
    if layout.bits < 8:
        alpha = alpha * np.uint8(255 // ((1 << layout.bits) - 1))
    return to_rgb(np.concatenate([colour, alpha], axis=-1), background, premultiplied=layout.premultiplied)
