"""Functions that benchmarks share: interleaved timing, child processes, a description of the machine, and tables.

Cases of one comparison take turns, in another order each round, and a ratio is the median of the ratios of the rounds:
whatever else the machine does meets all of them.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click
import numpy as np

from rrip_format.evaluate.environment import environment
from rrip_format.evaluate.tables import markdown_table

__all__ = [
    "Child",
    "Spread",
    "Times",
    "all_cores",
    "common_options",
    "emit",
    "interleave",
    "machine",
    "median",
    "ratio",
    "requirement",
    "requirements_table",
    "run_child",
    "say",
]

Json = Any


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles over rounds."""

    median: float
    q1: float
    q3: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Compute median and quartiles of values."""
        q1, median, q3 = np.percentile(values, [25, 50, 75]).tolist()
        return cls(median, q1, q3, len(values))

    def to_json(self) -> dict[str, Json]:
        """Return the values rounded to five digits."""
        return {name: _digits(getattr(self, name)) for name in ("median", "q1", "q3")} | {"rounds": self.rounds}

    def __str__(self) -> str:
        return f"{_text(self.median)} ({_text(self.q1)}–{_text(self.q3)})"


def _digits(value: float) -> float:
    return float(f"{value:.5g}")


def _text(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds by case and round.

    Parameters
    ----------
    wall : dict
        By the clock.
    cpu : dict
        Of all threads of this process, and of child processes that have ended: hardly changes when others use the
        machine too.
    """

    wall: dict[str, list[float]]
    cpu: dict[str, list[float]]

    @classmethod
    def of_json(cls, data: Mapping[str, Json]) -> Times:
        """Create the object from the result of :func:`dataclasses.asdict`."""
        return cls(data["wall"], data["cpu"])


def interleave(cases: Mapping[str, Callable[[], object]], rounds: int, *, warm: bool = True) -> Times:
    """Time every case once per round.

    Parameters
    ----------
    cases : mapping
        What is called; a result is dropped outside of the time.
    rounds : int
    warm : bool
        Call each once before, which fills caches of files.
    """
    if warm:
        for case in cases.values():
            case()
    wall: dict[str, list[float]] = {name: [] for name in cases}
    cpu: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds):
        for name in random.Random(turn).sample(list(cases), len(cases)):
            start = time.perf_counter(), _cpu_seconds()
            result = cases[name]()
            cpu[name].append(_cpu_seconds() - start[1])
            wall[name].append(time.perf_counter() - start[0])
            del result
    return Times(wall, cpu)


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of its ended children, the latter in hundredths of a second."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def ratio(taken: Mapping[str, Sequence[float]], ours: str, theirs: str) -> Spread:
    """Return how many times as fast as `theirs` `ours` is: 2 is half the time."""
    return Spread.of([b / a for a, b in zip(taken[ours], taken[theirs], strict=True)])


def all_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _pinned(cores: int) -> Iterator[None]:
    """Restrict processes started in this context to so many cores, those with the highest numbers."""
    if not hasattr(os, "sched_setaffinity"):  # elsewhere the limits of threads have to do
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-cores:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


_LOOK_SECONDS = 0.02
"""How often memory is looked at."""

_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VIPS_CONCURRENCY",
    "PYTHON_CPU_COUNT",
)


@dataclass(frozen=True, slots=True)
class Child:
    """Result of a child process.

    Parameters
    ----------
    output : str
    seconds : float
        From its start to its end.
    cpu_seconds : float
        Of all its threads.
    peak_bytes : int
        Most resident memory of the process, as the system counted it.
    peak_tree_bytes : int
        Most of the process and its children together, looked at every 20 ms, shared pages counted once, and not less
        than `peak_bytes`.
    """

    output: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    peak_tree_bytes: int


def run_child(command: Sequence[str | os.PathLike[str]], cores: int, env: Mapping[str, str] | None = None) -> Child:
    """Run a program on so many cores.

    Raises
    ------
    ClickException
        If it fails.
    """
    limits = dict.fromkeys(_THREAD_LIMITS, str(cores))
    with _pinned(cores):
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **limits, **(env or {})},
        )
    texts: dict[str, str] = {}
    memory, done = _Memory(), threading.Event()

    def keep(name: str, pipe: IO[str]) -> None:
        with pipe:
            texts[name] = pipe.read()

    def look() -> None:
        while not done.wait(_LOOK_SECONDS):
            memory.look(process.pid)

    assert process.stdout is not None
    assert process.stderr is not None
    threads = [
        threading.Thread(target=keep, args=("output", process.stdout)),
        threading.Thread(target=keep, args=("errors", process.stderr)),
        threading.Thread(target=look),
    ]
    for thread in threads:
        thread.start()
    _, status, usage = os.wait4(process.pid, 0)  # reaped here, for its resource usage
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    done.set()
    for thread in threads:
        thread.join()
    if process.returncode:
        raise click.ClickException(f"{' '.join(map(str, command))} failed: {texts['errors'].strip()[-500:]}")
    # the second has those processes too that this one did not wait for, and lacks the last moments
    cpu = max(usage.ru_utime + usage.ru_stime, sum(memory.cpu.values()))
    # ru_maxrss, the fallback, counts what this process held when it started the other
    peak = memory.process or usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Child(texts["output"], seconds, cpu, peak, max(memory.tree, peak))


