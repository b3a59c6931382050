"""Flip every single bit and try every truncation of a tiny container: no result may differ from the truth.

    python tools/harnesses/exhaustive.py              all of them, in each binding; a quarter of an hour on two cores
    python tools/harnesses/exhaustive.py --step 97    one in 97
    python tools/harnesses/exhaustive.py --kind tiff  one binding

The container has two families, one of them empty, four levels, an ICC profile and a macro image, in less than 64 KiB. A
damaged one is opened, and every tile, attachment and the metadata are compared. A stored tile that comes out byte for
byte as it was is not decoded again, since its pixels depend on nothing else than it and the metadata; any other is. The
``zarr.json`` of an array is read by Zarr and the pixels compared. Exit code 1 if anything was silently wrong, or an
error was not of our class.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from damage.pool import Case, blame, run_cases
from damage.report import print_table, summarise
from damage.specimens import MAIN_FILE, Slides, picture, slides

import rrip_format
from rrip_format.errors import RripError
from rrip_format.family.decode import decode_tile, needed_levels

KINDS = ("folder", "zip", "tiff")


def specimen() -> Slides:
    """Return the slide: a family of tissue, a family of glass."""
    rgb = np.full((24, 300, 3), 255, np.uint8)
    rgb[:, :256] = picture(24, 256, 3)
    return slides(rgb)


class Checker:
    """Reads a damaged container and compares everything that is returned.

    Parameters
    ----------
    slide : Slides
    path : str
        Where the container is.
    """

    def __init__(self, slide: Slides, path: str) -> None:
        self.truth, self.path = slide.truth, path

    def check(self) -> str:
        """Return ``equal``, ``refused`` or ``wrong``."""
        truth, refused = self.truth, False
        try:
            with rrip_format.open(self.path) as found:
                if found.metadata.to_json() != truth.document:
                    return "wrong"
                for level in range(found.geometry.levels):
                    for row, col in found.geometry.tiles(level):
                        places = [(needed, row, col) for needed in needed_levels(level)]
                        if truth.coding.is_empty(level, row, col):
                            places = []
                        try:
                            tiles = found.container.read_tiles(places)
                            if tiles != [truth.tiles[place] for place in places]:
                                decode_tile(found.metadata.coding, level, row, col, tiles)
                                return "wrong"  # other bytes than those that were stored, and no error
                        except RripError:
                            refused = True
                for read, expected in ((found.icc_profile, truth.icc), (found.associated_images, truth.associated)):
                    try:
                        if read() != expected:
                            return "wrong"
                    except RripError:
                        refused = True
        except RripError:
            return "refused"
        return "refused" if refused else "equal"

    def check_array(self, level: int) -> str:
        """Return the same for one level, as Zarr reads it from a folder."""
        try:
            found = zarr.open_group(self.path, mode="r")[str(level)]
            pixels = np.asarray(found[:])  # type: ignore[index]
        except Exception:  # noqa: BLE001  (Zarr has its own errors for its own documents)
            return "refused"
        return "equal" if np.array_equal(pixels, self.truth.levels[level]) else "wrong"


def damage_case(slide: Slides, kind: str) -> Case:
    """Return a function that runs one damage; called in a child.

    Damage number n flips bit n; those from the number of bits on cut a file to each of its lengths but the full one.
    """
    files = slide.files[kind]
    scratch = Path(tempfile.mkdtemp(dir=os.environ.get("RRIP_SCRATCH")))
    for name, data in files.items():
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).write_bytes(data)
    checker = Checker(slide, str(scratch / MAIN_FILE[kind] if kind in MAIN_FILE else scratch))
    names = sorted(files)
    starts = [0, *itertools.accumulate(len(files[name]) for name in names)]
    root = files.get("zarr.json")

    def part(name: str) -> str:
        if kind != "folder":
            return "the file"
        if "/c/" in name:
            return "attachments" if name.startswith(("icc", "associated")) else "tiles"
        return "root zarr.json" if name == "zarr.json" else "other zarr.json"

    def case(number: int) -> tuple[str, str, str]:
        at = number // 8 if number < 8 * starts[-1] else number - 8 * starts[-1]
        name = names[bisect.bisect_right(starts, at) - 1]
        data, offset = files[name], at - starts[names.index(name)]
        if number < 8 * starts[-1]:
            what, damaged = "bits", bytearray(data)
            damaged[offset] ^= 1 << number % 8
        else:
            what, damaged = "truncations", bytearray(data[:offset])
        (scratch / name).write_bytes(damaged)
        group = f"{kind}: {what} of {part(name)}"
        try:
            result = checker.check()
            level = name.partition("/")[0]
            if kind == "folder" and name == f"{level}/zarr.json" and level.isdigit() and result == "equal":
                result = checker.check_array(int(level))
                group += ", read by Zarr"
            if result == "equal" and name == "zarr.json" and _changed(root, damaged):
                group += ", outside the seals"
        except Exception as error:  # noqa: BLE001  (this is what is looked for)
            result, detail = blame(error)
            return group, result, f"{name}, {what} {offset}.{number % 8}: {detail}"
        finally:
            (scratch / name).write_bytes(data)
        return group, result, f"{name}, {what} {offset}.{number % 8}"

    rrip_format.imread(checker.path)  # compiles, which is not part of any case
    return case


def _changed(root: bytes | None, damaged: bytearray) -> bool:
    """Return whether a document has another meaning: flips in white space do not change it."""
    return root is not None and json.loads(root) != json.loads(damaged)


def damages(slide: Slides, kind: str) -> int:
    """Return the number of bits to flip and of lengths to cut to."""
    return 9 * sum(map(len, slide.files[kind].values()))


def run(kinds: Sequence[str], step: int, workers: int) -> dict[str, Any]:
    """Run one in `step` of all damages of each kind; return the reports by kind."""
    slide, reports = specimen(), {}
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="rrip-", dir=memory) as scratch:
        os.environ["RRIP_SCRATCH"] = scratch
        for kind in kinds:
            size = sum(map(len, slide.files[kind].values()))
            if size > 1 << 16:
                raise RuntimeError(f"the {kind} has {size} bytes, more than 64 KiB")
            numbers = range(0, damages(slide, kind), step)
            report = summarise(run_cases(damage_case, (slide, kind), numbers, workers), len(numbers))
            reports[kind] = {"container_bytes": size, **report}
    return reports


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=1, help="take one in so many")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    given = parser.parse_args()
    reports = run(given.kind or KINDS, given.step, given.workers)
    if given.json:
        print(json.dumps(reports))
    else:
        for report in reports.values():
            print_table(report)
    return any(report["findings"] for report in reports.values())


if __name__ == "__main__":
    sys.exit(main())
