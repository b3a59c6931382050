"""The report of an evaluation: what was measured and how, with which versions, and the results."""

from __future__ import annotations

from typing import Any

from .features import format_features
from .metrics import METRICS
from .rate_distortion import LEVELS
from .tables import markdown_table

__all__ = ["format_report", "format_summary"]

Json = Any


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:+.1f} %"


def _pyramids(summary: dict[str, Json]) -> str:
    rows = []
    for key, name in (
        ("deep_zoom", "Deep Zoom, Q 90 (libvips stores 4:4:4)"),
        ("deep_zoom_420", "Deep Zoom, Q 90, 4:2:0"),
        ("rrip", f"RRIP, quality {summary['settings']['quality']}"),
    ):
        sizes = summary["pyramids"][key]
        rows.append(
            [name, *(f"{sizes[k]:,}" for k in ("level_0", "level_1", "level_2_and_coarser", "metadata", "total"))]
        )
        rows[-1].append(sizes["compression_ratio"])
    return markdown_table(["bytes", "L0", "L1", "L2 and coarser", "metadata", "total", "ratio to raw"], rows)


def _source_line(summary: dict[str, Json]) -> str:
    against = summary["against_source_file"]
    if against["ratio"] is None:
        return f"Against the source file: {against['why_not']}."
    return (
        f"Against the source file ({against['source_bytes']:,} bytes): the container is {against['ratio']:.3f} times "
        "its size. A source file also contains other images (label, thumbnail), and was compressed once already."
    )


def _bd_table(summary: dict[str, Json], level: int) -> str:
    labels = summary["codecs"]
    columns = [metric for metric in METRICS if f"{metric.key}_level_{level}" in summary["bd"]]
    rows = []
    for key, label in labels.items():
        cells = [summary["bd"][f"{metric.key}_level_{level}"].get(key) for metric in columns]
        if all(cell is not None for cell in cells):
            rows.append([label, *(_percent(cell["bd_rate"]) for cell in cells)])
    return markdown_table(["BD-rate", *(metric.label for metric in columns)], rows)


def _bd_quality_table(summary: dict[str, Json]) -> str:
    columns = [(key, level) for level in LEVELS for key in ("psnr_y", "psnr_rgb")]
    rows = []
    for codec, label in summary["codecs"].items():
        cells = [summary["bd"][f"{key}_level_{level}"].get(codec) for key, level in columns]
        if all(cell is not None for cell in cells):
            rows.append([label, *(None if c["bd_quality"] is None else f"{c['bd_quality']:+.2f}" for c in cells)])
    names = {"psnr_y": "PSNR-Y", "psnr_rgb": "PSNR-RGB"}
    return markdown_table(["BD-PSNR (dB)", *(f"{names[key]}, L{level}" for key, level in columns)], rows)


def _decode_table(summary: dict[str, Json]) -> str:
    rows = [
        [summary["codecs"][key], *(timed[name] for name in ("setting", "psnr_y", "level_0", "level_1"))]
        for key, timed in summary["decode_ms_per_megapixel"].items()
    ]
    return markdown_table(["codec", "setting", "PSNR-Y of L0 (dB)", "L0, ms/MP", "L1, ms/MP"], rows)


_HOW = """\
- Families: {families} of {of} ({rule}); seed {seed}. A family is {family_px} x {family_px} px of L0 with its L1 and L2.
  The grid of families begins {offset_px} px to the right of and below the slide's corner.
- Bytes are those of all three levels of these families, trailers and checksums included, but without metadata of
  containers for any codec. Every codec gets the same pixels in the same tiles; coarser levels are 2x2 means.
- PSNR is pooled over all families; the other measures are means over tiles. The reference of L1 is the 2x2 mean of L0,
  which puts codecs whose coarse level is a wavelet band (JPEG 2000 and HTJ2K in one stream) at a disadvantage at L1.
- BD: differences of log bytes by piecewise cubic interpolation (`bjontegaard`, pchip), relative to the JPEG 4:2:0
  pyramid (libjpeg-turbo, Annex K tables, optimised Huffman). n/a: the curves have less than a quarter of their range in
  common.
- Decoding: codecs take turns on the same families, in one thread, from bytes in memory to RGB; medians. RRIP decodes
  three tiles for L0 and two for L1. Each codec is timed at the setting with the PSNR-Y nearest to that of RRIP.
- {caution}
"""


