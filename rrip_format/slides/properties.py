"""Properties of a slide with the names of OpenSlide."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..spec.metadata import Metadata

__all__ = ["make_properties"]

_SOURCE_ONLY = ("openslide.level", "openslide.associated.", "openslide.icc-size", "openslide.quickhash-1")
"""Properties of the source file that are not those of the container."""


def make_properties(metadata: Metadata, pictures: Mapping[str, tuple[int, int]]) -> Mapping[str, str]:
    """Return the properties of a slide with OpenSlide's names, and those of the source that are still valid.

    Parameters
    ----------
    metadata : Metadata
        Metadata of the container.
    pictures : mapping of str to (height, width)
        Sizes of the associated images, px.

    Returns
    -------
    mapping of str to str
        Read-only, sorted by name.
    """
    about, coding = metadata.slide, metadata.coding
    found = {key: text for key, text in about.properties.items() if not key.startswith(_SOURCE_ONLY)}
    found["openslide.vendor"] = about.vendor or "rrip"
    found["openslide.background-color"] = "{:02X}{:02X}{:02X}".format(*coding.background)
    if about.mpp is not None:
        found["openslide.mpp-x"], found["openslide.mpp-y"] = map(_text, about.mpp)
    if about.objective is not None:
        found["openslide.objective-power"] = _text(about.objective)
    found["openslide.level-count"] = str(coding.geometry.levels)
    for level in range(coding.geometry.levels):
        start, (height, width) = f"openslide.level[{level}].", coding.geometry.shape(level)
        found[f"{start}downsample"] = str(2**level)
        found[f"{start}width"], found[f"{start}height"] = str(width), str(height)
        found[f"{start}tile-width"] = found[f"{start}tile-height"] = str(coding.geometry.tile_side(level))
    for name, (height, width) in pictures.items():
        found[f"openslide.associated.{name}.width"] = str(width)
        found[f"openslide.associated.{name}.height"] = str(height)
    return MappingProxyType(dict(sorted(found.items())))


def _text(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(float(number))
