"""How chroma follows from luma and from the coarser level, fitted to a slide before it is encoded.

Least squares over sample families, on what a decoder will have: quantised chroma wants smoother taps than the original,
the more so the coarser its steps. Nothing here is normative, see ``docs/encoder.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from . import predict
from .encoder import UNFITTED, ChromaFit, Settings
from .family import EncodedFamily, encode_family
from .geometry import Geometry
from .metadata import SHARP, Coding
from .predict import Taps
from .sampling import Levels

__all__ = ["encode_sample", "fit_chroma", "legal_taps"]

Floats = NDArray[np.float64]

_LEAST_NEGATIVE = 12.0
"""Largest sum of magnitudes of negative taps before rounding, which may add one to it: the limit is 13 (spec 5.2)."""

_PULL = 1e3
"""Weight of the usual taps in the sums of squares: enough to decide where a sample is flat, and nowhere else."""


def encode_sample(
    families: Sequence[Levels], settings: Settings, fits: tuple[ChromaFit, ChromaFit], executor: Executor
) -> list[EncodedFamily]:
    """Encode families apart from any slide.

    Parameters
    ----------
    families : three (s, s, 3) uint8 each
        Levels 0, 1 and 2, padded.
    settings : Settings
    fits : two ChromaFit
    executor : Executor
    """
    side = 4 * settings.tile
    coding = Coding(UUID(int=0), Geometry(side, side, settings.tile), settings.residuals(fits))
    coder = settings.streams
    return list(executor.map(lambda levels: encode_family(coding, 0, 0, levels, coder), families))


def legal_taps(taps: Floats) -> Taps:
    """The nearest taps that the format allows: integers that sum to 64, with few negative ones (spec section 5.2)."""
    negative = -taps[taps < 0].sum()
    if negative > _LEAST_NEGATIVE:
        taps = np.where(taps < 0, taps * (_LEAST_NEGATIVE / negative), taps)
        taps = np.where(taps > 0, taps * (64 + _LEAST_NEGATIVE) / taps[taps > 0].sum(), taps)
    rounded = np.rint(taps).astype(int)
    rounded[int(np.argmax(rounded))] += 64 - rounded.sum()
    k0, k1, k2, k3 = rounded.tolist()
    return k0, k1, k2, k3


def _neighbours(plane: Floats) -> tuple[list[Floats], list[Floats]]:
    """The samples that the four taps meet, for odd and for even places of a row twice as long (spec section 5.2)."""
    width = plane.shape[1]
    padded = np.pad(plane, ((0, 0), (2, 2)), mode="edge")
    at = [padded[:, k : k + width] for k in range(5)]
    return [at[1], at[2], at[3], at[4]], [at[3], at[2], at[1], at[0]]


def _tap_equations(planes: Floats, coarse: NDArray[np.uint8]) -> Floats:
    """Normal equations, (4, 5), of the taps of both chroma planes: along each direction, the other averaged away."""
    equations = np.zeros((4, 5))
    for k in (1, 2):
        known, wanted = coarse[k].astype(np.float64) - 128, planes[k] - 128
        for source, target in ((known, wanted), (known.T, wanted.T)):
            halved = (target[0::2] + target[1::2]) / 2
            for samples, phase in zip(_neighbours(source), (1, 0), strict=True):
                columns = np.stack([sample.ravel() for sample in samples])
                equations[:, :4] += columns @ columns.T
                equations[:, 4] += columns @ halved[:, phase::2].ravel()
    return equations


def _solve_taps(equations: Floats) -> Taps:
    """Taps that sum to 64 with the least squared error; the usual ones as far as the sample says nothing."""
    system = np.zeros((5, 5))
    system[:4, :4] = equations[:, :4] + _PULL * np.eye(4)
    system[4, :4] = system[:4, 4] = 1
    wanted = 64 * equations[:, 4] + _PULL * np.array(SHARP)
    return legal_taps(np.linalg.solve(system, np.append(wanted, 64.0))[:4])


def _detail_products(planes: Floats, family: EncodedFamily, *, level: int, luma: Taps, chroma: Taps) -> Floats:
    """Of luma detail as decoded: its product with what chroma misses, Cb and Cr, and its square."""
    coarse = family.planes[level + 1]
    detail = family.planes[level][0].astype(np.float64) - predict.up2(coarse[0], luma)
    missing = [planes[k] - predict.up2(coarse[k], chroma) for k in (1, 2)]
    return np.array([np.vdot(detail, missing[0]), np.vdot(detail, missing[1]), np.vdot(detail, detail)])


def fit_chroma(families: Sequence[Levels], settings: Settings, executor: Executor) -> tuple[ChromaFit, ChromaFit]:
    """Taps and coefficients that predict chroma best at given steps, for level 0 and level 1.

    The families are encoded twice: level 0 is predicted from what the fit of level 1 leaves.

    Parameters
    ----------
    families : three (s, s, 3) uint8 each
        A few families of tissue, padded.
    settings : Settings
        With the steps of a conversion.
    executor : Executor

    Returns
    -------
    two ChromaFit
        The usual ones without families.
    """
    fits = [UNFITTED, UNFITTED]
    if not families or settings.preset is not None:
        return UNFITTED, UNFITTED
    for level in (1, 0):
        encoded = encode_sample(families, settings, (fits[0], fits[1]), executor)
        luma = settings.residuals((UNFITTED, UNFITTED))[level].taps
        wanted = [predict.rgb_to_exact_ycc(levels[level]).astype(np.float64) for levels in families]
        coarse = [family.planes[level + 1] for family in encoded]
        taps = _solve_taps(np.sum(list(executor.map(_tap_equations, wanted, coarse)), axis=0))
        products = partial(_detail_products, level=level, luma=luma, chroma=taps)
        cb, cr, square = np.sum(list(executor.map(products, wanted, encoded)), axis=0)
        cfl = np.clip(np.rint(64 * np.array([cb, cr]) / max(square, 1.0)), -127, 127).astype(int).tolist()
        fits[level] = ChromaFit(taps, (cfl[0], cfl[1]))
    return fits[0], fits[1]
