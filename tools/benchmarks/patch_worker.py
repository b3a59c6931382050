"""Worker process of ``bench_workers.py``. It imports only what it reads with, because processes pay for imports."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

SIDE, BATCH = 512, 32
"""Side of a patch, px, and patches of a batch."""


def open_reader(key: str, path: str) -> Callable[[int, int], Any]:
    """Return a function that reads a patch of level 0 at (y, x), (512, 512, 3) uint8, as a data set does."""
    if key == "rrip":
        import rrip_format

        slide = rrip_format.open(path)
        return lambda y, x: slide.read_region(0, y, x, SIDE, SIDE)
    if key == "rrip-slide":
        import numpy as np

        import rrip_format

        wrapped = rrip_format.RripSlide(path)
        return lambda y, x: np.asarray(wrapped.read_region((x, y), 0, (SIDE, SIDE)))[..., :3]
    import numpy as np
    import openslide

    opened: Any = openslide.OpenSlide(path)
    return lambda y, x: np.asarray(opened.read_region((x, y), 0, (SIDE, SIDE)))[..., :3]


def first_batch(key: str, path: str, shape: tuple[int, int], seed: int, started: float) -> tuple[float, float, float]:
    """Return CPU seconds and seconds since `started` when the first batch is read, and own memory, MiB."""
    read, places = open_reader(key, path), random.Random(seed)
    batch = [read(places.randrange(shape[0] - SIDE), places.randrange(shape[1] - SIDE)) for _ in range(BATCH)]
    assert all(patch.shape == (SIDE, SIDE, 3) for patch in batch)
    cpu, wall = time.process_time(), time.monotonic() - started
    return cpu, wall, own_memory()


def own_memory() -> float:
    """Return the memory of this process that no other shares, MiB; Linux only, otherwise 0."""
    try:
        with open(f"/proc/{os.getpid()}/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123 - pathlib is not loaded
            return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) / 1024
    except OSError:
        return 0.0


def run(method: str, key: str, path: str, shape: tuple[int, int], workers: int) -> list[tuple[float, float, float]]:
    """Start workers and wait for the first batch of each.

    The first process has read a patch before, as it has where a data set looks at its slide.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    open_reader(key, path)(0, 0)
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["numpy", "openslide" if key == "openslide" else "rrip_format.family.decode"])
    started = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [pool.submit(first_batch, key, path, shape, seed, started) for seed in range(workers)]
        return [job.result() for job in jobs]


if __name__ == "__main__":
    import json

    json.dump(run(*json.loads(sys.argv[1])), sys.stdout)
