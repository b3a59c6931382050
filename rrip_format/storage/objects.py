"""Values by key in a local folder or a folder of a service; used by the reader of the Zarr binding."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import RripError, StorageError
from .access import Access
from .connecting import connect
from .event_loop import call, run
from .range_cache import KeyCache
from .remote import Remote, gather_all, stream
from .services import Absent, Request, check_size
from .workplace import READ

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["Folder", "Objects", "RemoteFolder", "open_folder"]


class Objects(Protocol):
    """Values by key; thread-safe, picklable, fork-safe.

    A value may have as many bytes as `limits` allow; reading of a larger one stops soon after, with an error of the
    rule `too_large`.
    """

    is_remote: bool
    """Whether reading waits for a server, so that many values should be requested at once."""

    def read(self, keys: Sequence[str], limits: Sequence[int], too_large: str = "tile.size") -> list[bytes | None]:
        """Return the values of keys; None for absent ones.

        Raises
        ------
        StorageError
            If they cannot be read.
        """

    async def fetch(
        self, keys: Sequence[str], limits: Sequence[int], too_large: str = "tile.size"
    ) -> list[bytes | None]:
        """Return the values of keys from any event loop; None for absent ones."""

    def stream(self, keys: Sequence[str], limits: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
        """Yield (position, value) of keys in any order, in bounded memory."""

    def sizes_of(self, keys: Sequence[str]) -> list[int | None]:
        """Return the sizes of values in bytes without reading them; None for absent ones."""

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield (key, bytes) of all values.

        Raises
        ------
        StorageError
            If the keys cannot be listed.
        """

    def make_store(self) -> Store | None:
        """Make a read-only Zarr store of the same keys; None if Zarr has no such store."""

    def close(self) -> None:
        """Clear the cache."""


