"""A remote file or folder: merged, concurrent and repeated requests for one version of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import Any, TypeVar

from ..errors import DamagedError, NotFoundError, StorageError
from .event_loop import event_loop, run
from .range_cache import RangeCache
from .ranges import Merged, Range, plan_ranges
from .services import Absent, Policy, Reply, Request, Service, Version, replaced, retry

__all__ = ["HEAD_BYTES", "TAIL_BYTES", "Remote", "RemoteBytes", "gather_all", "stream"]

T = TypeVar("T")

AT_ONCE = 64
"""Concurrent requests; independent of the number of cores, because they only wait."""

WINDOW_BYTES = 1 << 26
"""Most bytes that are being transferred or wait to be decoded."""

HEAD_BYTES, TAIL_BYTES = 1 << 12, 1 << 17
"""Bytes read from start and end of a file when it is opened; most slides have the index there (spec section 10.1)."""


class Remote:
    """A service whose requests are repeated after transient failures; picklable.

    Parameters
    ----------
    service : Service
    policy : Policy
    """

    def __init__(self, service: Service, policy: Policy) -> None:
        self.service = service
        self._policy = policy

    async def get(self, path: str, request: Request) -> Reply:
        """Read an object or a part of it.

        Raises
        ------
        Absent
            If it does not exist.
        StorageError
            If it cannot be read, or has another version than the requested one.
        """
        return await retry(lambda: self.service.get(path, request), path, self._policy)

    def sizes(self, prefix: str) -> list[tuple[str, int]] | None:
        """List (path below `prefix`, bytes) of all objects; None if the service cannot list them."""
        return run(retry(lambda: self.service.sizes(prefix), prefix, self._policy))

    def put(self, path: str, file: str) -> None:
        """Upload a local file."""
        run(retry(lambda: self.service.put(path, file), path, self._policy, "written"))

    def put_all(self, files: Sequence[tuple[str, str]]) -> None:
        """Upload pairs (path, local file), many at a time."""

        async def put() -> None:
            attempts = [(p, partial(self.service.put, p, f)) for p, f in files]
            await gather_all([retry(attempt, p, self._policy, "written") for p, attempt in attempts])

        run(put())

    def remove(self, path: str) -> None:
        """Remove an object, if it exists."""
        try:
            run(retry(lambda: self.service.remove(path), path, self._policy, "removed"))
        except Absent:
            return

    def __reduce__(self) -> tuple[Any, ...]:
        return Remote, (self.service, self._policy)


async def gather_all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await coroutines, a limited number at a time; the first failure cancels the others."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def bounded(one: Coroutine[Any, Any, T]) -> T:
        async with slots:
            return await one

    tasks = [asyncio.ensure_future(bounded(one)) for one in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in work:
            one.close()  # what has not begun would be reported as never awaited
        raise


def stream(requests: Sequence[tuple[int, Coroutine[Any, Any, T]]]) -> Iterator[tuple[int, T]]:
    """Yield (position, result) of coroutines as they finish, in bounded memory.

    Parameters
    ----------
    requests : sequence of (bytes, coroutine)
        Coroutines with the size of their results.
    """
    waiting: dict[Future[T], int] = {}
    loop, at, held = event_loop(), 0, 0
    try:
        while at < len(requests) or waiting:
            while at < len(requests) and len(waiting) < AT_ONCE and (not waiting or held < WINDOW_BYTES):
                size, coroutine = requests[at]
                waiting[asyncio.run_coroutine_threadsafe(coroutine, loop)] = at
                held, at = held + size, at + 1
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                position = waiting.pop(future)
                held -= requests[position][0]
                yield position, future.result()
    finally:
        for future in waiting:
            future.cancel()
        for _, coroutine in requests[at:]:
            coroutine.close()


class RemoteBytes:
    """A remote file, read by ranges; thread-safe and fork-safe.

    Opening requests its first and last bytes concurrently; the responses state its size. Unpickling makes no request.

    Parameters
    ----------
    name : str
        Name for error messages.
    remote : Remote
        The service.
    path : str
        Path of the file there.
    cache_mib : float
        Size of the cache, MiB.
    version : Version, optional
        Version of the file when it was opened first.

    Raises
    ------
    NotFoundError
        If the file does not exist.
    StorageError
        If the service does not respond, denies access, or does not support byte ranges.
    """

    is_remote = True

    def __init__(
        self, name: str, remote: Remote, path: str, cache_mib: float = 0.0, version: Version | None = None
    ) -> None:
        self.name = name
        self._remote, self._path, self._cache_mib = remote, path, cache_mib
        self._cache = RangeCache(int(cache_mib * (1 << 20)))
        self.cache_bytes = self._cache.capacity
        self._ends: list[tuple[int, bytes]] = []
        self._version = run(self._open()) if version is None else version
        self.size = self._version.size or 0

    async def _open(self) -> Version:
        try:
            first, last = await asyncio.gather(self._get(Request(0, HEAD_BYTES)), self._tail())
            size = first.version.size
            if size is None:
                raise StorageError(
                    f"{self.name}: the server does not state the size of the file, which byte ranges need; download it"
                )
            if last is None or (size and not last.data):  # not every server supports ranges counted from the end
                start = max(0, size - TAIL_BYTES)
                last = await self._get(Request(start, size - start, version=first.version)) if size else first
        except Absent as error:
            raise NotFoundError(
                f"{self.name}: does not exist: {error}; check the address", rule=StorageError.rule
            ) from error
        if first.version.differs(last.version):
            raise replaced(self.name)
        self._ends = [(0, first.data), (size - len(last.data), last.data)]
        return first.version

    async def _tail(self) -> Reply | None:
        try:
            return await self._get(Request(None, TAIL_BYTES))
        except StorageError:
            return None

    async def _get(self, request: Request) -> Reply:
        return await self._remote.get(self._path, request)

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes from `offset`."""
        return self.read_ranges([(offset, length)])[0]

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Read several ranges with concurrent requests; neighbours share one."""
        plan = _Plan(self, ranges)
        if plan.requests:
            run(self._fetch(plan))
        return plan.found()

    async def fetch_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Read several ranges in the loop of :mod:`.event_loop`."""
        plan = _Plan(self, ranges)
        await self._fetch(plan)
        return plan.found()

    async def _fetch(self, plan: _Plan) -> None:
        await gather_all([self._fetch_one(plan, merged) for merged in plan.requests])

    async def _fetch_one(self, plan: _Plan, merged: Merged) -> None:
        plan.take(merged, await self._read_merged(merged))

    async def _read_merged(self, merged: Merged) -> bytes:
        try:
            reply = await self._get(Request(merged.offset, merged.length, version=self._version))
        except Absent as error:  # callers would take a FileNotFoundError for a missing key
            raise StorageError(f"{self.name}: was removed since it was opened: {error}") from error
        if len(reply.data) != merged.length:
            raise StorageError(
                f"{self.name}: the server sent {len(reply.data)} bytes instead of the requested {merged.length}; check "
                "that it supports byte ranges"
            )
        if merged.length <= self._cache.capacity // 4:
            self._cache.add(merged.offset, reply.data)
        return reply.data

    def stream_ranges(self, ranges: Sequence[Range]) -> Iterator[list[tuple[int, bytes]]]:
        """Yield lists of (position, bytes) of ranges as they arrive, in bounded memory."""
        plan = _Plan(self, ranges)
        if plan.parts:
            yield list(plan.parts.items())
        requests = [(merged.length, self._read_merged(merged)) for merged in plan.requests]
        for position, data in stream(requests):
            yield list(plan.cut(plan.requests[position], data))

    def known(self, offset: int, length: int) -> bytes | None:
        """Return the bytes of a range if they are in memory, None if they must be requested."""
        for start, data in self._ends:
            if start <= offset and offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
        return self._cache.find(offset, length)

    def close(self) -> None:
        """Clear the cache; connections are shared and stay open."""
        self._cache.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteBytes, (self.name, self._remote, self._path, self._cache_mib, self._version)


