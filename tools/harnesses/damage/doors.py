"""Every public way to read a container, and the judgement of the result.

A door compares what it gets with the truth about the slide that the container says it is, and stops at nothing: a tile
that is refused does not hide a wrong one beside it. What it may raise is what it promises to its users.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import zarr
from click.testing import CliRunner
from fsspec.implementations.reference import ReferenceFileSystem
from numpy.typing import NDArray

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.copying import transmux
from rrip_format.errors import DamagedError, RripError
from rrip_format.family.packet import split_packet
from rrip_format.slides.slide import Slide
from rrip_format.slides.tile_cache import CachingSlide
from rrip_format.viewers.openslide_api import RripSlide
from rrip_format.zarr_views.base_codec import Jpeg
from rrip_format.zarr_views.codec import RripCodec
from rrip_format.zarr_views.kerchunk import references
from rrip_format.zarr_views.mapping import RripMapping
from rrip_format.zarr_views.numcodecs_codec import RripPacket
from rrip_format.zarr_views.store import RripStore

from .specimens import MAIN_FILE, Place, Truth

__all__ = ["DOORS", "Door", "ForeignError", "Judge", "WrongError", "path_of", "true_tile"]

Pixels = NDArray[np.uint8]
SOME_PX = 48
"""What is read of each side of a level whose size is not the true one, which may be enormous."""


class WrongError(Exception):
    """A result differs from the truth, without an error."""


class ForeignError(Exception):
    """An error of a class that the reader does not document."""


@dataclass
class Judge:
    """The truth to compare with, the number of refusals, and errors that are not failures.

    Parameters
    ----------
    truths : mapping of uuid to Truth
        Of every slide whose parts are in the container.
    is_strict : bool
        Whether what comes out has to be true; not where checksums were made again over damage.
    turn : int
        Says which, to a door that does one thing or another.
    """

    truths: Mapping[str, Truth]
    is_strict: bool
    turn: int = 0
    refused: list[Exception] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)

    def truth(self, slide: Slide) -> Truth | None:
        """Return the truth about an open container, None if it is a new slide of its own."""
        found = self.truths.get(str(slide.metadata.coding.uuid))
        if found is not None and found.document == slide.metadata.to_json():
            return found
        if self.is_strict:
            raise WrongError("the metadata are those of no slide, and were not refused")
        return None

    def attempt(self, read: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a call, None if it is refused."""
        try:
            return read(*arguments)
        except RripError as error:
            self.refused.append(error)
            return None

    def compare(self, found: Any, expected: Any) -> None:
        """Raise unless a result equals the truth; padding at the right and lower edge is not compared."""
        if not self.is_strict or found is None or expected is None:
            return
        if isinstance(expected, np.ndarray):
            if found.ndim != expected.ndim or not np.array_equal(found[tuple(map(slice, expected.shape))], expected):
                raise WrongError(f"pixels of shape {found.shape} differ from the true ones")
        elif found != expected:
            raise WrongError(f"{type(expected).__name__} differs from the true one")

    def pixels(self, found: Pixels, level: int) -> None:
        """Raise unless a whole level is that of one of the slides, for readers that do not tell which slide it is."""
        candidates = [truth.levels[level] for truth in self.truths.values() if level < len(truth.levels)]
        if self.is_strict and not any(np.array_equal(found, candidate) for candidate in candidates):
            raise WrongError(f"pixels of level {level}, shape {found.shape}, are those of no slide")


def _places(slide: Slide, truth: Truth | None) -> Iterator[Place]:
    """Generate every tile, or the first and last of each level if the size is not the true one."""
    for level in range(slide.geometry.levels):
        rows, cols = slide.geometry.grid(level)
        if truth is not None and rows * cols <= 64:
            yield from ((level, row, col) for row in range(rows) for col in range(cols))
        else:
            yield from {(level, 0, 0), (level, rows - 1, cols - 1)}


def true_tile(truth: Truth | None, place: Place) -> Pixels | None:
    """Return the true pixels of a tile inside the level."""
    if truth is None:
        return None
    level, row, col = place
    side = truth.coding.geometry.tile_side(level)
    return truth.levels[level][:, row * side : (row + 1) * side, col * side : (col + 1) * side]


def _read_slide(slide: Slide, judge: Judge) -> None:
    """Read tiles, regions, profile and images of an open container."""
    truth = judge.truth(slide)
    for place in _places(slide, truth):
        judge.compare(judge.attempt(slide.read_tile, *place), true_tile(truth, place))
    judge.compare(judge.attempt(slide.icc_profile), truth and truth.icc)
    judge.compare(judge.attempt(slide.associated_images), truth and truth.associated)


def _open(path: str, judge: Judge) -> None:
    with rrip_format.open(path) as slide:
        _read_slide(slide, judge)


def _cached(path: str, judge: Judge) -> None:
    """Read twice through the cache, so that a tile refused at first must not be returned later."""
    with rrip_format.open(path) as slide:
        cached = CachingSlide(slide.container)
        _read_slide(cached, judge)
        before = len(judge.refused)
        _read_slide(cached, judge)
        if len(judge.refused) != 2 * before:
            raise WrongError("a second read was refused another number of times")


