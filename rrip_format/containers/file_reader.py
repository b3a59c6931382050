"""What the readers of single-file containers share: tile reads are merged, also those of concurrent callers."""

from __future__ import annotations

import asyncio
import os
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from ..errors import RripError
from ..spec.geometry import BASE_LEVEL, Geometry
from ..storage.byte_source import ByteSource
from ..storage.event_loop import call
from ..storage.ranges import Range
from .base import Container, Place, Tiles
from .order import BLOCK_PX

__all__ = ["FileContainer"]

_WAIT_SECONDS = 0.002
"""Seconds that the first of several callers waits for the others."""

_MANY, _MOMENT_SECONDS = 6, 0.5
"""Neighbours are read too after this many tiles near each other were requested within this many seconds."""

_LEAST_CACHE = 1 << 22
"""Smallest cache, bytes, with which reading neighbours is useful."""

_MOST_OVERVIEWS = 64
"""Most tiles of an overview level that are read together."""


class FileContainer(Container):
    """A container in one file, read by byte ranges.

    Parameters
    ----------
    source : ByteSource
    """

    is_file = True

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.name, self.is_remote = source.name, source.is_remote
        self._gatherer: _Gatherer | None = None

    @abstractmethod
    def range_of(self, place: Place) -> Range | None:
        """Return the byte range to read for a tile; None if the tile does not exist.

        Raises
        ------
        DamagedError
            If they cannot be those of a tile.
        """

    def tile_in(self, place: Place, data: bytes) -> bytes:  # noqa: ARG002
        """Extract the stored tile from the bytes of :meth:`range_of`."""
        return data

    def read_tiles(self, places: Sequence[Place]) -> Tiles:
        """Read several tiles; neighbours share a request if the file is remote."""
        if not self.is_remote:  # in one pass: this is most of what reading a small region takes beside decoding
            read, tile_in, range_of = self._source.read, self.tile_in, self.range_of
            return [None if (part := range_of(place)) is None else tile_in(place, read(*part)) for place in places]
        ranges = [self.range_of(place) for place in places]
        return self._cut(places, ranges, self._source.read_ranges(_there(ranges)))

    def _cut(self, places: Sequence[Place], ranges: Sequence[Range | None], data: Sequence[bytes]) -> Tiles:
        rest = iter(data)
        return [
            None if part is None else self.tile_in(place, next(rest))
            for place, part in zip(places, ranges, strict=True)
        ]

    async def fetch_tiles(self, places: Sequence[Place]) -> Tiles:
        """Read several tiles from any event loop, merged with the reads of other callers at that moment."""
        if not self.is_remote:
            return self.read_tiles(places)
        if self._gatherer is None or self._gatherer.process != os.getpid():
            self._gatherer = _Gatherer(self, self._source)
        return await call(self._gatherer.fetch(places))

    def stream_tiles(self, groups: Sequence[Sequence[Place]]) -> Iterator[tuple[int, Tiles]]:
        """Yield (position, tiles) of groups of tiles as each is complete."""
        if not self.is_remote:
            yield from super().stream_tiles(groups)
            return
        found: dict[int, Tiles] = {position: [None] * len(group) for position, group in enumerate(groups)}
        left: list[int] = []
        owners: list[tuple[int, int]] = []
        ranges: list[Range] = []
        for position, group in enumerate(groups):
            parts = [self.range_of(place) for place in group]
            left.append(sum(part is not None for part in parts))
            owners += [(position, at) for at, part in enumerate(parts) if part is not None]
            ranges += _there(parts)
        yield from ((position, found.pop(position)) for position, count in enumerate(left) if not count)
        for arrived in self._source.stream_ranges(ranges):
            for number, data in arrived:
                position, at = owners[number]
                found[position][at] = self.tile_in(groups[position][at], data)
                left[position] -= 1
                if not left[position]:
                    yield position, found.pop(position)

    def close(self) -> None:
        """Release the file."""
        self._source.close()

    def _state(self) -> dict[str, Any]:
        """Return the pickled state of a remote container, with which it opens without a request."""
        return {**self.__dict__, "_gatherer": None}


def _there(ranges: Sequence[Range | None]) -> list[Range]:
    return [part for part in ranges if part is not None]


_Caller = tuple[Sequence[Place], "asyncio.Future[Tiles]"]


