"""Section 10: a BigTIFF, parsed with ``struct`` alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from plain.canonical import MOST_BYTES, parse_json
from plain.errors import ChecksumError, DamagedError, FormatError, LimitError
from plain.metadata import Coding, read_metadata
from plain.tile import crc32c, largest
from plain.zarr_binding import MOST_ATTACHMENT

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8, IFD8 = 1, 2, 3, 4, 5, 7, 16, 18
SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, UNDEFINED: 1, LONG8: 8, IFD8: 8}
"""Bytes of one value, of the types that this binding uses. Tags of other types are for other software."""

MOST_TAGS = 128
TILE_OFFSETS, TILE_BYTES, STRIP_OFFSETS, STRIP_BYTES, PAGE_NAME = 324, 325, 273, 279, 285
ICC_PROFILE, METADATA, RESIDUALS, ASSOCIATED, ICC_CHECKSUM, LEVELS = 34675, 65380, 65381, 65382, 65383, 65384

PAGE_NAMES = {b"label\0": "label", b"macro\0": "macro", b"thumbnail\0": "thumbnail"}


@dataclass(frozen=True)
class Tag:
    """One entry of an IFD: ``count`` values of a type, at an offset of the file."""

    type: int
    count: int
    at: int


Ifd = dict[int, Tag]


class TiffContainer:
    """A container in a BigTIFF. Everything but tiles and attachments is checked when it is opened."""

    kind = "tiff"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.met: set[int] = set()
        if self.size < 16 or self._read(0, 8) != struct.pack("<2sHHH", b"II", 43, 8, 0):
            raise FormatError("tiff.header", "no little-endian BigTIFF")
        [first] = struct.unpack("<Q", self._read(8, 8))
        if first == 0:
            raise FormatError("tiff.header", "the offset of IFD 0 is 0: the file was not written to its end")
        if first < 16:
            raise DamagedError("file.range", f"IFD 0 at byte {first}, inside the header")
        self.root, following = self._ifd(first)
        if METADATA not in self.root:
            raise FormatError("metadata.absent", "no tag 65380: a TIFF, but not of this format")
        metadata = self._tag(self.root, METADATA, (UNDEFINED, BYTE))
        if metadata.count > MOST_BYTES:
            raise LimitError("limit.metadata", f"metadata of {metadata.count} bytes")
        self.metadata = read_metadata(parse_json(self._read(metadata.at, metadata.count)))
        self.tables = self._tables(following)
        self.images = self._associated()

    def _read(self, at: int, length: int) -> bytes:
        """Read bytes of the file, after checking that they are in it (section 10.8)."""
        if at + length > self.size:
            raise DamagedError("file.range", f"bytes {at} … {at + length} of {self.size}: truncated, or a wrong offset")
        with self.path.open("rb") as file:
            file.seek(at)
            return file.read(length)

    # IFDs ------------------------------------------------------------------------------------------------------------

    def _ifd(self, at: int) -> tuple[Ifd, int]:
        """Return the tags of an IFD, and the offset of the next one in its chain."""
        if at in self.met:
            raise FormatError("tiff.loop", f"the IFD at {at} is met twice")
        self.met.add(at)
        count, _ = struct.unpack("<QQ", self._read(at, 16))  # even one without tags has these: count and next IFD
        if not 1 <= count <= MOST_TAGS:
            raise FormatError("tiff.ifd", f"an IFD with {count} tags")
        entries = self._read(at + 8, 20 * count + 8)
        tags: Ifd = {}
        last = -1
        for entry in range(0, 20 * count, 20):
            number, kind, values, offset = struct.unpack_from("<HHQQ", entries, entry)
            if number <= last:
                raise FormatError("tiff.ifd", f"tag {number} follows tag {last}")
            last = number
            length = values * SIZES.get(kind, 0)
            place = offset if length > 8 else at + 8 + entry + 12  # up to 8 bytes stand in the entry itself
            if place + length > self.size:
                raise DamagedError("file.range", f"the values of tag {number} reach outside the file")
            tags[number] = Tag(kind, values, place)
        [following] = struct.unpack_from("<Q", entries, 20 * count)
        return tags, following

    def _tag(self, ifd: Ifd, number: int, types: tuple[int, ...], count: int | None = None) -> Tag:
        tag = ifd.get(number)
        if tag is None or tag.type not in types or count not in {None, tag.count}:
            raise FormatError("tiff.tag", f"tag {number} is {tag}, expected {count or 'some'} of type {types}")
        return tag

    def _values(self, tag: Tag) -> list[int]:
        """Return the integers of a tag; a rational has two."""
        letter = {SHORT: "H", LONG: "I", RATIONAL: "II", LONG8: "Q", IFD8: "Q"}[tag.type]
        return list(struct.unpack(f"<{letter * tag.count}", self._read(tag.at, tag.count * SIZES[tag.type])))

    def _expect(self, ifd: Ifd, number: int, kind: int, *values: int) -> None:
        count = len(values) // (2 if kind == RATIONAL else 1)
        found = self._values(self._tag(ifd, number, (kind,), count))
        if found != list(values):
            raise FormatError("tiff.tag", f"tag {number} is {found}, expected {list(values)}")

    def _private_ifds(self, number: int, count: int) -> list[Ifd]:
        """Return the IFDs that a private tag of IFD 0 refers to (section 10.5)."""
        return [self._ifd(at)[0] for at in self._values(self._tag(self.root, number, (IFD8, LONG8), count))]

    # Levels ----------------------------------------------------------------------------------------------------------

    def _tables(self, following: int) -> list[tuple[list[int], list[int]]]:
        """Return offsets and lengths of the tiles of every level, finest first (sections 10.2 and 10.5)."""
        chain = [self.root]
        coding = self.metadata.coding
        if LEVELS in self.root:  # a sealed file (section 10.10)
            if following:
                raise FormatError("tiff.chain", "an IFD behind the only page of a sealed file")
            chain = self._private_ifds(LEVELS, coding.levels - 2)
        while following and len(chain) < coding.levels - 2:
            ifd, following = self._ifd(following)
            chain.append(ifd)
        if following or len(chain) != coding.levels - 2:
            raise FormatError("tiff.chain", f"not the {coding.levels - 2} IFDs of levels 2 and coarser")
        ifds = self._private_ifds(RESIDUALS, 2) + chain
        return [self._table(ifd, coding, level) for level, ifd in enumerate(ifds)]

    def _table(self, ifd: Ifd, coding: Coding, level: int) -> tuple[list[int], list[int]]:
        """Check the IFD of a level (section 10.3), and return offsets and lengths of its tiles."""
        height, width = coding.size(level)
        samples = 3 if level >= 2 else 1
        self._expect(ifd, 254, LONG, 1 if level > 2 else 0)
        self._expect(ifd, 256, LONG, width)
        self._expect(ifd, 257, LONG, height)
        self._expect(ifd, 258, SHORT, *[8] * samples)
        self._expect(ifd, 259, SHORT, 7)
        self._expect(ifd, 262, SHORT, 6 if samples == 3 else 1)
        self._expect(ifd, 277, SHORT, samples)
        self._expect(ifd, 284, SHORT, 1)
        self._expect(ifd, 322, LONG, coding.side(level))
        self._expect(ifd, 323, LONG, coding.side(level))
        if samples == 3:
            self._expect(ifd, 530, SHORT, 1, 1)
            self._expect(ifd, 532, RATIONAL, 0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1)
        rows, cols = coding.grid(level)
        offsets = self._tag(ifd, TILE_OFFSETS, (LONG8, LONG))
        lengths = self._tag(ifd, TILE_BYTES, (LONG, LONG8, SHORT))
        if (offsets.count, lengths.count) != (rows * cols, rows * cols):
            raise FormatError("tiff.tables", f"level {level} has not one offset and length for each of its tiles")
        return self._values(offsets), self._values(lengths)

    def tile(self, level: int, row: int, col: int) -> bytes | None:
        """Return the bytes of a tile that is not empty; length 0 means that it is absent (section 10.8)."""
        offsets, lengths = self.tables[level]
        index = row * self.metadata.coding.grid(level)[1] + col
        most = largest(self.metadata.coding.side(level))
        if lengths[index] > most:
            raise DamagedError("tile.size", f"a tile of {lengths[index]} bytes, at most {most} are accepted")
        return self._read(offsets[index], lengths[index]) if lengths[index] else None

    # Attachments -----------------------------------------------------------------------------------------------------

    def _associated(self) -> dict[str, tuple[int, int]]:
        """Return offset and length of each associated image (section 10.6)."""
        images = {}
        if ASSOCIATED in self.root:
            count = self.root[ASSOCIATED].count
            if not 1 <= count <= len(PAGE_NAMES):
                raise FormatError("tiff.tag", f"{count} associated images, expected 1 to {len(PAGE_NAMES)}")
            for ifd in self._private_ifds(ASSOCIATED, count):
                title = self._tag(ifd, PAGE_NAME, (ASCII,))
                name = PAGE_NAMES.get(self._read(title.at, min(title.count, 16)))
                [at] = self._values(self._tag(ifd, STRIP_OFFSETS, (LONG8, LONG), 1))
                [length] = self._values(self._tag(ifd, STRIP_BYTES, (LONG, LONG8, SHORT), 1))
                if name is None:
                    raise FormatError("tiff.tag", "an IFD of an associated image with an unknown name")
                if length > MOST_ATTACHMENT + 4:
                    raise LimitError("limit.attachment", f"the {name} has {length} bytes")
                images[name] = at, length
        return images

    def attachment(self, name: str) -> bytes | None:
        """Return an attachment with a checksum, as in the Zarr binding (section 10.6)."""
        if name in self.images:
            return self._read(*self.images[name])
        if name != "icc_profile" or ICC_PROFILE not in self.root:
            return None
        place = self._tag(self.root, ICC_PROFILE, (UNDEFINED, BYTE))
        if place.count > MOST_ATTACHMENT:
            raise LimitError("limit.attachment", f"an ICC profile of {place.count} bytes")
        profile = self._read(place.at, place.count)
        [checksum] = self._values(self._tag(self.root, ICC_CHECKSUM, (LONG,), 1))
        if crc32c(profile) != checksum:
            raise ChecksumError("attachment.checksum", f"the ICC profile does not match tag 65383, {checksum:08x}")
        return profile + checksum.to_bytes(4, "little")
