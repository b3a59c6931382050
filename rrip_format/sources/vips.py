"""A source for PNG, JPEG and the other image formats of libvips.

Gray, gray + alpha, RGB and RGBA with 8 bits per sample are accepted; libvips expands palettes and 1- to 4-bit PNG to
these. CMYK is converted to sRGB with the embedded profile, or else with the profile of libvips. 16-bit and float images
are rejected, because only their owner can decide how to map them to 8 bits. EXIF orientation is applied.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.errors import SourceError
from rrip_format.sources.base import WHITE, SlideInfo, boundary, load_reader, print_mpp
from rrip_format.sources.color import to_rgb
from rrip_format.sources.files import FileSource, head_of
from rrip_format.sources.icc import fitting_profile
from rrip_format.sources.jpegcheck import check_jpeg_file
from rrip_format.sources.kinds import check_jpeg_kind, check_picture
from rrip_format.sources.pictures import Picture, choose_picture

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["VipsSource"]

ACCEPTED = {"srgb", "rgb", "b-w"}
MAX_PAGES = 1000


class VipsSource(FileSource):
    """A source that reads an image file with pyvips.

    Parameters
    ----------
    path : Path
        The image. libvips decodes it once, into memory or, above 100 MB, into a temporary file.
    image : int or str, optional
        The page to read, as for :func:`.choose_picture`.

    Raises
    ------
    SourceError
        If libvips cannot read the file, warns of damage, or finds another kind of samples.
    """

    def __init__(self, path: Path, *, image: int | str | None = None) -> None:
        self.where = str(path)
        self._path = path
        self._pyvips = load_reader("pyvips")
        head = head_of(path)
        # JPEG has no checksum, so a warning is the only sign of lost data. Other formats warn about trivial metadata.
        self._fails_on = "warning" if head.startswith(b"\xff\xd8\xff") else "error"
        self._data = b""
        try:
            with boundary(self.where, "not a slide or image that OpenSlide, tifffile or libvips reads"):
                if self._fails_on == "warning":
                    self._data = path.read_bytes()
                    check_jpeg_kind(path, self._data)
                    check_jpeg_file(self._data)
                number, notes = self._choose(image)
                picture = self._load(page=number) if number else self._load()
                notes = (*notes, *_ink_notes(picture))
                self._image: Any = _to_srgb(picture) if picture.interpretation == "cmyk" else picture.autorot()
        except SourceError:
            check_picture(path, head)
            raise
        self._check()
        self.info = self._describe(number, notes)

    def _load(self, **options: int) -> Any:
        # Opened as a source, not by name: libvips caches by name and would return the pixels of a replaced file. A JPEG
        # is decoded from the bytes that were checked; libvips would map the file, and end with it if it is cut off.
        make = self._pyvips.Source
        self._stream: Any = (
            make.new_from_memory(self._data) if self._data else make.new_from_file(os.fsencode(self.where))
        )
        return self._pyvips.Image.new_from_source(self._stream, "", access="random", fail_on=self._fails_on, **options)

    def _choose(self, image: int | str | None) -> tuple[int, tuple[str, ...]]:
        """Choose the page to read, by the rule of :func:`.choose_picture` if there are several."""
        first = self._load()
        count = first.get("n-pages") if first.get_typeof("n-pages") else 1
        if count == 1 and image is None:
            return 0, ()
        sizes = [self._load(page=number) if number else first for number in range(min(count, MAX_PAGES))]
        pictures = [Picture(f"page {number}", size.width, size.height, ()) for number, size in enumerate(sizes)]
        choice = choose_picture(pictures, image, self.where)
        return choice.number, choice.notes

    def _check(self) -> None:
        image = self._image
        if image.format != "uchar" or image.interpretation not in ACCEPTED or not 1 <= image.bands <= 4:
            msg = (
                f"{self.where}: found {image.bands} band(s) of {image.format} ({image.interpretation}), expected 8-bit "
                "gray, RGB or RGBA; convert the image first"
            )
            raise SourceError(msg)

    def _describe(self, number: int, notes: tuple[str, ...]) -> SlideInfo:
        image = self._image
        fields = [name for name in image.get_fields() if name != "filename" and not name.endswith("-data")]
        embedded = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
        profile, left_out = fitting_profile(embedded)
        return SlideInfo(
            name=self._path.name,
            size_bytes=self._path.stat().st_size,
            width=image.width,
            height=image.height,
            mpp_x=print_mpp(1000 / image.xres if image.xres > 0 else None),
            mpp_y=print_mpp(1000 / image.yres if image.yres > 0 else None),
            objective_power=None,
            vendor=None,
            background=WHITE,
            properties={f"vips.{name}": str(image.get(name))[:1000] for name in fields},
            icc_profile=profile,
            reader="vips",
            notes=(*notes, *left_out),
            image=number,
        )

    def _read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        data = self._image.crop(x, y, width, height).write_to_memory()
        samples = np.frombuffer(data, np.uint8).reshape(height, width, self._image.bands)
        return to_rgb(samples, self.info.background)

    def _close(self) -> None:
        self._image = self._stream = None
        self._data = b""


def _ink_notes(image: Any) -> tuple[str, ...]:
    """Return a note about the colours of CMYK without a profile."""
    if image.interpretation != "cmyk" or image.get_typeof("icc-profile-data"):
        return ()
    return ("CMYK without an ICC profile: its colours are those of the profile that libvips has for inks",)


def _to_srgb(image: Any) -> Any:
    """Convert a CMYK image to sRGB, turned upright and without its profile."""
    image = image.autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True)
    image = image.colourspace("srgb").copy()
    image.remove("icc-profile-data")
    return image
