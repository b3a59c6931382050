"""The attributes of VL Whole Slide Microscopy Image instances, without their pixels (DICOM PS3.3 A.32.8)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .. import __version__
from ..privacy.identifiers import pixels_may_identify
from ..spec.metadata import Compression, SlideMetadata, history_text

__all__ = ["Picture", "Study", "describe_instance"]

_WHOLE_SLIDE, _JPEG_BASELINE = "1.2.840.10008.5.1.4.1.1.77.1.6", "1.2.840.10008.1.2.4.50"
_NOT_KNOWN, _NO_DATE = "unknown", "19000101000000"
"""What stands where an attribute needs a value and none is known."""

_OPTICAL_PATH = "0"
_BRIGHTFIELD = "111744", "DCM", "Brightfield illumination"
_SLIDE_GLASS = "433466003", "SCT", "Microscope slide"
_FULL_SPECTRUM = "414298005", "SCT", "Full Spectrum"

_DEPTH = 1.0
"""Imaged depth, µm, which no source tells: that of one focal plane."""

_KEPT = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime"),
    *("StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName", "AcquisitionDateTime"),
    *("DeviceSerialNumber", "InstitutionName", "ContainerIdentifier"),
)
"""Attributes that a DICOM source may tell, and that are not among the technical properties."""

_MODELS = (
    *("dicom.ManufacturerModelName", "aperio.ScannerType", "hamamatsu.Product", "leica.device-model"),
    *("ventana.ScannerModel", "philips.DICOM_MANUFACTURERS_MODEL_NAME", "tiff.Model"),
)
_MAKERS = "dicom.Manufacturer", "philips.DICOM_MANUFACTURER", "tiff.Make"
_SOFTWARE = "dicom.SoftwareVersions", "philips.DICOM_SOFTWARE_VERSIONS", "leica.device-version", "tiff.Software"
_ILLUMINATION = "dicom.OpticalPathSequence[0].IlluminationTypeCodeSequence[0]."

_LONG_STRING, _SHORT_TEXT, _LONG_TEXT, _CODE_STRING = 64, 1024, 10_240, 16
"""Most characters of the value representations LO, ST, LT, CS (PS3.5 6.2)."""


def _uid() -> str:
    from pydicom.uid import generate_uid

    return str(generate_uid(prefix=None))


@dataclass(frozen=True)
class Study:
    """What all instances of an export have in common.

    Parameters
    ----------
    about : SlideMetadata
        The slide, without what may identify the patient unless that is wanted.
    size : (height, width)
        Of level 0, mm.
    is_anonymous : bool
        Whether nothing in any instance is known to identify the patient.
    keeps_identifiers : bool
        Whether `about` has them.
    """

    about: SlideMetadata
    size: tuple[float, float]
    is_anonymous: bool
    keeps_identifiers: bool
    study: str = field(default_factory=_uid)
    series: str = field(default_factory=_uid)
    frame_of_reference: str = field(default_factory=_uid)
    pyramid: str = field(default_factory=_uid)
    dimensions: str = field(default_factory=_uid)
    specimen: str = field(default_factory=_uid)
    made: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Picture:
    """One instance.

    Parameters
    ----------
    kind : str
        Third value of Image Type: ``VOLUME``, ``THUMBNAIL``, ``OVERVIEW`` or ``LABEL``.
    number : int
        Instance Number, from 1.
    shape, frame : (height, width)
        Size of the whole and of a frame, px.
    frames : int
        Number of frames.
    spacing : (rows, columns) or None
        Distance of pixels, mm.
    is_original : bool
        Whether no finer picture is its origin.
    history : sequence of Compression
        All compressions, oldest first.
    icc_profile : bytes
    icc_is_assumed : bool
        Whether the profile is not the slide's.
    shows_label : bool
        Whether it shows the label, or may show it.
    """

    kind: str
    number: int
    shape: tuple[int, int]
    frame: tuple[int, int]
    frames: int
    spacing: tuple[float, float] | None
    is_original: bool
    history: Sequence[Compression]
    icc_profile: bytes
    icc_is_assumed: bool
    shows_label: bool


def describe_instance(study: Study, picture: Picture) -> Any:
    """Return the pydicom ``Dataset`` of an instance, with its file meta information and all but the pixels."""
    from pydicom.dataset import FileMetaDataset

    dataset = _make()
    dataset.file_meta = meta = FileMetaDataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID = _WHOLE_SLIDE
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = _uid()
    meta.TransferSyntaxUID = _JPEG_BASELINE
    _add_patient(dataset, study)
    _add_equipment(dataset, study)
    _add_image(dataset, study, picture)
    _add_loss(dataset, picture)
    _add_specimen(dataset, study)
    _add_geometry(dataset, study, picture)
    dataset.OpticalPathSequence = [_optical_path(study, picture)]
    return dataset


def _make(**values: Any) -> Any:
    """Return a ``Dataset`` with some attributes."""
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _code(value: str, scheme: str, meaning: str) -> Any:
    return _make(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _add_patient(dataset: Any, study: Study) -> None:
    """Add patient, study, series, frame of reference: what the source tells where it is kept, or else nothing."""
    dataset.PatientName = dataset.PatientID = dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyInstanceUID, dataset.StudyDate, dataset.StudyTime, dataset.StudyID = study.study, "", "", ""
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.Modality = study.series, 1, "SM"
    dataset.SeriesDescription = _plain(study.about.source_name)
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = study.frame_of_reference, "SLIDE_CORNER"
    dataset.AcquisitionDateTime = _NO_DATE
    dataset.ContainerIdentifier = _plain(study.about.source_name)
    dataset.DeviceSerialNumber = _NOT_KNOWN
    if study.keeps_identifiers:
        for keyword in _KEPT:
            _keep(dataset, keyword, study.about.properties.get(f"dicom.{keyword}", "").strip())
        others = {key: text for key, text in study.about.properties.items() if not key.startswith("dicom.")}
        comments = json.dumps(others, ensure_ascii=False)
        if others and len(comments) <= _LONG_TEXT:
            dataset.ImageComments = comments
    elif study.is_anonymous:
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = "rrip_format: only technical attributes, no label"


def _keep(dataset: Any, keyword: str, value: str) -> None:
    """Set an attribute that a source tells, if the value is one that DICOM allows."""
    from pydicom import config
    from pydicom.datadict import dictionary_VR
    from pydicom.valuerep import validate_value

    try:
        validate_value(dictionary_VR(keyword), value, config.RAISE)
    except ValueError:
        return
    if value:
        setattr(dataset, keyword, value)


def _add_equipment(dataset: Any, study: Study) -> None:
    properties, vendor = study.about.properties, study.about.vendor
    maker = vendor if vendor and vendor != "dicom" else _NOT_KNOWN
    dataset.Manufacturer = _first(properties, _MAKERS) or _plain(maker)
    dataset.ManufacturerModelName = _first(properties, _MODELS) or _NOT_KNOWN
    software = _first(properties, _SOFTWARE)
    own = f"rrip_format {__version__}"
    dataset.SoftwareVersions = [software, own] if software and software != own else own


def _add_image(dataset: Any, study: Study, picture: Picture) -> None:
    """Add the modules General Image, Multi-frame, Image Pixel and Acquisition Context."""
    dataset.ImageType = _image_type(picture)
    dataset.InstanceNumber, dataset.NumberOfFrames = picture.number, picture.frames
    dataset.ContentDate, dataset.ContentTime = study.made.strftime("%Y%m%d"), study.made.strftime("%H%M%S")
    dataset.TimezoneOffsetFromUTC = "+0000"
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    # The only YCbCr of JPEG that a whole slide image allows (PS3.3 C.8.12.4.1.5); of the subsampling of chroma it says
    # nothing (C.7.6.3.1.2).
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.Rows, dataset.Columns = picture.frame
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.VolumetricProperties, dataset.FocusMethod, dataset.ExtendedDepthOfField = "VOLUME", "AUTO", "NO"
    for keyword, words in (("FocusMethod", {"AUTO", "MANUAL"}), ("ExtendedDepthOfField", {"NO"})):
        told = study.about.properties.get(f"dicom.{keyword}", "")
        setattr(dataset, keyword, told if told in words else getattr(dataset, keyword))
    is_told = picture.kind == "VOLUME" and pixels_may_identify(study.about.properties)
    # of these kinds the standard requires it, also where the label is blackened
    dataset.SpecimenLabelInImage = "YES" if picture.kind in {"LABEL", "OVERVIEW"} or is_told else "NO"
    dataset.BurnedInAnnotation = "YES" if picture.shows_label or is_told else "NO"
    dataset.AcquisitionContextSequence = []
    dataset.DimensionOrganizationType = "TILED_FULL"
    dataset.DimensionOrganizationSequence = [_make(DimensionOrganizationUID=study.dimensions)]
    if picture.kind == "VOLUME":
        dataset.PyramidUID = study.pyramid
    elif picture.kind == "LABEL":
        dataset.LabelText = dataset.BarcodeValue = ""


def _image_type(picture: Picture) -> list[str]:
    """Return Image Type in the four forms of it that OpenSlide takes."""
    if picture.is_original:
        return ["ORIGINAL", "PRIMARY", picture.kind, "NONE"]
    return ["DERIVED", "PRIMARY", picture.kind, "RESAMPLED"]


def _add_loss(dataset: Any, picture: Picture) -> None:
    """Add every lossy compression, oldest first (PS3.3 C.7.6.1.1.5).

    There must be as many ratios as methods: 1 stands for one that is not known, as the description tells.
    """
    lossy = [compression for compression in picture.history if compression.lossy is not False]
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionMethod = [_code_string(compression.method) for compression in lossy]
    dataset.LossyImageCompressionRatio = [f"{one.ratio or 1:.4g}" for one in lossy]
    text = history_text(picture.history)
    dataset.DerivationDescription = text if len(text) <= _SHORT_TEXT else "; ".join(map(str, lossy))[:_SHORT_TEXT]


def _add_specimen(dataset: Any, study: Study) -> None:
    dataset.IssuerOfTheContainerIdentifierSequence = []
    dataset.ContainerTypeCodeSequence = [_code(*_SLIDE_GLASS)]
    specimen = _make(
        SpecimenIdentifier=dataset.ContainerIdentifier,
        SpecimenUID=study.specimen,
        IssuerOfTheSpecimenIdentifierSequence=[],
        SpecimenPreparationSequence=[],
    )
    told = study.about.properties.get("dicom.SpecimenDescriptionSequence[0].SpecimenIdentifier", "")
    if study.keeps_identifiers:
        _keep(specimen, "SpecimenIdentifier", told)
    dataset.SpecimenDescriptionSequence = [specimen]


def _add_geometry(dataset: Any, study: Study, picture: Picture) -> None:
    """Add sizes, pixel spacing and position.

    Where the slide lay on the glass is not known: the picture is put into the corner of the slide, turned as scanners
    do, with its rows along the long side of the glass.
    """
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = picture.shape
    dataset.TotalPixelMatrixFocalPlanes = dataset.NumberOfOpticalPaths = 1
    dataset.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    height, width = study.size
    origin = _make(XOffsetInSlideCoordinateSystem=_decimal(height), YOffsetInSlideCoordinateSystem=_decimal(width))
    dataset.TotalPixelMatrixOriginSequence = [origin]
    shared = _make(
        WholeSlideMicroscopyImageFrameTypeSequence=[_make(FrameType=dataset.ImageType)],
        OpticalPathIdentificationSequence=[_make(OpticalPathIdentifier=_OPTICAL_PATH)],
    )
    measures = _make(SliceThickness=_decimal(_DEPTH / 1000))
    if picture.spacing is not None:
        dataset.ImagedVolumeWidth, dataset.ImagedVolumeHeight, dataset.ImagedVolumeDepth = width, height, _DEPTH
        measures.PixelSpacing = [_decimal(value) for value in picture.spacing]
    shared.PixelMeasuresSequence = [measures]
    dataset.SharedFunctionalGroupsSequence = [shared]


def _optical_path(study: Study, picture: Picture) -> Any:
    told = [study.about.properties.get(_ILLUMINATION + name) for name in _CODE_PARTS]
    illumination = told if all(told) else _BRIGHTFIELD
    path = _make(
        OpticalPathIdentifier=_OPTICAL_PATH,
        IlluminationTypeCodeSequence=[_code(*illumination)],
        IlluminationColorCodeSequence=[_code(*_FULL_SPECTRUM)],
        ICCProfile=picture.icc_profile + b"\0" * (len(picture.icc_profile) % 2),
    )
    if picture.icc_is_assumed:
        path.ColorSpace = "SRGB"
        path.OpticalPathDescription = "No ICC profile is known; sRGB is assumed."
    if study.about.objective is not None and picture.spacing is not None:
        path.ObjectiveLensPower = _decimal(study.about.objective)
    return path


_CODE_PARTS = "CodeValue", "CodingSchemeDesignator", "CodeMeaning"


def _decimal(value: float) -> str:
    """Return a number in the 16 characters of the value representation DS."""
    from pydicom.valuerep import format_number_as_ds

    return str(format_number_as_ds(float(value)))


def _code_string(method: str) -> str:
    return re.sub(r"[^A-Z0-9_ ]", "_", method.upper())[:_CODE_STRING].strip() or "UNKNOWN"


def _first(properties: Mapping[str, str], names: Sequence[str]) -> str:
    """Return the first of some properties that is there, of several values its first; or nothing."""
    found = (properties.get(name) or properties.get(f"{name}[0]") or "" for name in names)
    return next(filter(None, map(_plain, found)), "")


def _plain(text: str) -> str:
    """Return a text as one value of LO: short, without the sign that parts values and without control characters."""
    kept = "".join(sign if sign.isprintable() and sign != "\\" else " " for sign in text)
    return " ".join(kept.split())[:_LONG_STRING].strip()
