"""Find the quantiser steps for a slide by encoding a sample of it.

The step that equals a JPEG of some quality depends on the tissue: at quality 90, it is 6 for one test field and 11 for
another. So the sample is encoded both as JPEG and as RRIP, and the coarsest steps are taken at which no measure is
worse.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import colour
from ..core.luma_filter import Weights
from ..errors import RripError
from ..extras import needs
from ..family.jpeg import ordinary_jpeg
from .chroma_fit import Fits, Luma, encode_base_planes, encode_colour, encode_luma, encode_sample, fit_to_luma
from .losses import EDGE, Original
from .luma_fit import fit_luma_filter
from .sampling import Image, Levels
from .search import SLOPE, solve
from .settings import CHROMA_RATIO, UNFITTED, Settings, Steps, Target, luma_step, usual_steps

__all__ = ["FAMILIES", "FILTER_PAYS", "find_quality", "keep_promise"]

FAMILIES = {"fast": 8, "default": 16, "best": 16}
"""Largest number of families encoded at each step tried, by effort."""

_STEPS = (1.0, 64.0)
_CHROMA_RATIOS = (0.3, 1.22)
"""Smallest and largest luma step, and ratio of chroma step to luma step. Coarser chroma would keep the promise on some
tissue, but costs more colour than it saves bytes."""

_FINE_CHROMA = 3.5
"""Chroma step that the largest ratio does not forbid. Dark pictures, and the best qualities, need a luma step so fine
that chroma beside it would mostly code noise."""

_LEVEL_1_RATIO, _BASE_RATIO = 1.1, 1.8
"""Largest ratios of the luma step of a level to that of the next finer one, which is predicted from it: of level 1 and
of the base."""

FILTER_PAYS = 1.01
"""Ratio of the luma steps with and without a filter below which it is left out: all who read level 0 pay for it."""

_MARGIN, _COLOUR_MARGIN = 0.01, 0.015
"""Smallest fraction by which a loss has to stay below that of JPEG; or one standard error of the sample, if larger."""

_SHIFT = 4
"""Shift of JPEG's blocks against those of the slide, px. If the slide was stored as JPEG, encoding it on the same grid
is almost lossless, which would not be a measure of JPEG's quality."""

_OTHER_SHIFT, _OWN_GRID = 2, 0.7
"""Shift that is used instead if the usual one loses less than this fraction of what this one loses: the usual one then
coincides with the grid of a picture that was cropped from a JPEG."""

_LEAST = {"y0": 0.05, "y1": 0.05, "y2": 0.05, "rgb": 0.05, "ssim": 1e-5, "delta_e": 0.02, "delta_e_p95": 0.05}
"""Lower bounds of losses: smaller ones are invisible, and a flat sample has none at all."""

Losses = dict[str, NDArray[np.float64]]
"""Losses of each family, by name of the loss."""


