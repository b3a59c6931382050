"""Any slide, image or array as blocks of RGB.

:func:`open_source` looks at the content, not at the extension, and chooses the reader:

=================================================== ======================================
NDPI, MRXS, SCN, BIF, Philips TIFF, VMS and more    OpenSlide
SVS, OME-TIFF, QPTIFF, any other TIFF               tifffile's directories, imagecodecs
DICOM whole-slide images                            pydicom's attributes, imagecodecs
PNG, JPEG and other images                          libvips
NumPy, Dask and Zarr arrays                         slicing
=================================================== ======================================

Which of several pictures is read is the rule of :mod:`.pictures`; kinds that are known but not read: :mod:`.kinds`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rrip_format.errors import SourceError, one_line
from rrip_format.sources.base import SlideInfo, Source, positive
from rrip_format.spec.metadata.rules import MPP_RANGE
from rrip_format.storage.access import is_url, local_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ONLY_LOCAL", "SlideInfo", "Source", "open_source"]

ONLY_LOCAL = "slides and images are read from local files only, so copy it to a local folder first"
"""What an error about a URL advises."""


def open_source(
    source: str | os.PathLike[str] | Any,
    *,
    mpp: float | tuple[float, float] | None = None,
    objective_power: float | None = None,
    background: tuple[int, int, int] | None = None,
    allow_missing_tiles: bool = False,
    image: int | str | None = None,
) -> Source:
    """Open a slide, image or array, and check it as far as that is possible without reading all of it.

    Parameters
    ----------
    source : path or array_like
        A file, a folder of DICOM files, or a NumPy, Dask or Zarr array (see :class:`.ArraySource`).
    mpp : float or (float, float), optional
        Micrometres per pixel (x, y), in place of what the source says.
    objective_power : float, optional
        Nominal magnification, in place of what the source says.
    background : (int, int, int), optional
        RGB on which alpha is composited, in place of what the source says.
    allow_missing_tiles : bool
        Fill tiles without data with the background also in formats where they mean damage (see :mod:`.tiffcheck`).
    image : int or str, optional
        Number (0 first) or name of the picture to read, where a source holds several: series, scenes, focal planes.
        The largest if not given, of equals the first (:mod:`.pictures`).

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
        "image": image,
    }
    if isinstance(source, (str, os.PathLike)):
        if not os.fspath(source):
            msg = "the path of the source is empty; name a slide, an image or a folder of DICOM files"
            raise SourceError(msg)
        if "\0" in os.fspath(source):
            msg = f"{os.fspath(source)!r}: is not a path"
            raise SourceError(msg)
        name = os.fsdecode(source)
        if is_url(name) and not name.startswith("file://"):
            msg = f"{name}: is on a server; {ONLY_LOCAL}"
            raise SourceError(msg)
        source = Path(local_name(name)).absolute()  # a worker may have another working directory
        before = _stamp(source)
        opened = _open_path(source, image, allow_missing_tiles=allow_missing_tiles)
    elif hasattr(source, "shape") and hasattr(source, "dtype"):
        from rrip_format.sources.array import ArraySource

        opened = ArraySource(source)
    else:
        msg = f"found {type(source).__name__}, expected a path or a NumPy, Dask or Zarr array"
        raise SourceError(msg)
    opened.reopen = (partial(open_source, **options), (source,))
    try:
        opened.info = replace(_without_impossible_size(opened.info), **_overrides(options))
        if image is not None:  # by number: its name may be that of a patient
            chosen = {"rrip.image": str(opened.info.image)}
            opened.info = replace(opened.info, properties={**opened.info.properties, **chosen})
        if isinstance(source, Path):
            # One pixel, so that a missing codec or lost JPEG tables stop the work here and not in the first worker.
            opened.read(opened.info.height // 2, opened.info.width // 2, 1, 1)
            if _stamp(source) != before:
                msg = f"{source}: has changed while it was opened; open it again when it is complete"
                raise SourceError(msg)
        opened.as_opened = opened.fingerprint()
    except BaseException:
        opened.close()
        raise
    return opened


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes where a file is written or replaced; None of a folder, and of what is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return None if path.is_dir() else (status.st_ino, status.st_size, status.st_mtime_ns)


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


def _without_impossible_size(info: SlideInfo) -> SlideInfo:
    """Leave out a pixel size that no slide has and no container can keep, with a note."""
    sizes = [size for size in (info.mpp_x, info.mpp_y) if size is not None]
    if all(MPP_RANGE[0] <= size <= MPP_RANGE[1] for size in sizes):
        return info
    note = f"the source says that a pixel has {' and '.join(f'{size:g}' for size in sizes)} µm, which is left out"
    return replace(info, mpp_x=None, mpp_y=None, notes=(*info.notes, note))


def _open_path(path: Path, image: int | str | None, *, allow_missing_tiles: bool) -> Source:
    """Choose the reader by content."""
    from rrip_format.sources.files import head_of, is_dicom, locate
    from rrip_format.sources.kinds import check_kind
    from rrip_format.sources.parts import find_slide
    from rrip_format.sources.slide import OpenSlideSource, detect_vendor
    from rrip_format.sources.tiffcheck import is_tiff

    try:
        locate(path)
        if path.is_dir():
            return _open_folder(path, image)
        files = find_slide(path)
    except SourceError:  # one of them is an OSError too
        raise
    except OSError as error:
        msg = f"{path}: cannot be read: {one_line(error)}; check its permissions"
        raise SourceError(msg) from error
    head = head_of(files[0])
    if is_dicom(head):
        from rrip_format.sources.dicom import DicomSource

        return DicomSource(path, image=image)
    vendor = None if is_tiff(head) else detect_vendor(files[0])
    if vendor != "sakura":  # a database of SQLite, as other files are that are not read
        check_kind(path, head)
    if is_tiff(head):
        return _open_tiff(path, image, allow_missing_tiles=allow_missing_tiles)
    if vendor is not None:
        _refuse_choice(path, image)
        return OpenSlideSource(files[0], files)
    from rrip_format.sources.vips import VipsSource

    return VipsSource(path, image=image)


def _open_folder(path: Path, image: int | str | None) -> Source:
    """Open the DICOM files in a folder, or say what the folder is instead."""
    from rrip_format.sources.dicom import DicomSource
    from rrip_format.sources.parts import mirax_of_folder

    slide = mirax_of_folder(path)
    if slide is not None:
        msg = f"{path}: the data folder of a MIRAX slide; name {slide}"
        raise SourceError(msg)
    if any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
        msg = (
            f"{path}: a Zarr hierarchy, which is not read from its path; open the array of its finest level with zarr "
            "and pass that to rrip_format.convert"
        )
        raise SourceError(msg)
    return DicomSource(path, image=image)


def _open_tiff(path: Path, image: int | str | None, *, allow_missing_tiles: bool) -> Source:
    """Read pages ourselves; leave to OpenSlide what it composes, and what it knows of Aperio's properties."""
    from rrip_format.sources.slide import AperioSource, OpenSlideSource, detect_vendor
    from rrip_format.sources.tiff import TiffSource
    from rrip_format.sources.tiffcheck import check_composed, check_tiff

    facts = check_tiff(path)
    if facts.is_rrip:
        msg = f"{path}: is an RRIP container, whose TIFF pages lack the finest levels; open or copy it as one"
        raise SourceError(msg)
    vendor = None if facts.is_ome else detect_vendor(path)
    if vendor in {None, "generic-tiff"}:
        return TiffSource(path, image=image, allow_missing_tiles=allow_missing_tiles)
    if vendor == "aperio":
        return AperioSource(path, image=image, allow_missing_tiles=allow_missing_tiles)
    check_composed(path, allow_missing_tiles=allow_missing_tiles)
    _refuse_choice(path, image)
    return OpenSlideSource(path)


def _refuse_choice(path: Path, image: int | str | None) -> None:
    """Raise `SourceError` where a picture is chosen in a format that OpenSlide makes one slide of."""
    if image not in {None, 0, "0"}:
        msg = f"{path}: found picture {image!r}, expected none: OpenSlide makes one slide of all that is in this file"
        raise SourceError(msg)
