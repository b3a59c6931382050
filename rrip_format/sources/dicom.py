"""DICOM whole-slide images: TILED_FULL and TILED_SPARSE, native and compressed, in the colours of their streams."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rrip_format.errors import SourceError
from rrip_format.sources.base import WHITE, AssociatedImages, SlideInfo, boundary, load_reader, positive
from rrip_format.sources.codestreams import decode_jpeg, decode_jpeg2000, decode_sized
from rrip_format.sources.color import to_rgb, ycbcr_to_rgb
from rrip_format.sources.dicomfiles import Instance, find_instances, find_unreadable, quiet
from rrip_format.sources.dicomplanes import SMALL, Plane, list_pictures, list_planes
from rrip_format.sources.dicomtags import flat_properties
from rrip_format.sources.files import FileSource
from rrip_format.sources.grid import read_block
from rrip_format.sources.icc import fitting_profile
from rrip_format.sources.jpegcheck import check_end
from rrip_format.sources.jpegheader import parse_header, stream_colour
from rrip_format.sources.pictures import Choice, choose_picture

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DicomSource"]

PHOTOMETRIC: dict[str, tuple[int, str | None]] = {
    "MONOCHROME1": (1, None),
    "MONOCHROME2": (1, None),
    "RGB": (3, "RGB"),
    "YBR_FULL": (3, "YCBCR"),
    "YBR_FULL_422": (3, "YCBCR"),
    "YBR_ICT": (3, None),
    "YBR_RCT": (3, None),
}
"""Samples a pixel and colour of what a decoder without colours of its own gives."""
JPEG = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
JPEG_2000 = {f"1.2.840.10008.1.2.4.{k}" for k in (90, 91, 201, 202, 203)}
JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
LOSSLESS = {"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}
RLE = "1.2.840.10008.1.2.5"
MAX_TILE_BYTES = 1 << 30
CACHE_BYTES = 32 << 20


class DicomSource(FileSource):
    """The largest volume image of a DICOM series, or the one that is chosen.

    Parameters
    ----------
    path : Path
        A file of the series, its folder, or a DICOMDIR.
    image : int or str, optional
        Which of several series, focal planes or optical paths, as :func:`.choose_picture` has it.

    Raises
    ------
    SourceError
        No whole-slide image, a damaged one, or not of 8 bits, gray or colour, in a transfer syntax that is read.
    """

    is_tiled = True

    def __init__(self, path: Path, *, image: int | str | None = None) -> None:
        self.where = str(path)
        with boundary(self.where, "its DICOM files cannot be read"):
            instances, files = find_instances(path)
            pictures = list_pictures(instances, self.where)
            choice = choose_picture(pictures, image, self.where)
            picture, notes = choice.picture, choice.notes
            self._plane: Plane = picture.parts[0]
            series = str(self._plane.frames[0].dataset.get("SeriesInstanceUID"))
            self._series = [instance for instance in instances if instance.series == series]
            if len({instance.series for instance in instances}) > 1 and image is None and not notes:
                count = len({instance.series for instance in instances})
                notes = (f"{count} whole-slide series are there; {series}, with the largest picture, is read",)
            if image is None:
                notes += _finest_notes(files, self._plane.frames[0].dataset, self.where)
            is_named = any(instance.path == path for instance in self._series)
            self._path = path if is_named else self._plane.frames[0].path
            self._decoder = _Decoder(self._plane, picture.width, picture.height, self.where)
            self.info = self._describe(choice, notes)

    def _describe(self, choice: Choice, notes: tuple[str, ...]) -> SlideInfo:
        picture = choice.picture
        dataset = self._plane.frames[0].dataset
        with quiet():
            spacing = _spacing(dataset)
            paths = dataset.get("OpticalPathSequence") or []
            lens = paths[self._plane.path_number] if self._plane.path_number < len(paths) else {}
            icc = lens.get("ICCProfile")
            profile, left_out = fitting_profile(None if icc is None else bytes(icc))
            properties = flat_properties(dataset)
        return SlideInfo(
            name=self._path.name,
            size_bytes=int(self.fingerprint()["size_bytes"]),
            width=picture.width,
            height=picture.height,
            mpp_x=spacing[1],
            mpp_y=spacing[0],
            objective_power=positive(lens.get("ObjectiveLensPower")),
            vendor="dicom",
            background=WHITE,
            properties=properties,
            icc_profile=profile,
            reader="pydicom",
            image=choice.number,
            notes=(*notes, *left_out),
        )

    def _read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        return self._decoder.read(y, x, height, width)

    def associated(self) -> AssociatedImages:
        """Return readers of the label, overview (``macro``) and thumbnail instances of the series."""
        return {
            SMALL[instance.kind]: partial(self._associated, instance)
            for instance in reversed(self._series)
            if instance.kind in SMALL
        }

    def _associated(self, instance: Instance) -> NDArray[np.uint8]:
        with boundary(str(instance.path), f"its {SMALL[instance.kind]} image cannot be read"):
            picture = list_planes([instance], instance.path.name)[0]
            return _Decoder(picture.parts[0], picture.width, picture.height, str(instance.path)).read(
                0, 0, picture.height, picture.width
            )

    @property
    def files(self) -> list[Path]:
        """All files of the series."""
        return sorted(instance.path for instance in self._series)

    def _close(self) -> None:
        self._decoder.close()


class _Decoder:
    """Blocks of one plane."""

    def __init__(self, plane: Plane, width: int, height: int, where: str) -> None:
        self._plane, self._width, self._height = plane, width, height
        dataset = plane.frames[0].dataset
        self._rows, self._columns = int(dataset.Rows), int(dataset.Columns)
        self._photometric = str(dataset.PhotometricInterpretation)
        self._syntax = str(dataset.file_meta.TransferSyntaxUID)
        problem = _problem(dataset)
        if problem is not None:
            msg = f"{where}: found {problem}, expected 8-bit gray or colour; convert it first"
            raise SourceError(msg)
        self._samples, self._colour = PHOTOMETRIC[self._photometric]
        self._planar = int(dataset.get("PlanarConfiguration") or 0) == 1
        keep = max(2, CACHE_BYTES // (self._rows * self._columns * 3))
        self._tile = lru_cache(maxsize=keep)(self._decode)

    def read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return RGB of a box."""
        return read_block((y, x, height, width), (self._rows, self._columns), self._decode, self._tile)

    def close(self) -> None:
        """Forget decoded tiles: they and this object hold each other."""
        self._tile.cache_clear()

    def _decode(self, row: int, column: int) -> NDArray[np.uint8]:
        place = self._plane.tiles.get((row, column))
        if place is None:  # of a sparse plane; others are complete
            return np.full((self._rows, self._columns, 3), WHITE, np.uint8)
        data = self._plane.frames[place[0]].read(place[1])
        tile = self._decompress(data)
        if tile.shape != (self._rows, self._columns, self._samples) or tile.dtype != np.uint8:
            msg = f"a frame of {tile.shape} {tile.dtype}, expected {(self._rows, self._columns, self._samples)}"
            raise ValueError(msg)
        return to_rgb(255 - tile if self._photometric == "MONOCHROME1" else tile, WHITE)

    def _decompress(self, data: bytes) -> NDArray[np.uint8]:
        """Return gray or RGB samples of a frame, (rows, columns, samples)."""
        colour = self._colour
        transformed = self._photometric in {"YBR_ICT", "YBR_RCT"}
        if self._syntax in JPEG:
            heights, widths = {self._rows}, {self._columns}
            # of YBR_ICT in a JPEG only its markers know
            return decode_jpeg(data, None, self._samples, colour or ("YCBCR" if transformed else None), heights, widths)
        if self._syntax in JPEG_2000:
            pixels = self._rows * self._columns
            return decode_jpeg2000(data, self._samples, colour, pixels, must_transform=transformed)
        samples: NDArray[np.uint8]
        if self._syntax in LOSSLESS:
            header = parse_header(data)
            found = (header.height, header.width, len(header.components))
            if found != (self._rows, self._columns, self._samples) or header.precision != 8:
                msg = f"a lossless JPEG of {found}, expected {(self._rows, self._columns, self._samples)} of 8 bits"
                raise ValueError(msg)
            check_end(data)
            colour = (stream_colour(header) or colour) if self._samples == 3 else colour
            samples = load_reader("imagecodecs").ljpeg_decode(data)
            samples = samples.reshape(*samples.shape[:2], -1)
        elif self._syntax in JPEG_LS:
            samples = decode_sized("jpegls", data, self._samples, {self._rows}, self._columns)
        elif self._syntax == RLE:
            size = self._rows * self._columns * self._samples
            # a frame that says to be larger would fill the memory
            raw = load_reader("imagecodecs").dicomrle_decode(data, np.dtype(np.uint8), out=size)
            if len(raw) != size:
                msg = f"an RLE frame of {len(raw)} bytes, expected {size}"
                raise ValueError(msg)
            samples = np.frombuffer(raw, np.uint8).reshape(self._samples, self._rows, self._columns)
            samples = np.moveaxis(samples, 0, -1)
        else:
            samples = self._native(np.frombuffer(data, np.uint8))
        return ycbcr_to_rgb(samples) if colour == "YCBCR" else samples

    def _native(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        shape = (self._rows, self._columns, self._samples)
        if self._photometric == "YBR_FULL_422":  # Y1 Y2 Cb Cr of two pixels in a row
            pairs = data.reshape(self._rows, self._columns // 2, 4)
            luma = pairs[..., :2].reshape(*shape[:2], 1)
            return np.concatenate([luma, pairs[..., 2:].repeat(2, axis=1)], axis=-1)
        if self._planar and self._samples > 1:
            return np.moveaxis(data.reshape(self._samples, *shape[:2]), 0, -1)
        return data.reshape(shape)


def _problem(dataset: Any) -> str | None:
    """Return why the pixels of a file are not read, None where they are."""
    photometric = str(dataset.PhotometricInterpretation)
    bits = (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation)
    syntax = dataset.file_meta.TransferSyntaxUID
    if photometric not in PHOTOMETRIC:
        return f"photometric {photometric}, which is not supported"
    if bits != (8, 8, 7, 0):
        return f"samples of {bits[1]} bits in {bits[0]}, high bit {bits[2]}, {'signed' if bits[3] else 'unsigned'}"
    if dataset.SamplesPerPixel != PHOTOMETRIC[photometric][0]:
        return f"{dataset.SamplesPerPixel} sample(s) a pixel of photometric {photometric}"
    if not 0 < int(dataset.Rows) * int(dataset.Columns) * 3 <= MAX_TILE_BYTES:
        return f"tiles of {dataset.Rows}x{dataset.Columns} px"
    known = {*JPEG, *JPEG_2000, *JPEG_LS, *LOSSLESS, RLE}
    if syntax.is_compressed and str(syntax) not in known and not syntax.is_deflated:
        return f"the transfer syntax {syntax.name}, which is not supported"
    if photometric in {"YBR_ICT", "YBR_RCT"} and str(syntax) not in JPEG | JPEG_2000:
        return f"photometric {photometric} in {syntax.name}"
    if dataset.get("PlanarConfiguration") not in (None, "", 0, 1):
        return f"Planar Configuration {dataset.PlanarConfiguration}"
    if photometric.startswith("MONOCHROME") and (changed := _changed_values(dataset)) is not None:
        return changed
    if photometric == "YBR_FULL_422" and not syntax.is_compressed and int(dataset.Columns) % 2:
        return f"YBR_FULL_422 in tiles of {dataset.Columns} columns"
    if photometric == "YBR_FULL_422" and str(syntax) in {*JPEG_LS, *LOSSLESS, RLE}:
        return f"photometric YBR_FULL_422 in {syntax.name}"
    return None


def _changed_values(dataset: Any) -> str | None:
    """Return how gray values are to be shown as others, which slides do not need and this package does not do."""
    for name, usual in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0)):
        if dataset.get(name) not in {None, ""} and float(dataset.get(name)) != usual:
            return f"{name} {dataset.get(name)}, which is not supported"
    inverse = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}[str(dataset.PhotometricInterpretation)]
    shape = dataset.get("PresentationLUTShape")
    if shape not in {None, "", inverse}:
        return f"{dataset.PhotometricInterpretation} with Presentation LUT Shape {shape}, which is not supported"
    return None


