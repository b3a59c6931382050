"""Compare containers with JPEG 4:2:0 pyramids, at equal quality numbers and by BD-rate, on fields of tissue.

    python tools/benchmarks/calibrate_quality.py FIELD[:y,x,size] …            the promise of --quality
    python tools/benchmarks/calibrate_quality.py --held-out FIELD …            the same on tissue that was not measured
    python tools/benchmarks/calibrate_quality.py --slide SLIDE …               the same on a slide, between its sample
    python tools/benchmarks/calibrate_quality.py --fit FIELD …                 the coarsest usual steps that keep it
    python tools/benchmarks/calibrate_quality.py --bd [--ssimulacra2] FIELD …  BD-rates of usual steps
    python tools/benchmarks/calibrate_quality.py --speed FIELD …               time and bytes of every effort

Both are levels 0 to 2 of the same pixels in the same tiles. Bytes are those of the tiles, a container's with their
trailers. JPEG is libjpeg-turbo with optimised Huffman tables, each level encoded for itself.
"""

from __future__ import annotations

import argparse
import io
import itertools
import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any
from uuid import UUID

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from rrip_format.core import colour, predict
from rrip_format.core.jpeg_encoder import EFFORTS
from rrip_format.family.encode import encode_family
from rrip_format.sources import open_source
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import Coding
from rrip_format.tuning.calibration import FAMILIES, keep_promise
from rrip_format.tuning.chroma_fit import fit_chroma
from rrip_format.tuning.sampling import tissue_families
from rrip_format.tuning.settings import TUNINGS, LevelFit, Settings, luma_step, usual_steps

Image = NDArray[np.uint8]
Levels = tuple[Image, Image, Image]
Scores = dict[str, float]
Fits = tuple[LevelFit, LevelFit]
Split = tuple[list[Levels], "Field", "Field"]
"""Families that are measured, and the pictures on which a container and JPEG are tested."""

METRICS = ("PSNR-Y L0", "PSNR-Y L1", "PSNR-Y L2", "PSNR-RGB L0", "SSIM L0", "dE00 mean", "dE00 p95")
"""All so that more is better: colour differences are negative."""

QUALITIES = (60, 75, 90)
CURVE = (35, 50, 62, 72, 80, 86, 91, 95)


@dataclass
class Field:
    """A square of tissue with its coarser levels, and the data of its metrics."""

    name: str
    rgb: Image

    @cached_property
    def levels(self) -> Levels:
        """Levels 0, 1 and 2."""
        half = predict.box2(self.rgb)
        return self.rgb, half, predict.box2(half)

    @cached_property
    def lab(self) -> NDArray[np.float64]:
        """CIE Lab of level 0."""
        return sampled_lab(self.rgb)


@dataclass
class Result:
    """An encoded field: bytes of the three levels, and quality."""

    size: int
    scores: Scores


def sampled_lab(rgb: Image) -> NDArray[np.float64]:
    """Convert every third pixel in both directions, which include every position of an 8 x 8 block, to CIE Lab."""
    from skimage.color import rgb2lab

    lab: NDArray[np.float64] = rgb2lab(rgb[::3, ::3])
    return lab


def luma(rgb: Image) -> NDArray[np.float64]:
    weighted: NDArray[np.float64] = rgb @ colour.LUMA_WEIGHTS
    return weighted


