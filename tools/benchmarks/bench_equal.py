"""Encode the same tissue with every codec at one PSNR-Y, in files: the inputs of ``bench_decode.py``."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from bench_tissue import SIDE, Image, psnr_y, write_ordinary_tiff
from benchlib import Json
from numpy.typing import NDArray

import rrip_format
from rrip_format.containers.copying import transmux
from rrip_format.evaluate.peers import ANCHOR, Method, OneStream, peers
from rrip_format.slides.describing import describe

__all__ = ["CODECS", "JPEG_QUALITY", "Coded", "Inputs", "make_inputs", "read_inputs"]

CODECS = (ANCHOR, "jxl", "j2k-one", "htj2k-one", "avif")
"""Keys of :func:`rrip_format.evaluate.peers.peers`; the anchor, JPEG 4:2:0, sets the PSNR-Y for all."""

JPEG_QUALITY = 90

_LEVELS = 3
"""Levels 0, 1 and 2, which are nearly all bytes of a pyramid."""

_NEAR = 0.03
"""dB that count as equal."""

_TRIES = 8
RRIP_TRIES = 4


@dataclass(frozen=True, slots=True)
class Coded:
    """Tissue encoded with one codec.

    Parameters
    ----------
    key, label : str
    setting : str
    psnr_y : float
        Of level 0, dB.
    sizes : list of int
        Bytes of levels 0, 1 and 2; a stream that holds several levels counts at level 0.
    streams : list of list of bytes
        Tiles of levels 0 and 1, where they are decoded alone; of level 1 none where it comes from those of level 0.
    """

    key: str
    label: str
    setting: str
    psnr_y: float
    sizes: list[int]
    streams: list[list[bytes]] = field(default_factory=list)

    def to_json(self, pixels: int) -> dict[str, Json]:
        """Return everything but the streams."""
        return {
            "label": self.label,
            "setting": self.setting,
            "psnr_y": round(self.psnr_y, 2),
            "bytes_by_level": self.sizes,
            "bits_per_pixel": round(8 * sum(self.sizes) / pixels, 3),
        }


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files that a child process reads, in one folder.

    Parameters
    ----------
    shapes : list of (height, width)
        Of levels 0 and 1, px.
    codecs : list of Coded
    left_out : dict
        Codecs that do not work here, and why.
    """

    folder: Path
    shapes: list[tuple[int, int]]
    codecs: list[Coded]
    left_out: dict[str, str]

    @property
    def tiff(self) -> Path:
        """Path of the ordinary pyramid."""
        return self.folder / "ordinary.tif"

    @property
    def zarr(self) -> Path:
        """Path of plain Zarr with JPEG chunks."""
        return self.folder / "jpeg.zarr"

    def rrip(self, key: str, kind: str = ".rrip.zarr") -> Path:
        """Path of the container."""
        return self.folder / f"{key}{kind}"


def read_inputs(folder: Path) -> Inputs:
    """Load what :func:`make_inputs` has written to a folder."""
    found: Inputs = pickle.loads((folder / "inputs.pickle").read_bytes())
    return found


def make_inputs(folder: Path, rgb: Image, levels: Sequence[Image], codecs: Sequence[str]) -> Inputs:
    """Encode `rgb`, (h, w, 3) uint8 in whole families, as JPEG, RRIP and by `codecs`, and write all files."""
    folder.mkdir()
    methods = {method.key: method for method in peers()}
    unknown = sorted(set(codecs) - set(methods))
    if unknown:
        raise click.UsageError(f"unknown codec {', '.join(unknown)}; known are {', '.join(methods)}")
    coded, left_out = [], {}
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        jpeg = _Trial(methods[ANCHOR], levels, executor).encode(JPEG_QUALITY)
        coded.append(jpeg)
        for key in codecs:
            try:
                coded.append(_at_quality(_Trial(methods[key], levels, executor), jpeg.psnr_y))
            except Exception as error:  # noqa: BLE001 - codecs raise what they like; the reason is reported
                left_out[methods[key].label] = f"{type(error).__name__}: {error}"
    coded += [
        _rrip(folder / "rrip.rrip.zarr", rgb, jpeg.psnr_y),
        _converted(folder / "rrip-q90.rrip.zarr", rgb, rrip_format.Settings(), "RRIP, default", "quality 90"),
    ]
    transmux(folder / "rrip.rrip.zarr", folder / "rrip.rrip.tif")
    shapes = [(level.shape[0], level.shape[1]) for level in levels[:2]]
    inputs = Inputs(folder, shapes, coded, left_out)
    write_ordinary_tiff(inputs.tiff, levels, quality=JPEG_QUALITY)
    _write_zarr(inputs.zarr, jpeg.streams, shapes)
    (folder / "inputs.pickle").write_bytes(pickle.dumps(inputs))
    return inputs


# ------------------------------------------------------------------------------------------------- settings that match


def tiles(level: Image) -> list[Image]:
    """Return the tiles of a level, row by row, padded with their last row and column."""
    height, width = level.shape[:2]
    level = np.pad(level, ((0, -height % SIDE), (0, -width % SIDE), (0, 0)), mode="edge")
    corners = ((y, x) for y in range(0, height, SIDE) for x in range(0, width, SIDE))
    return [np.ascontiguousarray(level[y : y + SIDE, x : x + SIDE]) for y, x in corners]


