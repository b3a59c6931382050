"""RRIP as one of the codecs, encoded as in a conversion of the whole source."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from ..conversion.plan import Plan, make_plan
from ..family.decode import decode_family
from ..family.encode import Quality, StreamCoder, encode_family
from ..spec.geometry import Geometry
from ..spec.metadata import BILINEAR, Coding, ResidualCoding
from ..tuning.settings import Settings
from .peers import Stored
from .sample import Family

if TYPE_CHECKING:
    from ..sources import Source

__all__ = ["QUALITIES", "Notebook", "Rrip"]


QUALITIES = (25, 45, 60, 75, 83, 90, 95)
"""Qualities that are measured, besides that of the settings."""


def _stored(coding: Coding, family: Family, coder: StreamCoder) -> Stored:
    """Encode a family; each level is decoded from its own stored tile and those of coarser levels."""
    row, col = family.row, family.col
    tiles = encode_family(coding, row, col, family.levels, coder).tiles
    return Stored(
        (len(tiles[0]), len(tiles[1]), len(tiles[2])),
        lambda level: decode_family(coding, row, col, tiles[level:][::-1]).transpose(1, 2, 0),
    )


class Rrip:
    """Our encoder over a range of qualities.

    Parameters
    ----------
    source : Source
        The slide whose sample determines steps and taps.
    settings : Settings
        Settings of the encoder; their quality is one of those measured.
    """

    key = "rrip"
    label = "RRIP"

    def __init__(self, source: Source, settings: Settings) -> None:
        self._source = source
        self._settings = settings
        grid = () if settings.preset else QUALITIES
        self.settings: tuple[float, ...] = tuple(sorted({*grid, settings.quality}))
        self._plan = lru_cache(maxsize=None)(self._make_plan)

    def _make_plan(self, quality: float) -> Plan:
        """Make the plan of a conversion of the whole source at a quality."""
        settings = self._settings
        if quality != settings.quality:
            settings = dataclasses.replace(settings, quality=int(quality), target=None, steps=None)
        with ThreadPoolExecutor(os.cpu_count()) as executor:
            return make_plan(self._source, settings, executor)

    def encode(self, family: Family, setting: float) -> Stored:
        """Encode a family; see :meth:`.Method.encode`."""
        plan = self._plan(setting)
        return _stored(plan.coding, family, plan.settings.streams)


class Notebook:
    """The original method on the same tiles: bilinear, Annex K tables, level 2 at quality 90, luma only.

    Parameters
    ----------
    geometry : Geometry
        Levels and tiles of the source.
    """

    key = "notebook"
    label = "RRIP, original method"
    settings: tuple[float, ...] = (15, 32, 50, 65, 78, 88, 94)

    def __init__(self, geometry: Geometry) -> None:
        how = ResidualCoding(BILINEAR, (0, 0), 1, BILINEAR)
        self._coding = Coding(UUID(int=0, version=4), geometry, (how, how), (255, 255, 255))

    def encode(self, family: Family, setting: float) -> Stored:
        """Encode a family; see :meth:`.Method.encode`. The setting is the quality of both residuals."""
        quality = int(setting)
        coder = Quality(90, (quality, quality), (quality, quality), flat=False, trellis=False)
        return _stored(self._coding, family, coder)
