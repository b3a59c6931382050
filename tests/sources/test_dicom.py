"""DICOM whole-slide images: transfer syntaxes, colours, organisation of tiles, and what else lies in their folders."""

from __future__ import annotations

import shutil
from functools import partial

import imagecodecs
import numpy as np
import openslide
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from source_pictures import read, refuse
from tiff_readers import picture
from wsi_dicom import native, to_ycbcr, write_dicom

from rrip_format.errors import SourceError
from rrip_format.sources import open_source

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

EXPLICIT, IMPLICIT, DEFLATED, RLE = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.5",
)
JPEG, LOSSLESS, JPEG_LS, J2K_LOSSLESS, J2K = (f"1.2.840.10008.1.2.4.{k}" for k in (50, 70, 80, 90, 91))


COMBINATIONS = [
    *[
        (syntax, photometric, 0)
        for syntax in (EXPLICIT, IMPLICIT, DEFLATED)
        for photometric in ("RGB", "YBR_FULL", "YBR_FULL_422", "MONOCHROME1", "MONOCHROME2")
    ],
    *[(syntax, "RGB", 1) for syntax in (EXPLICIT, IMPLICIT, DEFLATED)],
    *[(JPEG, photometric, 0) for photometric in ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "MONOCHROME2")],
    *[
        (syntax, photometric, 0)
        for syntax in (LOSSLESS, JPEG_LS, RLE)
        for photometric in ("RGB", "YBR_FULL", "MONOCHROME2")
    ],
    *[(J2K_LOSSLESS, photometric, 0) for photometric in ("RGB", "YBR_FULL", "YBR_RCT", "MONOCHROME2")],
    *[(J2K, photometric, 0) for photometric in ("RGB", "YBR_ICT", "MONOCHROME2")],
]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("syntax", "photometric", "planar"), COMBINATIONS)
def test_syntaxes_and_colours(syntax, photometric, planar, sparse, tmp_path):
    truth = write_dicom(tmp_path / "a.dcm", syntax=syntax, photometric=photometric, planar=planar, sparse=sparse)
    pixels, info = read(tmp_path / "a.dcm")
    if photometric == "MONOCHROME1" and syntax in {EXPLICIT, IMPLICIT, DEFLATED}:
        assert info.properties["dicom.PhotometricInterpretation"] == "MONOCHROME1"
    lossy = syntax in {JPEG, J2K}
    halved = photometric in {"YBR_FULL_422", "YBR_ICT"} and syntax != J2K
    error = np.abs(pixels.astype(int) - truth)
    assert error.mean() < (6 if halved else 3 if lossy else 0.7 if photometric == "YBR_FULL" else 0.01)
    assert (info.mpp_x, info.mpp_y, info.objective_power) == (0.25, 0.5, 40)
    assert (info.reader, info.vendor) == ("pydicom", "dicom")
    try:
        with openslide.OpenSlide(tmp_path / "a.dcm") as slide:
            other = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    except openslide.OpenSlideError:
        return
    assert np.abs(pixels.astype(int) - other).max() <= 2


@pytest.mark.parametrize("markers", ["jfif", "adobe rgb", "bare rgb", "bare ycc"])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
def test_the_markers_of_a_jpeg_win(markers, photometric, tmp_path):
    def encode(part, _):
        space = "YCBCR" if markers in {"jfif", "bare ycc"} else "RGB"
        data = imagecodecs.jpeg8_encode(part, level=98, colorspace="RGB", outcolorspace=space, subsampling="444")
        if markers.startswith("bare"):
            data = data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]
            data = data.replace(b"R\x11\0G\x11\0B\x11\0", b"\1\x11\0\2\x11\0\3\x11\0")
            data = data.replace(b"\3R\0G\0B\0", b"\3\1\0\2\0\3\0")
        return data

    truth = write_dicom(tmp_path / "a.dcm", syntax=JPEG, photometric=photometric, encode=encode)
    error = np.abs(read(tmp_path / "a.dcm")[0].astype(int) - truth).mean()
    tells = not markers.startswith("bare") or (markers == "bare rgb") == (photometric == "RGB")
    assert error < 3 if tells else error > 10


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.57", LOSSLESS])
@pytest.mark.parametrize("stored", ["RGB", "YCBCR", "bare"])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_the_markers_of_a_lossless_jpeg_win(photometric, stored, syntax, tmp_path):
    """Some programs write RGB and say YBR_FULL."""

    def encode(part, dataset):
        space = "RGB" if stored == "RGB" or (stored, photometric) == ("bare", "RGB") else "YCBCR"
        pixels = part if space == "RGB" else to_ycbcr(part)
        data = imagecodecs.jpeg8_encode(pixels, lossless=True, colorspace=space, outcolorspace=space)
        if stored == "bare":  # nothing but the attribute tells
            data = data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]
            data = data.replace(b"R\x11\0G\x11\0B\x11\0", b"\1\x11\0\2\x11\0\3\x11\0")
            data = data.replace(b"\3R\0G\0B\0", b"\3\1\0\2\0\3\0")
        return data

    truth = write_dicom(tmp_path / "a.dcm", syntax=syntax, photometric=photometric, encode=encode)
    assert np.abs(read(tmp_path / "a.dcm")[0].astype(int) - truth).mean() < 1


