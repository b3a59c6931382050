"""Slides that OpenSlide composes of tiles: NDPI, MRXS, SCN, BIF, Philips, VMS and more, and what it knows of SVS.

``read_region`` of openslide-python gives straight (un-premultiplied) RGBA: OpenSlide's own buffer is premultiplied, and
the binding divides by alpha. Alpha is 0 where a slide has no data and in between only at borders of placed tiles.
The JPEG decoder inside OpenSlide treats warnings as errors, so truncated JPEG tiles are refused there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.errors import SourceError, one_line
from rrip_format.sources.base import WHITE, AssociatedImages, SlideInfo, boundary, load_reader, positive
from rrip_format.sources.color import to_rgb
from rrip_format.sources.files import FileSource, fingerprint_files
from rrip_format.sources.icc import fitting_profile
from rrip_format.sources.kinds import ADVICE
from rrip_format.sources.tiff import TiffSource

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["AperioSource", "OpenSlideSource", "detect_vendor", "parse_background"]

LAYERS = ("hamamatsu.NoLayers", "ventana.Z-layers")
"""Properties that say how many focal planes there are."""

UNSUPPORTED = ("direction attribute", "nsupported", "not supported", "Can't handle", "Couldn't find codec")
"""In messages of OpenSlide about whole slides of a kind that it does not read, such as BIF of newer scanners."""


def detect_vendor(path: Path) -> str | None:
    """Return OpenSlide's name of the format, None where OpenSlide does not know it."""
    openslide = load_reader("openslide")
    with boundary(str(path), "OpenSlide cannot look at it"):
        vendor: str | None = openslide.OpenSlide.detect_format(str(path))
        return vendor


class OpenSlideSource(FileSource):
    """A slide through openslide-python: the whole of level 0, areas outside ``openslide.bounds-*`` included.

    Parameters
    ----------
    path : Path
        The slide.
    files : list of Path, optional
        All files that hold it.

    Raises
    ------
    SourceError
        OpenSlide cannot open it. After one failed read an OpenSlide handle fails for good, and so does the source.
    """

    is_tiled = True

    def __init__(self, path: Path, files: list[Path] | None = None) -> None:
        self.where = str(path)
        self._path = path
        self._all_files = files or [path]
        openslide = load_reader("openslide")
        try:
            with boundary(self.where, "OpenSlide cannot open it"):
                self._slide: Any = openslide.OpenSlide(str(path))
        except SourceError as error:
            raise _told_why(self.where, error) from error
        with boundary(self.where, "OpenSlide cannot describe it"):
            properties = dict(self._slide.properties)
            self.info = self._describe(properties)

    def _describe(self, properties: dict[str, str]) -> SlideInfo:
        width, height = self._slide.dimensions
        mpp = [positive(properties.get(f"openslide.mpp-{axis}")) for axis in "xy"]
        # color_profile would be written anew by LittleCMS; the picture carries the bytes of the file.
        profile, notes = fitting_profile(self._slide.read_region((0, 0), 0, (1, 1)).info.get("icc_profile"))
        files = fingerprint_files(self._path, self.files)
        return SlideInfo(
            name=self._path.name,
            size_bytes=int(files["size_bytes"]),
            width=width,
            height=height,
            mpp_x=mpp[0],
            mpp_y=mpp[1],
            objective_power=positive(properties.get("openslide.objective-power")),
            vendor=properties.get("openslide.vendor"),
            background=parse_background(properties.get("openslide.background-color", "")),
            properties=properties,
            icc_profile=profile,
            reader="openslide",
            notes=(*notes, *_parts_notes(self._path, properties)),
        )

    def _read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        rgba = np.asarray(self._slide.read_region((x, y), 0, (width, height)))
        return to_rgb(rgba, self.info.background)

    def associated(self) -> AssociatedImages:
        """Return readers of the associated images: ``thumbnail``, ``macro``, ``label``, others as the vendor has it."""
        prefix, suffix = "openslide.associated.", ".width"
        names = [
            key[len(prefix) : -len(suffix)]
            for key in self.info.properties
            if key.startswith(prefix) and key.endswith(suffix)
        ]
        return {name: partial(self._associated, name) for name in names}

    def _associated(self, name: str) -> NDArray[np.uint8]:
        # On a handle of its own: a broken label must not put the slide into OpenSlide's error state.
        openslide = load_reader("openslide")
        with boundary(self.where, f"its {name} image cannot be read"), openslide.OpenSlide(self.where) as slide:
            return to_rgb(np.asarray(slide.associated_images[name]), self.info.background)

    @property
    def files(self) -> list[Path]:
        """The file, or all of a slide in several files."""
        return self._all_files

    def _close(self) -> None:
        self._slide.close()


