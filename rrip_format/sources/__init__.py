"""Any slide, image or array as blocks of RGB.

:func:`open_source` looks at the content, not at the extension, and chooses the reader:

========================================================= ======================
SVS, NDPI, MRXS, SCN, BIF, DICOM, Philips, tiled TIFF     OpenSlide
OME-TIFF, TIFF in strips, TIFF that OpenSlide cannot open tifffile + imagecodecs
PNG, JPEG and other images                                libvips
NumPy, Dask and Zarr arrays                               slicing
========================================================= ======================

JPEG tiles of SVS and plain TIFF are decoded without OpenSlide's help, to the same pixels (:mod:`.jpegtiles`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rrip_format.errors import SourceError, one_line
from rrip_format.sources.base import SlideInfo, Source, positive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rrip_format.sources.tiffcheck import TiffFacts

__all__ = ["SlideInfo", "Source", "open_source"]


def open_source(
    source: str | os.PathLike[str] | Any,
    *,
    mpp: float | tuple[float, float] | None = None,
    objective_power: float | None = None,
    background: tuple[int, int, int] | None = None,
    allow_missing_tiles: bool = False,
) -> Source:
    """Open a slide, image or array, and check it as far as that is possible without reading all of it.

    Parameters
    ----------
    source : path or array_like
        A file, a directory that holds one DICOM series, or a NumPy, Dask or Zarr array (see :class:`.ArraySource`).
    mpp : float or (float, float), optional
        Micrometres per pixel (x, y), in place of what the source says.
    objective_power : float, optional
        Nominal magnification, in place of what the source says.
    background : (int, int, int), optional
        RGB on which alpha is composited, in place of what the source says.
    allow_missing_tiles : bool
        Fill tiles without data with the background also in formats where they mean damage (see :mod:`.tiffcheck`).

    Returns
    -------
    Source
        Open; close it, or use it in a ``with`` statement.

    Raises
    ------
    SourceError
        Missing, unreadable, empty, damaged, of an unknown format, or not 8-bit gray, RGB or RGBA.
    ExtraMissingError
        The package that reads this format is not installed.
    """
    options: dict[str, Any] = {
        "mpp": mpp,
        "objective_power": objective_power,
        "background": background,
        "allow_missing_tiles": allow_missing_tiles,
    }
    if isinstance(source, (str, os.PathLike)):
        if "\0" in os.fspath(source):
            msg = f"{os.fspath(source)!r}: is not a path"
            raise SourceError(msg)
        source = Path(source).absolute()  # a worker may have another working directory
        opened = _open_path(source, allow_missing_tiles=allow_missing_tiles)
    elif hasattr(source, "shape") and hasattr(source, "dtype"):
        from rrip_format.sources.array import ArraySource

        opened = ArraySource(source)
    else:
        msg = f"found {type(source).__name__}, expected a path or a NumPy, Dask or Zarr array"
        raise SourceError(msg)
    opened.reopen = (partial(open_source, **options), (source,))
    try:
        opened.info = replace(opened.info, **_overrides(options))
        if isinstance(source, Path):
            # One pixel, so that a missing codec or lost JPEG tables stop the work here and not in the first worker.
            opened.read(opened.info.height // 2, opened.info.width // 2, 1, 1)
    except BaseException:
        opened.close()
        raise
    return opened


def _overrides(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `SlideInfo` that the caller sets."""
    fields = {key: options[key] for key in ("objective_power", "background") if options[key] is not None}
    mpp = options["mpp"]
    if mpp is not None:
        fields["mpp_x"], fields["mpp_y"] = mpp if isinstance(mpp, tuple) else (mpp, mpp)
    wrong = [key for key, value in fields.items() if key != "background" and positive(value) is None]
    if wrong:
        msg = f"{wrong[0]} of {fields[wrong[0]]!r}, expected a positive number"
        raise ValueError(msg)
    return fields


def _open_path(path: Path, *, allow_missing_tiles: bool) -> Source:
    """Choose the reader by content."""
    from rrip_format.sources.files import head_of, is_dicom, locate
    from rrip_format.sources.slide import OpenSlideSource, detect_vendor
    from rrip_format.sources.tiffcheck import check_tiff, is_tiff

    try:
        path = locate(path)
    except SourceError:  # one of them is an OSError too
        raise
    except OSError as error:
        msg = f"{path}: cannot be read: {one_line(error)}; check its permissions"
        raise SourceError(msg) from error
    head = head_of(path)
    if is_tiff(head):
        facts = check_tiff(path, allow_missing_tiles=allow_missing_tiles)
        if facts.is_rrip:
            msg = f"{path}: is an RRIP container, whose TIFF pages lack the finest levels; open or copy it as one"
            raise SourceError(msg)
        return _open_tiff(path, facts, allow_missing_tiles=allow_missing_tiles)
    if detect_vendor(path) is not None:
        return OpenSlideSource(path)
    if is_dicom(head):
        msg = f"{path}: a DICOM file, but not of a whole-slide image that OpenSlide reads; name a WSI series"
        raise SourceError(msg)
    from rrip_format.sources.vips import VipsSource

    return VipsSource(path)


def _open_tiff(path: Path, facts: TiffFacts, *, allow_missing_tiles: bool) -> Source:
    """Prefer OpenSlide, which knows the vendors' oddities, where the file is not OME-TIFF."""
    from rrip_format.sources.slide import OpenSlideSource, detect_vendor
    from rrip_format.sources.tiff import TiffSource

    vendor = None if facts.is_ome else detect_vendor(path)
    # OpenSlide's generic reader would squeeze 1- and 16-bit samples into 8 bits without a word.
    if vendor is not None and (vendor != "generic-tiff" or facts.dtype == "uint8"):
        try:
            return OpenSlideSource(path)
        except SourceError:
            # Compressions such as zstd: tifffile reads more of them.
            if vendor != "generic-tiff":
                raise
    return TiffSource(path, allow_missing_tiles=allow_missing_tiles)
