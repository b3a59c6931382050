"""Damage metadata, tiles and files at random, and compare the results of the package and of the plain decoder.

::

    python tools/conformance/compare_mutants.py [--count 2000] [--seed 1]

Both have to give the same samples, or to refuse with the same class and the same rule. Most mutants are sealed again,
to reach what lies behind the checksums. A difference is printed with its seed, and is an exit code of 1: one of the two
is wrong, or the specification lets a reader guess. It does so on purpose where coefficients are larger than any writer
may write (section 5.1): of those, only that both accept them is compared.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from plain import errors as plain_errors
from plain.canonical import parse_json
from plain.dct import BeyondRangeWarning
from plain.metadata import Metadata, read_coding, read_metadata
from plain.slide import Slide, open_container
from vectors import containers, valid

from rrip_format.containers.base import load_json, read_attachment
from rrip_format.errors import RripError
from rrip_format.family.decode import decode_tile, needed_levels
from rrip_format.slides.slide import open_slide
from rrip_format.spec.metadata import parse_coding, parse_metadata, seal
from rrip_format.spec.tile import crc32c

Outcome = Any
VALUES: list[Any] = [
    *(None, True, "", [], {}, 0, -1, 1, 2, 3, 64, 65, 528, 64.0, 1e20, 2**31, 2**31 + 1, 2**53 - 1, 2**53, 2**64),
    *([1, 2], [1, 2, 3], [255] * 3, [0, 64, 0, 0], [-13, 77, 0, 0], [0.0, 64, 0, 0], {"name": "a"}, {"bytes": 1.0}),
    *("eNpjAQAABQAF", "eNpjAQAABQAF\n", "00c0ffee", "00C0FFEE", "\ud800", str(valid.SLIDE)),
]  # fmt: skip
"""What members are replaced with."""

PLACES = [(3, 0, 0), (2, 0, 0), (2, 0, 1), (1, 0, 2), (0, 0, 0)]


def outcome(action: Callable[..., object], *arguments: object) -> Outcome:
    """Return the samples or bytes that an action returns, or class and rule of its error."""
    try:
        found = action(*arguments)
    except (RripError, plain_errors.RripError) as error:
        return type(error).__name__, error.rule
    return found.tobytes() if isinstance(found, np.ndarray) else found


# Metadata


def mutated_document(document: dict[str, Any], chance: random.Random) -> bytes:
    """Return a document with changed members or a changed byte; its checksums are mostly recomputed."""
    changed = copy.deepcopy(document)
    for _ in range(chance.choice([1, 1, 2])):
        parent: Any = changed
        while True:
            key = chance.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
            if not isinstance(parent[key], dict | list) or not parent[key] or chance.random() < 0.2:
                break
            parent = parent[key]
        parent[key] = copy.deepcopy(chance.choice(VALUES))
        if isinstance(parent, dict) and chance.random() < 0.25:
            del parent[key]
    if chance.random() < 0.85:
        try:
            coding = changed.get("coding")
            changed = seal({**changed, "coding": seal(coding) if isinstance(coding, dict) else coding})
        except (ValueError, UnicodeError):  # without canonical form, so without a seal
            pass
    data = bytearray(json.dumps(changed).encode())
    if chance.random() < 0.15:
        data[chance.randrange(len(data))] = chance.choice(b'0123456789",:{}[]ae.- \x00\xff')
    return bytes(data)


def compare_documents(chance: random.Random) -> Iterator[tuple[Outcome, Outcome]]:
    """Return the outcomes of plain decoder and package for a document."""

    def plain(data: bytes) -> None:
        read_metadata(parse_json(data))

    def ours(data: bytes) -> None:
        parse_metadata(load_json(data, "mutant"))

    document = valid.full_metadata().to_json()
    while True:
        data = mutated_document(document, chance)
        yield outcome(plain, data), outcome(ours, data)


# Tiles


class _Family:
    """The tiles of one family, as a container of the plain decoder."""

    kind = "mutant"

    def __init__(self, coding: dict[str, Any], tiles: dict[int, bytes]) -> None:
        self.metadata, self.tiles = Metadata(read_coding(coding), {}, {}, {}), tiles

    def tile(self, level: int, _row: int, _col: int) -> bytes | None:
        return self.tiles.get(level)

    def attachment(self, _name: str) -> bytes | None:
        return None


def compare_tiles(chance: random.Random) -> Iterator[tuple[Outcome, Outcome]]:
    """Return the outcomes of plain decoder and package for tiles with changed bytes."""
    family = valid.encoded("mutant", "", "", valid.make_coding(planes=(1, 3)))
    coding = parse_coding(family.document["coding"])
    while True:
        level = chance.choice([0, 1, 2])
        tile = bytearray(family.tiles[level])
        length = len(tile)
        for _ in range(chance.choice([1, 1, 2])):
            at = chance.choice([chance.randrange(min(330, length)), chance.randrange(length), -chance.randint(1, 36)])
            bit = tile[at] ^ 1 << chance.randrange(8)
            tile[at] = chance.choice([bit, 0, 1, 255, 0xD9, 0xD0, chance.randrange(256)])
        if chance.random() < 0.9:
            tile[-4:] = struct.pack("<I", crc32c(bytes(tile[:-4])))
        tiles = {**family.tiles, level: bytes(tile)}
        needed = [tiles[k] for k in needed_levels(level)]
        slide = Slide(_Family(family.document["coding"], tiles))
        with warnings.catch_warnings(record=True, action="always", category=BeyondRangeWarning) as beyond:
            plain = outcome(slide.tile, level, 0, 0)
        ours = outcome(decode_tile, coding, level, 0, 0, needed)
        accepted = isinstance(plain, bytes) and isinstance(ours, bytes)
        yield (b"", b"") if beyond and accepted else (plain, ours)  # decoders may differ there


# Files


def _mutated_file(good: bytes, start: int, chance: random.Random) -> bytes:
    """Return a file with changed bytes or numbers in its header or after `start`, or truncated."""
    data = bytearray(good)
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.choice([chance.randrange(16), chance.randrange(start, len(data))])
        numbers = [0, 1, len(data), len(data) - 8, 2**32 - 1, 2**63, start, chance.randrange(len(data))]
        if chance.random() < 0.5:
            data[at] = chance.choice([data[at] ^ 1 << chance.randrange(8), 0, 1, 2, 3, 4, 7, 16, 18, 255])
        else:
            data[at : at + 8] = struct.pack("<Q", chance.choice(numbers))
    return bytes(data if chance.random() < 0.95 else data[: chance.randrange(16, len(data))])


def compare_files(chance: random.Random, name: str) -> Iterator[tuple[Outcome, Outcome]]:
    """Return the outcomes of plain decoder and package for files with a damaged index."""
    good = containers.file_bytes(name)
    start = containers.ifd_of(good, 2) if name == containers.TIFF else good.index(b"PK\1\2")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name

        def plain() -> list[Outcome]:
            slide = Slide(open_container(path), "pillow")
            tiles = [outcome(slide.tile, *place) for place in PLACES]
            return tiles + [outcome(slide.attachment, name) for name in slide.attachments]

        def ours() -> list[Outcome]:
            with open_slide(path) as slide:
                tiles = [outcome(slide.read_tile, *place) for place in PLACES]
                return tiles + [outcome(read_attachment, slide.container, name) for name in slide.metadata.attachments]

        while True:
            path.write_bytes(_mutated_file(good, start, chance))
            yield outcome(plain), outcome(ours)


def run(count: int, seed: int) -> int:
    """Compare `count` mutants of each kind; print the figures, return the number of differences."""
    kinds: dict[str, Callable[[random.Random], Iterator[tuple[Outcome, Outcome]]]] = {
        "metadata": compare_documents,
        "tiles": compare_tiles,
        "TIFF files": lambda chance: compare_files(chance, containers.TIFF),
        "zip archives": lambda chance: compare_files(chance, containers.ZIP),
    }
    different = 0
    for title, kind in kinds.items():
        refused = wrong = 0
        for number, (plain, ours) in zip(range(count), kind(random.Random(f"{seed} {title}")), strict=False):
            refused += isinstance(ours, tuple)
            if plain != ours:
                wrong += 1
                told = [found if isinstance(found, tuple) else "accepted" for found in (plain, ours)]
                print(f"{title}, seed {seed}, mutant {number}: plain {told[0]}, package {told[1]}")
        print(f"{title}: {count} mutants, {refused} refused, {wrong} different")
        different += wrong
    return different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="mutants of each of four kinds (default: 2000)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    return 1 if run(given.count, given.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
