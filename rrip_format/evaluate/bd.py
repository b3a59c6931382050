"""Bjøntegaard deltas: mean differences of two rate-distortion curves over their common range."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..extras import load_module

__all__ = ["MIN_OVERLAP", "Delta", "compare"]

MIN_OVERLAP = 0.25
"""Smallest fraction of the smaller range that both curves must cover for a meaningful comparison."""

_MIN_POINTS = 3
"""Smallest number of points of a curve."""

Point = tuple[float, float]
"""Bytes and quality."""


@dataclass(frozen=True, slots=True)
class Delta:
    """Difference between a codec and the anchor.

    Parameters
    ----------
    rate : float or None
        Mean difference of bytes at equal quality, %; negative is smaller. None if the curves hardly overlap.
    quality : float or None
        Mean difference of quality at equal bytes, in units of the measure; positive is better.
    overlap : float
        Fraction of the smaller range of quality that both curves cover, 0 … 1.
    """

    rate: float | None
    quality: float | None
    overlap: float


def _rising(points: Sequence[Point]) -> list[Point]:
    """Sort points by bytes; leave out those that are larger without being better, and those that are not finite."""
    kept: list[Point] = []
    for size, quality in sorted(points):
        if math.isfinite(quality) and (not kept or (size > kept[-1][0] and quality > kept[-1][1])):
            kept.append((size, quality))
    return kept


def _overlap(anchor: Sequence[Point], test: Sequence[Point], axis: int) -> float:
    """Return the fraction of the smaller range of bytes (axis 0) or quality (axis 1) that both curves cover."""
    low = max(anchor[0][axis], test[0][axis])
    high = min(anchor[-1][axis], test[-1][axis])
    shorter = min(curve[-1][axis] - curve[0][axis] for curve in (anchor, test))
    return max(0.0, min(1.0, (high - low) / shorter))


def compare(anchor: Sequence[Point], test: Sequence[Point], *, higher: bool = True) -> Delta:
    """Compare two rate-distortion curves by piecewise cubic interpolation of log bytes.

    Parameters
    ----------
    anchor, test : sequences of (bytes, quality)
        Points of the curves in any order.
    higher : bool
        Whether higher values are better. The difference of quality is positive for better in any case.

    Returns
    -------
    Delta
        Difference of `test` from `anchor`.
    """
    bjontegaard = load_module("bjontegaard", "evaluate", "evaluating")
    sign = 1 if higher else -1
    curves = [_rising([(size, sign * quality) for size, quality in points]) for points in (anchor, test)]
    if min(len(curve) for curve in curves) < _MIN_POINTS:
        return Delta(None, None, 0.0)
    overlaps = [_overlap(curves[0], curves[1], axis) for axis in (0, 1)]
    (rates, qualities), (test_rates, test_qualities) = (np.array(curve).T for curve in curves)
    found: list[float | None] = []
    for measure, overlap in ((bjontegaard.bd_rate, overlaps[1]), (bjontegaard.bd_psnr, overlaps[0])):
        if overlap < MIN_OVERLAP:
            found.append(None)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the overlap is judged here, and reported
            value = float(
                measure(
                    rates,
                    qualities,
                    test_rates,
                    test_qualities,
                    method="pchip",
                    require_matching_points=False,
                    min_overlap=0,
                )
            )
        found.append(value if math.isfinite(value) else None)
    return Delta(found[0], found[1], round(overlaps[1], 3))
