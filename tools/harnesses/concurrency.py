"""Test many readers of one container, and readers of a container that is being replaced.

    python tools/harnesses/concurrency.py                    60 s each, 4 processes with 8 threads
    python tools/harnesses/concurrency.py --seconds 3        the quick form

Of a container that does not change, every read must give the true pixels: none may fail. Of one that a writer replaces
over and over with another slide, every read must give pixels wholly of the one or wholly of the other slide, or be
refused; never a mix. All bindings are read at the same time, through an open slide that all threads of a process
share, through one that is opened for the read, through Zarr and through OpenSlide's interface. The time runs once all
processes have read something. Exit code 1 if any read was wrong or failed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from damage.specimens import MAIN_FILE, Truth, pair
from numpy.typing import NDArray

import rrip_format
from rrip_format.containers.copying import transmux
from rrip_format.errors import RripError
from rrip_format.slides.slide import Slide
from rrip_format.viewers.openslide_api import RripSlide
from rrip_format.zarr_views.store import RripStore

KINDS = ("folder", "zip", "tiff")
SIDE = 600
"""Width and height of the slides, px: nine families, so that a read can see both sides of a replacement."""

Region = tuple[int, int, int, int]
"""y, x, height, width."""


@dataclass
class Tally:
    """Observations of one process."""

    reads: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Reader:
    """Everything about one container that the threads of a process share, opened on demand.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @cached_property
    def _slide(self) -> Slide:
        return rrip_format.open(self.path)

    @cached_property
    def _openslide(self) -> RripSlide:
        return RripSlide(self.path)

    @cached_property
    def _group(self) -> Any:
        return zarr.open_group(RripStore(self.path), mode="r")

    def open_slide(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Read through a slide that stays open."""
        return self._slide.read_region(level, *region)

    def imread(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Read through a slide that is opened for it."""
        return rrip_format.imread(self.path, level, region=region)

    def zarr_store(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Read through Zarr and our store."""
        y, x, height, width = region
        return np.asarray(self._group[str(level)][:, y : y + height, x : x + width]).transpose(1, 2, 0)

    def zarr_path(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Read through Zarr alone, which finds our codec by itself; a folder only."""
        if not Path(self.path).is_dir():
            return self.imread(level, region)
        y, x, height, width = region
        found: Any = zarr.open_group(self.path, mode="r")[str(level)]
        return np.asarray(found[:, y : y + height, x : x + width]).transpose(1, 2, 0)

    def openslide(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Read through OpenSlide's interface, whose coordinates are those of level 0."""
        y, x, height, width = region
        image = self._openslide.read_region((x << level, y << level), level, (width, height))
        return np.asarray(image)[..., :3]

    def forget(self) -> None:
        """Drop everything that is open, so that the next read opens it again."""
        for name in ("_slide", "_openslide", "_group"):
            self.__dict__.pop(name, None)


WAYS: tuple[Callable[[Reader, int, Region], NDArray[np.uint8]], ...] = (
    Reader.open_slide,
    Reader.imread,
    Reader.zarr_store,
    Reader.zarr_path,
    Reader.openslide,
)


def _read_once(rng: np.random.Generator, readers: Mapping[str, Reader], truths: list[Truth], tally: Tally) -> None:
    """Read a random region in a random way."""
    kind, way = str(rng.choice(list(readers))), WAYS[int(rng.integers(len(WAYS)))]
    level = int(rng.integers(len(truths[0].levels)))
    rows, cols = truths[0].levels[level].shape[1:]
    height, width = int(rng.integers(1, rows + 1)), int(rng.integers(1, cols + 1))
    y, x = int(rng.integers(rows - height + 1)), int(rng.integers(cols - width + 1))
    name = f"{kind}: {way.__name__}"
    try:
        found = way(readers[kind], level, (y, x, height, width))
    except (RripError, zarr.errors.GroupNotFoundError, FileNotFoundError, KeyError) as error:
        is_ours = isinstance(error, RripError) or way is Reader.zarr_path  # Zarr's own, where nothing is there to open
        if not is_ours or len(truths) == 1:
            tally.faults.append(f"{name}: {type(error).__name__}: {error}")
        tally.refused[type(error).__name__] += 1
        readers[kind].forget()
        return
    except Exception as error:  # noqa: BLE001  (this is what is looked for)
        tally.faults.append(f"{name}: {type(error).__name__}: {error}")
        return
    tally.reads[name] += 1
    expected = [truth.levels[level][:, y : y + height, x : x + width].transpose(1, 2, 0) for truth in truths]
    if not any(np.array_equal(found, candidate) for candidate in expected):
        tally.faults.append(f"{name}: wrong pixels in level {level}, rows {y}+{height}, columns {x}+{width}")


def _process(
    paths: Mapping[str, str], truths: list[Truth], threads: int, seconds: float, seed: int, ready: Any, results: Any
) -> None:
    """Run one process of readers."""
    readers = {kind: Reader(path) for kind, path in paths.items()}
    tallies = [Tally() for _ in range(threads)]
    for reader in readers.values():
        for way in WAYS:
            way(reader, 0, (0, 0, SIDE, SIDE))  # imports and compiles
    ready.wait()
    end = time.monotonic() + seconds

    def work(number: int) -> None:
        rng = np.random.default_rng([seed, number])
        while time.monotonic() < end and len(tallies[number].faults) < 20:
            _read_once(rng, readers, truths, tallies[number])

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    results.put(tallies)


def _replace(sources: list[str], targets: Mapping[str, str], ready: Any, stop: Any, count: Any) -> None:
    """Replace each container in turn by the other slide, as ``rrip convert --overwrite`` does."""
    turn = 0
    ready.wait()
    while not stop.is_set():
        turn += 1
        for target in targets.values():
            transmux(sources[turn % len(sources)], target, overwrite=True)
            count.value += 1


def run(seconds: float, processes: int, threads: int, *, is_replaced: bool) -> dict[str, Any]:
    """Run readers of constant or of replaced containers, and return their observations."""
    context: Any = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
    if hasattr(os, "fork"):
        context.set_forkserver_preload(["concurrency", "rrip_format.zarr_views.codec"])
    pictures = pair(SIDE)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="rrip-", dir=memory) as scratch:
        sources = []
        for number, slide in enumerate(pictures):
            sources.append(str(Path(scratch, f"{number}.rrip.tif")))
            Path(sources[-1]).write_bytes(slide.files["tiff"][MAIN_FILE["tiff"]])
        names = {"folder": "slide.rrip.zarr", "zip": MAIN_FILE["zip"], "tiff": MAIN_FILE["tiff"]}
        paths = {kind: str(Path(scratch, names[kind])) for kind in KINDS}
        for path in paths.values():
            transmux(sources[0], path)
        truths = [slide.truth for slide in (pictures if is_replaced else pictures[:1])]
        results, stop, count = context.Queue(), context.Event(), context.Value("i", 0)
        ready = context.Barrier(processes + is_replaced)
        writer = context.Process(target=_replace, args=(sources, paths, ready, stop, count), daemon=True)
        readers = [
            context.Process(target=_process, args=(paths, truths, threads, seconds, seed, ready, results), daemon=True)
            for seed in range(processes)
        ]
        for process in (*readers, *((writer,) if is_replaced else ())):
            process.start()
        try:
            tallies = [tally for _ in readers for tally in results.get(timeout=seconds + 120)]
        finally:
            stop.set()
            for process in readers:
                process.join(10)
            if is_replaced:
                writer.join(30)
        failed = [process.exitcode for process in readers if process.exitcode]
        if is_replaced and writer.exitcode:
            failed.append(writer.exitcode)
        return _report(tallies, failed, count.value)


def _report(tallies: list[Tally], failed: list[int], replacements: int) -> dict[str, Any]:
    reads, refused = Counter[str](), Counter[str]()
    for tally in tallies:
        reads.update(tally.reads)
        refused.update(tally.refused)
    faults = [fault for tally in tallies for fault in tally.faults]
    return {
        "reads": reads.total(),
        "reads_by_way": dict(sorted(reads.items())),
        "refused": dict(sorted(refused.items())),
        "replacements": replacements,
        "faults": [*faults, *(f"a process ended with code {code}" for code in failed)],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    given = parser.parse_args()
    reports = {
        name: run(given.seconds, given.processes, given.threads, is_replaced=is_replaced)
        for name, is_replaced in (("unchanging", False), ("replaced", True))
    }
    if given.json:
        print(json.dumps(reports))
        return any(report["faults"] for report in reports.values())
    for name, report in reports.items():
        print(
            f"{name}: {report['reads']} reads in {given.seconds:g} s by {given.processes} processes x {given.threads} "
            f"threads, {len(report['faults'])} wrong or failed; {report['replacements']} replacements, "
            f"{sum(report['refused'].values())} reads refused: {report['refused']}"
        )
        for fault in report["faults"][:20]:
            print(f"  {fault}")
    return any(report["faults"] for report in reports.values())


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
