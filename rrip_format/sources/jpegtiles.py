"""JPEG tiles of a TIFF, decoded straight to their place in a block.

OpenSlide composes tiles to RGBA, which takes twice as long as decoding them. Where a file is so plain that nothing has
to be composed, its tiles are decoded here, to the same pixels. OpenSlide stays the judge: it reads, and refuses, every
block in which anything is unusual.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rrip_format.sources.base import load_reader
from rrip_format.sources.jpegscan import is_sound

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["JpegTiles"]

JPEG, RGB, YCBCR, CONTIGUOUS = 7, 2, 6, 1


class JpegTiles:
    """The tiles of one page of a TIFF.

    Parameters
    ----------
    path : Path
    page : tifffile.TiffPage
        As :meth:`find` chooses it.
    """

    def __init__(self, path: Path, page: Any) -> None:
        self._height, self._width = int(page.tilelength), int(page.tilewidth)
        self._across = -(-int(page.imagewidth) // self._width)
        self._offsets, self._counts = tuple(page.dataoffsets), tuple(page.databytecounts)
        self._tables: bytes | None = page.jpegtables
        self._colorspace = "RGB" if page.photometric == RGB else "YCBCR"
        self._decode = load_reader("imagecodecs").jpeg8_decode
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    @classmethod
    def find(cls, path: Path, width: int, height: int) -> Self | None:
        """The tiles of the only page of that size; None if it is not plain: all tiles there, JPEG, 8-bit colour."""
        tifffile = load_reader("tifffile")
        with tifffile.TiffFile(path) as tif:
            pages = [page for page in tif.pages if (page.imagewidth, page.imagelength) == (width, height)]
            if len(pages) != 1 or tif.is_scn or tif.is_bif or tif.is_philips or not hasattr(os, "pread"):
                return None
            page = pages[0].aspage()
            plain = (
                page.is_tiled
                and page.compression == JPEG
                and page.photometric in {RGB, YCBCR}
                and (page.samplesperpixel, page.bitspersample, page.dtype) == (3, 8, np.uint8)
                and page.planarconfig == CONTIGUOUS
                and page.imagedepth == page.tiledepth == 1
                and not page.extrasamples
                and 0 not in {*page.dataoffsets, *page.databytecounts}
            )
            return cls(path, page) if plain else None

    def read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8] | None:
        """RGB, (height, width, 3), from the pixel (y, x) on; None where a tile is not surely right."""
        out = np.empty((height, width, 3), np.uint8)
        for row in range(y // self._height, (y + height - 1) // self._height + 1):
            for col in range(x // self._width, (x + width - 1) // self._width + 1):
                tile = self._tile(row * self._across + col)
                if tile is None:
                    return None
                paste(out, tile, row * self._height - y, col * self._width - x)
        return out

    def _tile(self, index: int) -> NDArray[np.uint8] | None:
        data = os.pread(self._file, self._counts[index], self._offsets[index])
        if len(data) != self._counts[index] or not is_sound(data, self._tables, self._height, self._width):
            return None
        try:
            tile: NDArray[np.uint8] = self._decode(
                data, tables=self._tables, colorspace=self._colorspace, outcolorspace="RGB"
            )
        except RuntimeError:  # what it does not like, OpenSlide names
            return None
        return tile if tile.shape == (self._height, self._width, 3) else None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def paste(out: NDArray[np.uint8], tile: NDArray[np.uint8], top: int, left: int) -> None:
    """Copy a tile, whose corner lies at (`top`, `left`) of `out`, as far as it overlaps."""
    bottom, right = min(top + tile.shape[0], out.shape[0]), min(left + tile.shape[1], out.shape[1])
    y, x = max(top, 0), max(left, 0)
    out[y:bottom, x:right] = tile[y - top : bottom - top, x - left : right - left]
