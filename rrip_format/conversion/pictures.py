"""The associated images of a slide, as a container stores them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from ..family.jpeg import encode
from ..privacy.pictures import may_show_label
from ..sources import Source
from ..spec.attachments import ASSOCIATED_NAMES

__all__ = ["encode_pictures"]

_QUALITY = 90
"""JPEG quality of associated images."""


def encode_pictures(source: Source, *, label: bool) -> Iterator[tuple[str, bytes]]:
    """Generate names and JPEG files of the associated images that the format has a name for (spec section 9.7).

    Images that show the label, or might show it, are left out unless `label` is set. They are not read if their name
    suffices to decide.
    """
    level_0 = source.info.height, source.info.width
    for name, reader in source.associated().items():
        if name not in ASSOCIATED_NAMES:
            continue
        read = cache(reader)
        if label or not may_show_label(name, source.info.vendor, level_0, partial(_shape, read), read):
            yield name, encode(read(), _QUALITY)


def _shape(read: Callable[[], NDArray[np.uint8]]) -> tuple[int, int]:
    height, width, _ = read().shape
    return height, width
