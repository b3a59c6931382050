"""DICOM whole-slide images by pydicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .base import Image, SecondReader, UnableError, load_second, over_background
from .picture_tile import decode_tile
from .tiles import TiledReader

__all__ = ["frame_places", "open_dicom"]

_TAGS = [
    "SeriesInstanceUID",
    "ImageType",
    "TotalPixelMatrixColumns",
    "TotalPixelMatrixRows",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "DimensionOrganizationType",
    "InConcatenationNumber",
    "ConcatenationFrameOffsetNumber",
    "PerFrameFunctionalGroupsSequence",
    "TotalPixelMatrixFocalPlanes",
    "PhotometricInterpretation",
]
_JPEG = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
"""Transfer syntaxes of JPEG baseline and extended."""


def open_dicom(path: Path, size: tuple[int, int] | None, background: tuple[int, int, int]) -> list[SecondReader]:
    """Open the largest image of the series of a file or folder, or that of a size; `UnableError` if there is none."""
    pydicom = load_second("pydicom")
    folder = path if path.is_dir() else path.parent
    found = _headers(pydicom, folder, "*")
    if path.is_dir() and not any(_is_volume(header) for _, header in found):
        found = _headers(pydicom, folder, "**/*")
    series = {header.get("SeriesInstanceUID") for file, header in found if path.is_dir() or file == path}
    volumes = [(file, header) for file, header in found if header.get("SeriesInstanceUID") in series]
    volumes = [(file, header) for file, header in volumes if _is_volume(header)]
    if not volumes:
        raise UnableError("pydicom finds no image of a slide in it")
    most = size or max(map(_size, [header for _, header in volumes]))
    finest = [(file, header) for file, header in volumes if _size(header) == most]
    if not finest:
        raise UnableError("pydicom finds no image of that size")
    if len(finest) > 1 or int(finest[0][1].get("TotalPixelMatrixFocalPlanes", 1)) > 1:
        raise UnableError("its finest level is in several files or planes, which are not put together here")
    return [_Frames(*finest[0], background)]


def _headers(pydicom: Any, folder: Path, pattern: str) -> list[tuple[Path, Any]]:
    """Return the DICOM files in a folder that are not hidden, with what is asked of each."""
    files = [file for file in sorted(folder.glob(pattern)) if file.is_file()]
    shown = [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]
    return [(file, header) for file in shown if (header := _header(pydicom, file)) is not None]


def _header(pydicom: Any, file: Path) -> Any:
    """Return what is asked of a file; None of what is no DICOM."""
    try:
        with file.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                return None
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
    except Exception:  # noqa: BLE001 - whatever else lies in a folder
        return None


def _size(header: Any) -> tuple[int, int]:
    return int(header.TotalPixelMatrixRows), int(header.TotalPixelMatrixColumns)


def _is_volume(header: Any) -> bool:
    return "TotalPixelMatrixColumns" in header and "VOLUME" in header.get("ImageType", ())


class _Frames(TiledReader):
    """The frames of one file."""

    name = "pydicom"

    def __init__(self, file: Path, header: Any, background: tuple[int, int, int]) -> None:
        self._file, self._background = file, background
        self._pixels = load_second("pydicom.pixels").pixel_array
        self._photometric = header.get("PhotometricInterpretation")
        is_jpeg = header.file_meta.get("TransferSyntaxUID") in _JPEG
        self._dataset = load_second("pydicom").dcmread(file) if is_jpeg else None  # their markers tell the colours
        high, wide = int(header.Rows), int(header.Columns)
        height, width = int(header.TotalPixelMatrixRows), int(header.TotalPixelMatrixColumns)
        super().__init__(height, width, high, wide)
        self._frames = frame_places(header, high, wide, -(-width // wide))

    def _read_tile(self, row: int, col: int) -> Image:
        frame = self._frames.get((row, col))
        if frame is None:
            return np.full((*self._side, 3), self._background, np.uint8)
        if self._dataset is not None:
            encaps = load_second("pydicom.encaps")
            data = encaps.get_frame(self._dataset.PixelData, frame, number_of_frames=len(self._frames))
            samples = decode_tile(data.rstrip(b"\0"), None, is_rgb=self._photometric == "RGB")
        else:
            samples = self._pixels(self._file, index=frame)
        samples = samples[..., None] if samples.ndim == 2 else samples
        if self._photometric == "MONOCHROME1":
            samples = 255 - samples
        return over_background(samples, self._background)


def frame_places(header: Any, high: int, wide: int, across: int) -> dict[tuple[int, int], int]:
    """Return the frame of each tile, by (row, column)."""
    count = int(header.get("NumberOfFrames", 1))
    kind = header.get("DimensionOrganizationType")
    if kind == "TILED_FULL" or (kind != "TILED_SPARSE" and "PerFrameFunctionalGroupsSequence" not in header):
        return {divmod(index, across): index for index in range(count)}
    found: dict[tuple[int, int], int] = {}
    for index, group in enumerate(header.PerFrameFunctionalGroupsSequence):
        place = group.PlanePositionSlideSequence[0]
        y, x = int(place.RowPositionInTotalImagePixelMatrix) - 1, int(place.ColumnPositionInTotalImagePixelMatrix) - 1
        if y % high or x % wide:
            raise UnableError("its frames lie on no grid")
        found.setdefault((y // high, x // wide), index)
    return found
