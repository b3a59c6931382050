"""Worker process of ``bench_workers.py`` and ``bench_training.py``. It imports only what it reads with.

Processes pay for imports, so this module has none of the other benchmarks'.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

SIDE, BATCH = 512, 32
"""Side of a patch, px, and patches of a batch."""

PRELOAD = {
    "rrip": ["numpy", "rrip_format.family.decode"],
    "rrip-slide": ["numpy", "rrip_format.viewers.openslide_api", "rrip_format.family.decode"],
    "rrip-zarr": ["numpy", "zarr", "rrip_format.zarr_views.codec"],
    "openslide": ["numpy", "openslide"],
    "tifffile": ["numpy", "tifffile", "zarr"],
}
"""What a forkserver imports in advance for a reader."""


def open_reader(key: str, path: str, side: int = SIDE) -> Callable[[int, int], Any]:
    """Return a function that reads a patch of level 0 at (y, x), (side, side, 3) uint8, as a data set does."""
    if key == "rrip":
        import rrip_format

        slide = rrip_format.open(path)
        return lambda y, x: slide.read_region(0, y, x, side, side)
    if key in {"rrip-zarr", "tifffile"}:
        return _open_zarr(key, path, side)
    import numpy as np

    if key == "rrip-slide":
        import rrip_format

        opened: Any = rrip_format.RripSlide(path)
    else:
        import openslide

        opened = openslide.OpenSlide(path)
    return lambda y, x: np.asarray(opened.read_region((x, y), 0, (side, side)))[..., :3]


def _open_zarr(key: str, path: str, side: int) -> Callable[[int, int], Any]:
    """Open level 0 through Zarr: a folder with our codec, or an ordinary TIFF by tifffile."""
    import zarr

    if key == "rrip-zarr":
        ours: Any = zarr.open_group(path, mode="r")["0"]
        return lambda y, x: ours[:, y : y + side, x : x + side].transpose(1, 2, 0)
    import tifffile

    array: Any = zarr.open_group(tifffile.imread(path, aszarr=True), mode="r")["0"]
    return lambda y, x: array[y : y + side, x : x + side]


def first_batch(key: str, path: str, shape: tuple[int, int], seed: int, started: float) -> tuple[float, float, float]:
    """Return CPU seconds and seconds since `started` when the first batch is read, and own memory, MiB."""
    read, places = open_reader(key, path), draw_places(shape, BATCH, seed)
    batch = [read(*place) for place in places]
    assert all(patch.shape == (SIDE, SIDE, 3) for patch in batch)
    cpu, wall = time.process_time(), time.monotonic() - started
    return cpu, wall, memory(os.getpid())[0]


def draw_places(shape: Sequence[int], count: int, seed: int, side: int = SIDE) -> list[tuple[int, int]]:
    """Draw (y, x) of patches inside a level of (height, width)."""
    choice = random.Random(seed)
    return [(choice.randrange(shape[0] - side), choice.randrange(shape[1] - side)) for _ in range(count)]


def memory(pid: int) -> tuple[float, float]:
    """Return the memory of a process that no other shares, and that with its part of what is shared (PSS), MiB.

    Linux only, otherwise 0.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123 - pathlib is not loaded
            sizes = [line.split() for line in file][1:]
    except OSError:
        return 0.0, 0.0
    own = sum(int(size[1]) for size in sizes if size[0].startswith("Private_"))
    shared_out = next((int(size[1]) for size in sizes if size[0] == "Pss:"), 0)
    return own / 1024, shared_out / 1024


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used. Linux only, otherwise 0."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - as above
            user, system = file.read().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def make_context(method: str, key: str, *also: str) -> Any:
    """Return the context of a start method; a forkserver imports what the reader needs, and the modules `also`."""
    import multiprocessing

    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([*PRELOAD[key], *also])
    return context


def run(method: str, key: str, path: str, shape: tuple[int, int], workers: int) -> list[tuple[float, float, float]]:
    """Start workers and wait for the first batch of each.

    The first process has read a patch before, as it has where a data set looks at its slide.
    """
    from concurrent.futures import ProcessPoolExecutor

    open_reader(key, path)(0, 0)
    context = make_context(method, key)
    started = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [pool.submit(first_batch, key, path, shape, seed, started) for seed in range(workers)]
        return [job.result() for job in jobs]


class Patches:
    """Data set of PyTorch: patches of level 0 at (y, x); each worker opens the slide when it reads first."""

    def __init__(self, key: str, path: str, places: list[tuple[int, int]], side: int) -> None:
        self.key, self.path, self.places, self.side = key, path, places, side
        self.read: Callable[[int, int], Any] | None = None

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Any:
        if self.read is None:
            self.read = open_reader(self.key, self.path, self.side)
        return self.read(*self.places[index])


class Turns:
    """Sampler of PyTorch: the next patches in each epoch, so that none is read twice."""

    def __init__(self, count: int) -> None:
        self.count, self.turn = count, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        start = self.turn * self.count
        self.turn += 1
        return iter(range(start, start + self.count))


def run_loader(
    method: str, key: str, path: str, shape: tuple[int, int], workers: int, side: int, batches: int
) -> dict[str, float]:
    """Read two epochs with a ``DataLoader``.

    Returns
    -------
    dict
        Seconds to the first batch; patches a second and CPU milliseconds a patch of the second epoch, the latter in the
        workers; and a worker's memory at its end, MiB. Where there are no workers, those of the process itself.
    """
    import multiprocessing

    from torch.utils.data import DataLoader

    open_reader(key, path, side)(0, 0)
    context = make_context(method, key, "torch") if workers else None
    turns = Turns(batches * BATCH)
    patches: Any = Patches(key, path, draw_places(shape, 2 * len(turns), 0, side), side)
    started = time.monotonic()
    loader: Any = DataLoader(
        patches,
        BATCH,
        sampler=turns,
        num_workers=workers,
        multiprocessing_context=context,
        persistent_workers=bool(workers),
    )
    first = 0.0
    for batch in loader:
        first = first or time.monotonic() - started
        assert tuple(batch.shape) == (BATCH, side, side, 3)
    pids = [child.pid for child in multiprocessing.active_children() if child.pid] or [os.getpid()]
    used, started = sum(map(cpu_seconds, pids)), time.monotonic()
    for _ in loader:
        pass
    seconds, used = time.monotonic() - started, sum(map(cpu_seconds, pids)) - used
    sizes = [memory(pid) for pid in pids]
    own, shared_out = (sum(size[part] for size in sizes) / len(sizes) for part in (0, 1))
    return {
        "first_s": first,
        "per_second": len(turns) / seconds,
        "cpu_ms": 1000 * used / len(turns),
        "own_mib": own,
        "pss_mib": shared_out,
    }


if __name__ == "__main__":
    import json

    json.dump(run(*json.loads(sys.argv[1])), sys.stdout)
