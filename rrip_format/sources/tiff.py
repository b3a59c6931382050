"""TIFF whose level 0 is a page, tiled or in strips: Aperio SVS, OME-TIFF, QPTIFF, plain TIFF.

Only the tiles or strips that a block touches are read; of uncompressed data in one piece only the pixels. Nothing is
mapped: a file that is cut off while it is mapped ends the process.
The Orientation tag is applied, to the picture as a whole, as viewers do.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.errors import SourceError
from rrip_format.sources.base import WHITE, AssociatedImages, SlideInfo, boundary, load_reader
from rrip_format.sources.color import to_rgb
from rrip_format.sources.files import FileSource
from rrip_format.sources.grid import read_block
from rrip_format.sources.icc import fitting_profile
from rrip_format.sources.ome import parse_ome
from rrip_format.sources.orientation import TURNS
from rrip_format.sources.pictures import Choice, choose_picture
from rrip_format.sources.tiffcheck import check_level
from rrip_format.sources.tifffacts import tag_facts
from rrip_format.sources.tifflayout import NO_COMPRESSION, SEPARATED, YCBCR, PageLayout, page_layout
from rrip_format.sources.tiffpictures import list_pictures
from rrip_format.sources.tiffsamples import decode_segment, samples_to_rgb

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["TiffSource"]

CACHE_BYTES = {"strips": 256 << 20, "tiles": 32 << 20}
"""What is kept decoded: strips run through many blocks, tiles lie in one or over the edge of the next."""
MAX_TILE_BYTES, MAX_SMALL_BYTES = 1 << 30, 1 << 28
"""Most bytes of a decoded tile, and of a label, macro image or thumbnail."""
ASSOCIATED = ("thumbnail", "macro", "label")
ORIENTATION = 274


class TiffSource(FileSource):
    """The finest level of the largest picture in a TIFF, or of the one that is chosen.

    Parameters
    ----------
    path : Path
        A TIFF that :func:`.check_tiff` has passed.
    image : int or str, optional
        Which of several pictures, as :func:`.choose_picture` has it.
    allow_missing_tiles : bool
        Fill tiles without data with the background, instead of refusing them.

    Raises
    ------
    SourceError
        Not 8-bit gray, RGB or RGBA in one page, or a strip too large to decode.
    """

    def __init__(self, path: Path, *, image: int | str | None = None, allow_missing_tiles: bool = False) -> None:
        self.where = str(path)
        self._path = path
        self._allow_missing_tiles = allow_missing_tiles
        self._io_lock = threading.Lock()
        tifffile = load_reader("tifffile")
        with boundary(self.where, "tifffile cannot open it"):
            self._tif: Any = tifffile.TiffFile(path)
            self._file = path.open("rb")
            try:
                self._open(image)
            except BaseException:
                self._file.close()
                self._tif.close()
                raise

    def _open(self, image: int | str | None) -> None:
        choice = choose_picture(list_pictures(self._tif, self.where), image, self.where)
        self._pages: tuple[Any, ...] = choice.picture.parts
        self._layouts = [page_layout(page, self.where) for page in self._pages]
        self._layout = self._layouts[0]
        self._check_parts()
        for page in self._pages:
            check_level(self._tif, page, self.where, allow_missing_tiles=self._allow_missing_tiles)
        self._turn = TURNS.get(self._pages[0].tags.valueof(ORIENTATION, 1), TURNS[1])
        self._prepare()
        self.info = self._describe(choice)

    def _check_parts(self) -> None:
        """Refuse channels that differ in more than what they show."""
        if len(self._layouts) == 1:
            return
        kinds = {(part.width, part.height, part.bits, part.samples, part.photometric) for part in self._layouts}
        orientations = {page.tags.valueof(ORIENTATION, 1) for page in self._pages}
        if len(kinds) > 1 or len(orientations) > 1 or self._layout.samples != 1 or self._layout.palette is not None:
            msg = f"{self.where}: found three channels of different kinds, expected 8-bit gray; convert it first"
            raise SourceError(msg)

    def _prepare(self) -> None:
        """Choose between pixels as they lie in the file and tiles decoded on demand."""
        page, layout = self._pages[0], self._layout
        self._is_array = len(self._pages) == 1 and _is_array(page, layout)
        if self._is_array:
            self.is_tiled = True
            return
        self.is_tiled = layout.is_tiled
        tile_bytes = layout.tile_height * layout.tile_width * layout.samples * len(self._pages)
        if tile_bytes > MAX_TILE_BYTES:
            msg = (
                f"{self.where}: a tile or strip of {tile_bytes} bytes, limit {MAX_TILE_BYTES}; write the file in tiles"
            )
            raise SourceError(msg)
        load_reader("imagecodecs")
        cache_bytes = CACHE_BYTES["tiles" if layout.is_tiled else "strips"]
        self._tile = lru_cache(maxsize=max(2, cache_bytes // max(tile_bytes, 1)))(self._decode_tile)
        self._strip_lock = threading.Lock()

    def _describe(self, choice: Choice) -> SlideInfo:
        page, ome = self._pages[0], self._tif.ome_metadata
        facts = tag_facts(page) if ome is None else parse_ome(ome, choice.picture.image, self.where)
        tags = {f"tiff.{tag.name}": str(tag.value)[:10000] for tag in page.tags if tag.count < 10000 or tag.dtype == 2}
        # inks have become sRGB
        profile, left_out = (None, ()) if self._layout.photometric == SEPARATED else fitting_profile(page.iccprofile)
        shown = (self._layout.height, self._layout.width)
        mpp = (facts.mpp_x, facts.mpp_y)
        if self._turn.transposes:
            shown, mpp = shown[::-1], mpp[::-1]
        return SlideInfo(
            name=self._path.name,
            size_bytes=self._path.stat().st_size,
            width=shown[1],
            height=shown[0],
            mpp_x=mpp[0],
            mpp_y=mpp[1],
            objective_power=facts.objective_power,
            vendor=facts.vendor,
            background=WHITE,
            properties=tags | facts.properties,
            icc_profile=profile,
            reader="tifffile",
            notes=(*choice.notes, *self._layout.notes, *left_out),
            image=choice.number,
        )

    def _read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        box = self._turn.stored_box((self.info.height, self.info.width), y, x, height, width)
        return self._turn.show(self._read_stored(*box))

    def _read_stored(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return RGB of a box of the picture as it is stored, before it is turned."""
        if self._is_array:
            return samples_to_rgb(self._read_array(y, x, height, width), self._layout, self.info.background)
        size = (self._layout.tile_height, self._layout.tile_width)
        decode = self._decode_tile if self.is_tiled else self._locked_strip
        return read_block((y, x, height, width), size, decode, self._tile if self.is_tiled else self._locked_strip)

    def _read_array(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the samples of a box (H, W, S) of pixels that lie in the file as an array, row by row."""
        layout, start = self._layout, int(self._pages[0].dataoffsets[0])
        each = layout.samples // layout.planes
        found = np.empty((height, width, layout.samples), np.uint8)
        for plane in range(layout.planes):
            for row in range(height):
                at = start + ((plane * layout.height + y + row) * layout.width + x) * each
                data = self._read_bytes(at, width * each)
                found[row, :, plane * each : (plane + 1) * each] = np.frombuffer(data, np.uint8).reshape(width, each)
        return found

    def _locked_strip(self, row: int, column: int) -> NDArray[np.uint8]:
        """Return a strip, which runs through many blocks: decoded once, while other threads wait for it."""
        with self._strip_lock:
            return self._tile(row, column)

    def _decode_tile(self, row: int, column: int) -> NDArray[np.uint8]:
        """Return one tile or strip as RGB, cut to the image."""
        height = min(self._layout.tile_height, self._layout.height - row * self._layout.tile_height)
        width = min(self._layout.tile_width, self._layout.width - column * self._layout.tile_width)
        parts = [
            self._decode_part(page, layout, row, column, height, width)
            for page, layout in zip(self._pages, self._layouts, strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.stack([part[..., k] for k, part in enumerate(parts)], axis=-1)

    def _decode_part(
        self, page: Any, layout: PageLayout, row: int, column: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """Return RGB of one tile of one page; the background where it is wanted and there is no data."""
        planes = []
        for plane in range(layout.planes):
            index = (plane * layout.rows + row) * layout.columns + column
            offset, count = page.dataoffsets[index], page.databytecounts[index]
            if 0 in {offset, count}:
                # check_level let it through, so it is wanted
                return np.full((height, width, 3), self.info.background, np.uint8)
            data = self._read_bytes(offset, count)
            planes.append(decode_segment(page, layout, data, index, height)[:height, :width])
        samples = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)
        return samples_to_rgb(samples, layout, self.info.background)

    def _read_bytes(self, offset: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            data = os.pread(self._file.fileno(), count, offset)
        else:
            with self._io_lock:
                self._file.seek(offset)
                data = self._file.read(count)
        if len(data) != count:
            msg = f"the file ends within {count} bytes at {offset}; it has been cut off since it was opened"
            raise ValueError(msg)
        return data

    def associated(self) -> AssociatedImages:
        """Return readers of the series that are named thumbnail, macro or label (OME-TIFF)."""
        with boundary(self.where, "its series cannot be listed"):
            found = {str(series.name).lower(): series for series in self._tif.series}
        return {name: partial(self._associated, found[name], name) for name in ASSOCIATED if name in found}

    def _associated(self, series: Any, name: str) -> NDArray[np.uint8]:
        with boundary(self.where, f"its {name} image cannot be read"), self._io_lock:
            if series.nbytes > MAX_SMALL_BYTES:
                msg = f"it says to have {series.nbytes} bytes, limit {MAX_SMALL_BYTES}"
                raise ValueError(msg)
            samples = series.asarray()
            if samples.dtype != np.uint8 or series.axes not in {"YX", "YXS"}:
                msg = f"found axes {series.axes} of {samples.dtype}, expected 8-bit gray, RGB or RGBA"
                raise ValueError(msg)
            turn = TURNS.get(series.levels[0].keyframe.tags.valueof(ORIENTATION, 1), TURNS[1])
            return np.ascontiguousarray(turn.show(to_rgb(samples, self.info.background)))

    def _close(self) -> None:
        if not self._is_array:
            self._tile.cache_clear()  # it and this source hold each other
        self._file.close()
        self._tif.close()


def _is_array(page: Any, layout: PageLayout) -> bool:
    """Tell whether the samples lie in the file as an array, and as many as there should be."""
    return (
        bool(page.is_memmappable)
        and layout.compression == NO_COMPRESSION
        and layout.bits == 8
        and not layout.reversed_bits
        and layout.subsampling == (1, 1)
        and (layout.photometric != YCBCR or layout.samples == 3)
        and sum(page.databytecounts) == layout.width * layout.height * layout.samples
    )