@dataclass(frozen=True)
class _Sample:
    """Families of the sample, the settings to try them with, and the executor to use."""

    originals: Sequence[Original]
    settings: Settings
    executor: Executor

    @classmethod
    def of(cls, families: Sequence[Levels], settings: Settings, executor: Executor) -> _Sample:
        """Create a sample from the padded levels of its families."""
        return cls([Original(levels) for levels in families], settings, executor)

    @property
    def few(self) -> _Sample:
        """The part of the sample that is encoded at every step tried, spread over all families."""
        stride = max(1, math.ceil(len(self.originals) / FAMILIES[self.settings.effort]))
        return replace(self, originals=self.originals[::stride])

    def fit(self, steps: Steps) -> Fits:
        """Fit the prediction of chroma and the filter of luma to these steps, on :attr:`few`."""
        few = self.few
        luma, weights = few.filter_luma(few.encode_luma(steps, few.encode_luma(steps)))
        return few.fit_to_luma(luma, self.settings.with_steps(steps), weights)

    def fit_to_luma(self, luma: Sequence[Luma], settings: Settings, weights: Weights | None) -> Fits:
        """Fit the prediction of chroma to encoded luma, whose filter is fitted already."""
        fine, middle = fit_to_luma(self.originals, luma, settings, self.executor)
        return replace(fine, luma_filter=weights), middle

    def filter_luma(self, luma: Sequence[Luma]) -> tuple[Sequence[Luma], Weights | None]:
        """Fit a filter to encoded luma of level 0, if the settings want one, and apply it to the decoded planes."""
        if not self.settings.luma_filter:
            return luma, None
        wanted = [original.exact[0][0] for original in self.originals]
        weights = fit_luma_filter(wanted, [each.planes[0] for each in luma], self.executor)
        return luma if weights is None else list(self.executor.map(Luma.filtered, luma, repeat(weights))), weights

    def encode_luma(self, steps: Steps, coarser: Iterable[Luma | None] = repeat(None)) -> list[Luma]:
        """Encode luma of all families with :func:`rrip_format.tuning.chroma_fit.encode_luma`."""
        settings = self.settings.with_steps(steps)
        return list(self.executor.map(encode_luma, self.originals, repeat(settings), coarser))

    def losses(self, measure: Callable[..., dict[str, float]], *found: Iterable[Any]) -> Losses:
        """Measure the losses of each family; `found` are further arguments of `measure` for each."""
        rows = list(self.executor.map(measure, self.originals, *found))
        return {name: np.maximum(_LEAST[name], [row[name] for row in rows]) for name in rows[0]}

    def losses_of_jpeg(self, quality: int) -> Losses:
        """Measure the losses of an ordinary JPEG pyramid of that quality."""

        def luma(original: Original, shift: int) -> dict[str, float]:
            return original.luma_losses(0, _through_jpeg(original.levels[0], quality, shift))

        def everything(original: Original, shift: int) -> dict[str, float]:
            fine, middle, base = (_through_jpeg(rgb, quality, shift) for rgb in original.levels)
            losses = original.luma_losses(1, middle) | original.luma_losses(2, base)
            return losses | original.luma_losses(0, fine, ssim=True) | original.colour_losses(fine)

        usual, other = self.losses(everything, repeat(_SHIFT)), self.losses(luma, repeat(_OTHER_SHIFT))
        met = usual["y0"].mean() < _OWN_GRID * other["y0"].mean()
        return self.losses(everything, repeat(_OTHER_SHIFT)) if met else usual


def _through_jpeg(rgb: Image, quality: int, shift: int) -> Image:
    """Encode and decode a level as JPEG, with blocks that start at `shift`, and crop it to the measured part."""
    skipped, side = EDGE - shift, rgb.shape[0] - 2 * EDGE
    found = ordinary_jpeg(rgb[shift:, shift:], quality)[skipped : skipped + side, skipped : skipped + side]
    return np.ascontiguousarray(found.transpose(2, 0, 1))


def _base_losses(original: Original, settings: Settings) -> dict[str, float]:
    return original.luma_losses(2, _inner(encode_base_planes(original, settings.streams)))


def _middle_losses(original: Original, luma: Luma) -> dict[str, float]:
    return original.luma_losses(1, _inner(luma.planes))


def _fine_losses(original: Original, luma: Luma) -> dict[str, float]:
    return original.luma_losses(0, _inner(luma.planes), ssim=True)


def _colour_losses(original: Original, luma: Luma, settings: Settings, fits: Fits) -> dict[str, float]:
    return original.colour_losses(_inner(encode_colour(original, luma, settings, fits)))


def _inner(planes: NDArray[np.uint8]) -> Image:
    """Convert decoded planes to RGB planes, cropped to the measured part."""
    return colour.ycc_to_rgb(planes[:, EDGE:-EDGE, EDGE:-EDGE])


def _worst(losses: Losses, bounds: Losses, margin: float = _MARGIN) -> float:
    """Return the logarithm by which the worst mean loss exceeds its bound, the margin included."""

    def above(loss: NDArray[np.float64], bound: NDArray[np.float64]) -> float:
        # standard error of the ratio of the means, in which families with negligible losses do not count
        apart = loss / loss.mean() - bound / bound.mean()
        error = float(apart.std(ddof=1)) / math.sqrt(loss.size) if loss.size > 1 else 0.0
        return math.log(loss.mean() / bound.mean()) + max(margin, error)

    return max(above(loss, bounds[name]) for name, loss in losses.items())


