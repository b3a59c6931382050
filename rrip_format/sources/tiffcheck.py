"""Look at the tile index of a TIFF before anything is converted.

OpenSlide gives transparent pixels for a tile without data, tifffile reads files cut off behind level 0 and follows a
broken chain of directories as far as it goes, and OpenJPEG decodes a code stream whose tail is gone. So, before the
first pixel, the tile offsets and byte counts of level 0 are checked against the file.

A tile without data is legal in Leica SCN, Ventana BIF and Philips TIFF, where the scanner skips glass: it is
background. In every other TIFF it is refused, Aperio SVS included, because nothing tells it from a lost tile; with
`allow_missing_tiles` it becomes what OpenSlide shows, which is background.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.errors import RripError, SourceError
from rrip_format.sources.base import boundary, load_reader
from rrip_format.sources.jpegheader import parse_header, stream_colour
from rrip_format.sources.tiffdirectories import check_directories
from rrip_format.sources.tifflayout import JPEG, JPEG_2000, NO_COMPRESSION, RGB, YCBCR
from rrip_format.storage.tiff_marks import is_ours, read_tags

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["TiffFacts", "check_composed", "check_level", "check_tiff", "first_page_px", "is_tiff"]

ORIENTATION = 274
MAGIC = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}
# Longest run of zero bytes after the last marker of a JPEG 2000 tile that passes as padding.
PADDING = 16

# tifffile logs what it finds odd; without a handler Python prints that to stderr, beside our one clear line.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class TiffFacts:
    """What decides on the reader: whether the file is OME-TIFF or our own."""

    is_ome: bool
    is_rrip: bool


def is_tiff(head: bytes) -> bool:
    """Tell whether a file begins as classic or BigTIFF."""
    return head[:4] in MAGIC


def first_page_px(path: Path) -> int:
    """Return the pixels of the first page of a TIFF, 0 of anything else: told without opening it as a slide."""
    try:
        if not path.is_file():  # to open a pipe is to wait for whoever writes it
            return 0
        with path.open("rb") as file:
            head = file.read(4)
        if not is_tiff(head):
            return 0
        tifffile = load_reader("tifffile")
        check_directories(path)
        with boundary(str(path), "its first page cannot be read"), tifffile.TiffFile(path) as tif:
            return _pixels(tif.pages.first)
    except (OSError, ValueError, RripError):
        return 0


def check_tiff(path: Path) -> TiffFacts:
    """Check the chain of directories.

    Parameters
    ----------
    path : Path
        A TIFF of any flavour.

    Raises
    ------
    SourceError
        As :func:`.check_directories`.
    """
    tifffile = load_reader("tifffile")
    with boundary(str(path), "its TIFF directories cannot be read"):
        check_directories(path)
        with path.open("rb") as file:
            is_rrip = is_ours(read_tags(file) or {})
    with boundary(str(path), "its TIFF directories cannot be read"), tifffile.TiffFile(path) as tif:
        return TiffFacts(bool(tif.is_ome), is_rrip)


def check_composed(path: Path, *, allow_missing_tiles: bool = False) -> None:
    """Check level 0 of a TIFF whose tiles OpenSlide composes.

    Parameters
    ----------
    path : Path
        NDPI, SCN, BIF, Philips or Trestle TIFF.
    allow_missing_tiles : bool
        Accept tiles without data in formats where they are not legal.

    Raises
    ------
    SourceError
        As :func:`check_level`; a picture that has to be turned, and JPEG tiles whose markers contradict the tag of
        their colours: OpenSlide does neither look at the Orientation nor at the markers.
    """
    tifffile = load_reader("tifffile")
    with boundary(str(path), "its TIFF directories cannot be read"), tifffile.TiffFile(path) as tif:
        pages = [page.aspage() for page in tif.pages]
        most = max(map(_pixels, pages))
        # Leica SCN places several regions, each a page, side by side in level 0; of focal planes any may be shown.
        pages = [page for page in pages if (page.is_tiled if tif.is_scn else _pixels(page) == most)]
        for page in pages:
            check_level(tif, page, str(path), allow_missing_tiles=allow_missing_tiles)
            turned = page.tags.valueof(ORIENTATION, 1)
            if turned in range(2, 9):
                msg = f"{path}: Orientation {turned} is not supported in this vendor's TIFF; turn the picture first"
                raise SourceError(msg)
            if page.compression == JPEG and not tif.is_ndpi:
                _check_colour(tif, page, path)


def _pixels(page: Any) -> int:
    return int(page.imagewidth * page.imagelength)


def _check_colour(tif: Any, page: Any, path: Path) -> None:
    """Compare the tag of a page with the markers of its first tile that has data."""
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if 0 in {offset, count}:
            continue
        tif.filehandle.seek(offset)
        said = stream_colour(parse_header(tif.filehandle.read(count)))
        tag = {RGB: "RGB", YCBCR: "YCBCR"}.get(page.photometric)
        if said is not None and tag is not None and said != tag:
            msg = f"{path}: its tag says that tiles are {tag}, their JPEG markers say {said}; write the file again"
            raise SourceError(msg)
        return


def check_level(tif: Any, page: Any, where: str, *, allow_missing_tiles: bool = False) -> None:
    """Check the tile index of one page of an open ``TiffFile``; `SourceError` as in :func:`check_tiff`."""
    sparse = tif.is_scn or tif.is_bif or tif.is_philips or allow_missing_tiles
    offsets = np.array(page.dataoffsets, dtype=np.int64)
    counts = np.array(page.databytecounts, dtype=np.int64)
    expected, across = _tile_count(page, where)
    if not len(offsets) == len(counts) == expected:
        msg = (
            f"{where}: {len(offsets)} tile offsets and {len(counts)} byte counts for {page.imagewidth}x"
            f"{page.imagelength} px, expected {expected}; the TIFF tags are damaged, get another copy"
        )
        raise SourceError(msg)
    missing = (offsets == 0) | (counts == 0)
    if missing.any() and not sparse:
        msg = (
            f"{where}: {_some(missing, across)} of level 0 without data; get a complete copy, or fill them with "
            "background (--missing-tiles background)"
        )
        raise SourceError(msg)
    size = tif.filehandle.size
    beyond = ~missing & ((offsets < 0) | (counts < 0) | (counts > size - offsets))
    if beyond.any():
        msg = f"{where}: {_some(beyond, across)} of level 0 beyond the file's end at {size} bytes; get a complete copy"
        raise SourceError(msg)
    plain = page.compression == NO_COMPRESSION and page.bitspersample % 8 == 0 and not page.is_subsampled
    if plain and not missing.any() and counts.sum() < page.nbytes:
        msg = f"{where}: {counts.sum()} bytes of level 0, expected {page.nbytes}; get a complete copy"
        raise SourceError(msg)
    if page.compression in JPEG_2000 and (unended := _unended(tif, offsets, counts)).any():
        msg = f"{where}: {_some(unended, across)} of level 0 without the end marker of JPEG 2000; get a complete copy"
        raise SourceError(msg)


def _tile_count(page: Any, where: str) -> tuple[int, int]:
    """Return how many tiles or strips the image needs, and how many lie side by side."""
    tiled = 322 in page.tags or page.is_tiled
    tile_width, tile_length = (page.tilewidth, page.tilelength) if tiled else (page.imagewidth, page.rowsperstrip)
    if min(page.imagewidth, page.imagelength, tile_width, tile_length) < 1:
        msg = (
            f"{where}: image of {page.imagewidth}x{page.imagelength} px in tiles of {tile_width}x{tile_length} px; the "
            "TIFF tags are damaged, get another copy"
        )
        raise SourceError(msg)
    across = math.ceil(page.imagewidth / tile_width)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    depth = math.ceil(page.imagedepth / page.tiledepth) if tiled else page.imagedepth
    return across * math.ceil(page.imagelength / tile_length) * planes * depth, across


def _unended(tif: Any, offsets: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which JPEG 2000 tiles lack the end marker: OpenJPEG decodes a stream with a zeroed tail without an error."""
    lacking = np.zeros(len(offsets), dtype=bool)
    for index in np.flatnonzero((offsets != 0) & (counts != 0)):
        size = min(PADDING, int(counts[index]))
        tif.filehandle.seek(int(offsets[index] + counts[index]) - size)
        lacking[index] = not tif.filehandle.read(size).rstrip(b"\0").endswith(b"\xff\xd9")
    return lacking


def _some(which: NDArray[np.bool_], across: int) -> str:
    """Return ``3 of 130 tiles (the first at row 5, column 7)``."""
    row, column = divmod(int(np.flatnonzero(which)[0]), across)
    return f"{int(which.sum())} of {len(which)} tiles (the first at row {row}, column {column})"
