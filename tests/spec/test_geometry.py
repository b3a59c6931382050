"""Levels, tiles and families (spec section 4)."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrip_format.spec.geometry import BASE_LEVEL, MAX_SIDE, TILE_SIZES, Geometry, ceil_div

SIDES = st.one_of(st.integers(1, 3000), st.sampled_from([1, 2, 15, 16, 255, 256, 257, 1023, 1024, 1025, 2047, 2049]))
GEOMETRIES = st.builds(Geometry, SIDES, SIDES, st.sampled_from(TILE_SIZES))
HUGE = st.builds(Geometry, st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE), st.sampled_from(TILE_SIZES))


def test_tile_sizes():
    assert list(TILE_SIZES)[:2] == [64, 80]
    assert list(TILE_SIZES)[-1] == 512
    assert all(side % 16 == 0 for side in TILE_SIZES)


@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_ceil_div(numerator, denominator):
    quotient = ceil_div(numerator, denominator)
    assert (quotient - 1) * denominator < numerator <= quotient * denominator


@pytest.mark.parametrize(
    ("width", "height", "tile", "levels", "families", "shapes"),
    [
        (1, 1, 64, 3, (1, 1), [(1, 1), (1, 1), (1, 1)]),
        (16, 16, 64, 3, (1, 1), [(16, 16), (8, 8), (4, 4)]),
        (300, 250, 64, 4, (1, 2), [(250, 300), (125, 150), (63, 75), (32, 38)]),
        (300, 250, 128, 3, (1, 1), [(250, 300), (125, 150), (63, 75)]),
        (511, 513, 128, 4, (2, 1), [(513, 511), (257, 256), (129, 128), (65, 64)]),
        (512, 512, 128, 3, (1, 1), [(512, 512), (256, 256), (128, 128)]),
        (4097, 3, 64, 6, (1, 17), [(3, 4097), (2, 2049), (1, 1025), (1, 513), (1, 257), (1, 129)]),
    ],
)
def test_worked_examples(width, height, tile, levels, families, shapes):
    geometry = Geometry(width, height, tile)
    assert geometry.levels == levels
    assert geometry.families == families
    assert [geometry.shape(level) for level in range(levels)] == shapes
    assert [geometry.tile_side(level) for level in range(4)] == [4 * tile, 2 * tile, tile, 4 * tile]


@given(st.one_of(GEOMETRIES, HUGE))
def test_every_level_is_the_ceiling_of_a_power_of_two(geometry):
    for level in range(geometry.levels):
        shape = math.ceil(geometry.height / 2**level), math.ceil(geometry.width / 2**level)
        assert geometry.shape(level) == shape


@given(st.one_of(GEOMETRIES, HUGE))
def test_levels_0_to_2_share_one_grid(geometry):
    assert geometry.grid(0) == geometry.grid(1) == geometry.grid(2) == geometry.families


@given(st.one_of(GEOMETRIES, HUGE))
def test_levels_end_where_one_tile_is_enough_and_not_later(geometry):
    last = geometry.levels - 1
    assert last >= BASE_LEVEL
    assert geometry.grid(last) == (1, 1)
    assert all(geometry.grid(level) != (1, 1) for level in range(BASE_LEVEL, last))
    if last > BASE_LEVEL:
        assert last <= 31 + 2


@given(GEOMETRIES)
def test_tiles_cover_every_level_exactly_once(geometry):
    for level in range(geometry.levels):
        covered = np.zeros(geometry.shape(level), np.uint8)
        side = geometry.tile_side(level)
        tiles = list(geometry.tiles(level))
        assert tiles == sorted(set(tiles))
        for row, col in tiles:
            height, width = geometry.tile_shape(level, row, col)
            assert 1 <= height <= side
            assert 1 <= width <= side
            covered[row * side : row * side + height, col * side : col * side + width] += 1
        assert (covered == 1).all()


@given(GEOMETRIES)
def test_a_family_is_twice_the_size_at_each_finer_level(geometry):
    for row, col in itertools.islice(geometry.tiles(2), 20):
        for level in (0, 1):
            height, width = geometry.tile_shape(level, row, col)
            assert geometry.tile_shape(level + 1, row, col) == (ceil_div(height, 2), ceil_div(width, 2))


@given(GEOMETRIES)
def test_families_under_a_level_are_all_families_once(geometry):
    rows, cols = geometry.families
    everything = list(itertools.product(range(rows), range(cols)))
    for level in range(geometry.levels):
        under = [family for tile in geometry.tiles(level) for family in geometry.families_under(level, *tile)]
        assert sorted(under) == everything


@given(GEOMETRIES, st.data())
def test_families_under_a_tile_are_those_whose_pixels_it_shows(geometry, data):
    level = data.draw(st.integers(0, geometry.levels - 1))
    rows, cols = geometry.grid(level)
    row, col = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols - 1))
    side, height, width = geometry.tile_side(level), *geometry.tile_shape(level, row, col)
    span = geometry.tile_side(0)
    # pixels of level 0 that the tile stands for, cut at the slide
    top, bottom = row * side << level, min((row * side + height) << level, geometry.height) - 1
    left, right = col * side << level, min((col * side + width) << level, geometry.width) - 1
    expected = itertools.product(range(top // span, bottom // span + 1), range(left // span, right // span + 1))
    assert list(geometry.families_under(level, row, col)) == list(expected)
