"""Writing a container beside its target and moving it there when it is complete (spec section 9.5).

:func:`open_writer` chooses the writer by the target's extension. A `Sink` takes bytes by key; `ZarrWriter` knows which
key a tile has, and writes the root's metadata last.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from .associated import ICC_NAME, attachment_checksum, check_associated, known_attachments
from .disk import as_target_error, flush, move, temporary_folder
from .errors import DamagedError, LimitError, NewerFormatError, RripError, TargetError
from .layout import associated_documents, documents, icc_documents, parse_tile_key, tile_key
from .limits import LIMITS
from .metadata import Metadata

__all__ = [
    "ContainerWriter",
    "DirectorySink",
    "Sink",
    "ZarrWriter",
    "ZipSink",
    "check_target",
    "open_writer",
]

DIRECTORY_SUFFIX, ZIP_SUFFIX, TIFF_SUFFIXES = ".rrip.zarr", ".rrip.zarr.zip", (".rrip.tif", ".rrip.tiff")


class Sink(Protocol):
    """Takes bytes by key, then appears at its target at once, or leaves nothing."""

    def put(self, key: str, data: bytes) -> None:
        """Store `data`; a key is put once."""

    def publish(self) -> None:
        """Make everything durable and move it to the target."""

    def discard(self) -> None:
        """Remove everything that was put."""


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that cannot be written, before any work is done.

    Raises
    ------
    TargetError
        If its extension is unknown, its folder is missing or not writable, something is there and `overwrite` is not
        set, or what is there is not an RRIP container.
    """
    known = (DIRECTORY_SUFFIX, ZIP_SUFFIX, *TIFF_SUFFIXES)
    if not target.name.endswith(known):
        raise TargetError(f"{target}: unknown extension, expected {', '.join(known[:-1])} or {known[-1]}")
    if "\0" in str(target):
        raise TargetError(f"{str(target)!r}: a name cannot have a zero character")
    if not os.path.isdir(target.parent):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
        raise TargetError(f"{target.parent}: no such folder; make it first")
    if not os.access(target.parent, os.W_OK):
        raise TargetError(f"{target.parent}: no permission to write there")
    if os.path.lexists(target):
        if not overwrite:
            raise TargetError(f"{target}: already exists; remove it or pass --overwrite")
        if not _is_container(target):
            raise TargetError(f"{target}: is not an RRIP container, so it is not overwritten; remove it yourself")


def _is_container(target: Path) -> bool:
    """Whether a target is what this package writes, damaged or not, so that replacing it loses nothing else."""
    from .container import open_container

    try:
        open_container(target).close()
    except NewerFormatError:
        return True
    except (DamagedError, LimitError):  # a TIFF file's index, a member of an archive
        return target.is_file() or _has_our_traces(target)
    except (RripError, OSError):
        return _has_our_traces(target)
    return True


def _has_our_traces(target: Path) -> bool:
    """Whether a folder or zip archive that does not open has an ``rrip`` attribute, or a tile as its first member."""
    try:
        with (target / "zarr.json" if target.is_dir() else target).open("rb") as file:
            data = file.read(LIMITS["metadata_bytes"] if target.is_dir() else 1 << 8)
    except OSError:
        return False
    if target.is_dir():
        return b'"rrip"' in data
    name = data[30 : 30 + int.from_bytes(data[26:28], "little")]
    return data[:4] == b"PK\3\4" and parse_tile_key(name.decode("latin-1")) is not None


