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

__all__ = ["Picture", "choose_picture"]


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


def choose_picture(pictures: Sequence[Picture], image: int | str | None, where: str) -> tuple[Picture, tuple[str, ...]]:
    """Return the picture to read, and notes for the user.

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
        chosen = _find(pictures, image, where)
        return chosen, ()
    chosen = max(pictures, key=lambda picture: picture.area)  # of equals the first
    equal = [picture for picture in pictures if (picture.width, picture.height) == (chosen.width, chosen.height)]
    if chosen.doubt is not None:
        msg = f"{where}: {chosen.doubt}; {_how_to_choose(pictures, equal)}"
        raise SourceError(msg)
    if len(equal) == 1:
        return chosen, ()
    what = f"{len(equal)} pictures of {chosen.width}x{chosen.height} px"
    if all(picture.is_gray for picture in equal):
        msg = (
            f"{where}: found {what}, gray, which may be channels or planes, expected 8-bit gray, RGB or RGBA in one; "
            f"{_how_to_choose(pictures, equal)}"
        )
        raise SourceError(msg)
    number = pictures.index(chosen)
    note = (
        f"the source holds {what} (focal planes, time points or regions); the first, {_label(number, chosen)}, is "
        f"read; {_how_to_choose(pictures, equal)}"
    )
    return chosen, (note,)


def _find(pictures: Sequence[Picture], image: int | str, where: str) -> Picture:
    text = str(image)
    if text.isdecimal() and int(text) < len(pictures):
        return pictures[int(text)]
    named = [picture for picture in pictures if picture.name.lower() == text.lower()]
    if len(named) == 1:
        return named[0]
    known = ", ".join(
        f"{_label(number, picture)} of {picture.width}x{picture.height}" for number, picture in enumerate(pictures[:20])
    )
    msg = f"{where}: found {len(named) or 'no'} picture(s) {text!r}, expected one of {known}"
    raise SourceError(msg)


def _label(number: int, picture: Picture) -> str:
    return f"{number} ({picture.name!r})"


def _how_to_choose(pictures: Sequence[Picture], equal: Sequence[Picture]) -> str:
    numbers = [number for number, picture in enumerate(pictures) if picture in equal]
    return f"choose with --image {numbers[0]}…{numbers[-1]}, or image= in Python"
