"""Tiny slides in every kind of container, with what a correct reader returns for each."""

from __future__ import annotations

import dataclasses
import functools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rrip_format
from rrip_format import Settings
from rrip_format.containers.base import read_associated, read_icc_profile
from rrip_format.containers.copying import transmux
from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.family.jpeg import encode
from rrip_format.spec.metadata import Coding
from rrip_format.zarr_views.kerchunk import references
from rrip_format.zarr_views.mapping import RripMapping

__all__ = ["KINDS", "MAIN_FILE", "Bench", "Files", "Place", "Slides", "Truth", "pair", "picture", "slides", "truth_of"]

KINDS = ("folder", "zip", "tiff", "packet", "references")
"""A Zarr folder, a zip archive of one, a BigTIFF, packets of the Zarr v2 view, kerchunk references to a BigTIFF."""

MAIN_FILE = {"zip": "slide.rrip.zarr.zip", "tiff": "slide.rrip.tif", "references": "slide.rrip.tif"}
"""The one file of those kinds that are one; references have ``refs.json`` beside it."""

Files = Mapping[str, bytes]
Place = tuple[int, int, int]
ICC = bytes(range(96))


@dataclasses.dataclass(frozen=True)
class Truth:
    """What a correct reader returns.

    Parameters
    ----------
    document : mapping
        The ``rrip`` object.
    coding : Coding
    levels : list of (3, h, w) uint8
        Pixels, finest level first.
    tiles : mapping of place to bytes
        Stored tiles.
    icc : bytes or None
    associated : mapping of name to JPEG file
    """

    document: Mapping[str, Any]
    coding: Coding
    levels: list[NDArray[np.uint8]]
    tiles: Mapping[Place, bytes]
    icc: bytes | None
    associated: Mapping[str, bytes]


@dataclasses.dataclass(frozen=True)
class Slides:
    """One slide in every kind of container: its files by kind, and the truth about it."""

    files: Mapping[str, Files]
    truth: Truth


def picture(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Return smooth colours with dark spots, never white; (height, width, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    wave = np.sin(x * rng.uniform(0.02, 0.08) + seed) + np.cos(y * rng.uniform(0.02, 0.08))
    rgb = np.stack([200 + 15 * wave, 150 + 20 * wave, 180 + 18 * wave], -1)
    for cy, cx in rng.uniform(0, (height, width), (max(1, height * width // 1500), 2)):
        rgb[(y - cy) ** 2 + (x - cx) ** 2 < 25] = (90, 60, 130)
    return np.clip(rgb + rng.normal(0, 2, rgb.shape), 0, 250).astype(np.uint8)


PLAIN = Settings(tile=64)
FILTERED = Settings(tile=64, luma_filter=True, steps=(14, 14, 14, 14))
"""Settings with which a picture gets a filter of luma (spec section 5.8)."""


def _convert(rgb: NDArray[np.uint8], target: Path, settings: Settings) -> None:
    """Convert `rgb`, and add an ICC profile and a macro image."""
    plain = target.with_name("plain.rrip.zarr")
    rrip_format.convert(rgb, plain, settings, workers=1)
    container = open_container(plain)
    geometry = container.metadata.coding.geometry
    with open_writer(target) as writer:
        for level in range(geometry.levels):
            for row, col in geometry.tiles(level):
                tile = container.read_tile(level, row, col)
                if tile is not None:
                    writer.write_tile(level, row, col, tile)
        writer.write_associated("macro", encode(picture(8, 8, 1), 50))
        writer.finish(container.metadata, ICC)


def truth_of(path: Path) -> Truth:
    """Read a whole container that is known to be correct."""
    with rrip_format.open(path) as slide:
        geometry, coding = slide.geometry, slide.metadata.coding
        places = [(level, *place) for level in range(geometry.levels) for place in geometry.tiles(level)]
        stored = {place: slide.container.read_tile(*place) for place in places if not coding.is_empty(*place)}
        levels = [slide.read_region(k, 0, 0, *geometry.shape(k)).transpose(2, 0, 1) for k in range(geometry.levels)]
        return Truth(
            slide.metadata.to_json(),
            coding,
            levels,
            {place: tile for place, tile in stored.items() if tile is not None},
            read_icc_profile(slide.container),
            read_associated(slide.container),
        )


def _packets(path: Path, coding: Coding) -> dict[str, bytes]:
    """Return every packet by its key in the v2 view, and the coding for the codec."""
    view = RripMapping(path, zarr_format=2)
    packets = {key: view[key] for key in view if key.count("/") == 3}
    return {"coding.json": json.dumps(coding.to_json()).encode(), **packets}


def slides(rgb: NDArray[np.uint8], settings: Settings = PLAIN) -> Slides:
    """Return an image as containers of every kind.

    Parameters
    ----------
    rgb : (height, width, 3) uint8
    settings : Settings
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "slide.rrip.zarr")
        _convert(rgb, folder, settings)
        truth = truth_of(folder)
        files: dict[str, Files] = {
            "folder": {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        }
        for kind in ("zip", "tiff"):
            path = Path(scratch, MAIN_FILE[kind])
            transmux(folder, path)
            files[kind] = {path.name: path.read_bytes()}
        files["packet"] = _packets(folder, truth.coding)
        refs = references(path, url=MAIN_FILE["references"])
        files["references"] = {"refs.json": json.dumps(refs).encode(), **files["tiff"]}
    return Slides(files, truth)


@functools.cache
def pair(side: int) -> tuple[Slides, Slides]:
    """Return two slides of the same size, so that parts of one fit the other; each with one empty family of four.

    The second one has a filter of luma.

    Parameters
    ----------
    side : int
        Width and height of level 0, px; more than 256 for four families.
    """
    made = []
    for seed, settings in ((1, PLAIN), (2, FILTERED)):
        rgb = picture(side, side, seed)
        rgb[:256, 256:] = 255
        made.append(slides(rgb, settings))
    return made[0], made[1]


class Bench:
    """Folders with one container of each kind, which are damaged and restored file by file.

    Parameters
    ----------
    scratch : Path
        An empty folder.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._there: dict[str, dict[str, bytes]] = {}

    def put(self, kind: str, files: Files) -> Path:
        """Return the folder of a container of that kind with `files`; only differences are written."""
        folder, there = self.scratch / kind, self._there.setdefault(kind, {})
        folder.mkdir(parents=True, exist_ok=True)
        for name in [name for name in there if name not in files]:
            (folder / name).unlink()
            del there[name]
        for name, data in files.items():
            if there.get(name) is not data and there.get(name) != data:
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                there[name] = data
        return folder
