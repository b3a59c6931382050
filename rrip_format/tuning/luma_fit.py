"""Fit the filter of decoded luma of level 0 to a slide (spec section 5.8).

The weights are those of least squared error over the decoded level 0 of sample families. Nothing here is normative, see
``docs/encoder.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from ..core.luma_filter import Weights, filter_luma

__all__ = ["fit_luma_filter", "legal_weights"]

Luma = NDArray[np.float32]
Plane = NDArray[np.uint8]

_CLIPPED = 6
"""Largest difference of the first two sums (spec section 5.8)."""

_MOST, _MOST_TOGETHER = 63, 28
"""Largest magnitudes of the first two weights, and of the last two together."""

_UNIT = 128
"""Weights are in 128ths."""

_PULL = 1e3
"""Weight of zero in the sums of squares: it matters only for a flat sample."""


def fit_luma_filter(wanted: Sequence[Luma], decoded: Sequence[Plane], executor: Executor) -> Weights | None:
    """Return the weights that bring decoded luma nearest to that of the source.

    Parameters
    ----------
    wanted : (s, s) float32 each
        Unrounded luma of level 0 of the source, by family.
    decoded : (s, s) uint8 each
        Luma as decoded without a filter.
    executor : Executor
        Where families are computed.

    Returns
    -------
    four ints or None
        None if these weights, rounded, do not make the squared error smaller.
    """
    equations = np.sum(list(executor.map(_equations, wanted, decoded)), axis=0)
    weights = legal_weights(_UNIT * np.linalg.solve(equations[:, :4] + _PULL * np.eye(4), equations[:, 4]))
    if not any(weights):
        return None

    def gain(wanted: Luma, decoded: Plane) -> float:
        return _squared_error(wanted, decoded) - _squared_error(wanted, filter_luma(decoded, weights))

    return weights if sum(executor.map(gain, wanted, decoded)) > 0 else None


def legal_weights(weights: NDArray[np.float64]) -> Weights:
    """Return weights that the format allows, near these: integers with limited magnitudes (spec section 5.8)."""
    first, second = np.clip(np.rint(weights[:2]), -_MOST, _MOST).astype(int).tolist()
    whole = np.rint(weights[2:])
    if np.abs(whole).sum() > _MOST_TOGETHER:
        whole = np.trunc(weights[2:] * min(1.0, _MOST_TOGETHER / np.abs(weights[2:]).sum()))
    edge, diagonal = whole.astype(int).tolist()
    return first, second, edge, diagonal


def _squared_error(wanted: Luma, found: Plane) -> float:
    error = wanted - found
    return _product(error, error)


def _product(first: Luma, second: Luma) -> float:
    """Return the scalar product. BLAS is not used, because its threads would compete with ours."""
    return float(np.einsum("ij,ij", first, second, dtype=np.float64))


def _equations(wanted: Luma, decoded: Plane) -> NDArray[np.float64]:
    """Return the normal equations, (4, 5), of the four weights."""
    height, width = decoded.shape
    here = decoded.astype(np.float32)
    around = np.pad(here, 1, mode="edge")
    sums = [np.zeros_like(here) for _ in range(4)]
    for diagonal, moves in enumerate((((0, 1), (1, 0), (1, 2), (2, 1)), ((0, 0), (0, 2), (2, 0), (2, 2)))):
        for down, right in moves:
            difference = around[down : down + height, right : right + width] - here
            sums[diagonal] += np.clip(difference, -_CLIPPED, _CLIPPED)
            sums[2 + diagonal] += difference
    columns, equations = [*sums, wanted - here], np.zeros((5, 5))
    for i, j in combinations_with_replacement(range(5), 2):
        equations[i, j] = equations[j, i] = _product(columns[i], columns[j])
    return equations[:4]
