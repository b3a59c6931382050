"""``rrip info``."""

from __future__ import annotations

import click

from .options import AS_JSON, STORAGE, json_line

__all__ = ["info"]


@click.command(short_help="Show levels, sizes and metadata.")
@click.argument("path", type=click.Path())
@STORAGE
@AS_JSON
def info(*, path: str, as_json: bool) -> None:
    """Show levels, sizes and metadata of the container PATH."""
    from ..slides.describing import format_info
    from ..slides.describing import info as run

    found = run(path)
    click.echo(json_line(found) if as_json else format_info(found))
