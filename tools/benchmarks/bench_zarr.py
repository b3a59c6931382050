"""Measure how Zarr's limits ``async.concurrency`` and ``threading.max_workers`` affect reading.

::

    python tools/benchmarks/bench_zarr.py --testdata ../shared/testdata --json > zarr.json

The first is how many chunks of one request are under way at a time, the second how many threads decode them, for the
whole process and fixed when Zarr first needs one. So each setting is a process of its own, told by Zarr's environment
variables, and processes take turns.
"""

from __future__ import annotations

import json
import pickle
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import benchlib
import click
from bench_patches import random_areas
from bench_readers import LABELS, Files, make_files, open_reader
from benchlib import Json, Spread

from rrip_format.evaluate.tables import markdown_table

ROUNDS, QUICK_ROUNDS = 5, 1
MEGAPIXELS, QUICK_MEGAPIXELS = 16.0, 2.0

SETTINGS: dict[str, tuple[int | None, int | None]] = {
    "default": (None, None),
    "concurrency 1": (1, None),
    "concurrency 2": (2, None),
    "concurrency 64": (64, None),
    "threads 1": (None, 1),
    "threads 2": (None, 2),
    "threads 16": (None, 16),
    "concurrency 64, threads 2": (64, 2),
    "concurrency 64, threads 16": (64, 16),
}
"""``async.concurrency`` and ``threading.max_workers``, None for Zarr's own."""

READERS = ("rrip-zarr", "rrip-tiff-zarr", "tifffile-zarr")
CASES = {"level": "whole L0, MP/s", "one": "512², one thread, ms", "eight": "512², eight threads, patches/s"}
PATCHES = 16


def child(folder: Path, rounds: int) -> dict[str, Json]:
    """Measure median seconds of every case and reader in this process, whose environment sets the limits."""
    files: Files = pickle.loads((folder / "files.pickle").read_bytes())
    height, width = files.shapes[0]
    areas = random_areas(files, 0, 512, PATCHES, 0)
    cases: dict[str, Callable[[], object]] = {}
    with ThreadPoolExecutor(8) as pool, ExitStack() as stack:
        for key in READERS:
            read = stack.enter_context(open_reader(key, files))
            cases[f"level {key}"] = partial(read, 0, 0, 0, height, width)
            cases[f"one {key}"] = lambda read=read: [read(*area) for area in areas]  # type: ignore[misc]
            cases[f"eight {key}"] = lambda read=read: list(pool.map(lambda area: read(*area), areas))  # type: ignore[misc]
        taken = benchlib.interleave(cases, rounds).wall
    return {name: benchlib.median(seconds) for name, seconds in taken.items()}


def environment_of(setting: str) -> dict[str, str]:
    """Return Zarr's environment variables for a setting."""
    concurrency, threads = SETTINGS[setting]
    names = {"ZARR_ASYNC__CONCURRENCY": concurrency, "ZARR_THREADING__MAX_WORKERS": threads}
    return {name: str(value) for name, value in names.items() if value is not None}


def measure(folder: Path, rounds: int, *, quiet: bool) -> tuple[dict[str, dict[str, list[float]]], dict[str, float]]:
    """Measure seconds by setting, case and round, and peak memory in MiB by setting."""
    found: dict[str, dict[str, list[float]]] = {setting: {} for setting in SETTINGS}
    peaks = dict.fromkeys(SETTINGS, 0.0)

    def run(setting: str) -> None:
        benchlib.say(setting, quiet=quiet)
        command = [sys.executable, __file__, "--child", str(folder), "--rounds", "3"]
        done = benchlib.run_child(command, benchlib.all_cores(), environment_of(setting))
        peaks[setting] = max(peaks[setting], done.peak_bytes / 2**20)
        for name, seconds in json.loads(done.output).items():
            found[setting].setdefault(name, []).append(seconds)

    benchlib.interleave({setting: partial(run, setting) for setting in SETTINGS}, rounds, warm=False)
    return found, peaks


def table(case: str, found: dict[str, dict[str, list[float]]], pixels: int) -> str:
    """Format the figures of every reader for one case, and our speed relative to the default."""
    rows = []
    for setting, seconds in found.items():
        row = [setting]
        for key in READERS:
            taken = benchlib.median(seconds[f"{case} {key}"])
            figure = {"level": pixels / 1e6 / taken, "one": 1000 * taken / PATCHES, "eight": PATCHES / taken}[case]
            row.append(f"{figure:.1f}")
        name = f"{case} rrip-zarr"
        pairs = zip(found["default"][name], seconds[name], strict=True)
        rows.append([*row, str(Spread.of([default / own for default, own in pairs]))])
    head = [CASES[case], *(LABELS[key] for key in READERS), "speed of RRIP, zarr, to the default's"]
    return markdown_table(head, rows)


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of level 0.")
@click.option("--child", "folder", type=click.Path(path_type=Path), hidden=True)
def main(
    *, testdata: Path, rounds: int | None, quick: bool, as_json: bool, megapixels: float | None, folder: Path | None
) -> None:
    """Measure how Zarr's limits of concurrency affect reading."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    if folder is not None:
        json.dump(child(folder, rounds), sys.stdout)
        return
    machine = benchlib.machine()
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as name:
        scratch = Path(name)
        files = make_files(testdata, scratch, megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS))
        (scratch / "files.pickle").write_bytes(pickle.dumps(files))
        found, peaks = measure(scratch, rounds, quiet=as_json)
    pixels = files.shapes[0][0] * files.shapes[0][1]
    data = {"machine": machine, "pixels": pixels, "seconds": found, "peak_mib": peaks}
    memory = markdown_table(["peak memory", "MiB"], [[setting, f"{peak:.0f}"] for setting, peak in peaks.items()])
    benchlib.emit(data, [*(table(case, found, pixels) for case in CASES), memory], as_json=as_json)


if __name__ == "__main__":
    main()
