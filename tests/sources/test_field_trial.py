"""Inputs of public bug reports: each right, or refused with the reason."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import rrip_format
from rrip_format.errors import SourceError
from rrip_format.sources import open_source

TRIAL = Path(os.environ.get("RRIP_TESTDATA", Path(__file__).parents[3] / "shared" / "testdata")) / "field-trial"
pytestmark = pytest.mark.skipif(not TRIAL.exists(), reason=f"test data {TRIAL} is absent; set RRIP_TESTDATA")

EXACT, LOSSLESS_PALETTE, JPEG, INKS = 0, 4, 6, 15
"""Mean difference to the truth that is allowed: codecs, palettes and the gamut of print take their share."""

RIGHT = {
    "dicom-folders/series_dicomdir": JPEG,
    "dicom-folders/series_thumbs": JPEG,
    "dual-deidentified/a.dcm": JPEG,
    "gray-cmyk-icc/t_cmyk_icc.tif": INKS,
    "identifiers/aperio_ids.svs": JPEG,
    "lost-mpp/motic.svs": JPEG,
    "ome-three-grays/o_channels_cyx.ome.tif": EXACT,
    "orientation/orient6_strip_lzw.tif": EXACT,
    "orientation/orient6_tiled_deflate.tif": EXACT,
    "rgb-tag-ycbcr-tiles/j_rgbtag_jfif420.tif": JPEG,
    "thumbnail-first/p_thumb_first_tiled.tif": EXACT,
    "tiff-strips/s_palette.tif": LOSSLESS_PALETTE,
    "tiff-strips/s_rgba_noextra.tif": EXACT,
    "unspecified-sample/t_rgb_plus_unspecified0.tif": EXACT,
    "zstack/p_zstack_tiled.tif": EXACT,
}
REFUSED = {
    "mrxs-alone/slide.mrxs": "slide, which holds pixels of this slide, is missing",
    "missing-tiles/m_missing.tif": "3 of 20 tiles",
}
MPP = {
    "lost-mpp/motic.svs": (0.25729, 0.25729, 40),
    "lost-mpp/cells.tif": (0.25, 0.25, None),
    "dicom-folders/series_dicomdir": (0.25, 0.5, None),
    "ome-three-grays/o_channels_cyx.ome.tif": (0.25, 0.5, None),
}


def whole(path):
    with open_source(path) as source:
        return source.read(0, 0, source.info.height, source.info.width), source.info


def copied(path, folder):
    """A copy with all that lies beside it, as far as it belongs to it."""
    copy = shutil.copytree if path.is_dir() else shutil.copyfile
    copy(path, folder / path.name)
    return folder / path.name


@pytest.mark.parametrize("name", RIGHT)
def test_right(name):
    pixels, _ = whole(TRIAL / name)
    truth = np.load(TRIAL / "truth.npy")
    if name.startswith("orientation"):
        truth = np.rot90(truth, -1)
    assert pixels.shape == truth.shape
    assert np.abs(pixels.astype(int) - truth).mean() <= RIGHT[name]


def test_the_largest_page_of_jpeg_tiles_too():
    """What these tiles hold is not the truth: RGB was declared to be YCbCr, in tag and stream, when they were made."""
    tifffile = pytest.importorskip("tifffile")
    path = TRIAL / "thumbnail-first" / "p_thumb_first_jpeg.tif"
    np.testing.assert_array_equal(whole(path)[0], tifffile.imread(path, key=1))


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises(SourceError, match=REFUSED[name]):
        whole(TRIAL / name)


@pytest.mark.parametrize("name", MPP)
def test_pixel_size(name):
    info = whole(TRIAL / name)[1]
    assert (info.mpp_x, info.mpp_y, info.objective_power) == pytest.approx(MPP[name])


@pytest.mark.parametrize(("turned", "number"), [("test_orient3", 3), ("test_orient6", 6), ("test_orient7", 7)])
def test_tiles_are_turned_as_one_picture(turned, number):
    pyvips = pytest.importorskip("pyvips")
    path = TRIAL / "orientation" / f"{turned}.tif"
    expected = pyvips.Image.new_from_file(str(path)).autorot().numpy()
    np.testing.assert_array_equal(whole(path)[0][..., 0], expected.reshape(expected.shape[:2]))


@pytest.mark.parametrize("name", ["gray-cmyk-icc/gray_icc.tif", "gray-cmyk-icc/t_cmyk_icc.tif"])
def test_no_profile_of_another_kind_is_kept(name):
    assert whole(TRIAL / name)[1].icc_profile is None


def test_one_bit():
    pil = pytest.importorskip("PIL.Image")
    path = TRIAL / "tiff-strips" / "1bit.tif"
    with pil.open(path) as image:
        np.testing.assert_array_equal(whole(path)[0][..., 0], np.asarray(image.convert("L")))


PLACES = ["with space", "50%25", "a#b", "Ünï 病理", "a::b"]


@pytest.mark.parametrize(("name", "place"), list(zip([*RIGHT, *REFUSED], itertools.cycle(PLACES), strict=False)))
def test_under_other_names_too(name, place, tmp_path, monkeypatch):
    folder = tmp_path / place
    folder.mkdir()
    path = copied(TRIAL / name, folder)
    link = tmp_path / path.name
    link.symlink_to(path)
    monkeypatch.chdir(tmp_path)
    for named in (path, os.path.relpath(path), link):
        if name in REFUSED:
            with pytest.raises(SourceError, match=REFUSED[name]):
                whole(named)
            continue
        with open_source(named) as source, open_source(TRIAL / name) as origin:
            np.testing.assert_array_equal(source.read(100, 200, 90, 80), origin.read(100, 200, 90, 80))
    assert {file.name for file in tmp_path.iterdir()} == {place, path.name}


@pytest.mark.parametrize("name", [*list(RIGHT)[:3], "zstack/p_zstack_tiled.tif", *REFUSED])
def test_the_whole_way(name, tmp_path):
    target = tmp_path / "a.rrip.zarr"
    if name in REFUSED:
        with pytest.raises(SourceError, match=REFUSED[name]):
            rrip_format.convert(TRIAL / name, target)
        assert list(tmp_path.iterdir()) == []
        return
    done = rrip_format.convert(TRIAL / name, target, quality=95)
    truth = np.load(TRIAL / "truth.npy")
    assert np.abs(rrip_format.imread(target).astype(int) - truth).mean() < 8
    assert bool(done.notes) == name.startswith("zstack")


def test_a_focal_plane_is_chosen(tmp_path):
    path = TRIAL / "zstack" / "p_zstack_tiled.tif"
    tifffile = pytest.importorskip("tifffile")
    for number in (0, 1, "page 2"):
        with open_source(path, image=number) as source:
            expected = tifffile.imread(path, key=int(str(number)[-1]))
            np.testing.assert_array_equal(source.read(0, 0, 450, 610), expected)
    rrip_format.convert(path, tmp_path / "a.rrip.zarr", image=2, quality=95)
    with rrip_format.open(tmp_path / "a.rrip.zarr") as slide:
        assert slide.metadata.slide.properties["rrip.image"] == "2"
