"""The fsspec protocol ``rrip``: a container as a Zarr hierarchy of raw pixels, for readers without our codec.

``rrip::file:///data/slide.rrip.tif`` has the arrays ``0``, ``1`` … of the container, with chunks that are decoded on
demand, so that a Zarr v3 reader with the codec ``bytes`` suffices. ::

    zarr.json                  "ome" (NGFF 0.5)
    0/zarr.json  0/c/0/3/5     every level: (3, side, side) uint8 per chunk; no chunk for an empty family
    icc_profile/…              if the slide has one
    associated/macro/…         if the slide has one

Reading a missing or damaged tile raises an error that no Zarr version takes for "no such chunk".
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from io import BytesIO
from typing import Any, NoReturn, TypeVar

from ..concurrency.pool import OwnThreads, usable_cores
from ..containers.base import Container, Place, Tiles
from ..containers.opening import open_container
from ..containers.pictures import decode_picture
from ..errors import FormatError, NotFoundError, RripError, read_only
from ..extras import needs
from ..family.decode import decode_tile
from ..spec.geometry import needed_levels
from ..spec.zarr_layout import FIRST_GROUP, ICC_KEY, dump
from ..storage.access import make_access
from .hierarchy import Hierarchy

with needs("remote", "the protocol rrip"):
    from fsspec.asyn import AsyncFileSystem

__all__ = ["RawHierarchy", "RripFileSystem"]

T = TypeVar("T")

_NUMBER = r"(0|[1-9]\d{0,9})"
_OTHERS = ("base/", f"{FIRST_GROUP}/")
"""Groups for software that does not decode, which raw pixels do without."""

_CHUNK_KEY = re.compile(rf"{_NUMBER}/c/0/{_NUMBER}/{_NUMBER}")


class RawHierarchy(Hierarchy):
    """Keys and values of a container whose chunks are raw pixels; thread-safe and picklable.

    Parameters
    ----------
    container : Container
        The container.
    """

    @cached_property
    def documents(self) -> Mapping[str, bytes]:
        """Metadata documents, which name only the codec ``bytes``, and attachments."""
        return _Documents(self.container)

    def locate(self, key: str) -> Place | None:
        """Return the tile at a key, None for any other key and for empty tiles."""
        match = _CHUNK_KEY.fullmatch(key)
        if match is None:
            return None
        level, row, col = map(int, match.groups())
        coding = self.container.metadata.coding
        rows, cols = coding.geometry.grid(level) if level < coding.geometry.levels else (0, 0)
        return (level, row, col) if row < rows and col < cols and not coding.is_empty(level, row, col) else None

    def places_of(self, key: str) -> list[Place] | None:
        """Return the stored tiles that a chunk is decoded from, None for any other key."""
        place = self.locate(key)
        return None if place is None else [(needed, *place[1:]) for needed in needed_levels(place[0])]

    def value_of(self, places: Sequence[Place], tiles: Tiles) -> bytes:
        """Decode a chunk from stored tiles; errors as in :meth:`Hierarchy.read`."""
        try:
            return decode_tile(self.container.metadata.coding, *places[-1], tiles).tobytes()
        except RripError as error:
            raise error.within(self.container.name) from error

    def size(self, key: str) -> int | None:
        """Return the size of a value, bytes, without decoding it; None if there is none."""
        place = self.locate(key)
        if place is not None:
            return 3 * self.container.metadata.coding.geometry.tile_side(place[0]) ** 2
        data = self.documents.get(key)
        return None if data is None else len(data)

    def _chunks(self, level: int) -> str:
        return f"{level}/c/0/"


class _Documents(Mapping[str, bytes]):
    """Documents and attachments by key, each made on demand, so that a damaged one affects no other."""

    def __init__(self, container: Container) -> None:
        self._name = container.name
        self._coded = Hierarchy(container).documents

    def __getitem__(self, key: str) -> bytes:
        if key.startswith(_OTHERS):
            raise KeyError(key)
        data = self._coded[key]
        if key.endswith("zarr.json"):
            return _plain(data)
        return data[:-4] if key == ICC_KEY else decode_picture(data[:-4], f"{self._name}: {key}").tobytes()

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._coded if not key.startswith(_OTHERS))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _plain(document: bytes) -> bytes:
    """Remove our codec and metadata from a ``zarr.json``, which then no longer describes an RRIP container."""
    found = json.loads(document)
    if "codecs" in found:
        found["codecs"] = [{"name": "bytes"}]
        found["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "/"}}
    found["attributes"].pop("rrip", None)
    return dump(found)


_threads = OwnThreads("rrip-files", usable_cores)


def _url(target: str, protocol: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Rebuild the URL that fsspec has split into parameters, and the options of its file system."""
    options = {name: value for name, value in options.items() if name not in {"asynchronous", "loop"}}
    inner = options.pop("fo", None), options.pop("target_protocol", None), options.pop("target_options", None)
    url = target if "://" in target else f"{protocol}://{target}" if target else protocol
    if inner[0] is None:
        return url, options
    rest, below = _url(inner[0], inner[1] or "file", inner[2] or {})
    if options or below:
        raise RripError(
            f"rrip::{protocol}: options {sorted({**options, **below})} of a longer chain are not supported; "
            "set them in fsspec.config.conf"
        )
    return f"{url}::{rest}", {}


