"""Plot the results of bench_fields.py: size against PSNR-Y and ΔE00 of level 0, means over the fields.

::

    python tools/benchmarks/bench_fields.py --json > fields.json
    python tools/benchmarks/plot_fields.py fields.json picture.png

Needs ``pip install 'rrip-format[evaluate]'``.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

Json = Any

PANELS = {"psnr_y_level_0": "PSNR-Y of level 0, dB", "delta_e_level_0": "mean ΔE00 of level 0, less is better"}
OURS = "rrip"


def mean_curve(fields: Json, codec: str, measure: str) -> tuple[list[float], list[float]]:
    """Return bits per pixel of level 0 and quality of a codec at each setting, unweighted means over fields."""
    curves = [(field["curves"][codec], field["pixels"]) for field in fields.values()]
    bits = np.mean([8 * np.array(curve["bytes"]) / pixels for curve, pixels in curves], axis=0)
    quality = np.mean([np.array(curve[measure], np.float64) for curve, _ in curves], axis=0)
    return bits.tolist(), quality.tolist()


def draw(report: Json, path: Path, codecs: list[str] | None = None) -> None:
    """Draw a panel for each measure and a line for each codec, RRIP in black."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    axes = figure.subplots(1, len(PANELS))
    styles = ((f"C{k % 10}", "-" if k < 10 else "--") for k in count())
    for codec, label in report["labels"].items():
        if codecs is not None and codec not in codecs:
            continue
        how: dict[str, Any] = {"color": "black", "linewidth": 2.4}
        if codec != OURS:
            colour, line = next(styles)
            how = {"color": colour, "linestyle": line, "linewidth": 1.1}
        for axis, measure in zip(axes, PANELS, strict=True):
            axis.plot(*mean_curve(report["fields"], codec, measure), marker="o", markersize=3, label=label, **how)
    for axis, (measure, title) in zip(axes, PANELS.items(), strict=True):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set(xlabel="bits of levels 0 to 2 per pixel of level 0", ylabel=title)
        axis.grid(visible=True, alpha=0.3)
        if measure.startswith("delta_e"):
            axis.invert_yaxis()
    axes[-1].legend(fontsize=8, loc="lower right")
    figure.suptitle(f"Means over {len(report['fields'])} fields of tissue; up and left is better", fontsize=10)
    figure.savefig(path, dpi=90)


@click.command()
@click.argument("report", type=click.File(encoding="utf-8"))
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--codecs", help="Comma-separated keys of the codecs to draw. [all]")
def main(report: Any, picture: Path, codecs: str | None) -> None:
    """Plot a REPORT of ``bench_fields.py --json`` as a PICTURE."""
    draw(json.load(report), picture, None if codecs is None else codecs.split(","))


if __name__ == "__main__":
    main()