def _features(summary: dict[str, Json]) -> str:
    """Return the section about features, empty where none were measured."""
    found = summary["features"]
    if found is None:
        return ""
    header = ["level", "codec", "bytes", "cosine, mean", "95 %", "of patches", "L2, mean", "95 %", "of patches"]
    sides = ", ".join(f"{level['patches']} of {level['side']} px of L{name}" for name, level in found["levels"].items())
    return (
        f"## Features\n\nHow far the features of a patch move when it is stored; patches: {sides}. *Cosine* is 1 - the "
        "cosine of the angle between the features before and after, *L2* the length of their difference; *of patches* "
        "is the mean as a share of the median distance between different patches of this slide. Bytes are those of all "
        f"three levels of the families.\n\n{markdown_table(header, format_features(found))}\n\n"
    )


def _how(summary: dict[str, Json]) -> str:
    left_out = [f"- Left out: {name}: {why}.\n" for name, why in summary["left_out"].items()]
    return _HOW.format(**summary["measured"]) + "".join(left_out)


def _machine(summary: dict[str, Json]) -> str:
    found = summary["environment"]
    versions = {**found["packages"], **found["libraries"]}
    text = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return f"Python {found['python']} on {found['system']}, {found['processor']}, {found['cores']} cores. {text}."


_REPORT = """\
# Evaluation of {source[name]}

{source[width]} x {source[height]} px. Settings: {settings}.

## Sizes of pyramids

The pyramids are of {measured[pyramids_of]}.

{pyramids}

RRIP saves {savings[deep_zoom][total]:.1%} of the bytes of the Deep Zoom pyramid, and
{savings[deep_zoom_420][total]:.1%} of those with 4:2:0. Equal quality numbers do not mean equal quality; the tables and
curves below compare at equal quality.

{against}

## Bytes at equal quality

Relative to the JPEG 4:2:0 pyramid; negative is smaller. Compare within a column only.

{levels}

### Quality at equal bytes

{bd_quality}

## Decoding

{decoding}

![size against decode time](size-decode-time.png)

{features}## Method

{how}
## Machine and versions

{machine}

Files: `summary.json` (all results and curves), `samples.csv` (every tile).
"""


def format_report(summary: dict[str, Json]) -> str:
    """Format the report as Markdown, with links to the plots beside it."""
    levels = [f"### Level {k}\n\n{_bd_table(summary, k)}\n\n![level {k}](rd-level-{k}.png)" for k in LEVELS]
    return _REPORT.format(
        source=summary["source"],
        settings=", ".join(f"{key} {value}" for key, value in summary["settings"].items()),
        measured=summary["measured"],
        savings=summary["savings"],
        pyramids=_pyramids(summary),
        against=_source_line(summary),
        levels="\n\n".join(levels),
        bd_quality=_bd_quality_table(summary),
        decoding=_decode_table(summary),
        features=_features(summary),
        how=_how(summary),
        machine=_machine(summary),
    )


def format_summary(summary: dict[str, Json]) -> str:
    """Format a short summary for the terminal."""
    rates = []
    for metric in METRICS:
        found = summary["bd"][f"{metric.key}_level_0"].get("rrip")
        if found and found["bd_rate"] is not None:
            rates.append(f"{metric.key} {found['bd_rate']:+.1f} %")
    sizes, measured = summary["pyramids"], summary["measured"]
    drifts = "".join(
        f"  features, {row[0]}, {row[1]}: cosine {row[3]}, L2 {row[6]} ({row[8]} of that between patches)\n"
        for row in (format_features(summary["features"]) if summary["features"] else [])
    )
    return (
        f"{summary['source']['name']}: {measured['families']} of {measured['of']} families\n"
        f"  container {sizes['rrip']['total']:,} bytes, Deep Zoom Q 90 {sizes['deep_zoom']['total']:,} bytes "
        f"({measured['pyramids_of']})\n"
        f"  {_source_line(summary)}\n"
        f"  bytes at equal quality against a JPEG 4:2:0 pyramid, level 0: {', '.join(rates)}\n"
        f"{drifts}"
        f"  {measured['caution']}\n"
        f"  {summary['report']}"
    )
