"""Run cases in child processes, so that a crash, a hang or a lack of memory is reported with the case's number.

A child works through its share of the numbers and says which it begins and how each ended. A child that dies or is
silent for too long has its case to blame; another child goes on behind it.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

__all__ = ["FINDINGS", "MEMORY_BYTES", "Outcome", "blame", "is_out_of_memory", "run_case", "run_cases"]

MEMORY_BYTES = 256 << 20
"""What a case may take beyond what a process has that has read a sound container of the same size."""

SLOW_SECONDS = 2.0
"""Processor time that a case may take."""

START_SECONDS = 600.0
"""Time on the clock that a child may take before its first case: with checked indices kernels compile for minutes."""

SILENT_SECONDS = 15.0
"""Time on the clock after which a child that says nothing is taken for hung."""

FINDINGS = ("wrong", "foreign", "memory", "slow", "hang", "crash")

Case = Callable[[int], tuple[str, str, str]]
"""From a number to (group, result, detail); an exception out of it is a foreign one."""


@dataclass(frozen=True)
class Outcome:
    """Result of one case.

    Parameters
    ----------
    number : int
    group : str
        What to count it under.
    result : str
        ``equal``, ``refused``, ``accepted`` or one of ``FINDINGS``.
    detail : str
    seconds : float
        Processor time.
    peak_bytes : int
        What the process grew to above its size before, 0 where the system does not tell.
    """

    number: int
    group: str
    result: str
    detail: str
    seconds: float = 0.0
    peak_bytes: int = 0


def _status(name: str) -> int:
    """Return a size of this process in bytes, by its name in the system's status."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def _limit_memory() -> None:
    """Let allocations fail that exceed the limit of a case, of writable pages only, not of address space."""
    data = _status("VmData")
    if data:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (data + MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether memory ran out anywhere in the chain of an error."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, MemoryError):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def blame(error: Exception) -> tuple[str, str]:
    """Return the result of a case that raised an unexpected error, with its origin."""
    return "memory" if is_out_of_memory(error) else "foreign", "".join(traceback.format_exception(error)[-5:]).strip()


def run_case(case: Case, number: int) -> Outcome:
    """Run one case in this process."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the largest size so far
    size, started = _status("VmRSS"), time.process_time()
    try:
        group, result, detail = case(number)
    except Exception as error:  # noqa: BLE001  (this is what is looked for)
        group, (result, detail) = "?", blame(error)
    seconds, peak = time.process_time() - started, max(0, _status("VmHWM") - size)
    if result not in FINDINGS and peak > MEMORY_BYTES:
        result, detail = "memory", f"{peak >> 20} MiB; {detail}"
    if result not in FINDINGS and seconds > SLOW_SECONDS:
        result, detail = "slow", f"{seconds:.1f} s; {detail}"
    return Outcome(number, group, result, detail, seconds, peak)


def _serve(setup: Callable[..., Case], arguments: tuple[Any, ...], numbers: range, pipe: Connection) -> None:
    """Run a child process."""
    faulthandler.enable()
    case = setup(*arguments)
    _limit_memory()
    for number in numbers:
        pipe.send(number)
        pipe.send(run_case(case, number))
    pipe.send(None)


class _Child:
    """A process, its remaining numbers, and the current one."""

    def __init__(self, setup: Callable[..., Case], arguments: tuple[Any, ...], numbers: range) -> None:
        self.setup, self.arguments, self.numbers = setup, arguments, numbers
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share the state of threads and compilers
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(
            target=_serve, args=(self.setup, self.arguments, self.numbers, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        self.at: int | None = None
        self.heard = time.monotonic() + START_SECONDS  # it imports and compiles before its first case
        self.done = False

    def receive(self) -> Outcome | None:
        """Return the next message, or the result of a case."""
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return self.blame("crash", f"the process ended with code {self.process.exitcode}")
        self.heard = time.monotonic()
        if message is None:
            self.process.join()
            self.done = True
        elif isinstance(message, int):
            self.at = message
        elif isinstance(message, Outcome):
            self.at = None
            self.numbers = self.numbers[1:]
            return message
        return None

    def blame(self, result: str, detail: str) -> Outcome:
        """Record the failure of the current case, and continue after it with another process."""
        self.process.kill()
        self.process.join()
        if self.at is None:
            raise RuntimeError(f"a child did not begin its work: {detail}")
        outcome = Outcome(self.at, "?", result, detail)
        self.numbers = self.numbers[1:]
        if self.numbers:
            self.start()
        else:
            self.done = True
        return outcome


def run_cases(
    setup: Callable[..., Case], arguments: tuple[Any, ...], numbers: range, workers: int, seconds: float | None = None
) -> Iterator[Outcome]:
    """Run all cases and generate their outcomes in any order.

    Parameters
    ----------
    setup : callable
        Called with `arguments` once in each child; makes the function from a number to an outcome. Importable.
    arguments : tuple
    numbers : range
    workers : int
        Child processes; 0 for none, where nothing can crash or hang.
    seconds : float, optional
        Stop after so long, with those cases that were done by then.
    """
    if not workers:
        yield from (run_case(case, number) for case in [setup(*arguments)] for number in numbers)
        return
    end = time.monotonic() + seconds if seconds is not None else None
    shares = (numbers[k::workers] for k in range(workers))
    children = [_Child(setup, arguments, share) for share in shares if len(share)]
    try:
        while alive := [child for child in children if not child.done]:
            if end is not None and time.monotonic() > end:
                return
            ready = wait([child.pipe for child in alive], timeout=0.5)
            for child in alive:
                if child.pipe in ready:
                    outcome = child.receive()
                elif time.monotonic() - child.heard > SILENT_SECONDS:
                    outcome = child.blame("hang", f"silent for {SILENT_SECONDS:.0f} s")
                else:
                    continue
                if outcome is not None:
                    yield outcome
    finally:
        for child in children:
            child.process.kill()
            child.process.join()
            child.pipe.close()
