"""The levels of a slide, and the checks of numbers from callers."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import shown
from ..spec.metadata import Metadata

__all__ = ["Level", "fit", "list_levels", "whole"]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a slide.

    Parameters
    ----------
    index : int
        0 is the finest.
    width, height : int
        Size, px.
    tile : int
        Side of a tile, px.
    downsample : int
        Level 0 pixels per pixel along each axis.
    mpp : two floats or None
        Width and height of a pixel, µm.
    """

    index: int
    width: int
    height: int
    tile: int
    downsample: int
    mpp: tuple[float, float] | None


def list_levels(metadata: Metadata) -> tuple[Level, ...]:
    """List the levels of a slide, finest first."""
    geometry, mpp = metadata.coding.geometry, metadata.slide.mpp
    return tuple(
        Level(
            index=k,
            width=geometry.shape(k)[1],
            height=geometry.shape(k)[0],
            tile=geometry.tile_side(k),
            downsample=2**k,
            mpp=None if mpp is None else (mpp[0] * 2**k, mpp[1] * 2**k),
        )
        for k in range(geometry.levels)
    )


def whole(name: str, number: object) -> int:
    """Return a whole number, also one of NumPy's types.

    Raises
    ------
    TypeError
        If it is not a whole number.
    """
    try:
        return operator.index(number)  # type: ignore[arg-type]  # that is what is found out
    except TypeError:
        raise TypeError(f"{name} is {shown(number)}, expected a whole number") from None


def fit(levels: Sequence[Level], size: object) -> tuple[Level, int, int]:
    """Find the coarsest level from which a picture of the slide in a given size can be made.

    Parameters
    ----------
    levels : sequence of Level
        Finest first.
    size : int or (width, height)
        Largest side, or largest width and height, px; nothing is enlarged.

    Returns
    -------
    Level, int, int
        The level, and height and width of the picture, px.

    Raises
    ------
    TypeError, ValueError
        If `size` is not one or two whole numbers, or not positive.
    """
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"size is {shown(size)}, expected a whole number or (width, height), px")
    most = [whole("size", side) for side in sides]
    if min(most) < 1:
        raise ValueError(f"size is {shown(size)}, expected at least 1 px")
    full = levels[0].width, levels[0].height
    scale = min(1.0, *(limit / side for limit, side in zip(most, full, strict=True)))
    width, height = (max(1, round(side * scale)) for side in full)
    level = next(level for level in reversed(levels) if level.width >= width and level.height >= height)
    return level, height, width
