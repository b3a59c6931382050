"""Kerchunk references: a file of byte ranges that shows a container as a Zarr hierarchy to fsspec."""

from __future__ import annotations

import base64
import os
from typing import Any

from ..containers.base import Container
from ..errors import StorageError
from .hierarchy import open_hierarchy

__all__ = ["references"]


def references(container: Container | str | os.PathLike[str], url: str | None = None) -> dict[str, Any]:
    """Make a kerchunk reference set (version 1) of a TIFF file or zip archive, for ``reference::`` file systems.

    Parameters
    ----------
    container : Container, path or URL
    url : str, optional
        What the references point to, if not where the container is now.

    Returns
    -------
    dict
        ``{"version": 1, "refs": {key: text, "base64:…" or [url, offset, length]}}``, ready for JSON.

    Raises
    ------
    NotFoundError
        If nothing is there.
    FormatError
        If no RRIP container is there.
    StorageError
        If the container is a folder, which is a Zarr hierarchy by itself.
    """
    hierarchy = open_hierarchy(container, 3)
    name, locate = hierarchy.container.name, getattr(hierarchy.container, "locate", None)
    if locate is None:
        raise StorageError(f"{name}: is no single file; Zarr reads it without references")
    refs: dict[str, Any] = {}
    for key, data in hierarchy.documents.items():
        refs[key] = data.decode() if key.endswith(".json") else "base64:" + base64.b64encode(data).decode()
    for key in hierarchy.keys(""):
        place = hierarchy.locate(key)
        if place is not None:
            found = locate(*place)
            if found is None:
                hierarchy.read(key)  # raises what is wrong
            refs[key] = [url or name, *found]
    return {"version": 1, "refs": refs}
