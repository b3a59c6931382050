"""Find the compressions that the pixels of a source went through, from the first to the one of the file itself.

This inspects a few tiles without decoding them: JPEG by its quantization tables, JPEG 2000 by its wavelet, DICOM also
by its attributes, and Aperio by the description, which has one line for each time that the slide was written (spec
section 8.9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from rrip_format.errors import RripError
from rrip_format.sources.base import Source, boundary, positive
from rrip_format.sources.files import head_of, is_dicom
from rrip_format.sources.jpegtables import JpegLoss, read_loss
from rrip_format.sources.storedtiles import HEADER_BYTES, SAMPLED_TILES, stored_tiles
from rrip_format.sources.tiffcheck import is_tiff
from rrip_format.spec.metadata import JPEG, JPEG_2000, Compression, find_history

__all__ = ["find_compressions", "find_in_data_files"]

_TIFF_CODECS: dict[int, tuple[str, bool | None]] = {
    2: ("CCITT", False),
    3: ("CCITT", False),
    4: ("CCITT", False),
    5: ("LZW", False),
    8: ("Deflate", False),
    32773: ("PackBits", False),
    32946: ("Deflate", False),
    34925: ("LZMA", False),
    50000: ("Zstandard", False),
    34887: ("LERC", None),
    50001: ("WebP", None),
    50002: ("ISO_18181_1", None),
    52546: ("ISO_18181_1", None),
    22610: ("ISO_29199_2", None),
    34934: ("ISO_29199_2", None),
}
_TIFF_NONE, _TIFF_JPEG, _TIFF_JPEG_2000 = 1, {6, 7}, {33003, 33004, 33005, 34712}

_LOADERS: dict[str, tuple[str, bool | None]] = {
    "png": ("Deflate", False),
    "gif": ("LZW", None),
    "webp": ("WebP", None),
    "jp2k": (JPEG_2000, None),
    "jxl": ("ISO_18181_1", None),
    "heif": ("HEIF", None),
}
"""Codec, and whether it is lossy, by the first letters of libvips' loader."""

_SYNTAXES: dict[str, tuple[str, bool | None]] = {
    **{f"1.2.840.10008.1.2.4.{k}": (JPEG, True) for k in (50, 51)},
    **{f"1.2.840.10008.1.2.4.{k}": (JPEG, False) for k in (57, 70)},
    "1.2.840.10008.1.2.4.80": ("ISO_14495_1", False),
    "1.2.840.10008.1.2.4.81": ("ISO_14495_1", None),
    "1.2.840.10008.1.2.4.90": (JPEG_2000, False),
    "1.2.840.10008.1.2.4.91": (JPEG_2000, None),
    "1.2.840.10008.1.2.4.110": ("ISO_18181_1", False),
    "1.2.840.10008.1.2.4.112": ("ISO_18181_1", None),
    "1.2.840.10008.1.2.4.201": ("ISO_15444_15", False),
    "1.2.840.10008.1.2.4.203": ("ISO_15444_15", None),
    "1.2.840.10008.1.2.5": ("RLE", False),
    "1.2.840.10008.1.2.1.99": ("Deflate", False),
}
"""Codec, and whether it is lossy (None if it may be), by the transfer syntax of DICOM."""

_APERIO_CODEC = re.compile(r"\b(JPEG|J2K)/[A-Za-z0-9]{1,12} Q ?= ?(\d{1,3})\b")
_SEARCHED_BYTES, _DATA_FILES = 1 << 20, 20

_VMS_FILE = re.compile(rb"^ImageFile[^=\r\n]{0,40}=([^\r\n]{1,255})", re.MULTILINE)
"""The line of a VMS that names a JPEG file of level 0."""

_CODE = re.compile("[A-Z0-9_ ]{1,16}")
"""A code string (CS) of DICOM; other values may be free text."""


def find_compressions(source: Source) -> tuple[Compression, ...] | None:
    """Find the compressions that the pixels of a source went through, oldest first; None if unknown.

    Files that cannot be read raise no error here; their compression is unknown.
    """
    path = source.path
    if path is None:
        return None
    if path.is_dir():
        path = source.files[0]  # of a series
    info = source.info
    try:
        with boundary(source.where, "its compression cannot be read"):
            head = head_of(path)
            if is_dicom(head):
                return _find_in_dicom(path, info.properties)
            if is_tiff(head):
                return _find_in_tiff(path, (info.width, info.height))
            if info.reader == "vips":
                return _find_in_picture(path, info.properties.get("vips.vips-loader", ""), info.width * info.height)
            return find_in_data_files(path)
    except RripError:
        return None


def _find_in_tiff(path: Path, size: tuple[int, int]) -> tuple[Compression, ...] | None:
    with stored_tiles(path, size) as tiles:
        told = find_history(tiles.description)  # written by our own export, including this file's compression
        earlier = _parse_aperio_history(tiles.description) if told is None else told[:-1]
        if tiles.codec == _TIFF_NONE:
            return earlier
        if tiles.codec in _TIFF_JPEG:
            losses = [loss for loss in (read_loss(head, tiles.tables) for head in tiles.heads()) if loss is not None]
            return (*earlier, _combine_losses(losses, tiles.ratio))
        if tiles.codec in _TIFF_JPEG_2000:
            loses = any(map(_is_irreversible, tiles.heads()))  # the 5-3 wavelet may be truncated, hence lossy too
            return (*earlier, Compression(JPEG_2000, loses or None, None, None, tiles.ratio))
        if tiles.codec in _TIFF_CODECS:
            method, lossy = _TIFF_CODECS[tiles.codec]
            return (*earlier, Compression(method, lossy, None, None, tiles.ratio))
        return None


