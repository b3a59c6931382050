"""Imported by the process that others are forked from: what works on blocks is loaded once for all of them."""

from __future__ import annotations

import gc
from contextlib import suppress
from uuid import UUID

import numpy as np

from .blocks import Block, encode_block
from .encoder import UNFITTED, Settings
from .family import decode_planes
from .geometry import Geometry
from .metadata import Coding

__all__ = ["warm"]


def warm() -> None:
    """Encode and decode a family, so that all kernels for that are loaded; without a thread, which no fork copies."""
    settings = Settings(tile=64)
    geometry = Geometry(256, 256, settings.tile)
    coding = Coding(UUID(int=0), geometry, settings.residuals((UNFITTED, UNFITTED)))
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for family in encode_block(noise, coding, settings.streams, Block(0, 0, 1, 1)):
        decode_planes(coding, 0, 0, [tile.data for tile in family.tiles[::-1]])


with suppress(Exception):  # what is wrong, the first process says
    warm()
gc.freeze()  # collections leave alone what is there now, so that its memory stays shared
