"""Kerchunk references: a list of byte ranges through which fsspec reads a container as a Zarr hierarchy."""

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
    container : Container, str or path-like
        An open container, or the path or URL of one.
    url : str, optional
        URL of the file in the references; by default that of the container.

    Returns
    -------
    dict
        ``{"version": 1, "refs": {key: text, "base64:…" or [url, offset, length]}}``, for JSON.

    Raises
    ------
    NotFoundError
        If there is nothing at the path or URL.
    FormatError
        If it is not an RRIP container.
    StorageError
        If the container is a folder, which is a Zarr hierarchy already.
    """
    hierarchy = open_hierarchy(container, 3)
    name = hierarchy.container.name
    if not hierarchy.container.is_file:
        raise StorageError(f"{name}: is a folder, expected a TIFF file or zip archive; Zarr reads folders as they are")
    refs: dict[str, Any] = {}
    for key, data in hierarchy.documents.items():
        refs[key] = data.decode() if key.endswith(".json") else "base64:" + base64.b64encode(data).decode()
    for key in hierarchy.keys(""):
        place = hierarchy.locate(key)
        if place is not None:
            found = hierarchy.container.locate(*place)
            if found is None:
                hierarchy.read(key)  # raises the error
                continue
            refs[key] = [url or name, *found]
    return {"version": 1, "refs": refs}
