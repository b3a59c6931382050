"""Measure reading of patches at random, as in training, and along a path, as in a viewer: RRIP and ordinary TIFF.

::

    python tools/benchmarks/bench_patches.py --testdata ../shared/testdata --json > patches.json

The slide is a mosaic of tissue, as a container of the default quality and as JPEG 4:2:0 TIFF of quality 90, with tiles
of 512 px at level 0 in both. Each round has patches of its own, the same for all readers, who take turns. A reader is
opened once, as a data loader does, except for the viewer, who opens it anew each round. OpenSlide and RripSlide keep
32 MB of decoded tiles, an eighth of level 0 at the default size; with --quick they keep all of it.
"""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import benchlib
import click
import numpy as np
from bench_readers import LABELS, Files, Reader, check_readers, make_files, open_reader
from benchlib import Json, Spread

from rrip_format.evaluate.tables import markdown_table

ROUNDS, QUICK_ROUNDS = 5, 2
MEGAPIXELS, QUICK_MEGAPIXELS = 64.0, 4.0
PATCHES, QUICK_PATCHES = 64, 8
SIZES = (256, 512)
LEVELS = (0, 1)
THREADS = (1, 8, 32)

TILE = 512
"""Side of what a viewer asks for, px."""

_VIEW = (2, 3)
"""Rows and columns of tiles on the screen."""

_STEPS = 4
"""Half screens that a viewer pans at each level."""

Area = tuple[int, int, int, int, int]
"""Level, y, x, height, width."""


def random_areas(files: Files, level: int, size: int, count: int, seed: int) -> list[Area]:
    """Draw patches anywhere inside a level."""
    height, width = files.shapes[level]
    choice = random.Random(f"{level} {size} {seed}")
    return [
        (level, choice.randint(0, height - size), choice.randint(0, width - size), size, size) for _ in range(count)
    ]


