"""Print which sources are refused although another program reads them, by format and compression, as Markdown.

Small files of each kind are made and given to this package, to OpenSlide and, where it is installed, to wsidicom. What
Bio-Formats reads is what its documentation says (bio-formats.readthedocs.io, "supported formats"). The table stands in
``docs/sources.md``; ``tests/sources/test_source_table.py`` holds it to what the package does.

usage: python tests/support/source_table.py
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from raw_tiff import SHORT, Page, basic_tags, segments_of, write_raw_tiff
from tiff_readers import picture
from wsi_dicom import write_dicom

from rrip_format.errors import SourceError
from rrip_format.sources import open_source

TILE = (16, 32)


@dataclass(frozen=True)
class Case:
    """A kind of source.

    Parameters
    ----------
    kind : str
        Format and what is special.
    storage : str
        Compression.
    make : callable
        Writes one under a path without suffix, and returns the path.
    bio_formats : bool
        Whether its documentation says that it reads that kind.
    """

    kind: str
    storage: str
    make: Callable[[Path], Path]
    bio_formats: bool


def tiff(changes: dict[int, Any], *, count: int = 3, planar: bool = False, pages: int = 1) -> Callable[[Path], Path]:
    """Make a writer of a tiled TIFF of 8-bit samples with other tags."""

    def write(path: Path) -> Path:
        samples = picture(count)
        bits = changes.get(258, (SHORT, [8]))[1][0]
        tags = basic_tags(samples, photometric=2 if count == 3 else 1, planar=planar, tile=TILE, bits=bits)
        parts = [part.tobytes() * (bits // 8 or 1) for part in segments_of(samples, TILE, None, planar=planar)]
        page = Page(tags | changes, parts, is_tiled=True)
        written: Path = write_raw_tiff(path.with_suffix(".tif"), [page] * pages)
        return written

    return write


def dicom(**options: Any) -> Callable[[Path], Path]:
    """Make a writer of a DICOM whole-slide image."""

    def write(path: Path) -> Path:
        write_dicom(path.with_suffix(".dcm"), **options)
        return path.with_suffix(".dcm")

    return write


def attributes(**values: Any) -> Callable[[Any], None]:
    """Make a function that sets attributes of a data set."""

    def change(dataset: Any) -> None:
        for name, value in values.items():
            setattr(dataset, name, value)

    return change


def sixteen_bits(dataset: Any) -> None:
    """Make 16-bit samples of 8-bit ones."""
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelData = np.frombuffer(dataset.PixelData, np.uint8).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def off_grid(dataset: Any) -> None:
    """Move the last tile half beside its place."""
    place = dataset.PerFrameFunctionalGroupsSequence[-1].PlanePositionSlideSequence[0]
    place.ColumnPositionInTotalImagePixelMatrix -= 7


def named(suffix: str, head: bytes) -> Callable[[Path], Path]:
    """Make a writer of a file that only begins as one of a vendor's."""

    def write(path: Path) -> Path:
        path.with_suffix(suffix).write_bytes(head + bytes(200))
        return path.with_suffix(suffix)

    return write


def ventana(path: Path) -> Path:
    """Write a BIF whose tiles are joined to the left, as those of newer scanners."""
    pages = []
    for description, xml in ((b"Label Image\0", ISCAN), (b"level=0 mag=40 quality=90\0", ENCODE_INFO)):
        tags = basic_tags(picture(), photometric=2, tile=TILE) | {270: (2, description), 700: (1, xml)}
        pages.append(Page(tags, [part.tobytes() for part in segments_of(picture(), TILE, None)], is_tiled=True))
    written: Path = write_raw_tiff(path.with_suffix(".bif"), pages)
    return written


