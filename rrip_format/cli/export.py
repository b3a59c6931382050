"""``rrip export``."""

from __future__ import annotations

import json
from typing import Literal

import click

from ..errors import printable
from .options import AS_JSON, KEEP_IDENTIFIERS, LABEL, STORAGE, WORKERS, PixelSize
from .progress import progress_bar

__all__ = ["export"]


@click.command(short_help="Write an ordinary TIFF, OME-TIFF, SVS, Deep Zoom or DICOM image.")
@click.argument("path", type=click.Path())
@click.argument("dest", type=click.Path())
@click.option("-q", "--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="JPEG quality.")
@click.option("--kind", type=click.Choice(["dicom"]), help="dicom: DEST is a folder of DICOM instances, one a level.")
@click.option("--mpp", type=PixelSize(), help="Micrometres per pixel, in place of what PATH says.")
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
    kind: Literal["dicom"] | None,
    mpp: float | tuple[float, float] | None,
    label: bool,
    keep_identifiers: bool,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the container PATH as DEST, for other software.

    DEST is a pyramidal TIFF (.tif), OME-TIFF (.ome.tif), Aperio's layout (.svs) or Deep Zoom (.dzi), or a file of
    kerchunk references to the tiles of PATH (.refs.json), for Zarr readers that have the codec rrip. With --kind dicom
    it is a folder of DICOM VL Whole Slide Microscopy images. It appears when it is complete.
    """
    from ..exporters.run import export as run
    from ..slides.describing import format_bytes
    from ..slides.slide import open_slide

    with open_slide(path) as slide, progress_bar("exporting", quiet=as_json) as progress:
        size = run(
            slide,
            dest,
            kind=kind,
            quality=quality,
            mpp=mpp,
            label=label,
            keep_identifiers=keep_identifiers,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
        is_assumed = kind == "dicom" and slide.icc_profile() is None
    if is_assumed and not as_json:
        click.echo(printable(f"note: {path} has no ICC profile; in DICOM, sRGB is assumed"), err=True)
    click.echo(json.dumps({"path": dest, "bytes": size}) if as_json else printable(f"{dest}: {format_bytes(size)}"))
