"""The event loop for all requests to servers; each process has one, in its own thread."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["call", "event_loop", "run"]

T = TypeVar("T")

_ENDING_SECONDS = 1.0
"""Most time that a cancelled coroutine has to end."""

_lock = threading.Lock()
_made: tuple[int, asyncio.AbstractEventLoop] | None = None


def event_loop() -> asyncio.AbstractEventLoop:
    """Return the running loop of this process; a forked process starts a new one."""
    global _made  # noqa: PLW0603
    with _lock:
        if _made is None or _made[0] != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="rrip-requests", daemon=True).start()
            _made = os.getpid(), loop
        return _made[1]


def _forget_lock() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()  # another thread may have held it while this process was forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from another thread and return its result; it is cancelled if the wait is interrupted."""
    ended = threading.Event()
    future = asyncio.run_coroutine_threadsafe(_telling_its_end(coroutine, ended), event_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        ended.wait(_ENDING_SECONDS)  # so that nothing is left half done where the process ends now
        raise


async def _telling_its_end(coroutine: Coroutine[Any, Any, T], ended: threading.Event) -> T:
    """Await a coroutine, and set an event when it has returned, failed or been cancelled."""
    try:
        return await coroutine
    finally:
        ended.set()


async def call(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None = None) -> T:
    """Await a coroutine in another loop, by default the one of this module."""
    other = loop or event_loop()
    if other is asyncio.get_running_loop():
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, other))
