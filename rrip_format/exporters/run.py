"""Export a container for other software: TIFF, OME-TIFF, SVS, Deep Zoom, or kerchunk references to its tiles."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..containers.pictures import shows_label
from ..errors import RripError, TargetError
from ..extras import load_module
from ..privacy.identifiers import without_identifiers
from ..slides.slide import Slide, open_slide
from ..spec.extensions import EXTENSIONS
from ..storage.access import refuse_bucket
from ..storage.workplace import as_target_error, flush, move, temporary_folder
from .deepzoom import files_folder, write_deepzoom
from .kerchunk import write_references
from .tiff import write_tiff
from .tiles import ExportJob, total_tiles

__all__ = ["export"]

_OME_SUFFIXES = (".ome.tif", ".ome.tiff")
_TIFF_SUFFIXES = (".tif", ".tiff")
_SVS_SUFFIX = ".svs"
_DEEPZOOM_SUFFIX = ".dzi"
_REFERENCES_SUFFIX = ".refs.json"


def export(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    quality: int = 90,
    label: bool = False,
    keep_identifiers: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write all levels of a slide as an ordinary image file.

    Only a few tiles at a time are in memory. Pixel size, objective, ICC profile, thumbnail and properties
    are copied.

    Parameters
    ----------
    source : str or path-like
        Path or URL of a container.
    target : str or path-like
        ``*.tif`` or ``*.tiff``: pyramidal TIFF. ``*.ome.tif`` or ``*.ome.tiff``: OME-TIFF. ``*.svs``: TIFF in the
        layout of an Aperio slide. ``*.dzi``: Deep Zoom, a file and a folder of tiles. ``*.refs.json``: kerchunk
        references to the tiles where they are now, for Zarr readers with the codec ``rrip``. It appears when it is
        complete.
    quality : int
        JPEG quality, 1 … 100; from 90 on chroma is not subsampled.
    label : bool
        Copy the label image too, and a macro image that shows the label or may show it.
    keep_identifiers : bool
        Copy the name of the source and properties that may identify the patient, if the container has them.
    workers : int, optional
        Number of threads; by default the number of cores.
    overwrite : bool
        Replace an existing target.
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    TargetError
        If the target has another extension, cannot be written, or exists and `overwrite` is not set.
    DamagedError
        If a tile of the source is missing or damaged.
    ExtraMissingError
        If the extra ``convert`` is not installed.
    """
    refuse_bucket(target)
    target = Path(target)
    is_image = not target.name.endswith(_REFERENCES_SUFFIX)
    if is_image:
        load_module("PIL.Image", "convert", "exporting")  # fail before any work
    _check(target, overwrite=overwrite)
    if not 1 <= quality <= 100:
        raise RripError(f"quality is {quality!r}, expected a JPEG quality of 1 … 100")
    workers = workers or os.cpu_count() or 1
    with open_slide(source) as slide, ThreadPoolExecutor(workers, thread_name_prefix="rrip") as executor:
        if not is_image:
            return _write_and_publish(target, lambda path: write_references(slide, path, label=label))
        about = slide.metadata.slide
        job = ExportJob(
            slide,
            about if keep_identifiers else without_identifiers(about),
            quality,
            _pictures(slide, label=label),
            slide.icc_profile(),
            executor,
            workers,
            _counter(total_tiles(slide.geometry), progress),
        )
        return _write_and_publish(target, lambda path: _write(job, path), executor)


def _write_and_publish(target: Path, write: Callable[[Path], None], executor: Executor | None = None) -> int:
    """Let `write` make the target in a folder beside it, then move it there; return its bytes."""
    folder = temporary_folder(target)
    try:
        with as_target_error(target):
            write(folder / target.name)
            return _publish(folder / target.name, target)
    finally:
        if executor is not None:
            executor.shutdown(cancel_futures=True)  # a thread that still writes would create the folder again
        shutil.rmtree(folder, ignore_errors=True)


def _write(job: ExportJob, path: Path) -> None:
    if path.name.endswith(_DEEPZOOM_SUFFIX):
        write_deepzoom(job, path)
    else:
        is_ome, is_svs = path.name.endswith(_OME_SUFFIXES), path.name.endswith(_SVS_SUFFIX)
        write_tiff(job, path, "ome" if is_ome else "svs" if is_svs else "tiff")


def _pictures(slide: Slide, *, label: bool) -> dict[str, NDArray[np.uint8]]:
    """Return the associated images, without those that show the label or might show it unless `label` is set."""
    names = sorted(slide.associated_images)
    return {name: slide.associated_images[name] for name in names if label or not shows_label(slide.container, name)}


def _counter(total: int, progress: Callable[[int, int], None] | None) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return count


def _check(target: Path, *, overwrite: bool) -> None:
    """Raise an error for a target that cannot be written, before anything is read."""
    if target.name.endswith(EXTENSIONS):
        raise TargetError(f"{target}: has the extension of RRIP containers; use 'rrip convert' to write those")
    known = (*_TIFF_SUFFIXES, _SVS_SUFFIX, _DEEPZOOM_SUFFIX, _REFERENCES_SUFFIX)
    if not target.name.endswith(known):
        raise TargetError(
            f"{target}: unknown extension, expected .tif, .tiff, .ome.tif, .ome.tiff, .svs, .dzi, {_REFERENCES_SUFFIX}"
        )
    if not target.parent.is_dir():
        raise TargetError(f"{target.parent}: there is no such folder; create it first")
    if target.is_dir():
        raise TargetError(f"{target}: is a folder, expected a file or nothing; remove it yourself")
    paths = [target, files_folder(target)] if target.name.endswith(_DEEPZOOM_SUFFIX) else [target]
    for path in paths:
        if os.path.lexists(path) and not (overwrite and os.path.lexists(target)):
            raise TargetError(f"{path}: already exists; remove it or pass --overwrite")


def _publish(made: Path, target: Path) -> int:
    """Flush everything to the disk and move it to the target; the file that readers open is moved last."""
    folder, size = files_folder(made), 0
    for path in sorted(folder.rglob("*"), reverse=True):
        size += path.stat().st_size if path.is_file() else 0
        flush(path)
    if folder.is_dir():
        flush(folder)
        move(folder, files_folder(target))
    size += made.stat().st_size
    flush(made)
    move(made, target)
    return size
