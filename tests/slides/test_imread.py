"""``imread``: one call from a path to pixels."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import tile_path
from kinds import serve

import rrip_format
from rrip_format.errors import FormatError, MissingTileError


@pytest.mark.parametrize("kind", ["zarr", "zip", "tif"])
def test_levels(kinds, kind):
    path = getattr(kinds, kind)
    np.testing.assert_array_equal(rrip_format.imread(path), kinds.decoded[0])
    for level, wanted in enumerate(kinds.decoded):
        found = rrip_format.imread(str(path), level)
        assert found.dtype == np.uint8
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "region",
    [(0, 0, 700, 900), (10, 20, 30, 40), (250, 250, 10, 10), (256, 256, 256, 256), (300, 1, 0, 5), (699, 899, 1, 1)],
)
def test_regions(kinds, region):
    y, x, height, width = region
    found = rrip_format.imread(kinds.zarr, 0, region=region)
    np.testing.assert_array_equal(found, kinds.decoded[0][y : y + height, x : x + width])


@pytest.mark.parametrize("region", [(0, 0, 701, 5), (-1, 0, 5, 5), (0, 895, 5, 6), (0, 0, -5, 5)])
def test_regions_outside(kinds, region):
    with pytest.raises(IndexError, match="level 0, 700 px high and 900 px wide") as caught:
        rrip_format.imread(kinds.tif, region=region)
    assert str(region) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"region": (1, 2, 3)}, ValueError, r"region is \(1, 2, 3\), expected four numbers \(y, x, height, width\)"),
        ({"region": 5}, ValueError, "region is 5, expected four"),
        ({"region": slice(0, 5)}, ValueError, r"region is slice\(0, 5, None\), expected four"),
        ({"region": (0, 0, 1.5, 2)}, TypeError, "height is 1.5, expected a whole number"),
        ({"region": ("0", 0, 1, 2)}, TypeError, "y is '0', expected a whole number"),
        ({"level": "1"}, TypeError, "level is '1', expected a whole number"),
        ({"level": None, "region": (0, 0, 1, 1)}, TypeError, "level is None, expected a whole number"),
    ],
)
def test_what_was_passed_is_said(kinds, options, error, says):
    with pytest.raises(error, match=says):
        rrip_format.imread(kinds.tif, **options)


def test_whole_numbers_of_every_kind(kinds):
    found = rrip_format.imread(kinds.tif, np.int64(1), region=np.array([10, 20, 30, 40]))
    np.testing.assert_array_equal(found, kinds.decoded[1][10:40, 20:60])


def test_a_region_is_passed_by_name(kinds):
    with pytest.raises(TypeError, match="positional"):
        rrip_format.imread(kinds.tif, 0, (0, 0, 1, 1))


@pytest.mark.parametrize("level", [-1, 4, 99])
def test_levels_that_are_not_there(kinds, level):
    with pytest.raises(IndexError, match="levels 0 … 3"):
        rrip_format.imread(kinds.zip, level)


def test_over_http(kinds):
    pytest.importorskip("aiohttp")
    with serve(kinds.zarr.parent) as server:
        for name in ("slide.rrip.zarr", "slide.rrip.zarr.zip", "slide.rrip.tif"):
            np.testing.assert_array_equal(rrip_format.imread(f"{server.url}/{name}", 1), kinds.decoded[1])


def test_damage(spoiled):
    tile_path(spoiled, 0, 2, 3).unlink()
    with pytest.raises(MissingTileError):
        rrip_format.imread(spoiled)
    assert rrip_format.imread(spoiled, 1).shape == (350, 450, 3)
    with pytest.raises(FormatError):
        rrip_format.imread(spoiled / "nothing")
