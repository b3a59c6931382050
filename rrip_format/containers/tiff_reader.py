"""Read containers in the TIFF binding (spec section 10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import ChecksumError, DamagedError, FormatError, LimitError, all_of
from ..spec.attachments import ASSOCIATED_NAMES, ICC_NAME, check_attachment, check_attachment_size
from ..spec.geometry import BASE_LEVEL
from ..spec.limits import check_limit
from ..spec.metadata import Metadata, parse_metadata
from ..spec.tiff_layout import Kind, Tag, Value, level_tags
from ..spec.tile import crc32c
from ..spec.zarr_layout import ICC_KEY, associated_key, tile_key
from ..storage.byte_source import ByteSource, LocalBytes
from ..storage.ranges import Range
from ..storage.tiff_marks import MARK_BYTES, MARKS, is_ours
from .base import Place, load_json, reopen, restore
from .file_reader import FileContainer
from .tiff_parser import Field, Ifd, Index, read_ifd, read_start, walk

__all__ = ["INDEX_KEY", "TiffContainer"]

INDEX_KEY = "index"
"""Key of everything in :meth:`TiffContainer.sizes` that is neither tile nor attachment."""

_OFFSET_KINDS = (Kind.LONG, Kind.LONG8)
_COUNT_KINDS = (Kind.SHORT, Kind.LONG, Kind.LONG8)


@dataclass(frozen=True, slots=True)
class _Table:
    """The offsets and lengths of the tiles of one level."""

    offsets: Field
    lengths: Field


class TiffContainer(FileContainer):
    """A container in one BigTIFF, read by byte ranges.

    Parameters
    ----------
    source : ByteSource

    Raises
    ------
    FormatError
        If it is not an RRIP TIFF, or violates spec section 10.
    DamagedError
        If an offset is outside the file, as in a truncated one.
    LimitError
        If a size is larger than this reader accepts.
    """

    def __init__(self, source: ByteSource) -> None:
        super().__init__(source)
        start = read_start(source)
        self._index = Index(source, start)
        self._first = read_ifd(self._index, start)
        self.metadata = self._read_metadata()
        geometry, visited = self.metadata.coding.geometry, set[int]()
        count = geometry.levels - BASE_LEVEL
        self._is_sealed = Tag.RRIP_LEVELS in self._first.fields
        chain: list[Ifd] | Iterator[Ifd] = list(walk(self._index, start, 1 if self._is_sealed else count, visited))
        if self._is_sealed:
            chain = self._private_ifds(Tag.RRIP_LEVELS, count, visited)
        ifds = dict(enumerate(chain, BASE_LEVEL))
        ifds.update(enumerate(self._private_ifds(Tag.RRIP_RESIDUALS, BASE_LEVEL, visited)))
        self._tables = self._all_tables(ifds)
        self._images = dict(self._associated_fields(visited))
        self._index.keep([field for table in self._tables.values() for field in (table.offsets, table.lengths)])

    def _check_ours(self) -> None:
        """Raise FormatError if tag 65380 is that of another program."""
        if not self._is_ours():
            raise FormatError(
                f"{self.name}: tag 65380 holds no RRIP metadata, so that this is a TIFF file of another program; 'rrip "
                "convert' makes a container of it",
                rule="metadata.absent",
            )

    def _is_ours(self) -> bool:
        """Return whether a file with the private tag of the metadata is of this format, damaged or not."""
        tags = {}
        for tag in MARKS:
            field = self._first.fields.get(tag)
            if field is not None:
                tags[int(tag)] = (field.kind, self._index.read(field.offset, min(field.size, MARK_BYTES)))
            if is_ours(tags):
                return True
        return False

    def _read_metadata(self) -> Metadata:
        field = self._first.fields.get(Tag.RRIP_METADATA)
        if field is None and self._is_ours():
            raise FormatError(
                f"{self.name}: its tag 65380, which holds the metadata of an RRIP container, is lost; get another copy",
                rule="metadata.absent",
            )
        if field is None:
            raise FormatError(
                f"{self.name}: is a TIFF file without RRIP metadata; 'rrip convert' makes one with them",
                rule="metadata.absent",
            )
        self._check_ours()
        if field.kind not in {Kind.BYTE, Kind.UNDEFINED}:
            raise FormatError(f"{self.name}: the metadata are of TIFF type {field.kind}, expected 7", rule="tiff.tag")
        check_limit("metadata_bytes", field.size, f"{self.name}: the object rrip", rule="limit.metadata")
        document = load_json(self._index.value(field).data, f"{self.name}: its metadata")
        try:
            return parse_metadata(document)
        except (FormatError, LimitError) as error:
            raise error.within(self.name) from error

    def _field(self, ifd: Ifd, tag: Tag, kinds: Sequence[Kind], count: int) -> Field:
        """Return a required field with one of the types `kinds` and exactly `count` values."""
        field = ifd.fields.get(tag)
        if field is None or field.kind not in kinds or field.count != count:
            found = "is missing" if field is None else f"has {field.count} values of type {field.kind}"
            is_table = field is not None and field.kind in kinds and tag in {Tag.TILE_OFFSETS, Tag.TILE_BYTES}
            raise FormatError(
                f"{self.name}: tag {tag} ({tag.name.lower()}) of the IFD at byte {ifd.offset} {found}, expected "
                f"{count} of type {' or '.join(str(int(kind)) for kind in kinds)}",
                rule="tiff.tables" if is_table else "tiff.tag",
            )
        return field

    def _private_ifds(self, tag: Tag, count: int, visited: set[int]) -> Iterator[Ifd]:
        field = self._field(self._first, tag, (Kind.IFD8, Kind.LONG8), count)
        for offset in self._index.numbers(field, 0, count):
            if offset in visited:
                raise FormatError(
                    f"{self.name}: two offsets point to the IFD at byte {offset}, expected one", rule="tiff.loop"
                )
            visited.add(offset)
            yield read_ifd(self._index, offset)

    def _check_tags(self, ifd: Ifd, expected: dict[int, Value], what: str) -> None:
        """Check that an IFD has the values that the metadata demand; the error lists every deviation."""
        problems = []
        for tag, value in expected.items():
            field = ifd.fields.get(tag)
            if field is None or (field.kind, field.count) != (value.kind, value.count):
                found = "is missing" if field is None else f"has {field.count} values of type {field.kind}"
            elif self._index.value(field).data != value.data:
                found = f"is {self._index.value(field).data.hex()}"
            else:
                continue
            problems.append(
                FormatError(
                    f"{self.name}: tag {tag} of the IFD of {what} {found}, expected {value.count} values of type "
                    f"{int(value.kind)}, {value.data.hex()}",
                    rule="tiff.tag",
                )
            )
        if problems:
            raise all_of(problems)

    def _all_tables(self, ifds: dict[int, Ifd]) -> dict[int, _Table]:
        """Return the tables of all levels; the error lists the problems of all levels."""
        tables, problems = {}, []
        for level, ifd in sorted(ifds.items()):
            try:
                tables[level] = self._table(ifd, level)
            except FormatError as error:
                problems.append(error)
        if problems:
            raise all_of(problems)
        return tables

    def _table(self, ifd: Ifd, level: int) -> _Table:
        self._check_tags(ifd, level_tags(self.metadata.coding.geometry, level), f"level {level}")
        rows, cols = self.metadata.coding.geometry.grid(level)
        offsets = self._field(ifd, Tag.TILE_OFFSETS, _OFFSET_KINDS, rows * cols)
        return _Table(offsets, self._field(ifd, Tag.TILE_BYTES, _COUNT_KINDS, rows * cols))

    def _associated_fields(self, visited: set[int]) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield (name, (offset, length)) of every associated image."""
        field = self._first.fields.get(Tag.RRIP_ASSOCIATED)
        if field is None:
            return
        if not 1 <= field.count <= len(ASSOCIATED_NAMES):
            raise FormatError(
                f"{self.name}: {field.count} associated images, expected 1 … {len(ASSOCIATED_NAMES)}", rule="tiff.tag"
            )
        for ifd in self._private_ifds(Tag.RRIP_ASSOCIATED, field.count, visited):
            title = ifd.fields.get(Tag.PAGE_NAME)
            known = {f"{name}\0".encode(): name for name in ASSOCIATED_NAMES}
            is_text = title is not None and title.kind == Kind.ASCII and title.size < 64
            name = known.get(self._index.value(title).data) if title and is_text else None
            if name is None:
                raise FormatError(
                    f"{self.name}: the IFD at byte {ifd.offset} has no name of an associated image", rule="tiff.tag"
                )
            (offset,) = self._index.numbers(self._field(ifd, Tag.STRIP_OFFSETS, _OFFSET_KINDS, 1), 0, 1)
            (length,) = self._index.numbers(self._field(ifd, Tag.STRIP_BYTES, _COUNT_KINDS, 1), 0, 1)
            check_attachment_size(length, f"{self.name}: the {name} image")
            yield name, (offset, length)

    def locate(self, level: int, row: int, col: int) -> tuple[int, int] | None:
        """Return (offset, length) of a stored tile in the file; None if it does not exist.

        Raises
        ------
        DamagedError
            If the length is more than a tile can have.
        """
        coding = self.metadata.coding
        rows, cols = coding.geometry.grid(level) if level in self._tables else (0, 0)
        if not (0 <= row < rows and 0 <= col < cols) or coding.is_empty(level, row, col):
            return None  # pictures of empty tiles are for other readers
        table, at = self._tables[level], row * cols + col
        (offset,) = self._index.numbers(table.offsets, at, 1)
        (length,) = self._index.numbers(table.lengths, at, 1)
        if length == 0:
            return None
        most = coding.tile_limit(level)
        if length > most or offset + length > self._source.size:
            raise DamagedError(
                f"{self.name}: {coding.place(level, row, col)} is said to have {length} bytes at byte {offset}; a tile "
                f"has at most {most}, the file {self._source.size}; it is truncated or damaged",
                rule="tile.size" if length > most else "file.range",
            )
        return offset, length

    def range_of(self, place: Place) -> Range | None:
        """Return the byte range of a tile; None if it does not exist."""
        return self.locate(*place)

    def attachment(self, name: str) -> bytes | None:
        """Read the ICC profile or the JPEG file of an associated image."""
        if name == ICC_NAME:
            return self._icc_profile()
        place = self._images.get(name)
        return None if place is None else check_attachment(self._source.read(*place), f"{self.name}: the {name} image")

    def _icc_profile(self) -> bytes | None:
        field = self._first.fields.get(Tag.ICC_PROFILE)
        if field is None:
            return None
        self._check_ours()
        if field.kind not in {Kind.BYTE, Kind.UNDEFINED}:
            raise FormatError(f"{self.name}: the ICC profile is of TIFF type {field.kind}, expected 7", rule="tiff.tag")
        check_attachment_size(field.size, f"{self.name}: the ICC profile")
        profile = self._index.value(field).data if field.size else b""
        checksum = self._field(self._first, Tag.RRIP_ICC_CHECKSUM, (Kind.LONG,), 1)
        if self._index.numbers(checksum, 0, 1) != [crc32c(profile)]:
            raise ChecksumError(
                f"{self.name}: the ICC profile is damaged; restore it from a copy", rule="attachment.checksum"
            )
        return profile

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield (key, bytes) of everything in the file; ``INDEX_KEY`` stands for tags and tables."""
        rest = self._source.size
        for key, size in self._sizes():
            rest -= size
            yield key, size
        yield INDEX_KEY, rest

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Yield (rule, key, what was found) of faults that only a validator reports: entries at empty tiles."""
        coding = self.metadata.coding
        for level, table in self._tables.items():
            cols = coding.geometry.grid(level)[1]
            for row, col in coding.geometry.tiles(level):
                if not coding.is_empty(level, row, col):
                    continue
                (offset,) = self._index.numbers(table.offsets, row * cols + col, 1)
                (length,) = self._index.numbers(table.lengths, row * cols + col, 1)
                found = f"there are {length} bytes at byte {offset}, where the tile is empty"
                if (level < BASE_LEVEL or self._is_sealed) and (offset or length):
                    yield "tile.unexpected", tile_key(level, row, col), found
                elif level >= BASE_LEVEL and not self._is_sealed and not 0 < length <= self._source.size - offset:
                    yield "file.range", tile_key(level, row, col), found

    def _sizes(self) -> Iterator[tuple[str, int]]:
        for level in self._tables:
            for row, col in self.metadata.coding.geometry.tiles(level):
                with suppress(DamagedError):  # tiles outside the file do not count
                    place = self.locate(level, row, col)
                    if place is not None:
                        yield tile_key(level, row, col), place[1]
        icc = self._first.fields.get(Tag.ICC_PROFILE)
        if icc is not None:
            yield ICC_KEY, icc.size
        for name, (_, length) in self._images.items():
            yield associated_key(name), length

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_remote:  # the index travels, so that opening it elsewhere takes no request
            return restore, (TiffContainer, self._state())
        return reopen, (_open_again, self.name, self.metadata.coding.uuid)


def _open_again(path: str) -> TiffContainer:
    return TiffContainer(LocalBytes(path))
