"""Measure decoding of whole levels of tissue at equal PSNR-Y, with RRIP and other codecs, on one and on all cores.

::

    python tools/benchmarks/bench_decode.py --testdata ../shared/testdata --json > decode.json

Level 0 of a mosaic of whole families of tissue is encoded as JPEG 4:2:0 at quality 90; every other codec gets the
setting that reaches that PSNR-Y. What reads a file opens it anew each time, so that nothing is answered from a cache of
pixels. Codecs without a file decode tiles of 512 x 512 px from memory, on as many threads as there are cores, and
assemble nothing (JPEG into memory that is used again), which is the least they could take. So the direct reader is also
timed in that way. "One core" is a process that may run on one only.
Needs ``pip install 'rrip-format[evaluate]'``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import benchlib
import click
import numpy as np
from bench_equal import CODECS, Inputs, make_inputs, read_inputs
from bench_tissue import KINDS, SIDE, Image, mosaic, pyramid, tissue
from benchlib import Json, Spread, Times, ratio
from numpy.typing import NDArray

import rrip_format
from rrip_format.core import colour, predict
from rrip_format.evaluate.peers import OneStream, peers
from rrip_format.evaluate.tables import markdown_table

ROUNDS, QUICK_ROUNDS = 11, 3
MEGAPIXELS, QUICK_MEGAPIXELS = 8.0, 1.0
LEVELS = (0, 1)

_UNDISTURBED = 0.9
"""Part of a core below which a run is called disturbed."""

Case = Callable[[], object]

READERS = {
    "rrip": "RRIP, open + read_region",
    "rrip-tiles": "RRIP, open + read_region(out=…) tile by tile",
    "rrip-imread": "RRIP, imread",
    "rrip-tiff": "RRIP TIFF, imread",
    "rrip-zarr": "RRIP, zarr",
    "rrip-tiff-zarr": "RRIP TIFF, zarr",
    "rrip-q90": "RRIP quality 90, imread",
    "rrip-q90-zarr": "RRIP quality 90, zarr",
    "jpeg-zarr": "JPEG chunks, zarr",
    "tifffile-zarr": "JPEG TIFF, tifffile, zarr",
    "tifffile": "JPEG TIFF, tifffile.imread",
    "openslide": "JPEG TIFF, OpenSlide",
}
"""What reads files; codecs whose tiles are decoded alone are added under their keys."""

ALONE = "jpeg-420"
"""JPEG tiles decoded alone: the limit."""


# ------------------------------------------------------------------------------------------------- in a child process


def file_cases(inputs: Inputs, level: int, cores: int) -> dict[str, Case]:
    """Return functions that read a whole level from a file, by key of ``READERS``."""
    import tifffile
    import zarr

    def region() -> Image:
        with rrip_format.open(inputs.rrip("rrip")) as slide:
            return slide.read_region(level, 0, 0, *inputs.shapes[level])

    def from_zarr(store: object) -> object:
        return zarr.open_group(store, mode="r")[str(level)][:]  # type: ignore[index]

    def from_tifffile() -> object:
        with tifffile.imread(inputs.tiff, aszarr=True) as store:
            return from_zarr(store)

    return {
        "rrip": region,
        "rrip-tiles": partial(_read_tiles, inputs, level),
        "rrip-imread": partial(rrip_format.imread, inputs.rrip("rrip"), level),
        "rrip-tiff": partial(rrip_format.imread, inputs.rrip("rrip", ".rrip.tif"), level),
        "rrip-zarr": partial(from_zarr, str(inputs.rrip("rrip"))),
        "rrip-tiff-zarr": lambda: from_zarr(rrip_format.RripStore(inputs.rrip("rrip", ".rrip.tif"))),
        "rrip-q90": partial(rrip_format.imread, inputs.rrip("rrip-q90"), level),
        "rrip-q90-zarr": partial(from_zarr, str(inputs.rrip("rrip-q90"))),
        "jpeg-zarr": partial(from_zarr, str(inputs.zarr)),
        "tifffile-zarr": from_tifffile,
        "tifffile": partial(tifffile.imread, inputs.tiff, level=level, maxworkers=cores),
        "openslide": partial(_read_openslide, inputs, level, cores),
    }


def _read_tiles(inputs: Inputs, level: int, picture: Image | None = None) -> None:
    """Decode every tile of a level into reused memory, and copy it to a picture, if there is one."""
    with rrip_format.open(inputs.rrip("rrip")) as slide:
        side = slide.geometry.tile_side(level)
        tile = np.empty((side, side, 3), np.uint8)
        for row, col in slide.geometry.tiles(level):
            y, x = row * side, col * side
            slide.read_region(level, y, x, side, side, out=tile)
            if picture is not None:
                picture[y : y + side, x : x + side] = tile


def _read_openslide(inputs: Inputs, level: int, cores: int) -> Image:
    """Read a whole level with OpenSlide, strips of tiles on all cores, and drop alpha."""
    import openslide

    height, width = inputs.shapes[level]
    out = np.empty((height, width, 3), np.uint8)
    with openslide.OpenSlide(str(inputs.tiff)) as slide, ThreadPoolExecutor(cores) as executor:

        def fill(y: int) -> None:
            rows = min(SIDE, height - y)
            out[y : y + rows] = np.asarray(slide.read_region((0, y << level), level, (width, rows)))[..., :3]

        list(executor.map(fill, range(0, height, SIDE)))
    return out


def alone_cases(inputs: Inputs, level: int, executor: ThreadPoolExecutor | None) -> dict[str, Case]:
    """Return functions that decode tiles from memory, by codec."""
    methods = {method.key: method for method in peers()}
    cases: dict[str, Case] = {}
    for coded in inputs.codecs:
        if not coded.streams:
            continue
        method = methods[coded.key]
        decode = method.reduced if level and isinstance(method, OneStream) else method.decoder  # type: ignore[attr-defined]
        streams = coded.streams[level if level < len(coded.streams) else 0]
        if coded.key == ALONE:
            decode = _reusing(decode, streams[0])
        cases[coded.key] = partial(_decode_tiles, decode, streams, executor)
    return cases


def _reusing(decode: Callable[[bytes], Image], stream: bytes) -> Callable[[bytes], Image]:
    """Return a JPEG decoder that reuses the memory of each thread, which suits libjpeg-turbo best.

    Where rows begin at multiples of 32 bytes, that writes past the caches, which takes about a quarter longer; memory
    that comes as it comes is of either kind.
    """
    import imagecodecs

    own = threading.local()

    def decode_again(data: bytes) -> Image:
        if not hasattr(own, "out"):
            shape = decode(stream).shape
            memory = np.empty(math.prod(shape) + 32, np.uint8)
            own.out = memory[(16 - memory.ctypes.data) % 32 :][: math.prod(shape)].reshape(shape)
        found: Image = imagecodecs.jpeg8_decode(data, out=own.out)
        return found

    if not np.array_equal(decode_again(stream), decode(stream)):
        raise click.ClickException("JPEG decodes to other pixels into memory that is used again")
    return decode_again


def _decode_tiles(decode: Callable[[bytes], Image], streams: list[bytes], executor: ThreadPoolExecutor | None) -> None:
    """Decode every tile and discard it."""

    def run(stream: bytes) -> None:
        decode(stream)

    for _ in (map if executor is None else executor.map)(run, streams):
        pass


def kernel_case(inputs: Inputs) -> Case:
    """Return a function that predicts all families and converts them to RGB, with residuals of the tissue."""
    with rrip_format.open(inputs.rrip("rrip")) as slide:
        how = slide.metadata.coding.residuals
        rgb = slide.read_region(0, 0, 0, *inputs.shapes[0])
    families = []
    for y in range(0, rgb.shape[0], SIDE):
        for x in range(0, rgb.shape[1], SIDE):
            fine = np.ascontiguousarray(rgb[y : y + SIDE, x : x + SIDE])
            middle = predict.box2(fine)
            planes = [colour.rgb_to_ycc(part) for part in (fine, middle, predict.box2(middle))]
            detail = [_residuals(planes[k], planes[k + 1], how[k].taps) for k in (0, 1)]
            families.append((planes[2], (detail[0][0], None, None), detail[1]))

    def run() -> None:
        for base, fine, middle in families:
            coarse = predict.reconstruct(base, middle, how[1].taps, how[1].cfl, how[1].chroma_taps)
            predict.reconstruct_rgb(coarse, fine, how[0].taps, how[0].cfl, how[0].chroma_taps)

    return run


def _residuals(fine: Image, coarse: Image, taps: tuple[int, int, int, int]) -> tuple[Image, Image, Image]:
    """Return the residuals of the plain prediction of each plane, 128 = zero."""
    y, cb, cr = (
        np.clip(plane.astype(np.int16) - predict.up2(under, taps) + 128, 0, 255).astype(np.uint8)
        for plane, under in zip(fine, coarse, strict=True)
    )
    return y, cb, cr


def check_pixels(inputs: Inputs, level: int, cases: dict[str, Case]) -> None:
    """Raise unless all readers of a file return the same pixels."""

    def pixels(key: str) -> NDArray[np.uint8]:
        found = np.asarray(cases[key]())
        return found if found.shape[-1] == 3 else found.transpose(1, 2, 0)

    for group in (("rrip", "rrip-imread", "rrip-tiff", "rrip-zarr", "rrip-tiff-zarr"), ("rrip-q90", "rrip-q90-zarr")):
        first = pixels(group[0])
        if first.shape != (*inputs.shapes[level], 3) or any((pixels(key) != first).any() for key in group[1:]):
            raise click.ClickException(f"readers of the same container disagree at level {level}: {', '.join(group)}")
    by_tiles = np.empty((*inputs.shapes[level], 3), np.uint8)
    _read_tiles(inputs, level, by_tiles)
    if (by_tiles != pixels("rrip")).any():
        raise click.ClickException(f"level {level} read tile by tile is another picture")
    wanted = by_tiles.astype(np.int16)
    for key in ("jpeg-zarr", "tifffile-zarr", "tifffile", "openslide"):  # the same tissue, by another codec
        if np.abs(pixels(key) - wanted).mean() > 8:
            raise click.ClickException(f"{READERS[key]} gives another picture at level {level}")


def measure_child(folder: Path, cores: int, rounds: int) -> dict[str, Json]:
    """Measure every case in this process, which may use a given number of cores."""
    inputs = read_inputs(folder)
    found: dict[str, Json] = {}
    with ThreadPoolExecutor(cores) as pool:
        for level in LEVELS:
            cases = file_cases(inputs, level, cores)
            if cores == 1:
                check_pixels(inputs, level, cases)
            cases |= alone_cases(inputs, level, pool if cores > 1 else None)
            if level == 0 and cores == 1:
                cases["kernels"] = kernel_case(inputs)
            found[str(level)] = dataclasses.asdict(benchlib.interleave(cases, rounds))
    return found


# ------------------------------------------------------------------------------------------------------------- report


def measure_kind(
    testdata: Path, kind: str, megapixels: float, codecs: list[str], rounds: int, *, quiet: bool
) -> dict[str, Json]:
    """Measure everything for one kind of tissue."""
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as scratch:
        folder = Path(scratch) / kind
        rgb = mosaic(tissue(testdata, kind), megapixels)
        benchlib.say(f"{kind}: {rgb.shape[1]} x {rgb.shape[0]} px, looking for equal settings", quiet=quiet)
        inputs = make_inputs(folder, rgb, pyramid(rgb), codecs)
        runs = {}
        for cores in sorted({1, benchlib.all_cores()}):
            benchlib.say(f"{kind}: decoding on {cores} of {benchlib.all_cores()} cores", quiet=quiet)
            command = [sys.executable, __file__, "--child", str(folder), "--cores", str(cores), "--rounds", str(rounds)]
            limits = {"ZARR_THREADING__MAX_WORKERS": "1"} if cores == 1 else {}  # else as it comes
            runs[str(cores)] = json.loads(benchlib.run_child(command, cores, limits).output)
    return {
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "pixels": [height * width for height, width in inputs.shapes],
        "codecs": {coded.key: coded.to_json(inputs.shapes[0][0] * inputs.shapes[0][1]) for coded in inputs.codecs},
        "left_out": inputs.left_out,
        "seconds_by_cores": runs,
    }


def label_of(key: str, codecs: dict[str, Json]) -> str:
    """Return the name of a case in tables."""
    return READERS.get(key) or f"{codecs[key]['label']}, tiles alone"


def requirements(kind: str, found: dict[str, Json]) -> list[dict[str, Json]]:
    """Compare the measurements with the requirements for whole levels."""
    one = Times.of_json(found["seconds_by_cores"]["1"]["0"])
    every = Times.of_json(found["seconds_by_cores"][max(found["seconds_by_cores"], key=int)]["0"])

    def on_one(what: str, ours: str, theirs: str, least: float, aim: float) -> dict[str, Json]:
        found, cpu = ratio(one.wall, ours, theirs), ratio(one.cpu, ours, theirs)
        return benchlib.requirement(f"L0, {what}, 1 core", kind, found, least, aim, cpu=cpu)

    def coarser(level: int) -> dict[str, Json]:
        taken = Times.of_json(found["seconds_by_cores"]["1"][str(level)])
        wall, cpu = (ratio(times, "rrip-tiles", ALONE) for times in (taken.wall, taken.cpu))
        what = f"L{level}, direct reader, tile by tile, to JPEG tiles alone, 1 core"
        return benchlib.requirement(what, kind, wall, 1.0, 1.3, cpu=cpu)

    def on_all(what: str, ours: str, theirs: str, least: float, aim: float) -> dict[str, Json]:
        return benchlib.requirement(f"L0, {what}, all cores", kind, ratio(every.wall, ours, theirs), least, aim)

    least, aim = (1.1, 1.3) if kind == "native" else (1.25, 1.5)
    rows = [
        on_one("direct reader, tile by tile, to JPEG tiles alone", "rrip-tiles", ALONE, least, aim),
        on_one("direct reader, in one picture, to JPEG tiles alone", "rrip", ALONE, 0.9, 1.3),
        *(coarser(level) for level in LEVELS[1:]),
        on_all("zarr into a new array to the direct reader into one", "rrip-zarr", "rrip-imread", 0.8, 0.91),
        on_one("zarr to JPEG chunks through zarr", "rrip-zarr", "jpeg-zarr", 1.0, 1.3),
        on_all("zarr to JPEG chunks through zarr", "rrip-zarr", "jpeg-zarr", 1.0, 1.3),
        on_all("direct reader to OpenSlide", "rrip-imread", "openslide", 4, 8),
        on_all("direct reader to tifffile's zarr", "rrip-imread", "tifffile-zarr", 1, 2),
    ]
    for key, least, aim in (("jxl", 4, 7), ("j2k-one", 7, 12)):
        if key in one.wall:
            rows.append(on_one(f"direct reader to {found['codecs'][key]['label']}", "rrip", key, least, aim))
    wall, cpu = (
        Spread.of([1e9 * seconds / found["pixels"][0] for seconds in times["kernels"]]) for times in (one.wall, one.cpu)
    )
    what = "prediction + colour, ms per MP of L0, 1 core"
    return [*rows, benchlib.requirement(what, kind, wall, 2.0, 1.0, below=True, cpu=cpu)]


def settings_table(kind: str, found: dict[str, Json]) -> str:
    """Format the settings of each codec and the resulting sizes."""
    rows = [
        [
            codec["label"],
            codec["setting"],
            f"{codec['psnr_y']:.2f}",
            codec["bytes_by_level"][0],
            codec["bits_per_pixel"],
        ]
        for codec in found["codecs"].values()
    ]
    head = [kind, "setting", "PSNR-Y of L0, dB", "bytes of L0", "L0–L2, bits per px of L0"]
    return markdown_table(head, rows)


def busy_share(found: dict[str, Json]) -> float:
    """Return the share of its core that the process on one core had; below one if others used it too."""
    times = [Times.of_json(found["seconds_by_cores"]["1"][str(level)]) for level in LEVELS]
    cpu = sum(sum(map(sum, one.cpu.values())) for one in times)
    return cpu / sum(sum(map(sum, one.wall.values())) for one in times)


def speed_table(kind: str, found: dict[str, Json]) -> str:
    """Format MP/s by level and cores, and the time of each reader for level 0 relative to RRIP."""
    runs = {
        cores: [Times.of_json(run[str(level)]) for level in LEVELS] for cores, run in found["seconds_by_cores"].items()
    }
    head = [kind]
    for cores in runs:
        head += [f"L0 MP/s, {cores} core(s)", f"its time to RRIP's, {cores} core(s)", f"L1 MP/s, {cores} core(s)"]
    rows = []
    for key in (key for key in runs["1"][0].wall if key != "kernels"):
        row = [label_of(key, found["codecs"])]
        for cores, run in runs.items():
            speeds = [found["pixels"][k] / 1e6 / benchlib.median(run[k].wall[key]) for k in LEVELS]
            ours = "rrip" if cores == "1" else "rrip-imread"
            row += [f"{speeds[0]:.0f}", f"{ratio(run[0].wall, ours, key)}", f"{speeds[1]:.0f}"]
        rows.append(row)
    return markdown_table(head, rows)


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of level 0.")
@click.option("--kinds", default=",".join(KINDS), show_default=True, help="Of tissue, comma-separated.")
@click.option("--codecs", default=",".join(CODECS[1:]), show_default=True, help="To compare with, comma-separated.")
@click.option("--child", type=click.Path(path_type=Path), hidden=True)
@click.option("--cores", type=int, hidden=True, default=1)
def main(
    *,
    testdata: Path,
    rounds: int | None,
    quick: bool,
    as_json: bool,
    megapixels: float | None,
    kinds: str,
    codecs: str,
    child: Path | None,
    cores: int,
) -> None:
    """Measure how fast whole levels decode, and compare with other codecs at equal PSNR-Y."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    if child is not None:
        json.dump(measure_child(child, cores, rounds), sys.stdout)
        return
    data: dict[str, Json] = {"machine": benchlib.machine(), "rounds": rounds, "kinds": {}, "must_hold": []}
    tables = []
    for kind in kinds.split(","):
        size = megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS)
        found = data["kinds"][kind] = measure_kind(testdata, kind, size, codecs.split(","), rounds, quiet=as_json)
        data["must_hold"] += requirements(kind, found)
        tables += [settings_table(kind, found), speed_table(kind, found)]
        share = found["share_of_core"] = round(busy_share(found), 3)
        if share < _UNDISTURBED:
            tables.append(f"Disturbed: the process on one core had {share:.0%} of it; look at the ratios by CPU time.")
        tables += [f"Left out: {label} ({reason})" for label, reason in found["left_out"].items()]
    benchlib.emit(data, [*tables, benchlib.requirements_table(data["must_hold"])], as_json=as_json)


if __name__ == "__main__":
    main()
