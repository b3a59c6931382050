"""A napari reader: a slide as a multiscale layer, read on demand (the npe2 manifest is ``napari.yaml``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ..extras import load_module, needs
from ..slides.slide import open_slide
from ..spec.extensions import EXTENSIONS, FOLDER

__all__ = ["get_reader", "make_default", "read_layers"]

_NAME = "rrip-format"
"""Of the plug-in, in ``napari.yaml``."""

LayerData = tuple[Any, dict[str, Any], str]
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return :func:`read_layers` if all paths have an extension of containers, otherwise None."""
    return read_layers if all(os.fspath(one).rstrip("/\\").endswith(EXTENSIONS) for one in _several(path)) else None


def read_layers(path: Paths) -> list[LayerData]:
    """Return one image layer per slide.

    Parameters
    ----------
    path : path or sequence of paths
        Paths or URLs of containers.

    Returns
    -------
    list of (levels, options, "image")
        Levels are lazy Dask arrays, (height, width, 3) uint8, finest first. The scale of the layer is in µm if the
        pixel size is known.

    Raises
    ------
    FormatError
        If a path is not that of an RRIP container.
    ExtraMissingError
        If Dask is not installed.
    """
    return [_layer(os.fspath(one)) for one in _several(path)]


def make_default() -> None:
    """Let napari open containers with this reader, in its own settings, which it keeps.

    napari asks where several readers fit, and its own one takes every folder, on which it fails, and every TIFF file,
    of which it shows level 2.

    Raises
    ------
    ExtraMissingError
        If napari is not installed.
    """
    settings = load_module("napari.settings", "napari", "make_default").get_settings()
    settings.plugins.extension2reader = {
        **settings.plugins.extension2reader,
        **{f"*{extension}": _NAME for extension in (*EXTENSIONS, FOLDER + os.sep)},  # it compares folders so
    }
    settings.save()


def _several(path: Paths) -> Sequence[str | os.PathLike[str]]:
    return [path] if isinstance(path, str | os.PathLike) else path


def _layer(path: str) -> LayerData:
    with needs("napari", f"{path}: reading in napari"):
        import dask.array as da
    slide = open_slide(path)
    group: Any = slide.group
    levels = [da.moveaxis(da.from_zarr(group[str(level.index)]), 0, -1) for level in slide.levels]
    about = slide.metadata.slide
    options: dict[str, Any] = {
        "name": slide.name.rstrip("/").rpartition("/")[2],
        "multiscale": True,
        "rgb": True,
        "metadata": {"rrip": {"objective": about.objective, "vendor": about.vendor, "mpp": about.mpp}},
    }
    if about.mpp is not None:
        options["scale"], options["units"] = (about.mpp[1], about.mpp[0]), ("um", "um")
    return levels, options, "image"
