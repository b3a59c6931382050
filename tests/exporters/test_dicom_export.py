"""DICOM exports, read back by pydicom, OpenSlide, wsidicom, dciodvfy and our own source."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import BRIEF, hash_tree, tile_path, tissue
from kinds import ICC, MPP, serve
from test_export import MEMORY, psnr
from test_export_metadata import copy

import rrip_format
from rrip_format import Settings
from rrip_format.cli import main
from rrip_format.errors import ExtraMissingError, MissingTileError, RripError, TargetError
from rrip_format.exporters import dicom_file
from rrip_format.exporters.dicom_file import offset_tables, write_instance
from rrip_format.exporters.dicom_frames import exported_levels
from rrip_format.exporters.run import export
from rrip_format.second_reader.check import check_source
from rrip_format.sources import open_source
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import JPEG, Compression

imagecodecs = pytest.importorskip("imagecodecs")
openslide = pytest.importorskip("openslide")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("PIL.Image")
try:
    import wsidicom
except ImportError:
    wsidicom = None  # type: ignore[assignment]  # which only some tests need

PROPERTIES = {
    "dicom.PatientName": "Müller^Anna",
    "dicom.PatientID": "P-0815",
    "dicom.PatientBirthDate": "on a monday",
    "dicom.StudyInstanceUID": "1.2.826.0.1.77",
    "dicom.SpecimenDescriptionSequence[0].SpecimenIdentifier": "S-0815",
    "dicom.Manufacturer": "Maker",
    "dicom.ManufacturerModelName": "Model 5",
    "dicom.SoftwareVersions[0]": "1.2.3",
    "dicom.FocusMethod": "MANUAL",
    "aperio.Filename": "0815",
}  # fmt: skip
COMPRESSIONS = (Compression(JPEG, True, 30), Compression("WebP", True, None, None, 12.5), Compression("LZW", False))


@pytest.fixture(scope="module", name="told")
def fixture_told(kinds, tmp_path_factory) -> Path:
    """A container that knows everything that one can know of its slide."""
    path = tmp_path_factory.mktemp("told") / "slide.rrip.tif"
    about = {"objective": 40, "vendor": "dicom", "properties": PROPERTIES, "source_name": "Müller.svs"}
    return copy(kinds.zarr, path, mpp=MPP, compressions=COMPRESSIONS, **about)


@pytest.fixture(scope="module", name="exported")
def fixture_exported(kinds, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "out"
    assert export(kinds.tif, folder, kind="dicom", quality=95) == sum(path.stat().st_size for path in folder.iterdir())
    return folder


def jpegs(path: Path) -> list[bytes]:
    dataset = pydicom.dcmread(path)
    extended = dataset.get("ExtendedOffsetTable")
    tables = None if extended is None else (extended, dataset.ExtendedOffsetTableLengths)
    count = int(dataset.NumberOfFrames)
    return list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=count, extended_offsets=tables))


def joined(path: Path, tiles: list[np.ndarray]) -> np.ndarray:
    """Put frames together to the picture of an instance."""
    header = pydicom.dcmread(path, stop_before_pixels=True)
    height, width = header.TotalPixelMatrixRows, header.TotalPixelMatrixColumns
    across, down = -(-width // header.Columns), -(-height // header.Rows)
    assert len(tiles) == across * down
    rows = [np.concatenate(tiles[row * across : (row + 1) * across], axis=1) for row in range(down)]
    return np.concatenate(rows)[:height, :width]


def decoded(path: Path) -> np.ndarray:
    """What the JPEG frames of an instance decode to."""
    return joined(path, [imagecodecs.jpeg8_decode(jpeg) for jpeg in jpegs(path)])


def by_openslide(folder: Path) -> list[np.ndarray]:
    with openslide.OpenSlide(folder / "level-0.dcm") as slide:
        sizes = slide.level_dimensions
        regions = [np.asarray(slide.read_region((0, 0), level, size)) for level, size in enumerate(sizes)]
    assert all((region[..., 3] == 255).all() for region in regions)
    return [region[..., :3] for region in regions]


# Pixels


def test_files(exported):
    assert [path.name for path in sorted(exported.iterdir())] == [
        *(f"level-{level}.dcm" for level in range(4)),
        "thumbnail.dcm",
    ]
    assert list(exported.parent.iterdir()) == [exported]


def test_levels_are_near_and_copied_ones_equal(exported, kinds):
    for level, wanted in enumerate(kinds.decoded):
        found = decoded(exported / f"level-{level}.dcm")
        if level < 3:
            assert psnr(found, wanted) > 40
        else:
            np.testing.assert_array_equal(found, wanted)


def test_coarse_levels_have_the_stored_tiles(exported, kinds):
    """Nothing is lost again where the side of the tiles fits."""
    with rrip_format.open(kinds.tif) as slide:
        tile = slide.container.read_tile(3, 0, 0)
    [jpeg] = jpegs(exported / "level-3.dcm")
    assert tile.startswith(jpeg.rstrip(b"\0"))


def test_pydicom_decodes_the_frames(exported):
    """In YCbCr, as they are; its own conversion to RGB rounds in another way."""
    from pydicom.pixels import pixel_array

    for path in sorted(exported.glob("*.dcm")):
        streams = [imagecodecs.jpeg8_decode(jpeg, outcolorspace="YCBCR") for jpeg in jpegs(path)]
        found = pixel_array(path, raw=True)
        np.testing.assert_array_equal(found.reshape(np.stack(streams).shape), streams)
        rgb = pixel_array(path)
        tiles = list(rgb if rgb.ndim == 4 else rgb[None])
        assert np.abs(joined(path, tiles).astype(int) - decoded(path)).max() <= 1


def test_openslide_reads_all_levels(exported, kinds):
    found = by_openslide(exported)
    assert len(found) == len(kinds.decoded)
    for level, picture in enumerate(found):
        np.testing.assert_array_equal(picture, decoded(exported / f"level-{level}.dcm"))
    with openslide.OpenSlide(exported / "level-2.dcm") as slide:
        assert slide.properties["openslide.vendor"] == "dicom"
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(MPP[0])
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(MPP[1])
        assert slide.read_region((0, 0), 0, (1, 1)).info["icc_profile"] == ICC
        assert np.asarray(slide.associated_images["thumbnail"]).shape == (30, 40, 4)


@pytest.mark.skipif(wsidicom is None, reason="wsidicom is not installed")
def test_wsidicom_reads_all_levels(exported, kinds):
    with wsidicom.WsiDicom.open(exported) as slide:
        assert [(level.size.height, level.size.width) for level in slide.levels] == [
            rgb.shape[:2] for rgb in kinds.decoded
        ]
        assert (slide.mpp.width, slide.mpp.height) == pytest.approx(MPP)
        assert slide.pyramids[0].thumbnails[0].size.width == 40
        for level in slide.levels:
            picture = slide.read_region((0, 0), level.level, (level.size.width, level.size.height))
            np.testing.assert_array_equal(np.asarray(picture)[..., :3], decoded(exported / f"level-{level.level}.dcm"))


def test_our_source_reads_it(exported, kinds, tmp_path):
    with open_source(exported) as source:
        assert (source.info.mpp_x, source.info.mpp_y) == pytest.approx(MPP)
        assert source.info.icc_profile is None, "the profile of these tests is none"
        assert check_source(source).telling
        np.testing.assert_array_equal(source.read(0, 0, 700, 900), decoded(exported / "level-0.dcm"))
    rrip_format.convert(exported, tmp_path / "again.rrip.tif", BRIEF)
    with rrip_format.open(tmp_path / "again.rrip.tif") as slide:
        assert slide.dimensions == (900, 700)
        assert slide.mpp == pytest.approx(MPP)


SIZES = [(1, 1), (2, 1), (3, 2), (1, 700), (700, 1), (3, 515), (129, 257), (256, 256), (257, 255), (1, 70_000)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_size(tmp_path, height, width):
    """Odd, smaller than a tile, of one tile, one pixel high or wide, beyond 16 bits."""
    rrip_format.convert(tissue(height, width), tmp_path / "a.rrip.tif", BRIEF)
    export(tmp_path / "a.rrip.tif", tmp_path / "out", kind="dicom", mpp=(0.5, 0.25))
    levels = sorted((tmp_path / "out").iterdir(), key=lambda path: int(path.stem.partition("-")[2]))
    shapes = [decoded(path).shape[:2] for path in levels]
    geometry = Geometry(width, height, BRIEF.tile)
    assert shapes == [geometry.shape(level) for level in exported_levels(geometry)]
    for path, picture in zip(levels, by_openslide(tmp_path / "out"), strict=True):
        np.testing.assert_array_equal(picture, decoded(path))
    if wsidicom is not None:
        with wsidicom.WsiDicom.open(tmp_path / "out") as slide:
            assert [(level.size.height, level.size.width) for level in slide.levels] == shapes


@pytest.mark.parametrize(("tile", "side"), [(64, 256), (256, 1024), (272, 544), (512, 1024)])
def test_every_side_of_tiles(tmp_path, tile, side):
    """Tiles are copied where a level 0 tile has the side of a frame, so that all levels have one side."""
    rrip_format.convert(
        tissue(600, 300), tmp_path / "a.rrip.tif", Settings(tile=tile, effort="fast", steps=BRIEF.steps)
    )
    export(tmp_path / "a.rrip.tif", tmp_path / "out", kind="dicom", mpp=1, quality=95)
    found = [read(path) for path in sorted((tmp_path / "out").iterdir())]
    assert {(one.Rows, one.Columns) for one in found} == {(side, side)}
    for level, picture in enumerate(by_openslide(tmp_path / "out")):
        wanted = rrip_format.imread(tmp_path / "a.rrip.tif", level=level)
        assert np.abs(picture.astype(int) - wanted).mean() < 2


@pytest.mark.parametrize(
    ("size", "levels"), [((1, 1), [0]), ((2, 3), [0, 1]), ((700, 1), [0, 1, 2, 3]), ((1, 300), [0])]
)
def test_levels_of_one_width_are_left_out(size, levels):
    assert exported_levels(Geometry(*size, 64)) == levels


@pytest.mark.parametrize("background", [(255, 255, 255), (243, 240, 247)])
def test_empty_tiles(tmp_path, background):
    """Of copied levels too, and in the colour of the background."""
    tifffile = pytest.importorskip("tifffile")
    picture = np.full((600, 1500, 3), background, np.uint8)
    picture[:200, :200] = tissue(200, 200)
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb")
    with open_source(tmp_path / "a.tif", background=background) as source:
        rrip_format.convert(source, tmp_path / "a.rrip.tif", BRIEF)
    export(tmp_path / "a.rrip.tif", tmp_path / "out", kind="dicom", mpp=1, quality=95)
    for level in range(4):
        wanted = rrip_format.imread(tmp_path / "a.rrip.tif", level=level)
        found = decoded(tmp_path / "out" / f"level-{level}.dcm")
        part = np.s_[-(300 >> level) :, -(900 >> level) :]
        assert (wanted[part] == background).all()
        assert np.abs(found[part].astype(int) - background).max() <= 1


# Attributes


def read(path: Path):
    return pydicom.dcmread(path, stop_before_pixels=True)


def test_attributes_of_levels(told, tmp_path):
    export(told, tmp_path / "out", kind="dicom", quality=80)
    levels = [read(tmp_path / "out" / f"level-{level}.dcm") for level in range(4)]
    for level, found in enumerate(levels):
        assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
        assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.77.1.6"
        assert found.ImageType == (
            ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"] if level else ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        )
        assert (found.PhotometricInterpretation, found.DimensionOrganizationType) == ("YBR_FULL_422", "TILED_FULL")
        [shared] = found.SharedFunctionalGroupsSequence
        spacing = shared.PixelMeasuresSequence[0].PixelSpacing
        assert spacing == pytest.approx([MPP[1] * 2**level / 1000, MPP[0] * 2**level / 1000])
        assert found.ImagedVolumeWidth == pytest.approx(900 * MPP[0] / 1000)
        assert found.ImagedVolumeHeight == pytest.approx(700 * MPP[1] / 1000)
        [optics] = found.OpticalPathSequence
        assert (optics.ObjectiveLensPower, bytes(optics.ICCProfile)) == (40, ICC)
        assert "ColorSpace" not in optics
        assert (found.BurnedInAnnotation, found.SpecimenLabelInImage) == ("NO", "NO")
        assert (found.Manufacturer, found.ManufacturerModelName) == ("Maker", "Model 5")
        assert list(found.SoftwareVersions) == ["1.2.3", f"rrip_format {rrip_format.__version__}"]
        assert found.FocusMethod == "MANUAL"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PyramidUID"):
        assert len({found[keyword].value for found in levels}) == 1
    assert len({found.SOPInstanceUID for found in levels}) == 4
    assert [found.InstanceNumber for found in levels] == [1, 2, 3, 4]


def test_every_export_has_its_own_identifiers(told, tmp_path):
    uids = set()
    for name in ("a", "b"):
        export(told, tmp_path / name, kind="dicom")
        found = read(tmp_path / name / "level-0.dcm")
        uids |= {found.StudyInstanceUID, found.SeriesInstanceUID, found.FrameOfReferenceUID, found.SOPInstanceUID}
        uids |= {found.SpecimenDescriptionSequence[0].SpecimenUID}
    assert len(uids) == 10


def test_every_lossy_compression_is_listed(told, tmp_path):
    """That of the container is its own kind on levels 0 and 1, and JPEG on coarser ones; it is the last if copied."""
    export(told, tmp_path / "out", kind="dicom", quality=80)
    for level, own in ((0, ["RRIP", JPEG]), (1, ["RRIP", JPEG]), (2, [JPEG, JPEG]), (3, [JPEG])):
        path = tmp_path / "out" / f"level-{level}.dcm"
        found = read(path)
        ratios = list(map(float, found.LossyImageCompressionRatio))
        assert found.LossyImageCompression == "01"
        assert list(found.LossyImageCompressionMethod) == [JPEG, "WEBP", *own]
        assert ratios[:2] == [1, 12.5], "the first is not known"
        assert len(ratios) == len(found.LossyImageCompressionMethod)
        raw = 3 * found.TotalPixelMatrixRows * found.TotalPixelMatrixColumns
        assert ratios[-1] == pytest.approx(raw / sum(map(len, jpegs(path))), rel=1e-3)
    rrip_format.convert(tmp_path / "out", tmp_path / "again.rrip.tif", BRIEF)
    with rrip_format.open(tmp_path / "again.rrip.tif") as slide:
        *before, own, last = slide.metadata.slide.compressions
    assert tuple(before) == COMPRESSIONS
    assert own.method == "RRIP"
    assert (last.method, last.quality, last.subsampling) == (JPEG, 80, "4:2:0")


def test_a_source_with_one_unknown_ratio(tmp_path):
    """The ratios after it stay with their methods."""
    from wsi_dicom import write_dicom

    def change(dataset):
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionMethod = ["ISO_10918_1", "ISO_15444_1"]
        dataset.LossyImageCompressionRatio = ["", "7.5"]

    write_dicom(tmp_path / "a.dcm", change=change)
    from rrip_format.sources.compressions import find_compressions

    with open_source(tmp_path / "a.dcm") as source:
        found = find_compressions(source)
    assert [(one.method, one.ratio) for one in found] == [("ISO_10918_1", None), ("ISO_15444_1", 7.5)]


def test_without_a_profile_srgb_is_assumed(container, tmp_path):
    from PIL import ImageCms

    export(container.path, tmp_path / "out", kind="dicom", mpp=0.5)
    [optics] = read(tmp_path / "out" / "level-1.dcm").OpticalPathSequence
    assert optics.ColorSpace == "SRGB"
    assert "assumed" in optics.OpticalPathDescription
    with openslide.OpenSlide(tmp_path / "out" / "level-0.dcm") as slide:
        assert "sRGB" in ImageCms.getProfileDescription(slide.color_profile)
    said = CliRunner().invoke(
        main, ["export", str(container.path), str(tmp_path / "b"), "--kind", "dicom", "--mpp", "0.5"]
    )
    assert said.exit_code == 0, said.output
    assert "sRGB is assumed" in said.stderr


def test_illumination_and_what_pixels_show(kinds, tmp_path):
    code = "dicom.OpticalPathSequence[0].IlluminationTypeCodeSequence[0]."
    properties = {code + "CodeValue": "111743", code + "CodingSchemeDesignator": "DCM"}
    properties |= {code + "CodeMeaning": "Epifluorescence illumination", "dicom.SpecimenLabelInImage": "YES"}
    source = copy(kinds.zarr, tmp_path / "a.rrip.tif", (), mpp=MPP, properties=properties)
    export(source, tmp_path / "out", kind="dicom")
    found = read(tmp_path / "out" / "level-0.dcm")
    assert found.OpticalPathSequence[0].IlluminationTypeCodeSequence[0].CodeValue == "111743"
    assert (found.BurnedInAnnotation, found.SpecimenLabelInImage) == ("YES", "YES")
    assert "PatientIdentityRemoved" not in found


def test_dciodvfy_finds_no_error(told, kinds, tmp_path):
    verify = shutil.which("dciodvfy")
    if verify is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not here")
    export(told, tmp_path / "bare", kind="dicom")
    export(told, tmp_path / "kept", kind="dicom", label=True, keep_identifiers=True)
    export(kinds.zip, tmp_path / "gray", kind="dicom", quality=50)
    files = sorted(tmp_path.glob("*/*.dcm"))
    assert {path.name for path in files} >= {"label.dcm", "overview.dcm", "thumbnail.dcm", "level-0.dcm"}
    for path in files:
        done = subprocess.run([verify, "-new", path], capture_output=True, text=True, timeout=60, check=False)
        found = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Warning"))]
        expected = ("DICOMDIR", "Unrecognized defined term = <RRIP>", "Unrecognized defined term = <WEBP>")
        assert [line for line in found if not any(part in line for part in expected)] == [], path


# Identifiers


def test_identifiers_stay_out_unless_they_are_wanted(told, tmp_path):
    export(told, tmp_path / "out", kind="dicom")
    for path in (tmp_path / "out").iterdir():
        data = path.read_bytes()
        assert not [word for word in (b"ller", b"0815", b"Anna", b"1.2.826.0.1.77") if word in data]
    found = read(tmp_path / "out" / "level-0.dcm")
    assert (found.PatientIdentityRemoved, found.PatientID, found.ContainerIdentifier) == ("YES", "", "slide.svs")
    export(told, tmp_path / "kept", kind="dicom", keep_identifiers=True)
    found = read(tmp_path / "kept" / "level-0.dcm")
    assert (str(found.PatientName), found.PatientID, found.StudyInstanceUID) == (
        "Müller^Anna",
        "P-0815",
        "1.2.826.0.1.77",
    )
    assert found.PatientBirthDate == "", "what the source told is no date"
    assert found.SpecimenDescriptionSequence[0].SpecimenIdentifier == "S-0815"
    assert json.loads(found.ImageComments) == {"aperio.Filename": "0815"}
    assert "PatientIdentityRemoved" not in found


def test_the_label_only_when_asked_for(told, tmp_path):
    for label in (False, True):
        folder = tmp_path / str(label)
        export(told, folder, kind="dicom", label=label)
        small = {path.stem for path in folder.iterdir() if not path.stem.startswith("level")}
        assert small == ({"label", "overview"} if label else set())
    found = read(folder / "label.dcm")
    assert found.ImageType == ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]
    assert (found.BurnedInAnnotation, found.SpecimenLabelInImage, found.LabelText) == ("YES", "YES", "")
    assert "PatientIdentityRemoved" not in read(folder / "level-0.dcm")
    with openslide.OpenSlide(folder / "level-0.dcm") as slide:
        sizes = {name: picture.size for name, picture in slide.associated_images.items()}
    assert sizes == {"label": (40, 52), "macro": (40, 51)}


def test_a_thumbnail_that_shows_more_than_the_slide(kinds, tmp_path):
    """It is the photograph that DICOM calls the overview; two of those would keep OpenSlide from opening the slide."""
    pictures = {"a": ("thumbnail",), "b": ("macro", "thumbnail")}
    for name, names in pictures.items():
        source = copy(kinds.zarr, tmp_path / f"{name}.rrip.tif", names, mpp=MPP)
        export(source, tmp_path / name, kind="dicom", label=True)
        with openslide.OpenSlide(tmp_path / name / "level-0.dcm") as slide:
            assert set(slide.associated_images) == {"macro"}


# The file


def test_offsets_beyond_32_bits():
    lengths = [1 << 31, 1 << 31, 10]
    basic, extended = offset_tables(lengths[:2])
    assert np.frombuffer(basic, "<u4").tolist() == [0, (1 << 31) + 8]
    assert extended is None
    basic, extended = offset_tables(lengths)
    assert basic == b""
    assert np.frombuffer(extended[0], "<u8").tolist() == [0, (1 << 31) + 8, (1 << 32) + 16]
    assert np.frombuffer(extended[1], "<u8").tolist() == lengths


def test_the_extended_table_is_read(kinds, tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_file, "LAST_BASIC_OFFSET", 1000)
    export(kinds.tif, tmp_path / "out", kind="dicom", quality=95)
    path = tmp_path / "out" / "level-0.dcm"
    assert "ExtendedOffsetTable" in read(path)
    wanted = decoded(path)
    np.testing.assert_array_equal(by_openslide(tmp_path / "out")[0], wanted)
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(0, 0, 700, 900), wanted)
    if wsidicom is not None:
        with wsidicom.WsiDicom.open(tmp_path / "out") as slide:
            np.testing.assert_array_equal(np.asarray(slide.read_region((0, 0), 0, (900, 700)))[..., :3], wanted)


def test_frames_of_odd_length(tmp_path):
    frames = [b"\xff\xd8" + bytes([k]) * k + b"\xff\xd9" for k in range(1, 6)]
    seen = []

    def describe(size):
        seen.append(size)
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        dataset.NumberOfFrames = len(frames)
        return dataset

    write_instance(tmp_path / "a.dcm", iter(frames), describe)
    assert jpegs(tmp_path / "a.dcm") == [frame + b"\0" * (len(frame) % 2) for frame in frames]
    assert seen == [sum(len(frame) + len(frame) % 2 for frame in frames)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_from_a_server(kinds, tmp_path):
    pytest.importorskip("aiohttp")
    export(kinds.tif, tmp_path / "near", kind="dicom")
    with serve(kinds.tif.parent) as server:
        export(f"{server.url}/{kinds.tif.name}", tmp_path / "far", kind="dicom")
    for path in (tmp_path / "near").iterdir():
        assert jpegs(tmp_path / "far" / path.name) == jpegs(path)


def test_both_samplings_of_chroma(kinds, tmp_path):
    """Photometric Interpretation is the same for them, and OpenSlide reads both."""
    for quality, sampling in ((89, (2, 2)), (90, (1, 1))):
        folder = tmp_path / str(quality)
        export(kinds.zarr, folder, kind="dicom", quality=quality)
        frame = jpegs(folder / "level-0.dcm")[0]
        at = frame.index(b"\xff\xc0") + 11
        assert (frame[at] >> 4, frame[at] & 15) == sampling
        np.testing.assert_array_equal(by_openslide(folder)[0], decoded(folder / "level-0.dcm"))


# What must not happen


def test_a_slide_without_pixel_size(container, tmp_path):
    with pytest.raises(RripError, match=r"no pixel size, which DICOM requires; pass it in µm, for example --mpp 0\.25"):
        export(container.path, tmp_path / "out", kind="dicom")
    assert list(tmp_path.iterdir()) == []
    for wrong in (0, -1, float("nan"), (1.0, 2.0, 3.0)):
        with pytest.raises(RripError, match="positive numbers of micrometres"):
            export(container.path, tmp_path / "out", kind="dicom", mpp=wrong)


def test_pixel_size_of_other_formats(container, tmp_path):
    """--mpp is for all of them, except where the container's own metadata are what is read."""
    export(container.path, tmp_path / "a.tif", mpp=(0.5, 0.25))
    with openslide.OpenSlide(tmp_path / "a.tif") as slide:
        sizes = [float(slide.properties[f"openslide.mpp-{axis}"]) for axis in "xy"]
    assert sizes == pytest.approx([0.5, 0.25])
    with pytest.raises(RripError, match="which mpp does not change"):
        export(container.path, tmp_path / "a.refs.json", mpp=0.5)


