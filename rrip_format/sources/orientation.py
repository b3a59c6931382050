"""The eight ways in which a stored picture may have to be turned (Orientation of TIFF and EXIF)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TURNS", "Turn"]


class Turn(NamedTuple):
    """From a stored picture to the one that is shown: transpose, then flip upside down, then left to right."""

    transposes: bool
    flips_rows: bool
    flips_columns: bool

    def stored_box(self, shown: tuple[int, int], y: int, x: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Return y, x, height and width in the stored picture of a box of the one of (height, width) `shown`."""
        if self.flips_rows:
            y = shown[0] - y - height
        if self.flips_columns:
            x = shown[1] - x - width
        return (x, y, width, height) if self.transposes else (y, x, height, width)

    def show(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn a block of the stored picture, (H, W, …)."""
        if self.transposes:
            block = np.swapaxes(block, 0, 1)
        return block[:: -1 if self.flips_rows else 1, :: -1 if self.flips_columns else 1]


TURNS = {
    1: Turn(False, False, False),
    2: Turn(False, False, True),
    3: Turn(False, True, True),
    4: Turn(False, True, False),
    5: Turn(True, False, False),
    6: Turn(True, False, True),
    7: Turn(True, True, True),
    8: Turn(True, True, False),
}
"""By the value of the tag."""
