"""The engine ``rrip`` of xarray: a level as a dataset, or all levels as a tree, read as they are indexed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..containers.recognition import is_container
from ..extras import needs
from ..slides.slide import Slide, open_slide

with needs("xarray", "the engine rrip"):
    import xarray as xr
    from xarray.backends import BackendArray, BackendEntrypoint
    from xarray.core import indexing

__all__ = ["RripBackend"]

Path = str | os.PathLike[str]


class _Level(BackendArray):  # type: ignore[misc]  # xarray's types are not installed
    """One level, (y, x, c) uint8, which reads the rectangle that an index reaches."""

    def __init__(self, slide: Slide, level: int) -> None:
        self._slide, self._level = slide, level
        self.shape = (*slide.level_shape(level), 3)
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, key: Any) -> Any:
        support = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        places = [range(length)[part] for length, part in zip(self.shape[:2], key[:2], strict=True)]
        spans = [range(place, place + 1) if isinstance(place, int) else place for place in places]
        if not all(spans):
            return np.empty(self.shape, self.dtype)[key]
        (top, bottom), (left, right) = ((min(span), max(span) + 1) for span in spans)
        pixels = self._slide.read_region(self._level, top, left, bottom - top, right - left)
        within = [
            place - first if isinstance(place, int) else np.asarray(place) - first
            for place, first in zip(places, (top, left), strict=True)
        ]
        for axis in (1, 0):  # the later axis first: an index of one number takes its axis away
            pixels = pixels.take(within[axis], axis=axis)
        return pixels[..., key[2]]


class RripBackend(BackendEntrypoint):  # type: ignore[misc]  # as above
    """Opens containers of every kind, local or remote, with ``xarray.open_dataset`` and ``open_datatree``.

    The variable ``image`` has the dimensions y, x, c. Coordinates of y and x are the centres of pixels, counted from
    that of the first pixel of level 0 (spec section 4.3), in µm where the pixel size is known and otherwise in pixels
    of level 0.
    """

    description = "RRIP whole-slide images"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "level")
    supports_groups = True

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a path is a container."""
        return is_container(filename_or_obj)

    def open_dataset(
        self, filename_or_obj: Path, *, drop_variables: str | Iterable[str] | None = None, level: int = 0
    ) -> xr.Dataset:
        """One level.

        Parameters
        ----------
        filename_or_obj : path or URL
        drop_variables : str or iterable of str, optional
        level : int
            0 is the finest.

        Raises
        ------
        FormatError
            If no RRIP container is there.
        """
        slide = open_slide(filename_or_obj)
        slide.level_shape(level)  # raises for a level that is not there
        dataset = _dataset(slide, level).drop_vars(drop_variables or [])
        dataset.set_close(slide.close)
        return dataset

    def open_groups_as_dict(
        self, filename_or_obj: Path, *, drop_variables: str | Iterable[str] | None = None
    ) -> dict[str, xr.Dataset]:
        """All levels by name: ``/0``, the finest, to the coarsest, and ``/`` with what is known of the slide."""
        slide = open_slide(filename_or_obj)
        groups = {f"/{level.index}": _dataset(slide, level.index) for level in slide.levels}
        root = xr.Dataset(attrs=_attributes(slide))
        root.set_close(slide.close)
        return {"/": root, **{name: group.drop_vars(drop_variables or []) for name, group in groups.items()}}

    def open_datatree(self, filename_or_obj: Path, *, drop_variables: str | Iterable[str] | None = None) -> xr.DataTree:
        """All levels as a tree; names as in :meth:`open_groups_as_dict`."""
        groups = self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables)
        return xr.DataTree.from_dict(groups)


def _dataset(slide: Slide, level: int) -> xr.Dataset:
    image = xr.Variable(("y", "x", "c"), indexing.LazilyIndexedArray(_Level(slide, level)))
    side = slide.geometry.tile_side(level)
    image.encoding = {"preferred_chunks": {"y": side, "x": side, "c": 3}}
    mpp = slide.mpp or (1.0, 1.0)
    unit = {"units": "micrometer" if slide.mpp else "pixel of level 0"}
    coordinates: dict[str, Any] = {"c": ("c", ["red", "green", "blue"])}
    for name, length, size in zip("yx", slide.level_shape(level), mpp[::-1], strict=True):
        coordinates[name] = (name, ((np.arange(length) + 0.5) * 2**level - 0.5) * size, unit)
    return xr.Dataset({"image": image}, coordinates, {**_attributes(slide), "level": level})


def _attributes(slide: Slide) -> dict[str, Any]:
    about = slide.metadata.slide
    known = {"mpp": slide.mpp, "objective": about.objective, "vendor": about.vendor, "source": about.source_name}
    return {name: value for name, value in known.items() if value is not None}
