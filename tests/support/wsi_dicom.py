"""A small DICOM whole-slide image of any transfer syntax, photometric interpretation and organisation."""

from __future__ import annotations

import warnings

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID
from tiff_readers import HEIGHT, WIDTH, picture

ROWS, COLUMNS = 16, 32
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def frames_of(samples, rows=ROWS, columns=COLUMNS):
    """Tiles of a picture, row after row, with the edge repeated."""
    height, width = samples.shape[:2]
    padded = np.pad(samples, ((0, -height % rows), (0, -width % columns), (0, 0)), mode="edge")
    return [
        np.ascontiguousarray(padded[y : y + rows, x : x + columns])
        for y in range(0, height, rows)
        for x in range(0, width, columns)
    ]


def write_dicom(
    path,
    *,
    syntax="1.2.840.10008.1.2.1",
    photometric="RGB",
    planar=0,
    sparse=False,
    samples=None,
    encode=None,
    series="1.2.826.1",
    uid="1.2.826.1.1",
    kind="VOLUME",
    planes=1,
    absent=(),
    fragments=1,
    change=None,
):
    """Write one instance, and return the RGB picture that is in it."""
    rgb = picture() if samples is None else samples
    stored = rgb[..., :1] if photometric.startswith("MONO") else rgb
    dataset = _attributes(path, syntax, photometric, planar, rgb.shape[:2])
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = uid, series
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.InstanceNumber = int(uid.rpartition(".")[2])
    dataset.ImageType = ["ORIGINAL", "PRIMARY", kind, "NONE"]
    dataset.DimensionOrganizationType = "TILED_SPARSE" if sparse else "TILED_FULL"
    if planes > 1:
        dataset.TotalPixelMatrixFocalPlanes = planes
    parts = [np.roll(part, k, 0) for k in range(planes) for part in frames_of(stored)]
    across = -(-rgb.shape[1] // COLUMNS)
    places = [divmod(k, across) for k in range(len(parts))]
    if sparse:
        groups = []
        for row, column in places:
            place = Dataset()
            place.RowPositionInTotalImagePixelMatrix = row * ROWS + 1
            place.ColumnPositionInTotalImagePixelMatrix = column * COLUMNS + 1
            group = Dataset()
            group.PlanePositionSlideSequence = Sequence([place])
            groups.append(group)
        keep = [k for k, place in enumerate(places) if place not in absent]
        parts = [parts[k] for k in keep]
        dataset.PerFrameFunctionalGroupsSequence = Sequence([groups[k] for k in keep])
    dataset.NumberOfFrames = len(parts)
    encoded = [(encode or _ENCODE[syntax])(part, dataset) for part in parts]
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.PixelData = encapsulate(encoded, fragments_per_frame=fragments)
        dataset["PixelData"].VR = "OB"
    else:
        data = b"".join(encoded)
        dataset.PixelData = data + b"\0" * (len(data) % 2)
        dataset["PixelData"].VR = "OB" if syntax != "1.2.840.10008.1.2" else "OW"
    if change is not None:
        change(dataset)
    dataset.save_as(path, enforce_file_format=True)
    return np.ascontiguousarray(np.broadcast_to(stored, rgb.shape))


def _attributes(path, syntax, photometric, planar, size):
    """Everything that does not depend on the instance."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = WHOLE_SLIDE, UID(syntax)
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.StudyInstanceUID = WHOLE_SLIDE, "1.2.826.9"
    dataset.Modality, dataset.SeriesNumber = "SM", 1
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = size
    dataset.SamplesPerPixel = 1 if photometric.startswith("MONO") else 3
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    if dataset.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = planar
    measures, shared, optical = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [0.0005, 0.00025]
    shared.PixelMeasuresSequence = Sequence([measures])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    optical.OpticalPathIdentifier, optical.ObjectiveLensPower = "1", 40.0
    dataset.OpticalPathSequence = Sequence([optical])
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 0
    dataset.TotalPixelMatrixOriginSequence = Sequence([origin])
    dataset.FrameOfReferenceUID, dataset.FocusMethod, dataset.ExtendedDepthOfField = "1.2.826.9.1", "AUTO", "NO"
    dataset.ImagedVolumeWidth, dataset.ImagedVolumeHeight, dataset.ImagedVolumeDepth = 1, 1, 1
    dataset.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    dataset.LossyImageCompression, dataset.SpecimenLabelInImage = "00", "NO"
    return dataset


def to_ycbcr(rgb):
    """Full-range YCbCr of RGB."""
    red, green, blue = (rgb[..., k].astype(float) for k in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    out = np.stack([luma, (blue - luma) / 1.772 + 128, (red - luma) / 1.402 + 128], -1)
    return out.round().clip(0, 255).astype(np.uint8)


def native(part, dataset):
    """Samples as they are, in the colours and the order that the attributes say."""
    photometric = dataset.PhotometricInterpretation
    if photometric == "MONOCHROME1":
        return (255 - part).tobytes()
    if photometric == "YBR_FULL_422":
        ycc = to_ycbcr(part)
        pairs = np.stack([ycc[:, ::2, 0], ycc[:, 1::2, 0], ycc[:, ::2, 1], ycc[:, ::2, 2]], -1)
        return pairs.tobytes()
    if photometric == "YBR_FULL":
        part = to_ycbcr(part)
    if part.shape[-1] == 3 and dataset.PlanarConfiguration == 1:
        part = np.moveaxis(part, -1, 0)
    return np.ascontiguousarray(part).tobytes()


def _jpeg(part, dataset):
    import imagecodecs

    if part.shape[-1] == 1:
        return imagecodecs.jpeg8_encode(part[..., 0], level=97)
    space, subsampling = {
        "RGB": ("RGB", "444"),
        "YBR_FULL": ("YCBCR", "444"),
        "YBR_FULL_422": ("YCBCR", "422"),
        "YBR_ICT": ("YCBCR", "420"),
    }[dataset.PhotometricInterpretation]
    return imagecodecs.jpeg8_encode(part, level=97, colorspace="RGB", outcolorspace=space, subsampling=subsampling)


def _jpeg2000(part, dataset):
    import io

    from PIL import Image

    out = io.BytesIO()
    ycc = dataset.PhotometricInterpretation == "YBR_FULL"
    pixels = to_ycbcr(part) if ycc else part
    mct = int(dataset.PhotometricInterpretation in {"YBR_ICT", "YBR_RCT"})
    image = Image.fromarray(pixels[..., 0] if part.shape[-1] == 1 else pixels)
    image.save(out, "JPEG2000", no_jp2=True, mct=mct, irreversible=dataset.PhotometricInterpretation == "YBR_ICT")
    return out.getvalue()


def _by_imagecodecs(name, **options):
    def encode(part, dataset):
        import imagecodecs

        pixels = to_ycbcr(part) if dataset.PhotometricInterpretation == "YBR_FULL" else part
        return getattr(imagecodecs, name)(pixels[..., 0] if part.shape[-1] == 1 else pixels, **options)

    return encode


def _lossless(part, dataset):
    """JPEG without loss, whose markers tell the colours."""
    import imagecodecs

    if part.shape[-1] == 1:
        return imagecodecs.jpeg8_encode(part[..., 0], lossless=True)
    space = "YCBCR" if dataset.PhotometricInterpretation == "YBR_FULL" else "RGB"
    pixels = to_ycbcr(part) if space == "YCBCR" else part
    return imagecodecs.jpeg8_encode(pixels, lossless=True, colorspace=space, outcolorspace=space)


def _rle(part, dataset):
    pixels = to_ycbcr(part) if dataset.PhotometricInterpretation == "YBR_FULL" else part
    segments = []
    for k in range(pixels.shape[-1]):
        data = b"".join(_packbits(row.tobytes()) for row in pixels[..., k])
        segments.append(data + b"\0" * (len(data) % 2))
    offsets = np.cumsum([64, *map(len, segments)])[:-1].tolist()
    head = np.array([len(segments), *offsets] + [0] * (15 - len(segments)), "<u4").tobytes()
    return head + b"".join(segments)


def _packbits(data):
    import imagecodecs

    return imagecodecs.packbits_encode(data)


_ENCODE = {
    **dict.fromkeys(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"], native),
    "1.2.840.10008.1.2.5": _rle,
    "1.2.840.10008.1.2.4.50": _jpeg,
    "1.2.840.10008.1.2.4.57": _lossless,
    "1.2.840.10008.1.2.4.70": _lossless,
    "1.2.840.10008.1.2.4.80": _by_imagecodecs("jpegls_encode"),
    "1.2.840.10008.1.2.4.90": _jpeg2000,
    "1.2.840.10008.1.2.4.91": _jpeg2000,
}

__all__ = ["COLUMNS", "HEIGHT", "ROWS", "WIDTH", "frames_of", "native", "pydicom", "to_ycbcr", "write_dicom"]