ISCAN = b'<?xml version="1.0"?><Metadata><iScan Magnification="40" ScanRes="0.25"/></Metadata>'
ENCODE_INFO = (
    b'<?xml version="1.0"?><EncodeInfo Ver="2"><SlideInfo/><SlideStitchInfo><ImageInfo AOIScanned="1" AOIIndex="0" '
    b'NumRows="3" NumCols="3" Width="32" Height="16" Pos-X="0" Pos-Y="0"><TileJointInfo FlagJoined="1" '
    b'Confidence="99" Direction="LEFT" Tile1="1" Tile2="2" OverlapX="0" OverlapY="0"/></ImageInfo></SlideStitchInfo>'
    b'<AoiOrigin><AOI0 OriginX="0" OriginY="0"/></AoiOrigin></EncodeInfo>'
)
JPEG = "1.2.840.10008.1.2.4.50"
CASES = [
    Case("TIFF, 16-bit RGB", "any", tiff({258: (SHORT, [16] * 3)}), bio_formats=True),
    Case("TIFF, 16-bit gray", "any", tiff({258: (SHORT, [16])}, count=1), bio_formats=True),
    Case("TIFF, signed 8-bit", "any", tiff({339: (SHORT, [2] * 3)}), bio_formats=True),
    Case("TIFF, several gray pages (fluorescence)", "any", tiff({}, count=1, pages=3), bio_formats=True),
    Case("TIFF, CMYK without an ICC profile", "any", tiff({262: (SHORT, [5])}, count=4), bio_formats=True),
    Case("TIFF, CIELAB", "any", tiff({262: (SHORT, [8])}), bio_formats=True),
    Case(
        "TIFF, YCbCr in planes apart",
        "any",
        tiff({262: (SHORT, [6]), 530: (SHORT, [1, 1])}, planar=True),
        bio_formats=True,
    ),
    Case("TIFF", "old-style JPEG (6)", tiff({259: (SHORT, [6])}), bio_formats=True),
    Case("TIFF", "ThunderScan (32809)", tiff({259: (SHORT, [32809])}), bio_formats=True),
    Case("DICOM, 16-bit gray", "native", dicom(photometric="MONOCHROME2", change=sixteen_bits), bio_formats=True),
    Case(
        "DICOM, palette",
        "native",
        dicom(change=attributes(PhotometricInterpretation="PALETTE COLOR")),
        bio_formats=True,
    ),
    Case("DICOM, tiles beside the grid", "JPEG", dicom(syntax=JPEG, sparse=True, change=off_grid), bio_formats=True),
    Case("Ventana BIF, tiles joined to the left (DP 200)", "any", ventana, bio_formats=True),
    Case("Zeiss CZI", "any", named(".czi", b"ZISRAWFILE"), bio_formats=True),
    Case("Olympus/Evident VSI", "any", named(".vsi", b"II*\0"), bio_formats=True),
    Case("Nikon ND2", "any", named(".nd2", b"\xda\xce\xbe\x0a"), bio_formats=True),
    Case("Leica LIF", "any", named(".lif", b"\x70\0\0\0"), bio_formats=True),
    Case("Zeiss ZVI", "any", named(".zvi", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), bio_formats=True),
    Case("Olympus OIR", "any", named(".oir", b"OLYMPUSRAWFORMAT"), bio_formats=True),
    Case("Imaris IMS", "any", named(".ims", b"\x89HDF\r\n\x1a\n"), bio_formats=True),
    Case("Aperio AFI", "any", named(".afi", b"<ImageList><Image/></ImageList>"), bio_formats=True),
    Case("Hamamatsu NDPIS", "any", named(".ndpis", b"[NanoZoomer Digital Pathology Image Set]"), bio_formats=True),
]


def reason(path: Path) -> str | None:
    """Return why a source is refused, without path and advice; None where it is read."""
    try:
        with open_source(path) as source:
            source.read(0, 0, source.info.height, source.info.width)
    except SourceError as error:
        text = str(error).replace(f"{path}: ", "").replace(str(path.parent / f"_{path.stem}_"), "_NAME_")
        return text.replace(str(path), path.suffix).partition("; ")[0].partition(", expected 8-bit gray")[0]
    return None


def by_openslide(path: Path) -> bool:
    """Tell whether OpenSlide reads it."""
    import openslide

    try:
        with openslide.OpenSlide(path) as slide:
            slide.read_region((0, 0), 0, slide.dimensions)
    except openslide.OpenSlideError:
        return False
    return True


def by_wsidicom(path: Path) -> bool:
    """Tell whether wsidicom reads it."""
    if path.suffix != ".dcm":
        return False
    with contextlib.suppress(Exception):
        from wsidicom import WsiDicom

        with WsiDicom.open(path) as slide:
            slide.read_region((0, 0), 0, (16, 16))
        return True
    return False


def rows() -> list[tuple[Case, str | None, Path]]:
    """Make a file of each kind, and say why it is refused."""
    folder = Path(tempfile.mkdtemp())
    made = []
    for number, case in enumerate(CASES):
        place = folder / str(number)
        place.mkdir()
        path = case.make(place / "a")
        made.append((case, reason(path), path))
    return made


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print("| source | compression | refused with | OpenSlide | Bio-Formats | wsidicom |\n|---|---|---|---|---|---|")
    for case, why, path in rows():
        others = [by_openslide(path), case.bio_formats, by_wsidicom(path)]
        if not any(others):
            continue
        cells = [case.kind, case.storage, why or "read", *("reads" if other else "–" for other in others)]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
