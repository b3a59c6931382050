"""Decode RRIP by the specification alone: a second implementation, to be read beside ``spec/rrip.md``.

It shares no code with the package ``rrip_format``; the modules are in ``tools/conformance/plain``. Run as

    python tools/conformance/plain_decoder.py info PATH
    python tools/conformance/plain_decoder.py tile PATH LEVEL ROW COL [--out TILE.npy]
    python tools/conformance/plain_decoder.py region PATH LEVEL TOP LEFT HEIGHT WIDTH [--out REGION.npy]
    python tools/conformance/plain_decoder.py digest PATH [--tiles]
    python tools/conformance/plain_decoder.py vectors [DIR]

PATH is a folder, a zip archive or a BigTIFF. Needs NumPy; ``--jpeg pillow`` needs Pillow too, and is faster on whole
slides. Exit codes: 0 right, 1 refused or different, 2 usage or no such file.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
from plain.conformance import check_set
from plain.errors import RripError
from plain.slide import Image, Slide, open_container

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"


def info(slide: Slide) -> None:
    """Return the metadata and the names of the attachments, after every check that opening a container includes."""
    coding, metadata = slide.coding, slide.container.metadata
    print(f"{slide.container.kind}, slide {coding.uuid}, T = {coding.tile}")
    for level in range(coding.levels):
        height, width = coding.size(level)
        rows, cols = coding.grid(level)
        places = [(row, col) for row in range(rows) for col in range(cols)]
        empty = sum(coding.is_empty(level, *place) for place in places)
        print(f"level {level}: {width} × {height} px, {rows} × {cols} tiles, {empty} empty")
    for name, value in metadata.slide.items():
        print(f"{name}: {value}" if name != "properties" else f"properties: {len(value)}")
    for name in slide.attachments:
        print(f"{name}: {len(slide.attachment(name))} bytes")


def save(image: Image, out: Path | None) -> None:
    print(f"{'×'.join(map(str, image.shape))} sha256 {hashlib.sha256(image.tobytes()).hexdigest()}")
    if out is not None:
        np.save(out, image)


def digest(slide: Slide, *, tiles: bool) -> None:
    """Return the SHA-256 of every level: of the RGB samples of its tiles, row by row, each cropped to the level."""
    for level in range(slide.coding.levels):
        rows, cols = slide.coding.grid(level)
        whole = hashlib.sha256()
        for row in range(rows):
            for col in range(cols):
                height, width = slide.inside(level, row, col)
                samples = np.ascontiguousarray(slide.tile(level, row, col)[:, :height, :width]).tobytes()
                whole.update(samples)
                if tiles:
                    print(f"{hashlib.sha256(samples).hexdigest()}  {level}/{row}/{col}")
        print(f"{whole.hexdigest()}  {level}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jpeg", choices=["own", "pillow"], default="own", help="JPEG decoder (default: own)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, places in {
        "info": (),
        "tile": ("level", "row", "col"),
        "region": ("level", "top", "left", "height", "width"),
        "digest": (),
    }.items():
        command = commands.add_parser(name)
        command.add_argument("path", type=Path)
        for place in places:
            command.add_argument(place, type=int)
        if places:
            command.add_argument("--out", type=Path, help="write the samples as a .npy file")
        if name == "digest":
            command.add_argument("--tiles", action="store_true", help="also of every tile")
    commands.add_parser("vectors").add_argument("path", type=Path, nargs="?", default=VECTORS)
    return parser.parse_args()


def run(given: argparse.Namespace) -> int:
    if given.command == "vectors":
        return check_set(given.path, given.jpeg)
    slide = Slide(open_container(given.path), given.jpeg)
    if given.command == "info":
        info(slide)
    elif given.command == "digest":
        digest(slide, tiles=given.tiles)
    elif given.command == "tile":
        save(slide.tile(given.level, given.row, given.col), given.out)
    else:
        save(slide.region(given.level, given.top, given.left, given.height, given.width), given.out)
    return 0


def main() -> int:
    given = arguments()
    try:
        return run(given)
    except RripError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
