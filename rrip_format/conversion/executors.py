"""Encode blocks in threads, processes or a cluster, with any :class:`concurrent.futures.Executor`."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from .. import __version__
from ..errors import RripError, SourceError
from ..extras import needs
from ..family.encode import StreamCoder
from ..sources import Source
from ..spec.geometry import Geometry
from ..spec.metadata import Coding
from ..tuning.sampling import Image
from .blocks import Block, Family, encode_block, halve_block, read_block

__all__ = ["SharedSource", "cluster", "result_of", "submit", "work"]

Result = TypeVar("Result")


class SharedSource:
    """A source that jobs refer to; it is pickled as the arguments that open it again in another process.

    Each process opens it once. If it is an array, the pixels of each block are sent with its job.

    Parameters
    ----------
    source : Source
        The source.
    threads : bool
        Whether all jobs run in this process.
    """

    def __init__(self, source: Source, *, threads: bool) -> None:
        self._source: Source | None = source
        self._sends_pixels = not threads and source.info.reader == "array"
        self._reopen = b"" if threads or self._sends_pixels else pickle.dumps(source.reopen)
        self._fingerprint = tuple(source.fingerprint().items())
        self._version = __version__
        self.stopped = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": None}

    def pixels(self, geometry: Geometry, block: Block) -> Image | None:
        """Return the level 0 pixels of a block if they must be sent with the job, otherwise None."""
        if self._sends_pixels and self._source is not None:
            return read_block(self._source, geometry, block)
        return None

    def read(self, geometry: Geometry, block: Block) -> Image:
        """Read the level 0 pixels of a block, in any process."""
        source = self._source
        if source is None:
            if self._version != __version__:
                raise RripError(
                    f"a worker has rrip_format {__version__}, expected {self._version}: install the same version there"
                )
            source = _reopened(self._reopen, self._fingerprint)
        return read_block(source, geometry, block)


@lru_cache(maxsize=1)
def _reopened(reopen: bytes, fingerprint: tuple[tuple[str, str | int], ...]) -> Source:
    open_again, arguments = pickle.loads(reopen)  # noqa: S301  (the arguments of every job are pickled too)
    source: Source = open_again(*arguments)
    found = tuple(source.fingerprint().items())
    if found != fingerprint:
        source.close()
        raise SourceError(f"{source.where}: a worker found {dict(found)}, expected {dict(fingerprint)}")
    return source


def _job(
    source: SharedSource, rgb: Image | None, coding: Coding, coder: StreamCoder | None, block: Block
) -> list[Family]:
    """Read a block, and encode it or, without a coder, only halve it."""
    rgb = source.read(coding.geometry, block) if rgb is None else rgb
    made = halve_block(rgb, coding.geometry, block) if coder is None else encode_block(rgb, coding, coder, block)
    families = []
    for family in made:
        if source.stopped:
            raise RripError("stopped because the conversion has failed")
        families.append(family)
    return families


def work(
    executor: Executor,
    ahead: int,
    source: SharedSource,
    coding: Coding,
    jobs: Iterable[tuple[Block, StreamCoder | None]],
) -> Generator[list[Family], None, None]:
    """Run jobs and generate their families in order, with a bounded number of pending results.

    Parameters
    ----------
    executor : Executor
        Where the jobs run; it is left running.
    ahead : int
        Largest number of blocks that are being encoded or pending, which bounds the memory.
    source : SharedSource
        The source.
    coding : Coding
        Coding of the slide.
    jobs : iterable of Block and StreamCoder or None
        Blocks to encode, or only to read if there is no coder.

    Yields
    ------
    list of Family
        The families of a block.

    Raises
    ------
    RripError
        If a worker raises it, or is lost.
    """
    waiting: deque[Future[list[Family]]] = deque()
    try:
        for block, coder in jobs:
            rgb = source.pixels(coding.geometry, block)
            waiting.append(submit(executor, _job, source, rgb, coding, coder, block))
            if len(waiting) > ahead:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    finally:
        source.stopped = True
        for future in waiting:
            future.cancel()
        if isinstance(executor, ThreadPoolExecutor):
            wait(waiting)  # jobs have to end before the source is closed


def submit(executor: Executor, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
    """Submit work to an executor; raise :class:`RripError` if it has lost its workers."""
    with _ours():
        return executor.submit(function, *arguments)


def result_of(future: Future[Result]) -> Result:
    """Return the result of a future; raise :class:`RripError` if its executor has lost its workers."""
    with _ours():
        return future.result()


def _first(waiting: deque[Future[list[Family]]]) -> list[Family]:
    """Return the first result, and remove it from the queue when it is there."""
    families = result_of(waiting[0])
    waiting.popleft()
    return families


@contextmanager
def _ours() -> Iterator[None]:
    """Translate the errors of an executor that has lost its workers to :class:`RripError`."""
    try:
        yield
    except RripError:
        raise
    except Exception as error:
        lost = isinstance(error, BrokenExecutor | CancelledError) or type(error).__module__.startswith("distributed")
        if not lost:
            raise
        raise RripError(
            f"a worker died or was lost ({type(error).__name__}: {error}); check how much memory it has"
        ) from error


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a Dask cluster; yield its executor and number of threads.

    Parameters
    ----------
    address : str
        Address of its scheduler, like ``tcp://host:8786``. Its workers need the same version of ``rrip_format``, and
        the source at the same path.

    Raises
    ------
    ExtraMissingError
        If ``distributed`` is not installed.
    RripError
        If the scheduler does not answer, or has no workers.
    """
    with needs("dask", "a Dask cluster"):
        from distributed import Client
    try:
        client = Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RripError(f"{address}: no Dask scheduler answers: {error}") from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise RripError(f"{address}: the cluster has no workers; start some first")
        yield client.get_executor(pure=False), threads
