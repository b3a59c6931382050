"""``RripStore``: a container of any kind as a read-only Zarr store (spec section 9.8)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)

from .. import errors
from ..concurrency.pool import OwnThreads
from ..containers.base import Container
from ..storage.access import make_access
from .hierarchy import open_hierarchy

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer, BufferPrototype

__all__ = ["RripStore"]

T = TypeVar("T")


class RripStore(Store):
    """A Zarr store of a container: a folder, zip archive or TIFF file, local or remote.

    It is picklable, thread-safe and fork-safe. Stored tiles are checked before they are returned, those of the plain
    JPEG arrays included.

    >>> import zarr
    >>> group = zarr.open_group(RripStore("slide.rrip.tif"), mode="r")
    >>> group["0"][:, 300:556, 200:456].shape
    (3, 256, 256)

    Parameters
    ----------
    container : Container, str, path-like or store
        An open container, or the path or URL of one.
    zarr_format : int
        3: the hierarchy of the Zarr binding. 2: the same levels as NGFF 0.4, whose chunks the numcodecs codec
        ``rrip`` decodes.
    storage_options, store, cache_mib : mapping, store and float, optional
        As for :func:`rrip_format.open`.

    Raises
    ------
    NotFoundError
        If there is nothing at the path or URL; it is a ``FileNotFoundError``.
    FormatError
        If it is not an RRIP container.
    """

    supports_writes = False
    supports_deletes = False
    supports_partial_writes = False
    supports_listing = True

    def __init__(
        self,
        container: Container | str | os.PathLike[str] | Any,
        *,
        zarr_format: int = 3,
        storage_options: Mapping[str, Any] | None = None,
        store: Any = None,
        cache_mib: float | None = None,
    ) -> None:
        super().__init__(read_only=True)
        self._hierarchy = open_hierarchy(container, zarr_format, make_access(storage_options, store, cache_mib))
        self._is_open = True

    @property
    def container(self) -> Container:
        """The container that the store reads."""
        return self._hierarchy.container

    def read(self, key: str) -> bytes | None:
        """Return the value of a key; may be called from any thread.

        Parameters
        ----------
        key : str
            Key of a document or chunk.

        Returns
        -------
        bytes or None
            The value, None if there is no such key.

        Raises
        ------
        MissingTileError, DamagedError
            If a stored tile is absent although its family is not empty, or is damaged.
        """
        return self._hierarchy.read(key)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the value of a key or a part of it, None if there is no such key.

        Parameters
        ----------
        key : str
            Key of a document or chunk.
        prototype : BufferPrototype, optional
            Kind of the result; by default Zarr's default.
        byte_range : ByteRequest, optional
            The part to return.

        Returns
        -------
        Buffer or None
            The bytes, None if there is no such key.
        """
        from zarr.buffer import default_buffer_prototype

        data = await self._value(key)
        if data is None:
            return None
        return (prototype or default_buffer_prototype()).buffer.from_bytes(_part(data, byte_range))

    async def _value(self, key: str) -> bytes | None:
        """As :meth:`read`; stored tiles of a server are asked for together with those that others wait for."""
        places = self._hierarchy.places_of(key) if self.container.is_remote else None
        if places is None:
            return await _in_thread(self.read, key)
        tiles = await self.container.fetch_tiles(places)
        return await _in_thread(self._hierarchy.value_of, places, tiles)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of several values.

        Parameters
        ----------
        prototype : BufferPrototype
            Kind of the results.
        key_ranges : iterable of (str, ByteRequest or None)
            Keys and parts of their values.

        Returns
        -------
        list of Buffer or None
            As :meth:`get` returns them.
        """
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def exists(self, key: str) -> bool:
        """Return whether the metadata imply such a key, without reading it.

        Parameters
        ----------
        key : str
            Key of a document or chunk.

        Returns
        -------
        bool
            Whether there is such a key.
        """
        return await _in_thread(self._hierarchy.exists, key)

    async def getsize(self, key: str) -> int:
        """Return the size of a value.

        Parameters
        ----------
        key : str
            Key of a document or chunk.

        Returns
        -------
        int
            Number of bytes.

        Raises
        ------
        FileNotFoundError
            If there is no such key.
        """
        data = await self._value(key)
        if data is None:
            raise FileNotFoundError(key)
        return len(data)

    async def list(self) -> AsyncIterator[str]:
        """List all keys.

        Yields
        ------
        str
            A key.
        """
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """List the keys that start with a prefix.

        Parameters
        ----------
        prefix : str
            The beginning of the keys.

        Yields
        ------
        str
            A key.
        """
        await _in_thread(lambda: self._hierarchy.documents)
        for key in self._hierarchy.keys(prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """List the names directly in a folder.

        Parameters
        ----------
        prefix : str
            Path of the folder.

        Yields
        ------
        str
            A name without its folder.
        """
        for name in await _in_thread(lambda: list(self._hierarchy.children(prefix))):
            yield name

    async def set(self, *_: Any) -> NoReturn:
        """Raise :class:`ReadOnlyError`, since containers are read-only.

        Parameters
        ----------
        *_ : object
            Ignored.
        """
        raise errors.read_only()

    async def delete(self, *_: Any) -> NoReturn:
        """Raise :class:`ReadOnlyError`, since containers are read-only.

        Parameters
        ----------
        *_ : object
            Ignored.
        """
        raise errors.read_only()

    async def set_partial_values(self, *_: Any) -> NoReturn:
        """Raise :class:`ReadOnlyError`, since containers are read-only.

        Parameters
        ----------
        *_ : object
            Ignored.
        """
        raise errors.read_only()

    def with_read_only(self, read_only: bool = False) -> RripStore:
        """Return the store itself; raise :class:`ReadOnlyError` if a writable one is asked for.

        Parameters
        ----------
        read_only : bool
            True; False is an error.

        Returns
        -------
        RripStore
            The store.
        """
        if not read_only:
            raise errors.read_only()
        return self

    def _identity(self) -> tuple[str, object, int]:
        container = self.container
        return container.name, container.metadata.coding.uuid, self._hierarchy.zarr_format

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RripStore) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __str__(self) -> str:
        return f"rrip-store://{self.container.name}"

    def __repr__(self) -> str:
        return f"RripStore({self.container.name!r}, zarr_format={self._hierarchy.zarr_format})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.container, self._hierarchy.zarr_format)


_threads = OwnThreads("rrip-store")


async def _in_thread(function: Callable[..., T], *args: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads.executor, function, *args)


def _restore(container: Container, zarr_format: int) -> RripStore:
    return RripStore(container, zarr_format=zarr_format)


def _part(data: bytes, request: ByteRequest | None) -> bytes:
    """Return the part of a value that a byte request asks for."""
    match request:
        case None:
            return data
        case RangeByteRequest(start, end):
            return data[start:end]
        case OffsetByteRequest(offset):
            return data[offset:]
        case SuffixByteRequest(suffix):
            return data[max(0, len(data) - suffix) :]
    raise TypeError(f"unknown byte request {request!r}")
