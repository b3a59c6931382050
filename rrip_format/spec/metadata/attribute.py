"""The ``rrip`` attribute: coding, slide and writer (spec sections 8.1, 8.3 and 8.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import FormatError
from .coding import Coding, check_version, to_coding
from .compression import Compression
from .rules import validate_metadata
from .sealing import error_of, seal

__all__ = ["Metadata", "SlideMetadata", "parse_metadata"]

Json = Any


@dataclass(frozen=True, slots=True)
class SlideMetadata:
    """Description of the slide for people and viewers; no pixel depends on it (spec section 8.3).

    Parameters
    ----------
    mpp : two floats or None
        Width and height of a level 0 pixel, µm.
    objective : float or None
        Objective power.
    vendor : str or None
        Vendor of the scanner.
    properties : mapping of str to str
        The vendor's own properties.
    source_name : str
        File name of the source, without directories.
    source_bytes : int or None
        Size of the source, bytes.
    compressions : tuple of Compression, or None
        What the pixels of the source have gone through, oldest first; None where that is not known.
    missing_tiles : int
        Tiles of the source without data, which are background here.
    """

    mpp: tuple[float, float] | None = None
    objective: float | None = None
    vendor: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    source_name: str = "array"
    source_bytes: int | None = None
    compressions: tuple[Compression, ...] | None = None
    missing_tiles: int = 0

    def to_json(self) -> dict[str, Json]:
        """Return the ``slide`` object."""
        source: dict[str, Json] = {"name": self.source_name, "bytes": self.source_bytes}
        if self.compressions is not None:
            source["compressions"] = [compression.to_json() for compression in self.compressions]
        if self.missing_tiles:
            source["missing_tiles"] = self.missing_tiles
        return {
            "mpp": None if self.mpp is None else [_number(value) for value in self.mpp],
            "objective": None if self.objective is None else _number(self.objective),
            "vendor": self.vendor,
            "properties": dict(self.properties),
            "source": source,
        }


@dataclass(frozen=True, slots=True)
class Metadata:
    """The whole ``rrip`` attribute (spec section 8.1).

    Parameters
    ----------
    coding : Coding
        The member ``coding``.
    slide : SlideMetadata
        The member ``slide``.
    writer : mapping
        ``name`` and ``version`` of the program, and the ``settings`` that it encoded with.
    attachments : mapping of str to str
        CRC-32C of the ICC profile (``icc_profile``) and of each associated image, eight hexadecimal digits. All that
        are listed must be present; others are ignored (spec section 8.7).
    document : object, optional
        The JSON object it was parsed from, which is written again with members that this version does not know.
    """

    coding: Coding
    slide: SlideMetadata
    writer: Mapping[str, Json]
    attachments: Mapping[str, str] = field(default_factory=dict)
    document: Json = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Json]:
        """Return the sealed ``rrip`` object."""
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
    """Return an integral number as an int, as canonical JSON writes it up to 2**53."""
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)


def parse_metadata(document: Json) -> Metadata:
    """Parse an ``rrip`` attribute; errors as in :func:`parse_coding`."""
    if not isinstance(document, dict):
        raise FormatError("the attribute 'rrip' is absent: this is not an RRIP container", rule="metadata.absent")
    check_version(document.get("coding"))
    problems = validate_metadata(document)
    if problems:
        raise error_of(problems)
    slide, source = document["slide"], document["slide"]["source"]
    compressions = source.get("compressions")
    return Metadata(
        to_coding(document["coding"]),
        SlideMetadata(
            mpp=None if slide.get("mpp") is None else (float(slide["mpp"][0]), float(slide["mpp"][1])),
            objective=None if slide.get("objective") is None else float(slide["objective"]),
            vendor=slide.get("vendor"),
            properties=slide["properties"],
            source_name=source["name"],
            source_bytes=source.get("bytes"),
            compressions=None if compressions is None else tuple(map(Compression.parse, compressions)),
            missing_tiles=source.get("missing_tiles") or 0,
        ),
        document["writer"],
        document["attachments"],
        document,
    )
