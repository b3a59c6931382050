"""Kill and disturb conversions at every step, and count faults afterwards.

    python tools/harnesses/crash_test.py            # all kinds of containers, every step, 300 kills at random moments
    python tools/harnesses/crash_test.py --quick    # what the tests run

Each run is a forked process in which writing, flushing, renaming and making folders is counted: the k-th such call
fails, or the process dies by ``kill -9`` before it, or halfway through it where it writes. After every run the target
must be what it was before or the complete new container, nothing but it and the hidden folder beside it may be there,
and ``resume`` must give the same bytes as a run that nothing interrupts. Needs a system with ``fork`` and ``/proc``.
"""

from __future__ import annotations

import argparse
import builtins
import errno
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from rrip_format import RripError, Settings, convert
from rrip_format import open as open_slide
from rrip_format.conversion import blocks
from rrip_format.family.decode import decode_planes
from rrip_format.family.overviews import pad
from rrip_format.sources import open_source
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import Coding
from rrip_format.spec.zarr_layout import tile_key
from rrip_format.storage import journal, sinks
from rrip_format.storage import workplace as disk
from rrip_format.tuning.chroma_fit import fit_chroma
from rrip_format.tuning.sampling import halve_twice

SUFFIXES = (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif")
SETTINGS = Settings(tile=64, effort="fast", steps=(8.0, 8.0, 6.0, 9.0))
ACTIONS = ("fail", "full", "kill", "tear")
"""The call fails; it and all later writes do; the process dies before it; the process dies halfway through a write."""

DONE, REFUSED, UNCLEAN, KILLED = "done", "refused", "unclean", "killed"
REACHED = 64
"""Flag in the exit status: the step was reached at which something was to happen."""


@dataclass
class Tap:
    """Counts what a process does to the disk, and lets it fail or die at one step.

    Parameters
    ----------
    action : str
        One of ``ACTIONS``, or nothing.
    at : int
        The step.
    """

    action: str = ""
    at: int = -1
    steps: int = 0
    events: list[tuple[Any, ...]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def step(self, name: str, *paths: Any, torn: Callable[[], object] | None = None) -> Iterator[None]:
        """Count one call to the system."""
        with self.lock:
            now = self.steps
            self.steps += 1
            if now == self.at and self.action in {"kill", "tear"}:
                if torn is not None and self.action == "tear":
                    torn()
                os.kill(os.getpid(), signal.SIGKILL)
            if now == self.at and self.action == "fail":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if now >= self.at >= 0 and self.action == "full" and name in {"write", "mkdir", "create"}:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            yield
            self.events.append((name, *map(os.fspath, paths)))

    def install(self) -> None:
        """Put the tap between this process and the system permanently."""
        fsync, real_open, exchange = os.fsync, builtins.open, disk.exchange_names

        def tapped(name: str) -> None:
            original = getattr(os, name)

            def call(*paths: Any, **options: Any) -> Any:
                with self.step(name, *(path for path in paths if isinstance(path, str | os.PathLike))):
                    return original(*paths, **options)

            setattr(os, name, call)

        for name in ("mkdir", "rename", "replace"):
            tapped(name)

        def tapped_fsync(handle: int) -> None:
            with self.step("fsync", Path(f"/proc/self/fd/{handle}").readlink()):
                fsync(handle)

        def tapped_exchange(first: Path, second: Path) -> bool:
            with self.step("exchange", first, second):
                return exchange(first, second)

        def tapped_open(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **options: Any) -> Any:
            if "b" not in mode or not set(mode) & set("wxa+"):
                return real_open(file, mode, buffering, *rest, **options)
            raw = _File(file, mode, self)
            if buffering == 0:
                return raw
            return (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw, max(buffering, 8192))

        os.fsync = tapped_fsync  # type: ignore[assignment]
        disk.exchange_names = tapped_exchange
        builtins.open = io.open = tapped_open


class _File(io.FileIO):
    """A file whose writes are steps."""

    def __init__(self, path: Any, mode: str, tap: Tap) -> None:
        with tap.step("create", path):
            super().__init__(path, mode.replace("b", ""))
        self.tap = tap

    def write(self, data: Any) -> int:
        half = bytes(data)[: len(data) // 2]
        with self.tap.step("write", self.name, torn=lambda: super(_File, self).write(half)):
            text = bytes(data).decode("latin-1") if str(self.name).endswith("journal") else ""
            self.tap.events.append(("data", os.fspath(self.name), self.tell(), len(data), text))
            return super().write(data)

    def truncate(self, size: int | None = None) -> int:
        with self.tap.step("truncate", self.name):
            return super().truncate(size)


def in_child(job: Callable[[Tap], None], tap: Tap, *, kill_after: float | None = None) -> tuple[str, bool]:
    """Run a job in a process of its own; return how it ended, and whether the tap's step occurred."""
    child = os.fork()
    if not child:
        status = 3
        try:
            tap.install()
            job(tap)
            status = 0
        except RripError:
            status = 1
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            status = 2
        finally:
            os._exit(status | (REACHED if tap.steps > tap.at >= 0 else 0))
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGKILL:
        return KILLED, True
    return {0: DONE, 1: REFUSED}.get(code & ~REACHED, UNCLEAN), bool(code & REACHED)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder with their names; "nothing" if there is none."""
    if not os.path.lexists(path):
        return "nothing"
    found = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            found.update(file.relative_to(path).as_posix().encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def opens(path: Path) -> bool:
    """Return whether a reader opens a path as a container and reads all of it."""
    try:
        with open_slide(path) as slide:
            for level in slide.levels:
                slide.read_region(level.index, 0, 0, level.height, level.width)
    except RripError:
        return False
    return True


@dataclass
class Case:
    """One slide and one kind of container, with the allowed digests of the target.

    Parameters
    ----------
    folder : Path
        An empty one, where the target is made again and again.
    source : Path
    suffix : str
    overwrite : bool
        Whether another container is at the target before.
    exchange : bool
        Whether the system can exchange two folders in one step.
    quick : bool
        Resume killed runs only.
    """

    folder: Path
    source: Path
    suffix: str
    overwrite: bool = False
    exchange: bool = True
    quick: bool = False
    old: str = "nothing"
    new: str = ""
    found: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.target = self.folder / f"slide{self.suffix}"
        self.spare = self.folder.parent / f"{self.folder.name}-old{self.suffix}"
        self.folder.mkdir()
        in_child(self._convert(), Tap())
        self.new = digest(self.target)
        if not opens(self.target):
            raise RuntimeError(f"{self.target}: the uninterrupted run made nothing that opens")
        if self.overwrite:
            settings = Settings(tile=64, effort="fast", steps=(20.0, 20.0, 20.0, 22.0))

            def job(_: Tap) -> None:
                convert(self.source, self.spare, settings, workers=1)

            in_child(job, Tap())
            self.old = digest(self.spare)

    def _convert(self, **options: Any) -> Callable[[Tap], None]:
        def job(_: Tap) -> None:
            if not self.exchange:
                disk.exchange_names = lambda *_: False
            convert(self.source, self.target, SETTINGS, workers=1, overwrite=self.overwrite, **options)

        return job

    def prepare(self) -> None:
        """Restore the state before a run."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.overwrite:
            (shutil.copytree if self.spare.is_dir() else shutil.copyfile)(self.spare, self.target)

    def run(self, tap: Tap, *, kill_after: float | None = None) -> bool:
        """Disturb one run, and check what it leaves; return False if it ended before the disturbance."""
        self.prepare()
        ended, reached = in_child(self._convert(), tap, kill_after=kill_after)
        if not reached and kill_after is None:
            return False
        self.found["runs"] += 1
        self.found[ended] += 1
        left = digest(self.target)
        if left not in {self.old, self.new}:
            between = left == "nothing" and not self.exchange and self.suffix == SUFFIXES[0] and ended == KILLED
            self.found["between two renames" if between else "wrong at the target"] += 1
        others = {path.name for path in self.folder.iterdir()} - {self.target.name, f".{self.target.name}.partial"}
        self.found["something else left"] += bool(others)
        resumable = left != self.new or self.overwrite
        if resumable and (ended == KILLED or not self.quick):
            ended, _ = in_child(self._convert(resume=True), Tap())
            same = digest(self.target) == self.new and [p.name for p in self.folder.iterdir()] == [self.target.name]
            self.found["resumed"] += 1
            self.found["resumed to other bytes"] += ended != DONE or not same
        return True

    def events(self, mutate: Callable[[], None] = lambda: None) -> list[tuple[Any, ...]]:
        """Return the sequence of disk operations of an uninterrupted run, with a change to this package."""
        self.prepare()
        log = self.folder.parent / "events.json"

        def job(tap: Tap) -> None:
            mutate()
            self._convert()(tap)
            os.write(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), json.dumps(tap.events).encode())

        if in_child(job, Tap())[0] != DONE:
            raise RuntimeError("the run that was to be watched failed")
        return [tuple(event) for event in json.loads(log.read_text())]


def breaches(events: list[tuple[Any, ...]], target: Path) -> list[str]:
    """Find operations in an order that breaks spec section 9.5, or journal entries about data not yet on the disk."""
    container = target.with_name(f".{target.name}.partial") / "container"
    publish = next(n for n, event in enumerate(events) if event[1:] == (str(container), str(target)))
    data = [(n, Path(event[1]), *event[2:]) for n, event in enumerate(events) if event[0] == "data"]
    flushed = [(n, Path(event[1])) for n, event in enumerate(events) if event[0] == "fsync"]
    found = []

    def expect_flush(path: Path, after: int, before: int, why: str) -> None:
        if not any(after < n < before for n, other in flushed if other == path):
            found.append(f"{os.path.relpath(path, target.parent)} is not flushed {why}")

    written = {path: n for n, path, *_ in data if path == container or container in path.parents}
    for path, last in written.items():
        expect_flush(path, last, publish, "between its last write and the rename")
    made: dict[Path, int] = {}
    for n, event in enumerate(events[:publish]):
        if event[0] in {"create", "mkdir"} and container in Path(event[1]).parents:
            made[Path(event[1]).parent] = n
    for folder, last in made.items():
        expect_flush(folder, last, publish, "between its last new entry and the rename")
    expect_flush(target.parent, publish, len(events), "after the rename")
    if target.name.endswith(".rrip.zarr") and max(written, key=lambda path: written[path]) != container / "zarr.json":
        found.append("the root's zarr.json is not the last file that is written")
    if target.name.endswith(".rrip.tif"):
        header = max(n for n, path, offset, *_ in data if path == container and offset == 0)
        before = max(n for n, path, offset, *_ in data if path == container and offset > 0)
        expect_flush(container, before, header, "before the header is written")
    for now, path, _, _, line in data:
        if path.name == "journal" and '"tiles"' in line:
            for level, row, col, offset, length in json.loads(line.partition(" ")[2])["tiles"]:
                tile = container / tile_key(level, row, col) if target.name.endswith(".rrip.zarr") else container
                last = max(
                    n
                    for n, other, start, size, _ in data
                    if other == tile and start < offset + length and offset < start + size
                )
                expect_flush(tile, last, now, "before it is noted")
    return found


def mutations() -> dict[str, Callable[[], None]]:
    """Return changes to this package that break the order of operations, and no change."""
    flush, modules = disk.flush, (disk, journal, sinks)

    def flush_only(wanted: Callable[[Path], bool]) -> Callable[[], None]:
        def change() -> None:
            for module in modules:
                module.flush = lambda path: flush(path) if wanted(Path(path)) else None  # type: ignore[attr-defined]

        return change

    def rename_first() -> None:
        sinks.DirectorySink.publish = lambda sink: sink._place.publish()  # type: ignore  # noqa: SLF001, PGH003
        flush_only(lambda path: path.name != "container")()

    return {
        "as it is": lambda: None,
        "files are not flushed": flush_only(Path.is_dir),
        "folders are not flushed": flush_only(Path.is_file),
        "renamed before all is flushed": rename_first,
    }


def make_source(path: Path, height: int, width: int) -> Path:
    """Make a slide with something in every family: smooth colours and noise, the same for the same size."""
    import tifffile

    rng = np.random.default_rng([height, width])
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([200 + 40 * np.sin(y / 31), 140 + 50 * np.cos(x / 23), 180 + 30 * np.sin((x + y) / 41)], -1)
    rgb = np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 254).astype(np.uint8)
    tifffile.imwrite(path, rgb, photometric="rgb", tile=(256, 256), compression="zlib")
    return path


class _Here(Executor):
    """An executor that runs work in this thread."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def warm(path: Path) -> None:
    """Load kernels and libraries, so that no child has to; without threads, which a fork would not copy."""
    with open_source(path) as source:
        rgb, coder = pad(source.read(0, 0, 200, 256), 256), SETTINGS.streams
    fits = fit_chroma([halve_twice(rgb)], SETTINGS, _Here())
    coding = Coding(UUID(int=0), Geometry(256, 256, 64), SETTINGS.residuals(fits))
    for family in blocks.encode_block(rgb, coding, coder, blocks.Block(0, 0, 1, 1)):
        decode_planes(coding, 0, 0, [tile.data for tile in family.tiles[::-1]])
        blocks.encode_overview(family.base_rgb, coding, coder, (2, 0, 0))


def every_step(case: Case, actions: tuple[str, ...], stride: int) -> None:
    """Disturb one run after the other, each at a later step, until one ends before its step."""
    for action in actions:
        at = 0
        while case.run(Tap(action, at)):
            at += stride


def random_kills(case: Case, count: int, rng: random.Random) -> None:
    """Kill runs at random moments of their duration."""
    case.prepare()
    start = time.monotonic()
    in_child(case._convert(), Tap())  # noqa: SLF001
    took = time.monotonic() - start
    for _ in range(count):
        case.run(Tap(), kill_after=rng.uniform(0, 1.1 * took))


WRONG = (UNCLEAN, "wrong at the target", "something else left", "resumed to other bytes")


def measure(folder: Path, suffix: str, options: argparse.Namespace) -> dict[str, Counter[str]]:
    """Test one kind of container; return the findings by test."""
    quick = options.quick
    small, large = make_source(folder / "small.tif", 200, 300), make_source(folder / "large.tif", 600, 1000)
    warm(small)
    results = {}
    for overwrite, exchange in ((True, True), (False, True), (True, False)):
        if options.kills or (quick and not overwrite) or (not exchange and suffix != SUFFIXES[0]):
            continue
        case = Case(folder / f"steps{overwrite}{exchange}", small, suffix, overwrite, exchange, quick)
        if exchange or not quick:
            every_step(case, ACTIONS[:1], 1)
        every_step(case, ACTIONS[1:], 17 if quick else 1)
        how = "over another" if overwrite else "anew"
        results[f"steps, {suffix[1:]}, {how}{'' if exchange else ', two renames'}"] = case.found
    case = Case(folder / "kills", large, suffix, overwrite=suffix == SUFFIXES[0])
    random_kills(case, 7 if quick else 100, random.Random(options.seed))
    results[f"kill -9, {suffix[1:]}"] = case.found
    return results


def durability(folder: Path, suffix: str) -> dict[str, list[str]]:
    """Find wrong orders of system calls, in this package and in changes that must be detected."""
    source = make_source(folder / "small.tif", 200, 300)
    warm(source)
    case = Case(folder / "work", source, suffix)
    return {name: breaches(case.events(change), case.target) for name, change in mutations().items()}


def main() -> int:
    """Print the figures; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer kills, and every failing call of one small slide")
    parser.add_argument("--durability", action="store_true", help="only look at the order of calls to the system")
    parser.add_argument("--kills", action="store_true", help="only kill at random moments")
    parser.add_argument("--kind", choices=SUFFIXES, help="one kind of container only")
    parser.add_argument("--folder", help="where to work; the system's place for temporary files if not given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    options = parser.parse_args()
    blocks.BLOCK_PX = 256  # so that a small slide has several
    kinds, order = [options.kind] if options.kind else SUFFIXES, {}
    results: dict[str, Counter[str]] = {}
    for suffix in kinds:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            order[suffix] = durability(Path(name), suffix)
        if not options.durability:
            with tempfile.TemporaryDirectory(dir=options.folder) as name:
                results.update(measure(Path(name), suffix, options))
    wrong = sum(found[name] for found in results.values() for name in WRONG)
    wrong += sum(bool(found) == (name == "as it is") for changes in order.values() for name, found in changes.items())
    if options.json:
        print(json.dumps({"wrong": wrong, "found": order if options.durability else results}))
        return bool(wrong)
    for suffix, changes in order.items():
        print(
            f"order of calls, {suffix[1:]}: " + ", ".join(f"{len(found)} breaches {n}" for n, found in changes.items())
        )
    for title, found in results.items():
        print(f"{title}: " + ", ".join(f"{count} {what}" for what, count in found.items() if count))
    runs, resumed = (sum(found[name] for found in results.values()) for name in ("runs", "resumed"))
    print(f"{wrong} of {runs} runs went wrong ({', '.join(WRONG)}); {resumed} were resumed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
