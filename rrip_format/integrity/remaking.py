"""Remake lost tiles: overviews from the finer level, tiles of families from the coarser level (spec section 4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import numpy as np

from ..containers.base import Container, Place
from ..core import colour, predict
from ..core.difference import centred
from ..core.jpeg_encoder import Quantiser, encode_ycc
from ..family.decode import decode_base, decode_tile
from ..family.overviews import pad
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import SHARP, Coding
from ..spec.tile import join_tile
from ..zarr_views.hierarchy import check_tile

__all__ = ["KEPT_BYTES", "Overviews", "coarser", "fill_from_coarser", "under"]

_STEPS = Quantiser(np.full(64, 2, np.uint8))
"""Quantiser of remade tiles: small steps, because their pixels have been quantised before."""

KEPT_BYTES = 1 << 26
"""Size of the cache of rebuilt tiles, which the next coarser level is made from."""

_SPAN = 8
"""Number of base tiles along the side of a tile of level 3."""


def under(coding: Coding, level: int, row: int, col: int) -> Iterator[Place]:
    """Generate the stored tiles of the next finer level that a tile of an overview level is made from."""
    geometry, span = coding.geometry, _SPAN if level == BASE_LEVEL + 1 else 2
    rows, cols = geometry.grid(level - 1)
    for below_row in range(row * span, min((row + 1) * span, rows)):
        for below_col in range(col * span, min((col + 1) * span, cols)):
            if not coding.is_empty(level - 1, below_row, below_col):
                yield level - 1, below_row, below_col


def coarser(row: int, col: int) -> Place:
    """Return the tile of level 3 that covers a base tile."""
    return BASE_LEVEL + 1, row // _SPAN, col // _SPAN


class Overviews:
    """Remakes lost tiles of overview levels from the next finer level (spec section 4.3).

    Tiles of that level may have been remade too: the last ones are kept, and others are remade when they are needed.
    """

    def __init__(self, container: Container, rebuilt: AbstractSet[Place]) -> None:
        self._container, self._rebuilt = container, rebuilt
        self._kept: dict[Place, bytes] = {}  # oldest first
        self._bytes = 0

    def rebuild(self, place: Place) -> bytes:
        """Return the tile, made from the decoded pixels of the next finer level."""
        if place not in self._kept:
            self._keep(place, self._encode(place))
        return self._kept[place]

    def _keep(self, place: Place, tile: bytes) -> None:
        self._kept[place] = tile
        self._bytes += len(tile)
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= len(self._kept.pop(next(iter(self._kept))))

    def _encode(self, place: Place) -> bytes:
        coding, (level, row, col) = self._container.metadata.coding, place
        geometry = coding.geometry
        side, below_side = geometry.tile_side(level), geometry.tile_side(level - 1)
        top, left = 2 * side * row, 2 * side * col
        ends = zip(geometry.shape(level - 1), (top, left), strict=True)
        height, width = (min(2 * side, size - at) for size, at in ends)
        rgb = np.empty((height, width, 3), np.uint8)
        rgb[:] = coding.background
        for below in under(coding, *place):
            stored = self.rebuild(below) if below in self._rebuilt else self._container.read_tile(*below)
            tile = decode_tile(coding, *below, [stored])
            y, x = below[1] * below_side - top, below[2] * below_side - left
            part = rgb[y : y + below_side, x : x + below_side]
            part[:] = tile.transpose(1, 2, 0)[: part.shape[0], : part.shape[1]]
        return join_tile([encode_ycc(centred(pad(predict.box2(rgb), side)), _STEPS, _STEPS)], coding.place(*place))


def fill_from_coarser(container: Container, place: Place) -> bytes:
    """Return a tile that shows the upsampled pixels of the next coarser level."""
    coding, (level, row, col) = container.metadata.coding, place
    where = coding.place(*place)
    if level < BASE_LEVEL:
        return join_tile([b""] * coding.streams(level), where)  # without residuals, the prediction is shown
    over = coarser(row, col)
    planes = decode_base(coding, *over, check_tile(coding, *over, container.read_tile(*over)))
    side = coding.geometry.tile // 2
    y, x = row % _SPAN * side, col % _SPAN * side
    upsampled = [predict.up2(np.ascontiguousarray(plane), SHARP) for plane in planes[:, y : y + side, x : x + side]]
    rgb = colour.ycc_to_rgb(np.stack(upsampled)).transpose(1, 2, 0)
    return join_tile([encode_ycc(centred(rgb), _STEPS, _STEPS)], where)
