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
from .rules import LUMA_FILTER, is_int, validate_coding
from .sealing import error_of, seal

__all__ = [
    "BILINEAR",
    "FORMAT_VERSION",
    "SHARP",
    "Coding",
    "ResidualCoding",
    "check_version",
    "parse_codec",
    "parse_coding",
    "to_coding",
]

FORMAT_VERSION = 1
"""Version of the format that this package writes and the newest that it reads (spec section 11)."""

SHARP = (-6, 58, 14, -2)
"""The default taps, in 64ths, sharper than bilinear (spec section 5.2)."""

BILINEAR = (0, 48, 16, 0)
"""The taps of the original method, in 64ths."""

Json = Any


@dataclass(frozen=True, slots=True)
class ResidualCoding:
    """Parameters of one residual level (spec section 8.2).

    Parameters
    ----------
    taps : four ints
        Upsampling filter of Y in 64ths.
    cfl : two ints
        Chroma-from-luma coefficients of Cb and Cr in 64ths; zero for no prediction.
    planes : int
        1 for a luma residual, 3 for luma, Cb and Cr.
    chroma_taps : four ints
        Upsampling filter of Cb and Cr in 64ths.
    luma_filter : four ints or None
        Weights of the filter of decoded luma in 128ths (spec section 5.8), which only level 0 may have. The first two
        are of clipped differences to edge and to diagonal neighbours, -63 … 63; the others of whole differences to
        both, with sum of magnitudes at most 28; not all are zero.
    """

    taps: tuple[int, int, int, int] = SHARP
    cfl: tuple[int, int] = (0, 0)
    planes: int = 1
    chroma_taps: tuple[int, int, int, int] = SHARP
    luma_filter: tuple[int, int, int, int] | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the object of ``residuals``."""
        document = {
            "taps": list(self.taps),
            "chroma_taps": list(self.chroma_taps),
            "cfl": list(self.cfl),
            "planes": self.planes,
        }
        return document if self.luma_filter is None else document | {"luma_filter": list(self.luma_filter)}


@dataclass(frozen=True)
class Coding:
    """All that a decoder needs besides tiles (spec section 8.2).

    Parameters
    ----------
    uuid : UUID
        Identity of the container's pixels; its first half is in the trailer of every tile.
    geometry : Geometry
        Sizes of levels and tiles.
    residuals : two ResidualCoding
        Parameters of level 0 and of level 1.
    background : three ints
        RGB of empty families, three equal values.
    empty_bits : bytes
        Bitmap of empty families, one bit each, row by row, most significant bit first; no bytes if none is empty.
    document : object, optional
        The JSON object it was parsed from, which is written again with members that this version does not know.
    """

    uuid: UUID
    geometry: Geometry
    residuals: tuple[ResidualCoding, ResidualCoding]
    background: tuple[int, int, int] = (255, 255, 255)
    empty_bits: bytes = field(default=b"", repr=False)
    document: Json = field(default=None, repr=False, compare=False)

    @cached_property
    def empty(self) -> NDArray[np.bool_]:
        """Whether each family is empty, (rows, columns) bool."""
        rows, cols = self.geometry.families
        return as_array(self.empty_bits, rows * cols).reshape(rows, cols)

    def is_empty(self, level: int, row: int, col: int) -> bool:
        """Return whether a tile is absent because all families that it covers are empty (spec section 7.3)."""
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
        """Number of empty families."""
        rows, cols = self.geometry.families
        return count_set(self.empty_bits, rows * cols)

    def streams(self, level: int) -> int:
        """Return the number of JPEG streams in a tile of `level`."""
        return self.residuals[level].planes if level < BASE_LEVEL else 1

    def tile_limit(self, level: int) -> int:
        """Return the largest size of a stored tile of `level`, bytes (spec section 12)."""
        return (1 << 16) + 6 * self.geometry.tile_side(level) ** 2

    def place(self, level: int, row: int, col: int) -> TilePlace:
        """Return the identity of a tile of this container."""
        return TilePlace(self.uuid, level, row, col)

    def to_json(self) -> dict[str, Json]:
        """Return the sealed ``coding`` object."""
        if self.document is not None and parse_coding(self.document) == self:
            return dict(self.document)
        return seal(
            {
                "version": FORMAT_VERSION,
                "requires": [] if self.residuals[0].luma_filter is None else [LUMA_FILTER],
                "uuid": str(self.uuid),
                "width": self.geometry.width,
                "height": self.geometry.height,
                "tile": self.geometry.tile,
                "residuals": [how.to_json() for how in self.residuals],
                "background": list(self.background),
                "empty": pack_bitmap(self.empty_bits),
            }
        )


def parse_coding(document: Json) -> Coding:
    """Parse a ``coding`` object.

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


def parse_codec(level: Json, coding: Json) -> tuple[int, Coding]:
    """Parse the configuration of a codec ``rrip`` (spec sections 9.3 and 9.8).

    Raises
    ------
    FormatError
        If the coding breaks a rule of spec section 8.2, or has no such level.
    """
    parsed = parse_coding(coding)
    most = parsed.geometry.levels - 1
    if not is_int(level, 0, most):
        raise FormatError(f"codec rrip: level is {shown(level)}, expected 0 … {most}", rule="array.document")
    return level, parsed


def to_coding(document: Json) -> Coding:
    """Convert a ``coding`` object that has passed :func:`check_version` and :func:`validate_coding`."""
    geometry = Geometry(document["width"], document["height"], document["tile"])
    rows, cols = geometry.families
    check_limit("families", rows * cols, "the slide", rule="limit.families")
    first, second = (
        ResidualCoding(  # lengths are validated
            tuple(r["taps"]), tuple(r["cfl"]), r["planes"], tuple(r["chroma_taps"]), r_filter and tuple(r_filter)
        )
        for r, r_filter in ((r, r.get("luma_filter")) for r in document["residuals"])
    )
    empty_bits = unpack_bitmap(document.get("empty"), ceil_div(rows * cols, 8))
    return Coding(
        UUID(document["uuid"]), geometry, (first, second), tuple(document["background"]), empty_bits, document
    )


def check_version(document: Json) -> None:
    """Raise an error for a format version or a required feature that this reader does not know (spec section 11)."""
    version: Json = document.get("version") if isinstance(document, dict) else None
    if not is_int(version, 1, 2**31):
        raise FormatError(
            f"coding.version: is {shown(version)}, expected a positive integer; is this an RRIP container?",
            rule="metadata.version",
        )
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"the container has format version {version}, this reader knows versions up to {FORMAT_VERSION}: "
            "upgrade rrip-format"
        )
    requires = document.get("requires")
    if not isinstance(requires, list):
        raise FormatError(f"coding.requires: is {shown(requires)}, expected a list", rule="metadata.requires")
    unknown = [name for name in requires if name != LUMA_FILTER]
    if unknown:
        raise NewerFormatError(
            f"the container requires the features {shown(unknown)}, which this reader does not know: "
            "upgrade rrip-format",
            rule="newer.requires",
        )