class RripFileSystem(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A read-only file system with a file of raw pixels for each chunk.

    Parameters
    ----------
    fo : str
        Path or URL of a container of any kind.
    target_protocol : str
        Protocol of `fo`.
    target_options : dict, optional
        The rest of a chain of URLs; options of its file systems are not supported.
    **storage_options : object
        Options of fsspec.

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
            raise RripError("rrip: the container is not named, expected a URL like rrip::file:///data/slide.rrip.zarr")
        self._name, self._options = _url(str(fo), target_protocol, target_options or {})
        self._hierarchy: RawHierarchy | None = None
        self._lock = threading.Lock()

    def _opened(self) -> RawHierarchy:
        with self._lock:  # opened on demand, because constructors run inside event loops, which must not wait
            if self._hierarchy is None:
                path = self._name.removeprefix("file://")
                try:
                    access = make_access(self._options or None)
                    self._hierarchy = RawHierarchy(open_container(path if "::" not in path else self._name, access))
                except NotFoundError as error:  # readers would take a FileNotFoundError for a missing key
                    raise FormatError(str(error), rule=error.rule) from error
        return self._hierarchy

    async def _run(self, path: str, function: Callable[[RawHierarchy, str], T]) -> T:
        """Call `function` in a thread, and translate errors that readers would take for a missing key."""
        key = self._strip_protocol(path).strip("/")

        def call() -> T:
            try:
                return function(self._opened(), key)
            except (OSError, LookupError) as error:
                raise RripError(f"{self._name}: {key}: {error}", rule=getattr(error, "rule", None)) from error

        return await asyncio.get_running_loop().run_in_executor(_threads.executor, call)

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        places = await self._run(path, _places_to_wait_for)
        if places is None:
            data = await self._run(path, RawHierarchy.read)
        else:
            tiles = await self._fetch(places)
            data = await self._run(path, lambda hierarchy, _: hierarchy.value_of(places, tiles))
        if data is None:
            raise FileNotFoundError(path)
        return data[start:end]

    async def _fetch(self, places: Sequence[Place]) -> Tiles:
        """Read stored tiles of a server together with those that others wait for."""
        try:
            return await self._opened().container.fetch_tiles(places)
        except (OSError, LookupError) as error:
            raise RripError(f"{self._name}: {error}", rule=getattr(error, "rule", None)) from error

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        found = await self._run(path, _entry)
        if found is None:
            raise FileNotFoundError(path)
        return found

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        found = await self._run(path, _entries)
        if not found:
            raise FileNotFoundError(path)
        if self._strip_protocol(path).startswith("/"):  # zarr 3.1 removes this prefix
            found = [{**entry, "name": f"/{entry['name']}"} for entry in found]
        return found if detail else [entry["name"] for entry in found]

    def _open(self, path: str, mode: str = "rb", **_: Any) -> BytesIO:
        if mode != "rb":
            self._refuse()
        return BytesIO(self.cat_file(path))

    async def _refuse_async(self, *_: Any, **__: Any) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise read_only(f"{self._name}: an RRIP container")

    _pipe_file = _put_file = _cp_file = _rm_file = _rm = _mkdir = _makedirs = _refuse_async


def _places_to_wait_for(hierarchy: RawHierarchy, key: str) -> list[Place] | None:
    """Return the stored tiles of a chunk if a server has them, else None."""
    return hierarchy.places_of(key) if hierarchy.container.is_remote else None


def _entry(hierarchy: RawHierarchy, key: str) -> dict[str, Any] | None:
    """Return the entry of a file or folder as fsspec wants it."""
    size = hierarchy.size(key)
    if size is not None:
        return {"name": key, "size": size, "type": "file"}
    return {"name": key, "size": 0, "type": "directory"} if any(hierarchy.children(key)) else None


def _entries(hierarchy: RawHierarchy, key: str) -> list[dict[str, Any]]:
    """Return the entries of a folder, or that of a file."""
    if hierarchy.size(key) is not None:
        names = [key]
    else:
        names = [f"{key}/{name}".lstrip("/") for name in hierarchy.children(key)]
    return [entry for name in names if (entry := _entry(hierarchy, name))]
