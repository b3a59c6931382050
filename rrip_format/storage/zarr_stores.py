"""Read from Zarr stores that callers bring (spec section 9.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import RripError, StorageError
from .services import Absent, Policy, Reply, Request, Transient, Version, check_size, may_pass, retry

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["StoreService", "fetch_values"]


class StoreService:
    """The values of any Zarr store as objects.

    Parameters
    ----------
    store : zarr.abc.store.Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, path: str, request: Request) -> Reply:
        """Read a value or a part of it."""
        from zarr.abc.store import RangeByteRequest, SuffixByteRequest
        from zarr.buffer import default_buffer_prototype

        try:
            await self.store._ensure_open()  # noqa: SLF001  (as Zarr does before it reads; there is no public name)
            size = await self.store.getsize(path)
            version = Version(size)
            part: Any = RangeByteRequest(0, min(size, request.most + 1))
            if request.length is not None and request.start is None:
                part = SuffixByteRequest(min(size, request.length))
            elif request.length is not None and request.start is not None:
                part = RangeByteRequest(min(size, request.start), min(size, request.start + request.length))
            value = await self.store.get(path, default_buffer_prototype(), part)
        except Exception as error:
            raise _translate_error(f"{path} in {self.store}", error) from error
        if value is None:
            raise Absent(path)
        return Reply(value.to_bytes(), version)

    async def sizes(self, prefix: str) -> list[tuple[str, int]] | None:
        """List (key below `prefix`, bytes) of all values; None if the store cannot list them."""
        start = f"{prefix}/".lstrip("/")
        try:
            keys = [key async for key in self.store.list_prefix(start)]
            return [(key.removeprefix(start), await self.store.getsize(key)) for key in keys]
        except NotImplementedError:
            return None
        except Exception as error:
            raise _translate_error(f"{self.store}", error) from error

    async def put(self, path: str, file: str) -> None:  # noqa: ARG002
        """Raise `StorageError`: Zarr stores are read-only here."""
        raise StorageError(f"{path}: Zarr stores are read-only here; name the bucket or folder instead")

    async def remove(self, path: str) -> None:
        """Raise `StorageError`: Zarr stores are read-only here."""
        await self.put(path, "")

    def make_store(self, root: str) -> Store | None:
        """Return the store; None for a path within it."""
        return None if root else self.store


def _translate_error(what: str, error: Exception) -> Exception:
    """Translate an error of a store into one of this package or of :mod:`.services`."""
    if isinstance(error, RripError | Absent | Transient):
        return error
    if isinstance(error, FileNotFoundError | KeyError):
        return Absent(str(error))
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, OSError) and may_pass(error):
        return Transient(text)
    return StorageError(f"{what}: cannot be read: {text}")


async def fetch_values(store: Store, keys: Sequence[str], limits: Sequence[int]) -> list[bytes | None]:
    """Read stored tiles by key concurrently in the loop of a store; None for absent ones.

    Raises
    ------
    StorageError
        If the store fails.
    DamagedError
        If a value has more bytes than `limits` allow for it.
    """
    from zarr.abc.store import RangeByteRequest
    from zarr.buffer import default_buffer_prototype

    policy, prototype = Policy.from_environment(), default_buffer_prototype()

    async def read(key: str, limit: int) -> bytes | None:
        try:
            value = await store.get(key, prototype, RangeByteRequest(0, limit + 1))
        except Exception as error:
            raise _translate_error(f"{key} in {store}", error) from error
        return check_size(str(store), key, limit, None if value is None else value.to_bytes(), "tile.size")

    async def read_again(key: str, limit: int) -> bytes | None:
        try:
            return await retry(lambda: read(key, limit), f"{key} in {store}", policy)
        except Absent:
            return None

    return await asyncio.gather(*(read_again(key, limit) for key, limit in zip(keys, limits, strict=True)))