class _Trial:
    """A codec on the tissue at any setting, with a cache of results."""

    def __init__(self, method: Method, levels: Sequence[Image], executor: ThreadPoolExecutor) -> None:
        self.method = method
        self._codec: Any = method  # a pyramid or one stream: both have an encoder and a decoder
        self._levels = levels
        self._executor = executor
        self._tried: dict[float, Coded] = {}

    def encode(self, setting: float) -> Coded:
        """Encode all tiles of level 0, and of levels 1 and 2 if these are stored separately."""
        if setting not in self._tried:
            one = isinstance(self.method, OneStream)
            encode: Callable[[Image], bytes] = lambda tile: self._codec.encoder(tile, setting)  # noqa: E731
            streams = [
                list(self._executor.map(encode, tiles(level))) for level in self._levels[: 1 if one else _LEVELS]
            ]
            decoded = self._executor.map(self._codec.decoder, streams[0])
            quality = psnr_y(np.concatenate(tiles(self._levels[0])), np.concatenate(list(decoded)))
            sizes = [sum(map(len, level)) for level in streams] + [0] * (_LEVELS - len(streams))
            text = f"{setting:.4g}"
            self._tried[setting] = Coded(self.method.key, self.method.label, text, quality, sizes, streams[:2])
        return self._tried[setting]


def _at_quality(trial: _Trial, wanted: float) -> Coded:
    """Find the setting with the PSNR-Y nearest to `wanted`, with the secant method."""
    grid = trial.method.settings
    whole = all(float(setting).is_integer() for setting in grid) and trial.method.key != "j2k-one"

    def at(position: float) -> float:
        low = min(int(position), len(grid) - 2)
        setting = grid[low] * (grid[low + 1] / grid[low]) ** (position - low)
        return round(setting) if whole else float(f"{setting:.5g}")

    def error(setting: float) -> float:
        return trial.encode(setting).psnr_y - wanted

    ends = [2.0, len(grid) - 2.0]  # the extremes take longest, and are seldom needed
    while error(at(ends[0])) > 0 and ends[0] > 0:
        ends[0] -= 1
    while error(at(ends[1])) < 0 and ends[1] < len(grid) - 1:
        ends[1] += 1
    errors = [error(at(end)) for end in ends]
    best = min(map(at, ends), key=lambda setting: abs(error(setting)))
    for _ in range(_TRIES):
        share = np.clip(errors[0] / (errors[0] - errors[1]), 0.1, 0.9) if errors[0] * errors[1] < 0 else 0.5
        position = ends[0] + float(share) * (ends[1] - ends[0])
        missed = error(at(position))
        best = min(best, at(position), key=lambda setting: abs(error(setting)))
        if abs(missed) < _NEAR:
            break
        side = 1 if missed > 0 else 0
        ends[side], errors[side] = position, missed
    return trial.encode(best)


def _rrip(target: Path, rgb: Image, wanted: float) -> Coded:
    """Encode RRIP at that PSNR-Y: ``--target psnr=…``, corrected by the difference between sample and whole."""
    aim, best = wanted, None
    for turn in range(RRIP_TRIES):
        path = target.with_name(f"try-{turn}.rrip.zarr")
        settings = rrip_format.Settings(target=f"psnr={aim:.3f}")
        coded = _converted(path, rgb, settings, "RRIP", "steps found")
        if best is None or abs(coded.psnr_y - wanted) < abs(best[1].psnr_y - wanted):
            best = path, coded
        if abs(coded.psnr_y - wanted) < _NEAR:
            break
        aim += wanted - coded.psnr_y
    assert best is not None
    best[0].rename(target)
    return best[1]


def _converted(path: Path, rgb: Image, settings: rrip_format.Settings, label: str, setting: str) -> Coded:
    made = rrip_format.convert(rgb, path, settings)
    with rrip_format.open(path) as slide:
        found: NDArray[np.uint8] = rrip_format.imread(path)
        sizes = {level["level"]: level["bytes"] for level in describe(slide)["levels"]}
    steps = "" if made.steps is None else ", steps " + " ".join(f"{step:.1f}" for step in made.steps)
    key = "rrip" if settings.target else "rrip-q90"
    return Coded(key, label, setting + steps, psnr_y(rgb, found), [sizes[level] for level in range(_LEVELS)])


def _write_zarr(path: Path, streams: Sequence[Sequence[bytes]], shapes: Sequence[tuple[int, int]]) -> None:
    """Write plain Zarr v3, arrays ``0`` and ``1`` of (h, w, 3), with the streams as ``imagecodecs_jpeg`` chunks."""
    import zarr

    from rrip_format.zarr_views.base_codec import Jpeg

    group = zarr.create_group(path)
    for level, (height, width) in enumerate(shapes):
        group.create_array(
            str(level),
            shape=(height, width, 3),
            chunks=(SIDE, SIDE, 3),
            dtype="uint8",
            serializer=Jpeg(),
            compressors=None,
        )
        cols = -(-width // SIDE)
        for index, stream in enumerate(streams[level]):
            chunk = path / str(level) / "c" / str(index // cols) / str(index % cols) / "0"
            chunk.parent.mkdir(parents=True, exist_ok=True)
            chunk.write_bytes(stream)
