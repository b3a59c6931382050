"""Damage to the remains of interrupted conversions, and the runs that resume them.

A workplace is the hidden folder beside a target (:class:`rrip_format.storage.workplace.Workplace`): a journal, a lock,
and the container as far as it is written.
"""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import tifffile

import rrip_format
from rrip_format import Settings
from rrip_format.conversion import blocks
from rrip_format.spec.tile import crc32c

from .specimens import picture
from .streams import mutate_bytes
from .structure import change_json

__all__ = ["SUFFIXES", "Desk", "Workplaces", "mutate_workplace", "workplaces"]

SUFFIXES = (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif")
SETTINGS = Settings(tile=64, effort="fast", steps=(8.0, 8.0, 6.0, 9.0))
SOURCE, TARGET = "source.tif", "slide"

Files = Mapping[str, bytes]
Rng = np.random.Generator


@dataclass(frozen=True)
class Workplaces:
    """A slide, and the remains of its conversions.

    Parameters
    ----------
    source : bytes
        The slide, a TIFF file.
    wanted : mapping of suffix to files
        The container that a run makes that nothing interrupts.
    left : mapping of suffix to list of files
        What runs leave that are interrupted after more and more families.
    other : mapping of suffix to files
        What a run of another slide leaves.
    """

    source: bytes
    wanted: Mapping[str, Files]
    left: Mapping[str, Sequence[Files]]
    other: Mapping[str, Files]


def _contents(path: Path) -> dict[str, bytes]:
    """Return every file of a folder by its name in it; of a file, the file."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def _place(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _convert(folder: Path, suffix: str, families: int | None = None, *, resume: bool = False) -> Path:
    """Convert the slide in a folder, up to so many families; blocks of one family each."""

    def stop(done: int, _: int) -> None:
        if families is not None and done >= families:
            raise KeyboardInterrupt

    target = folder / f"{TARGET}{suffix}"
    with mock.patch.object(blocks, "BLOCK_PX", 256):
        rrip_format.convert(folder / SOURCE, target, SETTINGS, workers=1, resume=resume, progress=stop)
    return target


def _interrupt(folder: Path, suffix: str, families: int) -> dict[str, bytes]:
    """Return what is left of a run that is stopped after so many families."""
    try:
        _convert(folder, suffix, families)
    except KeyboardInterrupt:
        place = _place(folder / f"{TARGET}{suffix}")
        left = _contents(place)
        shutil.rmtree(place)
        return left
    raise RuntimeError("a conversion was not stopped")


@functools.cache
def workplaces(height: int, width: int) -> Workplaces:
    """Return a slide of (height, width) px, and the remains of its conversions."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rgb = picture(height, width, 4)
        rgb[:256, 256:] = 255
        tifffile.imwrite(folder / SOURCE, picture(height, width, 5), photometric="rgb", tile=(128, 128))
        other = {suffix: _interrupt(folder, suffix, 3) for suffix in SUFFIXES}
        tifffile.imwrite(folder / SOURCE, rgb, photometric="rgb", tile=(128, 128))
        left = {suffix: [_interrupt(folder, suffix, families) for families in (1, 3)] for suffix in SUFFIXES}
        wanted = {suffix: _contents(_convert(folder, suffix)) for suffix in SUFFIXES}
        return Workplaces((folder / SOURCE).read_bytes(), wanted, left, other)


class Desk:
    """A folder with the slide and a workplace, for one run or two.

    Parameters
    ----------
    folder : Path
        An empty one.
    suffix : str
        Of the target.
    source : bytes
        The slide.
    left : mapping
        Files of the workplace; a name that ends in ``/`` is an empty folder.
    """

    def __init__(self, folder: Path, suffix: str, source: bytes, left: Files) -> None:
        self.folder, self.suffix = folder, suffix
        self.target = folder / f"{TARGET}{suffix}"
        (folder / SOURCE).write_bytes(source)
        for name, data in left.items():
            path = _place(self.target) / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_bytes(data)

    def run(self, *, resume: bool) -> dict[str, bytes]:
        """Return the container that a run makes, and the names of the files beside it."""
        found = _contents(_convert(self.folder, self.suffix, resume=resume))
        return found | dict.fromkeys(self.others(), b"")

    def others(self) -> list[str]:
        """Return the names of the files in the folder besides slide and target."""
        return sorted({path.name for path in self.folder.iterdir()} - {SOURCE, self.target.name})


# Damage


def _journal(rng: Rng, journal: bytes) -> tuple[str, bytes]:
    """Change notes with correct checksums, or lose, duplicate or reorder them."""
    lines = journal.splitlines(keepends=True)
    at, other = (int(n) for n in rng.integers(0, len(lines), 2))
    match int(rng.integers(6)):
        case 0:
            del lines[at]
            what = f"note {at} lost"
        case 1:
            lines.insert(other, lines[at])
            what = f"note {at} again before {other}"
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
            what = f"notes {at} and {other} swapped"
        case _:
            note: Any = json.loads(lines[at].partition(b" ")[2])
            changed = change_json(rng, note)
            body = json.dumps(note, separators=(",", ":")).encode()
            lines[at] = b"%08x %s\n" % (crc32c(body), body)
            what = f"note {at}, resealed: {changed}"
    return what, b"".join(lines)


def mutate_workplace(rng: Rng, suffix: str, slide: Workplaces) -> tuple[str, dict[str, bytes]]:
    """Change one of the workplaces of a kind; return a description and its files."""
    stages = slide.left[suffix]
    stage = int(rng.integers(len(stages)))
    out = dict(stages[stage])
    names = ["journal", *(name for name in out if name.startswith("container"))]
    name = "journal" if rng.random() < 0.3 else str(rng.choice(names))
    donors = (slide.other[suffix], stages[1 - stage])
    donor = donors[int(rng.integers(2))]
    data, at = bytearray(out[name]), int(rng.integers(len(out[name]) + 1))
    length = int(rng.choice((1, 36, 512, 4096)))
    match int(rng.integers(9)):
        case 0 | 1:
            out[name], what = mutate_bytes(rng, bytes(data)), "bytes"
        case 2:
            out[name], what = bytes(data[:at]), "cut off"
        case 3:
            del out[name]
            what = "lost"
        case 4:
            data[at : at + length] = bytes(len(data[at : at + length]))
            out[name], what = bytes(data), "sector of zeros"
        case 5:
            data[at : at + length] = donor.get(name, b"")[at : at + length]
            out[name], what = bytes(data), "run of another"
        case 6:
            out[name], what = donor.get(name, b""), "file of another"
        case 7:
            del out[name]
            out[f"{name}/"], what = b"", "a folder"
        case _:
            name = "journal"
            what, out[name] = _journal(rng, out[name])
    return f"{suffix}, stage {stage}, {name}: {what}", out