def _finest_notes(files: list[Path], dataset: Any, where: str) -> tuple[str, ...]:
    """Return notes on a finer level that may be missing; `SourceError` if it is in a file that cannot be read."""
    kind = dataset.get("ImageType") or []
    is_resampled = not isinstance(kind, str) and "RESAMPLED" in [str(value).upper() for value in kind]
    lost = find_unreadable(files)
    named = f"{lost[0]}{f' and {len(lost) - 1} more' if len(lost) > 1 else ''}" if lost else ""
    if lost and is_resampled:
        msg = (
            f"{where}: the largest picture that can be read is a resampled one, and {named}, which may hold the finest "
            "level, cannot be read as DICOM; get a complete copy"
        )
        raise SourceError(msg)
    if is_resampled:
        return ("the picture says that it is resampled: if a finer level exists, it is not among these files",)
    return (
        (f"{named} cannot be read as DICOM and is left out; if it is a level of this slide, get a copy",)
        if lost
        else ()
    )


def _spacing(dataset: Any) -> tuple[float | None, float | None]:
    """Return micrometres between rows and between columns."""
    for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        groups = dataset.get(sequence) or []
        measures = groups[0].get("PixelMeasuresSequence") if groups else None
        spacing = measures[0].get("PixelSpacing") if measures else None
        if spacing is not None and len(spacing) == 2:
            down, across = (positive(value) for value in spacing)
            return (down and down * 1000, across and across * 1000)
    return (None, None)
