"""Decide which associated images of a slide may show its label.

A label image does. A macro image is a photograph of the whole slide, label and all: Ventana calls its own "Label
Image", those of Hamamatsu and Leica have the label at one end (openslide.org/formats; bgilbert/anonymize-slide, which
deletes Hamamatsu's for that reason; Bisson et al., Digital Health 2023, doi 10.1177/20552076231171475, who delete
macro images of every vendor). Only Aperio's scanners blacken the end with the label, and not all of them, so these
images are examined. A thumbnail with the proportions of level 0 is a reduced copy of it; any other is a photograph too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_thumbnail_of", "may_show_label"]

_MASKED_VENDOR = "aperio"

_LABEL_END, _MARGIN = 0.15, 0.15
"""Fractions of the width and of the height, from the edges, that bound the blackened end of the glass."""

_BLACK, _BLACK_PART = 24, 0.98
"""Largest sample of a black pixel, and the smallest fraction of black pixels, since the sensor has noise."""

_SHAPE_TOLERANCE = 0.03
"""Largest relative difference between the proportions of a thumbnail and of level 0, due to rounding to pixels."""


def may_show_label(
    name: str,
    vendor: str | None,
    level_0: tuple[int, int],
    shape: Callable[[], tuple[int, int]],
    read: Callable[[], NDArray[np.uint8]],
) -> bool:
    """Return whether an associated image shows the label, or might show it.

    Parameters
    ----------
    name : str
        ``label``, ``macro`` or ``thumbnail``.
    vendor : str or None
        Vendor of the slide, as OpenSlide names it.
    level_0 : (height, width)
        Size of level 0, px.
    shape, read : callable
        Return (height, width) of the image, px, and the image itself, (height, width, 3) uint8 RGB; called only if
        needed to decide.
    """
    if name == "thumbnail":
        return not is_thumbnail_of(shape(), level_0)
    return name != "macro" or vendor != _MASKED_VENDOR or not _is_masked(read())


def is_thumbnail_of(shape: tuple[int, int], level_0: tuple[int, int]) -> bool:
    """Return whether a picture of (height, width) px has the proportions of level 0."""
    (height, width), (full_height, full_width) = shape, level_0
    # a side of a few pixels is rounded by more than the tolerance
    slack = _SHAPE_TOLERANCE + 1 / max(1, min(height, width))
    return abs(height * full_width / (width * full_height) - 1) <= slack


def _is_masked(rgb: NDArray[np.uint8]) -> bool:
    """Return whether the left end of a photograph, where the label is, is black."""
    height, width = rgb.shape[:2]
    rows, cols = int(height * _MARGIN), max(1, int(width * _LABEL_END))
    end = rgb[rows : height - rows, :cols]
    return bool((end.max(axis=2) <= _BLACK).mean() >= _BLACK_PART)
