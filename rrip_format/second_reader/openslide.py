"""Slides by OpenSlide, where it is not their first reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .base import Area, Image, SecondReader, UnableError, load_second, over_background

__all__ = ["open_slide"]


class _Slide(SecondReader):
    """Level 0 of a slide."""

    name = "OpenSlide"

    def __init__(self, path: Path, background: tuple[int, int, int], *, has_colour: bool) -> None:
        self.has_colour = has_colour
        openslide = load_second("openslide")
        try:
            self._slide = openslide.OpenSlide(str(path))
        except openslide.OpenSlideError as error:
            raise UnableError(f"OpenSlide does not open it ({error})") from error
        self._background = background
        width, height = self._slide.dimensions
        super().__init__(height, width)

    def read(self, area: Area) -> Image:
        """Return RGB of a rectangle."""
        picture = self._slide.read_region((area.x, area.y), 0, (area.width, area.height))
        return over_background(np.asarray(picture), self._background)

    def close(self) -> None:
        """Close the slide."""
        self._slide.close()


def open_slide(path: Path, background: tuple[int, int, int], *, has_colour: bool = True) -> list[SecondReader]:
    """Open a slide; of a folder any DICOM file, from which OpenSlide finds the others of the series.

    Parameters
    ----------
    path : Path
    background : (int, int, int)
        RGB where the slide has no data.
    has_colour : bool
        Its colours are to be compared: not so of JPEG frames in DICOM, whose markers it does not heed.
    """
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix.lower() in {"", ".dcm"}]
        for file in files:
            try:
                return [_Slide(file, background, has_colour=has_colour)]
            except UnableError:
                continue
        raise UnableError("OpenSlide opens no file in it")
    return [_Slide(path, background, has_colour=has_colour)]
