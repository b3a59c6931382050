"""DICOM whole-slide images by pydicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .base import Image, SecondReader, UnableError, load_second, over_background
from .tiles import TiledReader

__all__ = ["open_dicom"]

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
]


def open_dicom(path: Path, background: tuple[int, int, int]) -> list[SecondReader]:
    """Open the largest image of the series of a file, or of a folder; `UnableError` where pydicom does not."""
    pydicom = load_second("pydicom")
    folder = path if path.is_dir() else path.parent
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    found = [(file, header) for file in files if (header := _header(pydicom, file)) is not None]
    series = {header.get("SeriesInstanceUID") for file, header in found if path.is_dir() or file == path}
    volumes = [(file, header) for file, header in found if header.get("SeriesInstanceUID") in series]
    volumes = [(file, header) for file, header in volumes if _is_volume(header)]
    if not volumes:
        raise UnableError("pydicom finds no image of a slide in it")
    size = max(int(header.TotalPixelMatrixColumns) for _, header in volumes)
    finest = [(file, header) for file, header in volumes if int(header.TotalPixelMatrixColumns) == size]
    if len(finest) > 1 or int(finest[0][1].get("TotalPixelMatrixFocalPlanes", 1)) > 1:
        raise UnableError("its finest level is in several files or planes, which are not put together here")
    return [_Frames(*finest[0], background)]


def _header(pydicom: Any, file: Path) -> Any:
    """Return what is asked of a file; None of what is no DICOM."""
    try:
        with file.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                return None
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
    except Exception:  # noqa: BLE001 - whatever else lies in a folder
        return None


def _is_volume(header: Any) -> bool:
    return "TotalPixelMatrixColumns" in header and "VOLUME" in header.get("ImageType", ())


class _Frames(TiledReader):
    """The frames of one file."""

    name = "pydicom"

    def __init__(self, file: Path, header: Any, background: tuple[int, int, int]) -> None:
        self._file, self._background = file, background
        self._pixels = load_second("pydicom.pixels").pixel_array
        high, wide = int(header.Rows), int(header.Columns)
        height, width = int(header.TotalPixelMatrixRows), int(header.TotalPixelMatrixColumns)
        super().__init__(height, width, high, wide)
        self._frames = _places(header, high, wide, -(-width // wide))

    def _read_tile(self, row: int, col: int) -> Image:
        frame = self._frames.get((row, col))
        if frame is None:
            return np.full((*self._side, 3), self._background, np.uint8)
        samples: Image = self._pixels(self._file, index=frame)
        return over_background(samples[..., None] if samples.ndim == 2 else samples, self._background)


def _places(header: Any, high: int, wide: int, across: int) -> dict[tuple[int, int], int]:
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