class _Gatherer:
    """Merges the reads of callers within a short time, because Zarr asks for chunks one by one.

    All methods run in the loop of :mod:`rrip_format.storage.event_loop`.
    """

    def __init__(self, container: FileContainer, source: ByteSource) -> None:
        self._container, self._source = container, source
        self.process = os.getpid()
        self._waiting: list[_Caller] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._level = -1
        self._recent: dict[tuple[int, int], float] = {}

    async def fetch(self, places: Sequence[Place]) -> Tiles:
        """Read tiles; None for absent ones."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Tiles] = loop.create_future()
        self._waiting.append((places, future))
        if len(self._waiting) == 1:
            loop.call_later(_WAIT_SECONDS, self._begin)
        return await future

    def _begin(self) -> None:
        callers, self._waiting = self._waiting, []
        task = asyncio.ensure_future(self._answer(callers))
        self._tasks.add(task)  # a loop keeps no task alive by itself
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, callers: list[_Caller]) -> None:
        """Read for all callers at once; if that fails, for each alone, so that each gets its own error."""
        places = [place for asked, _ in callers for place in asked]
        neighbours = self._neighbours(places) if places else []
        if neighbours:
            async with self._turn:  # the next callers may want what is being read for these
                callers = await self._answer_all(callers, neighbours)
        elif len(callers) > 1:
            callers = await self._answer_all(callers, [])
        await asyncio.gather(*(self._answer_one(*caller) for caller in callers))

    async def _answer_all(self, callers: list[_Caller], neighbours: list[Place]) -> list[_Caller]:
        """Read for all callers at once, and return the callers that have no answer."""
        with suppress(RripError):
            places = [place for asked, _ in callers for place in asked]
            ranges = _there([self._container.range_of(place) for place in [*places, *neighbours]])
            together = list(dict.fromkeys(ranges))
            data = dict(zip(together, await self._source.fetch_ranges(together), strict=True))
            for asked, future in callers:
                parts = [self._container.range_of(place) for place in asked]
                tiles = self._container._cut(asked, parts, [data[part] for part in _there(parts)])  # noqa: SLF001
                if not future.done():
                    future.set_result(tiles)
        return [caller for caller in callers if not caller[1].done()]

    async def _answer_one(self, places: Sequence[Place], future: asyncio.Future[Tiles]) -> None:
        try:
            ranges = [self._container.range_of(place) for place in places]
            data = await self._source.fetch_ranges(_there(ranges))
            tiles = self._container._cut(places, ranges, data)  # noqa: SLF001
        except Exception as error:  # noqa: BLE001  (passed to the caller)
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(tiles)

    def _neighbours(self, places: Sequence[Place]) -> list[Place]:
        """Return further tiles of blocks, or of an overview level, from which many tiles were just read."""
        coding = self._container.metadata.coding
        if getattr(self._source, "cache_bytes", 0) < _LEAST_CACHE:
            return []
        finest = min(level for level, _, _ in places)
        step = max(1, BLOCK_PX // coding.geometry.tile_side(0)) if finest <= BASE_LEVEL else 1 << 31
        blocks = {(row // step, col // step) for level, row, col in places if level == finest}
        self._remember(finest, places)
        found = []
        for top, left in sorted(blocks):
            near = sum(abs(row // step - top) < 2 and abs(col // step - left) < 2 for row, col in self._recent)
            if near >= _MANY:
                found += _tiles_of(coding.geometry, finest, top * step, left * step, step)
        good = []
        for place in found:
            with suppress(RripError):  # damage is reported to callers that request the tile
                if not coding.is_empty(*place) and self._container.range_of(place) is not None:
                    good.append(place)
        return good

    def _remember(self, level: int, places: Sequence[Place]) -> None:
        """Record which tiles of a level were read recently."""
        now = time.monotonic()
        if level != self._level:
            self._level = level
            self._recent.clear()
        self._recent.update({(row, col): now for found, row, col in places if found == level})
        self._recent = {place: when for place, when in self._recent.items() if now - when < _MOMENT_SECONDS}


def _tiles_of(geometry: Geometry, level: int, top: int, left: int, step: int) -> list[Place]:
    """List the tiles that are read together with a tile: its block of families, or its whole level if small."""
    if level > BASE_LEVEL:
        tiles = list(geometry.tiles(level))
        return [(level, *place) for place in tiles] if len(tiles) <= _MOST_OVERVIEWS else []
    rows, cols = geometry.families
    return [
        (needed, row, col)
        for row in range(top, min(rows, top + step))
        for col in range(left, min(cols, left + step))
        for needed in range(BASE_LEVEL, level - 1, -1)
    ]