def viewer_path(files: Files) -> list[Area]:
    """Return the tiles that a viewer requests from the whole slide to level 0 and back, but for those already shown."""
    levels = len(files.shapes)
    down = range(levels - 1, -1, -1)
    asked: list[Area] = []
    for level in [*down, *range(1, levels)]:
        rows, cols = (-(-side // TILE) for side in files.shapes[level])
        on_screen: set[tuple[int, int]] = set()
        for step in range(_STEPS):  # to the right, through the middle of the slide
            top = max(0, (rows - _VIEW[0]) // 2)
            left = max(0, min(cols - _VIEW[1], (cols - _VIEW[1]) // 3 + step * _VIEW[1] // 2))
            view = {
                (row, col)
                for row in range(top, min(rows, top + _VIEW[0]))
                for col in range(left, min(cols, left + _VIEW[1]))
            }
            for row, col in sorted(view - on_screen):
                y, x = row * TILE, col * TILE
                height, width = (min(TILE, side - at) for side, at in zip(files.shapes[level], (y, x), strict=True))
                asked.append((level, y, x, height, width))
            on_screen = view
    return asked


# ------------------------------------------------------------------------------------------------------------- reading


def timed(read: Reader, area: Area) -> float:
    """Return the time of one patch, seconds."""
    start = time.perf_counter()
    read(*area)
    return time.perf_counter() - start


_readers: dict[str, Reader] = {}
"""Of a worker process."""


def _open_all(files: Files) -> None:
    """Open every reader in a worker process, and read once to warm up."""
    for key in LABELS:
        _readers[key] = open_reader(key, files).__enter__()
        _readers[key](0, 0, 0, 64, 64)


def _read_in_worker(key: str, areas: Sequence[Area]) -> list[float]:
    return [timed(_readers[key], area) for area in areas]


class Latencies:
    """Latencies of every patch, by reader and round."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[list[float]]] = defaultdict(list)

    def case(self, key: str, run: Callable[[int], list[float]]) -> Callable[[], None]:
        """Return a case for :func:`benchlib.interleave`; `run` receives the number of its previous calls."""
        return lambda: self.seconds[key].append(run(len(self.seconds[key])))


def summary(wall: dict[str, list[float]], latencies: Latencies, count: int) -> dict[str, Json]:
    """Return patches per second and percentiles of latency by reader, and the median by round for ratios."""
    found = {}
    for key, seconds in wall.items():
        rounds = latencies.seconds[key][-len(seconds) :]  # those before warmed up
        p50, p95, p99 = (1000 * np.percentile(np.concatenate(rounds), [50, 95, 99])).tolist()
        found[key] = {
            "patches_per_second": Spread.of([count / one for one in seconds]).to_json(),
            "p50_ms": round(p50, 2),
            "p95_ms": round(p95, 2),
            "p99_ms": round(p99, 2),
            "p50_ms_by_round": [round(1000 * float(np.median(one)), 3) for one in rounds],
            "seconds_by_round": seconds,
        }
    return found


def measure_threads(
    readers: dict[str, Reader], files: Files, level: int, size: int, threads: int, count: int, rounds: int
) -> dict[str, Json]:
    """Measure random patches with threads that share a reader; latencies do not include waiting for a thread."""
    latencies = Latencies()
    with ThreadPoolExecutor(threads) as pool:

        def run(read: Reader, turn: int) -> list[float]:
            return list(pool.map(partial(timed, read), random_areas(files, level, size, count, turn)))

        cases = {key: latencies.case(key, partial(run, read)) for key, read in readers.items()}
        return summary(benchlib.interleave(cases, rounds).wall, latencies, count)


def measure_processes(
    pool: ProcessPoolExecutor, workers: int, files: Files, level: int, size: int, count: int, rounds: int
) -> dict[str, Json]:
    """Measure random patches with worker processes, each with its own readers."""
    latencies = Latencies()

    def run(key: str, turn: int) -> list[float]:
        areas = random_areas(files, level, size, count, turn)
        shares = [areas[start::workers] for start in range(workers)]
        return [one for part in pool.map(partial(_read_in_worker, key), shares) for one in part]

    cases = {key: latencies.case(key, partial(run, key)) for key in LABELS}
    return summary(benchlib.interleave(cases, rounds).wall, latencies, count)


def measure_viewer(files: Files, rounds: int) -> dict[str, Json]:
    """Measure the path of a viewer, tile by tile, with a newly opened reader; also the median latency at each level."""
    path = viewer_path(files)
    latencies = Latencies()

    def run(key: str, _turn: int) -> list[float]:
        with open_reader(key, files) as read:
            return [timed(read, area) for area in path]

    cases = {key: latencies.case(key, partial(run, key)) for key in LABELS}
    found = summary(benchlib.interleave(cases, rounds).wall, latencies, len(path))
    for key, one in found.items():
        seconds = np.array(latencies.seconds[key][-rounds:])
        levels = np.array([area[0] for area in path])
        one["p50_ms_by_level"] = [
            round(1000 * float(np.median(seconds[:, levels == level])), 2) for level in range(len(files.shapes))
        ]
    return found


def measure(files: Files, count: int, rounds: int, *, quiet: bool) -> Iterator[tuple[dict[str, Json], dict[str, Json]]]:
    """Measure every reader as the options ask."""
    with ExitStack() as stack:
        readers = {key: stack.enter_context(open_reader(key, files)) for key in LABELS}
        for level in LEVELS:
            for size in SIZES:
                for threads in THREADS:
                    benchlib.say(f"patches of {size} px, level {level}, {threads} threads", quiet=quiet)
                    found = measure_threads(readers, files, level, size, threads, count, rounds)
                    yield {"level": level, "size": size, "workers": f"{threads} threads"}, found
    workers = max(2, benchlib.all_cores())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _open_all, (files,)) as pool:
        for level in LEVELS:
            for size in SIZES:
                benchlib.say(f"patches of {size} px, level {level}, {workers} processes", quiet=quiet)
                found = measure_processes(pool, workers, files, level, size, count, rounds)
                yield {"level": level, "size": size, "workers": f"{workers} processes"}, found


# -------------------------------------------------------------------------------------------------------------- report


def p50_ratio(found: dict[str, Json], ours: str, theirs: str) -> Spread:
    """Return how much longer `theirs` takes for a patch, by the medians of each round."""
    pairs = zip(found[ours]["p50_ms_by_round"], found[theirs]["p50_ms_by_round"], strict=True)
    return Spread.of([other / our for our, other in pairs])


def title(one: dict[str, Json]) -> str:
    """Return the title of a set of random patches."""
    return f"{one['size']}², L{one['level']}, {one['workers']}"


def tables(sets: Sequence[dict[str, Json]], viewer: dict[str, Json]) -> Iterator[str]:
    """Format Markdown tables: patches per second, percentiles of latency, and the viewer's tiles by level."""
    every = [*((title(one), one["readers"]) for one in sets), (f"viewer, {viewer['tiles']} tiles", viewer["readers"])]
    keys = list(LABELS)
    yield markdown_table(
        ["patches/s", *(LABELS[key] for key in keys)],
        [[what, *(f"{found[key]['patches_per_second']['median']:.0f}" for key in keys)] for what, found in every],
    )
    yield markdown_table(
        ["its p50 to that of RRIP, direct", *(LABELS[key] for key in keys[1:])],
        [[what, *(str(p50_ratio(found, "rrip", key)) for key in keys[1:])] for what, found in every],
    )
    yield markdown_table(
        ["p50 / p95 / p99, ms", *(LABELS[key] for key in keys)],
        [
            [what, *(" / ".join(f"{found[key][name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms")) for key in keys)]
            for what, found in every
        ],
    )
    levels = range(len(viewer["readers"]["rrip"]["p50_ms_by_level"]))
    yield markdown_table(
        ["viewer, p50 of a tile, ms", *(f"L{level}" for level in levels)],
        [[LABELS[key], *(f"{viewer['readers'][key]['p50_ms_by_level'][k]:.1f}" for k in levels)] for key in keys],
    )


def requirements(sets: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
    """Compare the measurements with the requirements for patches."""
    rows = []
    for one in sets:
        if one["size"] != 512:
            continue
        for ours, door in (("rrip", "direct reader"), ("rrip-zarr", "zarr")):
            what = f"random 512² patches, p50, {door} to tifffile's zarr"
            on = f"L{one['level']}, {one['workers']}"
            rows.append(benchlib.requirement(what, on, p50_ratio(one["readers"], ours, "tifffile-zarr"), 1.0, 1.5))
    return rows


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of level 0.")
@click.option("--patches", "count", type=click.IntRange(min=2), help="Patches a round.")
def main(
    *, testdata: Path, rounds: int | None, quick: bool, as_json: bool, megapixels: float | None, count: int | None
) -> None:
    """Measure how fast patches are read, at random and along a viewer's path."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    count = count or (QUICK_PATCHES if quick else PATCHES)
    machine = benchlib.machine()
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as scratch:
        benchlib.say("making the slide", quiet=as_json)
        size = megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS)
        files = make_files(testdata, Path(scratch), size)
        check_readers(files)
        sets = [{**what, "readers": found} for what, found in measure(files, count, rounds, quiet=as_json)]
        benchlib.say("viewer", quiet=as_json)
        viewer = measure_viewer(files, rounds)
    data: dict[str, Json] = {
        "machine": machine,
        "rounds": rounds,
        "patches_a_round": count,
        "slide": {"height": files.shapes[0][0], "width": files.shapes[0][1], "levels": len(files.shapes)},
        "random": sets,
        "viewer": {"tiles": len(viewer_path(files)), "readers": viewer},
        "must_hold": requirements(sets),
    }
    found = [*tables(sets, data["viewer"]), benchlib.requirements_table(data["must_hold"])]
    benchlib.emit(data, found, as_json=as_json)


if __name__ == "__main__":
    main()
