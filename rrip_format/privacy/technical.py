"""Properties that describe how a slide was scanned, by vendor: the only ones that a container stores by default.

It is a list of what to keep, not of what to remove: vendors, sites and laboratory systems add their own properties
(``aperio.CustomField.LastName``), and unknown ones are left out. A property is kept if its name is listed *and* its
value has the form that belongs to the name, so that free text in a technical property is left out.

The names are those of OpenSlide's documentation of its formats (openslide.org/formats), of the baseline tags of
TIFF 6.0, of the OME-XML schema 2016-06, and of the whole slide microscopy image of DICOM PS3.3 (A.32.8), of which
everything that the basic confidentiality profile of PS3.15 (table E.1-1) removes or replaces is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["is_phrase", "is_technical", "technical"]

_NUMBER = re.compile(r"""["'(\[]*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?["')\]]*""")
_MOST_NUMBERS, _MOST_CHARACTERS = 16, 80

_PHRASE = re.compile(r"""[\w .,;:+()/%"'®™&-]+""")
"""Names of products, versions, modes; without ``=``, ``|``, ``^`` and line ends, which separate fields of a record."""

_DATE = re.compile(
    r"(?<!\d)((19|20)\d\d([-/.:]?)(0[1-9]|1[0-2])\3([0-2]\d|3[01])|\d\d?([./-])\d\d?\6(19|20)\d\d|\d\d?/\d\d?/\d\d)(?!\d)"
)
"""Year, month and day, or day, month and year; years of two digits only between slashes, to exclude versions."""


def is_phrase(text: str) -> bool:
    """Return whether a text is at most a short name of a product, version or mode, without a date."""
    return len(text) <= _MOST_CHARACTERS and bool(_PHRASE.fullmatch(text)) and not _DATE.search(text)


def _is_numbers(text: str) -> bool:
    parts = [part for part in re.split(r"[\s,;x\\]+", text) if part.strip("()[]\"'")]
    return 0 < len(parts) <= _MOST_NUMBERS and all(map(_NUMBER.fullmatch, parts)) and not _DATE.search(text)


def _names(text: str) -> str:
    """Return a pattern from names separated by vertical bars, with optional line ends."""
    return "|".join(name.strip() for name in text.split("|"))


_NUMBERS = {
    "openslide": r"mpp-[xy]|objective-power|level-count|icc-size|bounds-(x|y|width|height)"
    r"|level\[\d+\]\.(downsample|width|height|tile-width|tile-height)|region\[\d+\]\.(x|y|width|height)",
    "tiff": """NewSubfileType|SubfileType|ImageWidth|ImageLength|BitsPerSample|Compression|PhotometricInterpretation
        |FillOrder|Orientation|SamplesPerPixel|RowsPerStrip|XResolution|YResolution|XPosition|YPosition
        |PlanarConfiguration|ResolutionUnit|Predictor|TileWidth|TileLength|ExtraSamples|SampleFormat|YCbCrSubSampling
        |YCbCrPositioning|ReferenceBlackWhite""",
    "aperio": """AppMag|MPP|StripeWidth|Left|Top|LineAreaXOffset|LineAreaYOffset|LineCameraSkew|Focus Offset
        |OriginalWidth|OriginalHeight|Originalheight|Filtered|DisplayColor|Exposure Time|Exposure Scale|Gamma|OffsetZ
        |BestFocusLayer|CalibrationAverage(Red|Green|Blue)""",
    "argos": "ObjectiveMagnification|MinZ|MaxZ",
    "hamamatsu": r"""SourceLens|Objective\.Lens\.Magnificant|[XYZ]OffsetFromSlideCent(re|er)|NoLayers|LayerSpacing
        |NoJpeg(Columns|Rows)|Physical(Macro)?(Width|Height)|BitsPerPixel|system\.version|calibration\.version
        |target\.white\.intensity|ccd\.(width|height)|(fine|coarse)\.focus\.pitch""",
    "huron": "",
    "rrip": "image",
    "leica": "aperture|objective",
    "mirax": r"""GENERAL\.(OBJECTIVE_MAGNIFICATION|CameraImageDivisionsPerSide|IMAGENUMBER_[XY]|OUTPUT_RESOLUTION
        |SLIDE_VERSION|CURRENT_SLIDE_VERSION|VIMSLIDE_(POSITION_BUFFER|SLIDE_BITDEPTH|CAMERA_BITDEPTH)|ADAPTER_SIZE)
        |LAYER_\d+_LEVEL_\d+_SECTION\.(MICROMETER_PER_PIXEL_[XY]|OVERLAP_[XY]|DIGITIZER_(WIDTH|HEIGHT)
        |IMAGE_CONCAT_FACTOR|IMAGE_FILL_COLOR_BGR|IMAGE_COMPRESSION_FACTOR)""",
    "philips": r"""DICOM_(PIXEL_SPACING|BITS_ALLOCATED|BITS_STORED|HIGH_BIT|PIXEL_REPRESENTATION|SAMPLES_PER_PIXEL
        |PLANAR_CONFIGURATION|LOSSY_IMAGE_COMPRESSION|LOSSY_IMAGE_COMPRESSION_RATIO)
        |PIIM_DP_SCANNER_(ROWS|COLUMNS)|PIM_DP_IMAGE_(ROWS|COLUMNS)""",
    "sakura": "NominalLensMagnification|ResolutionMmPerPix|FocussingMethod",
    "trestle": "Objective Power|OverlapsXY|JPEG Quality",
    "ventana": "Magnification|ScanRes|Z-layers|Z-spacing|ScanWhitePoint|[XY]offset|Xo|Yo|FocusMode|FocusQuality",
    "zeiss": r"""Scaling\.Items\.[XYZ]\.Value|Information\.Image\.(Size[XYZCTSMBHRIV]|ComponentBitCount)
        |Information\.Instrument\.Objectives\.Objective:\d+\.(NominalMagnification|LensNA)""",
    "dicom": r"""BitsAllocated|BitsStored|HighBit|PixelRepresentation|SamplesPerPixel|PlanarConfiguration|Rows|Columns
        |NumberOfFrames|NumberOfOpticalPaths|TotalPixelMatrix(Columns|Rows|FocalPlanes)
        |ImagedVolume(Width|Height|Depth)|ImageOrientationSlide\[\d\]|LossyImageCompression(Ratio)?(\[\d\])?
        |RepresentativeFrameNumber|OpticalPathSequence\[\d+\]\.(ObjectiveLensPower|ObjectiveLensNumericalAperture
        |CondenserLensPower|IlluminationWaveLength)
        |SharedFunctionalGroupsSequence\[0\]\.PixelMeasuresSequence\[0\]\.(PixelSpacing\[[01]\]|SliceThickness
        |SpacingBetweenSlices)""",
    "ome": "PhysicalSize[XYZ]|SignificantBits|Size[XYZCT]",
    "vips": """width|height|bands|[xy]offset|[xy]res|bits-per-sample|orientation|n-pages|n-subifds|page-height
        |jpeg-multiscan|palette|palette-bit-depth|interlaced|heif-bitdepth""",
}
"""Patterns of the names of properties whose values are numbers."""

_PHRASES = {
    "openslide": "vendor|background-color",
    "tiff": "Make|Model|Software|ResolutionUnit",
    "aperio": "ICC Profile|ScannerType",
    "argos": "",
    "hamamatsu": "Product|PixelOrder",
    "huron": "",
    "leica": "device-model|device-version|illumination-source",
    "mirax": r"""GENERAL\.(OBJECTIVE_NAME|CAMERA_TYPE|SLIDE_TYPE|TUBE_LENGTH)
        |LAYER_\d+_LEVEL_\d+_SECTION\.IMAGE_FORMAT|NONHIERLAYER_\d+_SECTION\.SCANNER_(HARDWARE|SOFTWARE)_VERSION""",
    "philips": """DICOM_(MANUFACTURER|MANUFACTURERS_MODEL_NAME|SOFTWARE_VERSIONS|PHOTOMETRIC_INTERPRETATION
        |LOSSY_IMAGE_COMPRESSION_METHOD)|UFS_IMAGE_PIXEL_TRANSFORMATION_METHOD""",
    "sakura": "VersionBytes",
    "trestle": "Background Color|White Balance",
    "ventana": "ScannerModel|ScanMode|Mode|BuildVersion",
    "zeiss": r"""Information\.Image\.(PixelType|OriginalCompressionMethod|ObjectiveSettings\.ObjectiveRef\.Id)
        |Information\.Instrument\.Objectives\.Objective:\d+\.(Immersion|Manufacturer\.Model)""",
    "dicom": r"""Manufacturer|ManufacturerModelName|SoftwareVersions(\[\d\])?|Modality|PhotometricInterpretation
        |ImageType\[\d\]|DimensionOrganizationType|BurnedInAnnotation|SpecimenLabelInImage|FocusMethod
        |ExtendedDepthOfField|VolumetricProperties|LossyImageCompressionMethod(\[\d\])?|TransferSyntaxUID|SOPClassUID
        |OpticalPathSequence\[\d+\]\.IlluminationTypeCodeSequence\[\d+\]
        \.(CodeValue|CodeMeaning|CodingSchemeDesignator)""",
    "ome": "BigEndian|DimensionOrder|Interleaved|PhysicalSize[XYZ]Unit|Type",
    "vips": "format|coding|interpretation|vips-loader|jpeg-chroma-subsample|resolution-unit|heif-compression",
}
"""Patterns of the names of properties whose values are phrases: products, versions, modes."""


def _compiled(patterns: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {vendor: re.compile(_names(re.sub(r"\n\s*", "", text))) for vendor, text in patterns.items()}


_RULES = [(_compiled(_NUMBERS), _is_numbers), (_compiled(_PHRASES), is_phrase)]


def is_technical(name: str, value: str) -> bool:
    """Return whether a property describes only how a slide was scanned.

    Parameters
    ----------
    name : str
        Name as in :attr:`rrip_format.sources.SlideInfo.properties`: the vendor, a full stop, the vendor's own name.
    value : str
        Value of the property.

    Returns
    -------
    bool
        False for an unknown name, and for a value that does not have the form that belongs to the name.
    """
    vendor, _, own = name.partition(".")
    return any(vendor in names and names[vendor].fullmatch(own) and fits(value) for names, fits in _RULES)


def technical(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the technical properties of a slide, in order."""
    return {name: value for name, value in properties.items() if is_technical(name, value)}