@pytest.mark.parametrize("syntax", [JPEG, J2K_LOSSLESS, LOSSLESS])
def test_fragments_without_any_offset_table(syntax, tmp_path):
    """The standard demands one, if only an empty one; some programs write none."""
    truth = write_dicom(tmp_path / "a.dcm", syntax=syntax)
    data = (tmp_path / "a.dcm").read_bytes()
    start = data.index(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0") + 12
    (tmp_path / "a.dcm").write_bytes(
        data[:start] + data[start + 8 + int.from_bytes(data[start + 4 : start + 8], "little") :]
    )
    assert np.abs(read(tmp_path / "a.dcm")[0].astype(int) - truth).mean() < 3


@pytest.mark.parametrize("mct", [0, 1])
@pytest.mark.parametrize("photometric", ["YBR_ICT", "RGB"])
def test_a_transform_that_is_only_spoken_of(photometric, mct, tmp_path):
    def encode(part, _):
        import io

        from PIL import Image

        out = io.BytesIO()
        Image.fromarray(part).save(out, "JPEG2000", no_jp2=True, mct=mct)
        return out.getvalue()

    truth = write_dicom(tmp_path / "a.dcm", syntax=J2K, photometric=photometric, encode=encode)
    if photometric == "YBR_ICT" and not mct:
        refuse(tmp_path / "a.dcm", "without the colour transform")
    else:
        np.testing.assert_array_equal(read(tmp_path / "a.dcm")[0], truth)


@pytest.mark.parametrize("fragments", [2, 3])
@pytest.mark.parametrize("table", [True, False])
def test_frames_in_several_fragments(fragments, table, tmp_path):
    def change(dataset):
        if table:
            return
        data = bytearray(dataset.PixelData)  # without its offset table frames begin where streams do
        size = int.from_bytes(data[4:8], "little")
        dataset.PixelData = bytes(data[:4] + bytes(4) + data[8 + size :])

    write_dicom(tmp_path / "b.dcm", syntax=JPEG, photometric="YBR_FULL_422", uid="1.2.826.1.2", series="1.2.826.2")
    write_dicom(tmp_path / "a.dcm", syntax=JPEG, photometric="YBR_FULL_422", fragments=fragments, change=change)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm")[0], read(tmp_path / "b.dcm")[0])


def test_sparse_tiles_that_are_absent_are_background(tmp_path):
    truth = write_dicom(tmp_path / "a.dcm", syntax=JPEG, photometric="RGB", sparse=True, absent=[(1, 1)])
    pixels, _ = read(tmp_path / "a.dcm")
    assert (pixels[16:32, 32:64] == 255).all()
    assert np.abs(pixels[:16].astype(int) - truth[:16]).mean() < 3


def test_focal_planes_follow_the_rule(tmp_path):
    truth = write_dicom(tmp_path / "a.dcm", planes=3)
    pixels, info = read(tmp_path / "a.dcm")
    np.testing.assert_array_equal(pixels, truth)
    assert "3 pictures of 70x44 px" in info.notes[0]
    second, info = read(tmp_path / "a.dcm", image=1)
    assert (second != truth).any()
    assert info.notes == ()
    assert info.properties["rrip.image"] == "1"
    refuse(tmp_path / "a.dcm", "picture(s) '3'", image=3)


def test_several_series_and_levels(tmp_path):
    large = np.pad(picture(), ((0, 10), (0, 30), (0, 0)))
    write_dicom(tmp_path / "small.dcm", samples=picture()[::2, ::2], uid="1.2.826.1.2")
    truth = write_dicom(tmp_path / "one.dcm", uid="1.2.826.1.1")
    label = write_dicom(tmp_path / "label.dcm", uid="1.2.826.1.3", kind="LABEL", samples=picture()[:20, :30])
    pixels, info = read(tmp_path)
    np.testing.assert_array_equal(pixels, truth)
    assert (info.name, info.notes) == ("one.dcm", ())
    assert info.size_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    with open_source(tmp_path / "label.dcm") as source:  # whichever file of the series is named
        assert (source.info.width, source.info.height) == (70, 44)
        np.testing.assert_array_equal(source.associated()["label"](), label)
    write_dicom(tmp_path / "two.dcm", samples=large, series="1.2.826.7", uid="1.2.826.7.1")
    pixels, info = read(tmp_path)
    np.testing.assert_array_equal(pixels, large)
    assert "2 whole-slide series" in info.notes[0]
    assert info.size_bytes == (tmp_path / "two.dcm").stat().st_size
    np.testing.assert_array_equal(read(tmp_path / "one.dcm")[0], truth)
    np.testing.assert_array_equal(read(tmp_path, image="one.dcm")[0], truth)


def test_a_series_that_is_referred_to_is_not_its_own(tmp_path):
    """Its UID stands before the series' own in the file."""

    def refer(dataset):
        item = Dataset()
        item.SeriesInstanceUID = "1.2.826.99"
        dataset.ReferencedSeriesSequence = Sequence([item])

    truth = write_dicom(tmp_path / "a.dcm", change=refer)
    write_dicom(tmp_path / "b.dcm", samples=picture()[::2, ::2], uid="1.2.826.1.2")
    pixels, info = read(tmp_path)
    np.testing.assert_array_equal(pixels, truth)
    assert info.notes == ()
    assert info.size_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert read(tmp_path / "b.dcm")[1].width == 70


def test_foreign_files_and_other_objects_are_passed_over(tmp_path):
    truth = write_dicom(tmp_path / "a.dcm")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "README").write_text("of the export")
    (tmp_path / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 100)
    other = pydicom.dcmread(tmp_path / "a.dcm")
    other.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    other.save_as(tmp_path / "report.dcm")
    np.testing.assert_array_equal(read(tmp_path)[0], truth)
    refuse(tmp_path / "report.dcm", "Basic Text SR Storage", "expected a VL Whole Slide Microscopy Image")
    (tmp_path / "a.dcm").unlink()
    refuse(tmp_path, "none is a DICOM whole-slide image")


