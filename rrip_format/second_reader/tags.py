"""The tags of a TIFF that say how to read its tiles, by a parser of our own."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree as ET

from .base import MOST_PLANES, UnableError

__all__ = ["TiffTags", "choose_pages", "largest_pages"]

TiffTags = dict[int, Any]
"""By number: bytes of types 2 and 7, else a tuple of integers."""

_KINDS = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}
_BYTES = {2, 7}
_WANTED = {254, 256, 257, 258, 259, 262, 270, 273, 274, 277, 278, 279, 284, 322, 323, 324, 325, 330, 338, 347}
_MOST_BYTES = 1 << 28
_REDUCED, _MASK = 1, 4
_NO_SLIDE_TYPE = re.compile(rb"<ImageType>\s*(Label|Overview|Thumbnail)\s*<")
"""Of QPTIFF; other XML may name labels anywhere."""
_NO_SLIDE = re.compile(rb"\b(label|macro|overview|thumbnail)\b", re.IGNORECASE)


def largest_pages(path: Path, size: tuple[int, int] | None) -> list[tuple[int | None, TiffTags]]:
    """Return number and tags of the pages of a TIFF that are largest; the number is None in a SubIFD.

    Parameters
    ----------
    path : Path
    size : (int, int) or None
        Height and width of the pages instead, whichever way these are turned, px.

    Raises
    ------
    UnableError
        The directories cannot be followed.
    """
    try:
        with path.open("rb") as file:
            pages = _directories(file)
        sizes = [(tags[257][0], tags[256][0]) for _, tags in pages]
    except (OSError, struct.error, KeyError, IndexError) as error:
        raise UnableError(f"its tags cannot be read ({type(error).__name__})") from error
    if size is None:
        others = _other_images(pages)
        kept = [page for page in pages if not _is_other(page[1]) and page[0] not in others] or pages
        sizes = [(tags[257][0], tags[256][0]) for _, tags in kept]
        pages = kept
    return [pages[index] for index in choose_pages(sizes, size)]


def choose_pages(sizes: list[tuple[int, int]], size: tuple[int, int] | None) -> list[int]:
    """Return the numbers of the largest pages, or of those of a given size, of pages of (height, width) each."""
    most = max((height * width for height, width in sizes), default=0)
    if size is None:
        found = [number for number, (height, width) in enumerate(sizes) if height * width == most]
    else:
        found = [number for number, one in enumerate(sizes) if one in {size, size[::-1]}]
    if not found:
        raise UnableError("it has no page of that size")
    if len(found) > MOST_PLANES:
        raise UnableError(
            f"it holds {len(found)} pictures of one size, and nothing tells a second reader which is meant"
        )
    return found


def _is_other(tags: TiffTags) -> bool:
    """Return whether a page says that it is a smaller version, a mask, a label, a macro image or the like."""
    text = tags.get(270, b"")[:1000]
    is_xml = text.lstrip().startswith(b"<?xml")
    named = (_NO_SLIDE_TYPE if is_xml else _NO_SLIDE).search(text) is not None
    return bool(tags.get(254, (0,))[0] & (_REDUCED | _MASK)) or (named and b"Baseline" not in text)


def _other_images(pages: list[tuple[int | None, TiffTags]]) -> set[int | None]:
    """Return the pages that OME-XML calls a label, a macro image or the like."""
    text = pages[0][1].get(270, b"") if pages else b""
    if b"<OME" not in text:
        return set()
    try:
        root = ET.fromstring(text.rstrip(b"\0"))  # noqa: S314 - the source has parsed the same text
    except ET.ParseError:
        return set()
    found: set[int | None] = set()
    for image in root.findall("{*}Image"):
        if _NO_SLIDE.search(image.get("Name", "").encode()):
            found |= {int(data.get("IFD", 0)) for data in image.findall("{*}Pixels/{*}TiffData")}
    return found


def _directories(file: BinaryIO) -> list[tuple[int | None, TiffTags]]:
    """Follow the chain of directories and the SubIFDs; a loop is refused where the source is opened, and ends here."""
    head = file.read(8)
    order = "<" if head[:2] == b"II" else ">"
    is_big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    offset = struct.unpack(f"{order}Q", file.read(8))[0] if is_big else struct.unpack(f"{order}L", head[4:])[0]
    found: list[tuple[int | None, TiffTags]] = []
    seen: set[int] = set()
    while offset and offset not in seen:
        seen.add(offset)
        tags, offset = _directory(file, offset, order, is_big=is_big)
        found.append((len(found), tags))
    inner = [place for _, tags in found for place in tags.get(330, ()) if place and place not in seen]
    return found + [(None, _directory(file, place, order, is_big=is_big)[0]) for place in inner]


def _directory(file: BinaryIO, offset: int, order: str, *, is_big: bool) -> tuple[TiffTags, int]:
    """Return the tags of a directory and the offset of the next one."""
    count, entry, number = ("Q", 20, "Q") if is_big else ("H", 12, "L")
    file.seek(offset)
    (entries,) = struct.unpack(f"{order}{count}", file.read(struct.calcsize(order + count)))
    table = file.read(entries * entry)
    (following,) = struct.unpack(f"{order}{number}", file.read(struct.calcsize(order + number)))
    tags: TiffTags = {}
    for at in range(0, len(table), entry):
        tag, kind = struct.unpack_from(f"{order}HH", table, at)
        if tag in _WANTED and (kind in _KINDS or kind in _BYTES):
            tags[tag] = _value(file, order, number, table[at : at + entry], kind)
    return tags, following


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
    return data if kind in _BYTES else struct.unpack(f"{order}{count}{_KINDS[kind]}", data)
