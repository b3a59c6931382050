"""Search for the coarsest quantiser step whose losses stay below a bound."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["SLOPE", "solve"]

_TRIES = 5
"""Largest number of steps tried; the secant method is accurate enough by then."""

_NEAR = 0.005
"""Fraction of a loss by which the search aims below the bound. It ends within three times that, and within more after
further tries: as steps are rounded in tables, losses change in jumps."""

SLOPE = 1.4
"""About by how much the logarithm of a squared error of luma rises with that of the step."""


def solve(excess: Callable[[float], float], start: float, bounds: tuple[float, float], slope: float = SLOPE) -> float:
    """Find the largest argument with `excess` <= 0; it rises by about `slope` per unit of the argument's logarithm.

    The result is one that was tried; only if none had `excess` <= 0, the last step of the search is doubled. The search
    is a secant through the nearest arguments on both sides, or the last two, and aims lower after each failure.
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
        if -(2 + len(tried)) * _NEAR <= value <= 0 or at == last:
            break
    return math.exp(max(held)[0] if held else max(least, 2 * at - last))
