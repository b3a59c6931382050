"""``rrip evaluate``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from .options import AS_JSON, STORAGE, json_line, takes_settings
from .progress import progress_bar

__all__ = ["evaluate"]


@click.command(short_help="Compare size and quality with other codecs.")
@click.argument("source", type=click.Path())
@click.option("--out", type=click.Path(file_okay=False), required=True, help="Folder for the report.")
@click.option("--families", type=click.IntRange(min=1), default=4, show_default=True, help="Families to measure.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of their choice.")
@click.option("--all", "everything", is_flag=True, help="Measure every family, and convert the whole slide.")
@click.option(
    "--offset",
    type=click.IntRange(min=0),
    default=0,
    help="Offset of the families in px; 4 takes them off a source's JPEG grid.",
)
@click.option("--codecs", help="Comma-separated keys of the codecs to compare with. [all]")
@click.option(
    "--ssimulacra2/--no-ssimulacra2",
    default=True,
    help="Measure SSIMULACRA2, which takes most time.",
)
@click.option(
    "--features",
    metavar="MODULE:FUNCTION",
    help="Measure how far features of patches move: a function from (n, side, side, 3) uint8 to (n, d).",
)
@click.option("--patch", type=click.IntRange(min=1), default=224, show_default=True, help="Side of such a patch, px.")
@takes_settings
@STORAGE
@AS_JSON
def evaluate(
    *,
    source: str,
    out: str,
    families: int,
    seed: int,
    everything: bool,
    offset: int,
    codecs: str | None,
    ssimulacra2: bool,
    features: str | None,
    patch: int,
    given: dict[str, Any],
    as_json: bool,
) -> None:
    """Measure size, quality and decode time of the slide or image SOURCE, and compare with other codecs.

    This writes report.md with plots, summary.json, samples.csv and the container to OUT. It takes some minutes.
    """
    from ..conversion.lossy import own_quality
    from ..evaluate import evaluate as run
    from ..evaluate import format_summary
    from ..sources import open_source
    from ..tuning.settings import Settings

    settings = Settings(**{name: value for name, value in given.items() if value != "source"})
    if given.get("quality") == "source":
        with open_source(source) as opened:
            settings = replace(settings, quality=own_quality(opened))
    with progress_bar("measuring", quiet=as_json) as progress:
        summary = run(
            source,
            out,
            settings,
            families=None if everything else families,
            seed=seed,
            offset=offset,
            codecs=None if codecs is None else [key.strip() for key in codecs.split(",")],
            ssimulacra2=ssimulacra2,
            features=features,
            patch=patch,
            progress=progress,
        )
    click.echo(json_line(summary) if as_json else format_summary(summary))
