"""Tell containers from other files quickly, damaged ones too: for programs that open either."""

from __future__ import annotations

import os
import zipfile

from ..spec.extensions import EXTENSIONS
from ..storage.access import is_url
from ..storage.tiff_marks import is_ours, read_tags

__all__ = ["is_container"]

_ROOT_MARK = b'"rrip"'


def is_container(path: object) -> bool:
    """Whether a path claims to be a container, damaged or not.

    A URL is judged by its extension, a file or folder by what is in it, and by its name where damage leaves open what
    it is. Anything else than a path is none.
    """
    try:
        name = os.fsdecode(path)  # type: ignore[arg-type]  # any other type is a TypeError
    except TypeError:
        return False
    is_named = name.partition("?")[0].rstrip("/").lower().endswith(EXTENSIONS)
    if is_url(name):
        return is_named
    is_named = name.rstrip("/").lower().endswith(EXTENSIONS)
    try:
        said = _look(name)
    except (OSError, ValueError, OverflowError):
        return False
    return is_named if said is None else said


def _look(name: str) -> bool | None:
    """Return whether the content is that of a container, None where damage leaves it open."""
    if os.path.isdir(name):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
        try:
            with open(os.path.join(name, "zarr.json"), "rb") as root:  # noqa: PTH118, PTH123
                return _ROOT_MARK in root.read() or None
        except OSError:
            return None
    if not os.path.isfile(name):  # noqa: PTH113  (as above) to open a pipe is to wait for whoever writes it
        return False
    with open(name, "rb") as file:  # noqa: PTH123
        magic = file.read(4)
        if magic[:2] == b"PK":
            try:
                with zipfile.ZipFile(file) as archive:
                    return _ROOT_MARK in archive.read("zarr.json")
            except (zipfile.BadZipFile, KeyError, NotImplementedError, EOFError, RuntimeError, ValueError):
                return None
        if magic != b"II+\0":
            return False
        tags = read_tags(file)
        return None if tags is None else is_ours(tags)
