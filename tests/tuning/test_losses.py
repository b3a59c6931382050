"""What a family loses: the same as scikit-image finds, to single precision."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import tissue
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from rrip_format.core import colour
from rrip_format.tuning.losses import EDGE, Original, ciede2000, lab
from rrip_format.tuning.sampling import halve_twice


def noisy(rgb, amount):
    noise = np.random.default_rng(1).normal(scale=amount, size=rgb.shape)
    return np.clip(np.rint(rgb + noise), 0, 255).astype(np.uint8)


def inside(rgb):
    return rgb[EDGE:-EDGE, EDGE:-EDGE]


def planes(rgb):
    return np.ascontiguousarray(inside(rgb).transpose(2, 0, 1))


PICTURES = {
    "tissue": tissue(256, 256),
    "noise": np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8),
    "white": np.full((256, 256, 3), 255, np.uint8),
    "grey": np.repeat(tissue(256, 256)[..., :1], 3, axis=2),
}


@pytest.mark.parametrize("amount", [0.4, 5, 60])
@pytest.mark.parametrize("name", PICTURES)
def test_losses_of_level_0_are_those_of_scikit_image(name, amount):
    wanted = PICTURES[name]
    found, original = noisy(wanted, amount), Original(halve_twice(wanted))
    losses = original.luma_losses(0, planes(found), ssim=True) | original.colour_losses(planes(found))
    luma = [inside(colour.rgb_to_exact_ycc(rgb)[0].astype(np.float64)) for rgb in (wanted, found)]
    how = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    colours = [rgb2lab(inside(rgb)[::3, ::3]) for rgb in (wanted, found)]
    differences = deltaE_ciede2000(*colours)
    assert losses == {
        "y0": pytest.approx(np.mean((luma[0] - luma[1]) ** 2), rel=1e-4),
        "ssim": pytest.approx(1 - structural_similarity(*luma, **how), rel=2e-4, abs=1e-7),
        "rgb": pytest.approx(np.mean((inside(wanted).astype(np.float64) - inside(found)) ** 2), rel=1e-4),
        "delta_e": pytest.approx(differences.mean(), rel=1e-4),
        "delta_e_p95": pytest.approx(np.percentile(differences, 95), rel=1e-3),
    }


def test_losses_of_level_1():
    levels = halve_twice(PICTURES["tissue"])
    found = noisy(levels[1], 5)
    error = colour.rgb_to_exact_ycc(levels[1])[0].astype(np.float64) - colour.rgb_to_exact_ycc(found)[0]
    assert Original(levels).luma_losses(1, planes(found)) == {
        "y1": pytest.approx(np.mean(inside(error) ** 2), rel=1e-4)
    }


def test_nothing_is_lost_of_what_stays():
    for rgb in PICTURES.values():
        original = Original(halve_twice(rgb))
        losses = original.luma_losses(0, planes(rgb), ssim=True) | original.colour_losses(planes(rgb))
        assert max(losses.values()) < 1e-6


def test_ciede2000_of_every_hue_and_of_opposite_ones():
    """Colours on circles around grey, each against one turned by every angle, across the seam of hues too."""
    turns = np.arange(0, 360, 7.5)
    first, second = (angle.ravel() for angle in np.meshgrid(np.radians(turns), np.radians(turns)))
    for radius, other in ((0.0, 0.0), (0.0, 30.0), (5.0, 5.0), (40.0, 55.0)):
        one = np.stack([np.full(first.size, 50.0), radius * np.cos(first), radius * np.sin(first)])
        two = np.stack([np.full(first.size, 60.0), other * np.cos(second), other * np.sin(second)])
        wanted = deltaE_ciede2000(one.T, two.T)
        found = ciede2000(one.astype(np.float32), two.astype(np.float32))
        apart = np.abs((np.degrees(first - second)) % 360 - 180) > 1  # opposite hues have no mean
        np.testing.assert_allclose(found[apart], wanted[apart], rtol=2e-3, atol=1e-3)
        assert np.isfinite(found).all()


def test_lab_is_that_of_scikit_image():
    rgb = PICTURES["noise"]
    np.testing.assert_allclose(lab(planes(rgb)), rgb2lab(inside(rgb)[::3, ::3]).transpose(2, 0, 1), atol=2e-3)