def _usual_step(loss: NDArray[np.float64]) -> float:
    """Return the quantiser step that causes about this squared error."""
    return math.sqrt(12 * float(loss.mean()))


def keep_promise(families: Sequence[Levels], settings: Settings, executor: Executor) -> tuple[Settings, Fits]:
    """Find the coarsest steps at which no loss exceeds that of a JPEG 4:2:0 pyramid of ``settings.quality``.

    A level depends only on coarser levels, and luma does not depend on chroma, so the steps are found one after the
    other: those of luma of the base and of level 1 by PSNR; that of level 0 luma by PSNR and SSIM; and that of chroma,
    with its prediction fitted to these, by PSNR of RGB and by mean and 95th percentile of CIEDE2000. Without chroma
    residuals, only luma is compared. If the settings want a filter of luma, a second search fits it at each step tried,
    and it is used if that ends at a step that is clearly coarser.

    Parameters
    ----------
    families : three (s, s, 3) uint8 each
        Families of tissue of one size, padded; at most ``FAMILIES`` of them, spread over all, are used.
    settings : Settings
        Returned unchanged if they contain steps.
    executor : Executor
        Where families are encoded.

    Returns
    -------
    Settings, two LevelFit
        The settings with steps, and the fitted parameters of levels 0 and 1.
    """
    sample = _Sample.of(families, settings, executor).few
    if settings.preset is not None or not families:
        return settings, (UNFITTED, UNFITTED)
    if settings.steps is not None:
        return settings, sample.fit(settings.steps)
    jpeg = sample.losses_of_jpeg(settings.quality)

    def base_excess(step: float) -> float:
        tried = settings.with_steps((step, step, CHROMA_RATIO * step, step))
        return _worst(sample.losses(_base_losses, repeat(tried)), jpeg) - settings.level_2_loss * math.log(10) / 10

    base = solve(base_excess, _usual_step(jpeg["y2"]), _STEPS)

    def base_step(step: float) -> float:
        """Return the step of the base for that of level 1 luma."""
        return min(base, _BASE_RATIO * step)

    @cache
    def middle_luma(step: float) -> list[Luma]:
        return sample.encode_luma((step, step, CHROMA_RATIO * step, base_step(step)))

    def middle_excess(step: float) -> float:
        return _worst(sample.losses(_middle_losses, middle_luma(step)), jpeg)

    middle = solve(middle_excess, _usual_step(jpeg["y1"]), _STEPS)

    def luma_steps(step: float) -> Steps:
        luma_1 = min(middle, _LEVEL_1_RATIO * step)
        return step, luma_1, CHROMA_RATIO * step, base_step(luma_1)

    @cache
    def fine_luma(step: float) -> list[Luma]:
        return sample.encode_luma(luma_steps(step), middle_luma(luma_steps(step)[1]))

    @cache
    def filtered_luma(step: float) -> tuple[Sequence[Luma], Weights | None]:
        return sample.filter_luma(fine_luma(step))

    @cache
    def fine_excess(step: float) -> float:
        return _worst(sample.losses(_fine_losses, fine_luma(step)), jpeg)

    @cache
    def filtered_excess(step: float) -> float:
        return _worst(sample.losses(_fine_losses, filtered_luma(step)[0]), jpeg)

    luma_0 = solve(fine_excess, 1.1 * _usual_step(jpeg["y0"]), _STEPS)
    luma: Sequence[Luma] = fine_luma(luma_0)
    weights: Weights | None = None
    if settings.luma_filter and (gain := fine_excess(luma_0) - filtered_excess(luma_0)) > 0:
        # from where the excess should be the same as without: a gain may be smaller than the tolerance of a search
        step = solve(filtered_excess, luma_0 * math.exp(gain / SLOPE), (luma_0, max(luma_0, _STEPS[1])))
        if step >= FILTER_PAYS * luma_0 and filtered_excess(step) <= max(0.0, fine_excess(luma_0)):
            luma_0, (luma, weights) = step, filtered_luma(step)
    luma_0, luma_1, chroma, base = luma_steps(luma_0)
    settings = settings.with_steps((luma_0, luma_1, chroma, base))
    fits = sample.fit_to_luma(luma, settings, weights)
    if settings.luma_only:
        return settings, fits

    def colour_excess(ratio: float) -> float:
        tried = settings.with_steps((luma_0, luma_1, ratio * luma_0, base))
        return _worst(sample.losses(_colour_losses, luma, repeat(tried), repeat(fits)), jpeg, _COLOUR_MARGIN)

    ratios = _CHROMA_RATIOS[0], max(_CHROMA_RATIOS[1], _FINE_CHROMA / luma_0)
    ratio = solve(colour_excess, ratios[1], ratios, slope=0.4)
    return settings.with_steps((luma_0, luma_1, ratio * luma_0, base)), fits


