"""What DICOM exports say of the slide, and what they keep to themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings

import pytest
from click.testing import CliRunner
from conftest import BRIEF
from dicom_exports import (
    COMPRESSIONS,
    fixture_told,  # noqa: F401  (fixtures)
    jpegs,
    openslide,
    read_header,
)
from kinds import ICC, MPP
from test_export_metadata import copy

import rrip_format
from rrip_format.cli import main
from rrip_format.errors import RripError
from rrip_format.exporters.run import export
from rrip_format.sources import open_source
from rrip_format.spec.metadata import JPEG


def test_attributes_of_levels(told, tmp_path):
    export(told, tmp_path / "out", kind="dicom", quality=80)
    levels = [read_header(tmp_path / "out" / f"level-{level}.dcm") for level in range(4)]
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
        found = read_header(tmp_path / name / "level-0.dcm")
        uids |= {found.StudyInstanceUID, found.SeriesInstanceUID, found.FrameOfReferenceUID, found.SOPInstanceUID}
        uids |= {found.SpecimenDescriptionSequence[0].SpecimenUID}
    assert len(uids) == 10


def test_every_lossy_compression_is_listed(told, tmp_path):
    """That of the container is its own kind on levels 0 and 1, and JPEG on coarser ones; it is the last if copied."""
    export(told, tmp_path / "out", kind="dicom", quality=80)
    for level, own in ((0, ["RRIP", JPEG]), (1, ["RRIP", JPEG]), (2, [JPEG, JPEG]), (3, [JPEG])):
        path = tmp_path / "out" / f"level-{level}.dcm"
        found = read_header(path)
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
    [optics] = read_header(tmp_path / "out" / "level-1.dcm").OpticalPathSequence
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
    found = read_header(tmp_path / "out" / "level-0.dcm")
    assert found.OpticalPathSequence[0].IlluminationTypeCodeSequence[0].CodeValue == "111743"
    assert (found.BurnedInAnnotation, found.SpecimenLabelInImage) == ("YES", "YES")
    assert "PatientIdentityRemoved" not in found


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


def test_identifiers_stay_out_unless_they_are_wanted(told, tmp_path):
    export(told, tmp_path / "out", kind="dicom")
    for path in (tmp_path / "out").iterdir():
        data = path.read_bytes()
        assert not [word for word in (b"ller", b"0815", b"Anna", b"1.2.826.0.1.77") if word in data]
    found = read_header(tmp_path / "out" / "level-0.dcm")
    assert (found.PatientIdentityRemoved, found.PatientID, found.ContainerIdentifier) == ("YES", "", "slide.svs")
    export(told, tmp_path / "kept", kind="dicom", keep_identifiers=True)
    found = read_header(tmp_path / "kept" / "level-0.dcm")
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
    found = read_header(folder / "label.dcm")
    assert found.ImageType == ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]
    assert (found.BurnedInAnnotation, found.SpecimenLabelInImage, found.LabelText) == ("YES", "YES", "")
    assert "PatientIdentityRemoved" not in read_header(folder / "level-0.dcm")
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


def test_no_warnings(told, tmp_path):
    """Of pydicom, about values that are longer than their kind allows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(told, tmp_path / "out", kind="dicom", keep_identifiers=True)
