"""What every second reader offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import load_module

__all__ = ["BLOCK", "MOST_PLANES", "Area", "Image", "SecondReader", "UnableError", "load_second", "over_background"]

Image = NDArray[np.uint8]

BLOCK = 256
"""Side of the largest block that is compared, px."""


class UnableError(Exception):
    """A second reader cannot read a file. Another one may; if none can, there is no second opinion."""


MOST_PLANES = 32
"""How many pictures of one size are looked at for the one that a source shows."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of level 0, px."""

    y: int
    x: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"y={self.y} x={self.x} {self.height}x{self.width}"


class SecondReader(ABC):
    """Level 0 of a file as 8-bit RGB, turned as viewers show it.

    Parameters
    ----------
    height, width : int
        Level 0, px.

    Attributes
    ----------
    name : str
        Of the library, for messages.
    slack : int
        How many px a block may lie beside its place, where a scanner's lengths are rounded to px.
    has_colour : bool
        False where colours of print (CMYK) became RGB: every library has another formula for that, so only the shapes
        can be compared.
    """

    name: str
    slack = 0
    has_colour = True

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    @abstractmethod
    def read(self, area: Area) -> Image:
        """Return RGB of a rectangle inside level 0, (height, width, 3); exceptions of any kind are allowed."""

    def block(self, y: int, x: int) -> Area:
        """Return a rectangle around a pixel that is cheap to read, at most ``BLOCK`` high and wide."""
        top, left = y // BLOCK * BLOCK, x // BLOCK * BLOCK
        return Area(top, left, min(BLOCK, self.height - top), min(BLOCK, self.width - left))

    def holds(self, area: Area) -> bool:  # noqa: ARG002 - readers that decode from the top look at it
        """Return whether an area can be read at little cost: not so below the top of what is decoded from there on."""
        return True

    def likely(self, count: int) -> list[tuple[int, int]]:  # noqa: ARG002 - nothing is known here
        """Return some pixels (y, x) near which there is much to see, as far as that is known without decoding."""
        return []

    def edges(self) -> list[tuple[int, int]]:
        """Return pixels (y, x) at the right and the lower edge, of tiles that are cut there and show most."""
        return [(self.height // 2, self.width - 1), (self.height - 1, self.width // 2)]

    def close(self) -> None:  # noqa: B027 - not every reader holds a file
        """Release the file."""


def load_second(name: str) -> Any:
    """Import the library of a second reader; `UnableError` where it is not installed."""
    try:
        return load_module(name, "convert", "a second reader")
    except ImportError as error:
        raise UnableError(f"{name.partition('.')[0]} is not installed") from error


def over_background(samples: Image, background: tuple[int, int, int], *, premultiplied: bool = False) -> Image:
    """Return RGB of gray (1 sample), gray + alpha (2), RGB (3) or RGBA (4 samples of the last axis) on a background."""
    colour, alpha = (samples[..., :-1], samples[..., -1:]) if samples.shape[-1] in {2, 4} else (samples, None)
    if colour.shape[-1] == 1:
        colour = np.repeat(colour, 3, axis=-1)
    if alpha is None:
        return colour
    weight = alpha.astype(np.float32) / 255
    seen = colour * (1 if premultiplied else weight) + np.array(background, np.float32) * (1 - weight)
    rgb: Image = np.rint(np.minimum(seen, 255)).astype(np.uint8)
    return rgb
