"""Find the setting at which a codec has the PSNR-Y that RRIP has at its default quality."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from bench_tissue import psnr_y
from own_tiles import Draw

from rrip_format import Settings
from rrip_format.evaluate.ours import Rrip
from rrip_format.evaluate.peers import Method, Stored
from rrip_format.evaluate.sample import Family

__all__ = ["Match", "match", "matches"]

_NEAR, _TRIES = 0.1, 4
"""dB that count as equal, and how often a setting is tried between two others."""

Point = tuple[float, float, list[Stored]]
"""PSNR-Y and PSNR-RGB of level 0, dB, and the families as stored."""


@dataclass(frozen=True, slots=True)
class Match:
    """A codec at the PSNR-Y that was wanted.

    Parameters
    ----------
    setting, psnr_y, psnr_rgb : float
        The nearest setting that was tried, and its qualities of level 0, dB.
    parts : list of Stored
        The families at that setting.
    whole, level_0 : float
        Bytes of levels 0 to 2 and of level 0 alone at the PSNR-Y wanted, as `Draw.part` combines those of families.
    """

    setting: float
    psnr_y: float
    psnr_rgb: float
    parts: list[Stored]
    whole: float
    level_0: float


def encode(method: Method, families: Sequence[Family], setting: float) -> Point:
    """Encode families on all cores, and measure what level 0 decodes to."""
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        parts = list(executor.map(lambda family: method.encode(family, setting), families))
        found = list(executor.map(lambda part: part.decode(0), parts))
    wanted, decoded = np.concatenate([family.levels[0] for family in families]), np.concatenate(found)
    error = sum(float(np.square(a.astype(np.float32) - b).mean()) for a, b in zip(wanted, decoded, strict=True))
    return psnr_y(wanted, decoded), 10 * math.log10(255**2 / max(error / len(wanted), 1e-10)), parts


def match(method: Method, families: Sequence[Family], wanted: float, draw: Draw) -> Match:
    """Find the setting with the PSNR-Y wanted: between two neighbours of the method's settings, then between these."""
    points: dict[float, Point] = {}

    def error(setting: float) -> float:
        if setting not in points:
            points[setting] = encode(method, families, setting)
        return points[setting][0] - wanted

    grid = method.settings
    low, high = 0, len(grid) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if error(grid[middle]) > 0 else (middle, high)
    ends = [grid[low], grid[high]]
    whole = all(float(setting).is_integer() for setting in grid) and not method.key.startswith("j2k")
    for _ in range(_TRIES):
        below, above = map(error, ends)
        if not below < 0 < above or min(-below, above) < _NEAR:
            break
        between = ends[0] * (ends[1] / ends[0]) ** (below / (below - above))
        between = round(between) if whole else between
        if between in ends:
            break
        ends[error(between) > 0] = between
    setting = min(points, key=lambda setting: abs(error(setting)))
    return Match(
        setting,
        *points[setting],
        whole=_interpolate(points.values(), wanted, lambda part: sum(part.sizes), draw),
        level_0=_interpolate(points.values(), wanted, lambda part: part.sizes[0], draw),
    )


def _interpolate(points: Iterable[Point], wanted: float, size: Callable[[Stored], int], draw: Draw) -> float:
    """Return bytes at the PSNR-Y wanted, from the logarithm of bytes at the points beside it."""
    ordered = sorted((quality, math.log(draw.part([size(part) for part in parts]))) for quality, _, parts in points)
    return math.exp(np.interp(wanted, *np.array(ordered).T))


def matches(methods: Sequence[Method], rrip: Rrip, families: Sequence[Family], draw: Draw) -> dict[str, Match]:
    """Encode RRIP at its default quality and the others at the same PSNR-Y, by key."""
    quality = float(Settings().quality)
    reached, rgb, parts = encode(rrip, families, quality)
    whole, level_0 = (draw.part([size(part.sizes) for part in parts]) for size in (sum, lambda sizes: sizes[0]))
    found = {rrip.key: Match(quality, reached, rgb, parts, whole, level_0)}
    return found | {method.key: match(method, families, reached, draw) for method in methods}
