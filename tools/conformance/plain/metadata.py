"""Sections 4, 8 and 11: the attribute ``rrip``, and the geometry that follows from it."""

from __future__ import annotations

import base64
import math
import re
import zlib
from dataclasses import dataclass, replace
from typing import Any

from plain.canonical import check_seal
from plain.errors import FormatError, LimitError, NewerFormatError

KNOWN_VERSION = 1
KNOWN_FEATURES = ("luma-filter",)
MOST_FAMILIES = 1 << 28

UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CHECKSUM_TEXT = re.compile(r"[0-9a-f]{8}")


def _is_integer(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_number(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _are_integers(value: Any, count: int, least: int, most: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(_is_integer(v, least, most) for v in value)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise FormatError("metadata.member", f"{what} is absent, has another type or is out of range")


@dataclass(frozen=True)
class Residual:
    """Parameters of one residual level (section 8.2)."""

    taps: tuple[int, int, int, int]
    chroma_taps: tuple[int, int, int, int]
    cfl: tuple[int, int]
    planes: int
    luma_filter: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Coding:
    """All that a decoder needs besides tiles (section 8.2), and the geometry that follows (section 4)."""

    uuid: str
    width: int
    height: int
    tile: int
    residuals: tuple[Residual, Residual]
    background: tuple[int, int, int]
    bitmap: bytes | None

    def side(self, level: int) -> int:
        """Return the side of a tile of a level, px (section 4.2)."""
        return self.tile * {0: 4, 1: 2, 2: 1}.get(level, 4)

    def size(self, level: int) -> tuple[int, int]:
        """Return height and width of a level, px (section 4.1)."""
        return -(-self.height >> level), -(-self.width >> level)

    def grid(self, level: int) -> tuple[int, int]:
        """Return rows and columns of tiles of a level (section 4.2)."""
        height, width = self.size(level)
        return -(-height // self.side(level)), -(-width // self.side(level))

    @property
    def levels(self) -> int:
        """Number of levels: up to the first one, from level 2 on, that is a single tile (section 4.1)."""
        last = 2
        while self.grid(last) != (1, 1):
            last += 1
        return last + 1

    def is_empty(self, level: int, row: int, col: int) -> bool:
        """Return whether all families under a tile are empty, so that it is background and not stored (section 7.3)."""
        if self.bitmap is None:
            return False
        rows, cols = self.grid(2)
        s = 1 if level <= 2 else 4 << (level - 2)
        return all(
            self.bitmap[(r * cols + c) // 8] << ((r * cols + c) % 8) & 0x80
            for r in range(row * s, min(row * s + s, rows))
            for c in range(col * s, min(col * s + s, cols))
        )


@dataclass(frozen=True)
class Metadata:
    """The attribute ``rrip`` (section 8.1)."""

    coding: Coding
    slide: dict[str, Any]
    writer: dict[str, Any]
    attachments: dict[str, str]


def read_coding(document: Any) -> Coding:
    """Check a coding object: version first, then the checksum, then its members (sections 8.2, 8.5 and 11)."""
    _check_version(document)
    check_seal(document, "coding")
    return _read_members(document)


def _read_members(document: dict[str, Any]) -> Coding:
    get: Any = document.get
    _require(isinstance(get("uuid"), str) and UUID_TEXT.fullmatch(get("uuid")) is not None, "coding.uuid")
    for name in "width", "height":
        _require(_is_integer(get(name), 1, 2**31 - 1), f"coding.{name}")
    _require(_is_integer(get("tile"), 64, 512) and get("tile") % 16 == 0, "coding.tile")
    residuals = get("residuals")
    _require(isinstance(residuals, list) and len(residuals) == 2, "coding.residuals")
    _require(_are_integers(get("background"), 3, 0, 255), "coding.background")
    coding = Coding(
        uuid=get("uuid"),
        width=get("width"),
        height=get("height"),
        tile=get("tile"),
        residuals=(
            _read_residual(residuals[0], 0, is_filtered="luma-filter" in get("requires")),
            _read_residual(residuals[1], 1, is_filtered=False),
        ),
        background=tuple(get("background")),
        bitmap=None,
    )
    rows, cols = coding.grid(2)
    if rows * cols > MOST_FAMILIES:
        raise LimitError("limit.families", f"{rows} × {cols} families")
    if get("empty") is None:
        return coding
    _require(len(set(coding.background)) == 1, "coding.background, a grey where families are empty,")
    return Coding(**{**vars(coding), "bitmap": _read_bitmap(get("empty"), -(-rows * cols // 8))})


def _check_version(document: Any) -> None:
    """Check section 11 before anything else, so that a later version is reported as such."""
    version: Any = document.get("version") if isinstance(document, dict) else None
    if not _is_integer(version, 1, 2**31):
        raise FormatError("metadata.version", f"coding.version is {version!r}, expected a positive integer")
    if version > KNOWN_VERSION:
        raise NewerFormatError("newer.version", f"version {version}, known is {KNOWN_VERSION}; upgrade this reader")
    requires = document.get("requires")
    if not isinstance(requires, list):
        raise FormatError("metadata.requires", f"coding.requires is {requires!r}, expected a list")
    for feature in requires:
        if feature not in KNOWN_FEATURES:
            raise NewerFormatError("newer.requires", f"the feature {feature!r} is not known; upgrade this reader")


def _read_residual(document: Any, level: int, *, is_filtered: bool) -> Residual:
    where = f"coding.residuals[{level}]"
    _require(isinstance(document, dict), where)
    for name in "taps", "chroma_taps":
        taps = document.get(name)
        _require(_are_integers(taps, 4, -13, 77), f"{where}.{name}")
        _require(sum(taps) == 64 and sum(map(abs, taps)) <= 90, f"the sum of {where}.{name}")
    _require(_are_integers(document.get("cfl"), 2, -127, 127), f"{where}.cfl")
    _require(_is_integer(document.get("planes")) and document["planes"] in {1, 3}, f"{where}.planes")
    residual = Residual(**{name: _frozen(document[name]) for name in ("taps", "chroma_taps", "cfl", "planes")})
    if ("luma_filter" in document) != is_filtered:
        raise FormatError("metadata.feature", f"{where}.luma_filter and coding.requires contradict each other")
    if not is_filtered:
        return residual
    weights = document["luma_filter"]
    _require(_are_integers(weights, 4, -63, 63) and any(weights), f"{where}.luma_filter")
    _require(abs(weights[2]) + abs(weights[3]) <= 28, f"the sum of magnitudes in {where}.luma_filter")
    return replace(residual, luma_filter=_frozen(weights))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _read_bitmap(text: Any, length: int) -> bytes:
    """Decode base64 of a zlib stream of exactly so many bytes; one more is inflated to see that there is none."""
    try:
        packed = base64.b64decode(text, validate=True)
        inflater = zlib.decompressobj()
        bitmap = inflater.decompress(packed, length + 1)
    except (TypeError, ValueError, zlib.error) as error:
        raise FormatError("metadata.member", f"coding.empty is no zlib stream in base64: {error}") from error
    if len(bitmap) != length or not inflater.eof or inflater.unused_data:
        raise FormatError("metadata.member", f"coding.empty does not inflate to exactly {length} bytes")
    return bitmap


def read_metadata(document: Any) -> Metadata:
    """Check the attribute ``rrip`` (section 8)."""
    if not isinstance(document, dict):
        raise FormatError("metadata.absent", "the attribute rrip is absent or no object")
    _check_version(document.get("coding"))
    check_seal(document["coding"], "coding")
    check_seal(document, "rrip")
    coding = _read_members(document["coding"])
    parts: Any = [document.get(name) for name in ("slide", "writer", "attachments")]
    slide, writer, attachments = parts
    _require(isinstance(slide, dict), "slide")
    _require(isinstance(writer, dict), "writer")
    _require(isinstance(attachments, dict), "attachments")
    for name, checksum in attachments.items():
        _require(isinstance(checksum, str) and CHECKSUM_TEXT.fullmatch(checksum) is not None, f"attachments.{name}")
    _check_slide(slide)
    return Metadata(coding, slide, writer, attachments)


def _check_slide(slide: dict[str, Any]) -> None:
    """Check section 8.3."""
    get: Any = slide.get
    mpp, objective, vendor, properties, source = map(get, ("mpp", "objective", "vendor", "properties", "source"))
    pair = isinstance(mpp, list) and len(mpp) == 2 and all(_is_number(value, 1e-6, 1e6) for value in mpp)
    _require(mpp is None or pair, "slide.mpp")
    _require(objective is None or (_is_number(objective, 0) and objective > 0), "slide.objective")
    _require(vendor is None or isinstance(vendor, str), "slide.vendor")
    _require(isinstance(properties, dict) and all(isinstance(v, str) for v in properties.values()), "slide.properties")
    _require(isinstance(source, dict) and isinstance(source.get("name"), str), "slide.source.name")
    size = source.get("bytes")
    _require(size is None or _is_integer(size, 0), "slide.source.bytes")
    missing = source.get("missing_tiles")
    _require(missing is None or _is_integer(missing, 0), "slide.source.missing_tiles")
    _check_compressions(source.get("compressions"))


def _check_compressions(document: Any) -> None:
    """Section 8.9."""
    _require(document is None or isinstance(document, list), "slide.source.compressions")
    for entry in document or []:
        where = "slide.source.compressions"
        _require(isinstance(entry, dict) and isinstance(entry.get("method"), str), f"{where}.method")
        lossy, quality, subsampling, ratio = map(entry.get, ("lossy", "quality", "subsampling", "ratio"))
        _require(lossy is None or isinstance(lossy, bool), f"{where}.lossy")
        _require(quality is None or _is_integer(quality, 1, 100), f"{where}.quality")
        _require(subsampling is None or isinstance(subsampling, str), f"{where}.subsampling")
        _require(ratio is None or (_is_number(ratio, 0) and ratio > 0), f"{where}.ratio")
