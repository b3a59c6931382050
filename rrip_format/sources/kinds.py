"""Recognize known file types that are not supported, by their first bytes or their extension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrip_format.errors import SourceError
from rrip_format.sources.jpegheader import is_frame, walk_segments

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ADVICE", "check_jpeg_kind", "check_kind", "check_picture"]

MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"ZISRAWFILE", "Zeiss CZI"),
    (0, b"\xda\xce\xbe\x0a", "Nikon ND2"),
    (0, b"\x70\x00\x00\x00", "Leica LIF"),
    (0, b"OLYMPUSRAWFORMAT", "Olympus OIR"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE compound file (Zeiss ZVI, Olympus OIB, Motic MDS)"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 (Imaris IMS, BigDataViewer)"),
    (0, b"KFB", "KFBio KFB"),
    (0, b"%PDF", "PDF"),
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"PK\x03\x04", "zip archive"),
    (0, b"Rar!", "rar archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (0, b"BZh", "bzip2 archive"),
    (0, b"\xfd7zXZ\0", "xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard archive"),
    (257, b"ustar", "tar archive"),
    (0, b"MATLAB 5.0", "MATLAB file"),
    (0, b"CDF\x01", "NetCDF"),
    (0, b"CDF\x02", "NetCDF"),
    (0, b"SQLite format 3\0", "SQLite database"),
    (0, b"\x1aE\xdf\xa3", "Matroska video"),
    (0, b"\x93NUMPY", "NumPy file"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"NRRD", "NRRD"),
    (344, b"n+1\0", "NIfTI"),
    (4, b"ftypisom", "MP4 video"),
    (4, b"ftypmp42", "MP4 video"),
)
"""Offset, first bytes and name of unsupported file types."""

PICTURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 file (JP2)"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 code stream"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"II\xbc", "JPEG XR"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"8BPS", "Photoshop PSD"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"qoif", "QOI"),
    (0, b"gimp xcf", "GIMP XCF"),
    (0, b"DDS ", "DDS"),
    (0, b"\x01\xda\0", "SGI image"),
    (0, b"\x01\xda\1", "SGI image"),
    (0, b"\x0a\x05\x01\x08", "PCX"),
    (0, b"\0\0\x01\0", "Windows icon"),
    (0, b"%!PS", "PostScript"),
    *(
        (0, f"P{kind}{space}".encode(), "netpbm (PPM, PGM, PBM, PAM, PFM)")
        for kind in "1234567fF"
        for space in "\n\r\t "
    ),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"BM", "BMP"),
    (4, b"ftyp", "a file of the MPEG-4 family (HEIC, AVIF, video)"),
)
"""Offset, first bytes and name of image types that only some builds of libvips read."""

READ = ((0, b"\xff\xd8\xff"), (0, b"\x89PNG"), (0, b"GIF8"), (8, b"WEBP"), (4, b"ftyp"))
"""Offset and first bytes of the image types that libvips reads."""

JPEG_LS = 0xF7
"""Marker of a frame of JPEG-LS."""

SUFFIXES = {
    ".czi": "Zeiss CZI",
    ".nd2": "Nikon ND2",
    ".lif": "Leica LIF",
    ".xlef": "Leica XLEF",
    ".lof": "Leica LOF",
    ".oir": "Olympus OIR",
    ".oib": "Olympus OIB",
    ".oif": "Olympus OIF",
    ".ets": "Olympus ETS (the tiles of a .vsi)",
    ".zvi": "Zeiss ZVI",
    ".isyntax": "Philips iSyntax",
    ".i2syntax": "Philips iSyntax",
    ".ims": "Imaris IMS",
    ".kfb": "KFBio KFB",
    ".sdpc": "Sqray SDPC",
    ".dyqx": "Sqray DYQX",
    ".tmap": "UNIC TMAP",
    ".mds": "Motic MDS",
    ".mdsx": "Motic MDSX",
    ".tron": "InteMedic TRON",
    ".ecw": "ECW",
    ".sid": "MrSID",
    ".afi": "Aperio AFI (fluorescence, one SVS a channel)",
    ".ndpis": "Hamamatsu NDPIS (fluorescence, one NDPI a channel)",
    ".dzi": "Deep Zoom",
    ".szi": "Deep Zoom in a zip archive",
    ".lei": "Leica LEI",
    ".pic": "Bio-Rad PIC",
    ".dv": "DeltaVision",
    ".mrc": "MRC",
    ".nii": "NIfTI",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
    ".iris": "Iris file",
}
"""Names of unsupported file types that are recognized by their extension."""

ADVICE = "export it as OME-TIFF, DICOM or a pyramidal TIFF with the vendor's program or Bio-Formats"


def check_kind(path: Path, head: bytes) -> None:
    """Raise `SourceError` if a file has a known type that no reader supports.

    Parameters
    ----------
    path : Path
        As the user names it, or a link to it.
    head : bytes
        The first bytes of the file.
    """
    suffixes = {path.suffix.lower(), path.resolve().suffix.lower()}
    name = _name(MAGIC, head)
    if name is None and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        name = _name_of_xml(head)
    if name is None and not _is_picture(head):
        name = next((SUFFIXES[suffix] for suffix in sorted(suffixes) if suffix in SUFFIXES), None)
    if name is not None:
        msg = f"{path}: {name} is not supported; {ADVICE}"
        raise SourceError(msg)


def check_picture(path: Path, head: bytes) -> None:
    """Raise `SourceError` with the reason if libvips cannot open a file because of what it is.

    It is an image type missing from this build, or none that is known; otherwise the file is damaged.
    """
    name = _name(PICTURES, head)
    if name is not None:
        msg = f"{path}: {name} is not supported by this build of libvips; convert it to PNG or TIFF"
        raise SourceError(msg)
    if not head.strip(b"\0"):
        msg = (
            f"{path}: its first {len(head)} bytes are zero, as of a download that was not finished; get a complete copy"
        )
        raise SourceError(msg)
    if not any(head[at : at + len(magic)] == magic for at, magic in READ):
        msg = (
            f"{path}: not a slide or image of a known kind: it begins with {head[:8].hex(' ')}; if that is damage, get "
            f"another copy, else {ADVICE}"
        )
        raise SourceError(msg)


def check_jpeg_kind(path: Path, data: bytes) -> None:
    """Raise `SourceError` for kinds of JPEG that libvips does not decode to 8 bits."""
    segments = ((marker, body) for marker, body, _ in walk_segments(data))
    found = [(marker, body[0]) for marker, body in segments if body and (marker == JPEG_LS or is_frame(marker, body))]
    name = "JPEG-LS" if any(marker == JPEG_LS for marker, _ in found) else None
    if name is None and found and found[0][1] != 8:
        name = f"JPEG with {found[0][1]} bits a sample"
    if name is not None:
        msg = f"{path}: {name} is not supported; convert it to PNG or TIFF"
        raise SourceError(msg)


def _name(kinds: tuple[tuple[int, bytes, str], ...], head: bytes) -> str | None:
    return next((name for at, magic, name in kinds if head[at : at + len(magic)] == magic), None)


def _is_picture(head: bytes) -> bool:
    """Return whether the content is a picture or TIFF, whatever the extension says."""
    return head[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG"} or head[:3] == b"\xff\xd8\xff"


def _name_of_xml(head: bytes) -> str | None:
    text = head[:4096].decode("utf-8", "replace")
    for mark, name in {
        "DPUfsImport": "Philips iSyntax",
        "<OME": "OME-XML without pixels of its own (an OME-TIFF companion)",
        "<ImageList": "Aperio AFI (fluorescence, one SVS a channel)",
        "schemas.microsoft.com/deepzoom": "Deep Zoom",
        "<svg": "SVG",
        "<html": "HTML page",
        "<!DOCTYPE html": "HTML page",
    }.items():
        if mark.lower() in text.lower():
            return name
    return "XML" if text.lstrip().startswith("<?xml") else None
