"""The member ``coding``: all that a decoder needs besides tiles (spec section 8.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, NewerFormatError, shown
from ..geometry import BASE_LEVEL, Geometry, ceil_div
from ..limits import check_limit
from ..tile import TilePlace
from .bitmap import all_set, as_array, count_set, pack_bitmap, unpack_bitmap
from .rules import is_int, validate_coding
from .sealing import error_of, seal

__all__ = [
    "BILINEAR",
    "FORMAT_VERSION",
    "SHARP",
    "Coding",
    "ResidualCoding",
    "check_version",
    "parse_coding",
    "to_coding",
]

FORMAT_VERSION = 1
"""Version of the format that this package writes and the newest that it reads (spec section 11)."""

SHARP = (-6, 58, 14, -2)
"""The default taps, in 64ths: sharper than bilinear at the nearer sample (spec section 5.2)."""

BILINEAR = (0, 48, 16, 0)
"""The taps of the original method, in 64ths."""

Json = Any


@dataclass(frozen=True, slots=True)
class ResidualCoding:
    """How one residual level is coded (spec section 8.2).

    Parameters
    ----------
    taps : four ints
        Upsampling filter of Y in 64ths.
    cfl : two ints
        Chroma-from-luma coefficients of Cb and Cr in 64ths; zero switches it off.
    planes : int
        1 for a luma residual, 3 for luma, Cb and Cr.
    chroma_taps : four ints
        Upsampling filter of Cb and Cr in 64ths.
    """

    taps: tuple[int, int, int, int] = SHARP
    cfl: tuple[int, int] = (0, 0)
    planes: int = 1
    chroma_taps: tuple[int, int, int, int] = SHARP


@dataclass(frozen=True)
class Coding:
    """All that a decoder needs besides tiles (spec section 8.2).

    Parameters
    ----------
    uuid : UUID
        Identity of the container's pixels; part of every tile.
    geometry : Geometry
    residuals : two ResidualCoding
        Of level 0 and of level 1.
    background : three ints
        RGB of empty families, three equal values.
    empty_bits : bytes
        One bit a family, row by row, most significant first, set where the family is empty; no bytes: none is.
    document : object, optional
        What it was parsed from: written again as it was, with members that this version does not know.
    """

    uuid: UUID
    geometry: Geometry
    residuals: tuple[ResidualCoding, ResidualCoding]
    background: tuple[int, int, int] = (255, 255, 255)
    empty_bits: bytes = field(default=b"", repr=False)
    document: Json = field(default=None, repr=False, compare=False)

    @cached_property
    def empty(self) -> NDArray[np.bool_]:
        """Which families are empty, (rows, columns) bool."""
        rows, cols = self.geometry.families
        return as_array(self.empty_bits, rows * cols).reshape(rows, cols)

    def is_empty(self, level: int, row: int, col: int) -> bool:
        """Whether a tile is absent because every family under it is empty (spec section 7.3)."""
        if not self.empty_bits:
            return False
        rows, cols = self.geometry.families
        span = 1 if level <= BASE_LEVEL else 4 << (level - BASE_LEVEL)
        top, bottom = row * span, min((row + 1) * span, rows)
        left, right = col * span, min((col + 1) * span, cols)
        if not (0 <= top < bottom and 0 <= left < right):
            return False  # outside the grid nothing is empty
        starts = range(top * cols, bottom * cols, cols)
        return all(all_set(self.empty_bits, start + left, start + right) for start in starts)

    @property
    def empty_count(self) -> int:
        """How many families are empty."""
        rows, cols = self.geometry.families
        return count_set(self.empty_bits, rows * cols)

    def streams(self, level: int) -> int:
        """Number of JPEG streams in a tile of `level`."""
        return self.residuals[level].planes if level < BASE_LEVEL else 1

    def tile_limit(self, level: int) -> int:
        """Most bytes that a stored tile of `level` can have (spec section 12)."""
        return (1 << 16) + 6 * self.geometry.tile_side(level) ** 2

    def place(self, level: int, row: int, col: int) -> TilePlace:
        """Name a tile of this container."""
        return TilePlace(self.uuid, level, row, col)

    def to_json(self) -> dict[str, Json]:
        """The ``coding`` object, sealed."""
        if self.document is not None and parse_coding(self.document) == self:
            return dict(self.document)
        return seal(
            {
                "version": FORMAT_VERSION,
                "requires": [],
                "uuid": str(self.uuid),
                "width": self.geometry.width,
                "height": self.geometry.height,
                "tile": self.geometry.tile,
                "residuals": [
                    {"taps": list(r.taps), "chroma_taps": list(r.chroma_taps), "cfl": list(r.cfl), "planes": r.planes}
                    for r in self.residuals
                ],
                "background": list(self.background),
                "empty": pack_bitmap(self.empty_bits),
            }
        )


def parse_coding(document: Json) -> Coding:
    """The :class:`Coding` of a ``coding`` object.

    Raises
    ------
    NewerFormatError
        If its version is newer than this reader, or it requires a feature that this reader does not know.
    LimitError
        If it has more families than this reader accepts.
    FormatError
        If it breaks a rule of spec section 8.2.
    """
    check_version(document)
    problems = validate_coding(document)
    if problems:
        raise error_of(problems)
    return to_coding(document)


def to_coding(document: Json) -> Coding:
    """The same of an object whose version is known and of which :func:`validate_coding` has found nothing wrong."""
    geometry = Geometry(document["width"], document["height"], document["tile"])
    rows, cols = geometry.families
    check_limit("families", rows * cols, "the slide", rule="limit.families")
    first, second = (
        ResidualCoding(tuple(r["taps"]), tuple(r["cfl"]), r["planes"], tuple(r["chroma_taps"]))  # lengths are validated
        for r in document["residuals"]
    )
    empty_bits = unpack_bitmap(document.get("empty"), ceil_div(rows * cols, 8))
    return Coding(
        UUID(document["uuid"]), geometry, (first, second), tuple(document["background"]), empty_bits, document
    )


def check_version(document: Json) -> None:
    """Refuse what a newer writer has said cannot be read by an older reader (spec section 11)."""
    version: Json = document.get("version") if isinstance(document, dict) else None
    if not is_int(version, 1, 2**31):
        raise FormatError(
            f"coding.version: is {shown(version)}, expected a positive integer; is this an RRIP container?",
            rule="metadata.version",
        )
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"the container has format version {version}, this rrip_format reads up to {FORMAT_VERSION}: upgrade it"
        )
    requires = document.get("requires")
    if not isinstance(requires, list):
        raise FormatError(f"coding.requires: is {shown(requires)}, expected a list", rule="metadata.requires")
    if requires:
        raise NewerFormatError(
            f"the container requires {shown(requires)}, unknown to this rrip_format: upgrade it", rule="newer.requires"
        )
