"""What quantiser steps a slide needs: measured on a sample of its own families.

A step that keeps up with JPEG depends on the tissue: at quality 90, one field of tests takes a step of 6, another of
11. So the sample is encoded both ways, and the steps are the coarsest at which no measure is worse.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import predict
from .encoder import CHROMA_RATIO, UNFITTED, ChromaFit, Settings, Steps, Target, luma_step, usual_steps
from .errors import ExtraMissingError, RripError
from .family import EncodedFamily
from .fitting import encode_sample, fit_chroma
from .jpeg import ordinary_jpeg
from .sampling import Image, Levels

__all__ = ["Fits", "find_quality", "keep_promise"]

_FAMILIES = 8
"""Most families that are encoded at each step tried."""

_TRIES = 5
"""Most steps that are tried: a secant through the last two is near enough by then."""

_NEAR = 0.005
"""Part of a loss by which the search aims at the safe side; it ends within three times that."""

_STEPS = (1.0, 64.0)
_CHROMA_RATIOS = (0.3, 1.0)
"""Least and largest luma step, and chroma step as part of it."""

_LEVEL_1_RATIO = 1.1
"""Largest step of level 1 luma as part of that of level 0, which is predicted from it."""

_MARGIN, _COLOUR_MARGIN = 0.02, 0.03
"""Least part by which a loss stays below JPEG's; it is one standard error of the sample, where that is more."""

_SHIFT = 4
"""Samples at each edge that are not measured, and by which JPEG's blocks are shifted against the slide's. A slide that
was JPEG comes back almost lossless on its own grid, which says nothing of JPEG's quality."""

_OTHER_SHIFT, _OWN_GRID = 2, 0.7
"""The shift that is used instead where the usual one loses less than this part of what the other one loses: then the
usual one has met the grid of a picture that was cut from a JPEG."""

_LEAST = {"y0": 0.05, "y1": 0.05, "rgb": 0.05, "ssim": 1e-5, "delta_e": 0.02, "delta_e_p95": 0.05}
"""Losses below these count as these: nobody sees them, and a flat sample has none."""

_MIDDLE, _FINE, _COLOUR = ("y1",), ("y0", "ssim"), ("rgb", "delta_e", "delta_e_p95")

Fits = tuple[ChromaFit, ChromaFit]
Losses = dict[str, NDArray[np.float64]]
"""Of each family, by name."""


@dataclass(frozen=True)
class _Sample:
    """Families, what they are tried with, and where work is done."""

    families: Sequence[Levels]
    settings: Settings
    executor: Executor
    fits: Fits = (UNFITTED, UNFITTED)

    def fitted(self, steps: Steps) -> _Sample:
        """The same with chroma predicted as suits these steps."""
        few = self.families[:: max(1, math.ceil(len(self.families) / _FAMILIES))]
        return replace(self, fits=fit_chroma(few, self.settings.with_steps(steps), self.executor))

    def encode(self, steps: Steps) -> list[EncodedFamily]:
        """All families."""
        return encode_sample(self.families, self.settings.with_steps(steps), self.fits, self.executor)

    def losses(self, found: Iterable[tuple[Image, Image]], names: Sequence[str]) -> Losses:
        """What each family lost of levels 0 and 1."""
        rows = self.executor.map(lambda pair: _losses(pair[0], pair[1], names), zip(self.families, found, strict=True))
        columns = np.array(list(rows)).T
        return {name: np.maximum(_LEAST[name], column) for name, column in zip(names, columns, strict=True)}

    def losses_of_jpeg(self, quality: int) -> Losses:
        """The same of an ordinary JPEG pyramid."""

        def losses(shift: int) -> Losses:
            found = self.executor.map(partial(_through_jpeg, quality=quality, shift=shift), self.families)
            return self.losses(found, (*_MIDDLE, *_FINE, *_COLOUR))

        usual, other = losses(_SHIFT), losses(_OTHER_SHIFT)
        return other if usual["y0"].mean() < _OWN_GRID * other["y0"].mean() else usual

    def losses_at(self, steps: Steps, names: Sequence[str]) -> Losses:
        """The same of a container."""
        return self.losses((_decoded(family) for family in self.encode(steps)), names)


