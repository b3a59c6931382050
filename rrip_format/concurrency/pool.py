"""Work on all cores in bounded memory, and threads of our own."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["OwnThreads", "in_order", "in_order_on", "usable_cores"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None) -> Iterator[Result]:
    """What `work` makes of each item, in order; few results wait, and items are taken as they are needed.

    Parameters
    ----------
    work : callable
        Called in threads; what it raises comes out here, and ends the work.
    items : iterable
    workers : int, optional
        Threads; all cores if not given.
    """
    workers = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers, thread_name_prefix="rrip") as executor:
        try:
            yield from in_order_on(executor, 2 * workers + 1, work, items)
        finally:
            executor.shutdown(cancel_futures=True)


def in_order_on(
    executor: Executor, ahead: int, work: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """As :func:`in_order`, on an executor that is left running, with at most `ahead` results under way or waiting."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


class OwnThreads:
    """Threads for work that others wait for, such as event loops, whose own may all be needed for what they wait for.

    They begin when they are first needed, and anew after a fork, which they do not survive.

    Parameters
    ----------
    name : str
        What the names of the threads begin with.
    most : callable, optional
        Says how many there may be when they begin, if not as many as Python thinks fit.
    """

    def __init__(self, name: str, most: Callable[[], int] | None = None) -> None:
        self._name = name
        self._most = most
        self._made: tuple[int, ThreadPoolExecutor] | None = None

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Those of this process."""
        if self._made is None or self._made[0] != os.getpid():
            most = None if self._most is None else self._most()
            self._made = os.getpid(), ThreadPoolExecutor(most, thread_name_prefix=self._name)
        return self._made[1]