def psnr(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    error = np.mean((wanted.astype(np.float64) - found) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def score(field: Field, found: Sequence[Image], *, ssimulacra2: bool = False) -> Scores:
    """Compute all metrics of the decoded levels 0, 1 and 2."""
    from skimage.color import deltaE_ciede2000
    from skimage.metrics import structural_similarity

    wanted = [luma(rgb) for rgb in field.levels]
    differences = deltaE_ciede2000(field.lab, sampled_lab(found[0]))
    ssim = structural_similarity(
        wanted[0], luma(found[0]), data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    values = (
        psnr(wanted[0], luma(found[0])),
        psnr(wanted[1], luma(found[1])),
        psnr(wanted[2], luma(found[2])),
        psnr(field.rgb, found[0]),
        float(ssim),
        -float(differences.mean()),
        -float(np.percentile(differences, 95)),
    )
    scores = dict(zip(METRICS, values, strict=True))
    if ssimulacra2:
        scores["SSIMULACRA2"] = perceived(field.rgb, found[0])
    return scores


def perceived(wanted: Image, found: Image) -> float:
    """Compute SSIMULACRA2, whose package reads PNG files."""
    from PIL import Image as Pillow
    from ssimulacra2 import compute_ssimulacra2

    files = []
    for rgb in (wanted, found):
        files.append(io.BytesIO())
        Pillow.fromarray(rgb).save(files[-1], "png", compress_level=0)
        files[-1].seek(0)
    return float(compute_ssimulacra2(*files))


def tiles(shape: tuple[int, ...], side: int) -> Iterator[tuple[slice, slice]]:
    for y, x in itertools.product(range(0, shape[0], side), range(0, shape[1], side)):
        yield slice(y, y + side), slice(x, x + side)


def jpeg_pyramid(field: Field, quality: int, tile: int, **how: bool) -> Result:
    size, found = 0, []
    for level, rgb in enumerate(field.levels):
        found.append(np.empty_like(rgb))
        for part in tiles(rgb.shape, tile * 4 >> level):
            stream = imagecodecs.jpeg8_encode(rgb[part], level=quality, subsampling="420", optimize=True)
            size += len(stream)
            found[-1][part] = imagecodecs.jpeg8_decode(stream)
    return Result(size, score(field, found, **how))


def families_of(field: Field, tile: int) -> list[Levels]:
    parts = ([rgb[part] for part in tiles(rgb.shape, tile * 4 >> level)] for level, rgb in enumerate(field.levels))
    return list(zip(*parts, strict=True))


def container(field: Field, settings: Settings, fits: Fits | None = None, **how: bool) -> Result:
    """Encode the families of a field with the functions of a conversion."""
    tile = settings.tile
    families = families_of(field, tile)
    geometry = Geometry(field.rgb.shape[1], field.rgb.shape[0], tile)
    if fits is None:
        with ThreadPoolExecutor(1) as executor:
            fits = fit_chroma(families, settings, executor)
    coding = Coding(UUID(int=1), geometry, settings.residuals(fits))
    coder = settings.streams
    size, found = 0, [np.empty_like(rgb) for rgb in field.levels]
    for (row, col), levels in zip(geometry.tiles(0), families, strict=True):
        encoded = encode_family(coding, row, col, levels, coder)
        size += sum(map(len, encoded.tiles))
        for level in range(3):
            side = geometry.tile_side(level)
            part = slice(row * side, (row + 1) * side), slice(col * side, (col + 1) * side)
            found[level][part] = colour.ycc_to_rgb(encoded.planes()[level].copy()).transpose(1, 2, 0)
    return Result(size, score(field, found, **how))


def open_field(text: str) -> Field:
    """Open FILE or FILE:y,x,size; by default the largest square of whole families in the middle, at most 1024 px."""
    path, _, place = text.partition(":")
    with open_source(path) as source:
        if place:
            y, x, side = map(int, place.split(","))
        else:
            side = min(1024, source.info.width // 512 * 512, source.info.height // 512 * 512)
            y, x = (source.info.height - side) // 2, (source.info.width - side) // 2
        return Field(text.rpartition("/")[2], np.ascontiguousarray(source.read(y, x, side, side)))


def halves(field: Field, tile: int) -> Split:
    """Divide the families of a field like the colours of a chessboard: one half to measure, one to test."""
    sides = field.rgb.shape[1] // (4 * tile)
    parts: tuple[list[Image], list[Image]] = [], []
    for k, (rgb, _, _) in enumerate(families_of(field, tile)):
        parts[(k // sides + k) % 2].append(rgb)
    measured, others = (Field(field.name, np.hstack(part)) for part in parts)
    return families_of(measured, tile), others, others


def sample_and_others(path: str, settings: Settings, count: int = 12) -> Split:
    """Return the sample of a conversion, and tissue on a grid shifted by half a family.

    A slide that was JPEG gives our blocks, which lie on its own, an advantage that conversions have too. JPEG would get
    a larger one, a second pass over the same blocks, so its picture begins 4 px further.
    """
    with open_source(path) as source, ThreadPoolExecutor(1) as executor:
        info, side = source.info, 4 * settings.tile
        sample = tissue_families(source, executor, FAMILIES[settings.effort])
        step = side * max(1, round(math.sqrt(info.width * info.height / side**2 / (4 * count))))
        rows, columns = (range(side // 2, extent - side - 3, step) for extent in (info.height, info.width))
        parts = [source.read(y, x, side + 4, side + 4) for y, x in itertools.product(rows, columns)]
    parts.sort(key=lambda rgb: -float(rgb[::4, ::4].std()))
    ours, theirs = (
        Field(path.rpartition("/")[2], np.hstack([rgb[k : k + side, k : k + side] for rgb in parts[:count]]))
        for k in (0, 4)
    )
    return sample, ours, theirs


def show_promise(fields: Sequence[Split], settings: Settings, qualities: Sequence[int]) -> bool:
    """Print the margins of steps found on one sample and applied to other tissue; return whether all are kept."""
    kept = True
    print(f"{'field':<34} {'Q':>3} {'metric':<12} {'JPEG':>8} {'RRIP':>8} {'margin':>8}  bytes  steps")
    with ThreadPoolExecutor(1) as executor:
        for (sample, tested, for_jpeg), quality in itertools.product(fields, qualities):
            found, fits = keep_promise(sample, replace(settings, quality=quality), executor)
            jpeg, rrip = jpeg_pyramid(for_jpeg, quality, settings.tile), container(tested, found, fits)
            for metric in METRICS:
                margin = rrip.scores[metric] - jpeg.scores[metric]
                kept &= margin >= 0
                print(
                    f"{tested.name:<34} {quality:>3} {metric:<12} {jpeg.scores[metric]:8.4g} "
                    f"{rrip.scores[metric]:8.4g} {margin:+8.4f}  {rrip.size / jpeg.size:.3f}  "
                    f"{' '.join(f'{step:.1f}' for step in found.steps or ())}{'' if margin >= 0 else '  WORSE'}"
                )
    return kept


def show_fit(fields: Sequence[Field], settings: Settings, qualities: Sequence[int]) -> None:
    """Print the coarsest step at which a container is no worse than JPEG by any metric, and the limiting metric."""
    print(f"{'field':<34} {'Q':>3} {'step':>7}  {'now':>6}  bytes  limited by; steps by metric")
    for field in fields:
        steps = np.geomspace(1.2, 40, 15)
        results = [container(field, settings.with_steps(usual_steps(step))) for step in steps]
        for quality in qualities:
            jpeg = jpeg_pyramid(field, quality, settings.tile)
            found = {}
            for metric in METRICS:
                scores = np.array([result.scores[metric] for result in results])
                found[metric] = float(np.exp(np.interp(-jpeg.scores[metric], -scores, np.log(steps))))
            worst = min(found, key=lambda metric: found[metric])
            size = np.exp(np.interp(np.log(found[worst]), np.log(steps), [np.log(r.size) for r in results]))
            listed = " ".join(f"{step:.2f}" for step in found.values())
            print(
                f"{field.name:<34} {quality:>3} {found[worst]:7.2f}  {luma_step(quality):6.2f}  "
                f"{size / jpeg.size:.3f}  {worst}; {listed}"
            )


def bd_rate(anchor: Sequence[Result], other: Sequence[Result], metric: str) -> float:
    """Return the mean difference in bytes at equal quality, %, without points that a smaller result beats."""
    import bjontegaard

    points: list[NDArray[np.float64]] = []
    for curve in (anchor, other):
        kept: list[tuple[float, float]] = []
        for result in sorted(curve, key=lambda result: result.size):
            if not kept or result.scores[metric] > kept[-1][1]:
                kept.append((result.size, result.scores[metric]))
        points.extend(np.array(kept).T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains of curves that overlap little
        return float(bjontegaard.bd_rate(*points, method="pchip", require_matching_points=False, min_overlap=0))


def show_bd(fields: Sequence[Field], settings: Settings, *, ssimulacra2: bool) -> None:
    """Print the BD-rate of each field and metric relative to JPEG, and the means."""
    names = [*METRICS, "SSIMULACRA2"] if ssimulacra2 else list(METRICS)
    print(f"{'BD-rate, % of bytes':<34} " + " ".join(f"{name:>11}" for name in names))
    rows = []
    for field in fields:
        jpeg = [jpeg_pyramid(field, quality, settings.tile, ssimulacra2=ssimulacra2) for quality in CURVE]
        rrip = [container(field, replace(settings, quality=q), ssimulacra2=ssimulacra2) for q in CURVE]
        rows.append([bd_rate(jpeg, rrip, name) for name in names])
        print(f"{field.name:<34} " + " ".join(f"{value:11.1f}" for value in rows[-1]))
    print(f"{'mean':<34} " + " ".join(f"{value:11.1f}" for value in np.mean(rows, axis=0)))


def encode_jpeg(families: Sequence[Levels], quality: int) -> int:
    """Return the bytes of the JPEG pyramids of some families."""
    how = {"level": quality, "subsampling": "420", "optimize": True}
    return sum(len(imagecodecs.jpeg8_encode(rgb, **how)) for levels in families for rgb in levels)


def encode_rrip(families: Sequence[Levels], settings: Settings, fits: Fits) -> int:
    """Return the bytes of the same families in RRIP."""
    side = 4 * settings.tile
    coding = Coding(UUID(int=1), Geometry(side, side, settings.tile), settings.residuals(fits))
    coder = settings.streams
    return sum(len(tile) for levels in families for tile in encode_family(coding, 0, 0, levels, coder).tiles)


def show_speed(fields: Sequence[Field], settings: Settings) -> None:
    """Print time and bytes of each effort; times are the best of five rounds that take turns, in one thread."""
    print(f"{'field':<34} {'encoder':<12} {'MP/s of level 0':>15} {'time to JPEG':>12} {'bytes to default':>16}")
    for field in fields:
        families = families_of(field, settings.tile)
        with ThreadPoolExecutor(1) as executor:
            found, fits = keep_promise(families, settings, executor)
        runs = {"JPEG 4:2:0": partial(encode_jpeg, families, settings.quality)}
        for effort in EFFORTS:
            runs[f"RRIP {effort}"] = partial(encode_rrip, families, replace(found, effort=effort), fits)
        sizes = {name: run() for name, run in runs.items()}
        times = dict.fromkeys(runs, math.inf)
        for _, (name, run) in itertools.product(range(5), runs.items()):
            started = time.perf_counter()
            run()
            times[name] = min(times[name], time.perf_counter() - started)
        for name in runs:
            print(
                f"{field.name:<34} {name:<12} {field.rgb.size / 3e6 / times[name]:15.1f} "
                f"{times[name] / times['JPEG 4:2:0']:12.1f} {sizes[name] / sizes['RRIP default']:16.3f}"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fields", nargs="+", metavar="FIELD[:y,x,size]")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--bd", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--held-out", action="store_true", help="find the steps on every other family, test the rest")
    parser.add_argument("--slide", action="store_true", help="the sample of a conversion, tested on other tissue")
    parser.add_argument("--qualities", type=lambda text: [int(q) for q in text.split(",")], default=QUALITIES)
    parser.add_argument("--effort", choices=EFFORTS, default="default")
    parser.add_argument("--tune", choices=TUNINGS, default="psnr")
    parser.add_argument("--luma-only", action="store_true")
    parser.add_argument("--ssimulacra2", action="store_true", help="also SSIMULACRA2, with --bd")
    options = parser.parse_args(arguments)
    settings = Settings(effort=options.effort, tune=options.tune, luma_only=options.luma_only)
    if options.slide:
        splits = (sample_and_others(path, settings) for path in options.fields)
        return 0 if show_promise(list(splits), settings, options.qualities) else 1
    fields = [open_field(text) for text in options.fields]
    if options.fit:
        show_fit(fields, settings, options.qualities)
        return 0
    if options.speed:
        show_speed(fields, replace(settings, effort="default"))
        return 0
    if options.bd:
        show_bd(fields, settings, ssimulacra2=options.ssimulacra2)
        return 0
    split = halves if options.held_out else lambda field, tile: (families_of(field, tile), field, field)
    return 0 if show_promise([split(field, settings.tile) for field in fields], settings, options.qualities) else 1


if __name__ == "__main__":
    sys.exit(main())
