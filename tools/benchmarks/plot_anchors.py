"""Plot the results of bench_anchors.py: size against decoding time, means over fields and over slides that were JPEG.

``bench_anchors.py --picture PICTURE`` does so itself; this draws again what ``bench_anchors.py --json`` printed::

    python tools/benchmarks/plot_anchors.py anchors.json picture.png

A filled mark is a codec with levels 0 to 2, a hollow one is its level 0 alone, from which level 1 is made by averaging.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from anchor_tables import mean_rows
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

Json = Any

OURS = "rrip"
MARKS = "osD^vP*Xph<>8d"


def points(
    row: Mapping[str, Json], unit: str, level: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return (time, bytes in %) of a codec with all levels and with level 0 alone; each has one point, or none.

    Parameters
    ----------
    row : dict
        Of :func:`anchor_tables.mean_rows`.
    unit : str
        ``jpeg`` or ``file``: what bytes are compared with.
    level : int
        The level that is decoded, 0 or 1.
    """
    whole, alone = row[f"bytes_to_{unit}"], row[f"level_0_to_{unit}"]
    one_stream = whole is not None and alone == whole
    pairs = (row[f"level_{level}"], whole), (row["level_1_from_0" if level else "level_0"], alone)
    full, bare = ([(time, 100 * size)] if time is not None and size is not None else [] for time, size in pairs)
    return full, [] if one_stream else bare


def draw(report: Json, path: Path) -> None:
    """Draw a row of panels for each level; columns are the fields and the slides that were JPEG."""
    slides = [slide for slide in report["slides"].values() if slide["source_is_jpeg"]]
    columns = [
        (mean_rows(images), unit, f"{len(images)} {what}", against)
        for images, unit, what, against in (
            (list(report["fields"].values()), "jpeg", "fields of tissue", "a JPEG 4:2:0 pyramid"),
            (slides, "file", "slides that were JPEG", "the source file"),
        )
        if images
    ]
    figure = Figure(figsize=(6.2 * len(columns), 9.6), layout="constrained")
    axes = figure.subplots(2, len(columns), squeeze=False)
    labels = dict.fromkeys(key for rows, *_ in columns for key in rows)
    others = [key for key in labels if key != OURS]
    seen: dict[str, Any] = {}
    for column, (rows, unit, title, against) in enumerate(columns):
        for level in (0, 1):
            axis = axes[level, column]
            for key, row in rows.items():
                number = others.index(key) if key in others else 0
                colour = "black" if key == OURS else f"C{number % 10}"
                how: dict[str, Any] = {"marker": "o" if key == OURS else MARKS[number % len(MARKS)], "color": colour}
                how |= {"linestyle": "none", "markersize": 11 if key == OURS else 8, "label": row["label"]}
                full, bare = points(row, unit, level)
                if full and bare:
                    axis.plot(*zip(*full, *bare, strict=True), color=colour, linewidth=0.6, alpha=0.6)
                for pairs, fill in ((bare, "white"), (full, colour)):
                    for time, size in pairs:
                        (seen[key],) = axis.plot(time, size, markerfacecolor=fill, **how)
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.set(
                xlabel=f"time to decode level {level}, JPEG 4:2:0 tiles = 1",
                ylabel=f"bytes at equal PSNR-Y, % of {against}",
                title=f"{title}, level {level}",
            )
            axis.grid(visible=True, alpha=0.3)
    handles = [seen[key] for key in labels if key in seen]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(
        "Down and left is better. Filled: levels 0 to 2. Hollow: level 0 alone, level 1 averaged from it", fontsize=10
    )
    figure.savefig(path, dpi=80)


@click.command()
@click.argument("report", type=click.File(encoding="utf-8"))
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
def main(report: Any, picture: Path) -> None:
    """Plot a REPORT of ``bench_anchors.py --json`` as a PICTURE."""
    draw(json.load(report), picture)


if __name__ == "__main__":
    main()
