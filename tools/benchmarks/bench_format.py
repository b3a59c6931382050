"""Measure what a decoder could add to the format: a filter of luma, and lapping of residuals (``format_trial.py``).

::

    python tools/benchmarks/bench_format.py --testdata ../shared/testdata

The first table has mean BD-rates over the five fields of ``bench_fields.py``, with the promise of quality in force, and
bytes at quality 90. The second has the speed of decoding to that of JPEG tiles, as ``bench_core.py`` measures it, with
the time of these steps added: the filter by the compiled core, lapping compiled from ``format_trial.c`` for this
processor. Needs a C compiler. How long a filtered level 0 takes in one call is in ``bench_core.py``.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import benchlib
import click
import numpy as np
from bench_core import WEIGHTS, cases_of
from bench_fields import COLUMNS, bytes_to_jpeg, means, measure_fields
from bench_tissue import KINDS, SIDE, mosaic, pyramid, tissue
from benchlib import Json, Spread
from format_trial import LAPPING, OPTIONS, Option, trying, unlap

import rrip_format
from rrip_format import Settings
from rrip_format.core.luma_filter import filter_luma
from rrip_format.evaluate.tables import markdown_table

ROUNDS, QUICK_ROUNDS = 9, 3
MEGAPIXELS, QUICK_MEGAPIXELS = 8.0, 1.0
SOURCE = Path(__file__).with_name("format_trial.c")


def measure_bytes(testdata: Path, option: Option, *, ssimulacra2: bool) -> dict[str, float | None]:
    """Measure mean BD-rates and bytes of an option."""
    with trying(option):
        fields = dict(measure_fields(testdata, Settings(), ["rrip"], ssimulacra2=ssimulacra2, timed=False, quiet=True))
    return means(fields)["rrip"] | {"bytes": bytes_to_jpeg(fields)}


class Steps:
    """The filter of the compiled core, and lapping of ``format_trial.c``, compiled for this processor."""

    def __init__(self, folder: Path) -> None:
        library = folder / "format_trial.so"
        subprocess.run(["cc", "-O3", "-march=native", "-shared", "-fPIC", str(SOURCE), "-o", str(library)], check=True)
        self._library = ctypes.CDLL(str(library))

    def sharpen(self, plane: np.ndarray, times: int = 1) -> None:
        """Filter a plane so many times."""
        for _ in range(times):
            filter_luma(plane, WEIGHTS)

    def unlap(self, plane: np.ndarray, times: int = 1) -> None:
        """Undo the lapping of a residual in place, so many times."""
        weights = np.array(LAPPING, np.int16)
        sizes = [ctypes.c_size_t(side) for side in plane.shape]
        for _ in range(times):
            self._library.unlap(ctypes.c_void_p(plane.ctypes.data), *sizes, ctypes.c_void_p(weights.ctypes.data))

    def check(self) -> None:
        """Check that lapping gives what NumPy gives."""
        plane = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
        out = plane.copy()
        self.unlap(out)
        assert np.array_equal(out, unlap(plane))


def measure_time(
    testdata: Path, kind: str, megapixels: float, rounds: int, folder: Path
) -> dict[str, dict[str, Spread]]:
    """Measure the speed of decoding level 0 and level 1 to JPEG tiles, with each option; by level."""
    steps = Steps(folder)
    steps.check()
    rgb = mosaic(tissue(testdata, kind), megapixels)
    levels, path = pyramid(rgb), folder / f"{kind}.rrip.tif"
    rrip_format.convert(rgb, path)
    plane = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    found: dict[str, dict[str, Spread]] = {}
    for level in (0, 1):
        decode, jpeg, squares = cases_of(path, levels, level)
        times = benchlib.interleave(
            {
                "decode": decode,
                "jpeg": jpeg,
                "sharpen": partial(steps.sharpen, plane, squares),
                "unlap": partial(steps.unlap, plane, squares),
            },
            rounds,
        ).cpu
        found[f"level {level}"] = {
            option.name: Spread.of([b / a for a, b in zip(_with(times, option, level), times["jpeg"], strict=True)])
            for option in OPTIONS
        } | {
            f"{step}, ms/MP": Spread.of([1000 * t / (squares * SIDE**2 / 1e6) for t in times[step]])
            for step in ("decode", "sharpen", "unlap")
        }
    return found


def _with(times: Any, option: Option, level: int) -> list[float]:
    """Return the seconds of decoding a level with an option: its own steps, and those of level 1 below level 0."""
    sharpened = sum(4.0 ** (level - each) for each in option.filtered if each >= level)
    lapped = sum(4.0 ** (level - each) for each in (0, 1) if each >= level) * option.lapped
    rows = zip(times["decode"], times["sharpen"], times["unlap"], strict=True)
    return [decode + sharpened * sharpen + lapped * unlap for decode, sharpen, unlap in rows]


@click.command()
@benchlib.common_options
@click.option("--bytes/--no-bytes", "with_bytes", default=True, help="Measure BD-rates.")
@click.option("--time/--no-time", "with_time", default=True, help="Measure time.")
@click.option("--ssimulacra2/--no-ssimulacra2", default=True, help="SSIMULACRA2 takes most of the time.")
@click.option("--kinds", default=",".join(KINDS), show_default=True, help="Of tissue, comma-separated, for the time.")
def main(
    *,
    testdata: Path,
    rounds: int | None,
    quick: bool,
    as_json: bool,
    with_bytes: bool,
    with_time: bool,
    ssimulacra2: bool,
    kinds: str,
) -> None:
    """Measure a filter and lapping in the closed loop: bytes, and speed of decoding to JPEG tiles."""
    data: dict[str, Json] = {"machine": benchlib.machine(), "bytes": {}, "time": {}}
    tables = []
    if with_bytes:
        for option in OPTIONS:
            benchlib.say(option.name, quiet=as_json)
            data["bytes"][option.name] = measure_bytes(testdata, option, ssimulacra2=ssimulacra2)
        rows = [
            [name, *(found[measure] for measure in COLUMNS.values()), f"{found['bytes']:.3f}"]
            for name, found in data["bytes"].items()
        ]
        tables.append(markdown_table(["mean BD-rate, %", *COLUMNS, "bytes, JPEG = 1"], rows))
    if with_time:
        for kind in kinds.split(","):
            benchlib.say(kind, quiet=as_json)
            with tempfile.TemporaryDirectory(prefix="rrip-bench-") as folder:
                megapixels = QUICK_MEGAPIXELS if quick else MEGAPIXELS
                repeats = rounds or (QUICK_ROUNDS if quick else ROUNDS)
                found = measure_time(testdata, kind, megapixels, repeats, Path(folder))
            data["time"][kind] = {
                level: {name: each.to_json() for name, each in row.items()} for level, row in found.items()
            }
            names = list(found["level 0"])
            rows = [[name, *(str(found[level][name]) for level in found)] for name in names]
            tables.append(markdown_table([f"{kind}, speed to JPEG tiles", *found], rows))
    benchlib.emit(data, tables, as_json=as_json)


if __name__ == "__main__":
    main()
