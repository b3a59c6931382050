"""Measure one source: choose families and codecs, and collect the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RripError
from ..extras import load_module
from .bd import Delta
from .ours import Notebook, Rrip
from .peers import ANCHOR, Method, peers
from .rate_distortion import Curve, Progress, Row, curves, deltas, measure, time_decoding, usable
from .sample import Sample, choose

if TYPE_CHECKING:
    from ..sources import Source
    from ..tuning.settings import Settings

__all__ = ["Measurement", "measure_source", "method_keys"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Results for one source.

    Parameters
    ----------
    sample : Sample
        The families measured.
    labels : dict
        Names of the codecs by key.
    left_out : dict
        Reasons why a codec was left out, by its name.
    rows : list of Row
        Measures of every tile.
    curves : dict of Curve
        Curves by key of the codec.
    deltas : dict
        Differences from the JPEG 4:2:0 pyramid by (level, metric), then by codec.
    decoding : dict
        Result of :func:`.time_decoding`; empty if decoding was not timed.
    """

    sample: Sample
    labels: dict[str, str]
    left_out: dict[str, str]
    rows: list[Row]
    curves: dict[str, Curve]
    deltas: dict[tuple[int, str], dict[str, Delta]]
    decoding: dict[str, dict[str, float]]


def method_keys() -> tuple[str, ...]:
    """Return the keys of all codecs, RRIP first."""
    return (Rrip.key, Notebook.key, *(method.key for method in peers()))


def _methods(source: Source, sample: Sample, settings: Settings, wanted: Sequence[str] | None) -> list[Method]:
    """Return our encoder, the anchor, and the other codecs asked for."""
    unknown = set(wanted or ()) - set(method_keys())
    if unknown:
        raise RripError(f"unknown codec {', '.join(sorted(unknown))}, expected some of {', '.join(method_keys())}")
    everything: list[Method] = [Rrip(source, settings), Notebook(sample.geometry), *peers()]
    return [m for m in everything if wanted is None or m.key in {*wanted, Rrip.key, ANCHOR}]


def measure_source(
    source: Source,
    settings: Settings,
    *,
    families: int | None,
    seed: int = 0,
    offset: int = 0,
    codecs: Sequence[str] | None = None,
    ssimulacra2: bool = True,
    timed: bool = True,
    progress: Progress = None,
) -> Measurement:
    """Measure families of an open source with every codec.

    Parameters
    ----------
    source : Source
        An open source.
    settings : Settings
        Settings of our encoder; their quality is one of those measured.
    families : int or None
        Number of families, None for all.
    seed : int
        Seed of the random choice of families.
    offset : int
        Offset of the grid of families, px.
    codecs : sequence of str, optional
        Keys of the codecs to measure, besides RRIP and the JPEG 4:2:0 pyramid; by default all.
    ssimulacra2 : bool
        Measure SSIMULACRA2, if its package is installed.
    timed : bool
        Measure decode times.
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    Measurement
        The results.
    """
    load_module("bjontegaard", "evaluate", "evaluating")  # fail now rather than after minutes of encoding
    sample = choose(source, settings.tile, families, seed, offset)
    first = sample.family(*sample.places[0])
    wanted = _methods(source, sample, settings, codecs)
    methods, left_out = usable(wanted[1:], first)
    methods.insert(0, wanted[0])
    rows = list(measure(methods, sample, ssimulacra2=ssimulacra2, progress=progress))
    found = curves(rows)
    ours = found[Rrip.key]
    target = ours.quality[0, "psnr_y"][ours.settings.index(settings.quality)] or 0.0
    decoding = time_decoding(methods, sample, found, target) if timed else {}
    labels = {method.key: method.label for method in methods}
    return Measurement(sample, labels, left_out, rows, found, deltas(found), decoding)
