"""Settings of the encoder, and the quantiser of every stream that follows from them.

Nothing here is normative: a container stores its taps and coefficients, and every stream its tables. Measurements are
in ``docs/encoder.md``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.annex_k import scaled_table
from ..core.difference import centred
from ..core.jpeg_encoder import EFFORTS, ZIGZAG, Quantiser, encode_gray, encode_ycc
from ..core.luma_filter import Weights
from ..core.predict import Taps
from ..errors import RripError
from ..spec.geometry import TILE_SIZES
from ..spec.metadata import BILINEAR, SHARP, ResidualCoding

__all__ = [
    "CHROMA_RATIO",
    "DEFAULT_QUALITY",
    "PRESETS",
    "PROFILES",
    "TARGETS",
    "TUNINGS",
    "UNFITTED",
    "LevelFit",
    "Pair",
    "Settings",
    "Steps",
    "Streams",
    "Target",
    "luma_step",
    "usual_steps",
]

DEFAULT_QUALITY = 90
"""Default quality on libjpeg's scale, a usual one of slide scanners and viewers."""

PRESETS: dict[str, dict[str, Any]] = {"notebook": {"quality": 32, "tile": 256, "tune": "psnr", "luma_only": True}}
"""Settings that a preset determines. ``notebook`` is the original method in this format, for comparison."""

PROFILES: dict[str, dict[str, Any]] = {
    "view": {"tile": 128, "effort": "default"},
    "archive": {"tile": 256, "effort": "best", "luma_filter": True},
}
"""Settings that a profile determines: ``view`` for slides that are read often, ``archive`` for the fewest bytes."""

TUNINGS = {"psnr": 0.0, "ssim": 0.3}
"""By tuning: what is added to the growth of luma steps with frequency."""

TARGETS = ("psnr", "ratio", "ssimulacra2")
"""Kinds of :class:`Target`."""

CHROMA_RATIO = 0.75
"""Default ratio of the chroma step of level 1 to the luma step of level 0."""

_BASE_LUMA = 1.1
"""Default ratio of the luma step of the base to that of level 1."""

_FINE_SLOPE, _CHROMA_SLOPE = 0.28, 0.8
"""Growth of the steps of level 0 luma, and of all chroma, with frequency. Other luma has flat tables: its errors of low
and high frequency count alike at level 0."""

_RATE = 0.10
"""Squared error, in squared steps, that a bit is worth."""

_BASE_RATE, _FINEST_RATE = 2.0, 1.1
"""Factors of the worth of a bit in the base, whose errors later residuals correct, and in luma of level 0."""

_BASE_CHROMA, _BASE_CHROMA_ALONE = 2.0, 0.67
"""Ratio of the chroma step of the base to that of the residuals, with and without chroma residuals."""

_PROJECTED = 1 / 9, 1 / 6
"""Parts of the back projection of level 0 that are added to luma and chroma of level 1. Its gain is 4 at the lowest
frequencies, so that 1/4 would be the whole step towards the best prediction of level 0. Luma has to keep its PSNR at
level 1 too."""

_LEAST_PROJECTED = 4.0
"""Luma step of level 1 below which less of the back projection is added to luma, in proportion. Otherwise it would be
most of the error of level 1, which no step could then make as small as JPEG's."""

_LUMA_TAPS = (-8, 60, 16, -4), SHARP
"""Upsampling filters of Y at levels 0 and 1: close to the best for each test field, at every quality."""

Pair = tuple[int, int]
Steps = tuple[float, float, float, float]
"""Quantiser steps: luma at level 0, luma at level 1, chroma residuals, luma of the base; in 8-bit steps."""


def _jpeg_scale(quality: float) -> float:
    """Return the factor by which libjpeg scales the tables of T.81 Annex K at a quality of 1 … 100."""
    return 50 / quality if quality < 50 else 2 - quality / 50


def _annex_k(kind: int, quality: int) -> Quantiser:
    """Return table 0 (luma) or 1 (chroma) of T.81 Annex K, scaled as in libjpeg, with rounding to the nearest level."""
    return Quantiser(scaled_table(kind, quality)[ZIGZAG].astype(np.uint8))


def luma_step(quality: float) -> float:
    """Estimate the luma step at which a container is no worse than a JPEG pyramid of that quality.

    A fit to what ``tools/benchmarks/calibrate_quality.py --fit`` prints for tissue with fine detail. A conversion
    measures its slide instead.
    """
    return 1 + 13.8 * float(_jpeg_scale(quality) ** 0.64)


def usual_steps(luma: float) -> Steps:
    """Return the default steps of all residuals for a step of level 0 luma."""
    return luma, 1.05 * luma, CHROMA_RATIO * luma, _BASE_LUMA * 1.05 * luma


