"""Damaged sources, and input that is no picture, are refused with an error that names the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from source_pictures import read_all, refuse, tile_of

from rrip_format.errors import SourceError
from rrip_format.sources import open_source
from rrip_format.sources.jpegcheck import check_jpeg

pytest.importorskip("tifffile")
pytest.importorskip("openslide")
pyvips = pytest.importorskip("pyvips")

# --- damage -------------------------------------------------------------------------------------------------------


EQUAL = "equal"
VARIANTS = {
    "truncated-half": "outside the file",
    "truncated-last-byte": EQUAL,  # the byte belongs to the macro's JPEG tables
    "truncated-header-6-bytes": "directories cannot be read",
    "empty-0-bytes": "empty",
    "tile-zero-length": "1 of 130 tiles (the first at row 5, column 7) of level 0 without data",
    "tile-zero-offset-and-length": "without data",
    "tile-offset-past-eof": "beyond the file's end",
    "tile-length-huge": "beyond the file's end",
    "jpeg-scan-scrambled": "premature end of data segment",
    "jpeg-no-soi": "not a JPEG tile",
    "jpeg-premature-eoi": "JPEG tile ends early",
    "bad-compression-tag": "compression 52479, which is not supported",
    "no-jpegtables": "Quantization table",
    "no-imagedescription": EQUAL,  # as generic TIFF, without µm/px
    "tilewidth-zero": "tiles of 0x240 px",
    "imagewidth-2e31": "expected 116322037",
    "samplesperpixel-4": "JPEG tile of 3 component(s) of 8 bits, expected 4",
    "ifd-loop": "form a loop",
    "next-ifd-past-eof": "TIFF directory 1 at offset 4294967040 is outside",
    "mpp-decimal-comma": EQUAL,
}


@pytest.fixture(scope="module", name="damaged")
def fixture_damaged(tmp_path_factory, testdata):
    script, slide = testdata("odd/make_damaged_svs.py"), testdata("CMU-1-Small-Region.svs")
    folder = tmp_path_factory.mktemp("damaged")
    subprocess.run([sys.executable, str(script), str(slide), str(folder)], check=True)
    assert {path.stem for path in folder.iterdir()} == set(VARIANTS)
    with open_source(slide) as source:
        return folder, read_all(source)


@pytest.mark.parametrize("variant", VARIANTS)
def test_damaged_svs_is_refused_or_equal(damaged, variant):
    folder, undamaged = damaged
    path = folder / f"{variant}.svs"
    if VARIANTS[variant] != EQUAL:
        refuse(path, str(path), VARIANTS[variant])
        return
    with open_source(path) as source:
        np.testing.assert_array_equal(read_all(source), undamaged)
        assert source.info.mpp_x == (None if variant == "no-imagedescription" else 0.499)


def test_missing_tiles_on_request_are_background(damaged):
    folder, undamaged = damaged
    expected = undamaged.copy()
    expected[5 * 240 : 6 * 240, 7 * 240 : 8 * 240] = (10, 20, 30)
    for variant in ("tile-zero-length", "tile-zero-offset-and-length"):
        path = folder / f"{variant}.svs"
        with open_source(path, allow_missing_tiles=True, background=(10, 20, 30)) as source:
            np.testing.assert_array_equal(read_all(source), expected)


def test_a_failed_source_stays_failed(damaged):
    with open_source(damaged[0] / "jpeg-premature-eoi.svs") as source:
        source.read(0, 0, 100, 100)
        for box in [(1300, 1700, 100, 100), (0, 0, 100, 100)]:
            with pytest.raises(SourceError, match="ends early"):
                source.read(*box)


@pytest.mark.parametrize("cut", [10, 200, 5000])
def test_jpeg_2000_tile_with_zeroed_tail_is_refused(testdata, tmp_path, cut):
    path = testdata("TCGA-CR-7395-01A-01-TS1.svs")
    offset, count = tile_of(path, 100)
    data = bytearray(path.read_bytes())
    data[offset + count - cut : offset + count] = bytes(cut)
    (tmp_path / "j2k.svs").write_bytes(data)
    refuse(tmp_path / "j2k.svs", "1 of 252 tiles", "end marker of JPEG 2000")


@pytest.mark.parametrize(
    ("name", "words"),
    [("tail", "no end marker"), ("early-end", "ends early"), ("middle", "damaged JPEG tile"), ("start", "not a JPEG")],
)
def test_ome_tiff_with_damaged_jpeg_tile(testdata, tmp_path, name, words):
    """imagecodecs decodes all but the last of these without an error."""
    path = testdata("ki67-hamamatsu.ome.tif")
    offset, count = tile_of(path, 2)
    data = bytearray(path.read_bytes())
    start, patch = {
        "tail": (offset + count - 300, bytes(300)),
        "early-end": (offset + 5000, b"\xff\xd9"),
        "middle": (offset + 5000, bytes(2000)),
        "start": (offset, bytes(2)),
    }[name]
    data[start : start + len(patch)] = patch
    (tmp_path / "bad.ome.tif").write_bytes(data)
    refuse(tmp_path / "bad.ome.tif", words, "block y=")


def test_jpeg_of_another_size_is_refused():
    data = pyvips.Image.black(64, 32).jpegsave_buffer()
    check_jpeg(data, None, {32}, {64, 10})
    with pytest.raises(ValueError, match="32x64 px, expected"):
        check_jpeg(data, None, {64}, {32})


# --- input that is no picture -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("odd/histolab-broken.svs", "not a slide or image"),
        ("odd/osp-unopenable.tiff", "52479"),
        ("odd/osp-unreadable.svs", "not a JPEG tile"),
        ("odd/make_damaged_svs.py", "not a slide or image"),
    ],
)
def test_broken_files_of_the_collection(testdata, name, words):
    refuse(testdata(name), str(testdata(name)), words)


def test_no_file_no_slide(tmp_path):
    refuse(tmp_path / "absent.svs", "no such file", "absent.svs")
    refuse(tmp_path, "a folder of 0 file(s)", str(tmp_path))
    refuse(os.devnull, "not a regular file")
    (tmp_path / "empty.png").touch()
    refuse(tmp_path / "empty.png", "empty")
    (tmp_path / "dicom.dcm").write_bytes(bytes(128) + b"DICM" + bytes(300))
    refuse(tmp_path / "dicom.dcm", "DICOM")
    refuse([[1, 2]], "found list")


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "secret.svs"
    path.write_bytes(b"II*\0")

    def deny(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    refuse(path, "Permission denied", "permissions")
