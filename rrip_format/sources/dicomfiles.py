"""Find the DICOM whole-slide images in a folder and the files that belong together."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rrip_format.errors import SourceError, one_line
from rrip_format.sources.base import load_reader
from rrip_format.sources.files import head_of, is_dicom

__all__ = ["Instance", "find_instances", "find_unreadable", "quiet", "read_dataset"]

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
DIRECTORY = "1.2.840.10008.1.3.10"
SUFFIXES = {".dcm", ".dicom"}
MOST_DEPTH, MOST_FILES = 5, 10_000
"""Of the sub-folders that are searched: exports have a folder for the patient, the study and the series."""
LOOKED_AT = ["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "ImageType"]


@dataclass(frozen=True)
class Instance:
    """One DICOM file of a whole-slide image.

    Attributes
    ----------
    path : Path
    series : str
        Series Instance UID.
    kind : str
        Third value of Image Type: ``VOLUME``, ``LABEL``, ``OVERVIEW``, ``THUMBNAIL``.
    uid : str
        SOP Instance UID, empty if there is none.
    """

    path: Path
    series: str
    kind: str
    uid: str = ""


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings of pydicom, for example about text that is too long for its type."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_dataset(path: Path, tags: list[str] | None = None) -> Any:
    """Read all or some attributes of a file, without its pixels; `SourceError` if it is damaged."""
    pydicom = load_reader("pydicom")
    try:
        with quiet():
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
    except Exception as error:
        msg = f"{path}: its DICOM attributes cannot be read: {one_line(error)}; check the file against its original"
        raise SourceError(msg) from error


def find_instances(path: Path) -> tuple[list[Instance], list[Path]]:
    """Return the whole-slide instances that a path names, by series and instance number, and all files looked at.

    Parameters
    ----------
    path : Path
        A folder selects all its files and those that a DICOMDIR in it lists, or if no whole-slide image is among
        them, the files in its sub-folders; other files are ignored. A DICOMDIR selects its folder, any other file all
        files of its series in the same folder.

    Raises
    ------
    SourceError
        There is no whole-slide image.
    """
    named = None
    folder = path
    if not path.is_dir():
        named = read_dataset(path, [*LOOKED_AT])
        folder = path.resolve().parent if _is_directory(named) else path.parent
        if not _is_directory(named) and named.get("SOPClassUID") != WHOLE_SLIDE:
            kind = getattr(named.get("SOPClassUID"), "name", None) or "no SOP class (is it cut off?)"
            msg = f"{path}: a DICOM file of {kind}, expected a VL Whole Slide Microscopy Image; name one, or its folder"
            raise SourceError(msg)
        if _is_directory(named):
            named = None
    files = _files_of(folder)
    found = _look_at(files if named is None else list(dict.fromkeys([path, *files])), path)
    if named is None and not found:
        files = _files_below(folder)
        found = _look_at(files, path)
    if named is not None:
        wanted = str(named.get("SeriesInstanceUID"))
        found = [pair for pair in found if pair[1].series == wanted]
    if not found:
        msg = (
            f"{path}: a folder of {len(files)} file(s), sub-folders included, none is a DICOM whole-slide image; "
            "name a slide file (for MIRAX the .mrxs), or open a Zarr array and pass that"
        )
        raise SourceError(msg)
    return [instance for _, instance in sorted(found, key=lambda pair: pair[0])], files


def _is_directory(dataset: Any) -> bool:
    meta = getattr(dataset, "file_meta", {})
    return bool(meta.get("MediaStorageSOPClassUID") == DIRECTORY)


def _files_of(folder: Path) -> list[Path]:
    """Return the files in a folder, except hidden ones, and the files that its DICOMDIR lists."""
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        msg = f"{folder}: cannot be listed: {one_line(error)}; check its permissions"
        raise SourceError(msg) from error
    referred: list[Path] = []
    for file in files:
        if file.name.upper() == "DICOMDIR" and is_dicom(head_of(file)):
            for record in read_dataset(file).get("DirectoryRecordSequence", []):
                parts = record.get("ReferencedFileID") or []
                place = folder.joinpath(*([parts] if isinstance(parts, str) else map(str, parts)))
                if parts and place.is_file() and place.resolve().is_relative_to(folder.resolve()):
                    referred.append(place)
    return list(dict.fromkeys([*files, *referred]))


def _files_below(folder: Path) -> list[Path]:
    """Return the files in a folder and in its sub-folders, except hidden ones; links to folders are not followed."""
    found: list[Path] = []
    for place, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if len(Path(place).relative_to(folder).parts) >= MOST_DEPTH:
            folders.clear()
        found += _files_of(Path(place))
        if len(found) > MOST_FILES:
            msg = f"{folder}: more than {MOST_FILES} files in it and its sub-folders; name the folder of the slide"
            raise SourceError(msg)
    return list(dict.fromkeys(found))


def _look_at(files: list[Path], named: Path) -> list[tuple[Any, Instance]]:
    """Return sort key and instance of each whole-slide file, each instance once; `named` must not be damaged."""
    found: list[tuple[Any, Instance]] = []
    seen: set[tuple[str, int]] = set()  # a file that was copied into its own folder is there twice
    for file in files:
        looked = _look(file, strict=file == named)
        if looked is None:
            continue
        key = (looked[1].uid, file.stat().st_size)
        if not looked[1].uid or key not in seen:
            found.append(looked)
        seen.add(key)
    return found


def _look(file: Path, *, strict: bool) -> tuple[Any, Instance] | None:
    """Return the sort key and the instance of a whole-slide file; None for any other or damaged file."""
    try:
        if not is_dicom(head_of(file)):
            return None
        dataset = read_dataset(file, [*LOOKED_AT])
    except SourceError:
        if strict:
            raise
        return None
    if dataset.get("SOPClassUID") != WHOLE_SLIDE:
        return None
    series = str(dataset.get("SeriesInstanceUID"))
    image_type = dataset.get("ImageType") or []
    kind = str(image_type[2]).upper() if not isinstance(image_type, str) and len(image_type) > 2 else "VOLUME"
    order = (_number(dataset.get("SeriesNumber")), series, _number(dataset.get("InstanceNumber")), file.name)
    return order, Instance(file, series, kind, str(dataset.get("SOPInstanceUID") or ""))


def find_unreadable(files: list[Path]) -> list[Path]:
    """Return the files that seem to be DICOM images but cannot be read, so that they may be levels.

    These are files that begin as DICOM but whose attributes are damaged or cut off, and files of other content,
    or of none, with an extension of DICOM.
    """
    found = []
    for file in files:
        if not is_dicom(head_of(file)):
            found += [file] if file.suffix.lower() in SUFFIXES else []
            continue
        try:
            dataset = read_dataset(file, ["SOPClassUID"])
        except SourceError:
            found.append(file)
        else:
            found += [] if _is_directory(dataset) or dataset.get("SOPClassUID") else [file]
    return found


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
