"""Inspect the stored tiles or strips of a TIFF page: codec, first bytes, missing ones.

A container records these facts about its source; pixels are read elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rrip_format.errors import RripError
from rrip_format.sources.base import Source, boundary, load_reader
from rrip_format.sources.files import head_of
from rrip_format.sources.tiffcheck import is_tiff

__all__ = ["HEADER_BYTES", "SAMPLED_TILES", "StoredTiles", "count_missing_tiles", "stored_tiles"]

SAMPLED_TILES, HEADER_BYTES = 5, 1 << 16
"""Number of tiles that are inspected, spread over the page, and the most bytes of each."""


class StoredTiles:
    """The tiles or strips of one page of an open TIFF.

    Attributes
    ----------
    codec : int
        Value of the tag Compression.
    description : str
        The tag ImageDescription.
    tables : bytes or None
        The tag JPEGTables.
    ratio : float or None
        Bytes of the uncompressed 8-bit RGB divided by stored bytes.
    missing : int
        Number of tiles without data.
    """

    def __init__(self, tif: Any, page: Any) -> None:
        self._file, self._page = tif.filehandle, page
        self.codec, self.description = int(page.compression), str(page.description or "")
        self.tables: bytes | None = page.jpegtables
        spans = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        self._stored = [(at, count) for at, count in spans if at and count]
        self.missing = len(spans) - len(self._stored)
        total = sum(count for _, count in self._stored)
        self.ratio = round(3 * page.imagewidth * page.imagelength / total, 2) if total else None

    def heads(self) -> Iterator[bytes]:
        """Yield the first bytes of a few tiles; for Hamamatsu NDPI the one header that all strips share."""
        common = getattr(self._page, "jpegheader", None)
        if common:
            yield common
            return
        last = len(self._stored) - 1
        for index in dict.fromkeys(k * last // (SAMPLED_TILES - 1) for k in range(SAMPLED_TILES) if last >= 0):
            at, count = self._stored[index]
            self._file.seek(at)
            yield self._file.read(min(count, HEADER_BYTES))


@contextmanager
def stored_tiles(path: Path, size: tuple[int, int]) -> Iterator[StoredTiles]:
    """Open the tiles of the page of the given width and height, or of the largest page if none has that size."""
    with load_reader("tifffile").TiffFile(path) as tif:
        pages = [page.aspage() for page in tif.pages]
        fitting = [page for page in pages if {page.imagewidth, page.imagelength} == set(size)]
        yield StoredTiles(tif, max(fitting or pages, key=lambda page: page.imagewidth * page.imagelength))


def count_missing_tiles(source: Source) -> int:
    """Count the tiles of a source that have no data; 0 if that is unknown."""
    path = source.path
    if path is None:
        return 0
    try:
        with boundary(source.where, "its tiles cannot be counted"):
            if not is_tiff(head_of(path)):
                return 0
            with stored_tiles(path, (source.info.width, source.info.height)) as tiles:
                return tiles.missing
    except RripError:
        return 0
