"""TIFF by libvips, which reads it through libtiff."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .base import Area, Image, SecondReader, UnableError, load_second, over_background
from .pillow import orientation_of
from .tags import TiffTags, largest_pages
from .tops import TopReader

__all__ = ["open_tiff"]

_RGB, _YCBCR, _JPEG = 2, 6, 7
_UNKNOWN, _STRAIGHT = 0, 2
_SAMPLES = {2: 3, 5: 4, 6: 3}
"""Samples of a pixel by photometric, where it is not one."""
_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
"""None, CCITT, LZW, JPEG, Deflate and PackBits: others are not in every libtiff, which leaves their tiles black."""


def open_tiff(path: Path, size: tuple[int, int] | None, background: tuple[int, int, int]) -> list[SecondReader]:
    """Open the largest pages of a TIFF, or those of a size; `UnableError` where libvips gives no 8-bit samples."""
    pyvips = load_second("pyvips")
    pages = largest_pages(path, size)
    for number, tags in pages:
        _check(number, tags)
    return [_open_page(pyvips, path, number or 0, tags, background) for number, tags in pages]


def _check(number: int | None, tags: TiffTags) -> None:
    """Raise `UnableError` for what libvips decodes to black, or to samples that it leaves as they are."""
    compression, photometric, extra = tags.get(259, (1,))[0], tags.get(262, (-1,))[0], tags.get(338, ())
    if number is None:
        raise UnableError("libvips does not count pages in SubIFDs")
    if compression not in _COMPRESSIONS or (photometric == _YCBCR and compression != _JPEG):
        raise UnableError(f"libvips gives no RGB of compression {compression} with photometric {photometric}")
    if extra and (photometric != _RGB or extra not in {(_UNKNOWN,), (_STRAIGHT,)}):
        raise UnableError("libvips gives extra samples in ways of its own")
    if tags.get(277, (1,))[0] != _SAMPLES.get(photometric, 1) + len(extra):
        raise UnableError("its number of samples is none that libvips is asked to read")


def _open_page(pyvips: Any, path: Path, page: int, tags: TiffTags, background: tuple[int, int, int]) -> SecondReader:
    tiled = 324 in tags
    try:
        # From a source, not a file name: libvips caches by name and would return pixels of a replaced file.
        source = pyvips.Source.new_from_file(os.fsencode(path))
        image = pyvips.Image.new_from_source(
            source, "", page=page, access="random" if tiled else "sequential", fail_on="error"
        )
    except pyvips.Error as error:
        raise UnableError(f"libvips does not open it ({' '.join(str(error).split())})") from error
    if image.format != "uchar" or image.bands > 5:
        raise UnableError(f"libvips gives {image.bands} bands of {image.format}")
    colour = _Colour(image, tags, background)
    return _Tiled(image, colour) if tiled else _Strips(image, colour, lambda: open_again(pyvips, path, page))


def open_again(pyvips: Any, path: Path, page: int) -> Any:
    """Open strips once more, from their beginning."""
    source = pyvips.Source.new_from_file(os.fsencode(path))
    return pyvips.Image.new_from_source(source, "", page=page, access="sequential", fail_on="error")


class _Colour:
    """How the bands of an image become RGB."""

    def __init__(self, image: Any, tags: TiffTags, background: tuple[int, int, int]) -> None:
        extra = tags.get(338, ())
        alpha = extra[0] if extra and extra[0] == _STRAIGHT else None
        self.is_print = image.interpretation == "cmyk"
        self._kept = (3 if image.bands >= 3 else 1) + (alpha is not None)
        self._background = background

    def rgb(self, image: Any) -> Image:
        """Return the pixels of an image."""
        if self.is_print:
            image = image.colourspace("srgb")
        samples = np.frombuffer(image.write_to_memory(), np.uint8).reshape(image.height, image.width, image.bands)
        return over_background(samples[..., : self._kept], self._background)


class _Tiled(SecondReader):
    """Tiles, decoded where they are wanted."""

    name = "libvips"

    def __init__(self, image: Any, colour: _Colour) -> None:
        self._image, self._colour = image.autorot(), colour
        self.has_colour = not colour.is_print
        super().__init__(self._image.height, self._image.width)

    def read(self, area: Area) -> Image:
        """Return RGB."""
        return self._colour.rgb(self._image.crop(area.x, area.y, area.width, area.height))

    def close(self) -> None:
        """Let go of the file."""
        self._image = None


class _Strips(TopReader):
    """Strips, decoded from the first one on."""

    name = "libvips"

    def __init__(self, image: Any, colour: _Colour, again: Any) -> None:
        self.has_colour = not colour.is_print
        turned = orientation_of(image.get("orientation") if image.get_typeof("orientation") else 1)

        def decode(rows: int) -> Image:
            return colour.rgb(again().crop(0, 0, image.width, rows))

        super().__init__(image.height, image.width, turned, decode)
