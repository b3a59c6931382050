"""Which picture of a file is the slide: one rule, said aloud, and a way to choose another.

**The largest picture is the slide, whatever comes first. Of several of that size the first is read, and a note says how
many there are**: focal planes, time points, regions, scenes, series. Labels, macro images, thumbnails, masks and the
coarser levels of a pyramid are not candidates. Several gray pictures of one size are refused unless one is chosen,
because they may as well be channels.
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
        As the file calls it, or what it is.
    width, height : int
        Pixels, as stored.
    parts : tuple
        What the reader needs: the page, or three pages that are red, green and blue.
    is_gray : bool
        One sample a pixel.
    doubt : str or None
        Why it is not read without being chosen.
    """

    name: str
    width: int
    height: int
    parts: tuple[Any, ...]
    is_gray: bool = False
    doubt: str | None = None

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height


@dataclass(frozen=True)
class Choice:
    """The picture that is read.

    Attributes
    ----------
    picture : Picture
    number : int
        Its place among the file's pictures.
    notes : tuple of str
        For the user.
    """

    picture: Picture
    number: int
    notes: tuple[str, ...] = ()


def choose_picture(pictures: Sequence[Picture], image: int | str | None, where: str) -> Choice:
    """Choose the picture to read.

    Parameters
    ----------
    pictures : sequence of Picture
        In the file's order.
    image : int or str, optional
        Number (0 first) or name of the one that the user wants.
    where : str
        Path, for errors.

    Raises
    ------
    SourceError
        There is no such picture, or none that can be read without being chosen.
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
    """Return the number of the picture of that number or name."""
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
