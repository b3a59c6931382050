"""The tile source of large_image: found by its entry point, every level at its pixels."""

from __future__ import annotations

import numpy as np
import pytest
from kinds import ICC, MPP

import rrip_format

large_image = pytest.importorskip("large_image", reason="large_image is not installed")


@pytest.fixture(params=["zarr", "zip", "tif"])
def path(kinds, request):
    return str(getattr(kinds, request.param))


def test_it_is_chosen_for_every_kind(path, kinds):
    source = large_image.open(path)
    assert source.name == "rrip"
    metadata = source.getMetadata()
    assert (metadata["sizeY"], metadata["sizeX"]) == kinds.decoded[0].shape[:2]
    assert (metadata["mm_x"], metadata["mm_y"]) == pytest.approx((MPP[0] / 1000, MPP[1] / 1000))
    assert metadata["magnification"] == rrip_format.open(path).metadata.slide.objective


def test_pixels_of_every_level(path, kinds):
    source = large_image.open(path, style={"icc": False})
    side = source.tileWidth
    for z in range(source.levels):
        wanted = kinds.decoded[source.levels - 1 - z]
        for y in range(-(-wanted.shape[0] // side)):
            for x in range(-(-wanted.shape[1] // side)):
                part = wanted[y * side : (y + 1) * side, x * side : (x + 1) * side]
                found = source.getTile(x, y, z, numpyAllowed="always")
                np.testing.assert_array_equal(found[: part.shape[0], : part.shape[1], :3], part)
    with pytest.raises(large_image.exceptions.TileSourceError):
        source.getTile(0, 0, source.levels)


def test_a_region_and_an_icc_profile(path, kinds):
    source = large_image.open(path, style={"icc": False})
    region = {"left": 100, "top": 50, "width": 200, "height": 120}
    found, _ = source.getRegion(region=region, format=large_image.constants.TILE_FORMAT_NUMPY)
    np.testing.assert_array_equal(found[..., :3], kinds.decoded[0][50:170, 100:300])
    assert source._iccprofiles == [ICC]


def test_associated_images(path):
    source = large_image.open(path)
    with rrip_format.open(path) as slide:
        assert source.getAssociatedImagesList() == sorted(slide.associated_images)
        for name in slide.associated_images:
            assert np.asarray(source._getAssociatedImage(name)).shape == slide.associated_images[name].shape
    assert source._getAssociatedImage("none") is None


def test_other_files_are_left_to_other_sources(tmp_path, kinds):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", kinds.decoded[0], tile=(64, 64), photometric="rgb")
    assert ("rrip", True) not in large_image.canReadList(str(tmp_path / "a.tif"))
    with pytest.raises(large_image.exceptions.TileSourceError):
        large_image.tilesource.AvailableTileSources["rrip"](str(tmp_path / "a.tif"))
    with pytest.raises(large_image.exceptions.TileSourceFileNotFoundError):
        large_image.tilesource.AvailableTileSources["rrip"](str(tmp_path / "nothing.rrip"))