def _ssimulacra2(wanted: Image, found: Image) -> float:
    """Compute SSIMULACRA2 of level 0, (s, s, 3) uint8, and its decoded planes, cropped to the measured part."""
    with needs("evaluate", "the target ssimulacra2"):
        from PIL import Image as Pillow
        from ssimulacra2 import compute_ssimulacra2

    files: list[Any] = []
    for rgb in (wanted[EDGE:-EDGE, EDGE:-EDGE], found.transpose(1, 2, 0)):
        files.append(io.BytesIO())
        Pillow.fromarray(np.ascontiguousarray(rgb)).save(files[-1], "PNG", compress_level=0)
        files[-1].seek(0)
    return float(compute_ssimulacra2(*files))


def find_quality(
    families: Sequence[Levels], settings: Settings, target: Target, executor: Executor
) -> tuple[Settings, Fits, float]:
    """Find the steps that reach a target on sample families, and the value reached.

    Parameters
    ----------
    families : three (s, s, 3) uint8 each
        For a ratio, families of the whole slide, glass included; for other targets, families of tissue.
    settings : Settings
        Settings without steps.
    target : Target
        What to reach.
    executor : Executor
        Where families are encoded.

    Returns
    -------
    Settings, two LevelFit, float
        As in :func:`keep_promise`, and the value reached.
    """
    if not families:
        raise RripError("the slide has no family to measure the target on; leave the target out")
    sample = _Sample.of(families, settings, executor)
    if target.kind != "ratio":
        sample = sample.few
    reached: dict[float, tuple[Fits, float]] = {}

    def value(step: float, fits: Fits) -> float:
        levels = [original.levels for original in sample.originals]
        encoded = encode_sample(levels, settings.with_steps(usual_steps(step)), fits, executor)
        if target.kind == "ratio":
            raw = sum(rgb.size for family in levels for rgb in family)
            return raw / sum(len(tile) for family in encoded for tile in family.tiles)
        found = list(executor.map(lambda family: _inner(family.planes()[0]), encoded))
        if target.kind == "psnr":
            losses = sample.losses(lambda original, rgb: original.luma_losses(0, rgb), found)
            return 10 * math.log10(255**2 / float(losses["y0"].mean()))
        return float(np.mean([_ssimulacra2(family[0], rgb) for family, rgb in zip(levels, found, strict=True)]))

    def excess(step: float) -> float:
        fits = sample.fit(usual_steps(step))
        found = value(step, fits)
        reached[step] = fits, found
        if target.kind == "ratio":
            return math.log(found / target.value)
        # 4.343 dB of PSNR are a factor of e in squared error; 10 points of SSIMULACRA2 are about as much
        return (target.value - found) / (4.343 if target.kind == "psnr" else 10)

    step = solve(excess, luma_step(settings.quality), _STEPS)
    if step not in reached:
        excess(step)
    return settings.with_steps(usual_steps(step)), *reached[step]
