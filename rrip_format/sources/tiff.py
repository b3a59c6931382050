"""OME-TIFF and plain TIFF, tiled or in strips, through tifffile and imagecodecs.

Only the tiles or strips that a block touches are read; uncompressed data in one piece is mapped, never loaded.
The Orientation tag is not applied, as in OpenSlide.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.errors import SourceError
from rrip_format.sources.base import (
    WHITE,
    AssociatedImages,
    SlideInfo,
    Source,
    boundary,
    load_reader,
    positive,
    print_mpp,
)
from rrip_format.sources.color import to_rgb
from rrip_format.sources.files import digest_files, fingerprint_files
from rrip_format.sources.jpegcheck import check_jpeg
from rrip_format.sources.jpegtiles import paste
from rrip_format.sources.ome import OmeFacts, parse_ome
from rrip_format.sources.tiffcheck import check_level

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["TiffSource"]

MIN_IS_WHITE, MIN_IS_BLACK, RGB, YCBCR = 0, 1, 2, 6
PREMULTIPLIED, STRAIGHT = 1, 2
JPEG = 7
CACHE_BYTES = {"strips": 256 << 20, "tiles": 32 << 20}
"""What is kept decoded: strips run through many blocks, tiles lie in one or over the edge of the next."""
MAX_TILE_BYTES = 1 << 30
ASSOCIATED = ("thumbnail", "macro", "label")
MICROMETRES_PER_UNIT = {2: 25400.0, 3: 10000.0}


class TiffSource(Source):
    """The finest level of the largest image in a TIFF.

    Parameters
    ----------
    path : Path
        A TIFF that :func:`.check_tiff` has passed.
    allow_missing_tiles : bool
        Fill tiles without data with the background, instead of refusing them.

    Raises
    ------
    SourceError
        Not 8-bit gray, RGB or RGBA in one page, or a strip too large to decode.
    """

    def __init__(self, path: Path, *, allow_missing_tiles: bool = False) -> None:
        self.where = str(path)
        self._path = path
        self._allow_missing_tiles = allow_missing_tiles
        self._io_lock = threading.Lock()
        tifffile = load_reader("tifffile")
        with boundary(self.where, "tifffile cannot open it"):
            self._tif: Any = tifffile.TiffFile(path)
            try:
                self._open()
            except BaseException:
                self._tif.close()
                raise

    def _open(self) -> None:
        ome = self._tif.ome_metadata
        if ome is not None:
            parse_ome(ome, 0, self.where)  # refuses a DOCTYPE before tifffile parses the same text
        index, series = max(enumerate(self._tif.series), key=lambda item: (_area(item[1]), -item[0]))
        self._page: Any = series.levels[0].keyframe
        self._check(series.levels[0])
        check_level(self._tif, self._page, self.where, allow_missing_tiles=self._allow_missing_tiles)
        self._prepare()
        facts = parse_ome(ome, index, self.where) if ome is not None else _tag_facts(self._page)
        self.info = self._describe(facts)

    def _check(self, level: Any) -> None:
        page = self._page
        samples = 1 if page.photometric in {MIN_IS_WHITE, MIN_IS_BLACK} else 3
        known = page.photometric in {MIN_IS_WHITE, MIN_IS_BLACK, RGB} or (
            page.photometric == YCBCR and page.compression == JPEG
        )
        alpha = tuple(page.extrasamples) in {(PREMULTIPLIED,), (STRAIGHT,)}
        # OME-TIFF may point into other files, which nobody has checked.
        one_page = self._page.parent is self._tif and len(level.pages) == 1 and level.axes in {"YX", "YXS", "SYX"}
        if (
            not known
            or not one_page
            or page.dtype != np.uint8
            or page.samplesperpixel != samples + alpha
            or page.bitspersample != 8
        ):
            msg = (
                f"{self.where}: found axes {level.axes} {tuple(level.shape)}, {page.bitspersample}-bit {page.dtype}, "
                f"photometric {getattr(page.photometric, 'name', page.photometric)}, {page.samplesperpixel} sample(s) "
                "a pixel, expected 8-bit gray, RGB or RGBA in one page of this file; convert it first"
            )
            raise SourceError(msg)

    def _prepare(self) -> None:
        """Choose between a map of the file and tiles decoded on demand."""
        page = self._page
        self.is_tiled = page.is_tiled or page.is_memmappable
        self._mapped: NDArray[np.uint8] | None = None
        if page.is_memmappable:
            self._mapped = page.asarray(out="memmap").reshape(page.shaped[0], *page.shaped[2:])
            return
        self._planes, _, height, width, self._samples = page.shaped
        self._tile_height, self._tile_width = (
            (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
        )
        self._rows, self._columns = -(-height // self._tile_height), -(-width // self._tile_width)
        tile_bytes = self._tile_height * self._tile_width * self._samples * self._planes
        if tile_bytes > MAX_TILE_BYTES:
            msg = (
                f"{self.where}: a tile or strip of {tile_bytes} bytes, limit {MAX_TILE_BYTES}; write the file in tiles"
            )
            raise SourceError(msg)
        load_reader("imagecodecs")
        self._decode = page.decode
        cache_bytes = CACHE_BYTES["tiles" if page.is_tiled else "strips"]
        self._tile = lru_cache(maxsize=max(2, cache_bytes // tile_bytes))(self._decode_tile)
        # Strips run through many blocks: decode each once, while other threads wait, rather than many at a time.
        self._strip_lock: AbstractContextManager[Any] = nullcontext() if page.is_tiled else threading.Lock()

    def _describe(self, facts: OmeFacts) -> SlideInfo:
        tags = {
            f"tiff.{tag.name}": str(tag.value)[:10000] for tag in self._page.tags if tag.count < 10000 or tag.dtype == 2
        }
        profile = self._page.iccprofile
        return SlideInfo(
            name=self._path.name,
            size_bytes=self._path.stat().st_size,
            width=self._page.imagewidth,
            height=self._page.imagelength,
            mpp_x=facts.mpp_x,
            mpp_y=facts.mpp_y,
            objective_power=facts.objective_power,
            vendor=facts.vendor,
            background=WHITE,
            properties=tags | facts.properties,
            icc_profile=None if profile is None else bytes(profile),
            reader="tifffile",
        )

    def _read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        if self._mapped is not None:
            planes = np.array(self._mapped[:, y : y + height, x : x + width])
            return self._to_rgb(np.concatenate(list(planes), axis=-1))
        out = np.empty((height, width, 3), np.uint8)
        for row in range(y // self._tile_height, (y + height - 1) // self._tile_height + 1):
            for column in range(x // self._tile_width, (x + width - 1) // self._tile_width + 1):
                with self._strip_lock:
                    tile = self._tile(row, column)
                paste(out, tile, row * self._tile_height - y, column * self._tile_width - x)
        return out

    def _to_rgb(self, samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._page.photometric == MIN_IS_WHITE:
            samples = np.concatenate([255 - samples[..., :1], samples[..., 1:]], axis=-1)
        return to_rgb(samples, self.info.background, premultiplied=tuple(self._page.extrasamples) == (PREMULTIPLIED,))

    def _decode_tile(self, row: int, column: int) -> NDArray[np.uint8]:
        """Return one tile or strip as RGB, cut to the image."""
        height = min(self._tile_height, self._page.imagelength - row * self._tile_height)
        width = min(self._tile_width, self._page.imagewidth - column * self._tile_width)
        planes = []
        for plane in range(self._planes):
            index = (plane * self._rows + row) * self._columns + column
            if 0 in {self._page.dataoffsets[index], self._page.databytecounts[index]}:
                # check_level let it through, so it is wanted
                return np.full((height, width, 3), self.info.background, np.uint8)
            planes.append(self._decode_segment(index, height, width))
        return self._to_rgb(np.concatenate(planes, axis=-1))

    def _decode_segment(self, index: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the samples of one stored tile or strip, (H, W, S), of which the image needs `height` x `width`."""
        page = self._page
        with self._io_lock:
            self._tif.filehandle.seek(page.dataoffsets[index])
            data = self._tif.filehandle.read(page.databytecounts[index])
        options = {}
        if page.compression == JPEG:
            check_jpeg(data, page.jpegtables, {self._tile_height, height}, {self._tile_width, width})
            options = {"jpegtables": page.jpegtables}
        tile: NDArray[np.uint8] = self._decode(data, index, **options)[0][0]
        if tile.shape[0] < height or tile.shape[1] < width:
            msg = f"tile {index} holds {tile.shape[0]}x{tile.shape[1]} px, expected {height}x{width}"
            raise ValueError(msg)
        return tile[:height, :width]

    def associated(self) -> AssociatedImages:
        """Return readers of the series that are named thumbnail, macro or label (OME-TIFF)."""
        found = {str(series.name).lower(): series for series in self._tif.series}
        return {name: partial(self._associated, found[name], name) for name in ASSOCIATED if name in found}

    def _associated(self, series: Any, name: str) -> NDArray[np.uint8]:
        with boundary(self.where, f"its {name} image cannot be read"), self._io_lock:
            samples = series.asarray()
            if samples.dtype != np.uint8 or series.axes not in {"YX", "YXS"}:
                msg = f"found axes {series.axes} of {samples.dtype}, expected 8-bit gray, RGB or RGBA"
                raise ValueError(msg)
            return to_rgb(samples, self.info.background)

    def fingerprint(self) -> dict[str, str | int]:
        """Return name, size and time of change of the file."""
        return fingerprint_files(self._path)

    def digest(self) -> bytes:
        """Return the SHA-256 of the bytes of all member files."""
        return digest_files(self._path)

    def _close(self) -> None:
        if self._mapped is None:
            self._tile.cache_clear()  # it and this source hold each other
        self._mapped = None
        self._tif.close()


def _area(series: Any) -> int:
    page = series.levels[0].keyframe
    return int(page.imagewidth) * int(page.imagelength)


def _tag_facts(page: Any) -> OmeFacts:
    """Return the pixel size of the resolution tags, print resolutions left out."""
    unit = page.tags.valueof(296, 2)
    mpp = []
    for tag in (282, 283):
        value = page.tags.valueof(tag)
        pixels = positive(value[0] / value[1]) if isinstance(value, tuple) and len(value) == 2 and value[1] else None
        length = MICROMETRES_PER_UNIT.get(int(unit))
        mpp.append(print_mpp(length / pixels) if pixels and length else None)
    make = page.tags.valueof(271)
    return OmeFacts(mpp[0], mpp[1], None, make if isinstance(make, str) else None, {})
