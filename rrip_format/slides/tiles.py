"""Tiles of an open container as pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..containers.base import Container, Place, Tiles
from ..errors import RripError
from ..spec.geometry import Geometry, needed_levels
from .regions import Part

if TYPE_CHECKING:
    from ..core.colour import Corner, Window

__all__ = ["TileReader"]


class TileReader:
    """Reads and decodes tiles of a container.

    Parameters
    ----------
    container : Container
        The open container.
    """

    def __init__(self, container: Container) -> None:
        self.container = container
        self.name = container.name
        self.metadata = container.metadata

    @property
    def geometry(self) -> Geometry:
        """Sizes of every level and its tiles."""
        return self.metadata.coding.geometry

    def _places(self, level: int, row: int, col: int) -> list[Place]:
        """Which stored tiles a tile is made of, none if it is empty."""
        is_empty = self.metadata.coding.is_empty(level, row, col)
        return [] if is_empty else [(needed, row, col) for needed in needed_levels(level)]

    def _decode(
        self, level: int, row: int, col: int, window: Window | None, corner: Corner | None = None
    ) -> NDArray[np.uint8]:
        """RGB of a tile that exists, or of a part of it, put to a place in a picture."""
        tiles = self.container.read_tiles(self._places(level, row, col))
        return self._decoded(level, row, col, tiles, window, corner)

    def _decoded(
        self, level: int, row: int, col: int, tiles: Tiles, window: Window | None, corner: Corner | None = None
    ) -> NDArray[np.uint8]:
        """The same of stored tiles that have been read."""
        from ..family.decode import decode_tile  # which loads the compiled core

        try:
            return decode_tile(self.metadata.coding, level, row, col, tiles, window, corner)
        except RripError as error:
            raise error.within(self.name) from error

    def _put_tile(self, level: int, part: Part, picture: NDArray[np.uint8], tiles: Tiles | None = None) -> None:
        """Put a part to its place in a picture; of stored tiles, if they have been read already."""
        corner = picture, part.top, part.left
        if tiles is None:
            self._decode(level, part.row, part.col, part.window, corner)
        else:
            self._decoded(level, part.row, part.col, tiles, part.window, corner)

    def _put_known(self, level: int, part: Part, picture: NDArray[np.uint8]) -> bool:  # noqa: ARG002
        """Put a part to its place if nothing has to be read for it; whether that was so."""
        return False
