"""TIFF of every vendor by tifffile: the largest picture of the file."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from .base import Area, Image, SecondReader, UnableError, load_second, over_background
from .picture_tile import decode_tile
from .tags import choose_pages
from .tiles import TiledReader

__all__ = ["open_tiff"]

_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_JPEG = 7
_JPEG_2000 = {33003, 33004, 33005, 34712}
_PREMULTIPLIED, _STRAIGHT = 1, 2


def open_tiff(path: Path, size: tuple[int, int] | None, background: tuple[int, int, int]) -> list[SecondReader]:
    """Open the largest picture; all that are as large, such as the planes of a stack.

    Parameters
    ----------
    path : Path
    size : (int, int) or None
        Height and width of the pages to open instead, px.
    background : (int, int, int)
        RGB where the file has no data.

    Raises
    ------
    UnableError
        tifffile, or this module, does not read that kind.
    """
    tifffile = load_second("tifffile")
    load_second("imagecodecs")
    try:
        tif = tifffile.TiffFile(path)
    except Exception as error:
        raise UnableError(f"tifffile: {error}") from error
    try:
        if tif.is_scn:
            return [_Regions(tif, background)]
        pages = [page.aspage() for page in tif.pages]
        chosen = choose_pages([(page.imagelength, page.imagewidth) for page in pages], size)
        return [_Page(tif, pages[number], background) for number in chosen]
    except BaseException:
        tif.close()
        raise


class _Page(TiledReader):
    """One page."""

    name = "tifffile"

    def __init__(self, tif: Any, page: Any, background: tuple[int, int, int]) -> None:
        self._tif, self._page, self._background = tif, page, background
        self._lock = threading.Lock()
        self._alpha = next(iter(page.extrasamples), None)
        _check(page)
        planes = page.samplesperpixel if page.planarconfig == 2 else 1
        high, wide = (
            (page.tilelength, page.tilewidth)
            if page.is_tiled
            else (min(page.rowsperstrip, page.imagelength), page.imagewidth)
        )
        if page.is_ndpi and page.chunks[-3] != high:
            high, wide = page.chunks[-3:-1]
        tag = page.tags.valueof(274, 1)
        super().__init__(
            page.imagelength,
            page.imagewidth,
            high,
            wide,
            int(tag) if tag in range(1, 9) else 1,
            () if planes > 1 else page.databytecounts,
        )
        self._planes = planes
        self._across, self._down = -(-page.imagewidth // wide), -(-page.imagelength // high)

    def _read_tile(self, row: int, col: int) -> Image:
        page = self._page
        planes = []
        for plane in range(self._planes):
            index = (plane * self._down + row) * self._across + col
            offset, count = page.dataoffsets[index], page.databytecounts[index]
            if 0 in {offset, count}:
                return np.full((*self._side, 3), self._background, np.uint8)
            with self._lock:
                self._tif.filehandle.seek(offset)
                data = self._tif.filehandle.read(count)
            planes.append(self._decode(data, index))
        return self._to_rgb(np.concatenate(planes, axis=-1))

    def _decode(self, data: bytes, index: int) -> Image:
        page = self._page
        if page.compression == _JPEG and not page.jpegheader:
            return decode_tile(data, page.jpegtables, is_rgb=page.photometric == _RGB)
        options = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.compression == _JPEG else {}
        samples: Image = page.decode(data, index, **options)[0][0]
        return samples

    def _to_rgb(self, samples: Image) -> Image:
        page = self._page
        if page.photometric == _PALETTE:
            colours: Image = (page.colormap[:, samples[..., 0]] >> 8).astype(np.uint8)
            return np.ascontiguousarray(np.moveaxis(colours, 0, -1))
        if samples.dtype == np.bool_:
            samples = samples * np.uint8(255)
        if page.photometric == _MIN_IS_WHITE:
            samples = np.concatenate([255 - samples[..., :1], samples[..., 1:]], axis=-1)
        count = 1 if page.photometric in {_MIN_IS_WHITE, _MIN_IS_BLACK} else 3
        kept = count + (self._alpha in {_PREMULTIPLIED, _STRAIGHT})
        return over_background(samples[..., :kept], self._background, premultiplied=self._alpha == _PREMULTIPLIED)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._tif.close()


def _check(page: Any) -> None:
    """Raise `UnableError` for what this module makes no RGB of."""
    known = {_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE}
    jpeg = page.compression == _JPEG or page.compression in _JPEG_2000
    if page.photometric not in known and not (page.photometric == _YCBCR and jpeg):
        raise UnableError(f"tifffile gives no RGB of photometric {getattr(page.photometric, 'name', page.photometric)}")
    if page.dtype not in {np.dtype(np.uint8), np.dtype(np.bool_)} or page.bitspersample not in {1, 8}:
        raise UnableError(f"samples of {page.bitspersample} bits")
    if page.imagedepth != 1 or page.tiledepth != 1:
        raise UnableError("a page of several planes")


class _Regions(SecondReader):
    """Regions that a Leica scanner placed on the glass, in nanometres."""

    name = "tifffile"
    slack = 2

    def __init__(self, tif: Any, background: tuple[int, int, int]) -> None:
        self._tif, self._background = tif, background
        try:
            self._place(ET.fromstring(tif.pages.first.description))  # noqa: S314 - OpenSlide has parsed the same text
        except (ET.ParseError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnableError(f"the description of its regions: {error}") from error

    def _place(self, root: ET.Element) -> None:
        collection = root.find("{*}collection")
        assert collection is not None
        whole = (0, 0, int(collection.attrib["sizeY"]), int(collection.attrib["sizeX"]))
        found = []
        for image in collection.findall("{*}image"):
            view = image.find("{*}view")
            assert view is not None
            rect = tuple(int(view.attrib[key]) for key in ("offsetY", "offsetX", "sizeY", "sizeX"))
            light = image.findtext(".//{*}illuminationSource")
            parts = [part for part in image.findall("{*}pixels/{*}dimension") if part.get("z", "0") == "0"]
            if rect == whole or light != "brightfield" or not parts:
                continue
            finest = max(parts, key=lambda part: int(part.attrib["sizeX"]))
            page = _Page(self._tif, self._tif.pages[int(finest.attrib["ifd"])].aspage(), self._background)
            found.append((rect, rect[3] / int(finest.attrib["sizeX"]), page))
        scale = min(per_px for _, per_px, _ in found)
        super().__init__(math.ceil(whole[2] / scale), math.ceil(whole[3] / scale))
        self._regions = [(int(rect[0] / scale), int(rect[1] / scale), page) for rect, _, page in found]

    def block(self, y: int, x: int) -> Area:
        """Return a block of the region that a pixel lies in."""
        for top, left, page in self._regions:
            if top <= y < top + page.height and left <= x < left + page.width:
                area = page.block(y - top, x - left)
                return Area(area.y + top, area.x + left, area.height, area.width)
        return super().block(y, x)

    def likely(self, count: int) -> list[tuple[int, int]]:
        """Return the likely places of each region."""
        share = -(-count // len(self._regions))
        return [(y + top, x + left) for top, left, page in self._regions for y, x in page.likely(share)]

    def read(self, area: Area) -> Image:
        """Return regions on the background."""
        out = np.full((area.height, area.width, 3), self._background, np.uint8)
        for top, left, page in self._regions:
            y, x = max(area.y, top), max(area.x, left)
            bottom, right = min(area.y + area.height, top + page.height), min(area.x + area.width, left + page.width)
            if y < bottom and x < right:
                part = page.read(Area(y - top, x - left, bottom - y, right - x))
                out[y - area.y : bottom - area.y, x - area.x : right - area.x] = part
        return out

    def close(self) -> None:
        """Close the file."""
        self._tif.close()