def test_dicomdir_leads_to_its_files(tmp_path):
    truth = write_dicom(tmp_path / "a.dcm")
    (tmp_path / "DATA").mkdir()
    shutil.move(tmp_path / "a.dcm", tmp_path / "DATA" / "IM0")
    fileset = pydicom.Dataset()
    record = Dataset()
    record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", ["DATA", "IM0"]
    fileset.DirectoryRecordSequence = Sequence([record])
    fileset.file_meta = pydicom.dataset.FileMetaDataset()
    fileset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    fileset.file_meta.MediaStorageSOPInstanceUID = "1.2.826.5"
    fileset.file_meta.TransferSyntaxUID = EXPLICIT
    fileset.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path)[0], truth)
    np.testing.assert_array_equal(read(tmp_path / "DICOMDIR")[0], truth)


@pytest.mark.parametrize("preamble", [b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0", b"\x89PNG\r\n\x1a\n"])
def test_a_preamble_of_another_kind_is_no_matter(preamble, tmp_path):
    truth = write_dicom(tmp_path / "a.dcm")
    data = (tmp_path / "a.dcm").read_bytes()
    for name in ("a.dcm", "a.tif", "noname"):
        (tmp_path / name).write_bytes(preamble.ljust(128, b"\0") + data[128:])
        np.testing.assert_array_equal(read(tmp_path / name)[0], truth)


def test_concatenations(tmp_path):
    truth = write_dicom(tmp_path / "whole.dcm", series="1.2.826.8")
    dataset = pydicom.dcmread(tmp_path / "whole.dcm")
    frames = dataset.NumberOfFrames
    size = len(dataset.PixelData) // frames
    for number, (start, end) in enumerate([(0, 4), (4, frames)]):
        part = pydicom.dcmread(tmp_path / "whole.dcm")
        part.SeriesInstanceUID = "1.2.826.9"
        part.SOPInstanceUID = part.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.9.{number}"
        part.NumberOfFrames, part.PixelData = end - start, dataset.PixelData[start * size : end * size]
        part.ConcatenationUID, part.InConcatenationNumber = "1.2.826.9.9", number + 1
        part.InConcatenationTotalNumber, part.ConcatenationFrameOffsetNumber = 2, start
        part.save_as(tmp_path / f"part{1 - number}.dcm")
    pixels, info = read(tmp_path / "part0.dcm")
    np.testing.assert_array_equal(pixels, truth)
    assert info.size_bytes == sum((tmp_path / f"part{k}.dcm").stat().st_size for k in (0, 1))
    (tmp_path / "part1.dcm").unlink()
    refuse(tmp_path / "part0.dcm", "1 of 2 files of a concatenation")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}, "bytes of Pixel Data"),
        ({"BitsStored": 7}, "samples of 7 bits in 8"),
        ({"PixelRepresentation": 1}, "signed"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR, which is not supported"),
        ({"SamplesPerPixel": 1}, "bytes of Pixel Data"),
        ({"NumberOfFrames": 8}, "bytes of Pixel Data"),
        ({"TotalPixelMatrixFocalPlanes": 2}, "2 focal plane(s)"),
        ({"DimensionOrganizationType": "TILED_SPARSE"}, "0 positions of frames"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, "no volume image"),
    ],
)
def test_refused_with_the_reason(change, words, tmp_path):
    def apply(dataset):
        for key, value in change.items():
            setattr(dataset, key, value)

    write_dicom(tmp_path / "a.dcm", change=apply)
    refuse(tmp_path / "a.dcm", words)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.110", "1.2.3"])
