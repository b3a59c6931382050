"""Sources: every format gives the pixels its own library gives, every bad input one clear `SourceError`."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from source_pictures import read_all

from rrip_format.errors import ExtraMissingError, SourceError
from rrip_format.sources import open_source
from rrip_format.sources.base import load_reader
from rrip_format.sources.slide import parse_background
from rrip_format.sources.tiffcheck import first_page_px

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("openslide")
pyvips = pytest.importorskip("pyvips")

# --- real slides --------------------------------------------------------------------------------------------------


SLIDES = {
    "CMU-1-Small-Region.svs": ("tifffile", "aperio", 2220, 2967, 0.499, 20),
    "TCGA-CR-7395-01A-01-TS1.svs": ("tifffile", "aperio", 4443, 3567, None, None),
    "duodenum-BS9-40x.svs": ("tifffile", "aperio", 14486, 16783, 0.2528, 40),
    "fluorescence.ndpi": ("openslide", "hamamatsu", 3968, 4864, 0.228175, 40),
    "lymph-node-j2k-lossless.dcm": ("pydicom", "dicom", 1696, 812, 28.969, None),
    "ki67-hamamatsu.ome.tif": ("tifffile", None, 2202, 2202, 0.227097, None),
    "field-colon-IHC.png": ("vips", None, 512, 512, None, None),
    "odd/osp-small.svs": ("tifffile", "aperio", 16, 16, 0.499, 20),
    "odd/osp-boxes.tiff": ("tifffile", None, 300, 250, None, None),  # 72 dpi is no pixel size
    "odd/highdicom-sm_image.dcm": ("pydicom", "dicom", 50, 50, 0.499, None),
}


@pytest.mark.parametrize("name", SLIDES)
def test_info_of_real_slides(testdata, name):
    with open_source(testdata(name)) as source:
        info = source.info
        assert (info.reader, info.vendor, info.width, info.height) == SLIDES[name][:4]
        assert info.mpp_x == (None if SLIDES[name][4] is None else pytest.approx(SLIDES[name][4], rel=1e-5))
        assert info.objective_power == SLIDES[name][5]
        assert info.size_bytes == testdata(name).stat().st_size
        assert (info.name, info.background) == (testdata(name).name, (255, 255, 255))
        assert source.fingerprint()["size_bytes"] == info.size_bytes


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "TCGA-CR-7395-01A-01-TS1.svs", "fluorescence.ndpi"])
def test_openslide_and_tifffile_agree(testdata, name):
    with open_source(testdata(name)) as source, tifffile.TiffFile(testdata(name)) as tif:
        block = source.read(500, 300, 700, 900)
        expected = tif.pages[0].asarray()[500:1200, 300:1200]
    assert block.shape == (700, 900, 3)
    # JPEG 2000 and YCbCr conversions round differently; RGB JPEG must be the same bits.
    assert np.abs(block.astype(int) - expected).max() <= (0 if name.startswith("CMU") else 2)


def test_associated_images_and_icc_profile(testdata):
    with open_source(testdata("CMU-1-Small-Region.svs")) as source:
        shapes = {name: read().shape for name, read in source.associated().items()}
    assert shapes == {"thumbnail": (768, 574, 3), "label": (463, 387, 3), "macro": (431, 1280, 3)}
    with open_source(testdata("odd/osp-boxes.tiff")) as source:
        assert len(source.info.icc_profile) == 588


def test_ki67_ome_tiff_is_not_taken_for_rgb_tiles(testdata):
    """The photometric tag says RGB, the tiles are YCbCr: the box-reduced field of the README is the witness."""
    field = pyvips.Image.new_from_file(str(testdata("field-ki67-IHC.png"))).numpy()
    with open_source(testdata("ki67-hamamatsu.ome.tif")) as source:
        pixels = read_all(source).astype(float)
    reduced = (pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]) / 4
    assert np.abs(reduced - field).max() <= 1


def test_blocks_are_windows_of_the_whole(testdata):
    with open_source(testdata("ki67-hamamatsu.ome.tif")) as source:
        whole = read_all(source)
        boxes = [(0, 0, 1, 1), (2201, 2201, 1, 1), (500, 510, 600, 20), (1023, 0, 2, 2202), (1700, 1900, 502, 302)]
        with ThreadPoolExecutor(4) as pool:
            blocks = list(pool.map(lambda box: source.read(*box), boxes * 3))
        for (y, x, height, width), block in zip(boxes * 3, blocks, strict=True):
            np.testing.assert_array_equal(block, whole[y : y + height, x : x + width])
            assert block.flags.c_contiguous


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (0, 0, 0, 4), (15, 0, 2, 2), (0, 15, 2, 2)])
def test_block_outside_is_an_error_of_the_caller(box):
    with pytest.raises(ValueError, match="not inside"):
        open_source(np.zeros((16, 16, 3), np.uint8)).read(*box)


@pytest.mark.parametrize("name", ["odd/osp-small.svs", "ki67-hamamatsu.ome.tif", "field-colon-IHC.png"])
def test_pickles_as_path_and_reads_the_same(testdata, name, monkeypatch, tmp_path):
    path = testdata(name)
    monkeypatch.chdir(path.parent)
    with open_source(path.name, mpp=0.5, background=(1, 2, 3)) as source:
        data = pickle.dumps(source)
        expected = source.read(3, 5, 10, 11)
        info = source.info
    assert len(data) < 1000
    monkeypatch.chdir(tmp_path)
    with pickle.loads(data) as again:
        assert again.info == info
        assert (again.info.mpp_y, again.info.background) == (0.5, (1, 2, 3))
        np.testing.assert_array_equal(again.read(3, 5, 10, 11), expected)


def test_closed_source_refuses(testdata):
    source = open_source(testdata("odd/osp-small.svs"))
    source.close()
    source.close()
    with pytest.raises(SourceError, match="closed"):
        source.read(0, 0, 1, 1)


def test_dicom_directory_is_one_series(testdata, tmp_path):
    for name in ("osp-boxes_0.dcm", "osp-boxes_1.dcm"):
        (tmp_path / name).write_bytes(testdata(f"odd/{name}").read_bytes())
    with open_source(tmp_path) as source:
        assert (source.info.vendor, source.info.width) == ("dicom", 16)
        assert source.info.size_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    (tmp_path / "other.dcm").write_bytes(testdata("odd/highdicom-sm_image.dcm").read_bytes())
    with open_source(tmp_path) as source:  # the largest picture
        assert source.info.width == 50
        assert "2 whole-slide series" in source.info.notes[0]
    with open_source(tmp_path / "osp-boxes_1.dcm") as source:
        assert (source.info.width, source.info.notes) == (16, ())


# --- small parts --------------------------------------------------------------------------------------------------


def test_background_colour_of_openslide():
    assert parse_background("E6f0FF") == (230, 240, 255)
    assert parse_background("") == parse_background("white") == (255, 255, 255)


def test_missing_package_says_what_to_install():
    with pytest.raises(ExtraMissingError, match=r"reading this source needs no_such_module.*'rrip-format\[convert\]'"):
        load_reader("no_such_module.part")


def test_importing_the_sources_imports_no_reader():
    code = (
        "import sys, rrip_format.sources; print({'openslide', 'tifffile', 'pyvips', 'dask', 'zarr'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_size_of_a_first_page_is_told_at_once(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 20, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 2, 3), np.uint8), photometric="rgb", append=True)
    assert first_page_px(tmp_path / "a.tif") == 600
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:12])
    (tmp_path / "b.tif").write_bytes(b"this is no slide")
    for name in ("cut.tif", "b.tif", "none.tif", ".", "\0"):
        assert first_page_px(tmp_path / name) == 0
