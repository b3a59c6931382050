"""The Zarr v3 codec ``rrip``: it reads the tile of a chunk and those of the coarser levels it is predicted from.

Like ``sharding_indexed``, the codec gets the store and key of a chunk rather than its bytes, and reads what it needs
(spec section 9.3). It never returns "no such chunk", for which Zarr would use the fill value: absent tiles are
background if the metadata list their families as empty, and an error otherwise. It does not write, since changing a
pixel would mean to encode a family again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from zarr.abc.codec import (
    ArrayBytesCodec,
    ArrayBytesCodecPartialDecodeMixin,
    ArrayBytesCodecPartialEncodeMixin,
)
from zarr.storage import FsspecStore, LocalStore, StorePath

from ..concurrency.pool import OwnThreads, usable_cores
from ..concurrency.recent import RecentTiles
from ..errors import FormatError, RripError, read_only
from ..family.decode import decode_tile
from ..spec.geometry import needed_levels
from ..spec.metadata import Coding, parse_codec
from ..spec.zarr_layout import tile_key
from ..storage.objects import Folder
from ..storage.zarr_stores import fetch_values
from .store import RripStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from zarr.abc.buffer import Buffer, NDBuffer
    from zarr.abc.store import Store
    from zarr.core.array_spec import ArraySpec

    from ..containers.base import Container, Place, Tiles
    from ..core.colour import Window

__all__ = ["RripCodec"]


@dataclass(frozen=True)
class RripCodec(ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin, ArrayBytesCodecPartialEncodeMixin):
    """Read-only codec of the arrays ``0``, ``1``, ``2`` … of a container.

    Parameters
    ----------
    level : int
        Level of the array.
    coding : Coding
        Coding of the slide.
    """

    level: int
    coding: Coding

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Parse the codec's entry in a ``zarr.json``.

        Raises
        ------
        FormatError
            If the configuration breaks a rule of spec section 8.2 or 9.3.
        """
        configuration = data.get("configuration")
        if not isinstance(configuration, dict):
            raise FormatError("codec rrip: configuration is absent, expected an object", rule="array.document")
        return cls(*parse_codec(configuration.get("level"), configuration.get("coding")))

    def to_dict(self) -> dict[str, Any]:
        """Return the codec's entry in a ``zarr.json``."""
        return {"name": "rrip", "configuration": {"level": self.level, "coding": self.coding.to_json()}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Raise :class:`FormatError` unless shape, chunks and data type of the array match the level."""
        geometry = self.coding.geometry
        side = geometry.tile_side(self.level)
        expected = (3, *geometry.shape(self.level))
        found_chunk = getattr(chunk_grid, "chunk_shape", None)
        if tuple(shape) != expected or tuple(found_chunk or ()) != (3, side, side):
            raise FormatError(
                f"codec rrip: array of shape {tuple(shape)} in chunks of {found_chunk}, expected {expected} in chunks "
                f"of {(3, side, side)}",
                rule="array.document",
            )
        if dtype.to_native_dtype() != "uint8":
            raise FormatError(f"codec rrip: array of {dtype}, expected uint8", rule="array.document")

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> NoReturn:
        """Raise ``NotImplementedError``, since tiles differ in size."""
        raise NotImplementedError

    # Asynchronous and synchronous reading. Local stores are read and decoded in the same thread.

    async def decode_partial(self, batch_info: Iterable[tuple[Any, Any, ArraySpec]]) -> Iterable[NDBuffer | None]:
        """Decode parts of chunks; Zarr mostly passes one at a time, which needs no gathering."""
        batch = list(batch_info)
        if len(batch) == 1:
            return [await self._decode_partial_single(*batch[0])]
        return await super().decode_partial(batch)

    async def _decode_partial_single(self, byte_getter: Any, selection: Any, chunk_spec: ArraySpec) -> NDBuffer:
        source = _Chunk.locate(byte_getter, self.level)
        work = asyncio.get_running_loop().run_in_executor
        if source.is_local:
            return await work(_threads.executor, self._read, source, selection, chunk_spec)
        tiles = await self._fetch(source)
        return await work(_threads.executor, self._decode, source, tiles, selection, chunk_spec)

    def _decode_partial_sync(self, byte_getter: Any, selection: Any, chunk_spec: ArraySpec) -> NDBuffer:
        source = _Chunk.locate(byte_getter, self.level)
        if source.is_local:
            return self._read(source, selection, chunk_spec)
        from zarr.core.sync import sync  # there is no public name for it

        return self._decode(source, sync(self._fetch(source)), selection, chunk_spec)

    def _read(self, source: _Chunk, selection: Any, chunk_spec: ArraySpec) -> NDBuffer:
        tiles: Tiles = []
        if self._has_tiles(source):
            if source.container is not None:
                tiles = source.container.read_tiles(self._places(source))
            elif source.folder is not None:
                tiles = source.folder.read(*self._wanted(source))
        return self._decode(source, tiles, selection, chunk_spec)

    async def _fetch(self, source: _Chunk) -> Tiles:
        """Read the stored tiles of a chunk from a store that has to be waited for."""
        if not self._has_tiles(source):
            return []
        if source.container is not None:
            return await source.container.fetch_tiles(self._places(source))
        return await fetch_values(source.store, *self._wanted(source))

    def _places(self, source: _Chunk) -> list[Place]:
        """Which tiles make a chunk."""
        return [(needed, source.row, source.col) for needed in needed_levels(self.level)]

    def _wanted(self, source: _Chunk) -> tuple[list[str], list[int]]:
        """Return the keys of the tiles of a chunk, and their largest sizes."""
        return source.keys(self.level), [self.coding.tile_limit(needed) for needed in needed_levels(self.level)]

    def _has_tiles(self, source: _Chunk) -> bool:
        return not self.coding.is_empty(self.level, source.row, source.col)

    def _decode(self, source: _Chunk, tiles: Tiles, selection: Any, chunk_spec: ArraySpec) -> NDBuffer:
        window, rest = _wanted_part(selection, self.coding.geometry.tile_side(self.level))

        def decode(part: Window | None) -> NDArray[np.uint8]:
            return decode_tile(self.coding, self.level, source.row, source.col, tiles, part)

        try:
            if _is_whole(selection[0], 3):
                rgb = decode(window)
            else:  # readers of one channel mostly read the others next
                place = self.coding.uuid, self.level, source.row, source.col
                rgb, rest = _recent.get((*place, *tiles), lambda: decode(None)), selection
        except RripError as error:
            raise error.within(f"{source.store}/{source.root}") from error
        return chunk_spec.prototype.nd_buffer.from_numpy_array(rgb)[rest]

    # Writing and other ways of decoding are refused.

    async def _encode_partial_single(self, *_: Any) -> NoReturn:
        _refuse_writing()

    def _encode_partial_sync(self, *_: Any) -> NoReturn:
        _refuse_writing()

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        _refuse_writing()

    def _encode_sync(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        _refuse_writing()

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        _refuse_other_codecs()

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        _refuse_other_codecs()

    async def decode(self, chunks_and_specs: Iterable[tuple[Buffer | None, ArraySpec]]) -> Iterable[NDBuffer | None]:
        """Raise :class:`FormatError`: Zarr does not pass the key of the chunk if there are other codecs."""
        _refuse_other_codecs()


def _most_threads() -> int:
    """Return the number of threads: one per core, or fewer if Zarr is configured so (``threading.max_workers``)."""
    import zarr

    told: int | None = zarr.config.get("threading.max_workers", None)
    return min(usable_cores(), told or sys.maxsize)


_threads = OwnThreads("rrip-zarr", _most_threads)

_recent = RecentTiles(1 << 25)
"""Cache of tiles of which only some channels were read. The stored bytes are part of the key, so none is outdated."""


def _is_whole(part: Any, length: int) -> bool:
    return isinstance(part, slice) and part.indices(length) == (0, length, 1)


def _wanted_part(selection: Any, side: int) -> tuple[Window | None, Any]:
    """Return the rectangle of a chunk that a selection needs, None for all, and the selection within it."""
    bounds: list[int] = []
    rest: list[Any] = [selection[0]]
    for part in selection[1:]:
        if isinstance(part, slice) and part.step in {None, 1}:
            start, stop, _ = part.indices(side)
            rest.append(slice(None))
        elif isinstance(part, int):
            start, stop = part, part + 1
            rest.append(0)
        else:  # steps, lists, masks
            return None, selection
        if not 0 <= start < stop <= side:
            return None, selection
        bounds += [start, stop]
    if bounds == [0, side, 0, side]:
        return None, selection
    top, bottom, left, right = bounds
    return (top, bottom, left, right), tuple(rest)


def _refuse_writing() -> NoReturn:
    raise read_only()


def _refuse_other_codecs() -> NoReturn:
    raise FormatError(
        "codec rrip must be the only codec of its array, and is not: Zarr does not tell it which chunk to read",
        rule="array.document",
    )


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Location of a chunk: the store, the path of the container's root in it, and the tile's row and column."""

    store: Store
    root: str
    row: int
    col: int

    @classmethod
    def locate(cls, byte_getter: Any, level: int) -> _Chunk:
        """Return the location of the chunk that Zarr passes to the codec.

        Raises
        ------
        FormatError
            If the store and key do not lead to the coarser levels.
        """
        if not isinstance(byte_getter, StorePath):
            raise FormatError(
                "codec rrip: inside another codec or a view of a store, the coarser levels cannot be read",
                rule="array.document",
            )
        store, parts = byte_getter.store, byte_getter.path.split("/")
        if len(parts) == 4:  # the array was opened by itself: the container is above the root of the store
            store = _parent(store, level)
            parts = [str(level), *parts]
        if len(parts) < 5 or parts[-5:-2] != [str(level), "c", "0"]:
            raise FormatError(
                f"codec rrip: chunk key {byte_getter.path!r} does not end in {level}/c/0/ROW/COLUMN",
                rule="array.document",
            )
        return cls(store, "".join(f"{part}/" for part in parts[:-5]), int(parts[-2]), int(parts[-1]))

    @property
    def container(self) -> Container | None:
        """What one of our own stores reads from, None for any other store."""
        return self.store.container if isinstance(self.store, RripStore) and not self.root else None

    @property
    def folder(self) -> Folder | None:
        """The folder of a store of local files, None for any other store."""
        return Folder(self.store.root) if type(self.store) is LocalStore else None

    @property
    def is_local(self) -> bool:
        """Whether tiles can be had without waiting for an event loop or a server."""
        container = self.container
        return not container.is_remote if container is not None else type(self.store) is LocalStore

    def keys(self, level: int) -> list[str]:
        """Return the keys of the tiles that the chunk is decoded from."""
        return [self.root + tile_key(needed, self.row, self.col) for needed in needed_levels(level)]


def _parent(store: Store, level: int) -> Store:
    """Return the store one folder above a store whose root is one array of a container."""
    if isinstance(store, LocalStore):
        root = Path(store.root).absolute()
        if root.name == str(level):
            return LocalStore(root.parent, read_only=True)
    if isinstance(store, FsspecStore):
        head, _, name = store.path.rstrip("/").rpartition("/")
        if head and name == str(level):
            return FsspecStore(store.fs, read_only=True, path=head)
    raise FormatError(
        f"codec rrip: level {level} was opened by itself in {store}, where the coarser levels cannot be read: open the "
        f"container and use its array {str(level)!r}",
        rule="array.document",
    )
