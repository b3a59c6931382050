"""DICOM folders of which something is lost, copied or written by unusual programs."""

from __future__ import annotations

import copy
import itertools
import shutil

import numpy as np
import pydicom
import pytest
from tiff_readers import picture
from wsi_dicom import write_dicom

from rrip_format.errors import SourceError
from rrip_format.second_reader.check import check_source
from rrip_format.sources import dicomfiles, open_source

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def read(path, **options):
    with open_source(path, **options) as source:
        return source.read(0, 0, source.info.height, source.info.width), source.info


def refuse(path, *words):
    with pytest.raises(SourceError) as caught:
        read(path)
    assert all(word in str(caught.value) for word in words), caught.value


def resampled(dataset):
    dataset.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]


def write_levels(folder, change=None):
    """Write two levels and return the coarser one."""
    write_dicom(folder / "fine.dcm", samples=np.tile(picture(), (2, 2, 1)), uid="1.2.826.1.1")
    return write_dicom(folder / "coarse.dcm", uid="1.2.826.1.2", change=change)


@pytest.mark.parametrize("size", [0, 100, 136, 180, 300])
@pytest.mark.parametrize("named", [".", "coarse.dcm"])
def test_a_finest_level_that_cannot_be_read_is_told(size, named, tmp_path):
    coarse = write_levels(tmp_path)
    fine = tmp_path / "fine.dcm"
    fine.write_bytes(fine.read_bytes()[:size])
    pixels, info = read(tmp_path / named)
    np.testing.assert_array_equal(pixels, coarse)
    assert "fine.dcm cannot be read as DICOM and is left out" in info.notes[0]
    write_dicom(tmp_path / "coarse.dcm", uid="1.2.826.1.2", change=resampled)
    refuse(tmp_path / named, "resampled", "fine.dcm", "get a complete copy")
    fine.unlink()
    assert "if a finer level exists" in read(tmp_path / named)[1].notes[0]


def test_a_complete_series_needs_no_note(tmp_path):
    write_levels(tmp_path, resampled)
    (tmp_path / "README.txt").write_text("of the export")
    (tmp_path / "empty").touch()
    assert read(tmp_path)[1].notes == ()


def test_an_instance_that_is_there_twice_is_one(tmp_path):
    truth = write_dicom(tmp_path / "a.dcm")
    shutil.copy(tmp_path / "a.dcm", tmp_path / "a (1).dcm")
    for path in (tmp_path, tmp_path / "a.dcm"):
        pixels, info = read(path)
        np.testing.assert_array_equal(pixels, truth)
        assert info.notes == ()


@pytest.mark.parametrize("photometric", ["RGB", "MONOCHROME2"])
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_big_endian(vr, photometric, tmp_path):
    truth = write_dicom(tmp_path / "a.dcm", photometric=photometric)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    if vr == "OW":
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
    dataset["PixelData"].VR = vr
    pydicom.dcmwrite(tmp_path / "a.dcm", dataset, implicit_vr=False, little_endian=False)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm")[0], truth)
    again = pydicom.dcmread(tmp_path / "a.dcm").pixel_array[0]
    np.testing.assert_array_equal(again, truth[:16, :32] if photometric == "RGB" else truth[:16, :32, 0])


@pytest.mark.parametrize("name", ["Rows", "SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation"])
def test_attributes_that_are_missing_are_named(name, tmp_path):
    write_dicom(tmp_path / "a.dcm", change=lambda dataset: delattr(dataset, name))
    refuse(tmp_path / "a.dcm", f"the DICOM attribute {name} is missing")


def test_what_else_is_odd(tmp_path):
    write_dicom(tmp_path / "a.dcm", change=lambda dataset: setattr(dataset, "PlanarConfiguration", 2))
    refuse(tmp_path / "a.dcm", "Planar Configuration 2")
    truth = write_dicom(tmp_path / "a.dcm", change=lambda dataset: delattr(dataset, "SeriesInstanceUID"))
    np.testing.assert_array_equal(read(tmp_path / "a.dcm")[0], truth)


def write_concatenation(folder, change):
    """Write a slide in three files, the last one first by name and instance number."""
    truth = write_dicom(folder / "whole.dcm")
    dataset = pydicom.dcmread(folder / "whole.dcm")
    (folder / "whole.dcm").unlink()
    frames, size = int(dataset.NumberOfFrames), 16 * 32 * 3
    ends = [0, 3, 7, frames]
    for number, (start, end) in enumerate(itertools.pairwise(ends)):
        part = copy.deepcopy(dataset)
        part.SOPInstanceUID = f"1.2.826.1.{number + 1}"
        part.InstanceNumber = 9 - number
        part.NumberOfFrames, part.PixelData = end - start, dataset.PixelData[start * size : end * size]
        part.PixelData += b"\0" * (len(part.PixelData) % 2)
        part.ConcatenationUID, part.InConcatenationTotalNumber = "1.2.826.9.9", 3
        part.InConcatenationNumber, part.ConcatenationFrameOffsetNumber = number + 1, start
        change(part, number)
        part.save_as(folder / f"{9 - number}.dcm", enforce_file_format=True)
    return truth


