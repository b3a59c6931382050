"""Which files a source on disk consists of, and whether they are there."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from rrip_format.errors import SourceError, SourceNotFoundError, one_line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["digest_files", "fingerprint_files", "head_of", "is_dicom", "locate", "member_files"]

# (0020,000E) Series Instance UID in explicit VR, which every compressed DICOM file has.
SERIES_UID = re.compile(rb"\x20\x00\x0e\x00UI..([0-9.]+)", re.DOTALL)
HEAD_BYTES = 1 << 16


def locate(path: Path) -> Path:
    """Return the file to open: `path` itself, or the first DICOM file of the series in a directory.

    Raises
    ------
    SourceNotFoundError
        Nothing there.
    SourceError
        Nothing in it, no right to read it, or a directory that is not one DICOM series.
    """
    if path.is_dir():
        return _first_of_series(path)
    if not path.exists():
        msg = f"{path}: no such file or directory; check the path"
        raise SourceNotFoundError(msg)
    if not path.is_file():
        msg = f"{path}: not a regular file, expected a slide or image; check the path"
        raise SourceError(msg)
    if not head_of(path):
        msg = f"{path}: the file is empty; fetch it again"
        raise SourceError(msg)
    return path


def head_of(path: Path) -> bytes:
    """Return the first 64 KiB of a file; `SourceError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        msg = f"{path}: cannot be read: {one_line(error)}; check its permissions"
        raise SourceError(msg) from error


def is_dicom(head: bytes) -> bool:
    """Tell whether a file begins as DICOM Part 10."""
    return head[128:132] == b"DICM"


def member_files(path: Path) -> list[Path]:
    """Return the files that make up the slide: a MIRAX directory, a DICOM series, else the file itself."""
    if path.suffix.lower() == ".mrxs":
        return [path, *sorted(file for file in path.with_suffix("").glob("*") if file.is_file())]
    head = head_of(path)
    if is_dicom(head):
        series = _series_uid(head)
        return [file for file, uid in _dicom_files(path.parent) if uid == series and uid is not None] or [path]
    return [path]


def fingerprint_files(path: Path) -> dict[str, str | int]:
    """Return name, size and latest change of all member files together."""
    try:
        stats = [file.stat() for file in member_files(path)]
    except OSError as error:
        msg = f"{path}: cannot be read: {one_line(error)}; check that it is still there"
        raise SourceError(msg) from error
    return {
        "name": path.name,
        "size_bytes": sum(stat.st_size for stat in stats),
        "mtime_ns": max(stat.st_mtime_ns for stat in stats),
    }


def digest_files(path: Path) -> bytes:
    """Return the SHA-256 over the bytes of all member files, in their order."""
    digest = hashlib.sha256()
    try:
        for member in member_files(path):
            with member.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        msg = f"{path}: cannot be read: {one_line(error)}; check that it is still there"
        raise SourceError(msg) from error
    return digest.digest()


def _first_of_series(directory: Path) -> Path:
    try:
        found = _dicom_files(directory)
        others = sum(file.is_file() and not file.name.startswith(".") for file in directory.iterdir()) - len(found)
    except OSError as error:
        msg = f"{directory}: cannot be listed: {one_line(error)}; check its permissions"
        raise SourceError(msg) from error
    if not found or others > 0:
        msg = (
            f"{directory}: a directory of {len(found)} DICOM and {others} other files, expected one DICOM series; name "
            "a slide file (for MIRAX the .mrxs), or open a Zarr array and pass that"
        )
        raise SourceError(msg)
    series = {uid for _, uid in found}
    if len(series) > 1:
        msg = f"{directory}: holds {len(series)} DICOM series, expected one; name one file of the series to read"
        raise SourceError(msg)
    return found[0][0]


def _dicom_files(directory: Path) -> list[tuple[Path, bytes | None]]:
    heads = ((file, head_of(file)) for file in sorted(directory.iterdir()) if file.is_file() and file.name[0] != ".")
    return [(file, _series_uid(head)) for file, head in heads if is_dicom(head)]


def _series_uid(head: bytes) -> bytes | None:
    match = SERIES_UID.search(head)
    return match.group(1) if match else None