def _some(slide: Slide, truth: Truth | None, level: int) -> tuple[int, int, int, int]:
    height, width = slide.geometry.shape(level)
    if truth is None:
        return 0, 0, min(SOME_PX, height), min(SOME_PX, width)
    return 0, 0, height, width


def _region(path: str, judge: Judge) -> None:
    with rrip_format.open(path) as slide:
        truth = judge.truth(slide)
        for level in range(slide.geometry.levels):
            found = judge.attempt(slide.read_region, level, *_some(slide, truth, level))
            judge.compare(found, truth and truth.levels[level].transpose(1, 2, 0))


def _imread(path: str, judge: Judge) -> None:
    with rrip_format.open(path) as slide:
        truth = judge.truth(slide)
        wanted = [_some(slide, truth, level) for level in range(slide.geometry.levels)]
    for level, region in enumerate(wanted):
        found = judge.attempt(partial(rrip_format.imread, region=region), path, level)
        judge.compare(found, truth and truth.levels[level].transpose(1, 2, 0))


def _read_group(group: Any, judge: Judge, *, has_our_documents: bool = True) -> None:
    """Read the levels of a Zarr group, by the names of the arrays.

    Where Zarr reads the documents from the container, one that was exchanged for that of an array without our codec
    is read without us, and nothing can be promised.
    """
    for level in range(len(next(iter(judge.truths.values())).levels)):
        try:
            array = judge.attempt(group.__getitem__, str(level))
        except KeyError:
            if judge.is_strict:
                raise
            # a slide that says, under a seal made again, that it has fewer levels
            judge.refused.append(DamagedError(f"there is no level {level}"))
            continue
        if array is not None and not has_our_documents:
            codecs = [type(codec) for codec in getattr(array.metadata, "codecs", ())]
            if codecs != [RripCodec]:
                judge.uncovered.append(f"array {level} has the codecs {codecs}")
                continue
        if array is not None and array.size > 1 << 22:
            judge.attempt(array.__getitem__, (slice(None), slice(SOME_PX), slice(SOME_PX)))
        elif array is not None:
            found = judge.attempt(array.__getitem__, slice(None))
            if found is not None:
                judge.pixels(found, level)


def _zarr_path(path: str, judge: Judge) -> None:
    _read_group(zarr.open_group(path, mode="r"), judge, has_our_documents=False)


def _zarr_zip(path: str, judge: Judge) -> None:
    store = zarr.storage.ZipStore(path, mode="r")
    try:
        _read_group(zarr.open_group(store, mode="r"), judge, has_our_documents=False)
    finally:
        with suppress(AttributeError):  # zarr's own, for an archive that did not open
            store.close()


def _zarr_references(path: str, judge: Judge) -> None:
    options = {"fo": path.removeprefix("reference::file://"), "remote_protocol": "file"}
    group = zarr.open_group("reference://", mode="r", storage_options=options)
    _read_group(group, judge, has_our_documents=False)


def _store_v3(path: str, judge: Judge) -> None:
    group = zarr.open_group(RripStore(path), mode="r")
    _read_group(group, judge)
    base = judge.attempt(group.__getitem__, "base/0")
    try:
        judge.attempt(lambda: None if base is None else base[:, :SOME_PX, :SOME_PX])
    except Exception as error:
        if Jpeg.__module__.startswith("rrip_format"):  # else it is a codec of imagecodecs, with errors of its own
            raise
        judge.refused.append(error)


def _store_v2(path: str, judge: Judge) -> None:
    _read_group(zarr.open_group(RripStore(path, zarr_format=2), mode="r", zarr_format=2), judge)


def _packet(packet: bytes, codec: RripPacket, truth: Truth | None, judge: Judge) -> None:
    """Compare a packet with the tile that it names; a packet alone does not know its place (spec section 9.8)."""
    found = judge.attempt(codec.decode, packet)
    if found is not None:
        row, col, _ = split_packet(packet, 3 - codec.level if codec.level < 2 else 1)
        judge.compare(found, true_tile(truth, (codec.level, row, col)))


def _mapping(path: str, judge: Judge) -> None:
    """Read the v2 view as a mapping, and decode its packets with the numcodecs codec."""
    view = RripMapping(path)
    with rrip_format.open(path) as slide:
        truth = judge.truth(slide)
        for level, row, col in _places(slide, truth):
            codec = judge.attempt(RripPacket, level, slide.metadata.coding.to_json())
            packet = judge.attempt(view.get, f"{level}/0/{row}/{col}")
            if codec is not None and packet is not None:
                _packet(packet, codec, truth, judge)


