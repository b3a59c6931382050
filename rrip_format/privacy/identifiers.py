"""Remove from a slide's metadata what may identify the patient, or list it (spec section 8.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..spec.attachments import ICC_NAME, known_attachments
from ..spec.metadata import Compression, Metadata, SlideMetadata
from .technical import is_phrase, is_technical, technical

__all__ = ["Identifiers", "find_identifiers", "neutral_name", "pixels_may_identify", "strip", "without_identifiers"]

_SUFFIXES = (
    *(".ome.tiff", ".ome.tif", ".ome.btf", ".tiff", ".tif", ".btf", ".svs", ".ndpi", ".vms", ".vmu", ".scn", ".mrxs"),
    *(".bif", ".svslide", ".czi", ".dcm", ".vsi", ".qptiff", ".isyntax", ".png", ".jpeg", ".jpg", ".jp2", ".webp"),
)
"""Known extensions, longest first, which are kept of a file's name; others may be part of an identifier."""

_NEUTRAL_STEM, _NO_FILE = "slide", ("array", "unknown")

_OWN_WRITER = "rrip_format"

_SAYS_PIXELS = ("SpecimenLabelInImage", "BurnedInAnnotation")

Json = Any


def neutral_name(name: str) -> str:
    """Return the name that a container stores for its source by default: ``slide`` and a known extension.

    Names of files often contain an accession or case number. ``array`` and ``unknown`` do not stand for a file, and are
    kept.
    """
    if name in _NO_FILE:
        return name
    return _NEUTRAL_STEM + next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")


def without_identifiers(about: SlideMetadata) -> SlideMetadata:
    """Return the description of a slide with technical properties only and a neutral name of its source."""
    vendor = None if isinstance(about.vendor, str) and not is_phrase(about.vendor) else about.vendor
    return replace(
        about,
        vendor=vendor,
        properties=technical(about.properties),
        source_name=neutral_name(about.source_name),
        compressions=None if about.compressions is None else tuple(map(_neutral, about.compressions)),
    )


def _neutral(compression: Compression) -> Compression:
    """Return the same without text that is not the name of a method."""
    method, subsampling = compression.method, compression.subsampling
    return replace(
        compression,
        method=method if is_phrase(method) else "unknown",
        subsampling=subsampling if subsampling is None or is_phrase(subsampling) else None,
    )


def strip(metadata: Metadata, pictures: Iterable[str], *, identifiers: bool = False) -> Metadata:
    """Return the metadata of a container without what may identify the patient.

    Tiles refer to the UUID and the coding, which are kept. Of all objects only the members that the specification names
    are kept, because others could contain anything.

    Parameters
    ----------
    metadata : Metadata
        The metadata.
    pictures : iterable of str
        Names of the associated images to keep.
    identifiers : bool
        Keep the name of the source and all properties.
    """
    kept = {ICC_NAME, *pictures}
    attachments = {name: metadata.attachments[name] for name in known_attachments(metadata.attachments) if name in kept}
    about = metadata.slide if identifiers else without_identifiers(metadata.slide)
    return Metadata(replace(metadata.coding, document=None), about, _known_writer(metadata.writer), attachments)


def _known_writer(writer: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a writer says about itself, with the settings only if they are those of this package."""
    names = ["name", "version", "repair"]
    if writer.get("name") == _OWN_WRITER:
        names += ["settings", "given"]
    return {name: writer[name] for name in names if name in writer}


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Parts of a container that may identify the patient.

    Parameters
    ----------
    name : str or None
        The name of the source, if it is not a neutral one.
    properties : tuple of str
        Names of the properties that are not known as technical.
    pictures : tuple of str
        Associated images that show the label, or may show it.
    pixels : bool
        Whether the source says of its pixels that they show the label, or have text burned in; they are never changed.
    """

    name: str | None
    properties: tuple[str, ...]
    pictures: tuple[str, ...]
    pixels: bool

    def to_json(self) -> dict[str, Json]:
        """Return the object for JSON."""
        found = {"name": self.name, "properties": list(self.properties), "pictures": list(self.pictures)}
        return {**found, "pixels": self.pixels}


def find_identifiers(metadata: Metadata, pictures: Iterable[str] = ()) -> Identifiers:
    """Return what :func:`strip` would remove; `pictures` are the associated images that may show the label."""
    about = metadata.slide
    return Identifiers(
        None if about.source_name == neutral_name(about.source_name) else about.source_name,
        tuple(name for name, value in about.properties.items() if not is_technical(name, value)),
        tuple(pictures),
        pixels_may_identify(about.properties),
    )


def pixels_may_identify(properties: Mapping[str, str]) -> bool:
    """Return whether DICOM's attributes say that the pixels show the label, or have text burned in."""
    return any(properties.get(f"dicom.{name}", "").strip() == "YES" for name in _SAYS_PIXELS)