def test_other_transfer_syntaxes_are_named(syntax, tmp_path):
    write_dicom(tmp_path / "a.dcm", syntax=JPEG)
    data = (tmp_path / "a.dcm").read_bytes()
    old, new = (uid.encode() + bytes(len(uid) % 2) for uid in (JPEG, syntax))
    old, new = (b"UI" + len(uid).to_bytes(2, "little") + uid for uid in (old, new))
    (tmp_path / "a.dcm").write_bytes(data.replace(old, new))
    refuse(tmp_path / "a.dcm", "the transfer syntax", "which is not supported")


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.999])
def test_cut_files_are_refused_at_once(syntax, share, tmp_path):
    write_dicom(tmp_path / "a.dcm", syntax=syntax)
    data = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(data[: int(len(data) * share)])
    refuse(tmp_path / "a.dcm", str(tmp_path / "a.dcm"))


def test_the_writer_of_these_tests_knows_its_colours():
    part = picture()[:16, :32]
    dataset = Dataset()
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "YBR_FULL", 0
    ours = np.frombuffer(native(part, dataset), np.uint8).reshape(part.shape)
    np.testing.assert_array_equal(ours, to_ycbcr(part))
    back = pydicom.pixels.convert_color_space(ours, "YBR_FULL", "RGB")
    assert np.abs(back.astype(int) - part).max() <= 3


@pytest.mark.parametrize("planes", [1, 2])
def test_positions_that_contradict_tiled_full(planes, tmp_path):
    """Frames in another order than row after row, with their positions, in a file that says it needs none."""

    def say_full(dataset, *, shuffled):
        groups = list(dataset.PerFrameFunctionalGroupsSequence)
        if planes > 1:
            dataset.PerFrameFunctionalGroupsSequence = Sequence([*groups, *groups])
            dataset.PixelData, dataset.NumberOfFrames = dataset.PixelData * 2, 2 * len(groups)
            dataset.TotalPixelMatrixFocalPlanes = 2
        if shuffled:
            dataset.PerFrameFunctionalGroupsSequence = Sequence(dataset.PerFrameFunctionalGroupsSequence[::-1])
        dataset.DimensionOrganizationType = "TILED_FULL"

    path = tmp_path / "a.dcm"
    truth = write_dicom(path, sparse=True, change=partial(say_full, shuffled=False))
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(0, 0, *truth.shape[:2]), truth)
    write_dicom(path, sparse=True, change=partial(say_full, shuffled=True))
    with pytest.raises(SourceError, match="says TILED_FULL, but frame 0 lies at row"):
        open_source(path)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("keyword", "value"), [("RescaleSlope", "2"), ("RescaleIntercept", "-5"), ("PresentationLUTShape", None)]
)
def test_gray_values_that_are_shown_as_others(photometric, keyword, value, tmp_path):
    path = tmp_path / "a.dcm"
    usual = {"RescaleSlope": "1", "RescaleIntercept": "0"}
    shapes = ["INVERSE", "IDENTITY"] if photometric == "MONOCHROME1" else ["IDENTITY", "INVERSE"]
    kept, refused = (usual[keyword], value) if value else shapes
    write_dicom(path, photometric=photometric, change=lambda dataset: setattr(dataset, keyword, kept))
    open_source(path).close()
    write_dicom(path, photometric=photometric, change=lambda dataset: setattr(dataset, keyword, refused))
    with pytest.raises(SourceError, match="which is not supported"):
        open_source(path)
