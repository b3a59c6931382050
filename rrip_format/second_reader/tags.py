"""The tags of a TIFF that say how to read its tiles, by a reading of our own."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

from .base import MOST_PLANES, UnableError

__all__ = ["TiffTags", "largest_pages"]

TiffTags = dict[int, Any]
"""By number: bytes of type 7, else a tuple of integers."""

_KINDS = {1: "B", 3: "H", 4: "L", 16: "Q"}
_WANTED = {256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 347}
_MOST_BYTES = 1 << 28


def largest_pages(path: Path) -> list[tuple[int, TiffTags]]:
    """Return number and tags of the pages of a TIFF that are largest, SubIFDs left out.

    Raises
    ------
    UnableError
        The directories cannot be followed.
    """
    try:
        with path.open("rb") as file:
            pages = list(enumerate(_directories(file)))
        sizes = [tags[256][0] * tags[257][0] for _, tags in pages]
    except (OSError, struct.error, KeyError, IndexError) as error:
        raise UnableError(f"its tags cannot be read ({type(error).__name__})") from error
    if not sizes:
        raise UnableError("it has no pages")
    return [page for page, size in zip(pages, sizes, strict=True) if size == max(sizes)][:MOST_PLANES]


def _directories(file: BinaryIO) -> list[TiffTags]:
    """Follow the chain of directories; a loop in it is refused where the source is opened, and ends here."""
    head = file.read(8)
    order = "<" if head[:2] == b"II" else ">"
    is_big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    count, entry, number = ("Q", 20, "Q") if is_big else ("H", 12, "L")
    offset = struct.unpack(f"{order}Q", file.read(8))[0] if is_big else struct.unpack(f"{order}L", head[4:])[0]
    found, seen = [], set()
    while offset and offset not in seen:
        seen.add(offset)
        file.seek(offset)
        (entries,) = struct.unpack(f"{order}{count}", file.read(struct.calcsize(order + count)))
        table = file.read(entries * entry)
        (offset,) = struct.unpack(f"{order}{number}", file.read(struct.calcsize(order + number)))
        tags: TiffTags = {}
        for at in range(0, len(table), entry):
            tag, kind = struct.unpack_from(f"{order}HH", table, at)
            if tag in _WANTED and (kind in _KINDS or kind == 7):
                tags[tag] = _value(file, order, number, table[at : at + entry], kind)
        found.append(tags)
    return found


def _value(file: BinaryIO, order: str, number: str, entry: bytes, kind: int) -> Any:
    size = struct.calcsize(order + number)
    (count,) = struct.unpack_from(f"{order}{number}", entry, 4)
    length = count * struct.calcsize(order + _KINDS.get(kind, "B"))
    data = entry[4 + size : 4 + size + length]
    if length > size:
        if length > _MOST_BYTES:
            raise UnableError(f"a tag of {length} bytes")
        file.seek(struct.unpack_from(f"{order}{number}", entry, 4 + size)[0])
        data = file.read(length)
    return data if kind == 7 else struct.unpack(f"{order}{count}{_KINDS[kind]}", data)
