"""How far the features that a model computes move when a slide is stored: of patches before and after, beside JPEG.

People see no difference long before models do, so a picture measure is no substitute for this.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RripError, one_line, shown
from .ours import Rrip
from .peers import ANCHOR, peers
from .rate_distortion import LEVELS
from .sample import Sample

if TYPE_CHECKING:
    from ..sources import Source
    from ..tuning.settings import Settings

__all__ = [
    "DEFAULT_PATCH",
    "Features",
    "cosine_distances",
    "format_features",
    "load_features",
    "measure_features",
    "median_distances",
    "patch_corners",
]

DEFAULT_PATCH = 224
"""Side of a patch, px: what most models of pathology take."""

_AT_ONCE = 32
"""Patches that the function is given together."""

_PAIRS = 512
"""Patches among which the distances of different ones are taken."""

Features = Callable[[NDArray[np.uint8]], Any]
"""From patches, (n, side, side, 3) uint8 RGB, to their features, (n, d)."""

Vectors = NDArray[np.float64]
Json = Any


def load_features(name: str) -> Features:
    """Import a function by ``module:function``; modules in the working folder are found too.

    Raises
    ------
    RripError
        If there is no such module or function.
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise RripError(f"features are {shown(name)}, expected module:function")
    here = os.getcwd()  # noqa: PTH109 - it goes into a list of strings
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:
        raise RripError(f"features {shown(name)} cannot be imported: {one_line(error)}") from error
    finally:
        if added:
            sys.path.remove(here)
    if not callable(found):
        raise RripError(f"features {shown(name)} are a {type(found).__name__}, expected a function")
    function_found: Features = found
    return function_found


def measure_features(source: Source, sample: Sample, settings: Settings, features: Features, patch: int) -> Json:
    """Compute features of the patches of a sample as they are in the source, in a container and in a JPEG pyramid.

    Parameters
    ----------
    source : Source
    sample : Sample
        Of that source.
    settings : Settings
        Of the container; the quality of the JPEG pyramid, 4:2:0, is the same number.
    features : callable
        From (n, side, side, 3) uint8 to (n, d) numbers.
    patch : int
        Side of a patch, px; smaller where a tile is.

    Returns
    -------
    dict
        ``quality``, ``bytes`` of the families by codec, and ``levels``: by level ``patches``, ``side``, ``between``
        (median distances of different patches of the source), and for ``rrip`` and ``jpeg-420`` mean, 95th percentile
        and largest of ``cosine`` (1 - the cosine of the angle between the features of a patch before and after) and
        ``l2`` (length of their difference).

    Raises
    ------
    RripError
        If the function fails, or returns other than one row of finite numbers for each patch.
    """
    methods = [Rrip(source, settings), next(method for method in peers() if method.key == ANCHOR)]
    before: dict[int, list[Vectors]] = {level: [] for level in LEVELS}
    after: dict[tuple[int, str], list[Vectors]] = {(level, m.key): [] for level in LEVELS for m in methods}
    bytes_of = dict.fromkeys((method.key for method in methods), 0)
    sides: dict[int, int] = {}
    for place in sample.places:
        family = sample.family(*place)
        stored = {method.key: method.encode(family, settings.quality) for method in methods}
        for key, one in stored.items():
            bytes_of[key] += sum(one.sizes)
        for level in LEVELS:
            shape = sample.geometry.tile_shape(level, *place)
            side = sides.setdefault(level, min(patch, sample.geometry.tile_side(level)))
            corners = list(patch_corners(shape, side))
            if not corners:
                continue
            before[level].append(_compute(features, family.levels[level], corners, side))
            for key, one in stored.items():
                after[level, key].append(_compute(features, one.decode(level), corners, side))
    found: dict[str, Json] = {}
    for level, parts in before.items():
        if not parts:
            continue
        wanted = np.concatenate(parts)
        drifts = {m.key: _drift(wanted, np.concatenate(after[level, m.key])) for m in methods}
        between = median_distances(wanted)
        found[str(level)] = {"patches": len(wanted), "side": sides[level], "between": between, **drifts}
    if not found:
        raise RripError(f"no patch of {patch} px lies inside a family that is measured; make --patch smaller")
    return {"quality": settings.quality, "bytes": bytes_of, "levels": found}


def patch_corners(shape: tuple[int, int], side: int) -> Iterator[tuple[int, int]]:
    """Yield the places of as many patches as fit side by side, in the middle of a tile."""
    height, width = shape
    top, left = height % side // 2, width % side // 2
    for y in range(top, height - side + 1, side):
        for x in range(left, width - side + 1, side):
            yield y, x


def _compute(features: Features, rgb: NDArray[np.uint8], corners: list[tuple[int, int]], side: int) -> Vectors:
    """Features of some patches of a tile, (n, d)."""
    rows = []
    for start in range(0, len(corners), _AT_ONCE):
        some = corners[start : start + _AT_ONCE]
        patches = np.stack([rgb[y : y + side, x : x + side] for y, x in some])
        try:
            found = np.asarray(features(patches), np.float64)
        except Exception as error:
            raise RripError(f"the function of features failed: {type(error).__name__}: {one_line(error)}") from error
        if found.ndim != 2 or len(found) != len(some) or not np.isfinite(found).all():
            raise RripError(
                f"the function of features returned shape {found.shape} for {len(some)} patches, expected one row of "
                "finite numbers for each"
            )
        rows.append(found)
    return np.concatenate(rows)


def cosine_distances(one: Vectors, other: Vectors) -> NDArray[np.float64]:
    """Return 1 - cosine of rows, which is 0 of equal ones, also where these are 0."""
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    dots = (one * other).sum(axis=1)
    same = (one == other).all(axis=1)
    found: NDArray[np.float64] = np.where(same, 0.0, 1 - dots / np.where(norms > 0, norms, 1))
    return np.maximum(found, 0.0)


def _drift(before: Vectors, after: Vectors) -> dict[str, dict[str, float]]:
    distances = {"cosine": cosine_distances(before, after), "l2": np.linalg.norm(before - after, axis=1)}
    return {
        name: {"mean": float(d.mean()), "p95": float(np.percentile(d, 95)), "max": float(d.max())}
        for name, d in distances.items()
    }


def median_distances(vectors: Vectors) -> dict[str, float] | None:
    """Return median distances of different patches, by which drifts can be judged; None of a single one."""
    some = vectors[:: max(1, -(-len(vectors) // _PAIRS))]
    first, second = np.triu_indices(len(some), 1)
    if not first.size:
        return None
    lengths = np.linalg.norm(some[first] - some[second], axis=1)
    return {"cosine": float(np.median(cosine_distances(some[first], some[second]))), "l2": float(np.median(lengths))}


def format_features(found: Json) -> list[list[Any]]:
    """Return rows for a table: level, codec, bytes, drifts, and these as shares of the distance between patches."""
    rows = []
    for level, here in found["levels"].items():
        for key, name in (("rrip", "RRIP"), (ANCHOR, "JPEG 4:2:0")):
            cells: list[Any] = [f"L{level}", f"{name}, quality {found['quality']}", f"{found['bytes'][key]:,}"]
            for measure in ("cosine", "l2"):
                drift, between = here[key][measure], (here["between"] or {}).get(measure)
                cells += [f"{drift['mean']:.3g}", f"{drift['p95']:.3g}"]
                cells.append(f"{drift['mean'] / between:.2%}" if between else None)
            rows.append(cells)
    return rows
