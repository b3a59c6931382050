"""``RripStore``: any container as a read-only Zarr store (spec section 9.8)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)

from ..concurrency.pool import OwnThreads
from ..containers.base import Container
from ..errors import ReadOnlyError
from .hierarchy import open_hierarchy

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer, BufferPrototype

__all__ = ["RripStore"]

T = TypeVar("T")


class RripStore(Store):
    """A folder, zip archive or TIFF file, local or remote, as one Zarr hierarchy.

    Picklable, thread-safe, safe to use after a fork. Stored tiles are checked before they are served, also those that
    plain codecs then decode.

    >>> import zarr
    >>> group = zarr.open_group(RripStore("slide.rrip.tif"), mode="r")
    >>> group["0"][:, 300:556, 200:456].shape
    (3, 256, 256)

    Parameters
    ----------
    container : Container, path or URL
    zarr_format : int
        3: the hierarchy of the Zarr binding. 2: the same levels as NGFF 0.4, whose chunks the numcodecs codec
        ``rrip`` decodes.

    Raises
    ------
    NotFoundError
        If nothing is there; it is a ``FileNotFoundError``.
    FormatError
        If no RRIP container is there.
    """

    supports_writes = False
    supports_deletes = False
    supports_partial_writes = False
    supports_listing = True

    def __init__(self, container: Container | str | os.PathLike[str], *, zarr_format: int = 3) -> None:
        super().__init__(read_only=True)
        self._hierarchy = open_hierarchy(container, zarr_format)
        self._is_open = True

    @property
    def container(self) -> Container:
        """What holds the slide."""
        return self._hierarchy.container

    @property
    def answers_at_once(self) -> bool:
        """Whether :meth:`read` needs no event loop and no network."""
        return self.container.is_local

    def read(self, key: str) -> bytes | None:
        """The value of a key, from any thread."""
        return self._hierarchy.read(key)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The value of a key or a part of it, None where there is no such key."""
        from zarr.core.buffer import default_buffer_prototype

        data = await _in_thread(self.read, key)
        if data is None:
            return None
        return (prototype or default_buffer_prototype()).buffer.from_bytes(_part(data, byte_range))

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of several values."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def exists(self, key: str) -> bool:
        """Whether the metadata have such a key; its bytes are not looked at."""
        return await _in_thread(self._hierarchy.exists, key)

    async def getsize(self, key: str) -> int:
        """Bytes of a value."""
        data = await _in_thread(self.read, key)
        if data is None:
            raise FileNotFoundError(key)
        return len(data)

    async def list(self) -> AsyncIterator[str]:
        """Every key."""
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Every key that starts with `prefix`."""
        await _in_thread(lambda: self._hierarchy.documents)
        for key in self._hierarchy.keys(prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names directly under a folder."""
        for name in await _in_thread(lambda: list(self._hierarchy.children(prefix))):
            yield name

    async def set(self, *_: Any) -> NoReturn:
        """Raise: containers are read-only."""
        _refuse()

    async def delete(self, *_: Any) -> NoReturn:
        """Raise: containers are read-only."""
        _refuse()

    async def set_partial_values(self, *_: Any) -> NoReturn:
        """Raise: containers are read-only."""
        _refuse()

    def with_read_only(self, read_only: bool = False) -> RripStore:
        """The same store; :class:`ReadOnlyError` if a writable one is asked for."""
        if not read_only:
            _refuse()
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


def _refuse() -> NoReturn:
    raise ReadOnlyError("an RRIP container is read-only through Zarr: make a new one with 'rrip convert'")


def _part(data: bytes, request: ByteRequest | None) -> bytes:
    """What a byte request asks for."""
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
