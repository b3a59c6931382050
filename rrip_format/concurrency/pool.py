"""Run work on several threads in bounded memory and in order."""

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
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None) -> Iterator[Result]:
    """Apply `work` to each item in threads, and yield the results in the order of the items.

    Parameters
    ----------
    work : callable
        Called in threads. If it raises, the exception is raised here and the remaining work is cancelled.
    items : iterable
        Consumed only as far as needed.
    workers : int, optional
        Number of threads; by default the number of cores.

    Yields
    ------
    object
        The results; at most ``2 * workers + 1`` are pending.
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
    """Do what :func:`in_order` does on an existing executor, with at most `ahead` results pending."""
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
    """A thread pool for work that other pools and event loops wait for, so that neither blocks the other.

    The threads start on first use, and again in a child process after a fork, which threads do not survive.

    Parameters
    ----------
    name : str
        Prefix of the names of the threads.
    most : callable, optional
        Returns the largest number of threads, when they start; by default that of ``ThreadPoolExecutor``.
    """

    def __init__(self, name: str, most: Callable[[], int] | None = None) -> None:
        self._name = name
        self._most = most
        self._made: tuple[int, ThreadPoolExecutor] | None = None

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The pool of this process, created on first use."""
        if self._made is None or self._made[0] != os.getpid():
            most = None if self._most is None else self._most()
            self._made = os.getpid(), ThreadPoolExecutor(most, thread_name_prefix=self._name)
        return self._made[1]
