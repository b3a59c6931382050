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
from contextlib import contextmanager
from types import FrameType
from typing import ParamSpec, TypeVar

__all__ = ["process_pool"]

_FORKS = sys.platform == "linux"
"""Elsewhere a fork is not safe, even that of a process without threads, and each process loads everything itself."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@contextmanager
def process_pool(workers: int, *, soon: bool) -> Iterator[ProcessPoolExecutor | None]:
    """A pool whose processes begin with the first work that it gets; None where the system has no means for one.

    Parameters
    ----------
    workers : int
    soon : bool
        Whether to load now what they will need, in a process of its own, rather than when the first of them begins.
    """
    try:
        context = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
        context.set_forkserver_preload(["rrip_format.warm"])
        if soon:
            _load()
        pool = _Pool(workers, context, _begin)
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
        with _signals_held():
            _load()
            return super().submit(fn, *args, **kwargs)


def _load() -> None:
    """Begin the process that all others are forked from, unless it runs; Ctrl-C is not for it, nor for those."""
    if _FORKS:
        from multiprocessing import forkserver, resource_tracker

        resource_tracker.ensure_running()  # which would let signals through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of a block."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    is_main = threading.current_thread() is threading.main_thread()  # handlers run there, and only there are set
    held = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    handlers = [(number, signal.signal(number, note)) for number in held]
    try:
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