def _codec(path: str, judge: Judge) -> None:
    """Decode packets in files with the numcodecs codec."""
    try:
        coding = json.loads(Path(path, "coding.json").read_bytes())
    except (ValueError, RecursionError, OSError):  # a program that has no coding has no codec
        judge.refused.append(DamagedError("there is no coding"))
        return
    truth = judge.truths.get(str(coding.get("uuid")) if isinstance(coding, dict) else "")
    for file in sorted(Path(path).glob("[0-9]/0/*/*")):
        level = int(file.relative_to(path).parts[0])
        codec = judge.attempt(RripPacket, level, coding)
        if codec is not None:
            _packet(file.read_bytes(), codec, truth, judge)


def _fsspec(path: str, judge: Judge) -> None:
    url = path if "::" in path else f"file://{Path(path).absolute()}"
    _read_group(zarr.open_group(f"rrip::{url}", mode="r"), judge)


def _openslide(path: str, judge: Judge) -> None:
    """Read as code for OpenSlide does; errors are OpenSlide's as well as ours."""
    try:
        with RripSlide(path) as slide:
            truth = judge.truths.get(str(slide._opened.metadata.coding.uuid))  # noqa: SLF001
            judge.attempt(dict, slide.properties)
            for level in range(slide.level_count):
                width, height = (min(512, side) for side in slide.level_dimensions[level])
                region = judge.attempt(slide.read_region, (0, 0), level, (width, height))
                if region is not None and truth is not None:
                    judge.compare(np.asarray(region)[..., :3].transpose(2, 0, 1), truth.levels[level])
            for name in judge.attempt(list, slide.associated_images) or ():
                judge.attempt(slide.associated_images.__getitem__, name)
    except RripError as error:
        judge.refused.append(error)
    for refusal in judge.refused:
        if not isinstance(refusal, openslide.OpenSlideError):
            raise ForeignError(f"RripSlide raised {type(refusal).__name__}: {refusal}")


def _info(path: str, judge: Judge) -> None:
    """Run ``rrip info``: JSON and exit code 0, or one line and exit code 1."""
    result = CliRunner().invoke(main, ["info", path, "--json"])
    lines = result.stderr.splitlines()
    if result.exit_code == 1 and len(lines) == 1 and lines[0].startswith("rrip: "):
        judge.refused.append(RripError(lines[0]))
    elif result.exit_code != 0:
        raise ForeignError(f"rrip info: exit code {result.exit_code}: {result.output}") from result.exception
    else:
        source = json.loads(result.stdout)["metadata"]["slide"]
        if judge.is_strict and source not in [truth.document["slide"] for truth in judge.truths.values()]:
            raise WrongError("rrip info tells of a slide that is none")


def _transmux(path: str, judge: Judge) -> None:
    """Copy to another kind: the copy is right where the original is, or there is none."""
    folder = Path("copies").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    target = folder / ("copy.rrip.zarr.zip" if path.endswith(".tif") else "copy.rrip.tif")
    if judge.attempt(transmux, path, target) is not None:
        _open(str(target), judge)
    elif list(folder.iterdir()):
        raise WrongError(f"a refused copy left {[entry.name for entry in folder.iterdir()]}")


def _make_references(path: str, judge: Judge) -> None:
    judge.attempt(references, path)


@dataclass(frozen=True)
class Door:
    """One way to read a container.

    Parameters
    ----------
    kinds : tuple of str
        Kinds of containers that it opens.
    read : callable
    is_zarr_first : bool
        Whether Zarr or fsspec reads documents of the container before our code is asked, and raises its own errors.
    """

    kinds: tuple[str, ...]
    read: Callable[[str, Judge], None]
    is_zarr_first: bool = False


_OURS = ("folder", "zip", "tiff")
DOORS: dict[str, Door] = {
    "open": Door((*_OURS, "references"), _open),
    "read_region": Door(_OURS, _region),
    "imread": Door(_OURS, _imread),
    "cached slide": Door(_OURS, _cached),
    "zarr, plain path": Door(("folder",), _zarr_path, is_zarr_first=True),
    "zarr, zip store": Door(("zip",), _zarr_zip, is_zarr_first=True),
    "zarr, references": Door(("references",), _zarr_references, is_zarr_first=True),
    "RripStore, v3": Door(_OURS, _store_v3),
    "RripStore, v2": Door(_OURS, _store_v2),
    "numcodecs": Door(("packet",), _codec),
    "mapping, numcodecs": Door(_OURS, _mapping),
    "rrip::": Door(_OURS, _fsspec),
    "RripSlide": Door(_OURS, _openslide),
    "rrip info": Door(_OURS, _info),
    "transmux": Door((*_OURS, "references"), _transmux),
    "references": Door(("zip", "tiff"), _make_references),
}
"""By name; every kind of container has at least one."""


def path_of(kind: str, folder: Path) -> str:
    """Return the path by which a user opens the container of that kind in `folder`."""
    if kind == "references":
        ReferenceFileSystem.clear_instance_cache()  # fsspec keeps what it has read of a path
        return f"reference::file://{folder}/refs.json"
    return str(folder / MAIN_FILE[kind] if kind in MAIN_FILE else folder)