def _quantiser(step: float, slope: float, worth: float) -> Quantiser:
    """Return quantiser steps around `step` that grow with frequency by `slope`; a bit is `worth` times the usual."""
    frequency = (ZIGZAG // 8 + ZIGZAG % 8) / 14
    # at a step of 1 the purpose is exactness: all steps are 1, and no bits are saved at the cost of errors
    usual = min(1.0, max(0.0, step - 1))
    # rounded upwards the more the higher the frequency, so that the mean of a flat table follows `step` too
    steps = np.clip(np.floor(step * (1 + slope * (frequency - 0.5)) + usual * frequency), 1, 255)
    return Quantiser(steps.astype(np.uint8), worth * _RATE * usual)


@dataclass(frozen=True, slots=True)
class LevelFit:
    """Parameters of a level that are fitted to a sample of the slide (spec sections 5.3, 5.4 and 5.8).

    Parameters
    ----------
    taps : four ints
        Upsampling filter of Cb and Cr, in 64ths.
    cfl : two ints
        Chroma-from-luma coefficients of Cb and Cr, in 64ths.
    luma_filter : four ints or None
        Weights of the filter of decoded luma of level 0, in 128ths.
    """

    taps: Taps = SHARP
    cfl: Pair = (0, 0)
    luma_filter: Weights | None = None


UNFITTED = LevelFit()
"""Default parameters, without a sample of the slide."""


@dataclass(frozen=True)
class Streams:
    """The encoder of all streams of a container, a :class:`rrip_format.family.encode.StreamCoder`.

    Parameters
    ----------
    base : two Quantiser
        Quantisers of luma and chroma of the base level and coarser ones.
    luma, chroma : two Quantiser each
        Quantisers of the residuals of levels 0 and 1.
    effort : str
        A key of ``EFFORTS``.
    projected : two floats
        Parts of the back projection of level 0 in luma and chroma of level 1.
    """

    base: tuple[Quantiser, Quantiser]
    luma: tuple[Quantiser, Quantiser]
    chroma: tuple[Quantiser, Quantiser]
    effort: str
    projected: tuple[float, float] = (0.0, 0.0)

    def encode_base(self, rgb: NDArray[np.uint8], samples: NDArray[np.uint8] | None = None) -> bytes:
        """Encode a base tile; see :meth:`rrip_format.family.encode.StreamCoder.encode_base`."""
        return encode_ycc(centred(rgb), *self.base, effort=self.effort, samples=samples)

    def encode_residual(
        self, missing: NDArray[np.float32], level: int, plane: int, samples: NDArray[np.uint8] | None = None
    ) -> bytes:
        """Encode a residual; see :meth:`rrip_format.family.encode.StreamCoder.encode_residual`."""
        quantiser = (self.chroma if plane else self.luma)[level]
        return encode_gray(missing, quantiser, effort=self.effort, optional=plane == 0, samples=samples)


@dataclass(frozen=True, slots=True)
class Target:
    """Goal of a conversion instead of a quality.

    Parameters
    ----------
    kind : str
        ``psnr``, that of level 0 luma in dB; ``ratio``, bytes of raw pixels per stored byte; ``ssimulacra2``, of level
        0.
    value : float
        The value to reach.
    """

    kind: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Target:
        """Parse a text like ``psnr=40``.

        Raises
        ------
        RripError
            If the text is anything else.
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
    """Settings of the encoder.

    Parameters
    ----------
    quality : int
        1 … 100 on libjpeg's scale. The container is no worse than a JPEG 4:2:0 pyramid of that quality, measured on a
        sample of the slide.
    tile : int
        Side T of a base tile, px: a multiple of 16 in 64 … 512.
    effort : {"fast", "default", "best"}
        More effort makes smaller containers in more time.
    tune : {"psnr", "ssim"}
        The measure of quality to optimise.
    luma_only : bool
        Store no chroma residuals at level 1, so that chroma is upsampled from the base level: smaller, with less exact
        colour.
    preset : {None, "notebook"}
        ``notebook`` is the original method, for comparison. It determines `quality`, `tile`, `tune` and `luma_only`.
    profile : {None, "view", "archive"}
        What the container is for: ``view`` are the defaults, ``archive`` sets `tile` to 256 and `effort` to ``best``; a
        conversion keeps tiles of 128 for a slide that larger ones would pad by over 10 % more. It also sets
        `luma_filter`.
    steps : four floats or None
        Quantiser steps of luma at level 0, luma at level 1, chroma residuals, and luma of the base, in 8-bit steps,
        1 … 255. By default a conversion finds those that `quality` needs, on a sample of the slide.
    level_2_loss : float
        Decibels, 0 … 10, by which luma of level 2 may have less PSNR than that of the JPEG pyramid.
    target : str or None
        ``psnr=…`` (dB), ``ratio=…`` or ``ssimulacra2=…``: find the steps that reach this value on a sample of the
        slide, instead of those for `quality`.
    luma_filter : bool
        Fit a filter of decoded luma of level 0 to a sample of the slide, and store it if it lowers the error (spec
        section 5.8). Containers are smaller, and take longer to read at level 0.

    Raises
    ------
    RripError
        If a value is out of its range, or contradicts the preset.
    """

    quality: int = DEFAULT_QUALITY
    tile: int = 128
    effort: str = "default"
    tune: str = "psnr"
    luma_only: bool = False
    preset: str | None = None
    profile: str | None = None
    steps: Steps | None = None
    level_2_loss: float = 0.0
    target: str | None = None
    luma_filter: bool = False

    def __post_init__(self) -> None:
        defaults = {field.name: field.default for field in fields(self)}
        for kind, sets, chosen in (("preset", PRESETS, self.preset), ("profile", PROFILES, self.profile)):
            for name, value in sets.get(chosen or "", {}).items():
                if getattr(self, name) not in (value, defaults[name]):
                    raise RripError(
                        f"{name} is {getattr(self, name)!r}, but the {kind} {chosen!r} sets it to {value!r}: leave one "
                        "of them out"
                    )
                object.__setattr__(self, name, value)
        if not isinstance(self.quality, int) or not 1 <= self.quality <= 100:
            raise RripError(f"quality is {self.quality!r}, expected a whole number of 1 … 100")
        if self.tile not in TILE_SIZES:
            raise RripError(f"base tile is {self.tile} px, expected a multiple of 16 in 64 … 512")
        for name, known in (
            ("effort", EFFORTS),
            ("tune", TUNINGS),
            ("preset", (None, *PRESETS)),
            ("profile", (None, *PROFILES)),
        ):
            if getattr(self, name) not in known:
                raise RripError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(map(str, known))}")
        if self.steps is not None and not (len(self.steps) == 4 and all(1 <= step <= 255 for step in self.steps)):
            raise RripError(f"steps are {self.steps}, expected four of 1 … 255")
        if not 0 <= self.level_2_loss <= 10:
            raise RripError(f"loss of level 2 is {self.level_2_loss} dB, expected 0 … 10")
        if self.target is not None:
            Target.parse(self.target)

    @property
    def streams(self) -> Streams:
        """The encoder of all streams."""
        if self.preset == "notebook":
            residual = _annex_k(0, self.quality)
            return Streams((_annex_k(0, 90), _annex_k(1, 90)), (residual, residual), (residual, residual), self.effort)
        luma_0, luma_1, chroma, base = self.steps or usual_steps(luma_step(self.quality))
        base_chroma = (_BASE_CHROMA_ALONE if self.luma_only else _BASE_CHROMA) * chroma
        slope = TUNINGS[self.tune]
        fine = _quantiser(luma_0, _FINE_SLOPE + slope, _FINEST_RATE)
        middle = _quantiser(luma_1, slope, 1.0)
        colour = _quantiser(chroma, _CHROMA_SLOPE, 1.0)
        coarse = _quantiser(base, slope, _BASE_RATE), _quantiser(base_chroma, _CHROMA_SLOPE, _BASE_RATE)
        part = min(1.0, luma_1 / _LEAST_PROJECTED)
        projected = (0.0, 0.0) if self.effort == "fast" else (part * _PROJECTED[0], _PROJECTED[1])
        return Streams(coarse, (fine, middle), (colour, colour), self.effort, projected)

    def with_steps(self, steps: Steps) -> Settings:
        """Return a copy of the settings with quantiser steps, rounded to three decimals as in the metadata.

        Parameters
        ----------
        steps : four floats
            As in the settings.

        Returns
        -------
        Settings
            The copy.
        """
        luma_0, luma_1, chroma, base = (round(max(1.0, step), 3) for step in steps)
        return replace(self, steps=(luma_0, luma_1, chroma, base))

    def residuals(self, fits: tuple[LevelFit, LevelFit]) -> tuple[ResidualCoding, ResidualCoding]:
        """Return the coding of levels 0 and 1 (spec section 8.2).

        Parameters
        ----------
        fits : two LevelFit
            Fitted parameters of levels 0 and 1.

        Returns
        -------
        two ResidualCoding
            For levels 0 and 1.
        """
        if self.preset == "notebook":
            how = ResidualCoding(BILINEAR, (0, 0), 1, BILINEAR)
            return how, how
        (fine, middle), planes = fits, 1 if self.luma_only else 3
        return (
            ResidualCoding(_LUMA_TAPS[0], fine.cfl, 1, fine.taps, fine.luma_filter),
            ResidualCoding(_LUMA_TAPS[1], middle.cfl, planes, middle.taps),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as the metadata of a container store them (spec section 8.4).

        Returns
        -------
        dict
            Values by name; `luma_filter` only if it is set.
        """
        return {name: value for name, value in asdict(self).items() if name != "luma_filter" or value}
