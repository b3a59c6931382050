"""The levels above the base come out the same in whatever order families go in (spec section 4.3)."""

from __future__ import annotations

import random

import numpy as np
import pytest
import reference
from conftest import tissue
from hypothesis import given
from hypothesis import strategies as st

from rrip_format.family.overviews import OverviewBuilder, pad
from rrip_format.spec.geometry import Geometry


def base_families(geometry: Geometry, base: np.ndarray):
    for row, col in geometry.tiles(2):
        y, x = row * geometry.tile, col * geometry.tile
        yield row, col, base[y : y + geometry.tile, x : x + geometry.tile]


def build(geometry: Geometry, base: np.ndarray, order) -> dict:
    """Every tile that comes out, by place; each once."""
    builder, found = OverviewBuilder(geometry), {}
    families = list(base_families(geometry, base))
    order(families)
    for row, col, rgb in families:
        for level, tile_row, tile_col, tile in builder.add(row, col, rgb):
            assert (level, tile_row, tile_col) not in found
            found[level, tile_row, tile_col] = tile.copy()
    assert not builder._open
    return found


def cascade(geometry: Geometry, base: np.ndarray) -> dict:
    """The same from the whole image: halve, cut, halve."""
    tiles, level = {}, 2
    while (level := level + 1) < geometry.levels:
        base = reference.box2(base)
        assert base.shape[:2] == geometry.shape(level)
        side = geometry.tile_side(level)
        for row, col in geometry.tiles(level):
            tiles[level, row, col] = base[row * side : (row + 1) * side, col * side : (col + 1) * side]
    return tiles


def assert_same(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for place, rgb in expected.items():
        np.testing.assert_array_equal(found[place], rgb)


@pytest.mark.parametrize(
    ("width", "height"), [(300, 250), (2049, 300), (1, 5000), (4097, 3), (2300, 2200), (1025, 1023), (257, 257)]
)
def test_any_order_gives_the_cascade_of_the_whole_image(width, height):
    geometry = Geometry(width, height, 64)
    base = np.random.default_rng(0).integers(0, 256, (*geometry.shape(2), 3)).astype(np.uint8)
    expected = cascade(geometry, base)
    for order in (lambda _: None, list.reverse, *(random.Random(seed).shuffle for seed in range(3))):
        assert_same(build(geometry, base, order), expected)


@given(st.integers(1, 3000), st.integers(1, 3000), st.randoms(use_true_random=False))
def test_any_size_and_order(width, height, rng):
    geometry = Geometry(width, height, 64)
    base = np.random.default_rng(width).integers(0, 256, (*geometry.shape(2), 3)).astype(np.uint8)
    assert_same(build(geometry, base, rng.shuffle), cascade(geometry, base))


def test_one_tile_has_no_overview():
    geometry = Geometry(256, 200, 64)
    assert list(OverviewBuilder(geometry).add(0, 0, tissue(50, 64))) == []


def test_a_tile_comes_out_with_its_last_family():
    geometry = Geometry(2 * 256, 2 * 256, 64)
    builder = OverviewBuilder(geometry)
    part = tissue(64, 64)
    assert [list(builder.add(*place, part)) for place in ((0, 0), (1, 1), (0, 1))] == [[]] * 3
    ((level, row, col, tile),) = builder.add(1, 0, part)
    assert (level, row, col, tile.shape) == (3, 0, 0, (64, 64, 3))


def test_little_is_kept_when_families_come_row_by_row():
    geometry = Geometry(256 * 64, 256 * 64, 64)
    builder, part, most = OverviewBuilder(geometry), np.zeros((64, 64, 3), np.uint8), 0
    for row, col in geometry.tiles(2):
        for _ in builder.add(row, col, part):
            pass
        most = max(most, len(builder._open))
    assert geometry.grid(3) == (8, 8)
    assert most <= 8 + 4 + 2 + 1


def test_what_is_given_is_not_changed():
    base = tissue(64, 64)
    before = base.copy()
    list(OverviewBuilder(Geometry(512, 256, 64)).add(0, 0, base))
    np.testing.assert_array_equal(base, before)


@pytest.mark.parametrize("shape", [(1, 1), (64, 1), (1, 64), (63, 64), (64, 64), (17, 40)])
def test_pad_repeats_the_last_row_and_column(shape):
    rgb = tissue(*shape)
    padded = pad(rgb, 64)
    assert padded.shape == (64, 64, 3)
    y, x = np.minimum(np.arange(64), shape[0] - 1), np.minimum(np.arange(64), shape[1] - 1)
    np.testing.assert_array_equal(padded, rgb[y][:, x])
