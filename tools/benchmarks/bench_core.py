"""Measure decoding of single tiles with each variant of the compiled core, and of JPEG tiles, on one core.

::

    python tools/benchmarks/bench_core.py --testdata ../shared/testdata --json > core.json

A mosaic of tissue is converted at the default quality, 90. What a viewer draws as a square of 512 px is read at each
level, into memory that is used again: one tile of level 0, without and with a filter of luma, four of level 1, sixteen
of level 2. Beside it stands one
JPEG 4:2:0 tile of 512 x 512 px at quality 90, which has more bytes and less quality, by libjpeg-turbo. Seconds are CPU
time of this thread, so that a busy machine disturbs them little.
"""

from __future__ import annotations

import ctypes
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import benchlib
import click
import numpy as np
from bench_tissue import KINDS, SIDE, mosaic, pyramid, tissue
from benchlib import Json, Spread

import rrip_format
from rrip_format.core.library import library, list_cores, use_core
from rrip_format.core.luma_filter import Weights
from rrip_format.evaluate.tables import markdown_table

ROUNDS, QUICK_ROUNDS = 9, 3
MEGAPIXELS, QUICK_MEGAPIXELS = 16.0, 1.0
WEIGHTS = (10, 14, 7, -9)
"""Weights of a filter of luma (spec section 5.8), for the time."""
LEVELS = {"0": (0, None), "0, filtered": (0, WEIGHTS), "1": (1, None), "2": (2, None)}
"""What is read: the level, and the filter of its luma."""
_CALLS = 10_000

Case = Callable[[], object]


