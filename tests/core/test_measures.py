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

from rrip_format.core import colour, difference, predict
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
        np.testing.assert_array_equal(losses._luma(rgb.transpose(2, 0, 1)), exact[0])
        np.testing.assert_array_equal(predict.box2(rgb), reference.box2(rgb))
        np.testing.assert_array_equal(difference.centred(rgb), reference_measures.centred(rgb))
        for plane in range(3):
            found = difference.difference(rgb, plane, other[..., plane])
            np.testing.assert_array_equal(found, reference_measures.difference(rgb, plane, other[..., plane]))


@pytest.mark.parametrize("core", CORES)
@given(pictures(11))
def test_dissimilarity(core, drawn):
    first, second = (reference_measures.exact_ycc(rgb)[0] for rgb in drawn)
    wanted = reference_measures.dissimilarity(first, second, losses._WINDOW, losses._C1, losses._C2)
    with using(core):
        assert losses._dissimilarity(first, second) == wanted
        assert losses._dissimilarity(first, first) == 0


def test_exact_colours_are_what_libjpeg_rounds():
    rgb = np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8)
    exact = reference_measures.exact_ycc(rgb).astype(np.float64)
    assert np.abs(exact - np.stack(reference.rgb_to_ycc(rgb))).max() <= 0.5
