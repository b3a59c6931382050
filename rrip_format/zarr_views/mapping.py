"""``RripMapping``: a container of any kind as a mapping of keys to bytes, for zarr-python 2 (spec section 9.8)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from ..containers.base import Container
from .hierarchy import open_hierarchy

__all__ = ["RripMapping"]


class RripMapping(Mapping[str, bytes]):
    """Keys and checked values of a container's Zarr hierarchy; zarr-python is not needed for files.

    Parameters
    ----------
    container : Container, str or path-like
        An open container, or the path or URL of one.
    zarr_format : int
        2: packets, which the numcodecs codec ``rrip`` decodes. 3: the hierarchy of the Zarr binding.
    """

    def __init__(self, container: Container | str | os.PathLike[str], *, zarr_format: int = 2) -> None:
        self._hierarchy = open_hierarchy(container, zarr_format)

    def __getitem__(self, key: str) -> bytes:
        data = self._hierarchy.read(key)
        if data is None:
            raise KeyError(key)
        return data

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._hierarchy.exists(key)

    def __iter__(self) -> Iterator[str]:
        return self._hierarchy.keys()

    def __len__(self) -> int:
        return sum(1 for _ in self)