class _Plan:
    """The parts of ranges that are in memory, and the requests for the others."""

    def __init__(self, source: RemoteBytes, ranges: Sequence[Range]) -> None:
        self.ranges = ranges
        self.parts: dict[int, bytes] = {}
        wanted = list(ranges)
        for position, (offset, length) in enumerate(ranges):
            if min(offset, length) < 0 or offset + length > source.size:
                raise DamagedError(
                    f"{source.name}: bytes {offset} … {offset + length} are needed, but the file has only "
                    f"{source.size}: it is truncated, or an offset in it is damaged",
                    rule="file.range",
                )
            data = source.known(offset, length) if length else b""
            if data is not None:
                self.parts[position] = data
                wanted[position] = offset, 0
        self.requests = plan_ranges(wanted)

    def cut(self, merged: Merged, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (position, bytes) of the ranges that a request covers."""
        for position in merged.parts:
            offset, length = self.ranges[position]
            yield position, data[offset - merged.offset : offset - merged.offset + length]

    def take(self, merged: Merged, data: bytes) -> None:
        """Keep the bytes of a response."""
        self.parts.update(self.cut(merged, data))

    def found(self) -> list[bytes]:
        """Return the bytes of all ranges after all requests are finished."""
        return [self.parts[position] for position in range(len(self.ranges))]
