"""Write a slide as DICOM: a folder with one VL Whole Slide Microscopy Image instance a level, in one series."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from ..errors import RripError
from ..extras import load_module
from ..privacy.identifiers import pixels_may_identify
from ..slides.describing import describe
from ..spec.geometry import BASE_LEVEL, needed_levels
from ..spec.metadata import JPEG, Compression, SlideMetadata
from .dicom_attributes import Picture, Study, describe_instance
from .dicom_file import write_instance
from .dicom_frames import LevelFrames, encode_jpeg, exported_levels, level_frames, total_frames
from .tiles import ExportJob

__all__ = ["SUFFIX", "check_dicom", "total_frames", "write_dicom"]

SUFFIX = ".dcm"

_KINDS = {"label": "LABEL", "macro": "OVERVIEW", "thumbnail": "THUMBNAIL"}
"""Third values of Image Type by the names of associated images."""


def check_dicom(name: str, about: SlideMetadata) -> None:
    """Raise an error for a slide that DICOM cannot describe, before anything is written.

    Parameters
    ----------
    name : str
        Of the container.
    about : SlideMetadata

    Raises
    ------
    RripError
        If the pixel size is not known.
    ExtraMissingError
        If pydicom or imagecodecs is not installed.
    """
    for module in ("pydicom", "imagecodecs"):
        load_module(module, "convert", "writing DICOM")
    if about.mpp is None:
        raise RripError(f"{name}: has no pixel size, which DICOM requires; pass it in µm, for example --mpp 0.25")


def write_dicom(job: ExportJob, folder: Path) -> None:
    """Write ``level-0.dcm`` and so on, and ``thumbnail.dcm``, ``overview.dcm``, ``label.dcm`` of what there is.

    Parameters
    ----------
    job : ExportJob
        Checked by :func:`check_dicom`.
    folder : Path
        Is created.
    """
    folder.mkdir()
    study = _study(job)
    stored = [level["bytes"] for level in describe(job.slide)["levels"]]
    levels = exported_levels(job.slide.geometry)
    for number, level in enumerate(levels, 1):
        frames = level_frames(job, level)
        picture = _level_picture(job, frames, number, stored)
        _write(folder / f"level-{level}{SUFFIX}", study, picture, frames.stream(job))
    for number, (kind, name) in enumerate(_small_kinds(job).items(), len(levels) + 1):
        _write_small(job, folder, study, name, kind, number)


def _study(job: ExportJob) -> Study:
    mpp, geometry = job.about.mpp or (0.0, 0.0), job.slide.geometry
    is_anonymous = not (job.keeps_identifiers or job.showing_label or pixels_may_identify(job.about.properties))
    size = geometry.height * mpp[1] / 1000, geometry.width * mpp[0] / 1000
    return Study(job.about, size, is_anonymous, job.keeps_identifiers)


def _write(path: Path, study: Study, picture: Picture, frames: Iterator[bytes]) -> None:
    """Write an instance; the ratio of its last compression is known when its frames are."""

    def complete(size: int) -> object:
        raw = 3 * picture.shape[0] * picture.shape[1]
        last = dataclasses.replace(picture.history[-1], ratio=float(f"{raw / size:.4g}"))
        return describe_instance(study, dataclasses.replace(picture, history=[*picture.history[:-1], last]))

    write_instance(path, frames, complete)


def _level_picture(job: ExportJob, frames: LevelFrames, number: int, stored: list[int | None]) -> Picture:
    """Describe a level; the container's own compression is JPEG from level 2 on, and the last one if it is copied."""
    level, (rows, cols) = frames.level, frames.grid
    mpp = job.level_mpp(level) or (0.0, 0.0)
    shape = job.slide.geometry.shape(level)
    profile, is_assumed = (job.icc_profile, False) if job.icc_profile else (_srgb(), True)
    *earlier, own, last = job.history
    if level >= BASE_LEVEL:
        own = Compression(JPEG, True, None, "4:4:4")
    sizes = [stored[needed] or 0 for needed in needed_levels(level)]
    if all(sizes):
        own = dataclasses.replace(own, ratio=float(f"{3 * shape[0] * shape[1] / sum(sizes):.4g}"))
    history = [*earlier, own] if frames.is_copied else [*earlier, own, last]
    return Picture(
        kind="VOLUME",
        number=number,
        shape=shape,
        frame=(frames.side, frames.side),
        frames=rows * cols,
        spacing=(mpp[1] / 1000, mpp[0] / 1000),
        is_original=level == 0,
        history=history,
        icc_profile=profile,
        icc_is_assumed=is_assumed,
        shows_label=False,
    )


def _small_kinds(job: ExportJob) -> dict[str, str]:
    """Return the associated images by their kind, of which readers take one each.

    A thumbnail that shows more than the slide is none in DICOM's sense: it becomes the overview if there is no other.
    """
    kinds = {_KINDS[name]: name for name in sorted(job.pictures)}
    if "thumbnail" in job.showing_label:
        kinds.setdefault("OVERVIEW", kinds.pop("THUMBNAIL"))
    return kinds


def _write_small(job: ExportJob, folder: Path, study: Study, name: str, kind: str, number: int) -> None:
    """Write an associated image as one frame."""
    rgb = job.pictures[name]
    height, width = rgb.shape[:2]
    is_thumbnail = kind == "THUMBNAIL"
    profile = job.icc_profile if is_thumbnail else None  # the others are from another camera
    picture = Picture(
        kind=kind,
        number=number,
        shape=(height, width),
        frame=(height, width),
        frames=1,
        spacing=(study.size[0] / height, study.size[1] / width) if is_thumbnail else None,
        is_original=not is_thumbnail,
        history=[Compression(JPEG, True), job.history[-1]],
        icc_profile=profile or _srgb(),
        icc_is_assumed=profile is None,
        shows_label=name in job.showing_label,
    )
    frame = encode_jpeg(rgb, job.quality, job.subsampling)
    _write(folder / f"{kind.lower()}{SUFFIX}", study, picture, iter([frame]))


def _srgb() -> bytes:
    from PIL import ImageCms

    return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
