"""Objects of an obstore store, read through its asynchronous methods."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from ..errors import StorageError
from .services import Absent, Policy, Reply, Request, Transient, Version, refuse, replaced

if TYPE_CHECKING:
    from obstore import GetOptions
    from zarr.abc.store import Store

__all__ = ["ObstoreService", "is_obstore"]


def is_obstore(store: object) -> bool:
    """Return whether an object is a store of obstore, without importing obstore."""
    return any(kind.__module__.partition(".")[0] in {"obstore", "_obstore"} for kind in type(store).__mro__)


class ObstoreService:
    """Objects of an obstore store, which also retries by itself; their paths are its keys.

    Parameters
    ----------
    store : obstore.store.ObjectStore
    policy : Policy
    """

    def __init__(self, store: Any, policy: Policy) -> None:
        self._store, self._policy = store, policy

    def __reduce__(self) -> tuple[Any, ...]:
        return ObstoreService, (self._store, self._policy)

    async def get(self, path: str, request: Request) -> Reply:
        """Read an object or a part of it; a part is shortened if the object ends before."""
        import obstore

        options: GetOptions = {}
        if request.length is not None and request.start is None:
            options["range"] = {"suffix": request.length}
        elif request.length is not None and request.start is not None:
            options["range"] = (request.start, request.start + request.length)
        if request.version is not None and request.version.etag is not None:
            options["if_match"] = request.version.etag
        try:
            async with asyncio.timeout(self._policy.timeout * 4):
                answer = await obstore.get_async(self._store, path, options=options)
                meta = answer.meta
                version = Version(meta["size"], meta.get("e_tag"), str(meta.get("last_modified")))
                if request.version is not None and request.version.differs(version):
                    raise replaced(path)
                if request.length is None and meta["size"] > request.most:
                    return await self.get(path, Request(0, request.most + 1, version=version))
                return Reply(bytes(await answer.bytes_async()), version)
        except Exception as error:
            raise _translate_error(path, error) from error

    async def sizes(self, prefix: str) -> list[tuple[str, int]] | None:
        """List (path below `prefix`, bytes) of all objects; None if the store cannot list them."""
        import obstore

        found: list[tuple[str, int]] = []
        start = f"{prefix.strip('/')}/".lstrip("/")
        try:
            async for batch in obstore.list(self._store, prefix=prefix or None):
                found += [(meta["path"].removeprefix(start), meta["size"]) for meta in batch]
        except Exception as error:
            translated = _translate_error(prefix, error)
            if isinstance(translated, StorageError):
                return None
            raise translated from error
        return found

    async def put(self, path: str, file: str) -> None:
        """Store a local file as an object."""
        from pathlib import Path

        import obstore

        try:
            await obstore.put_async(self._store, path, Path(file))
        except Exception as error:
            raise _translate_error(path, error) from error

    async def remove(self, path: str) -> None:
        """Remove an object."""
        import obstore

        try:
            await obstore.delete_async(self._store, path)
        except Exception as error:
            raise _translate_error(path, error) from error

    def make_store(self, root: str) -> Store | None:
        """Make a read-only Zarr store of the objects below a path; None unless that is the root."""
        from zarr.storage import ObjectStore

        return None if root else ObjectStore(self._store, read_only=True)


_LASTING = re.compile(r"status code: 4(?!08|29)\d\d|non-partial response")
"""What the text of an error says where another try would end the same way: there is no class for it."""


def _translate_error(path: str, error: Exception) -> Exception:
    """Translate an error of obstore into one of this package or of :mod:`.services`."""
    from obstore import exceptions

    if isinstance(error, StorageError | Absent | Transient):
        return error
    text = " ".join(str(error).split())[:300]
    if isinstance(error, FileNotFoundError | exceptions.NotFoundError):
        return Absent(text)
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        return refuse(path, text)
    if isinstance(error, exceptions.PreconditionError):
        return replaced(path)
    may_pass = isinstance(error, exceptions.BaseError | OSError | TimeoutError) and not _LASTING.search(text)
    if may_pass:
        return Transient(text)
    return StorageError(f"{path}: cannot be read: {text}")
