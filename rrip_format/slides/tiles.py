"""Read and decode the tiles of an open container."""

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
        """Return the stored tiles that a tile is decoded from; none if it is empty."""
        is_empty = self.metadata.coding.is_empty(level, row, col)
        return [] if is_empty else [(needed, row, col) for needed in needed_levels(level)]

    def _decode(
        self, level: int, row: int, col: int, window: Window | None, corner: Corner | None = None
    ) -> NDArray[np.uint8]:
        """Read and decode an existing tile or a part of it, optionally into a picture."""
        tiles = self.container.read_tiles(self._places(level, row, col))
        return self._decoded(level, row, col, tiles, window, corner)

    def _decoded(
        self, level: int, row: int, col: int, tiles: Tiles, window: Window | None, corner: Corner | None = None
    ) -> NDArray[np.uint8]:
        """Decode stored tiles that have been read; see :meth:`_decode`."""
        from ..family.decode import decode_tile  # which loads the compiled core

        try:
            return decode_tile(self.metadata.coding, level, row, col, tiles, window, corner)
        except RripError as error:
            raise error.within(self.name) from error

    def _put_tile(self, level: int, part: Part, picture: NDArray[np.uint8], tiles: Tiles | None = None) -> None:
        """Decode a part into a picture, from `tiles` if they have been read already."""
        corner = picture, part.top, part.left
        if tiles is None:
            self._decode(level, part.row, part.col, part.window, corner)
        else:
            self._decoded(level, part.row, part.col, tiles, part.window, corner)

    def _put_known(self, level: int, part: Part, picture: NDArray[np.uint8]) -> bool:  # noqa: ARG002
        """Copy a part into a picture if nothing must be read for it; return whether that was so."""
        return False
