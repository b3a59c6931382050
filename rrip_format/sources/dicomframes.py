"""Where the frames of a DICOM file lie: native ones side by side, encapsulated ones in fragments (PS3.5, A.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.errors import SourceError
from rrip_format.sources.base import load_reader
from rrip_format.sources.dicomfiles import quiet

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Frames", "find_frames"]

PIXEL_DATA = b"\xe0\x7f\x10\x00"
ITEM, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
UNDEFINED = 0xFFFFFFFF
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
REQUIRED = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
"""Attributes that say how pixels are stored."""
STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")
"""Of a JPEG or JPEG-LS, and of a JPEG 2000 stream."""


@dataclass(frozen=True)
class Frames:
    """The attributes of a file, and of each frame the (offset, bytes) of its pieces.

    Attributes
    ----------
    dataset : pydicom.Dataset
    spans : list of tuple of (int, int)
    path : Path
    data : bytes or None
        What the offsets count in, where that is not the file.
    """

    dataset: Any
    spans: list[tuple[tuple[int, int], ...]]
    path: Path
    data: bytes | None = None

    def read(self, number: int) -> bytes:
        """Return the stored bytes of one frame."""
        if self.data is not None:
            return b"".join(self.data[at : at + size] for at, size in self.spans[number])
        with self.path.open("rb") as file:
            parts = []
            for at, size in self.spans[number]:
                file.seek(at)
                parts.append(file.read(size))
        return b"".join(parts)


def find_frames(path: Path) -> Frames:
    """Read the attributes of a file and find its frames.

    Raises
    ------
    SourceError
        Pixels are missing, cut off, or not in as many frames as the attributes say.
    """
    with path.open("rb") as file, quiet():
        dataset = load_reader("pydicom").dcmread(file, stop_before_pixels=True)
        absent = [name for name in REQUIRED if dataset.get(name) in (None, "")]
        if absent:
            msg = f"{path}: the DICOM attribute {absent[0]} is missing; export the slide again"
            raise SourceError(msg)
        syntax = str(dataset.file_meta.TransferSyntaxUID)
        if not dataset.file_meta.TransferSyntaxUID.is_transfer_syntax:
            msg = f"{path}: found the transfer syntax {syntax}, which is not supported; convert it first"
            raise SourceError(msg)
        if syntax == DEFLATED:
            whole = load_reader("pydicom").dcmread(path)
            return Frames(dataset, _native(dataset, 0, len(whole.PixelData), path), path, bytes(whole.PixelData))
        order = ">" if syntax == BIG_ENDIAN else "<"
        head = file.read(12)
        size = path.stat().st_size
        if head[:4] != (PIXEL_DATA if order == "<" else b"\x7f\xe0\x00\x10"):
            msg = f"{path}: a DICOM file without Pixel Data; get a complete copy"
            raise SourceError(msg)
        if dataset.is_implicit_VR:
            (length,), at = struct.unpack("<I", head[4:8]), file.tell() - 4
        else:
            (length,), at = struct.unpack(f"{order}I", head[8:12]), file.tell()
        if length != UNDEFINED:
            if length > size - at:
                msg = f"{path}: Pixel Data of {length} bytes end behind the file of {size} bytes; get a complete copy"
                raise SourceError(msg)
            if order == ">" and head[4:6] == b"OW":  # words, each with its second byte first
                data = np.frombuffer(file.read(length), ">u2").astype("<u2").tobytes()
                return Frames(dataset, _native(dataset, 0, length, path), path, data)
            return Frames(dataset, _native(dataset, at, length, path), path)
        file.seek(at)
        return Frames(dataset, _encapsulated(file, dataset, size, path), path)


def _count(dataset: Any) -> int:
    return max(int(dataset.get("NumberOfFrames") or 1), 1)


def _native(dataset: Any, at: int, length: int, path: Path) -> list[tuple[tuple[int, int], ...]]:
    """Return the frames of pixels that are not compressed; one byte behind the last makes their number even."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed and syntax != DEFLATED:
        msg = f"{path}: pixels of {syntax.name} that are not encapsulated; the file is damaged"
        raise SourceError(msg)
    count = _count(dataset)
    samples = 2 if dataset.PhotometricInterpretation == "YBR_FULL_422" else int(dataset.SamplesPerPixel)
    size = int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.BitsAllocated) // 8
    if not size * count <= length <= size * count + 1:
        msg = f"{path}: {length} bytes of Pixel Data, expected {count} frames of {size}; get a complete copy"
        raise SourceError(msg)
    return [((at + number * size, size),) for number in range(count)]


def _encapsulated(file: Any, dataset: Any, size: int, path: Path) -> list[tuple[tuple[int, int], ...]]:
    """Return the frames of compressed pixels: a fragment each, or as the offset table has it, or as streams begin."""
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        msg = f"{path}: encapsulated pixels of {dataset.file_meta.TransferSyntaxUID.name}; the file is damaged"
        raise SourceError(msg)
    items: list[tuple[int, int]] = []
    while True:
        at = file.tell()
        head = file.read(8)
        if head[:4] == SEQUENCE_END:
            break
        length = int.from_bytes(head[4:], "little")
        if head[:4] != ITEM or length > size - at - 8:
            msg = f"{path}: its Pixel Data end early, after {len(items)} fragments; get a complete copy"
            raise SourceError(msg)
        items.append((at, length))
        file.seek(length, 1)
    if not items:
        msg = f"{path}: no fragments in its Pixel Data; get a complete copy"
        raise SourceError(msg)
    count = _count(dataset)
    if len(items) == count and _peek(file, items[0][0] + 8).startswith(
        STARTS
    ):  # no offset table, not even an empty one
        return [((at + 8, length),) for at, length in items]
    (first, table_size), *fragments = items
    if len(fragments) == count:
        starts = list(range(count))
    else:
        file.seek(first + 8)
        table = struct.unpack(f"<{table_size // 4}I", file.read(table_size // 4 * 4))
        base = first + 8 + table_size
        number = {at - base: index for index, (at, _) in enumerate(fragments)}
        starts = [number.get(offset, -1) for offset in table] if len(table) == count else []
        if count == 1:
            starts = [0]
        elif not starts:
            starts = [index for index, (at, _) in enumerate(fragments) if _peek(file, at + 8).startswith(STARTS)]
    if len(starts) != count or starts != sorted(set(starts)) or starts[:1] != [0]:
        msg = f"{path}: {len(fragments)} fragments, expected {count} frames and where they begin; get another copy"
        raise SourceError(msg)
    ends = [*starts[1:], len(fragments)]
    return [
        tuple((at + 8, length) for at, length in fragments[start:end]) for start, end in zip(starts, ends, strict=True)
    ]


def _peek(file: Any, at: int) -> bytes:
    file.seek(at)
    data: bytes = file.read(4)
    return data