class _Memory:
    """Peak memory and CPU time of a process, and of it with its children, bytes; Linux only."""

    def __init__(self) -> None:
        self.process = 0
        self.tree = 0
        self.cpu: dict[int, float] = {}

    def look(self, pid: int) -> None:
        """Take one sample; ignore processes that have ended."""
        with suppress(OSError, IndexError, ValueError):
            status = Path(f"/proc/{pid}/status").read_text()
            self.process = max(self.process, 1024 * int(status.partition("VmHWM:")[2].split()[0]))
            self.tree = max(self.tree, self._tree(pid))

    def _tree(self, pid: int) -> int:
        """Return the memory now; pages shared by several processes are divided among them."""
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        self.cpu[pid] = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        resident = 1024 * int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("Pss:")[2].split()[0])
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
        return resident + sum(map(self._tree, children))


# ------------------------------------------------------------------------------------------------------------ reports


def requirement(
    what: str, on: str, found: Spread, least: float, aim: float, *, below: bool = False, cpu: Spread | None = None
) -> dict[str, Json]:
    """Return one row of requirements: a figure, its lower bound (or upper bound, if `below`) and its goal.

    `cpu` is the same of CPU time, which tells on one core what a busy machine hides.
    """
    met = found.median <= least if below else found.median >= least
    bounds = {"at_most" if below else "at_least": least, "aim": aim}
    of_cpu = None if cpu is None else _digits(cpu.median)
    return {"what": what, "on": on, **found.to_json(), "by_cpu_time": of_cpu, **bounds, "met": met}


def requirements_table(rows: Sequence[Mapping[str, Json]]) -> str:
    """Format the requirements as Markdown."""
    return markdown_table(
        ["what must hold", "on", "median (quartiles)", "by CPU time", "bound", "aim", "met"],
        [
            [
                row["what"],
                row["on"],
                str(Spread(row["median"], row["q1"], row["q3"], row["rounds"])),
                "–" if row["by_cpu_time"] is None else _text(row["by_cpu_time"]),
                f"≤ {row['at_most']}" if "at_most" in row else f"≥ {row['at_least']}",
                row["aim"],
                "yes" if row["met"] else "**no**",
            ]
            for row in rows
        ],
    )


def machine() -> dict[str, Json]:
    """Describe the machine, and how busy it was before the benchmark."""
    from importlib.metadata import PackageNotFoundError, version

    versions: dict[str, str | None] = {}
    for name in ("zarr", "tifffile", "dask"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    found = environment()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        **found,
        "packages": {**found["packages"], **versions},
        "usable_cores": all_cores(),
        "memory_gib": round(memory / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def machine_line(found: Mapping[str, Json]) -> str:
    """Format the description of the machine on one line."""
    packages = ", ".join(
        f"{name} {found['packages'][name]}"
        for name in ("numpy", "zarr", "imagecodecs", "tifffile", "openslide-bin", "pyvips-binary")
    )
    return (
        f"{found['processor']}, {found['usable_cores']} cores, {found['memory_gib']} GiB, {found['system']}, Python "
        f"{found['python']}; {packages}; load before {found['load_before']}"
    )


def emit(data: dict[str, Json], tables: Sequence[str], *, as_json: bool) -> None:
    """Print everything as JSON, or the machine and tables as Markdown."""
    if as_json:
        json.dump(data, sys.stdout, indent=1, ensure_ascii=False)
        return
    click.echo("\n\n".join([machine_line(data["machine"]), *tables]))


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all benchmarks have: ``--testdata``, ``--rounds``, ``--quick``, ``--json``."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON with every round, and nothing else."),
        click.option(
            "--quick", is_flag=True, help="Small inputs and few rounds: about a minute, to see that it works."
        ),
        click.option("--rounds", type=click.IntRange(min=1), help="Rounds in which cases take turns."),
        click.option(
            "--testdata",
            type=click.Path(file_okay=False, path_type=Path),  # processes that it starts get none, and need none
            default=os.environ.get("RRIP_TESTDATA", "../shared/testdata"),
            show_default=True,
            help="Folder of the tissue.",
        ),
    ):
        command = option(command)
    return command


def say(text: str, *, quiet: bool) -> None:
    """Print a message about the progress on standard error."""
    if not quiet:
        click.echo(f"{text} …", err=True)


def median(values: Sequence[float]) -> float:
    """Return the median of seconds for tables."""
    return statistics.median(values)
