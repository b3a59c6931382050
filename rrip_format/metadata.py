"""The ``rrip`` attributes of a container: how it is coded, what slide it shows, what made it (spec section 8).

`validate_` functions return every problem that they find; `parse_` functions raise one error that lists them all.
Both parts carry a CRC-32C of their canonical JSON (RFC 8785), because a flipped bit in a filter tap makes a wrong
picture as surely as one in a tile.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
import rfc8785
from numpy.typing import NDArray

from .errors import FormatError, NewerFormatError, all_of, shown
from .geometry import BASE_LEVEL, MAX_SIDE, TILE_SIZES, Geometry, ceil_div
from .limits import check_limit
from .tile import TilePlace, crc32c

__all__ = [
    "BILINEAR",
    "FORMAT_VERSION",
    "SHARP",
    "Coding",
    "Metadata",
    "ResidualCoding",
    "SlideMetadata",
    "parse_coding",
    "parse_metadata",
    "seal",
    "validate_coding",
    "validate_metadata",
]

FORMAT_VERSION = 1
"""Version of the format that this package writes and the newest that it reads (spec section 11)."""

SHARP = (-6, 58, 14, -2)
"""The default taps, in 64ths: sharper than bilinear at the nearer sample (spec section 5.2)."""

BILINEAR = (0, 48, 16, 0)
"""The taps of the original method, in 64ths."""

MPP_RANGE = (1e-6, 1e6)
"""Smallest and largest pixel size, µm (spec section 8.3)."""

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
        if not self.empty_bits:
            return np.zeros((rows, cols), np.bool_)
        bits = np.unpackbits(np.frombuffer(self.empty_bits, np.uint8), count=rows * cols)
        return bits.reshape(rows, cols).astype(np.bool_)

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
        return all(self._are_empty(at + left, at + right) for at in range(top * cols, bottom * cols, cols))

    def _are_empty(self, first: int, end: int) -> bool:
        """Whether families `first` to `end`, counted row by row, are: from the bits, since some slides have 2**28."""
        bits = int.from_bytes(self.empty_bits[first >> 3 : (end + 7) >> 3]) >> (-end % 8)
        wanted = (1 << (end - first)) - 1
        return bits & wanted == wanted

    @property
    def empty_count(self) -> int:
        """How many families are empty."""
        rows, cols = self.geometry.families
        return (int.from_bytes(self.empty_bits) >> (-rows * cols % 8)).bit_count()

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
        empty = base64.b64encode(zlib.compress(self.empty_bits, 9)).decode() if any(self.empty_bits) else None
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
                "empty": empty,
            }
        )


@dataclass(frozen=True, slots=True)
class SlideMetadata:
    """What the slide is, for people and viewers; no pixel depends on it (spec section 8.3).

    Parameters
    ----------
    mpp : two floats or None
        Width and height of a level 0 pixel, µm.
    objective : float or None
        Objective power.
    vendor : str or None
    properties : mapping of str to str
        The vendor's own properties.
    source_name : str
        File name of the source, without directories.
    source_bytes : int or None
        Size of the source.
    """

    mpp: tuple[float, float] | None = None
    objective: float | None = None
    vendor: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    source_name: str = "array"
    source_bytes: int | None = None

    def to_json(self) -> dict[str, Json]:
        """The ``slide`` object."""
        return {
            "mpp": None if self.mpp is None else [_number(value) for value in self.mpp],
            "objective": None if self.objective is None else _number(self.objective),
            "vendor": self.vendor,
            "properties": dict(self.properties),
            "source": {"name": self.source_name, "bytes": self.source_bytes},
        }


@dataclass(frozen=True, slots=True)
class Metadata:
    """The whole ``rrip`` attribute (spec section 8.1).

    Parameters
    ----------
    coding : Coding
    slide : SlideMetadata
    writer : mapping
        ``name`` and ``version`` of the program, and the ``settings`` that it encoded with.
    attachments : mapping of str to str
        CRC-32C of the ICC profile (``icc_profile``) and of each associated image, in eight hexadecimal digits: what
        is listed must be there, and nothing else counts (spec section 8.7).
    document : object, optional
        What it was parsed from: written again as it was, with members that this version does not know.
    """

    coding: Coding
    slide: SlideMetadata
    writer: Mapping[str, Json]
    attachments: Mapping[str, str] = field(default_factory=dict)
    document: Json = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Json]:
        """The ``rrip`` object, sealed."""
        if self.document is not None and parse_metadata(self.document) == self:
            return dict(self.document)
        return seal(
            {
                "coding": self.coding.to_json(),
                "slide": self.slide.to_json(),
                "writer": dict(self.writer),
                "attachments": dict(self.attachments),
            }
        )


def _number(value: float) -> int | float:
    """An integral number without its fraction, as canonical JSON writes it up to its largest integer."""
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)


def seal(document: dict[str, Json]) -> dict[str, Json]:
    """A copy of `document` with the member ``crc32c`` of its canonical JSON (spec section 8.5)."""
    body = {key: value for key, value in document.items() if key != "crc32c"}
    return {**body, "crc32c": f"{crc32c(rfc8785.dumps(body)):08x}"}


class _SealProblem(str):
    """A problem of a seal, among those of members."""

    __slots__ = ()


def _error_of(problems: list[str]) -> FormatError:
    """All problems as one error, of the rule of the first."""
    rules = ("metadata.seal" if isinstance(problem, _SealProblem) else "metadata.member" for problem in problems)
    return all_of([FormatError(problem, rule=rule) for problem, rule in zip(problems, rules, strict=True)])


def _seal_problems(document: Mapping[str, Json], where: str) -> list[str]:
    try:
        expected = seal(dict(document))["crc32c"]
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        return [_SealProblem(f"{where}: has no canonical JSON form: {error}")]
    if document.get("crc32c") != expected:
        found = f"is {shown(document.get('crc32c'))}, its content gives {shown(expected)}"
        return [_SealProblem(f"{where}.crc32c: {found}; the file is damaged")]
    return []


def _is_int(value: Json, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_ints(value: Json, count: int, low: int, high: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(_is_int(item, low, high) for item in value)


def _residual_problems(residual: Json, where: str) -> list[str]:
    if not isinstance(residual, dict):
        return [f"{where}: expected an object"]
    problems = []
    for name in ("taps", "chroma_taps"):
        taps: Json = residual.get(name)
        if not _is_ints(taps, 4, -90, 90) or sum(taps) != 64 or sum(map(abs, taps)) > 90:
            problems.append(
                f"{where}.{name}: is {shown(taps)}, expected four integers with sum 64, sum of magnitudes at most 90"
            )
    if not _is_ints(residual.get("cfl"), 2, -127, 127):
        problems.append(f"{where}.cfl: is {shown(residual.get('cfl'))}, expected two integers in -127 … 127")
    if not (_is_int(residual.get("planes"), 1, 3) and residual["planes"] != 2):
        problems.append(f"{where}.planes: is {shown(residual.get('planes'))}, expected 1 or 3")
    return problems


def _is_uuid(value: Json) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def validate_coding(document: Json) -> list[str]:
    """Every rule of spec section 8.2 that a ``coding`` object breaks, as ``member: found, expected``."""
    if not isinstance(document, dict):
        return ["coding: expected an object"]
    problems = _seal_problems(document, "coding")
    for name in ("width", "height"):
        if not _is_int(document.get(name), 1, MAX_SIDE):
            problems.append(f"coding.{name}: is {shown(document.get(name))}, expected an integer in 1 … {MAX_SIDE}")
    if not (_is_int(document.get("tile"), 1, 512) and document["tile"] in TILE_SIZES):
        problems.append(f"coding.tile: is {shown(document.get('tile'))}, expected a multiple of 16 in 64 … 512")
    if not _is_uuid(document.get("uuid")):
        problems.append(f"coding.uuid: is {shown(document.get('uuid'))}, expected a UUID in lower case")
    residuals = document.get("residuals")
    if not isinstance(residuals, list) or len(residuals) != BASE_LEVEL:
        problems.append(f"coding.residuals: expected a list of {BASE_LEVEL} objects")
    else:
        for k, residual in enumerate(residuals):
            problems += _residual_problems(residual, f"coding.residuals[{k}]")
    background: Json = document.get("background")
    if not _is_ints(background, 3, 0, 255):
        problems.append(f"coding.background: is {shown(background)}, expected three integers in 0 … 255")
    elif document.get("empty") is not None and len(set(background)) != 1:
        problems.append("coding.background: must be a grey where families are empty")
    return problems


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
    _check_version(document)
    problems = validate_coding(document)
    if problems:
        raise _error_of(problems)
    return _coding_of(document)


def _coding_of(document: Json) -> Coding:
    """The same of an object that keeps the rules, as far as its seal and members go."""
    geometry = Geometry(document["width"], document["height"], document["tile"])
    rows, cols = geometry.families
    check_limit("families", rows * cols, "the slide", rule="limit.families")
    first, second = (
        ResidualCoding(tuple(r["taps"]), tuple(r["cfl"]), r["planes"], tuple(r["chroma_taps"]))  # lengths are validated
        for r in document["residuals"]
    )
    empty_bits = _unpack_empty(document.get("empty"), ceil_div(rows * cols, 8))
    return Coding(
        UUID(document["uuid"]), geometry, (first, second), tuple(document["background"]), empty_bits, document
    )


def _check_version(document: Json) -> None:
    """Refuse what a newer writer has said cannot be read by an older reader (spec section 11)."""
    version: Json = document.get("version") if isinstance(document, dict) else None
    if not _is_int(version, 1, 2**31):
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


def _unpack_empty(text: Json, size_bytes: int) -> bytes:
    """The bitmap of empty families, of exactly `size_bytes`, never inflating more than that."""
    if text is None:
        return b""
    try:
        inflate = zlib.decompressobj()
        bits = inflate.decompress(base64.b64decode(text, validate=True), size_bytes + 1)
    except (TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise FormatError(f"coding.empty: is not zlib data in base64: {error}", rule="metadata.member") from error
    if len(bits) != size_bytes or not inflate.eof or inflate.unused_data:
        raise FormatError(f"coding.empty: expected exactly {size_bytes} bytes when inflated", rule="metadata.member")
    return bits


def _is_checksum(value: Json) -> bool:
    return isinstance(value, str) and len(value) == 8 and all(digit in "0123456789abcdef" for digit in value)


def _is_mpp(value: Json) -> bool:
    return _is_positive(value) and MPP_RANGE[0] <= value <= MPP_RANGE[1]


def _is_positive(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def validate_metadata(document: Json) -> list[str]:
    """Every rule of spec section 8 that an ``rrip`` attribute breaks."""
    if not isinstance(document, dict):
        return ["rrip: expected an object"]
    problems = _seal_problems(document, "rrip") + validate_coding(document.get("coding"))
    slide, writer = document.get("slide"), document.get("writer")
    if not isinstance(slide, dict):
        return [*problems, "rrip.slide: expected an object"]
    mpp, objective, vendor = slide.get("mpp"), slide.get("objective"), slide.get("vendor")
    if mpp is not None and not (isinstance(mpp, list) and len(mpp) == 2 and all(map(_is_mpp, mpp))):
        problems.append(f"rrip.slide.mpp: is {shown(mpp)}, expected null or two numbers in 1e-6 … 1e6")
    if objective is not None and not _is_positive(objective):
        problems.append(f"rrip.slide.objective: is {shown(objective)}, expected null or a positive number")
    if vendor is not None and not isinstance(vendor, str):
        problems.append(f"rrip.slide.vendor: is {shown(vendor)}, expected null or a string")
    properties, source = slide.get("properties"), slide.get("source")
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        problems.append("rrip.slide.properties: expected an object of strings")
    if not isinstance(source, dict) or not isinstance(source.get("name"), str):
        problems.append("rrip.slide.source: expected an object with a name")
    elif source.get("bytes") is not None and not _is_int(source["bytes"], 0, 2**53 - 1):
        problems.append(f"rrip.slide.source.bytes: is {shown(source['bytes'])}, expected null or a size in bytes")
    if not isinstance(writer, dict):
        problems.append("rrip.writer: expected an object")
    attachments = document.get("attachments")
    if not isinstance(attachments, dict) or not all(map(_is_checksum, attachments.values())):
        problems.append("rrip.attachments: expected an object of checksums, eight hexadecimal digits in lower case")
    return problems


def parse_metadata(document: Json) -> Metadata:
    """The :class:`Metadata` of an ``rrip`` attribute; errors as in :func:`parse_coding`."""
    if not isinstance(document, dict):
        raise FormatError("there is no 'rrip' attribute here: this is not an RRIP container", rule="metadata.absent")
    _check_version(document.get("coding"))
    problems = validate_metadata(document)
    if problems:
        raise _error_of(problems)
    slide = document["slide"]
    return Metadata(
        _coding_of(document["coding"]),
        SlideMetadata(
            mpp=None if slide.get("mpp") is None else (float(slide["mpp"][0]), float(slide["mpp"][1])),
            objective=None if slide.get("objective") is None else float(slide["objective"]),
            vendor=slide.get("vendor"),
            properties=slide["properties"],
            source_name=slide["source"]["name"],
            source_bytes=slide["source"].get("bytes"),
        ),
        document["writer"],
        document["attachments"],
        document,
    )
