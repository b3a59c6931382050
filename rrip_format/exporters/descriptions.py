"""What a TIFF says of its slide in its ImageDescription: JSON, OME-XML, or Aperio's lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from .. import __version__
from ..spec.metadata import Compression, SlideMetadata, history_text
from .tiles import ExportJob

__all__ = ["describe_aperio", "describe_ome", "describe_tiff"]

_OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_ANNOTATION = "urn:rrip:source-properties"

_APERIO = "Aperio Image Library"
"""The beginning by which OpenSlide, tifffile and Bio-Formats tell an Aperio slide."""

_OF_THE_FILE = ("openslide.", "tiff.")
"""Properties of the file that was converted, or told elsewhere in another."""


def describe_tiff(about: SlideMetadata, history: Sequence[Compression]) -> bytes:
    """Return what is known of a slide as a line of JSON, ASCII, and its lossy history as a second line."""
    found = {
        "name": about.source_name,
        "mpp": about.mpp,
        "objective": about.objective,
        "vendor": about.vendor,
        "properties": dict(sorted(about.properties.items())),
    }
    return f"{json.dumps(found)}\n{history_text(history)}".encode("ascii")


def describe_ome(job: ExportJob, pictures: Mapping[str, tuple[int, int]]) -> bytes:
    """Return OME-XML: pixel size, objective, maker, lossy history, and properties as an annotation.

    Parameters
    ----------
    job : ExportJob
    pictures : mapping of str to (height, width)
        Sizes of the associated images, px, in the order of their pages.
    """
    slide, about, identity = job.slide, job.about, job.slide.metadata.coding.uuid
    root = ET.Element("OME", {"xmlns": _OME, "Creator": f"rrip_format {__version__}"})
    if identity is not None:
        root.set("UUID", f"urn:uuid:{identity}")
    has_instrument = about.objective is not None or about.vendor is not None
    if has_instrument:
        instrument = ET.SubElement(root, "Instrument", ID="Instrument:0")
        if about.vendor is not None:
            ET.SubElement(instrument, "Microscope", Manufacturer=_plain(about.vendor))
        if about.objective is not None:
            ET.SubElement(instrument, "Objective", ID="Objective:0:0", NominalMagnification=_number(about.objective))
    image = ET.SubElement(root, "Image", ID="Image:0", Name=_plain(about.source_name))
    ET.SubElement(image, "Description").text = history_text(job.history)
    if has_instrument:
        ET.SubElement(image, "InstrumentRef", ID="Instrument:0")
    if about.objective is not None:
        ET.SubElement(image, "ObjectiveSettings", ID="Objective:0:0")
    sizes: dict[str, str] = {}
    for axis, size in zip("XY", about.mpp or (), strict=False):
        sizes |= {f"PhysicalSize{axis}": repr(float(size)), f"PhysicalSize{axis}Unit": "µm"}
    _add_pixels(image, 0, slide.geometry.height, slide.geometry.width, sizes)
    if about.properties:
        ET.SubElement(image, "AnnotationRef", ID="Annotation:0")
    for number, (name, (height, width)) in enumerate(pictures.items(), 1):
        other = ET.SubElement(root, "Image", ID=f"Image:{number}", Name=_plain(name))
        _add_pixels(other, number, height, width, {})
    if about.properties:
        annotations = ET.SubElement(root, "StructuredAnnotations")
        annotation = ET.SubElement(annotations, "MapAnnotation", ID="Annotation:0", Namespace=_ANNOTATION)
        values = ET.SubElement(annotation, "Value")
        for key, text in sorted(about.properties.items()):
            ET.SubElement(values, "M", K=_plain(key)).text = _plain(text)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _add_pixels(image: ET.Element, page: int, height: int, width: int, sizes: Mapping[str, str]) -> None:
    """Describe a page of interleaved RGB."""
    attributes = {"ID": f"Pixels:{page}", "DimensionOrder": "XYCZT", "Type": "uint8", "Interleaved": "true"}
    attributes |= {"SizeX": str(width), "SizeY": str(height), "SizeC": "3", "SizeZ": "1", "SizeT": "1"}
    pixels = ET.SubElement(image, "Pixels", {**attributes, **sizes})
    ET.SubElement(pixels, "Channel", ID=f"Channel:{page}:0", SamplesPerPixel="3")
    ET.SubElement(pixels, "TiffData", IFD=str(page), PlaneCount="1")


def describe_aperio(
    shape: tuple[int, int], about: SlideMetadata | None, what: str, history: Sequence[Compression] = ()
) -> bytes:
    """Return the description of a page of an Aperio slide.

    Parameters
    ----------
    shape : (height, width)
        Of level 0, px; for an associated image its own.
    about : SlideMetadata or None
        For pages that tell of the slide; None for label and macro image.
    what : str
        What stands behind the size of the slide, or the name of an associated image.
    history : sequence of Compression
        Of the slide, oldest first; for level 0.
    """
    height, width = shape
    first = f"{_APERIO}, layout by rrip_format {__version__}\r\n"
    if about is None:
        return f"{first}{what} {width}x{height}".encode("ascii")
    found = dict(_aperio_properties(about))
    parts = [f"{first}{width}x{height} {what}", *(f"{key} = {text}" for key, text in found.items())]
    return "|".join([*parts, *([f"Lossy history = {history_text(history)}"] if history else [])]).encode()


def _aperio_properties(about: SlideMetadata) -> Iterable[tuple[str, Any]]:
    """Yield magnification, pixel size, and the properties of the source without the mark of their vendor."""
    if about.objective is not None:
        yield "AppMag", _number(about.objective)
    if about.mpp is not None:
        yield "MPP", f"{(about.mpp[0] * about.mpp[1]) ** 0.5:.9g}"
    for key, text in sorted(about.properties.items()):
        name = _plain(key.removeprefix("aperio."))
        if not key.startswith(_OF_THE_FILE) and name not in {"AppMag", "MPP"} and not {"|", "="} & {*name, *text}:
            yield name, " ".join(_plain(text).split())


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _plain(text: str) -> str:
    """Text without what XML and lines of text cannot hold."""
    return "".join(character if character.isprintable() else " " for character in text)
