"""Measure how the cost of converting, opening and reading grows with slides of 0.25 to 16 gigapixels of tissue.

::

    python tools/benchmarks/bench_scaling.py --testdata ../shared/testdata --sparse --json > scaling.json

The slides are arrays that make their pixels when they are sliced: families of tissue, mirrored and turned, in islands
on exact background. Every size has about the same share of tissue. With ``--sparse`` that is so little that the largest
slide is done in minutes: geometry, metadata, index and the number of places are those of its size, and time per MP
tells how it grows, not what tissue costs. The look at a sample, before the first family, is told apart from the rest.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import benchlib
import click
import numpy as np
from bench_tissue import SIDE, Image, all_tissue, oriented
from benchlib import Child, Json, Spread

import rrip_format
from rrip_format.containers.copying import transmux
from rrip_format.evaluate.tables import markdown_table
from rrip_format.slides.describing import describe

GIGAPIXELS = (0.25, 1.0, 4.0, 16.0)
QUICK_GIGAPIXELS = (0.002, 0.008)
SHARE, SPARSE_SHARE = 1.0, 0.02
"""Part of the families that is tissue."""

ROUNDS, QUICK_ROUNDS = 5, 2
READS = 64

ISLAND = 4
"""Side of an island of tissue, families."""


class GrownSlide:
    """An array of tissue of any size, (height, width, 3) uint8, generated when it is sliced.

    Parameters
    ----------
    families : list of (512, 512, 3) uint8
    gigapixels : float
        About; the sides are whole families, 4 : 3.
    share : float
        Part that is tissue.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, families: list[Image], gigapixels: float, share: float) -> None:
        self._families = families
        self.rows = max(1, round(math.sqrt(gigapixels * 1e9 * 3 / 4) / SIDE))
        self.cols = max(1, round(gigapixels * 1e9 / (self.rows * SIDE * SIDE)))
        self.shape = (self.rows * SIDE, self.cols * SIDE, 3)
        self.nbytes = math.prod(self.shape)
        self._islands_across = -(-self.cols // ISLAND)
        count = self._islands_across * -(-self.rows // ISLAND)
        others = random.Random(0).sample(range(1, count), max(1, round(share * count)) - 1)
        self._islands = {0, *others}

    def has_tissue(self, row: int, col: int) -> bool:
        """Return whether a family is tissue; all of an island are alike."""
        return row // ISLAND * self._islands_across + col // ISLAND in self._islands

    def tissue_places(self, count: int) -> list[tuple[int, int]]:
        """Draw families of tissue at random, the same each time."""
        choice = random.Random(0)
        found: list[tuple[int, int]] = []
        for _ in range(1000 * count):
            place = choice.randrange(self.rows), choice.randrange(self.cols)
            if self.has_tissue(*place):
                found.append(place)
                if len(found) == count:
                    break
        return found or [(0, 0)]

    def tissue_count(self) -> int:
        """Return the number of families of tissue."""
        return sum(self.has_tissue(row, col) for row in range(self.rows) for col in range(self.cols))

    def __getitem__(self, area: tuple[slice, slice]) -> Image:
        (top, bottom, _), (left, right, _) = (part.indices(side) for part, side in zip(area, self.shape, strict=False))
        out = np.full((bottom - top, right - left, 3), 255, np.uint8)
        for row in range(top // SIDE, -(-bottom // SIDE)):
            for col in range(left // SIDE, -(-right // SIDE)):
                if self.has_tissue(row, col):
                    family = oriented(self._families, row * 7919 + col)
                    y, x = max(top, row * SIDE), max(left, col * SIDE)
                    y2, x2 = min(bottom, (row + 1) * SIDE), min(right, (col + 1) * SIDE)
                    out[y - top : y2 - top, x - left : x2 - left] = family[
                        y - row * SIDE : y2 - row * SIDE, x - col * SIDE : x2 - col * SIDE
                    ]
        return out


# --------------------------------------------------------------------------------------------------- in child processes


def convert_child(families: list[Image], folder: Path, gigapixels: float, share: float) -> dict[str, Json]:
    """Convert, and return the times until the first families, until all families, and of the rest."""
    slide = GrownSlide(families, gigapixels, share)
    seen: list[tuple[float, int]] = []
    start = time.perf_counter()
    made = rrip_format.convert(
        slide, folder / "slide.rrip.zarr", progress=lambda done, _: seen.append((time.perf_counter() - start, done))
    )
    end = time.perf_counter() - start
    rate = (seen[-1][0] - seen[0][0]) / max(1, seen[-1][1] - seen[0][1])
    return {
        "seconds": end,
        "seconds_before": max(0.0, seen[0][0] - rate * seen[0][1]),
        "seconds_after": end - seen[-1][0],
        "families": made.families,
        "empty_families": made.empty_families,
        "stored_bytes": made.stored_bytes,
        "levels": made.levels,
    }


def copy_child(folder: Path) -> dict[str, Json]:
    """Copy the container to one TIFF file."""
    start = time.perf_counter()
    transmux(folder / "slide.rrip.zarr", folder / "slide.rrip.tif")
    return {"seconds": time.perf_counter() - start}


def read_child(families: list[Image], folder: Path, gigapixels: float, share: float, rounds: int) -> dict[str, Json]:
    """Measure opening, opening with one patch, and random patches of tissue, from folder and TIFF."""
    slide = GrownSlide(families, gigapixels, share)
    places = slide.tissue_places(READS)
    paths = {"folder": folder / "slide.rrip.zarr", "tiff": folder / "slide.rrip.tif"}
    choice = random.Random(1)

    def inside(at: int, side: int) -> int:
        return min(at * SIDE + choice.randrange(SIDE), side - SIDE)

    corners = [(inside(row, slide.shape[0]), inside(col, slide.shape[1])) for row, col in places]

    def read(opened: rrip_format.Slide, corner: tuple[int, int]) -> Image:
        return opened.read_region(0, *corner, SIDE, SIDE)

    def read_first(path: Path) -> None:
        with rrip_format.open(path) as opened:
            read(opened, corners[0])

    cases: dict[str, Callable[[], object]] = {}
    for kind, path in paths.items():
        cases[f"open-{kind}"] = lambda path=path: rrip_format.open(path).close()  # type: ignore[misc]
        cases[f"first-{kind}"] = partial(read_first, path)
    taken = benchlib.interleave(cases, rounds * 3).wall
    found: dict[str, Json] = {key: _milliseconds(seconds) for key, seconds in taken.items()}
    for kind, path in paths.items():
        with rrip_format.open(path) as opened:
            reads = {str(corner): partial(read, opened, corner) for corner in corners}
            seconds = [one for times in benchlib.interleave(reads, rounds).wall.values() for one in times]
        found[f"read-{kind}"] = _milliseconds(seconds)
    return found


def _milliseconds(seconds: list[float]) -> dict[str, Json]:
    """Return percentiles in milliseconds."""
    return {f"p{p}": round(1000 * float(np.percentile(seconds, p)), 3) for p in (50, 95, 99)}


# ------------------------------------------------------------------------------------------------------------- report


def metadata_bytes(folder: Path) -> dict[str, int]:
    """Return the bytes of the root's metadata, of all metadata of the folder, and of the TIFF file without tiles."""
    root = folder / "slide.rrip.zarr"
    with rrip_format.open(folder / "slide.rrip.tif") as slide:
        tiff = describe(slide)
    index = tiff["bytes"]["total"] - sum(level["bytes"] for level in tiff["levels"])
    return {
        "root_bytes": (root / "zarr.json").stat().st_size,
        "metadata_bytes": sum(path.stat().st_size for path in root.rglob("zarr.json")),
        "tiff_index_bytes": index,
    }


def run_step(step: str, options: dict[str, Json]) -> tuple[Child, Json]:
    """Run one step in a child process of this program, on all cores, and return its output."""
    command = [sys.executable, __file__, "--child", json.dumps({"step": step, **options})]
    child = benchlib.run_child(command, benchlib.all_cores())
    return child, json.loads(child.output)


def measure(testdata: Path, gigapixels: float, share: float, rounds: int, *, quiet: bool) -> dict[str, Json]:
    """Measure everything for one size."""
    slide = GrownSlide([], gigapixels, share)
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as name:
        options: dict[str, Json] = {"folder": name, "gigapixels": gigapixels, "share": share, "rounds": rounds}
        options["testdata"] = str(testdata.absolute())
        benchlib.say(f"{slide.shape[1]} x {slide.shape[0]} px: converting", quiet=quiet)
        converted, found = run_step("convert", options)
        benchlib.say("copying to TIFF", quiet=quiet)
        copied, copying = run_step("copy", options)
        benchlib.say("reading", quiet=quiet)
        _, reading = run_step("read", options)
        sizes = metadata_bytes(Path(name))
    pixels = slide.shape[0] * slide.shape[1]
    full = found["families"] - found["empty_families"]
    return {
        "gigapixels": pixels / 1e9,
        "width": slide.shape[1],
        "height": slide.shape[0],
        "levels": found["levels"],
        "families": found["families"],
        "tissue_families": full,
        "stored_bytes": found["stored_bytes"],
        "convert_seconds": found["seconds"],
        "convert_seconds_before": found["seconds_before"],
        "convert_seconds_after": found["seconds_after"],
        "convert_ms_per_mp": 1e9 * found["seconds"] / pixels,
        "convert_ms_per_mp_after_sample": 1e9 * (found["seconds"] - found["seconds_before"]) / pixels,
        "convert_peak_mib": round(converted.peak_tree_bytes / 2**20, 1),
        "copy_seconds": copying["seconds"],
        "copy_peak_mib": round(copied.peak_tree_bytes / 2**20, 1),
        **sizes,
        **{f"{key}_ms": value for key, value in reading.items()},
    }


def _number(value: Json) -> float:
    """Return a measure, or the median of several."""
    return float(value["p50"] if isinstance(value, dict) else value)


def growth(rows: list[dict[str, Json]]) -> dict[str, float | None]:
    """Return exponents of size from the smallest to the largest slide: 0 is constant, 1 is proportional."""
    first, last = rows[0], rows[-1]
    size = math.log(last["gigapixels"] / first["gigapixels"]) if len(rows) > 1 else 0.0

    def exponent(key: str) -> float | None:
        a, b = (_number(row[key]) for row in (first, last))
        return round(math.log(b / a) / size, 2) if size and a > 0 and b > 0 else None

    return {key: exponent(key) for key in first if key in MEASURES}


MEASURES = {
    "convert_seconds": "convert, s",
    "convert_seconds_before": "of these before the first family, s",
    "convert_seconds_after": "and after the last one, s",
    "convert_ms_per_mp": "convert, ms/MP",
    "convert_ms_per_mp_after_sample": "the same from the first family on, ms/MP",
    "convert_peak_mib": "peak memory, MiB",
    "copy_seconds": "copy to TIFF, s",
    "copy_peak_mib": "its peak memory, MiB",
    "root_bytes": "root metadata, bytes",
    "metadata_bytes": "all metadata, bytes",
    "tiff_index_bytes": "TIFF index, bytes",
    "open-folder_ms": "open folder, ms",
    "open-tiff_ms": "open TIFF, ms",
    "first-folder_ms": "open folder + first 512², ms",
    "first-tiff_ms": "open TIFF + first 512², ms",
    "read-folder_ms": "random 512² of tissue, folder, p50, ms",
    "read-tiff_ms": "random 512² of tissue, TIFF, p50, ms",
}
"""Rows of the table."""


def table(rows: list[dict[str, Json]], exponents: dict[str, float | None]) -> str:
    """Format sizes as columns, and the growth of each measure."""

    def cell(value: Json) -> str:
        number = _number(value)
        return f"{number:.0f}" if number >= 100 else f"{number:.3g}"

    head = ["", *(f"{row['gigapixels']:.3g} GP" for row in rows), "grows with size to the power of"]
    lines = [["families (of tissue)", *(f"{row['families']} ({row['tissue_families']})" for row in rows), ""]]
    lines += [[label, *(cell(row[key]) for row in rows), str(exponents[key])] for key, label in MEASURES.items()]
    return markdown_table(head, lines)


def run_child_step(options: dict[str, Json]) -> dict[str, Json]:
    """Run the step that a child process was started for."""
    folder = Path(options["folder"])
    if options["step"] == "copy":
        return copy_child(folder)
    families = all_tissue(Path(options["testdata"]))
    if options["step"] == "read":
        return read_child(families, folder, options["gigapixels"], options["share"], options["rounds"])
    return convert_child(families, folder, options["gigapixels"], options["share"])


@click.command()
@benchlib.common_options
@click.option("--sparse", is_flag=True, help=f"{SPARSE_SHARE:.0%} tissue, the rest exact background.")
@click.option("--share", type=click.FloatRange(0, 1), help="Part that is tissue, instead.")
@click.option("--max-gigapixels", type=float, help="Leave larger slides out.")
@click.option("--child", hidden=True)
def main(
    *,
    testdata: Path,
    rounds: int | None,
    quick: bool,
    as_json: bool,
    sparse: bool,
    share: float | None,
    max_gigapixels: float | None,
    child: str | None,
) -> None:
    """Measure how the cost of converting, opening and reading grows with the size of a slide."""
    if child is not None:
        json.dump(run_child_step(json.loads(child)), sys.stdout)
        return
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    share = share if share is not None else (SPARSE_SHARE if sparse else SHARE)
    most = math.inf if max_gigapixels is None else max_gigapixels
    sizes = [size for size in (QUICK_GIGAPIXELS if quick else GIGAPIXELS) if size <= most]
    if not sizes:
        raise click.UsageError("no size is that small")
    machine = benchlib.machine()
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as scratch:
        rrip_format.convert(all_tissue(testdata)[0], Path(scratch) / "warm.rrip.zarr")  # compiles the kernels
    rows = [measure(testdata, size, share, rounds, quiet=as_json) for size in sizes]
    exponents = growth(rows)
    peak = max(rows, key=lambda row: row["convert_peak_mib"])
    held = benchlib.requirement(
        "peak memory, MiB, all cores",
        f"{peak['gigapixels']:.3g} GP",
        Spread.of([peak["convert_peak_mib"]]),
        1024,
        512,
        below=True,
    )
    data: dict[str, Json] = {
        "machine": machine,
        "share_of_tissue": share,
        "sizes": rows,
        "exponents": exponents,
        "must_hold": [held],
    }
    note = f"About {share:.1%} of the families are tissue, in islands; all others are exact background."
    benchlib.emit(data, [note, table(rows, exponents), benchlib.requirements_table(data["must_hold"])], as_json=as_json)


if __name__ == "__main__":
    main()
