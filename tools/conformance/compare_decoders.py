"""Compare the package with the plain decoder, tile by tile, on real slides.

::

    python tools/conformance/compare_decoders.py slide.svs slide.rrip.tif …

A container is compared as it is. Anything else is converted to a folder, a zip archive and a TIFF in a temporary folder
first. Every tile of every level is compared with its padding, and so is every attachment; a difference is an exit code
of 1. The plain decoder decodes JPEG by itself (``--jpeg own``, some 4 seconds a megabyte) or with Pillow.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from plain.slide import Slide, open_container

import rrip_format
from rrip_format.containers.copying import transmux

SUFFIXES = (".rrip.tif", ".rrip.zarr", ".rrip.zarr.zip")


def containers(path: Path, folder: Path, effort: str) -> Iterator[Path]:
    """Generate the container at a path, or those made of the slide at the path."""
    if any(path.name.endswith(suffix) for suffix in SUFFIXES):
        yield path
        return
    made = folder / f"{path.stem}{SUFFIXES[0]}"
    rrip_format.convert(path, made, rrip_format.Settings(effort=effort))
    yield made
    for suffix in SUFFIXES[1:]:
        copy = folder / f"{path.stem}{suffix}"
        transmux(made, copy)
        yield copy


def places(plain: Slide) -> Iterator[tuple[int, int, int]]:
    """Generate all tiles, those of a family together, so that its coarser levels are decoded once."""
    rows, cols = plain.coding.grid(2)
    yield from ((level, row, col) for row in range(rows) for col in range(cols) for level in (2, 1, 0))
    for level in range(3, plain.coding.levels):
        rows, cols = plain.coding.grid(level)
        yield from ((level, row, col) for row in range(rows) for col in range(cols))


def compare(path: Path, decoder: str) -> int:
    """Compare one container, print the figures, and return the number of differences."""
    start = time.process_time()
    plain = Slide(open_container(path), decoder)
    tiles = attachments = different = 0
    with rrip_format.open(path) as slide:
        for place in places(plain):
            tiles += 1
            if not np.array_equal(plain.tile(*place), slide.read_tile(*place)):
                different += 1
                print(f"{path.name}: tile {'/'.join(map(str, place))} differs")
        ours = slide.associated_images() | {"icc_profile": slide.icc_profile()}
        for name in plain.attachments:
            attachments += 1
            if plain.attachment(name) != ours[name]:
                different += 1
                print(f"{path.name}: {name} differs")
        if plain.coding.levels != len(slide.levels):
            different += 1
            print(f"{path.name}: {plain.coding.levels} levels and {len(slide.levels)}")
    seconds = time.process_time() - start
    outcome = "all equal" if not different else f"{different} DIFFERENT"
    print(f"{path.name}: {tiles} tiles, {attachments} attachments, {outcome} ({decoder} JPEG, {seconds:.0f} s)")
    return different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a container, or a slide to convert")
    parser.add_argument("--jpeg", choices=["own", "pillow"], default="own", help="JPEG decoder of the plain side")
    parser.add_argument("--effort", choices=["fast", "default", "best"], default="fast", help="of the conversions")
    given = parser.parse_args()
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in given.paths:
            different += sum(compare(made, given.jpeg) for made in containers(path, Path(folder), given.effort))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
