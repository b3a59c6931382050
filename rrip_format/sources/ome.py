"""Read pixel size, objective, microscope and colour channels from OME-XML."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from rrip_format.errors import SourceError, one_line
from rrip_format.sources.base import positive

__all__ = ["OmeFacts", "OmeImage", "parse_images", "parse_ome"]

MICROMETRES = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "pm": 1e-6, "Å": 1e-4, "mm": 1e3, "cm": 1e4, "m": 1e6}
MICROMETRES |= {"in": 25400.0, "mil": 25.4}


@dataclass(frozen=True)
class OmeFacts:
    """Pixel size in micrometres, nominal magnification, microscope maker, and the attributes they come from."""

    mpp_x: float | None
    mpp_y: float | None
    objective_power: float | None
    vendor: str | None
    properties: dict[str, str]


COLOUR_NAMES = {"red": 0, "r": 0, "green": 1, "g": 1, "blue": 2, "b": 2}
UNNAMED = re.compile(r"(channel|ch|c)?[ :_-]*\d*([ :_-]*\d+)?", re.IGNORECASE)
FLUORESCENCE = ("Fluor", "EmissionWavelength", "ExcitationWavelength")


@dataclass(frozen=True)
class OmeImage:
    """Name, channels and number of planes of one ``Image`` element; a channel is the dict of its attributes."""

    name: str = ""
    channels: list[dict[str, str]] = field(default_factory=list)
    planes: int = 1

    def channel_names(self) -> str:
        """Return the names of the channels, for error messages."""
        return ", ".join(channel.get("Name", "unnamed") for channel in self.channels) or "without description"

    def rgb_order(self) -> tuple[int, int, int] | None:
        """Return the indices of the red, green and blue channels; None unless the file identifies them.

        Channels are identified by their names, by the colours (integers of R, G, B, A) of channels without proper
        names, or because all three are of transmitted light, as converters of brightfield slides write it. A file with
        a fluorescent channel is not RGB.
        """
        if len(self.channels) != 3 or any(key in channel for channel in self.channels for key in FLUORESCENCE):
            return None
        if any(channel.get("IlluminationType") in {"Epifluorescence", "NonLinear"} for channel in self.channels):
            return None
        named = [COLOUR_NAMES.get(channel.get("Name", "").strip().lower()) for channel in self.channels]
        dyes = any(not UNNAMED.fullmatch(channel.get("Name", "").strip()) for channel in self.channels)
        shown = [] if dyes else [_primary(channel.get("Color")) for channel in self.channels]
        for found in (named, shown):
            if {0, 1, 2} == set(found):
                return found.index(0), found.index(1), found.index(2)
        bright = all(
            channel.get("ContrastMethod") == "Brightfield"
            or channel.get("IlluminationType") == "Transmitted"
            or channel.get("AcquisitionMode") in {"BrightField", "Brightfield"}
            for channel in self.channels
        )
        return (0, 1, 2) if bright else None


def _primary(text: str | None) -> int | None:
    """Return 0, 1 or 2 for pure red, green or blue, None for any other colour."""
    try:
        colour = int(text or "") & 0xFFFFFFFF
    except ValueError:
        return None
    return {0xFF0000: 0, 0x00FF00: 1, 0x0000FF: 2}.get(colour >> 8)


def parse_images(text: str, where: str) -> list[OmeImage]:
    """Read the name and channels of all images in OME-XML; raises as :func:`parse_ome`."""
    return [
        OmeImage(
            image.get("Name", ""),
            [dict(channel.attrib) for channel in image.findall("{*}Pixels/{*}Channel")],
            _count_planes(image.find("{*}Pixels")),
        )
        for image in _parse(text, where).findall("{*}Image")
    ]


def _count_planes(pixels: ET.Element | None) -> int:
    """Return how many planes of one channel an image says to have; 1 where it does not say."""
    sizes = [] if pixels is None else [pixels.get(f"Size{axis}", "") for axis in "ZCT"]
    return math.prod(int(size[:20]) for size in sizes if size.isdecimal())


def parse_ome(text: str, image_index: int, where: str) -> OmeFacts:
    """Read pixel size, objective and microscope of one image from OME-XML.

    Parameters
    ----------
    text : str
        The OME-XML document.
    image_index : int
        Index of the ``Image`` element, 0 first.
    where : str
        Path, for error messages.

    Raises
    ------
    SourceError
        If the text is not well-formed, or has a DOCTYPE, which OME-XML never needs and which could hold an entity bomb.
    """
    root = _parse(text, where)
    images = root.findall("{*}Image")
    image = images[image_index] if image_index < len(images) else ET.Element("Image")
    pixels = image.find("{*}Pixels")
    attributes = dict(pixels.attrib) if pixels is not None else {}
    microscope = root.find("{*}Instrument/{*}Microscope")
    return OmeFacts(
        _micrometres(attributes, "PhysicalSizeX"),
        _micrometres(attributes, "PhysicalSizeY"),
        _magnification(root, image),
        None if microscope is None else microscope.get("Manufacturer"),
        {f"ome.{key}": value for key, value in attributes.items()},
    )


def _parse(text: str, where: str) -> ET.Element:
    """Parse OME-XML and return its root; `SourceError` if it is invalid."""
    if "<!DOCTYPE" in text.upper():
        msg = f"{where}: its OME-XML declares a DOCTYPE, expected none; remove it from the ImageDescription"
        raise SourceError(msg)
    try:
        # Bytes, because ElementTree refuses a str that names its encoding.
        return ET.fromstring(text.encode())  # noqa: S314 - a DOCTYPE, the way to entities, is refused above
    except (ET.ParseError, ValueError) as error:
        msg = f"{where}: its OME-XML is not well-formed ({one_line(error)}); write the file again"
        raise SourceError(msg) from error


def _micrometres(attributes: dict[str, str], key: str) -> float | None:
    """Return a length in micrometres; None for units that are no length, such as ``pixel``."""
    value, unit = positive(attributes.get(key)), MICROMETRES.get(attributes.get(f"{key}Unit", "µm"))
    return None if value is None or unit is None else value * unit


def _magnification(root: ET.Element, image: ET.Element) -> float | None:
    """Return the nominal magnification of the image's objective, or of the only objective in the file."""
    objectives = root.findall("{*}Instrument/{*}Objective")
    settings = image.find("{*}ObjectiveSettings")
    if settings is not None:
        objectives = [objective for objective in objectives if objective.get("ID") == settings.get("ID")]
    return positive(objectives[0].get("NominalMagnification")) if len(objectives) == 1 else None
