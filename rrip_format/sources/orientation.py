"""Apply the eight values of the tag Orientation (TIFF and EXIF)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TURNS", "Turn"]


class Turn(NamedTuple):
    """The steps from the stored to the displayed picture: transpose, flip upside down, flip left to right."""

    transposes: bool
    flips_rows: bool
    flips_columns: bool

    def stored_box(self, shown: tuple[int, int], y: int, x: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the box (y, x, height, width) of the stored picture that is shown in a box of the displayed one."""
        if self.flips_rows:
            y = shown[0] - y - height
        if self.flips_columns:
            x = shown[1] - x - width
        return (x, y, width, height) if self.transposes else (y, x, height, width)

    def show(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn a block (H, W, …) of the stored picture into the displayed one."""
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
"""Turns by the value of the tag."""
