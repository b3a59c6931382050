"""Write the results as JSON, CSV and Markdown tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .metrics import METRICS, pool
from .rate_distortion import LEVELS
from .run import Measurement

__all__ = ["bd_json", "curves_json", "decoding_json", "markdown_table", "number", "write_samples"]

Json = Any


def number(value: float | None, digits: int = 4) -> float | None:
    """Round a value for JSON; None if it is not finite."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def write_samples(found: Measurement, path: Path) -> None:
    """Write a CSV file with one line for every tile of levels 0 and 1 at every setting of every codec."""
    keys = [
        metric.key for metric in METRICS if metric.key != "ssimulacra2" or found.rows[0].score.ssimulacra2 is not None
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["codec", "setting", "row", "column", "level", "bytes", "pyramid_bytes", *keys])
        for row in found.rows:
            values = pool([row.score])
            measured = [number(values[key]) for key in keys]
            place = (row.method, row.setting, row.row, row.col, row.level, row.bytes, row.pyramid_bytes)
            writer.writerow([*place, *("inf" if value is None else value for value in measured)])


def curves_json(found: Measurement) -> dict[str, Json]:
    """Return settings, bytes and qualities of every curve."""
    return {
        key: {
            "label": found.labels[key],
            "settings": list(curve.settings),
            "bytes": list(curve.bytes),
            **{
                f"{metric.key}_level_{level}": [number(value) for value in curve.quality[level, metric.key]]
                for level in LEVELS
                for metric in METRICS
            },
        }
        for key, curve in found.curves.items()
    }


def decoding_json(found: Measurement) -> dict[str, Json]:
    """Return decode times in ms per megapixel, and the settings."""
    return {key: {name: number(value) for name, value in timed.items()} for key, timed in found.decoding.items()}


def bd_json(found: Measurement) -> dict[str, Json]:
    """Return BD-rate in % and BD-quality in units of the measure, relative to the JPEG 4:2:0 pyramid."""
    return {
        f"{metric}_level_{level}": {
            key: {"bd_rate": number(delta.rate, 2), "bd_quality": number(delta.quality), "overlap": delta.overlap}
            for key, delta in by_method.items()
        }
        for (level, metric), by_method in found.deltas.items()
    }


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Format a Markdown table; None becomes n/a, and the first column is left-aligned."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join("n/a" if cell is None else str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
