"""What comes before the first pixel: importing, opening, and compiling kernels where no cache has them.

::

    python tools/bench_start.py --testdata ../shared/testdata --json > start.json

Imports and first pixels are measured by starting Python anew, many times, everything taking turns. A cold kernel cache
is an empty folder, as on the first use on a machine; a warm one is what the first use left there.
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
COLD_ROUNDS, QUICK_COLD_ROUNDS = 3, 1
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


def start(code: str, cache: Path) -> None:
    """Run code in a new Python, whose compiled kernels are kept in `cache`."""
    benchlib.run_child([sys.executable, "-c", code], benchlib.all_cores(), {"NUMBA_CACHE_DIR": str(cache)})


def measure_imports(cache: Path, rounds: int) -> Times:
    """Starting Python and importing."""
    return benchlib.interleave({key: partial(start, code, cache) for key, code in IMPORTS.items()}, rounds)


def programs(files: Files) -> dict[str, str]:
    """Code that opens the slide and reads its middle."""
    y, x = ((side - _SIDE) // 2 for side in files.shapes[0])
    names = {"rrip": str(files.rrip), "rrip_tiff": str(files.rrip_tiff), "tiff": str(files.tiff)}
    return {key: code.format(**names, y=y, x=x, side=_SIDE) for key, code in PROGRAMS.items()}


def measure_programs(files: Files, cache: Path, rounds: int) -> Times:
    """From the start of Python to the first pixels, kernels compiled before."""
    return benchlib.interleave({key: partial(start, code, cache) for key, code in programs(files).items()}, rounds)


def measure_cold(files: Files, rounds: int) -> Times:
    """The same with an empty kernel cache each time; which door of ours it is makes no difference then."""
    code = programs(files)["rrip"]

    def cold() -> None:
        with tempfile.TemporaryDirectory(prefix="rrip-bench-") as cache:
            start(code, Path(cache))

    return benchlib.interleave({"rrip": cold}, rounds, warm=False)


def measure_opening(files: Files, rounds: int) -> Times:
    """Opening and reading the middle in a running process, and closing."""
    y, x = ((side - _SIDE) // 2 for side in files.shapes[0])

    def run(key: str) -> None:
        with open_reader(key, files) as read:
            read(0, y, x, _SIDE, _SIDE)

    return benchlib.interleave({key: partial(run, key) for key in LABELS}, 3 * rounds)


def beyond(taken: Times, key: str, base: str = "numpy") -> Spread:
    """Seconds more than the base takes, by rounds."""
    return Spread.of([a - b for a, b in zip(taken.wall[key], taken.wall[base], strict=True)])


def tables(imports: Times, warm: Times, cold: Times, opening: Times) -> list[str]:
    """As Markdown."""
    rows = [[f"`{IMPORTS[key]}`", str(milliseconds(beyond(imports, key)))] for key in imports.wall if key != "numpy"]
    found = [markdown_table(["import, ms beyond `import numpy` (quartiles)", "ms"], rows)]

    def cell(seconds: dict[str, list[float]], key: str) -> str:
        return str(milliseconds(Spread.of(seconds[key]))) if key in seconds else "–"

    columns = {
        "open + read": opening.wall,
        "with the start of Python": warm.wall,
        "its CPU": warm.cpu,
        "the same, no kernel cache": cold.wall,
        "CPU of that": cold.cpu,
    }
    rows = [[LABELS[key], *(cell(seconds, key) for seconds in columns.values())] for key in LABELS]
    head = [f"to the first {_SIDE}² px, ms", *columns]
    return [*found, markdown_table(head, rows)]


def milliseconds(seconds: Spread) -> Spread:
    """The same in milliseconds."""
    return Spread(1000 * seconds.median, 1000 * seconds.q1, 1000 * seconds.q3, seconds.rounds)


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of level 0.")
def main(*, testdata: Path, rounds: int | None, quick: bool, as_json: bool, megapixels: float | None) -> None:
    """Measure imports, the time to the first pixels, and what compiling the kernels adds once."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    data: dict[str, Json] = {"machine": benchlib.machine(), "rounds": rounds}
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as scratch:
        benchlib.say("making the slide", quiet=as_json)
        size = megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS)
        files = make_files(testdata, Path(scratch), size)
        check_readers(files)
        cache = Path(scratch) / "kernels"
        benchlib.say("imports", quiet=as_json)
        imports = measure_imports(cache, rounds)
        benchlib.say("first pixels", quiet=as_json)
        warm, opening = measure_programs(files, cache, rounds), measure_opening(files, rounds)
        benchlib.say("first pixels without kernel cache", quiet=as_json)
        cold = measure_cold(files, QUICK_COLD_ROUNDS if quick else COLD_ROUNDS)
    data |= {
        "import_seconds": imports.wall,
        "import_beyond_numpy": {key: beyond(imports, key).to_json() for key in IMPORTS if key != "numpy"},
        "first_pixel_seconds": {"open": opening.wall, "start": warm.wall, "start_cold": cold.wall},
        "first_pixel_cpu_seconds": {"start": warm.cpu, "start_cold": cold.cpu},
    }
    more = beyond(imports, "rrip_format")
    what = "`import rrip_format`, s beyond numpy"
    data["must_hold"] = [benchlib.requirement(what, "start of Python", more, 0.25, 0.1, below=True)]
    found = [*tables(imports, warm, cold, opening), benchlib.requirements_table(data["must_hold"])]
    benchlib.emit(data, found, as_json=as_json)


if __name__ == "__main__":
    main()