@pytest.mark.parametrize("names", [(), ("ConcatenationFrameOffsetNumber",), ("InConcatenationNumber",)])
def test_the_order_of_a_concatenation(names, tmp_path):
    truth = write_concatenation(tmp_path, lambda part, _: [delattr(part, name) for name in names])
    np.testing.assert_array_equal(read(tmp_path)[0], truth)


def test_concatenations_that_do_not_fit_together(tmp_path):
    def without_order(part, _):
        del part.ConcatenationFrameOffsetNumber, part.InConcatenationNumber

    write_concatenation(tmp_path, without_order)
    refuse(tmp_path, "nothing tells the order")
    write_concatenation(tmp_path, lambda part, n: setattr(part, "ConcatenationFrameOffsetNumber", (0, 4, 7)[n]))
    refuse(tmp_path, "begins with frame 4 of a concatenation, expected 3")


@pytest.mark.parametrize("depth", [1, 3, 5])
@pytest.mark.parametrize("split", [False, True])
def test_a_series_in_sub_folders(depth, split, tmp_path):
    """As archives export it: a folder for the patient, the study and the series, with other files among them."""
    folder = tmp_path.joinpath(*"abcde"[:depth])
    folder.mkdir(parents=True)
    write_levels(folder)
    (tmp_path / "manifest.csv").write_text("of the export")
    (folder / "README.txt").write_text("of the export")
    if split:  # a folder for each instance
        (folder.parent / "other").mkdir()
        (folder / "coarse.dcm").rename(folder.parent / "other" / "coarse.dcm")
    (tmp_path / ".hidden").mkdir()
    write_dicom(tmp_path / ".hidden" / "h.dcm", samples=np.tile(picture(), (3, 3, 1)), series="1.2.826.3")
    pixels, info = read(tmp_path)
    np.testing.assert_array_equal(pixels, np.tile(picture(), (2, 2, 1)))
    assert info.notes == ()
    with open_source(tmp_path) as source:
        assert {path.name for path in source.files} == {"fine.dcm", "coarse.dcm"}
        assert check_source(source).blocks


def test_sub_folders_of_several_series_follow_the_rule(tmp_path):
    """The largest picture is the slide, and a note says that there are others; the folder's own files come first."""
    for name, times, series in (("a", 1, "1.2.826.1"), ("b", 2, "1.2.826.2")):
        (tmp_path / name).mkdir()
        write_dicom(
            tmp_path / name / "x.dcm", samples=np.tile(picture(), (times, 1, 1)), series=series, uid=f"{series}.1"
        )
    pixels, info = read(tmp_path)
    np.testing.assert_array_equal(pixels, np.tile(picture(), (2, 1, 1)))
    assert "2 whole-slide series are there; 1.2.826.2, with the largest picture, is read" in info.notes[0]
    truth = write_dicom(tmp_path / "own.dcm", series="1.2.826.3", uid="1.2.826.3.1")
    pixels, info = read(tmp_path)
    np.testing.assert_array_equal(pixels, truth)
    assert info.notes == ()


def test_a_damaged_level_in_a_sub_folder_is_told(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    write_levels(tmp_path / "a", resampled)
    (tmp_path / "a" / "fine.dcm").rename(tmp_path / "a" / "b" / "fine.dcm")
    fine = tmp_path / "a" / "b" / "fine.dcm"
    fine.write_bytes(fine.read_bytes()[:180])
    refuse(tmp_path, "resampled", "fine.dcm", "get a complete copy")


def test_sub_folders_are_searched_within_limits(tmp_path, monkeypatch):
    deep = tmp_path.joinpath(*"abcdef")
    deep.mkdir(parents=True)
    write_dicom(deep / "x.dcm")
    refuse(tmp_path, "none is a DICOM whole-slide image")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    refuse(tmp_path, "none is a DICOM whole-slide image")
    monkeypatch.setattr(dicomfiles, "MOST_FILES", 3)
    for number in range(4):
        (tmp_path / "a" / str(number)).touch()
    refuse(tmp_path, "more than 3 files in it and its sub-folders; name the folder of the slide")


@pytest.mark.parametrize("name", ["zarr.json", ".zgroup", ".zarray"])
def test_a_zarr_hierarchy_is_named(name, tmp_path):
    (tmp_path / name).write_text("{}")
    refuse(tmp_path, "a Zarr hierarchy")