def cases_of(
    path: Path, levels: list[np.ndarray], level: int, weights: Weights | None = None
) -> tuple[Case, Case, int]:
    """Return functions that read a level square by square, from RRIP and from JPEG tiles, and the number of squares."""
    import imagecodecs

    height, width = (side // SIDE * SIDE for side in levels[level].shape[:2])
    places = [(y, x) for y in range(0, height, SIDE) for x in range(0, width, SIDE)]
    parts = [np.ascontiguousarray(levels[level][y : y + SIDE, x : x + SIDE]) for y, x in places]
    streams = [imagecodecs.jpeg8_encode(part, level=90, subsampling="420", optimize=True) for part in parts]
    memory = np.empty(3 * SIDE * SIDE + 32, np.uint8)
    # where libjpeg-turbo is fastest: rows at multiples of 32 bytes are written past the caches
    square = memory[(16 - memory.ctypes.data) % 32 :][: 3 * SIDE * SIDE].reshape(SIDE, SIDE, 3)
    slide = rrip_format.open(path)
    stored = _Stored(slide, level, weights)

    def ours() -> None:
        for y, x in places:
            stored.read(y, x, square)

    def jpeg() -> None:
        for stream in streams:
            imagecodecs.jpeg8_decode(stream, out=square)

    return ours, jpeg, len(places)


class _Stored:
    """The stored tiles of a level in memory, like the JPEG tiles; with weights, as if the slide had that filter."""

    def __init__(self, slide: rrip_format.Slide, level: int, weights: Weights | None) -> None:
        from rrip_format.family.decode import needed_levels

        self.coding, self.level, self.side = slide.metadata.coding, level, slide.geometry.tile_side(level)
        fine, middle = self.coding.residuals
        self.coding = replace(self.coding, residuals=(replace(fine, luma_filter=weights), middle))
        needed = needed_levels(level)
        self.tiles = {
            place: slide.container.read_tiles([(each, *place) for each in needed])
            for place in slide.geometry.tiles(level)
        }

    def read(self, y: int, x: int, square: np.ndarray) -> None:
        """Return all tiles of a square of `SIDE` px."""
        from rrip_format.family.decode import decode_tile

        for top in range(0, SIDE, self.side):
            for left in range(0, SIDE, self.side):
                row, col = (y + top) // self.side, (x + left) // self.side
                decode_tile(self.coding, self.level, row, col, self.tiles[row, col], None, (square, top, left))


def measure(testdata: Path, kind: str, megapixels: float, rounds: int, scratch: Path) -> dict[str, dict[str, Spread]]:
    """Measure milliseconds per square and ratios to JPEG, by level and variant."""
    rgb = mosaic(tissue(testdata, kind), megapixels)
    path, levels = scratch / f"{kind}.rrip.tif", pyramid(rgb)
    rrip_format.convert(rgb, path)
    found: dict[str, dict[str, Spread]] = {}
    for name, (level, weights) in LEVELS.items():
        if level >= len(levels) or min(levels[level].shape[:2]) < SIDE:
            continue
        ours, jpeg, squares = cases_of(path, levels, level, weights)
        taken: dict[str, list[float]] = {}
        for _ in range(rounds + 1):  # the first fills the caches
            for core in list_cores():
                use_core(core)
                taken.setdefault(core, []).append(_seconds(ours))
            taken.setdefault("jpeg", []).append(_seconds(jpeg))
        of_jpeg = taken["jpeg"][1:]
        found[name] = {
            key: Spread.of([1000 * each / squares for each in seconds[1:]]) for key, seconds in taken.items()
        } | {
            f"{key} to jpeg": Spread.of([b / a for a, b in zip(seconds[1:], of_jpeg, strict=True)])
            for key, seconds in taken.items()
            if key != "jpeg"
        }
    use_core(None)
    return found


def _seconds(case: Case) -> float:
    start = time.thread_time()
    case()
    return time.thread_time() - start


def call_cost() -> Spread:
    """Measure the time of a call into the core that does nothing, microseconds."""
    call = library.rrip_predict_scratch
    found = []
    for _ in range(9):
        start = time.perf_counter()
        for _ in range(_CALLS):
            call()
        found.append(1e6 * (time.perf_counter() - start) / _CALLS)
    return Spread.of(found)


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of level 0.")
@click.option("--kinds", default=",".join(KINDS), show_default=True, help="Of tissue, comma-separated.")
def main(
    *, testdata: Path, rounds: int | None, quick: bool, as_json: bool, megapixels: float | None, kinds: str
) -> None:
    """Measure the variants of the compiled core on tiles of all levels, and compare with JPEG tiles."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    size = megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS)
    data: dict[str, Json] = {"machine": benchlib.machine(), "rounds": rounds, "kinds": {}, "must_hold": []}
    tables, best = [], list_cores()[-1]
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as scratch:
        for kind in kinds.split(","):
            benchlib.say(kind, quiet=as_json)
            found = measure(testdata, kind, size, rounds, Path(scratch))
            data["kinds"][kind] = {
                level: {key: each.to_json() for key, each in row.items()} for level, row in found.items()
            }
            head = [f"{kind}, ms a square of {SIDE}²", "JPEG 4:2:0", *list_cores(), *(f"{c}, ×" for c in list_cores())]
            rows = [
                [f"level {level}", *(str(row[key]) for key in ("jpeg", *list_cores()))]
                + [f"{row[f'{core} to jpeg'].median:.2f}" for core in list_cores()]
                for level, row in found.items()
            ]
            tables.append(markdown_table(head, rows))
            for level in (level for level in ("1", "2") if level in found):
                what = f"L{level}, a square of {SIDE}² of a view, to a JPEG tile of quality 90"
                data["must_hold"].append(benchlib.requirement(what, kind, found[level][f"{best} to jpeg"], 1.0, 1.3))
    cost = call_cost()
    data["call_microseconds"] = cost.to_json()
    data["pointer_bits"] = 8 * ctypes.sizeof(ctypes.c_void_p)
    tables.append(markdown_table(["a call into the core", "µs"], [["that does nothing", str(cost)]]))
    benchlib.emit(data, [*tables, benchlib.requirements_table(data["must_hold"])], as_json=as_json)


if __name__ == "__main__":
    main()
