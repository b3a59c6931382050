"""Measure what precedes the first pixel: importing, opening, decoding one tile, and the memory for these.

::

    python tools/benchmarks/bench_start.py --testdata ../shared/testdata --json > start.json

Imports and first pixels are measured by starting Python anew, many times, everything taking turns, with a home folder
that cannot be written: nothing is compiled or kept, so the first process on a machine is like all others.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import benchlib
import click
from bench_readers import LABELS, Files, check_readers, make_files, open_reader
from benchlib import Json, Spread, Times

from rrip_format.evaluate.tables import markdown_table

ROUNDS, QUICK_ROUNDS = 21, 3
MEGAPIXELS, QUICK_MEGAPIXELS = 16.0, 1.0

_SIDE = 256
"""Side of the first pixels, px."""

IMPORTS = {
    "numpy": "import numpy",
    "rrip_format": "import numpy, rrip_format",
    "rrip_format.open": "import numpy, rrip_format; rrip_format.open",
    "zarr": "import numpy, zarr",
    "tifffile": "import numpy, tifffile",
    "openslide": "import numpy, openslide",
}

PROGRAMS = {
    "rrip": "import rrip_format; rrip_format.open({rrip!r}).read_region(0, {y}, {x}, {side}, {side})",
    "rrip-tiff": "import rrip_format; rrip_format.open({rrip_tiff!r}).read_region(0, {y}, {x}, {side}, {side})",
    "rrip-zarr": "import zarr; zarr.open_group({rrip!r}, mode='r')['0'][:, {y}:{y} + {side}, {x}:{x} + {side}]",
    "tifffile-zarr": "import tifffile, zarr; zarr.open_group(tifffile.imread({tiff!r}, aszarr=True), mode='r')"
    "['0'][{y}:{y} + {side}, {x}:{x} + {side}]",
    "openslide": "import numpy, openslide; "
    "numpy.asarray(openslide.OpenSlide({tiff!r}).read_region(({x}, {y}), 0, ({side}, {side})).convert('RGB'))",
}
"""From the start of Python to pixels, by key of a reader."""


def start(code: str) -> benchlib.Child:
    """Run code in a new Python that finds no home folder."""
    return benchlib.run_child([sys.executable, "-c", code], benchlib.all_cores(), {"HOME": "/nonexistent"})


def measure_imports(rounds: int) -> Times:
    """Measure starting Python and importing."""
    return benchlib.interleave({key: partial(start, code) for key, code in IMPORTS.items()}, rounds)


def programs(files: Files) -> dict[str, str]:
    """Return programs that open the slide and read its centre."""
    y, x = ((side - _SIDE) // 2 for side in files.shapes[0])
    names = {"rrip": str(files.rrip), "rrip_tiff": str(files.rrip_tiff), "tiff": str(files.tiff)}
    return {key: code.format(**names, y=y, x=x, side=_SIDE) for key, code in PROGRAMS.items()}


def measure_programs(files: Files, rounds: int) -> tuple[Times, dict[str, list[float]]]:
    """Measure seconds from the start of Python to the first pixels, and peak memory in MiB, by program."""
    peaks: dict[str, list[float]] = {}

    def run(key: str, code: str) -> None:
        peaks.setdefault(key, []).append(start(code).peak_bytes / 2**20)

    cases = {"zarr": IMPORTS["zarr"], **programs(files)}
    taken = benchlib.interleave({key: partial(run, key, code) for key, code in cases.items()}, rounds)
    return taken, peaks


def measure_opening(files: Files, rounds: int) -> Times:
    """Measure opening, reading the centre and closing in a running process."""
    y, x = ((side - _SIDE) // 2 for side in files.shapes[0])

    def run(key: str) -> None:
        with open_reader(key, files) as read:
            read(0, y, x, _SIDE, _SIDE)

    return benchlib.interleave({key: partial(run, key) for key in LABELS}, 3 * rounds)


def beyond(taken: Times, key: str, base: str = "numpy") -> Spread:
    """Return the seconds that exceed the base, by round."""
    return Spread.of([a - b for a, b in zip(taken.wall[key], taken.wall[base], strict=True)])


def tables(imports: Times, first: Times, peaks: dict[str, list[float]], opening: Times) -> list[str]:
    """Format the results as Markdown."""
    rows = [[f"`{IMPORTS[key]}`", str(milliseconds(beyond(imports, key)))] for key in imports.wall if key != "numpy"]
    found = [markdown_table(["import, ms beyond `import numpy` (quartiles)", "ms"], rows)]

    def cell(figures: dict[str, list[float]], key: str, unit: float = 1000) -> str:
        return str(Spread.of([unit * figure for figure in figures[key]])) if key in figures else "–"

    rows = [
        [LABELS[key], cell(opening.wall, key), cell(first.wall, key), cell(first.cpu, key), cell(peaks, key, 1)]
        for key in LABELS
    ]
    head = [f"to the first {_SIDE}² px", "open + read, ms", "with the start of Python, ms", "its CPU, ms", "peak, MiB"]
    return [*found, markdown_table(head, rows)]


def requirements(first: Times, peaks: dict[str, list[float]], imports: Times) -> list[dict[str, Json]]:
    """Compare the measurements with the requirements for starting processes."""

    def at_most(what: str, found: Spread, least: float, aim: float) -> dict[str, Json]:
        return benchlib.requirement(what, "start of Python", found, least, aim, below=True)

    return [
        at_most("first pixels, direct reader, s with Python and numpy", Spread.of(first.wall["rrip"]), 0.25, 0.15),
        at_most("first pixels through zarr, s beyond `import zarr`", beyond(first, "rrip-zarr", "zarr"), 0.15, 0.05),
        at_most("peak memory of the first, MiB", Spread.of(peaks["rrip"]), 60, 35),
        at_most("`import rrip_format`, s beyond numpy", beyond(imports, "rrip_format"), 0.25, 0.1),
    ]


def milliseconds(seconds: Spread) -> Spread:
    """Convert the results to milliseconds."""
    return Spread(1000 * seconds.median, 1000 * seconds.q1, 1000 * seconds.q3, seconds.rounds)


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of level 0.")
def main(*, testdata: Path, rounds: int | None, quick: bool, as_json: bool, megapixels: float | None) -> None:
    """Measure imports, the time to the first pixels, and the memory that they take."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    data: dict[str, Json] = {"machine": benchlib.machine(), "rounds": rounds}
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as scratch:
        benchlib.say("making the slide", quiet=as_json)
        size = megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS)
        files = make_files(testdata, Path(scratch), size)
        check_readers(files)
        benchlib.say("imports", quiet=as_json)
        imports = measure_imports(rounds)
        benchlib.say("first pixels", quiet=as_json)
        (first, peaks), opening = measure_programs(files, rounds), measure_opening(files, rounds)
    data |= {
        "import_seconds": imports.wall,
        "import_beyond_numpy": {key: beyond(imports, key).to_json() for key in IMPORTS if key != "numpy"},
        "first_pixel_seconds": {"open": opening.wall, "start": first.wall},
        "first_pixel_cpu_seconds": first.cpu,
        "first_pixel_peak_mib": peaks,
        "must_hold": requirements(first, peaks, imports),
    }
    found = [*tables(imports, first, peaks, opening), benchlib.requirements_table(data["must_hold"])]
    benchlib.emit(data, found, as_json=as_json)


if __name__ == "__main__":
    main()
