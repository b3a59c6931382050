"""Write a container as one BigTIFF, in one pass (spec section 10).

Tiles are appended as they come. Their positions are kept in memory, 32 bytes per tile.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable

import numpy as np

from ..core.jpeg_encoder import Quantiser, encode_ycc
from ..errors import RripError
from ..spec.attachments import seal_attachment
from ..spec.extensions import SEALED
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import Coding, Metadata
from ..spec.tiff_layout import (
    HEADER,
    Kind,
    Tag,
    Value,
    ifd_positions,
    level_tags,
    pack_index,
    picture_tags,
    resolution_tags,
)
from ..spec.tile import crc32c
from ..storage.sinks import PartialFile
from ..storage.workplace import Span, Workplace, as_target_error
from .notice import notice_pixels, notice_tags
from .writer import ContainerWriter

__all__ = ["TiffWriter"]

_ALIGNMENT = 8


class TiffWriter(ContainerWriter):
    """Writes tiles in any order; a context manager that leaves a complete container or none.

    Parameters
    ----------
    place : Workplace
        Its file, if it exists, is overwritten from the start.

    Raises
    ------
    TargetError
        If the target cannot be written.
    """

    def __init__(self, place: Workplace) -> None:
        super().__init__(place)
        self._partial = PartialFile(place.container)
        self._append(bytes(HEADER.size))  # patched at the end, so that an incomplete file does not open
        self._tiles: dict[int, array[int]] = {}
        self._associated: dict[str, tuple[int, int, tuple[int, int]]] = {}
        self._is_sealed = place.target.name.endswith(SEALED)

    def _append(self, data: bytes) -> int:
        """Write `data` at the end, aligned; return its offset."""
        with as_target_error(self._partial.path):
            at = self._partial.file.tell()
            padding = -at % _ALIGNMENT
            self._partial.file.write(bytes(padding) + data)
        return at + padding

    def write_tile(self, level: int, row: int, col: int, tile: bytes, *, again: bool = False) -> Span:  # noqa: ARG002
        """Write a stored tile and return its position; each tile is written once."""
        at = self._append(tile)
        self._tiles.setdefault(level, array("Q")).extend((row, col, at, len(tile)))
        return Span(self._partial.path, at, len(tile))

    def span(self, level: int, row: int, col: int, offset: int, length: int) -> Span:  # noqa: ARG002
        """Return the position of a tile that an earlier run wrote, from the numbers of its span."""
        return Span(self._partial.path, offset, length)

    def flush(self) -> None:
        """Flush buffers, so that others can read all tiles written so far."""
        self._partial.flush()

    def settle(self, spans: Iterable[Span]) -> None:  # noqa: ARG002
        """Make flushed tiles durable; callable from any thread."""
        self._partial.settle()

    def _write_associated(self, name: str, jpeg: bytes, shape: tuple[int, int]) -> None:
        self._associated[name] = self._append(seal_attachment(jpeg)), len(jpeg) + 4, shape

    def _finish(self, metadata: Metadata, icc_profile: bytes | None) -> None:
        background = {} if self._is_sealed else self._background(metadata.coding)
        levels = range(BASE_LEVEL, metadata.coding.geometry.levels)
        ifds = [notice_tags(self._append(notice_pixels()))] if self._is_sealed else []
        ifds += [self._level_ifd(metadata, level, background) for level in (*levels, 0, 1)]
        ifds += [self._associated_ifd(name) for name in sorted(self._associated)]
        ifds[0].update(_description(metadata, is_sealed=self._is_sealed))
        if icc_profile:
            ifds[0][Tag.ICC_PROFILE] = Value(Kind.UNDEFINED, icc_profile)
            ifds[0][Tag.RRIP_ICC_CHECKSUM] = Value.of(Kind.LONG, crc32c(icc_profile))
        at = chained = 1 if self._is_sealed else len(levels)
        private = {Tag.RRIP_LEVELS: len(levels)} if self._is_sealed else {}
        private |= {Tag.RRIP_RESIDUALS: 2, Tag.RRIP_ASSOCIATED: len(self._associated)}
        ifds[0].update({tag: Value.of(Kind.IFD8, *[0] * count) for tag, count in private.items() if count})
        start = self._append(b"")
        positions = ifd_positions(ifds, start)
        for tag, count in private.items():
            if count:
                ifds[0][tag] = Value.of(Kind.IFD8, *positions[at : at + count])
            at += count
        with as_target_error(self._partial.path):
            self._partial.file.writelines(pack_index(ifds, chained, start))
            self._partial.cut()
            self._partial.flush()
            self._partial.settle()  # the data must be on disk before the header that points to them
            self._partial.file.seek(0)
            self._partial.file.write(HEADER.pack(b"II", 43, 8, 0, start))
        self._partial.complete()
        self.place.publish()

    def _close(self) -> None:
        self._partial.close()

    def _background(self, coding: Coding) -> dict[int, tuple[int, int]]:
        """Write one ordinary JPEG per tile side, which other readers show for empty tiles; return their positions."""
        geometry = coding.geometry
        found = {}
        if coding.empty.any():
            for side in {geometry.tile_side(level) for level in range(BASE_LEVEL, geometry.levels)}:
                jpeg = _gray_jpeg(side, coding.background[0])
                found[side] = self._append(jpeg), len(jpeg)
        return found

    def _level_ifd(self, metadata: Metadata, level: int, background: dict[int, tuple[int, int]]) -> dict[int, Value]:
        coding = metadata.coding
        rows, cols = coding.geometry.grid(level)
        offsets, lengths = np.zeros((rows, cols), "<u8"), np.zeros((rows, cols), "<u4")
        written = np.frombuffer(self._tiles.get(level, array("Q")), np.uint64).reshape(-1, 4)
        row, col = written[:, 0].astype(np.intp), written[:, 1].astype(np.intp)
        offsets[row, col], lengths[row, col] = written[:, 2], written[:, 3]
        for place in np.argwhere(offsets == 0).tolist():
            if not coding.is_empty(level, *place) and (level, *place) not in self.lost:
                raise RripError(f"{coding.place(level, *place)} was never written, and its family is not empty")
        if level >= BASE_LEVEL and background:
            absent = offsets == 0
            for lost in self.lost:
                if lost[0] == level:
                    absent[lost[1:]] = False  # a lost tile has length 0 (spec section 10.8), an empty one a picture
            offsets[absent], lengths[absent] = background[coding.geometry.tile_side(level)]
        tags = level_tags(coding.geometry, level)
        if metadata.slide.mpp is not None and not self._is_sealed:
            tags.update(resolution_tags(metadata.slide.mpp, level))
        tags[Tag.TILE_OFFSETS] = Value(Kind.LONG8, offsets.tobytes())
        tags[Tag.TILE_BYTES] = Value(Kind.LONG, lengths.tobytes())
        return tags

    def _associated_ifd(self, name: str) -> dict[int, Value]:
        offset, length, (height, width) = self._associated[name]
        return {
            **picture_tags(height, width, 3),
            Tag.PAGE_NAME: Value.text(name),
            Tag.ROWS_PER_STRIP: Value.of(Kind.LONG, height),
            Tag.STRIP_OFFSETS: Value.of(Kind.LONG8, offset),
            Tag.STRIP_BYTES: Value.of(Kind.LONG8, length),
        }


def _gray_jpeg(side: int, gray: int) -> bytes:
    """Encode a colour JPEG of one gray that decodes exactly, because its quantization steps are one."""
    planes = np.zeros((3, side, side), np.float32)
    planes[0] = gray - 128
    steps = Quantiser(np.ones(64, np.uint8))
    return encode_ycc(planes, steps, steps)


def _description(metadata: Metadata, *, is_sealed: bool) -> dict[int, Value]:
    """Return the tags that tell people and programs what this file is (spec sections 10.3 and 10.10)."""
    geometry, writer = metadata.coding.geometry, metadata.writer
    size = f"{geometry.width} x {geometry.height} px"
    text = (
        f"This page is no tissue: it stands for a whole-slide image of {size} in RRIP format, which only software with "
        "RRIP reads (Python: rrip-format)."
        if is_sealed
        else f"Level {BASE_LEVEL} of a whole-slide image in RRIP format, 1/{1 << BASE_LEVEL} of the resolution of its "
        f"{size}. Software without RRIP sees no finer level in this file; software with RRIP (Python: rrip-format) "
        "reads full resolution from it."
    )
    document = json.dumps(metadata.to_json(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return {
        Tag.DESCRIPTION: Value.text(text),
        Tag.SOFTWARE: Value.text(f"{writer.get('name')} {writer.get('version')}"),
        Tag.RRIP_METADATA: Value(Kind.UNDEFINED, document.encode()),
    }