def test_damage_leaves_nothing(spoiled, tmp_path):
    for place in ((1, 2, 3), (3, 0, 0)):
        broken = tmp_path / "in" / "broken.rrip.zarr"
        shutil.copytree(spoiled, broken)
        tile_path(broken, *place).unlink()
        with pytest.raises(MissingTileError, match=r"broken\.rrip\.zarr"):
            export(broken, broken.parent / "out", kind="dicom", mpp=1)
        shutil.rmtree(broken)
        assert list(broken.parent.iterdir()) == []


def test_an_interrupt_leaves_what_was_there(kinds, tmp_path):
    export(kinds.zarr, tmp_path / "out", kind="dicom")
    before = hash_tree(tmp_path)

    def interrupt(done, total):
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(kinds.zarr, tmp_path / "out", kind="dicom", overwrite=True, progress=interrupt)
    assert hash_tree(tmp_path) == before


def test_progress(kinds, tmp_path):
    seen = []
    export(kinds.zarr, tmp_path / "out", kind="dicom", progress=lambda *pair: seen.append(pair), workers=2)
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}


def test_targets(kinds, tmp_path):
    (tmp_path / "file").write_text("something")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("something")
    export(kinds.zarr, tmp_path / "old", kind="dicom", label=True)
    for name, overwrite, said in (
        ("out.rrip.tif", False, "rrip convert"),
        ("file", True, "is a file"),
        ("mine", True, r"contains notes\.txt, which is not DICOM"),
        ("old", False, "already exists"),
        ("nowhere/out", False, "no such folder"),
    ):
        with pytest.raises(TargetError, match=said):
            export(kinds.zarr, tmp_path / name, kind="dicom", overwrite=overwrite)
    export(kinds.zarr, tmp_path / "old", kind="dicom", overwrite=True)
    assert not (tmp_path / "old" / "overview.dcm").exists(), "of the replaced export"
    with pytest.raises(ValueError, match="expected None or 'dicom'"):
        export(kinds.zarr, tmp_path / "new", kind="dcm")
    with pytest.raises(TargetError, match="or --kind dicom, for a folder"):
        export(kinds.zarr, tmp_path / "new")


