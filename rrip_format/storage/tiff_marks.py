"""Tell a TIFF file of this format, damaged or not, from one of another program that uses the same private tag.

Each of three marks is enough: the object in the tag of the metadata, the tag that leads to the finest levels, and the
description of the first page. So damage to one or two of them does not make an ordinary slide of the coarse levels.
"""

from __future__ import annotations

from typing import BinaryIO

from ..spec.tiff_layout import ENTRY, HEADER, Kind, Tag

__all__ = ["MARKS", "MARK_BYTES", "is_ours", "read_tags"]

MARKS = (Tag.RRIP_RESIDUALS, Tag.RRIP_METADATA, Tag.DESCRIPTION)
"""Tags that are looked at, the cheapest first."""

MARK_BYTES = 1 << 16
"""First bytes of the value of each that are looked through."""

_MOST_TAGS = 4096

_OBJECT, _DESCRIPTION = b'"coding"', b"in RRIP format"


def is_ours(tags: dict[int, tuple[int, bytes]]) -> bool:
    """Return whether a first IFD has a mark of this format.

    Parameters
    ----------
    tags : dict of int to (int, bytes)
        Field type and value of each tag, as from :func:`read_tags`.
    """
    _, document = tags.get(Tag.RRIP_METADATA, (0, b""))
    kind, _ = tags.get(Tag.RRIP_RESIDUALS, (0, b""))
    _, description = tags.get(Tag.DESCRIPTION, (0, b""))
    return _OBJECT in document or kind == Kind.IFD8 or _DESCRIPTION in description


def read_tags(file: BinaryIO) -> dict[int, tuple[int, bytes]] | None:
    """Return field type and first bytes of the tags above, of the first IFD of a BigTIFF.

    Returns
    -------
    dict or None
        None where the file has no such IFD: it is cut off, or another kind of file.
    """
    file.seek(0)
    header = file.read(HEADER.size)
    if header[:4] != b"II+\0" or len(header) < HEADER.size:
        return None
    file.seek(HEADER.unpack(header)[-1])
    count = min(int.from_bytes(file.read(8), "little"), _MOST_TAGS)
    entries = file.read(count * ENTRY.size)
    if not count or len(entries) < count * ENTRY.size:
        return None
    found = {}
    for tag, kind, number, value in ENTRY.iter_unpack(entries):
        if tag in MARKS:
            if number > len(value):  # of bytes: only theirs are looked into
                file.seek(int.from_bytes(value, "little"))
                value = file.read(min(number, MARK_BYTES))  # noqa: PLW2901 - the value instead of its offset
            found[tag] = (kind, value)
    return found