class Folder:
    """A local folder whose files are read without Zarr, because importing Zarr takes longer than reading a tile.

    Parameters
    ----------
    path : str or path
    """

    is_remote = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.root = Path(path).absolute()  # the working directory may change
        self._root = os.fspath(self.root)

    def __str__(self) -> str:
        return f"file://{self.root.as_posix()}"

    def read(self, keys: Sequence[str], limits: Sequence[int], too_large: str = "tile.size") -> list[bytes | None]:
        """Return the contents of files; None for absent ones."""
        found = []
        for key, limit in zip(keys, limits, strict=True):
            try:
                value = _read_file(self._root, key, limit + 1)
            except (OSError, ValueError) as error:
                raise StorageError(f"{key}: cannot be read from {self}: {error}") from error
            if value is not None and len(value) > limit:
                check_size(str(self), key, limit, value, too_large)
            found.append(value)
        return found

    async def fetch(
        self, keys: Sequence[str], limits: Sequence[int], too_large: str = "tile.size"
    ) -> list[bytes | None]:
        """Return the contents of files, read synchronously; None for absent ones."""
        return self.read(keys, limits, too_large)

    def stream(self, keys: Sequence[str], limits: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
        """Yield (position, contents) of files, one after another."""
        for position, (key, limit) in enumerate(zip(keys, limits, strict=True)):
            yield position, self.read([key], [limit])[0]

    def sizes_of(self, keys: Sequence[str]) -> list[int | None]:
        """Return the sizes of files in bytes; None for absent ones."""
        return [_file_size(f"{self._root}/{key}") for key in keys]

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield (path below the folder, bytes) of every file; links to folders are not followed."""
        try:
            yield from _walk(self._root)
        except OSError as error:
            raise StorageError(f"{self}: cannot be listed: {error}") from error

    def make_store(self) -> Store:
        """Make a read-only Zarr store of the folder."""
        from zarr.storage import LocalStore

        return LocalStore(self.root, read_only=True)

    def close(self) -> None:
        """Do nothing, because no file stays open."""


class RemoteFolder:
    """A folder of a service.

    Parameters
    ----------
    name : str
        Name for error messages.
    remote : Remote
        The service.
    root : str
        Path of the folder there.
    cache_mib : float
        Size of the cache of values, MiB.
    """

    is_remote = True

    def __init__(self, name: str, remote: Remote, root: str, cache_mib: float = 0.0) -> None:
        self.name = name
        self._remote, self._root, self._cache_mib = remote, root.rstrip("/"), cache_mib
        self._cache = KeyCache(int(cache_mib * (1 << 20)))

    def __str__(self) -> str:
        return self.name

    def read(self, keys: Sequence[str], limits: Sequence[int], too_large: str = "tile.size") -> list[bytes | None]:
        """Return the values of keys; None for absent ones."""
        kept = [self._cache.find(key) for key in keys]
        return kept if all(value is not None for value in kept) else run(self._fetch(keys, limits, too_large))

    async def fetch(
        self, keys: Sequence[str], limits: Sequence[int], too_large: str = "tile.size"
    ) -> list[bytes | None]:
        """Return the values of keys from any event loop; None for absent ones."""
        return await call(self._fetch(keys, limits, too_large))

    async def _fetch(self, keys: Sequence[str], limits: Sequence[int], too_large: str) -> list[bytes | None]:
        return await gather_all([self._get(*pair, too_large) for pair in zip(keys, limits, strict=True)])

    async def _get(self, key: str, limit: int, too_large: str = "tile.size") -> bytes | None:
        value = self._cache.find(key)
        if value is None:
            try:
                value = (await self._remote.get(self._path(key), Request(most=limit))).data
            except Absent:
                return None
            except RripError as error:
                raise error.within(self.name) if self.name not in str(error) else error from error
            check_size(self.name, key, limit, value, too_large)
            self._cache.add(key, value)
        return value

    def stream(self, keys: Sequence[str], limits: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
        """Yield (position, value) of keys as they arrive, in bounded memory."""
        return stream([(limit, self._get(key, limit)) for key, limit in zip(keys, limits, strict=True)])

    def sizes_of(self, keys: Sequence[str]) -> list[int | None]:
        """Return the sizes of values in bytes, None for absent ones; one byte of each is read."""

        async def ask() -> list[int | None]:
            return await gather_all([self._size(key) for key in keys])

        return run(ask())

    async def _size(self, key: str) -> int | None:
        try:
            reply = await self._remote.get(self._path(key), Request(0, 1))
        except Absent:
            return None
        return reply.version.size if reply.data else 0

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if self._root else key

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield (key, bytes) of all values."""
        found = self._remote.sizes(self._root)
        if found is None:
            raise StorageError(f"{self.name}: cannot be listed, because the server has no listings; download it")
        yield from found

    def make_store(self) -> Store | None:
        """Make a read-only Zarr store of the same keys; None if Zarr has no such store."""
        return self._remote.service.make_store(self._root)

    def close(self) -> None:
        """Clear the cache; connections are shared and stay open."""
        self._cache.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteFolder, (self.name, self._remote, self._root, self._cache_mib)


def open_folder(name: str, access: Access) -> Objects:
    """Return a folder at a URL or in a store, without a request. Raises as :func:`.connecting.connect`."""
    store = access.store
    if store is not None and type(store).__name__ == "LocalStore":
        return Folder(Path(store.root) / name)
    title = name if store is None else f"{store}/{name}".rstrip("/")
    return RemoteFolder(title, *connect(name, access), access.cache_mib)


def _file_size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116  (quicker than a Path, and there are many)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"{path}: its size cannot be read: {error}") from error


def _read_file(root: str, key: str, most: int) -> bytes | None:
    """Read a file in a folder, at most `most` bytes; None if it does not exist."""
    try:
        file = os.open(f"{root}/{key}", READ)  # a file object takes longer than all that follows
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        wanted = min(most, os.fstat(file).st_size)
        data = os.read(file, wanted)
        while len(data) < wanted and (more := os.read(file, wanted - len(data))):
            data += more
    except IsADirectoryError:
        return None
    finally:
        os.close(file)
    return data


def _walk(root: str) -> Iterator[tuple[str, int]]:
    """Yield (path below `root`, bytes) of every file; links to folders are not followed."""
    folders = [""]
    while folders:
        prefix = folders.pop()
        with os.scandir(os.path.join(root, prefix)) as entries:  # noqa: PTH118
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{prefix}{entry.name}/")
                else:
                    yield prefix + entry.name, entry.stat(follow_symlinks=entry.is_file()).st_size
