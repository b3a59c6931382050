"""Plot rate-distortion curves and decode times as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extras import load_module
from .metrics import METRICS
from .peers import ANCHOR
from .run import Measurement

__all__ = ["plot_decoding", "plot_level"]


def _colour(keys: list[str], key: str) -> Any:
    """Return the colour of a codec, the same on every plot; RRIP is black."""
    if key == "rrip":
        return "black"
    return load_module("matplotlib", "evaluate", "evaluating").colormaps["tab20"](keys.index(key) % 20)


def _logarithmic(axis: Any) -> None:
    """Make the axis of bits or times logarithmic, with plain numbers."""
    ticker = load_module("matplotlib.ticker", "evaluate", "evaluating")
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(ticker.NullFormatter())


def plot_level(found: Measurement, level: int, path: Path) -> None:
    """Plot the rate-distortion curves of one level, one panel for each measure."""
    figure_module = load_module("matplotlib.figure", "evaluate", "evaluating")
    measured = [m for m in METRICS if any(curve.points(level, m) for curve in found.curves.values())]
    figure = figure_module.Figure(figsize=(15, 4.6 * -(-len(measured) // 3)), layout="constrained")
    axes = figure.subplots(-(-len(measured) // 3), 3, squeeze=False).ravel()
    pixels = len(found.sample) * found.sample.geometry.tile_side(0) ** 2
    keys = list(found.curves)
    for axis, metric in zip(axes, measured, strict=False):
        for key, curve in found.curves.items():
            points = curve.points(level, metric)
            axis.plot(
                [8 * size / pixels for size, _ in points],
                [value for _, value in points],
                marker="o",
                markersize=3,
                linewidth=2.2 if key == "rrip" else 1,
                color=_colour(keys, key),
                label=found.labels[key],
            )
        _logarithmic(axis)
        axis.set(xlabel="bits of the whole pyramid per level 0 pixel", ylabel=metric.label)
        axis.set_title(f"{metric.label}, level {level}", fontsize=10)
        if not metric.higher:
            axis.invert_yaxis()
        axis.grid(visible=True, alpha=0.3)
    for axis in axes[len(measured) :]:
        axis.set_visible(False)
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=110)


def plot_decoding(found: Measurement, path: Path) -> None:
    """Plot bytes at equal PSNR-Y of level 0 against the time to decode a megapixel of it."""
    figure = load_module("matplotlib.figure", "evaluate", "evaluating").Figure(figsize=(8, 5.5), layout="constrained")
    axis = figure.subplots()
    keys = list(found.curves)
    for key, timed in found.decoding.items():
        delta = found.deltas[0, "psnr_y"].get(key)
        rate = 0.0 if key == ANCHOR else None if delta is None else delta.rate
        if rate is None:
            continue
        axis.scatter(timed["level_0"], 100 + rate, s=70, color=_colour(keys, key), label=found.labels[key])
        axis.annotate(
            found.labels[key], (timed["level_0"], 100 + rate), textcoords="offset points", xytext=(6, 4), fontsize=7
        )
    _logarithmic(axis)
    axis.margins(x=0.25)
    axis.set(
        xlabel="time to decode level 0, ms per megapixel, one thread",
        ylabel="bytes of the pyramid at equal PSNR-Y, JPEG 4:2:0 = 100",
    )
    axis.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(path, dpi=110)
