"""Files of DICOM exports: frames and their offsets, the folder, and what is left after an error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import hash_tree, tile_path, tissue
from dicom_exports import (
    by_openslide,
    decoded,
    fixture_exported,  # noqa: F401  (fixtures)
    jpegs,
    pydicom,
    read_header,
    wsidicom,
)
from test_export import MEMORY

import rrip_format
from rrip_format.cli import main
from rrip_format.errors import ExtraMissingError, MissingTileError, TargetError
from rrip_format.exporters import dicom_file
from rrip_format.exporters.dicom_file import offset_tables, write_instance
from rrip_format.exporters.run import export
from rrip_format.slides import slide
from rrip_format.sources import open_source


def test_files(exported):
    assert [path.name for path in sorted(exported.iterdir())] == [
        *(f"level-{level}.dcm" for level in range(4)),
        "thumbnail.dcm",
    ]
    assert list(exported.parent.iterdir()) == [exported]


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
    assert "ExtendedOffsetTable" in read_header(path)
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


def test_the_command_opens_the_slide_once(container, tmp_path, monkeypatch):
    """And still says that the slide has no profile."""
    opened = []
    open_container = slide.open_container
    monkeypatch.setattr(slide, "open_container", lambda *args: opened.append(args) or open_container(*args))
    words = ["export", str(container.path), str(tmp_path / "out"), "--kind", "dicom", "--mpp", "0.25"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert done.stderr.endswith(f"note: {container.path} has no ICC profile; in DICOM, sRGB is assumed\n")
    assert len(opened) == 1


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
