"""Encode a sample with every codec at every setting, measure it, and compare the curves."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from .bd import Delta, compare
from .metrics import METRICS, Metric, Reference, Score, pool
from .peers import ANCHOR, Method
from .sample import Family, Sample

__all__ = ["LEVELS", "Curve", "Row", "curves", "deltas", "measure", "time_decoding", "usable"]

LEVELS = (0, 1)
"""Levels whose quality is measured; all codecs store coarser ones in nearly the same way."""

_TIMED_FAMILIES = 4
"""Number of families whose decoding is timed."""

_ROUNDS = 9
"""Number of timed repetitions."""

_EXACT = 1000.0
"""Value for an infinite PSNR in the search for the nearest one, dB."""

Progress = Callable[[int, int], None] | None


@dataclass(frozen=True, slots=True)
class Row:
    """Measures of one tile, for one codec at one setting.

    Parameters
    ----------
    method : str
        Key of the codec.
    setting : float
        Its setting.
    row, col : int
        Row and column of the family.
    level : int
        Level of the tile.
    bytes : int
        Bytes that this level adds.
    pyramid_bytes : int
        Bytes of all three levels of the family.
    score : Score
        Quality of the tile.
    """

    method: str
    setting: float
    row: int
    col: int
    level: int
    bytes: int
    pyramid_bytes: int
    score: Score


@dataclass(frozen=True, slots=True)
class Curve:
    """Bytes and quality of one codec at its settings.

    Parameters
    ----------
    method : str
        Key of the codec.
    settings : tuple of float
        Its settings in ascending order.
    bytes : tuple of int
        Bytes of all three levels of all families, at each setting.
    quality : dict
        Values at each setting, by (level, key of a metric).
    """

    method: str
    settings: tuple[float, ...]
    bytes: tuple[int, ...]
    quality: dict[tuple[int, str], tuple[float | None, ...]]

    def points(self, level: int, metric: Metric) -> list[tuple[float, float]]:
        """Return bytes and quality at each setting, where the quality was measured and is finite."""
        pairs = zip(self.bytes, self.quality[level, metric.key], strict=True)
        return [(size, value) for size, value in pairs if value is not None and math.isfinite(value)]


def usable(methods: Sequence[Method], family: Family) -> tuple[list[Method], dict[str, str]]:
    """Return the methods whose codecs are installed and work, and the reasons why others are left out."""
    found: list[Method] = []
    left_out: dict[str, str] = {}
    for method in methods:
        try:
            method.encode(family, method.settings[0]).decode(1)
        except Exception as error:  # noqa: BLE001 - codecs raise any exception; the reason goes into the report
            left_out[method.label] = f"{type(error).__name__}: {error}"
        else:
            found.append(method)
    return found, left_out


def _rows(family: Family, references: Sequence[Reference], job: tuple[Method, float]) -> list[Row]:
    """Encode and decode a family with one method at one setting."""
    method, setting = job
    stored = method.encode(family, setting)
    whole = sum(stored.sizes)
    scores = [reference.score(stored.decode(level)) for level, reference in zip(LEVELS, references, strict=True)]
    return [
        Row(method.key, setting, family.row, family.col, level, stored.sizes[level], whole, score)
        for level, score in zip(LEVELS, scores, strict=True)
    ]


def measure(
    methods: Sequence[Method], sample: Sample, *, ssimulacra2: bool, progress: Progress = None
) -> Iterator[Row]:
    """Encode and decode every family with every method at every setting, on all cores."""
    jobs = [(method, setting) for method in methods for setting in method.settings]
    done = 0
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="rrip-evaluate") as executor:
        for place in sample.places:
            family = sample.family(*place)
            references = [Reference(family.levels[level], ssimulacra2=ssimulacra2) for level in LEVELS]
            for rows in executor.map(partial(_rows, family, references), jobs):
                yield from rows
                done += 1
                if progress is not None:
                    progress(done, len(sample) * len(jobs))


def curves(rows: Sequence[Row]) -> dict[str, Curve]:
    """Combine the tiles of each setting to one curve for each method."""
    groups: defaultdict[str, defaultdict[float, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[row.method][row.setting].append(row)
    found = {}
    for method, by_setting in groups.items():
        settings = tuple(sorted(by_setting))
        sizes = tuple(sum(row.pyramid_bytes for row in by_setting[s] if row.level == LEVELS[0]) for s in settings)
        quality: dict[tuple[int, str], tuple[float | None, ...]] = {}
        for level in LEVELS:
            pooled = [pool([row.score for row in by_setting[s] if row.level == level]) for s in settings]
            quality |= {(level, metric.key): tuple(values[metric.key] for values in pooled) for metric in METRICS}
        found[method] = Curve(method, settings, sizes, quality)
    return found


def deltas(found: dict[str, Curve], anchor: str = ANCHOR) -> dict[tuple[int, str], dict[str, Delta]]:
    """Compare every method with the anchor; the result is by (level, key of a metric), then by method."""
    return {
        (level, metric.key): {
            method: compare(found[anchor].points(level, metric), curve.points(level, metric), higher=metric.higher)
            for method, curve in found.items()
            if method != anchor
        }
        for level in LEVELS
        for metric in METRICS
    }


def _nearest(curve: Curve, wanted: float) -> float:
    """Return the setting with the nearest PSNR-Y at level 0."""
    values = np.nan_to_num(np.array(curve.quality[0, "psnr_y"], np.float64), posinf=_EXACT)
    return curve.settings[int(np.argmin(np.abs(values - min(wanted, _EXACT))))]


def time_decoding(
    methods: Sequence[Method], sample: Sample, found: dict[str, Curve], wanted: float
) -> dict[str, dict[str, float]]:
    """Measure decode times of all methods at settings of about equal quality.

    Methods take turns, so that other load of the machine affects all of them; the result is the median of several
    rounds.

    Parameters
    ----------
    methods : sequence of Method
        The codecs.
    sample : Sample
        Families to decode.
    found : dict of Curve
        Curves by key of the codec.
    wanted : float
        PSNR-Y of level 0, dB.

    Returns
    -------
    dict
        By key of the codec: ``setting``, ``psnr_y`` in dB, ``level_0`` and ``level_1`` in milliseconds per megapixel of
        that level.
    """
    families = [sample.family(*place) for place in sample.places[:_TIMED_FAMILIES]]
    settings = {method.key: _nearest(found[method.key], wanted) for method in methods}
    stored = {method.key: [method.encode(family, settings[method.key]) for family in families] for method in methods}
    taken: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for turn in range(_ROUNDS + 1):
        for key, parts in stored.items():
            for level in LEVELS:
                start = time.perf_counter()
                for part in parts:
                    part.decode(level)
                if turn:  # the first round only warms the caches
                    taken[key, level].append(time.perf_counter() - start)
    megapixels = [sum(family.levels[level][..., 0].size for family in families) / 1e6 for level in LEVELS]
    return {
        key: {
            "setting": setting,
            "psnr_y": found[key].quality[0, "psnr_y"][found[key].settings.index(setting)] or 0.0,
            **{
                f"level_{level}": round(1000 * statistics.median(taken[key, level]) / megapixels[level], 2)
                for level in LEVELS
            },
        }
        for key, setting in settings.items()
    }
