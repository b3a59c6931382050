"""Check, read and hash the files of a source on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rrip_format.errors import SourceError, SourceNotFoundError, absent, one_line
from rrip_format.sources.base import Source

__all__ = ["FileSource", "digest_files", "fingerprint_files", "head_of", "is_dicom", "locate"]

HEAD_BYTES = 1 << 16


def locate(path: Path) -> None:
    """Check that a path is a file that is not empty, or a folder.

    Raises
    ------
    SourceNotFoundError
        If the path does not exist.
    SourceError
        If the file is empty, cannot be read, or is no regular file.
    """
    if path.is_dir():
        return
    if not path.exists():
        raise SourceNotFoundError(absent(path))
    if not path.is_file():
        msg = f"{path}: not a regular file, expected a slide or image; check the path"
        raise SourceError(msg)
    if not head_of(path):
        msg = f"{path}: the file is empty; fetch it again"
        raise SourceError(msg)


def head_of(path: Path) -> bytes:
    """Return the first 64 KiB of a file; `SourceError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        msg = f"{path}: cannot be read: {one_line(error)}; check its permissions"
        raise SourceError(msg) from error


def is_dicom(head: bytes) -> bool:
    """Return whether a file is DICOM Part 10; its preamble may also be the header of a TIFF."""
    return head[128:132] == b"DICM"


def fingerprint_files(path: Path, files: list[Path] | None = None) -> dict[str, str | int]:
    """Return the name of a slide, the total size of its files and the time of their latest change."""
    try:
        stats = [file.stat() for file in files or [path]]
    except OSError as error:
        msg = f"{path}: cannot be read: {one_line(error)}; check that it is still there"
        raise SourceError(msg) from error
    return {
        "name": path.name,
        "size_bytes": sum(stat.st_size for stat in stats),
        "mtime_ns": max(stat.st_mtime_ns for stat in stats),
    }


def digest_files(path: Path, files: list[Path] | None = None) -> bytes:
    """Return one SHA-256 of the contents of all files of a slide, in order."""
    digest = hashlib.sha256()
    try:
        for member in files or [path]:
            with member.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        msg = f"{path}: cannot be read: {one_line(error)}; check that it is still there"
        raise SourceError(msg) from error
    return digest.digest()


class FileSource(Source):
    """A source of one or several files, known by their bytes."""

    _path: Path

    def fingerprint(self) -> dict[str, str | int]:
        """Return the name of the slide, and size and latest change of all its files together."""
        return fingerprint_files(self._path, self.files)

    def digest(self) -> bytes:
        """Return the SHA-256 of the bytes of all files, in their order."""
        return digest_files(self._path, self.files)
