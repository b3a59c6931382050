"""``rrip demo``."""

from __future__ import annotations

import json

import click

from .options import AS_JSON

__all__ = ["demo"]


@click.command(short_help="Convert an example picture; compare it with JPEG.")
@click.option(
    "--out", type=click.Path(file_okay=False), default="rrip-demo", show_default=True, help="Folder for its files."
)
@AS_JSON
def demo(*, out: str, as_json: bool) -> None:
    """Convert a tissue picture of scikit-image, and compare it with a JPEG pyramid."""
    from ..evaluate.demo import format_demo, run_demo

    found = run_demo(out)
    click.echo(json.dumps(found) if as_json else format_demo(found))
