"""Reading bytes by key from any Zarr store, and which store a path names (spec section 9.1)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RULES, RripError, StorageError
from ..extras import missing
from .byte_source import is_url
from .workplace import READ

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["Folder", "get_async", "get_sync", "is_synchronous", "list_sizes", "open_store"]


class Folder:
    """A local folder whose files are read by key without Zarr, whose import takes longer than to read a tile.

    Parameters
    ----------
    path : str or path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.root = Path(path).absolute()  # the working directory may change

    def __str__(self) -> str:
        return f"file://{self.root.as_posix()}"

    def close(self) -> None:
        """Do nothing: no file stays open."""


def open_store(path: str | os.PathLike[str]) -> Store:
    """A read-only Zarr store over a directory or a URL that fsspec knows.

    Raises
    ------
    StorageError
        If the URL cannot be opened.
    ExtraMissingError
        If a URL needs a package that is not installed.
    """
    from zarr.storage import FsspecStore, LocalStore

    name = os.fspath(path)
    if not is_url(name):
        return LocalStore(Path(name).absolute(), read_only=True)  # the working directory may change
    try:
        return FsspecStore.from_url(name if name.endswith("://") else name.rstrip("/"), read_only=True)
    except ImportError as error:
        raise missing("remote", name, error) from error
    except Exception as error:  # each file system has its own exceptions
        raise StorageError(f"{name}: cannot be opened: {type(error).__name__}: {error}") from error


def is_synchronous(store: Store | Folder) -> bool:
    """Whether bytes can be had from a store without an event loop."""
    if isinstance(store, Folder):
        return True
    from zarr.storage import LocalStore, MemoryStore

    return isinstance(store, LocalStore | MemoryStore) or getattr(store, "answers_at_once", False)


async def get_async(
    store: Store, keys: Sequence[str], limits: Sequence[int], too_large: str = "tile.size"
) -> list[bytes | None]:
    """Values of several keys at once, None where there is none.

    Parameters
    ----------
    store : zarr.abc.store.Store
    keys : sequence of str
    limits : sequence of int
        Most bytes that each value may have; not many more are read.
    too_large : str
        What a value with more breaks.

    Raises
    ------
    StorageError
        If the store fails.
    """
    import asyncio

    from zarr.abc.store import RangeByteRequest
    from zarr.core.buffer import default_buffer_prototype

    prototype = default_buffer_prototype()
    try:
        values = await asyncio.gather(
            *(
                store.get(key, prototype, RangeByteRequest(0, limit + 1))
                for key, limit in zip(keys, limits, strict=True)
            )
        )
    except RripError:
        raise
    except Exception as error:  # each store has its own exceptions; all of them mean that the bytes did not come
        raise StorageError(f"{', '.join(keys)}: cannot be read from {store}: {error}") from error
    found = [None if value is None else value.to_bytes() for value in values]
    _check_sizes(store, keys, limits, found, too_large)
    return found


def get_sync(
    store: Store | Folder, keys: Sequence[str], limits: Sequence[int], too_large: str = "tile.size"
) -> list[bytes | None]:
    """As :func:`get_async`, from synchronous code in any thread."""
    if isinstance(store, Folder) or type(store) is _local_store():
        read = partial(_read_file, os.fspath(store.root))  # type: ignore[union-attr]
    elif not is_synchronous(store):
        from zarr.core.sync import sync

        return sync(get_async(store, keys, limits, too_large))
    elif hasattr(store, "read"):  # our own adapter has bytes, not buffers
        return [store.read(key) for key in keys]
    else:
        read = partial(_read_value, store)
    found: list[bytes | None] = []
    for key, limit in zip(keys, limits, strict=True):
        try:
            found.append(read(key, limit + 1))
        except (OSError, ValueError) as error:
            raise StorageError(f"{key}: cannot be read from {store}: {error}") from error
    _check_sizes(store, keys, limits, found, too_large)
    return found


@cache
def _local_store() -> type[Store]:
    from zarr.storage import LocalStore

    return LocalStore


def _read_value(store: Any, key: str, most: int) -> bytes | None:
    """What a store that answers at once has for a key, at most so many bytes."""
    from zarr.abc.store import RangeByteRequest
    from zarr.core.buffer import default_buffer_prototype

    value = store.get_sync(key, prototype=default_buffer_prototype(), byte_range=RangeByteRequest(0, most))
    return None if value is None else bytes(value.to_bytes())


def _read_file(root: str, key: str, most: int) -> bytes | None:
    """What a ``LocalStore`` has for a key, at most so many bytes: past the store, which takes ten times as long."""
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


def _check_sizes(
    store: Store | Folder,
    keys: Sequence[str],
    limits: Sequence[int],
    found: Sequence[bytes | None],
    too_large: str,
) -> None:
    for key, limit, value in zip(keys, limits, found, strict=True):
        if value is not None and len(value) > limit:
            raise RULES[too_large](
                f"{store}: {key} has more than {limit} bytes, the most that this reader accepts there", rule=too_large
            )


def list_sizes(store: Store | Folder) -> Iterator[tuple[str, int]]:
    """(key, size in bytes) of everything in a store.

    Raises
    ------
    StorageError
        If the store cannot be listed.
    """
    try:
        yield from _walk(str(store.root)) if isinstance(store, Folder) else _list_store(store)
    except Exception as error:  # each store has its own exceptions
        raise StorageError(f"{store}: cannot be listed: {error}") from error


def _list_store(store: Store) -> Iterator[tuple[str, int]]:
    from zarr.core.sync import sync
    from zarr.storage import FsspecStore, LocalStore

    async def collect() -> list[tuple[str, int]]:
        if isinstance(store, FsspecStore):  # one listing tells what would else be one request a key
            found = await store.fs._find(store.path, withdirs=False, detail=True)  # noqa: SLF001
            if all(entry.get("size") is not None for entry in found.values()):
                return [(name.removeprefix(f"{store.path}/"), entry["size"]) for name, entry in found.items()]
        return [(key, await store.getsize(key)) async for key in store.list()]

    yield from _walk(str(store.root)) if isinstance(store, LocalStore) else sync(collect())


def _walk(root: str) -> Iterator[tuple[str, int]]:
    """(path below `root`, size in bytes) of every file; links to folders are not followed."""
    folders = [""]
    while folders:
        prefix = folders.pop()
        with os.scandir(os.path.join(root, prefix)) as entries:  # noqa: PTH118
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{prefix}{entry.name}/")
                else:
                    yield prefix + entry.name, entry.stat(follow_symlinks=entry.is_file()).st_size
