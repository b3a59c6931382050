"""Means and tables of what ``bench_anchors.py`` measures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rrip_format.evaluate.tables import markdown_table

__all__ = ["mean_rows", "tables"]

Json = Any

TIMES = {"level_0": "decode L0", "level_1": "decode L1", "level_1_from_0": "L1 from L0"}
SIZES = ("bytes_to_jpeg", "level_0_to_jpeg", "bytes_to_file", "level_0_to_file")


def mean_rows(images: Sequence[Mapping[str, Json]]) -> dict[str, dict[str, Json]]:
    """Return means over images by codec, geometric ones of sizes and times; None where an image lacks one.

    Parameters
    ----------
    images : sequence of dict
        Values of ``fields`` or ``slides`` of a report.
    """
    keys = dict.fromkeys(key for image in images for key in image["codecs"])
    result: dict[str, dict[str, Json]] = {}
    for key in keys:
        rows = [image["codecs"].get(key, {}) for image in images]
        label = next(row["label"] for row in rows if row)
        sizes = {name: _mean([row.get(name) for row in rows]) for name in SIZES}
        times = {
            name: _mean([row.get("decode", {}).get(name, {}).get("to_jpeg", {}).get("median") for row in rows])
            for name in TIMES
        }
        colour = [row.get("psnr_rgb_to_rrip") for row in rows]
        mean = None if None in colour else statistics.fmean(colour)
        result[key] = {"label": label, **sizes, "psnr_rgb_to_rrip": mean, **times}
    return result


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return statistics.geometric_mean(present) if present and len(present) == len(values) else None


def _table(title: str, rows: Mapping[str, Mapping[str, Json]], unit: str, against: str) -> str:
    """Format sizes in % and times as multiples of JPEG's, the smallest first."""

    def order(row: Mapping[str, Json]) -> float:
        return float(row[f"bytes_to_{unit}"] or row[f"level_0_to_{unit}"] or 0)

    lines = [
        [
            row["label"],
            *(_percent(row[f"{part}_to_{unit}"]) for part in ("bytes", "level_0")),
            "–" if row["psnr_rgb_to_rrip"] is None else f"{row['psnr_rgb_to_rrip']:+.1f}",
            *("–" if row[name] is None else f"{row[name]:.2f}" for name in TIMES),
        ]
        for row in sorted(rows.values(), key=order)
    ]
    head = [title, f"L0 to L2, % of {against}", "L0 only, %", "PSNR-RGB, dB", *TIMES.values()]
    return markdown_table(head, lines)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def tables(report: Mapping[str, Json]) -> list[str]:
    """Return a table of means over fields, one of means over slides that were JPEG, and one for each slide."""
    fields, slides = report["fields"], report["slides"]
    found = []
    if fields:
        rows = mean_rows(list(fields.values()))
        found.append(_table(f"mean of fields: {', '.join(fields)}", rows, "jpeg", "a JPEG pyramid"))
    jpeg = {name: slide for name, slide in slides.items() if slide["source_is_jpeg"]}
    if len(jpeg) > 1:
        title = f"mean of slides that were JPEG: {', '.join(jpeg)}"
        found.append(_table(title, mean_rows(list(jpeg.values())), "file", "the file"))
    found += [_table(slide["file"], mean_rows([slide]), "file", "the file") for slide in slides.values()]
    left_out = {
        label: why for image in (*fields.values(), *slides.values()) for label, why in image["left_out"].items()
    }
    found += [f"Left out: {label}: {why}" for label, why in left_out.items()]
    return found
