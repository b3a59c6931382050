"""Open any container by its content (spec sections 9 and 10)."""

from __future__ import annotations

import os
from typing import Any

from ..errors import FormatError, NewerFormatError, StorageError
from ..storage.access import Access, is_url, url_path
from ..storage.byte_source import ByteSource, open_bytes
from ..storage.objects import open_folder
from .base import Container
from .tiff_reader import TiffContainer
from .zarr_reader import ZarrContainer, open_folder_container
from .zip_reader import Archive, ZipContainer

__all__ = ["TIFF_MAGIC", "open_container", "open_file", "total_bytes"]

TIFF_MAGIC = (b"II+\0", b"II*\0", b"MM\0+", b"MM\0*")

_FILE_SUFFIXES = (".tif", ".tiff", ".rrip", ".zip")


def open_container(path: Any, access: Access | None = None) -> Container:
    """Open a folder, zip archive or TIFF file by its content; a URL by its extension first.

    Parameters
    ----------
    path : path, URL or store
        A key if `access` has a store. A Zarr or obstore store must have the container at its root.
    access : Access, optional
        Options for remote containers.

    Raises
    ------
    NotFoundError
        If it does not exist.
    FormatError
        If it is not an RRIP container.
    StorageError
        If it cannot be read.
    TypeError
        If `path` is neither a path nor a store.
    """
    access = access or Access()
    if not isinstance(path, str | bytes | os.PathLike):
        container = getattr(path, "container", None)
        if isinstance(container, Container):  # one of our own stores
            return container
        return _open_folder("", Access(access.storage_options, path, access.cache_mib))
    name = os.fsdecode(path)
    if access.store is not None or is_url(name):
        return _open_remote(name, access)
    if os.path.isdir(name):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
        return open_folder_container(name)
    return open_file(open_bytes(name))


def _open_remote(name: str, access: Access) -> Container:
    if name.startswith(("zip::", "reference::")):  # file systems that hold a Zarr hierarchy
        return _open_folder(name, access)
    path = url_path(name).lower()
    if any(part.endswith(_FILE_SUFFIXES) for part in (path, path.partition("?")[0])):  # S3 has ?versionId=
        return open_file(open_bytes(name, access))
    try:
        return _open_folder(name, access)
    except NewerFormatError:
        raise
    except FormatError as error:
        try:
            return open_file(open_bytes(name, access))
        except (FormatError, StorageError):
            raise error from None


def _open_folder(name: str, access: Access) -> ZarrContainer:
    objects = open_folder(name, access)
    return ZarrContainer(objects, name if access.store is None else str(objects))


def open_file(source: ByteSource) -> Container:
    """Open a file by its first bytes; it is closed if it holds no container."""
    try:
        magic = source.read(0, min(4, source.size))
        if magic in TIFF_MAGIC:
            return TiffContainer(source)
        if magic[:2] == b"PK":
            return ZipContainer(Archive(source))
        raise FormatError(f"{source.name}: neither a TIFF file nor a zip archive, expected an RRIP container")
    except BaseException:
        source.close()
        raise


def total_bytes(path: str | os.PathLike[str], stored: int) -> int:
    """Return the size of a container including its metadata, as every command reports it.

    `stored`, the bytes of its tiles, stands for it where a bucket or server may not be listed: the container is there.
    """
    container = open_container(path, Access().without_cache())
    try:
        return sum(size for _, size in container.sizes())
    except StorageError:
        if not container.is_remote:
            raise
        return stored
    finally:
        container.close()
