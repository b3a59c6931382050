"""Choose which picture of a file is the slide.

**The slide is the largest picture, wherever it is in the file. If several pictures have that size, the first is read
and a note says how many there are** (focal planes, time points, regions, scenes, series). Labels, macro images,
thumbnails, masks and the coarser levels of a pyramid are never chosen. Several gray pictures of the same size may be
channels, so one of them must be named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rrip_format.errors import SourceError

__all__ = ["Choice", "Picture", "choose_picture"]


@dataclass(frozen=True)
class Picture:
    """A picture that could be the slide.

    Attributes
    ----------
    name : str
        Its name in the file, or a description.
    width, height : int
        Pixels, as stored.
    parts : tuple
        Passed to the reader: the page, or the pages of red, green and blue.
    is_gray : bool
        Whether it has one sample per pixel.
    doubt : str or None
        Why it is read only if the user names it.
    image : int
        Index of the image in OME-XML that describes it.
    """

    name: str
    width: int
    height: int
    parts: tuple[Any, ...]
    is_gray: bool = False
    doubt: str | None = None
    image: int = 0

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height


@dataclass(frozen=True)
class Choice:
    """The picture that was chosen.

    Attributes
    ----------
    picture : Picture
        The picture itself.
    number : int
        Its index among the pictures of the file, 0 first.
    notes : tuple of str
        Notes for the user.
    """

    picture: Picture
    number: int
    notes: tuple[str, ...] = ()


def choose_picture(pictures: Sequence[Picture], image: int | str | None, where: str) -> Choice:
    """Choose the picture to read.

    Parameters
    ----------
    pictures : sequence of Picture
        In file order.
    image : int or str, optional
        Number (0 first) or name of the picture that the user wants.
    where : str
        Path, for error messages.

    Raises
    ------
    SourceError
        If there is no such picture, or the user has to name one.
    """
    if not pictures:
        msg = f"{where}: holds no picture; name another file"
        raise SourceError(msg)
    if image is not None:
        number = _find(pictures, image, where)
        return Choice(pictures[number], number)
    number = max(range(len(pictures)), key=lambda k: (pictures[k].area, -k))
    chosen = pictures[number]
    size = f"{chosen.width}x{chosen.height} px"
    equal = [
        k for k, picture in enumerate(pictures) if (picture.width, picture.height) == (chosen.width, chosen.height)
    ]
    how = f"choose with --image {equal[0]}…{equal[-1]}, or image= in Python"
    if chosen.doubt is not None:
        msg = f"{where}: {chosen.doubt}; {how}"
        raise SourceError(msg)
    if len(equal) == 1:
        return Choice(chosen, number)
    if all(pictures[k].is_gray for k in equal):
        msg = (
            f"{where}: found {len(equal)} gray pictures of {size}, which may be channels or planes, expected 8-bit "
            f"gray, RGB or RGBA in one; {how}"
        )
        raise SourceError(msg)
    note = (
        f"the source holds {len(equal)} pictures of {size} (focal planes, time points or regions); the first, number "
        f"{number} ({chosen.name!r}), is read; {how}"
    )
    return Choice(chosen, number, (note,))


def _find(pictures: Sequence[Picture], image: int | str, where: str) -> int:
    """Return the index of the picture with this number or name."""
    text = str(image)
    if text.isdecimal() and int(text) < len(pictures):
        return int(text)
    named = [number for number, picture in enumerate(pictures) if picture.name.lower() == text.lower()]
    if len(named) == 1:
        return named[0]
    known = ", ".join(
        f"{number} ({picture.name!r}) of {picture.width}x{picture.height}"
        for number, picture in enumerate(pictures[:20])
    )
    msg = f"{where}: found {len(named) or 'no'} picture(s) {text!r}, expected one of {known}"
    raise SourceError(msg)