def test_command(kinds, tmp_path):
    words = ["export", str(kinds.zip), f"{tmp_path / 'out'}/", "--kind", "dicom", "-q", "70", "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert done.stderr == ""
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 1
    assert "already exists" in again.output


def test_without_pydicom_the_extra_is_named(kinds, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ExtraMissingError, match=r"rrip-format\[convert\]"):
        export(kinds.zarr, tmp_path / "out", kind="dicom")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in Linux's unit")
def test_memory_is_bounded(container, tmp_path):
    image = np.tile(tissue(512, 512), (8, 16, 1))
    rrip_format.convert(image, tmp_path / "large.rrip.zarr", rrip_format.Settings(tile=64))
    code = MEMORY.replace("quality=80", 'quality=80, kind="dicom", mpp=1, overwrite=True').replace(
        ", overwrite=True, overwrite=True", ", overwrite=True"
    )
    command = [
        sys.executable,
        "-c",
        code,
        str(container.path),
        str(tmp_path / "out"),
        str(tmp_path / "large.rrip.zarr"),
    ]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=200).stdout) * 1024
    assert grown < 0.9 * image.nbytes


def test_no_warnings(told, tmp_path):
    """Of pydicom, about values that are longer than their kind allows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(told, tmp_path / "out", kind="dicom", keep_identifiers=True)
