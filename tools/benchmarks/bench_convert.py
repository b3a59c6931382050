"""Measure speed and memory of ``rrip convert`` and of libvips, each as a separate command.

::

    python tools/benchmarks/bench_convert.py --testdata ../shared/testdata --json > convert.json

Everything counts from the start of the process to its end, imports too. A slide that is mostly glass, and a mosaic of
tissue as an ordinary JPEG TIFF, are converted on one core and on two, by each effort. libvips writes the JPEG pyramid
TIFF (``tiffsave``) and Deep Zoom (``dzsave``) of the same source, tiles of 512 and 256 px. From quality 90 on, its TIFF
holds RGB without subsampling, which takes longer to write; quality 89 is the best 4:2:0 that it makes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import benchlib
import click
from bench_tissue import all_tissue, mosaic, pyramid, write_ordinary_tiff
from benchlib import Child, Json, Spread, Times, ratio

import rrip_format
from rrip_format.evaluate.tables import markdown_table
from rrip_format.sources import open_source

ROUNDS, QUICK_ROUNDS = 3, 1
MEGAPIXELS, QUICK_MEGAPIXELS = 256.0, 4.0

GLASS = "duodenum-BS9-40x.svs"
"""A slide that is mostly glass."""

EFFORTS, QUICK_EFFORTS = ("fast", "default", "best"), ("fast", "default")
WORKERS = (1, 2)

_TIFFSAVE = (
    "import pyvips, sys; pyvips.Image.new_from_file(sys.argv[1], access='sequential').tiffsave(sys.argv[2], "
    "pyramid=True, tile=True, tile_width=512, tile_height=512, compression='jpeg', Q={quality}, bigtiff=True)"
)
_DZSAVE = (
    "import pyvips, sys; pyvips.Image.new_from_file(sys.argv[1], access='sequential').dzsave(sys.argv[2], "
    "tile_size=256, overlap=0, suffix='.jpg[Q=90]')"
)
PEERS = {
    "tiffsave": ("libvips tiffsave, Q 90", _TIFFSAVE.format(quality=90), "out.tif"),
    "tiffsave-420": ("libvips tiffsave, Q 89 (4:2:0)", _TIFFSAVE.format(quality=89), "out.tif"),
    "dzsave": ("libvips dzsave, Q 90", _DZSAVE, "out"),
}
"""Name in tables, program and target."""


@dataclass(slots=True)
class Job:
    """One way to convert a source, and the results of its runs.

    Parameters
    ----------
    label : str
    workers : int
    command : list of str
        The target's name is appended.
    target : str
    """

    label: str
    workers: int
    command: list[str]
    target: str
    runs: list[Child] = field(default_factory=list)
    stored_bytes: int = 0

    def run(self, scratch: Path) -> None:
        """Convert once into a new folder, and empty its files afterwards.

        They are not removed: for minutes ext4 keeps from using what a file was, and looks through all those again for
        each that is made. Where thousands had just been removed, making one took 0.3 ms, otherwise 0.01 ms.
        """
        folder = Path(tempfile.mkdtemp(dir=scratch))
        self.runs.append(benchlib.run_child([*self.command, str(folder / self.target)], self.workers))
        files = [path for path in folder.rglob("*") if path.is_file()]
        self.stored_bytes = sum(path.stat().st_size for path in files)
        for path in files:
            os.truncate(path, 0)

    def to_json(self, pixels: int) -> dict[str, Json]:
        """Return speed, memory and size."""
        return {
            "label": self.label,
            "workers": self.workers,
            "mp_per_second": Spread.of([pixels / 1e6 / run.seconds for run in self.runs]).to_json(),
            "cpu_ms_per_mp": Spread.of([1e9 * run.cpu_seconds / pixels for run in self.runs]).to_json(),
            "peak_mib": round(max(run.peak_tree_bytes for run in self.runs) / 2**20, 1),
            "max_rss_mib": round(max(run.peak_bytes for run in self.runs) / 2**20, 1),
            "stored_bytes": self.stored_bytes,
            "seconds_by_round": [round(run.seconds, 3) for run in self.runs],
        }


def jobs(source: Path, efforts: tuple[str, ...], workers: tuple[int, ...], preset: str | None) -> dict[str, Job]:
    """Return every way to convert a source."""
    found: dict[str, Job] = {}
    for count in workers:
        command = [sys.executable, "-m", "rrip_format", "convert", str(source), "--json", "--workers", str(count)]
        command += ["--preset", preset] if preset else []
        for effort in efforts:
            chosen = [*command, "--effort", effort]
            found[f"{effort}-{count}"] = Job(f"RRIP, {effort}", count, chosen, "out.rrip.zarr")
        for effort in (effort for effort in efforts if effort != "best"):
            chosen = [*command, "--effort", effort]
            found[f"tiff-{effort}-{count}"] = Job(f"RRIP TIFF, {effort}", count, chosen, "out.rrip.tif")
        for key, (label, code, target) in PEERS.items():
            found[f"{key}-{count}"] = Job(label, count, [sys.executable, "-c", code, str(source)], target)
    return found


def measure(source: Path, found: dict[str, Job], rounds: int, scratch: Path) -> tuple[int, Times]:
    """Run all jobs in turns; return the number of level 0 pixels, and seconds by job."""
    with open_source(source) as opened:
        pixels = opened.info.width * opened.info.height
    cases: dict[str, Callable[[], object]] = {key: partial(job.run, scratch) for key, job in found.items()}
    return pixels, benchlib.interleave(cases, rounds, warm=False)


def make_sources(testdata: Path, scratch: Path, megapixels: float, *, glass: bool) -> dict[str, Path]:
    """Make a mosaic of tissue as an ordinary TIFF, and a slide that is mostly glass."""
    rgb = mosaic(all_tissue(testdata), megapixels)
    sources = {"tissue": scratch / "tissue.tif"}
    write_ordinary_tiff(sources["tissue"], pyramid(rgb), tile=256)
    rrip_format.convert(rgb[:1024, :1024], scratch / "warm.rrip.zarr")  # compiles the kernels
    if glass:
        if not (testdata / GLASS).exists():
            raise click.ClickException(f"{testdata} has no {GLASS}; set --testdata, or pass --no-glass")
        sources["mostly glass"] = testdata / GLASS
    return sources


def table(name: str, pixels: int, found: dict[str, Job], taken: Times) -> str:
    """Format the results of one source."""
    rows = []
    for key, job in found.items():
        data = job.to_json(pixels)
        rows.append(
            [
                f"{job.label}, {job.workers} worker(s)",
                str(Spread.of([pixels / 1e6 / run.seconds for run in job.runs])),
                f"{data['cpu_ms_per_mp']['median']:.0f}",
                str(ratio(taken.wall, key, f"tiffsave-{job.workers}")),
                f"{data['peak_mib']:.0f}",
                f"{job.stored_bytes / 1e6:.1f}",
            ]
        )
    head = [
        f"{name}, {pixels / 1e6:.0f} MP",
        "MP/s (quartiles)",
        "CPU, ms/MP",
        "its speed to tiffsave's",
        "peak, MiB",
        "MB",
    ]
    return markdown_table(head, rows)


def requirements(name: str, found: dict[str, Job], taken: Times) -> list[dict[str, Json]]:
    """Compare the measurements with the requirements for conversions."""
    most = max(WORKERS)
    rows = []
    for effort, least, aim in (("fast", 0.9, 1.2), ("default", 0.55, 0.8)):
        for kind, label in ((effort, f"{effort}, folder"), (f"tiff-{effort}", f"{effort}, TIFF")):
            if f"{kind}-{most}" in found:
                what = f"conversion to tiffsave, {most} workers, {label}"
                speed = ratio(taken.wall, f"{kind}-{most}", f"tiffsave-{most}")
                rows.append(benchlib.requirement(what, name, speed, least, aim))
    for key, job in found.items():
        if job.label.startswith("RRIP") and job.workers == most:
            peak = Spread.of([run.peak_tree_bytes / 2**20 for run in job.runs])
            what = f"peak memory, MiB, {most} workers, {key.rpartition('-')[0]}"
            rows.append(benchlib.requirement(what, name, peak, 1024, 512, below=True))
    return rows


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of the mosaic of tissue.")
@click.option("--preset", help="Of `rrip convert`, instead of measuring a sample of the slide.")
@click.option("--glass/--no-glass", default=None, help=f"Convert {GLASS} too. [not with --quick]")
def main(
    *,
    testdata: Path,
    rounds: int | None,
    quick: bool,
    as_json: bool,
    megapixels: float | None,
    preset: str | None,
    glass: bool | None,
) -> None:
    """Measure speed and memory of conversions, and compare with libvips."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    data: dict[str, Json] = {"machine": benchlib.machine(), "rounds": rounds, "sources": {}, "must_hold": []}
    tables = []
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as name:
        scratch = Path(name)
        size = megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS)
        sources = make_sources(testdata, scratch, size, glass=not quick if glass is None else glass)
        for what, source in sources.items():
            benchlib.say(f"converting {source.name}, {rounds} rounds", quiet=as_json)
            found = jobs(source, QUICK_EFFORTS if quick else EFFORTS, WORKERS[-1:] if quick else WORKERS, preset)
            pixels, taken = measure(source, found, rounds, scratch)
            data["sources"][what] = {
                "file": source.name,
                "megapixels": pixels / 1e6,
                "source_bytes": source.stat().st_size,
                "jobs": {key: job.to_json(pixels) for key, job in found.items()},
            }
            data["must_hold"] += requirements(what, found, taken)
            tables.append(table(what, pixels, found, taken))
    benchlib.emit(data, [*tables, benchlib.requirements_table(data["must_hold"])], as_json=as_json)


if __name__ == "__main__":
    main()
