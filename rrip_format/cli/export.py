"""``rrip export``."""

from __future__ import annotations

import json

import click

from .options import AS_JSON, KEEP_IDENTIFIERS, LABEL, STORAGE, WORKERS
from .progress import progress_bar

__all__ = ["export"]


@click.command(short_help="Write an ordinary TIFF, OME-TIFF, SVS or Deep Zoom image.")
@click.argument("path", type=click.Path())
@click.argument("dest", type=click.Path())
@click.option("-q", "--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="JPEG quality.")
@LABEL
@KEEP_IDENTIFIERS
@WORKERS
@click.option("--overwrite", is_flag=True, help="Replace an existing DEST.")
@STORAGE
@AS_JSON
def export(
    *,
    path: str,
    dest: str,
    quality: int,
    label: bool,
    keep_identifiers: bool,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the container PATH as DEST, for other software.

    DEST is a pyramidal TIFF (.tif), OME-TIFF (.ome.tif), Aperio's layout (.svs) or Deep Zoom (.dzi), or a file of
    kerchunk references to the tiles of PATH (.refs.json), for Zarr readers that have the codec rrip. It appears when it
    is complete.
    """
    from ..exporters.run import export as run
    from ..slides.describing import format_bytes

    with progress_bar("exporting", quiet=as_json) as progress:
        size = run(
            path,
            dest,
            quality=quality,
            label=label,
            keep_identifiers=keep_identifiers,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    click.echo(json.dumps({"path": dest, "bytes": size}) if as_json else f"{dest}: {format_bytes(size)}")