class AperioSource(TiffSource):
    """An SVS: pixels from its largest tiled page, properties and small pictures from OpenSlide.

    Parameters
    ----------
    path : Path
    **options
        As :class:`.TiffSource`.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self._known: OpenSlideSource | None = None
        try:
            known = OpenSlideSource(path)
        except SourceError:
            return  # the tags have to do
        told = known.info
        if (told.width, told.height) != (self._layout.width, self._layout.height):
            known.close()  # of another page than that which is read
            return
        self._known = known
        mpp = (told.mpp_y, told.mpp_x) if self._turn.transposes else (told.mpp_x, told.mpp_y)
        self.info = replace(
            self.info,
            mpp_x=mpp[0] or self.info.mpp_x,
            mpp_y=mpp[1] or self.info.mpp_y,
            objective_power=told.objective_power or self.info.objective_power,
            vendor=told.vendor,
            background=told.background,
            properties=told.properties,
        )

    def associated(self) -> AssociatedImages:
        """Return readers of the associated images, as OpenSlide names them."""
        return super().associated() if self._known is None else self._known.associated()

    def _close(self) -> None:
        super()._close()
        if self._known is not None:
            self._known.close()


def _parts_notes(path: Path, properties: dict[str, str]) -> tuple[str, ...]:
    """Say which of several regions and focal planes OpenSlide shows; it lets nobody choose."""
    regions = sum(bool(re.fullmatch(r"openslide\.region\[\d+\]\.x", name)) for name in properties)
    planes = max([_focal_planes(path), _planes_said(properties)])
    found = []
    if regions > 1:
        found.append(f"the source holds {regions} regions, which lie side by side in one picture")
    if planes > 1:
        found.append(f"the source holds {planes:g} focal planes, of which OpenSlide shows the nominal one")
    return tuple(found)


def _planes_said(properties: dict[str, str]) -> float:
    """Return how many focal planes the properties speak of."""
    lowest, highest = (properties.get(f"argos.{end}Z", "0") for end in ("Min", "Max"))
    span = float(highest) - float(lowest) + 1
    return max([span, *(positive(properties.get(name)) or 1 for name in LAYERS)])


def _focal_planes(path: Path) -> int:
    """Return how many focal planes an NDPI holds in its largest pages, 1 of anything else."""
    if path.suffix.lower() != ".ndpi":
        return 1
    tifffile = load_reader("tifffile")
    with boundary(str(path), "its TIFF directories cannot be read"), tifffile.TiffFile(path) as tif:
        pages = [page.aspage() for page in tif.pages]
        most = max(page.imagewidth * page.imagelength for page in pages)
        depths = {page.tags.valueof(65424, 0) for page in pages if page.imagewidth * page.imagelength == most}
        return len(depths)


def _told_why(where: str, error: SourceError) -> SourceError:
    """Return an error with the reason, where OpenSlide refuses a slide not for damage but for what it does not know."""
    cause = error.__cause__ or error
    if not any(mark in str(cause) for mark in UNSUPPORTED):
        return error
    said = one_line(cause)
    verb = "" if said.endswith("supported") else " is not supported"
    return SourceError(f"{where}: {said}{verb} by this version of OpenSlide; {ADVICE}")


def parse_background(text: str) -> tuple[int, int, int]:
    """Return ``openslide.background-color`` as RGB, white where it is absent or not six hex digits."""
    if not re.fullmatch("[0-9A-Fa-f]{6}", text):
        return WHITE
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
