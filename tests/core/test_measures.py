"""What an encoder measures: the compiled functions equal their twins in plain NumPy bit for bit, in every variant."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import reference_measures
from conftest import tissue
from cores import CORES, using
from hypothesis import given
from hypothesis import strategies as st

from rrip_format.core import colour, difference, predict, projection
from rrip_format.tuning import losses


@st.composite
def pictures(draw, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of a size, of which the second is another one or nearly the first."""
    height, width = draw(st.integers(least, 70)), draw(st.integers(least, 70))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["noise", "extremes", "flat", "tissue"]))
    first = {
        "noise": lambda: rng.integers(0, 256, (height, width, 3)),
        "extremes": lambda: rng.choice([0, 255], (height, width, 3)),
        "flat": lambda: np.broadcast_to(rng.integers(0, 256, 3), (height, width, 3)),
        "tissue": lambda: tissue(height, width),
    }[kind]().astype(np.uint8)
    if draw(st.booleans()):
        return first, rng.integers(0, 256, first.shape).astype(np.uint8)
    return first, np.clip(first + rng.integers(-2, 3, first.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("core", CORES)
@given(pictures())
def test_colours_and_differences(core, drawn):
    rgb, other = drawn
    exact = reference_measures.exact_ycc(rgb)
    with using(core):
        np.testing.assert_array_equal(colour.rgb_to_exact_ycc(rgb), exact)
        np.testing.assert_array_equal(colour.rgb_to_ycc(rgb), reference.rgb_to_ycc(rgb))
        np.testing.assert_array_equal(losses.luma(rgb.transpose(2, 0, 1)), exact[0])
        np.testing.assert_array_equal(predict.box2(rgb), reference.box2(rgb))
        np.testing.assert_array_equal(difference.centred(rgb), reference_measures.centred(rgb))
        for plane in range(3):
            found = difference.difference(rgb, plane, other[..., plane])
            np.testing.assert_array_equal(found, reference_measures.difference(rgb, plane, other[..., plane]))


FILTERS = st.sampled_from([(-8, 60, 16, -4), (-6, 58, 14, -2), (0, 48, 16, 0), (13, 64, -13, 0)])


@st.composite
def planes(draw) -> tuple[np.ndarray, np.ndarray]:
    """A plane of floats, and one of twice its height and width."""
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.uniform(0, 255, (height, width)).astype(np.float32)
    return coarse, rng.uniform(0, 255, (2 * height, 2 * width)).astype(np.float32)


@pytest.mark.parametrize("core", CORES)
@given(planes(), FILTERS)
def test_back_projection(core, drawn, taps):
    coarse, fine = drawn
    with using(core):
        found = projection.back_project(fine, coarse, taps)
    np.testing.assert_array_equal(found, reference_measures.back_project(fine, coarse, taps))


def up_matrix(count: int, taps: tuple[int, ...]) -> np.ndarray:
    """The filter of spec section 5.2 as a matrix, (2 * count, count)."""
    matrix = np.zeros((2 * count, count))
    for n in range(count):
        for t, tap in enumerate(taps):
            matrix[2 * n, min(max(n + 1 - t, 0), count - 1)] += tap / 64
            matrix[2 * n + 1, min(max(n - 1 + t, 0), count - 1)] += tap / 64
    return matrix


@given(planes(), FILTERS)
def test_back_projection_by_definition(drawn, taps):
    coarse, fine = drawn
    down, across = (up_matrix(side, taps) for side in coarse.shape)
    wanted = down.T @ (fine - down @ coarse @ across.T) @ across
    np.testing.assert_allclose(projection.back_project(fine, coarse, taps), wanted, atol=2e-3)
    whole = np.clip(np.rint(coarse), 0, 255).astype(np.uint8)  # and U is that of the decoder, but for its rounding
    assert np.abs(np.clip(down @ whole @ across.T, 0, 255) - predict.up2(whole, taps)).max() < 1.01


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (2, 2)])
def test_planes_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="the finer plane is"):
        projection.back_project(np.zeros(shape, np.float32), np.zeros((2, 2), np.float32), (-8, 60, 16, -4))


@pytest.mark.parametrize("core", CORES)
@given(pictures(11))
def test_dissimilarity(core, drawn):
    first, second = (reference_measures.exact_ycc(rgb)[0] for rgb in drawn)
    wanted = reference_measures.dissimilarity(first, second, losses.WINDOW, losses.C1, losses.C2)
    with using(core):
        assert losses.dissimilarity(first, second) == wanted
        assert losses.dissimilarity(first, first) == 0


def test_exact_colours_are_what_libjpeg_rounds():
    rgb = np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8)
    exact = reference_measures.exact_ycc(rgb).astype(np.float64)
    assert np.abs(exact - np.stack(reference.rgb_to_ycc(rgb))).max() <= 0.5
