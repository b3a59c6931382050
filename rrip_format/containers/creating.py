"""Choose the writer for a target, and check that the target can be written (spec section 9.5)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import DamagedError, LimitError, NewerFormatError, RripError, StorageError, TargetError
from ..spec.extensions import EXTENSIONS, FOLDER, SEALED, TIFF, ZIP
from ..spec.geometry import Geometry
from ..spec.limits import limit
from ..spec.zarr_layout import parse_tile_key, tile_key
from ..storage.access import is_bucket, local_name
from ..storage.bucket import BucketPlace, connect_target, is_there, name_in
from ..storage.journal import read_journal
from ..storage.sinks import DirectorySink, ZipSink
from ..storage.workplace import Workplace, as_target_error, recover
from .opening import open_container
from .recognition import is_container
from .tiff_writer import TiffWriter
from .writer import ContainerWriter, ZarrWriter

__all__ = ["check_room", "check_target", "open_writer"]

_ENTRY_BYTES = 46 + 12
"""Most bytes of a directory entry besides the name; offsets beyond 2 GiB take 12 bytes more."""

_REST_BYTES = 1 << 13
"""Bytes reserved in the directory for documents, attachments and the end record."""


def check_target(target: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise `TargetError` if a target cannot be written, before any work is done.

    Parameters
    ----------
    target : path or URL
        A local path, or a URL in a bucket.
    overwrite : bool
        Whether an existing container may be replaced.

    Raises
    ------
    TargetError
        If its extension is unknown, its folder is missing or not writable, it exists and `overwrite` is not set, or it
        exists and is not an RRIP container.
    """
    name = local_name(os.fsdecode(target))
    if is_bucket(name):
        _check_bucket(name, overwrite=overwrite)
    else:
        _check_local(Path(name), overwrite=overwrite)


def _check_name(name: str, title: object) -> None:
    known = EXTENSIONS
    if not name.endswith(known):
        raise TargetError(f"{title}: unknown extension, expected {', '.join(known[:-1])} or {known[-1]}")


def _check_bucket(url: str, *, overwrite: bool) -> None:
    """Check a target in a bucket; whether it can be written is known only after writing."""
    _check_name(name_in(url), url)
    remote, path = connect_target(url)
    try:
        found = is_there(remote, f"{path}/zarr.json" if url.rstrip("/").endswith(FOLDER) else path)
    except StorageError as error:
        raise TargetError(f"{url}: cannot find out whether it exists: {error}") from error
    if found and not overwrite:
        raise TargetError(f"{url}: already exists; remove it or pass --overwrite")
    if found:
        try:
            open_container(url).close()
        except (NewerFormatError, DamagedError, LimitError):
            return
        except RripError as error:
            raise TargetError(f"{url}: is not an RRIP container, so it is not overwritten: {error}") from error


def _check_local(target: Path, *, overwrite: bool) -> None:
    _check_name(target.name, target)
    if "\0" in str(target):
        raise TargetError(f"{str(target)!r}: the name contains a null character; choose another name")
    if not os.path.isdir(target.parent):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
        raise TargetError(f"{target.parent}: no such folder; make it first")
    parent = target.parent.resolve()
    outer = next((folder for folder in (parent, *parent.parents) if is_container(folder)), None)
    if outer is not None:
        raise TargetError(f"{target}: would lie inside the container {outer}; choose another folder")
    if not os.access(target.parent, os.W_OK):
        raise TargetError(f"{target.parent}: no permission to write there")
    recover(target)
    if os.path.lexists(target):
        if not overwrite:
            raise TargetError(f"{target}: already exists; remove it or pass --overwrite")
        if not _is_container(target):
            raise TargetError(f"{target}: is not an RRIP container, so it is not overwritten; remove it yourself")


def check_room(
    target: str | os.PathLike[str], geometry: Geometry, is_empty: Callable[[int, int, int], bool] | None = None
) -> None:
    """Raise `TargetError` if a zip archive would have more members than readers accept, before any work is done.

    Parameters
    ----------
    target : path or URL
    geometry : Geometry
    is_empty : callable, optional
        Whether the tile at a level, row and column is empty; by default no tile is assumed to be.

    Raises
    ------
    TargetError
        If its directory may be larger than readers accept (spec section 12).
    """
    if not os.fsdecode(target).rstrip("/").endswith(ZIP):
        return
    most = limit("directory_bytes")
    room = most - _REST_BYTES
    for level in range(geometry.levels):
        for place in geometry.tiles(level):
            if is_empty is None or not is_empty(level, *place):
                room -= _ENTRY_BYTES + len(tile_key(level, *place))
            if room < 0:
                raise TargetError(
                    f"{target}: a zip archive of so many tiles may need a directory larger than {most} bytes, which "
                    f"readers reject; write a folder ({FOLDER}) or a TIFF file ({TIFF[0]}) instead"
                )


def _is_container(target: Path) -> bool:
    """Return whether a target was written by this package, even if damaged, so that it may be replaced."""
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
    """Return whether a damaged folder has an ``rrip`` attribute, or a damaged archive begins with a tile."""
    if not (target.is_file() or target.is_dir()):  # to open a pipe is to wait for whoever writes it
        return False
    try:
        with (target / "zarr.json" if target.is_dir() else target).open("rb") as file:
            data = file.read(limit("metadata_bytes") if target.is_dir() else 1 << 8)
    except OSError:
        return False
    if target.is_dir():
        return b'"rrip"' in data
    name = data[30 : 30 + int.from_bytes(data[26:28], "little")]
    return data[:4] == b"PK\3\4" and parse_tile_key(name.decode("latin-1")) is not None


def open_writer(
    target: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False, verify: bool = True
) -> ContainerWriter:
    """Open the writer that matches a target's extension.

    Parameters
    ----------
    target : path or URL
        ``*.rrip.zarr``, ``*.rrip.zarr.zip``, ``*.rrip.tif``, ``*.rrip.tiff`` or ``*.rrip``; it appears when it is
        complete. A container for a bucket is written to a local folder and uploaded at the end
        (:class:`~rrip_format.storage.bucket.BucketPlace`).
    overwrite : bool
        Replace an existing container once the new one is complete.
    resume : bool
        Keep the files of an interrupted run for the caller, instead of removing them.
    verify : bool
        Read back everything that is uploaded to a bucket.

    Raises
    ------
    TargetError
        If the target cannot be written, or another run is writing it.
    """
    name = local_name(os.fsdecode(target))
    check_target(name, overwrite=overwrite)
    if is_bucket(name):
        place: Workplace = BucketPlace(name, overwrite=overwrite, verify=verify)
    else:
        place = Workplace(Path(name), overwrite=overwrite)
    target = place.target
    try:
        if not (resume and read_journal(place.journal)):  # files without a journal may be of another slide
            with as_target_error(target):
                place.clear()
        if target.name.endswith((*TIFF, SEALED)):
            return TiffWriter(place)
        return ZarrWriter(ZipSink(place) if target.name.endswith(ZIP) else DirectorySink(place), place)
    except BaseException:
        place.release() if resume else place.discard()
        raise
