"""Which families stand for a slide."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import tissue

from rrip_format.sources import open_source
from rrip_format.tuning.sampling import TISSUE_DEVIATION, luma_deviation, tissue_families

SIDE = 256
GLASS = 242


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as threads:
        yield threads


class Slide:
    """Glass with tissue in some families; counts what is read of it."""

    def __init__(self, rows, cols, places, height=None, width=None):
        self.pixels = np.full((height or rows * SIDE, width or cols * SIDE, 3), GLASS, np.uint8)
        for row, col in places:
            part = self.pixels[row * SIDE : (row + 1) * SIDE, col * SIDE : (col + 1) * SIDE]
            part[:] = tissue(*part.shape[:2], seed=row * cols + col)
        self.source = open_source(self.pixels)
        self.places = []
        read = self.source.read

        def counted(y, x, height, width):
            self.places.append((y // SIDE, x // SIDE))
            return read(y, x, height, width)

        self.source.read = counted

    def sample(self, executor):
        return tissue_families(self.source, executor, 16)


def test_families_of_glass_are_left_out(executor):
    places = [(1, 1), (1, 2), (7, 5)]
    found = Slide(10, 10, places).sample(executor)
    assert len(found) == len(places)
    assert all(luma_deviation(levels) >= TISSUE_DEVIATION for levels in found)


def test_a_slide_full_of_tissue_is_hardly_read(executor):
    slide = Slide(6, 7, [(row, col) for row in range(6) for col in range(7)])
    assert len(slide.sample(executor)) == 16
    assert len(slide.places) == len(set(slide.places)) == 16
    rows, cols = zip(*slide.places, strict=True)
    assert min(rows) <= 1
    assert max(rows) >= 4
    assert len(set(cols)) >= 4


def test_places_do_not_depend_on_threads():
    slide = Slide(5, 5, [(1, 1), (2, 3), (4, 0), (3, 3)])
    found = []
    for count in (1, 3):
        with ThreadPoolExecutor(count) as executor:
            found.append(slide.sample(executor))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_families_cut_by_the_edge_only_where_there_are_no_others(executor):
    everything = [(row, col) for row in range(3) for col in range(3)]
    slide = Slide(3, 3, everything, height=2 * SIDE + 40, width=2 * SIDE + 40)
    assert len(slide.sample(executor)) == 4
    assert max(slide.places) == (1, 1)
    (small,) = Slide(1, 1, [(0, 0)], height=100, width=90).sample(executor)
    assert [rgb.shape for rgb in small] == [(256, 256, 3), (128, 128, 3), (64, 64, 3)]


def test_glass_alone_stands_for_itself(executor):
    slide = Slide(4, 4, [])
    slide.pixels[SIDE : SIDE + 9, :9] = 200
    found = slide.sample(executor)
    assert 1 <= len(found) <= 2
    assert luma_deviation(found[0]) > 0
