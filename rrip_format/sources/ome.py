"""The few facts of OME-XML that a conversion needs: pixel size, objective, microscope."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from rrip_format.errors import SourceError, one_line
from rrip_format.sources.base import positive

__all__ = ["OmeFacts", "parse_ome"]

MICROMETRES = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "pm": 1e-6, "Å": 1e-4, "mm": 1e3, "cm": 1e4, "m": 1e6}
MICROMETRES |= {"in": 25400.0, "mil": 25.4}


@dataclass(frozen=True)
class OmeFacts:
    """Pixel size in micrometres, nominal magnification, microscope maker and the attributes they were read from."""

    mpp_x: float | None
    mpp_y: float | None
    objective_power: float | None
    vendor: str | None
    properties: dict[str, str]


def parse_ome(text: str, image_index: int, where: str) -> OmeFacts:
    """Read the facts of one image from OME-XML.

    Parameters
    ----------
    text : str
        The OME-XML document.
    image_index : int
        Which ``Image`` element, 0 first.
    where : str
        Path, for the message of an error.

    Raises
    ------
    SourceError
        Not well-formed, or with a DOCTYPE: OME-XML has none, and entities of a foreign file may explode.
    """
    if "<!DOCTYPE" in text.upper():
        msg = f"{where}: its OME-XML declares a DOCTYPE, expected none; remove it from the ImageDescription"
        raise SourceError(msg)
    try:
        # Bytes, because ElementTree refuses a str that names its encoding.
        root = ET.fromstring(text.encode())  # noqa: S314 - a DOCTYPE, the way to entities, is refused above
    except (ET.ParseError, ValueError) as error:
        msg = f"{where}: its OME-XML is not well-formed ({one_line(error)}); write the file again"
        raise SourceError(msg) from error
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


def _micrometres(attributes: dict[str, str], key: str) -> float | None:
    """Return a length in micrometres; None for ``pixel``, ``reference frame`` and other units without a length."""
    value, unit = positive(attributes.get(key)), MICROMETRES.get(attributes.get(f"{key}Unit", "µm"))
    return None if value is None or unit is None else value * unit


def _magnification(root: ET.Element, image: ET.Element) -> float | None:
    """Return the nominal magnification of the image's objective, or of the only one there is."""
    objectives = root.findall("{*}Instrument/{*}Objective")
    settings = image.find("{*}ObjectiveSettings")
    if settings is not None:
        objectives = [objective for objective in objectives if objective.get("ID") == settings.get("ID")]
    return positive(objectives[0].get("NominalMagnification")) if len(objectives) == 1 else None