def _through_jpeg(levels: Levels, quality: int, shift: int) -> tuple[Image, Image]:
    """Levels 0 and 1 as JPEG leaves them, whose blocks begin at `shift`, without the edges that are not measured."""
    skipped, parts = _SHIFT - shift, list[Image]()
    for rgb in levels[:2]:
        side = rgb.shape[0] - 2 * _SHIFT
        found = ordinary_jpeg(rgb[shift:, shift:], quality)
        parts.append(found[skipped : skipped + side, skipped : skipped + side])
    return parts[0], parts[1]


def _decoded(family: EncodedFamily) -> tuple[Image, Image]:
    first, second = (
        predict.ycc_to_rgb(planes).transpose(1, 2, 0)[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT] for planes in family.planes[:2]
    )
    return first, second


def _luma(rgb: Image) -> NDArray[np.float32]:
    luma: NDArray[np.float32] = predict.rgb_to_exact_ycc(rgb)[0]
    return luma


def _losses(wanted: Levels, found: tuple[Image, Image], names: Sequence[str]) -> list[float]:
    """What is lost of a family by each measure, less being better: squared errors, 1 - SSIM, CIEDE2000."""
    from skimage.color import deltaE_ciede2000, rgb2lab
    from skimage.metrics import structural_similarity

    exact = [rgb[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT] for rgb in wanted[:2]]
    losses: dict[str, float] = {}
    if "y1" in names:
        losses["y1"] = float(np.mean((_luma(exact[1]) - _luma(found[1])) ** 2))
    if "y0" in names:
        luma = _luma(exact[0]), _luma(found[0])
        losses["y0"] = float(np.mean((luma[0] - luma[1]) ** 2))
        ssim = structural_similarity(
            *luma, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        losses["ssim"] = 1 - float(ssim)
    if "rgb" in names:
        losses["rgb"] = float(np.mean((exact[0].astype(np.float32) - found[0]) ** 2))
        # every third pixel in both directions meets every place of an 8 x 8 block
        differences = deltaE_ciede2000(rgb2lab(exact[0][::3, ::3]), rgb2lab(found[0][::3, ::3]))
        losses |= {"delta_e": float(differences.mean()), "delta_e_p95": float(np.percentile(differences, 95))}
    return [losses[name] for name in names]


def _solve(excess: Callable[[float], float], start: float, bounds: tuple[float, float], slope: float = 1.2) -> float:
    """The largest argument tried whose `excess` is not above zero, which rises with about `slope` over its logarithm.

    So what is found has been tried and holds; only where nothing tried does, the last move is made at twice its length.
    A secant through the nearest two on both sides, or else the last two, aims the lower the more have failed.
    """
    least, most = (math.log(bound) for bound in bounds)
    at, tried = min(max(math.log(start), least), most), list[tuple[float, float]]()
    for _ in range(_TRIES):
        last, value = at, excess(math.exp(at))
        tried.append((last, value))
        held, failed = [pair for pair in tried if pair[1] <= 0], [pair for pair in tried if pair[1] > 0]
        if len(tried) > 1:
            (x0, y0), (x1, y1) = (max(held), min(failed)) if held and failed else tried[-2:]
            slope = min(max((y1 - y0) / (x1 - x0), slope / 3), slope * 3)
        at = min(max(last - (value + _NEAR * max(1, len(failed))) / slope, least), most)
        if -3 * _NEAR <= value <= 0 or at == last:
            break
    return math.exp(max(held)[0] if held else max(least, 2 * at - last))


def _worst(losses: Losses, bounds: Losses, margin: float = _MARGIN) -> float:
    """By how much, as a logarithm, the mean of a loss may lie above that of its bound, for the loss nearest to that."""

    def above(loss: NDArray[np.float64], bound: NDArray[np.float64]) -> float:
        spread = float(np.log(loss / bound).std(ddof=1)) / math.sqrt(loss.size) if loss.size > 1 else 0.0
        return math.log(loss.mean() / bound.mean()) + max(margin, spread)

    return max(above(loss, bounds[name]) for name, loss in losses.items())


def keep_promise(families: Sequence[Levels], settings: Settings, executor: Executor) -> tuple[Settings, Fits]:
    """The coarsest steps whose container is no worse than a JPEG 4:2:0 pyramid of ``settings.quality``.

    Each level depends on coarser ones alone, and luma not on chroma, so one step is found after the other: that of
    level 1 luma by PSNR; of level 0 luma by PSNR and SSIM; of chroma, whose prediction is fitted to those, by PSNR of
    RGB and by mean and 95th percentile of CIEDE2000.
    Without chroma residuals the promise is of luma.

    Parameters
    ----------
    families : three (s, s, 3) uint8 each
        Families of tissue, padded; at most eight of them, spread over all, are used.
    settings : Settings
        Returned as they are if their steps are given.
    executor : Executor

    Returns
    -------
    Settings, two ChromaFit
        With their steps, and how chroma is predicted at these.
    """
    sample = _Sample(families[:: max(1, math.ceil(len(families) / _FAMILIES))], settings, executor)
    if settings.preset is not None or not families:
        return settings, sample.fits
    if settings.steps is not None:
        return settings, sample.fitted(settings.steps).fits
    jpeg = sample.losses_of_jpeg(settings.quality)
    gray = replace(sample, settings=replace(settings, luma_only=True))
    start = luma_step(settings.quality)

    def middle_excess(step: float) -> float:
        return _worst(gray.losses_at((_STEPS[1], step, step), _MIDDLE), jpeg)

    middle = _solve(middle_excess, start, _STEPS)

    def luma_steps(step: float) -> Steps:
        return step, min(middle, _LEVEL_1_RATIO * step), CHROMA_RATIO * step

    fine = _solve(lambda step: _worst(gray.losses_at(luma_steps(step), _FINE), jpeg), start, _STEPS)
    luma_0, luma_1, chroma = luma_steps(fine)
    sample = sample.fitted((luma_0, luma_1, chroma))
    if settings.luma_only:
        return settings.with_steps((luma_0, luma_1, chroma)), sample.fits

    def colour_excess(ratio: float) -> float:
        return _worst(sample.losses_at((luma_0, luma_1, ratio * luma_0), _COLOUR), jpeg, _COLOUR_MARGIN)

    ratio = _solve(colour_excess, CHROMA_RATIO, _CHROMA_RATIOS, slope=0.4)
    return settings.with_steps((luma_0, luma_1, ratio * luma_0)), sample.fits


def _ssimulacra2(wanted: Image, found: Image) -> float:
    try:
        from ssimulacra2 import compute_ssimulacra2
    except ImportError as error:
        raise ExtraMissingError("the target ssimulacra2 needs a package: pip install ssimulacra2") from error
    from PIL import Image as Pillow

    files: list[Any] = []
    for rgb in (wanted[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT], found):
        files.append(io.BytesIO())
        Pillow.fromarray(np.ascontiguousarray(rgb)).save(files[-1], "PNG", compress_level=0)
        files[-1].seek(0)
    return float(compute_ssimulacra2(*files))


def find_quality(
    families: Sequence[Levels], settings: Settings, target: Target, executor: Executor
) -> tuple[Settings, Fits, float]:
    """The steps that reach a target on sample families, and what they reach.

    Parameters are those of :func:`keep_promise`. A ratio is that of families as they come, glass too; the other targets
    are of tissue.

    Returns
    -------
    Settings, two ChromaFit, float
        As :func:`keep_promise`, and the value of the target's kind at the steps.
    """
    if not families:
        raise RripError("a target needs families that are not empty to measure")
    count = len(families) if target.kind == "ratio" else _FAMILIES
    every = _Sample(families[:: max(1, math.ceil(len(families) / count))], settings, executor)
    reached: dict[float, tuple[Fits, float]] = {}

    def value(sample: _Sample, step: float) -> float:
        encoded = sample.encode(usual_steps(step))
        if target.kind == "ratio":
            raw = sum(rgb.size for levels in sample.families for rgb in levels)
            return raw / sum(len(tile) for family in encoded for tile in family.tiles)
        found = [_decoded(family) for family in encoded]
        if target.kind == "psnr":
            return 10 * math.log10(255**2 / float(sample.losses(found, _FINE)["y0"].mean()))
        scores = [_ssimulacra2(levels[0], pair[0]) for levels, pair in zip(sample.families, found, strict=True)]
        return float(np.mean(scores))

    def excess(step: float) -> float:
        sample = every.fitted(usual_steps(step))
        found = value(sample, step)
        reached[step] = sample.fits, found
        if target.kind == "ratio":
            return math.log(found / target.value)
        # 4.3 dB of PSNR are a factor of e in squared error; 10 points of SSIMULACRA2 come near that
        return (target.value - found) / (4.343 if target.kind == "psnr" else 10)

    step = _solve(excess, luma_step(settings.quality), _STEPS)
    if step not in reached:
        excess(step)
    return settings.with_steps(usual_steps(step)), *reached[step]