class DirectorySink:
    """A folder of files, one a key."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._folder = temporary_folder(target)
        self._made: set[Path] = set()

    def put(self, key: str, data: bytes) -> None:
        """Write one file."""
        path = self._folder / key
        with as_target_error(path):
            if path.parent not in self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(path.parent)
            path.write_bytes(data)

    def publish(self) -> None:
        """Flush every file and folder to the disk, then rename the folder to the target."""
        with as_target_error(self._target):
            for folder, _, files in os.walk(self._folder):
                for name in files:
                    flush(Path(folder, name))
                flush(Path(folder))
            move(self._folder, self._target)

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


class ZipSink:
    """A zip archive without compression, so that every tile is one byte range of the file."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._folder = temporary_folder(target)
        self._path = self._folder / "archive.zip"
        try:
            with as_target_error(self._path):
                self._zip = zipfile.ZipFile(self._path, "x", zipfile.ZIP_STORED)
        except TargetError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def put(self, key: str, data: bytes) -> None:
        """Append one member; its time is fixed, so that the same slide gives the same file."""
        member = zipfile.ZipInfo(key)
        member.external_attr = 0o644 << 16
        with as_target_error(self._path):
            self._zip.writestr(member, data)

    def publish(self) -> None:
        """Write the directory of the archive, flush it to the disk and rename it to the target."""
        with as_target_error(self._target):
            self._zip.close()
            flush(self._path)
            move(self._path, self._target)
            self.discard()

    def discard(self) -> None:
        """Remove the archive."""
        with suppress(OSError):
            self._zip.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class ContainerWriter(ABC):
    """Writes tiles in any order; a context manager that leaves a whole container or none."""

    def __init__(self) -> None:
        self._complete = False
        self.lost: set[tuple[int, int, int]] = set()
        """Promised tiles that are never written, because a repair has not found them: readers fail there."""
        self._checksums: dict[str, str] = {}

    @abstractmethod
    def write_tile(self, level: int, row: int, col: int, tile: bytes) -> None:
        """Add a stored tile; each place is written once."""

    def write_associated(self, name: str, jpeg: bytes) -> None:
        """Add an associated image: a name of ``ASSOCIATED_NAMES`` and a baseline 4:4:4 JPEG."""
        shape = check_associated(name, jpeg)
        self._checksums[name] = attachment_checksum(jpeg)
        self._write_associated(name, jpeg, shape)

    @abstractmethod
    def _write_associated(self, name: str, jpeg: bytes, shape: tuple[int, int]) -> None:
        """Add an associated image of (height, width) px that has been looked at."""

    @abstractmethod
    def _finish(self, metadata: Metadata, icc_profile: bytes | None) -> None:
        """Write the metadata and move everything to the target."""

    @abstractmethod
    def abort(self) -> None:
        """Remove everything that was written."""

    def finish(self, metadata: Metadata, icc_profile: bytes | None = None) -> None:
        """Write the metadata, with the checksums of all attachments, and let the container appear at the target.

        Raises
        ------
        TargetError
            If it cannot be written.
        """
        if icc_profile:
            self._checksums[ICC_NAME] = attachment_checksum(icc_profile)
        known = known_attachments(metadata.attachments)
        unknown = {name: checksum for name, checksum in metadata.attachments.items() if name not in known}
        self._finish(replace(metadata, attachments={**unknown, **self._checksums}), icc_profile)
        self._complete = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._complete:
            self.abort()


class ZarrWriter(ContainerWriter):
    """Writes a container in the Zarr binding to a sink.

    Parameters
    ----------
    sink : Sink
    """

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._associated: dict[str, bytes] = {}

    def write_tile(self, level: int, row: int, col: int, tile: bytes) -> None:
        """Add a stored tile; each place is written once."""
        self._sink.put(tile_key(level, row, col), tile)

    def _write_associated(self, name: str, jpeg: bytes, shape: tuple[int, int]) -> None:  # noqa: ARG002
        self._associated[name] = jpeg  # written at the end, with the others

    def _finish(self, metadata: Metadata, icc_profile: bytes | None) -> None:
        if icc_profile:
            for key, data in icc_documents(icc_profile):
                self._sink.put(key, data)
        for key, data in associated_documents(self._associated):
            self._sink.put(key, data)
        for key, data in documents(metadata):
            self._sink.put(key, data)
        self._sink.publish()

    def abort(self) -> None:
        """Remove what the sink has taken."""
        self._sink.discard()


def open_writer(target: str | os.PathLike[str], *, overwrite: bool = False) -> ContainerWriter:
    """The writer that fits a target's extension.

    Parameters
    ----------
    target : path
        ``*.rrip.zarr``, ``*.rrip.zarr.zip``, ``*.rrip.tif`` or ``*.rrip.tiff``; it appears when it is complete.
    overwrite : bool
        Replace a container that is already there, once the new one is complete.

    Raises
    ------
    TargetError
        If the target cannot be written.
    """
    target = Path(os.fsdecode(target))
    check_target(target, overwrite=overwrite)
    if target.name.endswith(TIFF_SUFFIXES):
        from .tiff_writer import TiffWriter

        return TiffWriter(target)
    return ZarrWriter(ZipSink(target) if target.name.endswith(ZIP_SUFFIX) else DirectorySink(target))