def _parse_aperio_history(description: str) -> tuple[Compression, ...]:
    """Return the compressions before the last one; Aperio's library puts the latest line first."""
    if not description.startswith("Aperio"):
        return ()
    found = _APERIO_CODEC.findall(description)
    return tuple(
        Compression(JPEG if codec == "JPEG" else JPEG_2000, True, int(quality) if codec == "JPEG" else None)
        for codec, quality in reversed(found[1:])
        if 1 <= int(quality) <= 100
    )


def _is_irreversible(stream: bytes) -> bool:
    """Return whether the COD segment of a JPEG 2000 code stream names the 9-7 wavelet (ISO 15444-1, A.6.1)."""
    at = stream.find(b"\xff\x52")
    return 0 <= at < len(stream) - 13 and stream[at + 13] == 0


def _combine_losses(losses: list[JpegLoss], ratio: float | None) -> Compression:
    """Combine the losses of several JPEG tiles into one entry with the highest quality among them."""
    qualities = [loss.quality for loss in losses if loss.quality is not None]
    names = {loss.subsampling for loss in losses}
    lossy = any(loss.lossy for loss in losses) if losses else True
    return Compression(JPEG, lossy, max(qualities, default=None), names.pop() if len(names) == 1 else None, ratio)


def _find_in_dicom(path: Path, properties: Mapping[str, str]) -> tuple[Compression, ...] | None:
    """Return the compressions that the attributes list; transfer syntax and stream add details to the last one."""

    def values(keyword: str) -> list[str]:
        several = [properties[name] for k in range(9) if (name := f"dicom.{keyword}[{k}]") in properties]
        only = properties.get(f"dicom.{keyword}")
        return several or ([only] if only else [])

    ratios = [positive(value) for value in values("LossyImageCompressionRatio")]
    methods = values("LossyImageCompressionMethod")
    told = find_history(properties.get("dicom.DerivationDescription", ""))  # written by our own export
    said = list(told or ())
    for method, ratio in zip_longest(methods, ratios[: len(methods)]) if told is None else ():
        said.append(Compression(method if _CODE.fullmatch(method) else "unknown", True, None, None, ratio))
    lossy = properties.get("dicom.LossyImageCompression")
    if lossy == "01" and not said:
        said = [Compression("unknown", True, None, None, ratios[0] if ratios else None)]
    syntax = properties.get("dicom.TransferSyntaxUID", "")
    if syntax not in _SYNTAXES:
        return tuple(said) if said or lossy == "00" else None
    method, loses = _SYNTAXES[syntax]
    same = bool(said) and said[-1].method == method
    ratio = said[-1].ratio if same else None
    last = Compression(method, loses, None, None, ratio)
    if method == JPEG and loses:
        last = _combine_losses(_find_jpeg_losses(path, b"\xe0\x7f\x10\x00"), ratio)
    elif loses is None:
        last = Compression(method, {"00": False, "01": same or None}.get(lossy or ""), None, None, ratio)
    return (*(said[:-1] if same else said), last)


def _find_in_picture(path: Path, loader: str, pixels: int) -> tuple[Compression, ...] | None:
    ratio = round(3 * pixels / path.stat().st_size, 2)
    if loader.startswith("jpeg"):
        loss = read_loss(path.read_bytes()[:_SEARCHED_BYTES])
        return (_combine_losses([loss] if loss else [], ratio),)
    found = [codec for name, codec in _LOADERS.items() if loader.startswith(name)]
    return (Compression(*found[0], None, None, ratio),) if found else None


def find_in_data_files(path: Path) -> tuple[Compression, ...] | None:
    """Return the compression of the JPEG streams in the data files of a MIRAX or VMS slide; None without any."""
    if path.suffix.lower() == ".mrxs":
        files = sorted(path.with_suffix("").glob("Data*.dat"))
    else:
        names = _VMS_FILE.findall(head_of(path)) if path.suffix.lower() == ".vms" else []
        files = [path.with_name(Path(name.decode("utf-8", "replace")).name) for name in names]
    losses = [loss for file in files[:_DATA_FILES] if file.is_file() for loss in _find_jpeg_losses(file, b"")]
    return (_combine_losses(losses, None),) if losses else None


def _find_jpeg_losses(path: Path, after: bytes) -> list[JpegLoss]:
    """Return the losses of the first JPEG streams in a file, searched from the bytes `after` onwards."""
    with path.open("rb") as file:
        data = file.read(8 * _SEARCHED_BYTES)
    at, found = max(data.find(after), 0), list[JpegLoss]()
    while len(found) < SAMPLED_TILES and (at := data.find(b"\xff\xd8\xff", at)) >= 0:
        loss = read_loss(data[at : at + HEADER_BYTES])
        found += [loss] if loss is not None and loss.quality is not None else []
        at += 3
    return found
