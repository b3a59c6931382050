"""Measure the profiles of ``rrip convert``: bytes, time of a conversion, and time of reading, beside ``view``.

::

    python tools/benchmarks/bench_profiles.py --testdata ../shared/testdata

Each slide is converted to a TIFF with each profile. Its level 0 is read whole, and in random squares of tissue of
several sizes, by one thread. Times are CPU times, profile after profile in turns, as ratios to ``view``.
"""

from __future__ import annotations

import random
import sys
import tempfile
from functools import partial
from pathlib import Path

import benchlib
import click
from benchlib import Json, Spread

import rrip_format
from rrip_format import Slide
from rrip_format.evaluate.tables import markdown_table
from rrip_format.tuning.settings import PROFILES

SLIDES = "CMU-1-Small-Region.svs", "TCGA-CR-7395-01A-01-TS1.svs", "duodenum-BS9-40x.svs"
SIDES = 256, 512, 1024
ROUNDS, QUICK_ROUNDS = 9, 1
SQUARES, QUICK_SQUARES = 48, 4
TISSUE = 240
"""A square is of tissue if its mean on the coarsest level is below this."""


def places(slide: Slide, side: int, count: int) -> list[tuple[int, int]]:
    """Return rows and columns of random squares of level 0 that lie inside and mostly on tissue."""
    height, width = slide.geometry.shape(0)
    coarsest = slide.geometry.levels - 1
    overview = slide.read_region(coarsest, 0, 0, *slide.geometry.shape(coarsest)).mean(axis=-1)
    drawn, found, scale = random.Random(side), list[tuple[int, int]](), 2**coarsest
    for _ in range(100 * count):
        y, x = drawn.randrange(max(1, height - side)), drawn.randrange(max(1, width - side))
        part = overview[y // scale : (y + side) // scale + 1, x // scale : (x + side) // scale + 1]
        if part.mean() < TISSUE:
            found.append((y, x))
        if len(found) == count:
            break
    return found


def read_all(slide: Slide, squares: list[tuple[int, int]], side: int) -> None:
    """Read squares of level 0 one after the other, cropped to the slide."""
    height, width = slide.geometry.shape(0)
    for y, x in squares:
        slide.read_region(0, y, x, min(side, height), min(side, width), workers=1)


def measure(path: Path, rounds: int, squares: int, folder: Path) -> dict[str, dict[str, Json]]:
    """Measure all profiles on a slide, by profile."""
    made = {name: folder / f"{path.stem}-{name}.rrip.tif" for name in PROFILES}
    converted: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(max(1, rounds // 3)):
        for name, target in made.items():
            options = ["--overwrite", "--json", "--profile", name]
            command = [sys.executable, "-m", "rrip_format", "convert", str(path), str(target), *options]
            converted[name].append(benchlib.run_child(command, benchlib.all_cores()).cpu_seconds)
    times = {"convert": converted}
    slides = {name: rrip_format.open(target) for name, target in made.items()}
    for side in SIDES:
        wanted = places(slides["view"], side, squares)
        cases = {name: partial(read_all, slide, wanted, side) for name, slide in slides.items()}
        times[f"{side}²"] = benchlib.interleave(cases, rounds).cpu
    whole = {name: partial(read_all, slide, [(0, 0)], max(slide.geometry.shape(0))) for name, slide in slides.items()}
    times["whole"] = benchlib.interleave(whole, max(1, rounds // 3)).cpu
    return {
        name: {"bytes": made[name].stat().st_size, "tile": slide.geometry.tile}
        | {
            what: Spread.of([a / b for a, b in zip(taken[name], taken["view"], strict=True)]).to_json()
            for what, taken in times.items()
        }
        for name, slide in slides.items()
    }


@click.command()
@benchlib.common_options
@click.option("--slides", default=",".join(SLIDES), show_default=True, help="Files of the test data, comma-separated.")
def main(*, testdata: Path, rounds: int | None, quick: bool, as_json: bool, slides: str) -> None:
    """Measure size, conversion and reading of each profile on whole slides."""
    data: dict[str, Json] = {"machine": benchlib.machine(), "slides": {}}
    head = [
        "slide",
        "profile",
        "T, px",
        "bytes",
        "to view",
        "convert",
        *(f"patches of {s}²" for s in SIDES),
        "whole level 0",
    ]
    rows = []
    for name in slides.split(","):
        benchlib.say(name, quiet=as_json)
        with tempfile.TemporaryDirectory(prefix="rrip-bench-") as folder:
            found = measure(
                testdata / name,
                rounds or (QUICK_ROUNDS if quick else ROUNDS),
                QUICK_SQUARES if quick else SQUARES,
                Path(folder),
            )
        data["slides"][name] = found
        for profile, row in found.items():
            times = [row[what]["median"] for what in ("convert", *(f"{side}²" for side in SIDES), "whole")]
            size = row["bytes"], f"{row['bytes'] / found['view']['bytes']:.3f}"
            rows.append([Path(name).stem, profile, row["tile"], *size, *(f"{each:.2f}" for each in times)])
    benchlib.emit(data, [markdown_table(head, rows)], as_json=as_json)


if __name__ == "__main__":
    main()
