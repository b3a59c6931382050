"""Mean BD-rates over five tissue fields, for RRIP and its peers: the table of README, in one command.

::

    python tools/benchmarks/bench_fields.py --testdata ../shared/testdata --json > fields.json

The fields carry no JPEG grid (four are reduced from scans, one was JPEG 2000), so plain JPEG is not flattered.
Each is the centre of its picture, up to 1024 x 1024 px in whole families; the last one is a fixed crop of a slide.
Needs ``pip install 'rrip-format[evaluate]'``.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from rrip_format import RripError, Settings
from rrip_format.conversion.plan import fit_profile
from rrip_format.evaluate import measure_source, method_keys
from rrip_format.evaluate.environment import environment
from rrip_format.evaluate.peers import ANCHOR
from rrip_format.evaluate.run import Measurement
from rrip_format.evaluate.tables import bd_json, curves_json, decoding_json, markdown_table, number
from rrip_format.sources import open_source

Json = Any

OURS = "rrip"
QUALITY = 90
SIDE = 1024
"""Largest side of a field, px."""

FIELDS = {
    "breast": ("field-breast-HE.png", None),
    "duodenum": ("field-duodenum-HE.png", None),
    "Ki67": ("field-ki67-IHC.png", None),
    "colon": ("field-colon-IHC.png", None),
    "TCGA": ("TCGA-CR-7395-01A-01-TS1.svs", (1024, 2048)),
}
"""File and, where it is not the centre, y and x of the crop, px."""

COLUMNS = {
    "PSNR-Y, L0": "psnr_y_level_0",
    "PSNR-RGB, L0": "psnr_rgb_level_0",
    "ΔE00, L0": "delta_e_level_0",
    "SSIM, L0": "ssim_level_0",
    "SSIMULACRA2, L0": "ssimulacra2_level_0",
    "PSNR-Y, L1": "psnr_y_level_1",
}


def field(folder: Path, name: str) -> NDArray[np.uint8]:
    """Read a field as RGB, (h, w, 3) uint8, in whole families of the usual tiles."""
    file, corner = FIELDS[name]
    with open_source(folder / file) as source:
        family = 4 * Settings().tile
        shape = source.info.height, source.info.width
        height, width = (min(SIDE, side // family * family) for side in shape)
        y, x = corner or ((shape[0] - height) // 2, (shape[1] - width) // 2)
        return source.read(y, x, height, width)


def measure_fields(
    folder: Path, settings: Settings, codecs: list[str] | None, *, ssimulacra2: bool, timed: bool, quiet: bool
) -> Iterator[tuple[str, Measurement]]:
    """Measure every family of every field."""
    for name in FIELDS:
        if not quiet:
            click.echo(f"{name} …", err=True)
        with open_source(field(folder, name)) as source:
            fitted = fit_profile(settings, source.info)
            yield (
                name,
                measure_source(source, fitted, families=None, codecs=codecs, ssimulacra2=ssimulacra2, timed=timed),
            )


def _mean(values: list[float | None]) -> float | None:
    """Return the mean, None if a value is missing, since a mean over fewer fields is not comparable."""
    present = [value for value in values if value is not None]
    return number(statistics.fmean(present), 2) if len(present) == len(values) else None


def means(fields: dict[str, Measurement]) -> dict[str, dict[str, float | None]]:
    """Return mean BD-rates in % by codec and measure, and mean decode times in ms per megapixel."""
    found = {name: bd_json(one) for name, one in fields.items()}
    first = next(iter(fields.values()))
    rows: dict[str, dict[str, float | None]] = {}
    for key in first.labels:
        rates = {
            measure: 0.0
            if key == ANCHOR
            else _mean([one[measure].get(key, {}).get("bd_rate") for one in found.values()])
            for measure in COLUMNS.values()
        }
        times = {
            f"decode_{level}_ms": _mean([one.decoding.get(key, {}).get(level) for one in fields.values()])
            for level in ("level_0", "level_1")
        }
        rows[key] = rates | times
    return rows


def bytes_to_jpeg(fields: dict[str, Measurement]) -> float:
    """Return our bytes at quality 90 as a part of JPEG's, mean of the fields."""
    parts = []
    for one in fields.values():
        curves = [one.curves[key] for key in (OURS, ANCHOR)]
        ours, theirs = (curve.bytes[curve.settings.index(QUALITY)] for curve in curves)
        parts.append(ours / theirs)
    return statistics.fmean(parts)


def format_table(rows: dict[str, dict[str, float | None]], labels: dict[str, str]) -> str:
    """Format the means as Markdown."""
    head = ["mean BD-rate", *COLUMNS, "decode L0, ms/MP", "decode L1, ms/MP"]
    lines = []
    for key, row in rows.items():
        rates = [None if row[m] is None else f"{row[m]:+.1f} %" for m in COLUMNS.values()]
        lines.append([labels[key], *rates, row["decode_level_0_ms"], row["decode_level_1_ms"]])
    return markdown_table(head, lines)


@click.command()
@click.option(
    "--testdata",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=os.environ.get("RRIP_TESTDATA", "../shared/testdata"),
    show_default=True,
    help="Folder of the fields.",
)
@click.option("--codecs", help=f"Comma-separated, of {', '.join(method_keys())}. [all]")
@click.option("--tune", default="psnr", show_default=True, help="Of our encoder.")
@click.option("--effort", default="default", show_default=True, help="Of our encoder.")
@click.option("--profile", type=click.Choice(["view", "archive"]), help="Of our encoder, instead of an effort.")
@click.option("--luma-only", is_flag=True, help="Of our encoder.")
@click.option("--level-2-loss", type=float, default=0.0, show_default=True, help="Of our encoder, dB.")
@click.option("--ssimulacra2/--no-ssimulacra2", default=True, help="SSIMULACRA2 takes most of the time.")
@click.option("--time/--no-time", "timed", default=True, help="Time decoding.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with every curve, and nothing else.")
def main(
    *,
    testdata: Path,
    codecs: str | None,
    tune: str,
    effort: str,
    profile: str | None,
    luma_only: bool,
    level_2_loss: float,
    ssimulacra2: bool,
    timed: bool,
    as_json: bool,
) -> None:
    """Print mean BD-rates over five tissue fields relative to a JPEG 4:2:0 pyramid; negative is smaller."""
    settings = Settings(tune=tune, effort=effort, profile=profile, luma_only=luma_only, level_2_loss=level_2_loss)
    keys = codecs.split(",") if codecs else None
    try:
        fields = dict(measure_fields(testdata, settings, keys, ssimulacra2=ssimulacra2, timed=timed, quiet=as_json))
    except RripError as error:
        raise SystemExit(f"bench_fields: {error}") from error
    rows = means(fields)
    labels = next(iter(fields.values())).labels
    size = bytes_to_jpeg(fields) if OURS in rows else None
    if not as_json:
        click.echo(format_table(rows, labels))
        if size is not None:
            click.echo(f"\n{labels[OURS]} at quality {QUALITY}: {size:.3f} of the bytes of {labels[ANCHOR]}")
        return
    report: dict[str, Json] = {
        "mean": rows,
        "bytes_to_jpeg": number(size, 3),
        "labels": labels,
        "left_out": {name: one.left_out for name, one in fields.items()},
        "settings": settings.to_json(),
        "fields": {
            name: {
                "pixels": len(one.sample) * one.sample.geometry.tile_side(0) ** 2,
                "bd": bd_json(one),
                "decode_ms_per_megapixel": decoding_json(one),
                "curves": curves_json(one),
            }
            for name, one in fields.items()
        },
        "environment": environment(),
    }
    json.dump(report, sys.stdout, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
