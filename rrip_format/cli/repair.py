"""``rrip repair``."""

from __future__ import annotations

import json
import sys

import click

from ..errors import printable
from .options import AS_JSON, OVERWRITE, STORAGE, WORKERS
from .progress import progress_bar

__all__ = ["repair"]


@click.command(short_help="Save what is left of a damaged container.")
@click.argument("path", type=click.Path())
@click.argument("dest", type=click.Path())
@click.option("--fill-lost", is_flag=True, help="Fill lost tiles from the coarser level, instead of leaving them out.")
@OVERWRITE
@WORKERS
@STORAGE
@AS_JSON
def repair(*, path: str, dest: str, fill_lost: bool, overwrite: bool, workers: int | None, as_json: bool) -> None:
    """Write everything that is left of the damaged container PATH as the new container DEST.

    Documents and tables are remade, and lost tiles of level 3 and coarser are made from the finer level. Other lost
    tiles are left out, so that reading them is an error, or filled. Exit code: 0 complete, 1 parts are lost.
    """
    from ..integrity.repairing import repair as run

    with progress_bar("repairing", quiet=as_json) as progress:
        done = run(path, dest, fill_lost=fill_lost, overwrite=overwrite, workers=workers, progress=progress)
    if as_json:
        click.echo(json.dumps({"path": dest, **done.to_json()}))
    else:
        for line in done.lines():
            click.echo(printable(line))
    sys.exit(1 if done.lost or done.lost_attachments or done.lost_root else 0)
