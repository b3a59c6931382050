"""The tiles that a slide's own file stores for level 0: their bytes, and those of JPEG as JPEG XL without any loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rrip_format import RripError
from rrip_format.sources.jpegheader import parse_header, stream_colour

__all__ = ["Draw", "OwnTiles", "draw_families", "own_tiles", "transcode"]

Image = NDArray[np.uint8]
Place = tuple[int, int]

_JPEG, _RGB = 7, 2
"""Values of the tags Compression and PhotometricInterpretation."""

_ADOBE_RGB = bytes.fromhex("ffee000e 41646f6265 0064 0000 0000 00")
"""Adobe's marker segment with transform 0: the components are red, green and blue."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Families drawn from a slide, and what stands behind each.

    Parameters
    ----------
    places : list of (row, column)
    bytes : list of float
        Bytes of the file's level 0 in each family; of a tile that is partly inside, its part by area.
    weights : list of float
        Of each family's ratio of bytes in the mean for the whole level 0; their sum is 1.
    """

    places: list[Place]
    bytes: list[float]
    weights: list[float]

    def part(self, sizes: Sequence[int]) -> float:
        """Return bytes of a codec as a part of the file's level 0, from its bytes in each family."""
        return sum(w * size / own for w, size, own in zip(self.weights, sizes, self.bytes, strict=True))


class OwnTiles:
    """The tiles of the largest page of an open TIFF.

    Attributes
    ----------
    is_jpeg : bool
        Whether they are baseline JPEG of three components, which can be transcoded.
    total : int
        Bytes of all of them.
    """

    def __init__(self, tif: Any) -> None:
        self._file = tif.filehandle
        pages = [page.aspage() for page in tif.pages]
        self._page = page = max(pages, key=lambda page: page.imagewidth * page.imagelength)
        if not page.is_tiled:
            raise RripError(f"{tif.filename}: level 0 is in strips, expected tiles")
        self._side = page.tilelength, page.tilewidth
        rows, cols = -(-page.imagelength // page.tilelength), -(-page.imagewidth // page.tilewidth)
        self._counts = np.array(page.databytecounts[: rows * cols], np.float64).reshape(rows, cols)
        self.is_jpeg = int(page.compression) == _JPEG
        self.total = int(self._counts.sum())

    def bytes_of(self, y: int, x: int, side: int) -> float:
        """Return the bytes of a square of level 0; a tile that is partly inside counts by area."""
        down = _shares(y, side, self._side[0], self._page.imagelength)
        across = _shares(x, side, self._side[1], self._page.imagewidth)
        return float(down @ self._counts @ across)

    def touching(self, y: int, x: int, side: int) -> list[int]:
        """Return the indices of the tiles that lie partly or wholly in a square of level 0."""
        rows, cols = (
            np.flatnonzero(_shares(start, side, tile, whole))
            for start, tile, whole in (
                (y, self._side[0], self._page.imagelength),
                (x, self._side[1], self._page.imagewidth),
            )
        )
        return [int(row * self._counts.shape[1] + col) for row in rows for col in cols]

    def stored(self, index: int) -> bytes:
        """Return the bytes of a tile as the file has them."""
        self._file.seek(self._page.dataoffsets[index])
        data: bytes = self._file.read(self._page.databytecounts[index])
        return data

    def stream(self, index: int) -> bytes:
        """Return a JPEG tile as a complete stream: with the tables of the file, and saying that it is RGB if it is."""
        data, tables = self.stored(index), self._page.jpegtables
        if tables:
            data = tables[:-2] + data[2:]
        if int(self._page.photometric) == _RGB and stream_colour(parse_header(data)) is None:
            data = data[:2] + _ADOBE_RGB + data[2:]
        return data


def _shares(start: int, length: int, tile: int, whole: int) -> NDArray[np.float64]:
    """Return which part of each tile of a row lies in [start, start + length); the last tile ends with the picture."""
    begins = np.arange(0, whole, tile)
    ends = np.minimum(begins + tile, whole)
    inside = np.minimum(ends, start + length) - np.maximum(begins, start)
    parts: NDArray[np.float64] = np.clip(inside, 0, None) / (ends - begins)
    return parts


@contextmanager
def own_tiles(path: Path) -> Iterator[OwnTiles]:
    """Open the tiles of a TIFF slide."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        yield OwnTiles(tif)


def draw_families(tiles: OwnTiles, places: Sequence[Place], side: int, offset: int, count: int) -> Draw:
    """Draw families with a chance that grows with their bytes, so that the mean of their ratios is the slide's.

    Parameters
    ----------
    tiles : OwnTiles
        Tiles of the slide.
    places : sequence of (row, column)
        The families to draw from.
    side, offset : int
        Of a family at level 0, and of the grid of families, px.
    count : int
        How many to draw, at equal distances along the sum of bytes in ascending order, so that glass and every kind of
        tissue have their share; all of them if there are no more.
    """
    sizes = np.array([tiles.bytes_of(row * side + offset, col * side + offset, side) for row, col in places])
    places = [place for place, size in zip(places, sizes, strict=True) if size > 0]
    sizes = sizes[sizes > 0]
    if not places:
        raise RripError("no whole family of the slide has any bytes")
    if len(places) <= count:
        drawn, weights = np.arange(len(places)), sizes / sizes.sum()
    else:
        order = np.argsort(sizes, kind="stable")
        marks = (np.arange(count) + 0.5) * sizes.sum() / count
        found = order[np.searchsorted(np.cumsum(sizes[order]), marks)]
        drawn, times = np.unique(found, return_counts=True)
        weights = times / count
    return Draw([places[k] for k in drawn], sizes[drawn].tolist(), weights.tolist())


def transcode(stream: bytes) -> bytes:
    """Return a JPEG stream as JPEG XL, from which every byte of it can be made again.

    Raises
    ------
    RripError
        If what comes back is another stream.
    """
    import imagecodecs

    small = bytes(imagecodecs.jpegxl_encode_jpeg(stream, numthreads=1))
    if bytes(imagecodecs.jpegxl_decode_jpeg(small, numthreads=1)) != stream:
        raise RripError("JPEG XL gave back another JPEG stream than it was given")
    return small
