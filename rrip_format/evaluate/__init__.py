"""Measure size, quality and decode time of a slide in RRIP and in other codecs.

Every number comes from encoding and decoding the slide. :func:`evaluate` writes ``summary.json``, ``samples.csv``,
``report.md``, plots, and the container into a folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TargetError
from ..extras import load_module
from ..sources import open_source
from ..storage.access import refuse_bucket
from ..storage.workplace import as_target_error
from ..tuning.settings import Settings
from .baseline import DEEP_ZOOMS, check_scratch, container_sizes, deep_zoom_sizes, savings
from .environment import environment
from .features import DEFAULT_PATCH, Features, load_features, measure_features
from .metrics import has_ssimulacra2
from .plots import plot_decoding, plot_level
from .rate_distortion import LEVELS, Progress
from .report import format_report, format_summary
from .run import Measurement, measure_source, method_keys
from .sample import choose
from .tables import bd_json, curves_json, decoding_json, write_samples

if TYPE_CHECKING:
    from ..sources import Source

__all__ = ["DEFAULT_FAMILIES", "WHOLE_PIXELS", "evaluate", "format_summary", "measure_source", "method_keys"]

DEFAULT_FAMILIES = 4
"""Default number of families to measure."""

WHOLE_PIXELS = 64_000_000
"""Largest slide, px, of which whole pyramids are made if only a sample of families is measured."""

Json = Any


def _measured(found: Measurement, families: int | None, seed: int, *, whole: bool) -> dict[str, Json]:
    """Describe what was measured: the families, how they were chosen, and of what the pyramids are."""
    sample, geometry = found.sample, found.sample.geometry
    rows, cols = geometry.families
    drawn = f"drawn at random from those with tissue, {sample.passed_over} of glass skipped"
    return {
        "families": len(sample),
        "of": rows * cols,
        "places": [list(place) for place in sample.places],
        "seed": seed,
        "rule": "all, glass included" if families is None else drawn,
        "family_px": geometry.tile_side(0),
        "offset_px": sample.offset,
        "pyramids_of": "the whole slide" if whole else f"a mosaic of the {len(sample)} families measured",
        "caution": (
            "If the source is JPEG compressed, as most scanner files are, JPEG on the same 8x8 grid encodes it nearly "
            "without loss, which favours JPEG: use --offset 4 to measure off that grid. Sources that were never JPEG "
            "need no offset."
        ),
    }


def _sizes(
    given: Any, source: Source, found: Measurement, out: Path, settings: Settings, *, whole: bool
) -> dict[str, dict[str, Json]]:
    """Measure pyramids, savings, and the container against the source file; `given` is what the caller passed."""
    mosaic = None if whole else found.sample.mosaic()
    ours, raw = container_sizes(given if mosaic is None else mosaic, out / "container.rrip.zarr", settings)
    theirs = deep_zoom_sizes(source if mosaic is None else mosaic)
    source_bytes = source.info.size_bytes
    against: dict[str, Json] = {"source_bytes": source_bytes, "ratio": None, "why_not": None}
    if not whole:
        against["why_not"] = "only a sample was converted; --all converts the whole slide"
    elif source_bytes is None or source.info.reader == "array":
        against["why_not"] = "the source is not a file"
    else:
        against["ratio"] = round(ours.total / source_bytes, 4)
    return {
        "pyramids": {
            "raw_bytes": raw,
            "rrip": ours.to_json(raw),
            **{key: theirs[key].to_json(raw) for key in DEEP_ZOOMS},
        },
        "savings": {key: savings(ours, theirs[key]) for key in DEEP_ZOOMS},
        "against_source_file": against,
    }


def evaluate(
    source: Any,
    out: str | Path,
    settings: Settings | None = None,
    *,
    families: int | None = DEFAULT_FAMILIES,
    seed: int = 0,
    offset: int = 0,
    codecs: Sequence[str] | None = None,
    ssimulacra2: bool = True,
    features: Features | str | None = None,
    patch: int = DEFAULT_PATCH,
    progress: Progress = None,
) -> dict[str, Json]:
    """Measure a slide, image or array and write a report.

    Parameters
    ----------
    source : path, array or Source
        Anything that :func:`rrip_format.sources.open_source` opens.
    out : path
        Folder for the report; created if it does not exist.
    settings : Settings, optional
        Settings of our encoder.
    families : int or None
        Number of families to measure; None for all.
    seed : int
        Seed of the random choice of families.
    offset : int
        Offset of the families to the right of and below the slide's corner, px; 4 takes them off the 8 px grid of a
        source that was JPEG.
    codecs : sequence of str, optional
        Some of :func:`method_keys`; by default all.
    ssimulacra2 : bool
        Measure SSIMULACRA2, which takes three quarters of the time.
    features : callable or "module:function", optional
        Function from patches, (n, side, side, 3) uint8, to their features, (n, d); measure how far these move too.
    patch : int
        Side of such a patch, px.
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    dict
        The content of ``summary.json``.

    Raises
    ------
    ExtraMissingError
        If the extra ``evaluate`` is not installed.
    TargetError
        If the folder cannot be created or written, or the temporary folder has no room for raw pixels.
    SourceError
        If the source cannot be read.
    RripError
        If the function of features cannot be imported, fails, or returns something else.
    """
    load_module("matplotlib.figure", "evaluate", "evaluating")
    refuse_bucket(out)
    settings, out = settings or Settings(), Path(out)
    if isinstance(features, str):
        features = load_features(features)
    with open_source(source) as opened:
        _make(out)
        whole = families is None or opened.info.width * opened.info.height <= WHOLE_PIXELS
        if whole:
            check_scratch(opened.info.height, opened.info.width)
        drift = None
        if features is not None:  # first, because a function that fails should fail at once
            sample = choose(opened, settings.tile, families, seed, offset)
            drift = measure_features(opened, sample, settings, features, patch)
        found = measure_source(
            opened,
            settings,
            families=families,
            seed=seed,
            offset=offset,
            codecs=codecs,
            ssimulacra2=ssimulacra2,
            progress=progress,
        )
        if ssimulacra2 and not has_ssimulacra2():
            found.left_out["SSIMULACRA2"] = "pip install 'rrip-format[evaluate]'"
        info = opened.info
        summary: dict[str, Json] = {
            "source": {"name": info.name, "bytes": info.size_bytes, "width": info.width, "height": info.height},
            "settings": settings.to_json(),
            "measured": _measured(found, families, seed, whole=whole),
            **_sizes(source, opened, found, out, settings, whole=whole),
            "codecs": found.labels,
            "left_out": found.left_out,
            "bd": bd_json(found),
            "decode_ms_per_megapixel": decoding_json(found),
            "curves": curves_json(found),
            "features": drift,
            "environment": environment(),
            "report": str(out / "report.md"),
        }
    _write(found, summary, out)
    return summary


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{out}: cannot be created: {error.strerror}; name another folder") from error


def _write(found: Measurement, summary: dict[str, Json], out: Path) -> None:
    with as_target_error(out):
        for level in LEVELS:
            plot_level(found, level, out / f"rd-level-{level}.png")
        plot_decoding(found, out / "size-decode-time.png")
        write_samples(found, out / "samples.csv")
        (out / "report.md").write_text(format_report(summary), encoding="utf-8")
        (out / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
