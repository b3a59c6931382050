"""The steps that a decoder could add: their arithmetic, the closed loop around them, and the same steps in C."""

from __future__ import annotations

import shutil
from uuid import UUID

import bench_format
import format_trial
import numpy as np
import pytest
from conftest import tissue

from rrip_format import Settings
from rrip_format.core.colour import rgb_to_exact_ycc
from rrip_format.core.predict import box2
from rrip_format.family import encode
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import Coding
from rrip_format.tuning.settings import UNFITTED

SIDE = 256


def plane(seed: int = 0) -> np.ndarray:
    return tissue(SIDE, SIDE, seed)[..., 1].copy()


def test_a_fitted_filter_never_loses():
    wanted = plane().astype(np.float32)
    noisy = np.clip(wanted + np.random.default_rng(1).normal(0, 6, wanted.shape), 0, 255).astype(np.uint8)
    found = format_trial.fitted(noisy, wanted)
    assert np.square(found - wanted).mean() < 0.8 * np.square(noisy - wanted).mean()
    assert np.array_equal(format_trial.fitted(plane(), wanted), plane())


def test_lapping_is_undone():
    missing = plane().astype(np.float32) / 2 - 64
    lapped = format_trial.lap(missing)
    assert np.abs(lapped - missing).max() > 1
    back = format_trial.unlap(np.rint(lapped + 128).astype(np.uint8))
    assert np.abs(back - 128.0 - missing).max() <= 2.5  # rounded five times


@pytest.mark.parametrize("option", format_trial.OPTIONS[1:], ids=lambda option: option.name)
def test_an_option_changes_what_is_measured_and_nothing_afterwards(option):
    side = 512
    levels = [tissue(side, side)]
    levels += [box2(levels[0]), box2(box2(levels[0]))]
    settings = Settings(steps=(9, 9, 11, 9))
    coding = Coding(UUID(int=0), Geometry(side, side, side // 4), settings.residuals((UNFITTED, UNFITTED)))
    wanted = [rgb_to_exact_ycc(rgb)[0] for rgb in levels]

    def measured() -> list[float]:
        """Return the errors of luma, by level, and the bytes."""
        made = encode.encode_family(coding, 0, 0, levels, settings.streams)
        errors = [float(np.square(a - b[0]).mean()) for a, b in zip(wanted, made.planes(), strict=True)]
        return [*errors, sum(map(len, made.tiles))]

    before, usual = encode.encode_level, measured()
    with format_trial.trying(option):
        tried = measured()
    assert tried != usual
    assert tried[2] == usual[2]
    for level in option.filtered:
        assert option.lapped or tried[level] < usual[level]
    if not option.lapped and 1 not in option.filtered:
        assert tried[1] == usual[1]
        assert tried[3] == usual[3]
    assert encode.encode_level is before
    assert measured() == usual


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_c_gives_the_same_samples(tmp_path):
    steps = bench_format.Steps(tmp_path)
    steps.check()
    samples = plane(3)
    wanted = format_trial.unlap(samples)
    steps.unlap(samples)
    assert np.array_equal(samples, wanted)
