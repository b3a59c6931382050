"""From one quality number to the settings of every stream.

Nothing here is normative: a container carries its taps, its coefficients and, in every stream, its tables. What was
tried and measured is in ``docs/encoder.md``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.difference import centred
from ..core.jpeg_encoder import EFFORTS, ZIGZAG, Quantiser, encode_gray, encode_ycc
from ..core.predict import Taps
from ..errors import RripError
from ..spec.geometry import TILE_SIZES
from ..spec.metadata import BILINEAR, SHARP, ResidualCoding

__all__ = [
    "CHROMA_RATIO",
    "DEFAULT_QUALITY",
    "PRESETS",
    "TARGETS",
    "TUNINGS",
    "UNFITTED",
    "ChromaFit",
    "Pair",
    "Settings",
    "Steps",
    "Streams",
    "Target",
    "luma_step",
    "usual_steps",
]

DEFAULT_QUALITY = 90
"""What slide scanners and viewers mostly use on JPEG's scale."""

PRESETS = ("notebook",)
"""``notebook``: the original method inside this format, for comparison."""

TUNINGS = {"psnr": (0.3, 0.10), "ssim": (0.7, 0.07)}
"""How much steps grow with frequency, and what a bit is worth in squared steps."""

TARGETS = ("psnr", "ratio", "ssimulacra2")

CHROMA_RATIO = 0.75
"""Step of the chroma residuals of level 1 in units of that of luma, where nothing is measured."""

_BASE_LUMA, _BASE_CHROMA = 1.1, 1.33
"""Steps of the base in units of those of the residuals of luma and of chroma."""

_BASE_RATE, _FINEST_RATE = 2.0, 0.7
"""What a bit is worth in the base and in luma of level 0, in units of the other residuals': errors of the base are
mended by what follows, and texture that level 0 drops is what SSIM misses."""

_BASE_CHROMA_ALONE = 0.67
"""The same for its chroma, where there are no chroma residuals."""

_LUMA_TAPS = (-8, 60, 16, -4), SHARP
"""Filters of Y at levels 0 and 1: near the best of each field of tests, at every quality."""

Pair = tuple[int, int]
Steps = tuple[float, float, float]

# fmt: off
_ANNEX_K = (
    np.array([
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]),
    np.array([
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
        47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32,
    ]),
)
"""The luma and chroma tables of ITU-T T.81 annex K.1, in raster order."""
# fmt: on


def _jpeg_scale(quality: float) -> float:
    """By what libjpeg multiplies the tables of annex K at a quality of 1 … 100, before it rounds."""
    return 50 / quality if quality < 50 else 2 - quality / 50


