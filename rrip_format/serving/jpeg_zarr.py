"""A container as a plain Zarr v3 hierarchy whose chunks are made into JPEG when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from ..containers.base import Container
from ..spec.zarr_layout import dump
from ..zarr_views.fsspec_raw import RawHierarchy
from ..zarr_views.hierarchy import Hierarchy
from .deepzoom import encode_jpeg

__all__ = ["JpegHierarchy"]


class JpegHierarchy(RawHierarchy):
    """Keys and values; thread-safe.

    Parameters
    ----------
    container : Container
    quality : int
        1 … 100.
    """

    def __init__(self, container: Container, quality: int) -> None:
        super().__init__(container)
        self._quality = quality

    @cached_property
    def documents(self) -> Mapping[str, bytes]:
        """Those of raw pixels, with the codecs of the base level, the checksum of stored tiles left out."""
        base = json.loads(Hierarchy(self.container).documents["base/0/zarr.json"])
        codecs = [codec for codec in base["codecs"] if codec["name"] != "crc32c"]
        return _Documents(super().documents, codecs)

    def read(self, key: str) -> bytes | None:
        """Return the value of a key, None where there is none; errors as in :meth:`RawHierarchy.read`."""
        data, place = super().read(key), self.locate(key)
        if place is None or data is None:
            return data
        side = self.container.metadata.coding.geometry.tile_side(place[0])
        planes = np.frombuffer(data, np.uint8).reshape(3, side, side)
        return encode_jpeg(np.ascontiguousarray(planes.transpose(1, 2, 0)), self._quality)


class _Documents(Mapping[str, bytes]):
    """Documents with other codecs for the arrays of levels."""

    def __init__(self, raw: Mapping[str, bytes], codecs: list[object]) -> None:
        self._raw, self._codecs = raw, codecs

    def __getitem__(self, key: str) -> bytes:
        data = self._raw[key]
        level, is_document, rest = key.partition("/zarr.json")
        if not (level.isdecimal() and is_document and not rest):
            return data
        return dump(json.loads(data) | {"codecs": self._codecs})

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)
