"""Which second reader a source has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np

from ..errors import LimitError, one_line
from ..sources.base import Source
from ..sources.files import head_of, is_dicom
from ..sources.tiffcheck import is_tiff
from . import dicom, openslide, pillow, tiff, vips
from .base import Area, Image, SecondReader, UnableError

__all__ = ["FIRST_NAMES", "close_all", "open_second"]

FIRST_NAMES = {"openslide": "OpenSlide", "tifffile": "tifffile", "vips": "libvips", "pydicom": "pydicom"}
"""How messages call the reader of a source."""

OPENSLIDE = FIRST_NAMES["openslide"]

Opener = Callable[[], list[SecondReader]]


_OVERLAPPING = {"trestle", "ventana"}
"""Vendors whose tiles overlap, so that a file's picture is larger than the slide."""


def open_second(source: Source) -> list[SecondReader]:
    """Open the file of a source by a library that is not its reader.

    Returns
    -------
    list of SecondReader
        Readers of all pictures that the source may be meant to show: focal planes or channels of one size.

    Raises
    ------
    UnableError
        None of those that know files of that kind is another one, is installed and reads this one; why is its message.
    """
    reasons: list[str] = []
    info = source.info
    for opener in _openers(source):
        try:
            readers = opener()
            if info.vendor in _OVERLAPPING and (readers[0].height, readers[0].width) != (info.height, info.width):
                close_all(readers)
                raise UnableError(f"its tiles overlap, and {readers[0].name} does not place them")
            if readers[0].name == OPENSLIDE and (readers[0].height, readers[0].width) != (info.height, info.width):
                close_all(readers)  # of several series it may have opened another one
                raise UnableError("OpenSlide opens another picture")
            return [*readers, *_in_colour(readers)]
        except UnableError as error:
            reasons.append(str(error))
        except MemoryError as error:
            raise LimitError(f"{source.where}: a second reader needs more memory") from error
        except Exception as error:  # noqa: BLE001 - a library may raise anything, and the source could be opened
            reasons.append(one_line(error))
    raise UnableError(
        "; ".join(reasons) or f"no other reader of {source.info.vendor or 'this kind of source'} is known"
    )


def _openers(source: Source) -> Iterator[Opener]:
    """Yield what may read the file, best first.

    OpenSlide, libvips and Pillow all read TIFF through libtiff, which takes the colours of JPEG tiles from the tags
    alone: what two of them agree on may be wrong. So tifffile checks these, and a parser of our own with Pillow's
    reading of single tiles checks tifffile.
    """
    info, path = source.info, Path(source.where)
    path = path.parent if path.name == "DICOMDIR" else path
    if info.reader not in FIRST_NAMES:
        return
    background = info.background
    size = (info.height, info.width) if "rrip.image" in info.properties else None  # someone chose a picture
    head = head_of(path) if path.is_file() else b""
    if is_dicom(head) or path.is_dir():
        yield lambda: dicom.open_dicom(path, size, background)
        if info.reader != "openslide":
            yield lambda: openslide.open_slide(path, background, has_colour=False)
    elif is_tiff(head):
        if info.reader == "tifffile":
            yield lambda: pillow.open_tiff(path, size, background)
            if info.vendor == "aperio" and size is None:  # JPEG 2000 of two kinds of its own
                yield lambda: openslide.open_slide(path, background)
        else:
            yield lambda: tiff.open_tiff(path, size, background)
        if info.reader != "vips":
            yield lambda: vips.open_tiff(path, size, background)
    elif info.reader == "vips":
        if info.image:
            raise UnableError("only the first picture of a file is read again")
        yield lambda: pillow.open_picture(path, background)


def _in_colour(readers: list[SecondReader]) -> list[SecondReader]:
    """Return the planes that the pictures of a file may be the channels of, in every order of red, green and blue.

    The channels of a plane are neighbours, or a third of all pictures apart. Which is red is in OME-XML, and is not
    checked here.
    """
    count = len(readers)
    if count % 3:
        return []
    planes = [readers[k : k + 3] for k in range(0, count, 3)]
    planes += [readers[k :: count // 3] for k in range(count // 3) if count > 3]
    return [Channels(list(order)) for plane in planes for order in permutations(plane)]


class Channels(SecondReader):
    """Three gray pictures of one size as the red, green and blue of one.

    Parameters
    ----------
    readers : list of SecondReader
        Of the channels, in this order.
    """

    def __init__(self, readers: list[SecondReader]) -> None:
        super().__init__(readers[0].height, readers[0].width)
        self.name = readers[0].name
        self._readers = tuple(readers)

    def block(self, y: int, x: int) -> Area:
        """Return the block of the first channel."""
        return self._readers[0].block(y, x)

    def holds(self, area: Area) -> bool:
        """Return whether the first channel holds an area."""
        return self._readers[0].holds(area)

    def read(self, area: Area) -> Image:
        """Return RGB."""
        return np.stack([reader.read(area)[..., 0] for reader in self._readers], axis=-1)


def close_all(readers: list[SecondReader]) -> None:
    """Close readers."""
    for reader in readers:
        reader.close()