def _annex_k(kind: int, quality: int) -> Quantiser:
    """Table 0, luma, or 1, chroma, as libjpeg scales it; levels are the nearest."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = np.clip((_ANNEX_K[kind] * percent + 50) // 100, 1, 255)
    return Quantiser(steps[ZIGZAG].astype(np.uint8))


def luma_step(quality: float) -> float:
    """About the luma step that makes a container no worse than a JPEG pyramid of that quality, on demanding tissue.

    A fit to what ``tools/benchmarks/calibrate_quality.py --fit`` prints; where a slide can be measured, it is.
    """
    return 1 + 13.8 * float(_jpeg_scale(quality) ** 0.64)


def usual_steps(luma: float) -> Steps:
    """All steps from that of level 0 luma, where nothing is measured."""
    return luma, 1.05 * luma, CHROMA_RATIO * luma


def _quantiser(step: float, slope: float, rate: float) -> Quantiser:
    """Steps around `step` that grow with frequency by `slope`; so a fraction of a step has an effect too."""
    frequency = (ZIGZAG // 8 + ZIGZAG % 8) / 14
    steps = np.clip(np.floor(step * (1 + slope * (frequency - 0.5)) + 0.5), 1, 255)
    # with steps of 1 there is nothing to be won by error: what is wanted then is to be exact
    return Quantiser(steps.astype(np.uint8), rate * min(1.0, max(0.0, step - 1)))


@dataclass(frozen=True, slots=True)
class ChromaFit:
    """How the chroma of a level follows from the coarser level and from luma, in 64ths (spec sections 5.3 and 5.4).

    Parameters
    ----------
    taps : four ints
        Upsampling filter of Cb and Cr.
    cfl : two ints
        Chroma-from-luma coefficients of Cb and Cr.
    """

    taps: Taps = SHARP
    cfl: Pair = (0, 0)


UNFITTED = ChromaFit()
"""For a slide of which no sample was looked at."""


@dataclass(frozen=True)
class Streams:
    """Our own JPEG encoder, set up for every stream of a container: a :class:`rrip_format.family.encode.StreamCoder`.

    Parameters
    ----------
    base : two Quantiser
        Of luma and chroma of the base level and coarser ones.
    luma, chroma : two Quantiser each
        Of the residuals of levels 0 and 1.
    effort : str
    """

    base: tuple[Quantiser, Quantiser]
    luma: tuple[Quantiser, Quantiser]
    chroma: tuple[Quantiser, Quantiser]
    effort: str

    def encode_base(self, rgb: NDArray[np.uint8], samples: NDArray[np.uint8] | None = None) -> bytes:
        """As :meth:`rrip_format.family.encode.StreamCoder.encode_base`."""
        return encode_ycc(centred(rgb), *self.base, effort=self.effort, samples=samples)

    def encode_residual(
        self, missing: NDArray[np.float32], level: int, plane: int, samples: NDArray[np.uint8] | None = None
    ) -> bytes:
        """As :meth:`rrip_format.family.encode.StreamCoder.encode_residual`."""
        quantiser = (self.chroma if plane else self.luma)[level]
        return encode_gray(missing, quantiser, effort=self.effort, optional=plane == 0, samples=samples)


@dataclass(frozen=True, slots=True)
class Target:
    """What a conversion aims at instead of a quality number.

    Parameters
    ----------
    kind : str
        ``psnr``, luma of level 0 in dB; ``ratio``, bytes of raw pixels per byte; ``ssimulacra2``, of level 0.
    value : float
    """

    kind: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``psnr=40`` and the like.

        Raises
        ------
        RripError
            If it is anything else.
        """
        kind, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if kind not in TARGETS or not (value > 0 and math.isfinite(value)):
            raise RripError(f"target is {text!r}, expected one of {', '.join(f'{name}=…' for name in TARGETS)}")
        return cls(kind, value)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a conversion encodes with.

    Parameters
    ----------
    quality : int
        1 … 100: no worse than a JPEG 4:2:0 pyramid of that quality on libjpeg's scale.
    tile : int
        Side T of a base tile, px: a multiple of 16 in 64 … 512.
    effort : str
        ``fast``, ``default`` or ``best``: smaller for more time.
    tune : str
        ``psnr`` or ``ssim``: what to be small for.
    luma_only : bool
        Inherit chroma from the base level, without chroma residuals at level 1: smaller, with less exact colour.
    preset : str or None
        ``notebook`` decides all of the above but `effort`.
    steps : three floats or None
        Quantiser steps of luma at level 0 and at level 1 and of chroma residuals, 8-bit steps. A conversion measures on
        the slide which keep the promise of `quality`, unless they are given.
    target : str or None
        ``psnr=…``, ``ratio=…`` or ``ssimulacra2=…``, see :class:`Target`: a conversion looks for the steps that reach
        it, whatever `quality` is.
    """

    quality: int = DEFAULT_QUALITY
    tile: int = 128
    effort: str = "default"
    tune: str = "psnr"
    luma_only: bool = False
    preset: str | None = None
    steps: Steps | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        if self.preset == "notebook":
            for name, value in (("quality", 32), ("tile", 256), ("tune", "psnr"), ("luma_only", True)):
                object.__setattr__(self, name, value)
        if not isinstance(self.quality, int) or not 1 <= self.quality <= 100:
            raise RripError(f"quality is {self.quality!r}, expected a whole number of 1 … 100")
        if self.tile not in TILE_SIZES:
            raise RripError(f"base tile is {self.tile} px, expected a multiple of 16 in 64 … 512")
        for name, known in (("effort", EFFORTS), ("tune", TUNINGS), ("preset", (None, *PRESETS))):
            if getattr(self, name) not in known:
                raise RripError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(map(str, known))}")
        if self.steps is not None and not all(1 <= step <= 255 for step in self.steps):
            raise RripError(f"steps are {self.steps}, expected 1 … 255")

        if self.target is not None:
            Target.parse(self.target)

    @property
    def streams(self) -> Streams:
        """The encoder of every stream."""
        if self.preset == "notebook":
            residual = _annex_k(0, self.quality)
            return Streams((_annex_k(0, 90), _annex_k(1, 90)), (residual, residual), (residual, residual), self.effort)
        luma_0, luma_1, chroma = self.steps or usual_steps(luma_step(self.quality))
        base_ratio = _BASE_CHROMA_ALONE if self.luma_only else _BASE_CHROMA
        slope, rate = TUNINGS[self.tune]
        fine = _quantiser(luma_0, slope, _FINEST_RATE * rate)
        middle, colour = (_quantiser(step, slope, rate) for step in (luma_1, chroma))
        base, base_colour = (
            _quantiser(step, slope, _BASE_RATE * rate) for step in (_BASE_LUMA * luma_1, base_ratio * chroma)
        )
        return Streams((base, base_colour), (fine, middle), (colour, colour), self.effort)

    def with_steps(self, steps: Steps) -> Settings:
        """The same with given steps, to three decimals, as the metadata keep them."""
        luma_0, luma_1, chroma = (round(max(1.0, step), 3) for step in steps)
        return replace(self, steps=(luma_0, luma_1, chroma))

    def residuals(self, fits: tuple[ChromaFit, ChromaFit]) -> tuple[ResidualCoding, ResidualCoding]:
        """How levels 0 and 1 are coded, given what was fitted for each."""
        if self.preset == "notebook":
            how = ResidualCoding(BILINEAR, (0, 0), 1, BILINEAR)
            return how, how
        (fine, middle), planes = fits, 1 if self.luma_only else 3
        return (
            ResidualCoding(_LUMA_TAPS[0], fine.cfl, 1, fine.taps),
            ResidualCoding(_LUMA_TAPS[1], middle.cfl, planes, middle.taps),
        )

    def to_json(self) -> dict[str, Any]:
        """For the metadata of the container."""
        return asdict(self)
