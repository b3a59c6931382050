"""Processes that encode blocks on this machine without a common interpreter lock.

This module imports nothing that takes time, so that the processes can load their modules while the first one does
other work.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from types import FrameType
from typing import ParamSpec, TypeVar

__all__ = ["prepare", "process_pool", "signals_held"]

_FORKS = sys.platform == "linux"
"""Whether processes are forked from a server process. Elsewhere forking is unsafe, and each one loads its modules."""

_MOST = 61 if sys.platform == "win32" else sys.maxsize
"""Largest number of processes that the system can wait for."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def prepare() -> None:
    """Start to load, in the background, what the processes of a pool will need."""
    with suppress(OSError):
        _load()


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """Create a pool whose processes start with the first job; yield None if the system cannot have one."""
    try:
        _load()
        context = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
        pool = _Pool(min(workers, _MOST), context, _begin)
    except (ImportError, NotImplementedError, OSError):  # no semaphores, or no folder for a socket
        yield None
        return
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


class _Pool(ProcessPoolExecutor):
    """A process pool that is not interrupted while it starts processes, which would leave them half started."""

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        try:
            with signals_held():
                return super().submit(fn, *args, **kwargs)
        except (OSError, EOFError) as error:
            raise BrokenProcessPool(f"a process cannot begin: {error}") from error


def _load() -> None:
    """Start the server process that all others are forked from, unless it is running; it ignores Ctrl-C."""
    if not _FORKS:
        return
    from multiprocessing import forkserver, resource_tracker

    forkserver.set_forkserver_preload(["rrip_format.conversion.blocks"])
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        with _same_modules():
            resource_tracker.ensure_running()  # it unblocks all signals
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _same_modules() -> Iterator[None]:
    """Let processes started in this context import modules from where this process does."""
    wanted = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def signals_held() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the end of the context."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    is_main = threading.current_thread() is threading.main_thread()  # only the main thread can set handlers
    held = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    handlers = [(number, signal.getsignal(number)) for number in held]
    try:
        for number, _ in handlers:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
        for came_number in came:
            signal.raise_signal(came_number)


def _begin() -> None:
    """Initialise a process of the pool: it ignores Ctrl-C, and ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="rrip-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
