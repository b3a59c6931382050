"""Processes of this machine that encode blocks, so that none waits for the interpreter lock of another.

It imports nothing that takes time: what the processes need is loaded beside what the first process does meanwhile.
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

__all__ = ["prepare", "process_pool"]

_FORKS = sys.platform == "linux"
"""Elsewhere a fork is not safe, even that of a process without threads, and each process loads everything itself."""

_MOST = 61 if sys.platform == "win32" else sys.maxsize
"""Processes that the system can wait for."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def prepare() -> None:
    """Begin to load, beside what this process does, what the processes of a pool will need."""
    with suppress(OSError):
        _load()


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """A pool whose processes begin with the first work that it gets; None where the system has no means for one."""
    try:
        _load()
        context = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
        pool = _Pool(min(workers, _MOST), context, _begin)
    except (ImportError, NotImplementedError, OSError):  # no semaphores, or no place for a socket
        yield None
        return
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


class _Pool(ProcessPoolExecutor):
    """One whose processes begin whatever comes: what is interrupted halfway would complain of what is gone."""

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        try:
            with _signals_held():
                return super().submit(fn, *args, **kwargs)
        except (OSError, EOFError) as error:
            raise BrokenProcessPool(f"a process cannot begin: {error}") from error


def _load() -> None:
    """Begin the process that all others are forked from, unless it runs; Ctrl-C is not for it, nor for those."""
    if not _FORKS:
        return
    from multiprocessing import forkserver, resource_tracker

    forkserver.set_forkserver_preload(["rrip_format.conversion.blocks"])
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        with _same_modules():
            resource_tracker.ensure_running()  # which lets all signals through again
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _same_modules() -> Iterator[None]:
    """Let what begins meanwhile find modules where this process does, and not in the folder that it is in."""
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
def _signals_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of a block."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    is_main = threading.current_thread() is threading.main_thread()  # handlers run there, and only there are set
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
    """In each process: the first one says when to stop, and none outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="rrip-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
