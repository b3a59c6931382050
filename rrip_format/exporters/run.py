"""Export a container for other software: TIFF, OME-TIFF, SVS, Deep Zoom, DICOM, or kerchunk references to its tiles."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ..containers.pictures import shows_label
from ..errors import RripError, TargetError
from ..extras import load_module
from ..privacy.identifiers import without_identifiers
from ..slides.slide import Slide, open_slide
from ..sources.base import positive
from ..spec.extensions import EXTENSIONS
from ..storage.access import refuse_bucket
from ..storage.workplace import as_target_error, flush, move, temporary_folder
from .deepzoom import files_folder, write_deepzoom
from .dicom import SUFFIX as DICOM_SUFFIX
from .dicom import check_dicom, total_frames, write_dicom
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
    source: str | os.PathLike[str] | Slide,
    target: str | os.PathLike[str],
    *,
    kind: Literal["dicom"] | None = None,
    quality: int = 90,
    mpp: float | tuple[float, float] | None = None,
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
    source : str, path-like or Slide
        Path or URL of a container, or an open one, which stays open.
    target : str or path-like
        ``*.tif`` or ``*.tiff``: pyramidal TIFF. ``*.ome.tif`` or ``*.ome.tiff``: OME-TIFF. ``*.svs``: TIFF in the
        layout of an Aperio slide. ``*.dzi``: Deep Zoom, a file and a folder of tiles. ``*.refs.json``: kerchunk
        references to the tiles where they are now, for Zarr readers with the codec ``rrip``. It appears when it is
        complete.
    kind : {"dicom"}, optional
        What to write if the extension does not say it: ``"dicom"`` makes `target` a folder of VL Whole Slide Microscopy
        Image instances, one a level.
    quality : int
        JPEG quality, 1 … 100; from 90 on chroma is not subsampled. For DICOM, JPEG tiles of the container (level 3 and
        coarser) are copied as they are.
    mpp : float or (float, float), optional
        Width and height of a pixel of level 0, µm, in place of what the container says.
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
    RripError
        If the pixel size is not known, which DICOM requires.
    TargetError
        If the target has another extension, cannot be written, or exists and `overwrite` is not set.
    DamagedError
        If a tile of the source is missing or damaged.
    ExtraMissingError
        If the extra ``convert`` is not installed.
    """
    refuse_bucket(target)
    target = Path(target)
    if kind not in {None, "dicom"}:
        raise ValueError(f"kind is {kind!r}, expected None or 'dicom'")
    is_dicom = kind == "dicom"
    is_image = is_dicom or not target.name.endswith(_REFERENCES_SUFFIX)
    if is_image:
        load_module("PIL.Image", "convert", "exporting")  # fail before any work
    _check(target, overwrite=overwrite, is_dicom=is_dicom)
    if mpp is not None:
        mpp = mpp if isinstance(mpp, tuple) else (mpp, mpp)
        if not is_image:
            raise RripError(f"{target}: has the pixel size that the container says, which mpp does not change")
        if len(mpp) != 2 or None in map(positive, mpp):
            raise RripError(f"mpp is {mpp!r}, expected one or two positive numbers of micrometres")
    if not 1 <= quality <= 100:
        raise RripError(f"quality is {quality!r}, expected a JPEG quality of 1 … 100")
    workers = workers or os.cpu_count() or 1
    opened = nullcontext(source) if isinstance(source, Slide) else open_slide(source)
    with opened as slide, ThreadPoolExecutor(workers, thread_name_prefix="rrip") as executor:
        if not is_image:
            return _write_and_publish(target, lambda path: write_references(slide, path, label=label))
        about = slide.metadata.slide if mpp is None else replace(slide.metadata.slide, mpp=mpp)
        if is_dicom:
            check_dicom(slide.name, about)
        showing = frozenset(name for name in slide.associated_images if shows_label(slide.container, name))
        names = [name for name in sorted(slide.associated_images) if label or name not in showing]
        total = total_frames(slide.geometry) if is_dicom else total_tiles(slide.geometry)
        job = ExportJob(
            slide,
            about if keep_identifiers else without_identifiers(about),
            quality,
            {name: slide.associated_images[name] for name in names},
            slide.icc_profile(),
            executor,
            workers,
            _counter(total, progress),
            showing.intersection(names),
            keep_identifiers,
        )
        write = write_dicom if is_dicom else _write
        return _write_and_publish(target, lambda path: write(job, path), executor)


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


def _counter(total: int, progress: Callable[[int, int], None] | None) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return count


def _check(target: Path, *, overwrite: bool, is_dicom: bool) -> None:
    """Raise an error for a target that cannot be written, before anything is read."""
    if target.name.endswith(EXTENSIONS):
        raise TargetError(f"{target}: has the extension of RRIP containers; use 'rrip convert' to write those")
    known = (*_TIFF_SUFFIXES, _SVS_SUFFIX, _DEEPZOOM_SUFFIX, _REFERENCES_SUFFIX)
    if not is_dicom and not target.name.endswith(known):
        expected = ".tif, .tiff, .ome.tif, .ome.tiff, .svs, .dzi, .refs.json; or --kind dicom, for a folder"
        raise TargetError(f"{target}: unknown extension, expected {expected}")
    if not target.parent.is_dir():
        raise TargetError(f"{target.parent}: there is no such folder; create it first")
    if is_dicom:
        _check_folder(target)
    elif target.is_dir():
        raise TargetError(f"{target}: is a folder, expected a file or nothing; remove it yourself")
    paths = [target, files_folder(target)] if target.name.endswith(_DEEPZOOM_SUFFIX) and not is_dicom else [target]
    for path in paths:
        if os.path.lexists(path) and not (overwrite and os.path.lexists(target)):
            raise TargetError(f"{path}: already exists; remove it or pass --overwrite")


def _check_folder(target: Path) -> None:
    """Raise an error if a target would replace anything but a folder of DICOM files."""
    if target.is_dir():
        others = [path.name for path in sorted(target.iterdir()) if path.suffix != DICOM_SUFFIX or path.is_dir()]
        if others:
            raise TargetError(
                f"{target}: already exists and contains {others[0]}, which is not DICOM; remove it yourself"
            )
    elif os.path.lexists(target):
        raise TargetError(f"{target}: is a file, expected a folder or nothing; remove it yourself")


def _publish(made: Path, target: Path) -> int:
    """Flush everything to the disk and move it to the target; the file that readers open is moved last."""
    folder, size = files_folder(made), 0
    if folder.is_dir():
        size += _flush_all(folder)
        move(folder, files_folder(target))
    size += _flush_all(made)
    move(made, target)
    return size


def _flush_all(made: Path) -> int:
    """Flush a file, or a folder with all that is in it; return the bytes of the files."""
    size = 0
    for path in sorted([made, *made.rglob("*")], reverse=True):
        size += path.stat().st_size if path.is_file() else 0
        flush(path)
    return size
