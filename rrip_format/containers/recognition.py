"""Tell containers from other files quickly, damaged ones too: for programs that open either."""

from __future__ import annotations

import os
import zipfile
from typing import Any

from ..spec.extensions import EXTENSIONS
from ..spec.tiff_layout import ENTRY, HEADER, Tag
from ..storage.access import is_url

__all__ = ["is_container"]

_MOST_TAGS = 4096
"""Of a first IFD that is looked through for the tag of a container."""

_ROOT_MARK = b'"rrip"'


def is_container(path: object) -> bool:
    """Whether a path claims to be a container, damaged or not.

    A URL is judged by its extension, a file or folder by what is in it. Anything else than a path is none.
    """
    try:
        name = os.fsdecode(path)  # type: ignore[arg-type]  # any other type is a TypeError
        if is_url(name):
            return name.partition("?")[0].rstrip("/").lower().endswith(EXTENSIONS)
        if os.path.isdir(name):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
            with open(os.path.join(name, "zarr.json"), "rb") as root:  # noqa: PTH118, PTH123
                return _ROOT_MARK in root.read()
        with open(name, "rb") as file:  # noqa: PTH123
            magic = file.read(4)
            if magic[:2] == b"PK":
                with zipfile.ZipFile(file) as archive:
                    return _ROOT_MARK in archive.read("zarr.json")
            return magic == b"II+\0" and _has_our_tag(file)
    except (OSError, TypeError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return False


def _has_our_tag(file: Any) -> bool:
    """Whether the first IFD of a BigTIFF has the metadata of a container, without a look at anything else."""
    file.seek(HEADER.size - 8)
    file.seek(int.from_bytes(file.read(8), "little"))
    count = min(int.from_bytes(file.read(8), "little"), _MOST_TAGS)
    entries = file.read(count * ENTRY.size)
    whole = entries[: len(entries) // ENTRY.size * ENTRY.size]
    return any(tag == Tag.RRIP_METADATA for tag, *_ in ENTRY.iter_unpack(whole))
