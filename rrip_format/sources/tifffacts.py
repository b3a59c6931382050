"""Read pixel size and objective of a TIFF from its tags and from the descriptions of Aperio, ImageJ and others."""

from __future__ import annotations

import re
from typing import Any

from rrip_format.sources.base import positive, print_mpp
from rrip_format.sources.ome import MICROMETRES, OmeFacts

__all__ = ["tag_facts"]

MICROMETRES_PER_UNIT = {2: 25400.0, 3: 10000.0}
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, MAKE = 282, 283, 296, 271
IMAGEJ_UNITS = MICROMETRES | {"micron": 1.0, "microns": 1.0, "micrometer": 1.0, "inch": 25400.0}
NUMBER = r"([-+0-9.,eE]+)"
KEYED = {name: re.compile(rf"\|\s*{name}\s*=\s*{NUMBER}\s*(?:\||$|[\r\n])") for name in ("MPP", "AppMag")}
"""Keys such as ``|AppMag = 40|MPP = 0.2573``, written by Aperio, Motic and others."""
QPI_POWER = re.compile(
    r"<(?:NominalMagnification|Magnification)>\s*([0-9.]+)\s*[xX]?\s*<|<Objective(?:Name)?>[^<]*?\b([0-9.]+)\s*[xX]\b"
)
QPI_MPP = re.compile(r"<PixelSizeMicrons>\s*([0-9.eE+-]+)\s*<")
VIPS = re.compile(r"<name>openslide\.([a-z-]+)</name>\s*<value[^>]*>([^<]*)</value>")
"""Properties that libvips writes into the description of its files."""


def tag_facts(page: Any) -> OmeFacts:
    """Return pixel size and objective of a page, without the resolutions of printers.

    Except in files of PerkinElmer, the description takes precedence over the resolution tags, which many programs fill
    with the resolution of a printer.
    """
    text = (page.description or "").replace("\0", "")
    make = page.tags.valueof(MAKE)
    vendor = make if isinstance(make, str) else None
    across, down = _resolution(page, text)
    power = None
    if text.lstrip().startswith("<") and "PerkinElmer-QPI" in text:
        said, found = QPI_MPP.search(text), QPI_POWER.search(text)
        if across is None and said:
            across = down = positive(said.group(1))
        power = positive(found.group(1) or found.group(2)) if found else None
    elif said_by_vips := dict(VIPS.findall(text)):
        across = positive(said_by_vips.get("mpp-x")) or across
        down = positive(said_by_vips.get("mpp-y")) or down
        power = positive(said_by_vips.get("objective-power"))
    else:
        mpp, power = (_keyed(text, name) for name in ("MPP", "AppMag"))
        across, down = (mpp, mpp) if mpp else (across, down)
    return OmeFacts(across, down, power, vendor, {})


def _keyed(text: str, name: str) -> float | None:
    """Return the number behind a key such as ``MPP``; some programs write a decimal comma."""
    found = KEYED[name].search(text)
    return positive(found.group(1).replace(",", ".")) if found else None


def _resolution(page: Any, text: str) -> tuple[float | None, float | None]:
    """Return micrometres per pixel (x, y) of the resolution tags; ImageJ writes their unit into the description."""
    length = MICROMETRES_PER_UNIT.get(page.tags.valueof(RESOLUTION_UNIT, 2))
    is_imagej = text.startswith("ImageJ=")
    if is_imagej and (unit := re.search(r"^unit=(.*?)\s*$", text, re.MULTILINE)):
        name = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code.group(1), 16)), unit.group(1))
        length = IMAGEJ_UNITS.get(name)
    sizes = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        value = page.tags.valueof(tag)
        pixels = positive(value[0] / value[1]) if isinstance(value, tuple) and len(value) == 2 and value[1] else None
        sizes.append(print_mpp(length / pixels) if pixels and length else None)
    return sizes[0], sizes[1]
