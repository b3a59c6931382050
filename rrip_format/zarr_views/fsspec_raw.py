"""The fsspec protocol ``rrip``: a container as a Zarr hierarchy of raw pixels, for readers that cannot run our codec.

``rrip::file:///data/slide.rrip.tif`` has the arrays ``0``, ``1`` … of the container, but their chunks are decoded when
they are asked for, so that a plain Zarr v3 reader with the codec ``bytes`` is enough. ::

    zarr.json                  "ome" (NGFF 0.5)
    0/zarr.json  0/c/0/3/5     every level: (3, side, side) uint8 per chunk; no chunk where a family is empty
    icc_profile/…              where the slide has one
    associated/macro/…         where it has one

A tile that is missing or damaged is an error of a type that no Zarr version takes for "no such chunk".
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from io import BytesIO
from typing import Any, NoReturn, TypeVar

from ..concurrency.pool import OwnThreads, usable_cores
from ..containers.base import Container, Place, open_container
from ..containers.pictures import decode_picture
from ..errors import FormatError, NotFoundError, ReadOnlyError, RripError
from ..extras import needs
from ..family.decode import decode_tile, needed_levels
from ..spec.zarr_layout import ICC_KEY, dump
from .hierarchy import Hierarchy

with needs("remote", "the protocol rrip"):
    from fsspec.asyn import AsyncFileSystem

__all__ = ["RawHierarchy", "RripFileSystem"]

T = TypeVar("T")

_NUMBER = r"(0|[1-9]\d{0,9})"
_CHUNK_KEY = re.compile(rf"{_NUMBER}/c/0/{_NUMBER}/{_NUMBER}")


class RawHierarchy(Hierarchy):
    """Keys and values of a container whose chunks are pixels; thread-safe, picklable.

    Parameters
    ----------
    container : Container
    """

    @cached_property
    def documents(self) -> Mapping[str, bytes]:
        """Everything that is no pixel of a level, with the codec ``bytes`` alone."""
        return _Documents(self.container)

    def locate(self, key: str) -> Place | None:
        """The tile whose key this is, None for any other key and for empty tiles."""
        match = _CHUNK_KEY.fullmatch(key)
        if match is None:
            return None
        level, row, col = map(int, match.groups())
        coding = self.container.metadata.coding
        rows, cols = coding.geometry.grid(level) if level < coding.geometry.levels else (0, 0)
        return (level, row, col) if row < rows and col < cols and not coding.is_empty(level, row, col) else None

    def read(self, key: str) -> bytes | None:
        """The value of a key, None where there is none; errors as in :meth:`Hierarchy.read`."""
        place = self.locate(key)
        if place is None:
            return self.documents.get(key)
        level, row, col = place
        tiles = self.container.read_tiles([(needed, row, col) for needed in needed_levels(level)])
        return decode_tile(self.container.metadata.coding, level, row, col, tiles).tobytes()

    def size(self, key: str) -> int | None:
        """Bytes of a value, without decoding it; None where there is none."""
        place = self.locate(key)
        if place is not None:
            return 3 * self.container.metadata.coding.geometry.tile_side(place[0]) ** 2
        data = self.documents.get(key)
        return None if data is None else len(data)

    def _chunks(self, level: int) -> str:
        return f"{level}/c/0/"


class _Documents(Mapping[str, bytes]):
    """Documents and attachments by key, each made when it is asked for: a damaged one fails alone."""

    def __init__(self, container: Container) -> None:
        self._name = container.name
        self._coded = Hierarchy(container).documents

    def __getitem__(self, key: str) -> bytes:
        if key.startswith("base/"):
            raise KeyError(key)
        data = self._coded[key]
        if key.endswith("zarr.json"):
            return _plain(data)
        return data[:-4] if key == ICC_KEY else decode_picture(data[:-4], f"{self._name}: {key}").tobytes()

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._coded if not key.startswith("base/"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _plain(document: bytes) -> bytes:
    """A ``zarr.json`` without our codec and metadata: it is no RRIP container any more."""
    found = json.loads(document)
    if "codecs" in found:
        found["codecs"] = [{"name": "bytes"}]
        found["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "/"}}
    found["attributes"].pop("rrip", None)
    return dump(found)


_threads = OwnThreads("rrip-files", usable_cores)


def _url(target: str, protocol: str, options: dict[str, Any]) -> str:
    """The URL that fsspec has taken apart."""
    options = dict(options)
    inner = options.pop("fo", None), options.pop("target_protocol", None), options.pop("target_options", None)
    if options.keys() - {"asynchronous", "loop"}:
        raise RripError(
            f"rrip::{protocol}: options {sorted(options)} cannot be passed on; set them in fsspec.config.conf"
        )
    url = target if "://" in target else f"{protocol}://{target}" if target else protocol
    return url if inner[0] is None else f"{url}::{_url(inner[0], inner[1] or 'file', inner[2] or {})}"


class RripFileSystem(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Read-only files of raw pixels, one a chunk.

    Parameters
    ----------
    fo : str
        Path or URL of a container, of any kind.
    target_protocol : str
        Where it is.
    target_options : dict, optional
        The rest of a chain of URLs; options of the file systems in it are refused.
    **storage_options
        Those of fsspec.

    Raises
    ------
    RripError
        At the first access, if the container cannot be opened.
    """

    protocol = "rrip"
    root_marker = ""
    cachable = False  # a container may be replaced

    def __init__(
        self,
        fo: str | None = None,
        target_protocol: str = "file",
        target_options: dict[str, Any] | None = None,
        **storage_options: Any,
    ) -> None:
        super().__init__(**storage_options)
        if fo is None:
            raise RripError("rrip: names no container, expected a chain such as rrip::file:///data/slide.rrip.zarr")
        self._name = _url(str(fo), target_protocol, target_options or {})
        self._hierarchy: RawHierarchy | None = None
        self._lock = threading.Lock()

    def _opened(self) -> RawHierarchy:
        with self._lock:  # opened late: constructors run inside event loops, which must not wait
            if self._hierarchy is None:
                path = self._name.removeprefix("file://")
                try:
                    self._hierarchy = RawHierarchy(open_container(path if "::" not in path else self._name))
                except NotFoundError as error:  # a FileNotFoundError would be taken for a missing key
                    raise FormatError(str(error), rule=error.rule) from error
        return self._hierarchy

    async def _run(self, path: str, function: Callable[[RawHierarchy, str], T]) -> T:
        """Call `function` in a thread, with errors that no reader takes for a missing key."""
        key = self._strip_protocol(path).strip("/")

        def call() -> T:
            try:
                return function(self._opened(), key)
            except (OSError, LookupError) as error:
                raise RripError(f"{self._name}: {key}: {error}", rule=getattr(error, "rule", None)) from error

        return await asyncio.get_running_loop().run_in_executor(_threads.executor, call)

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        data = await self._run(path, RawHierarchy.read)
        if data is None:
            raise FileNotFoundError(path)
        return data[start:end]

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        found = await self._run(path, _entry)
        if found is None:
            raise FileNotFoundError(path)
        return found

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        found = await self._run(path, _entries)
        if not found:
            raise FileNotFoundError(path)
        if self._strip_protocol(path).startswith("/"):  # zarr 3.1 takes its own prefix off
            found = [{**entry, "name": f"/{entry['name']}"} for entry in found]
        return found if detail else [entry["name"] for entry in found]

    def _open(self, path: str, mode: str = "rb", **_: Any) -> BytesIO:
        if mode != "rb":
            self._refuse()
        return BytesIO(self.cat_file(path))

    async def _refuse_async(self, *_: Any, **__: Any) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ReadOnlyError(f"{self._name}: an RRIP container is read-only; make a new one with 'rrip convert'")

    _pipe_file = _put_file = _cp_file = _rm_file = _rm = _mkdir = _makedirs = _refuse_async


def _entry(hierarchy: RawHierarchy, key: str) -> dict[str, Any] | None:
    """What fsspec wants to know of a file or folder."""
    size = hierarchy.size(key)
    if size is not None:
        return {"name": key, "size": size, "type": "file"}
    return {"name": key, "size": 0, "type": "directory"} if any(hierarchy.children(key)) else None


def _entries(hierarchy: RawHierarchy, key: str) -> list[dict[str, Any]]:
    """What is directly under a folder, or the file itself."""
    if hierarchy.size(key) is not None:
        names = [key]
    else:
        names = [f"{key}/{name}".lstrip("/") for name in hierarchy.children(key)]
    return [entry for name in names if (entry := _entry(hierarchy, name))]
