"""The filter of luma that an archive gets: its fit, the promise with it, and containers with and without (spec 5.8)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import tissue
from PIL import Image

import rrip_format
from rrip_format import Settings
from rrip_format.conversion.plan import Wanted, make_plan, note_plan, recall_plan
from rrip_format.core import colour
from rrip_format.core.luma_filter import filter_luma
from rrip_format.core.predict import box2
from rrip_format.errors import RripError
from rrip_format.sources import open_source
from rrip_format.tuning import calibration
from rrip_format.tuning.calibration import find_quality, keep_promise
from rrip_format.tuning.chroma_fit import encode_sample
from rrip_format.tuning.luma_fit import fit_luma_filter, legal_weights
from rrip_format.tuning.settings import LevelFit, Target

ARCHIVE = Settings(tile=64, luma_filter=True, effort="fast")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def families(count: int, seed: int = 0) -> list[tuple[np.ndarray, ...]]:
    """Families of 256 px of blurred tissue, whose decoded edges a filter sharpens."""
    found = []
    for k in range(count):
        rgb = tissue(256, 256, seed + k)
        half = box2(rgb)
        found.append((rgb, half, box2(half)))
    return found


def is_legal(weights: tuple[int, int, int, int]) -> bool:
    return max(map(abs, weights[:2])) <= 63 and abs(weights[2]) + abs(weights[3]) <= 28


def test_legal_weights_are_within_the_limits():
    values = (-200.0, -64.2, -63.4, -27.6, -14.5, -1.4, 0.0, 0.4, 13.6, 14.4, 28.4, 63.6, 1e9)
    for given in itertools.product(values, repeat=2):
        for weights in ((*given, 3.0, -4.0), (3.0, -4.0, *given)):
            found = legal_weights(np.array(weights))
            assert is_legal(found)
            rounded = tuple(int(value) for value in np.rint(weights))
            assert found == rounded or not is_legal(rounded)
            assert all(one * other >= 0 for one, other in zip(found, weights, strict=True))


def test_a_filter_is_found_again(executor):
    """What a known filter makes of a plane is wanted: its weights, or some as good, are found."""
    decoded = [tissue(256, 256, seed)[..., 1].copy() for seed in range(2)]
    for weights in ((10, 14, 7, -9), (-20, 5, 0, 12), (40, -30, -10, 3)):
        wanted = [filter_luma(plane, weights).astype(np.float32) for plane in decoded]
        found = fit_luma_filter(wanted, decoded, executor)
        np.testing.assert_allclose(found, weights, atol=4)
        before, after = (
            sum(float(np.square(one - other).sum()) for one, other in zip(wanted, planes, strict=True))
            for planes in (decoded, [filter_luma(plane, found) for plane in decoded])
        )
        assert after < 0.05 * before


def test_there_is_none_where_it_gains_nothing(executor):
    plane = tissue(256, 256)[..., 1].copy()
    assert fit_luma_filter([plane.astype(np.float32)], [plane], executor) is None
    flat = np.full((64, 64), 90, np.uint8)
    assert fit_luma_filter([flat.astype(np.float32) + 3], [flat], executor) is None


def test_the_promise_is_measured_with_the_filter_that_is_written(executor):
    """Weights belong to the steps that are returned, and steps are coarser than without."""
    sample = families(4)
    settings, fits = keep_promise(sample, ARCHIVE, executor)
    weights = fits[0].luma_filter
    assert weights is not None
    assert fits[1].luma_filter is None
    assert is_legal(weights)
    plain_settings, plain_fits = keep_promise(sample, replace(ARCHIVE, luma_filter=False), executor)
    assert plain_fits[0].luma_filter is None
    assert settings.steps[0] > plain_settings.steps[0]
    unfiltered = replace(fits[0], luma_filter=None), fits[1]
    encoded = encode_sample(sample, settings, unfiltered, executor)
    decoded = [family.planes()[0][0] for family in encoded]
    wanted = [colour.rgb_to_exact_ycc(levels[0])[0] for levels in sample]
    assert fit_luma_filter(wanted, decoded, executor) == weights
    given, again = keep_promise(sample, settings, executor)
    assert (given, again[0].luma_filter) == (settings, weights)


def test_a_filter_makes_the_sample_smaller(executor):
    sample, sizes = families(4), []
    for settings in (ARCHIVE, replace(ARCHIVE, luma_filter=False)):
        found, fits = keep_promise(sample, settings, executor)
        encoded = encode_sample(sample, found, fits, executor)
        sizes.append(sum(len(tile) for family in encoded for tile in family.tiles))
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("weights", [(-30, -30, -5, 0), (63, 63, 28, 0), (-1, 0, 0, 0)])
def test_a_filter_is_left_out_unless_the_promise_allows_a_coarser_step(executor, monkeypatch, weights):
    """Losses are measured on RGB, which is clipped: a smaller error of luma may still be a larger loss."""
    monkeypatch.setattr(calibration, "fit_luma_filter", lambda *_: weights)
    sample = families(2)
    settings, fits = keep_promise(sample, ARCHIVE, executor)
    plain, plain_fits = keep_promise(sample, replace(ARCHIVE, luma_filter=False), executor)
    assert (settings, fits) == (replace(plain, luma_filter=True), plain_fits)


def test_a_filter_that_hardly_gains_is_left_out(executor, monkeypatch):
    sample = families(2)
    assert keep_promise(sample, ARCHIVE, executor)[1][0].luma_filter is not None
    monkeypatch.setattr(calibration, "FILTER_PAYS", 1.5)
    assert keep_promise(sample, ARCHIVE, executor)[1][0].luma_filter is None


def test_settings_without_a_filter_fit_none(executor):
    for settings in (Settings(tile=64), Settings(profile="view", effort="default")):
        _, fits = keep_promise(families(1), replace(settings, tile=128, steps=(9, 9, 9, 9)), executor)
        assert all(fit.luma_filter is None for fit in fits)


def test_a_target_is_measured_with_the_filter(executor):
    sample = families(2)
    _, fits, reached = find_quality(sample, ARCHIVE, Target("psnr", 38), executor)
    assert fits[0].luma_filter is not None
    assert reached == pytest.approx(38, abs=0.3)


def test_fits_do_not_depend_on_threads():
    found = []
    for count in (1, 3):
        with ThreadPoolExecutor(count) as threads:
            found.append(keep_promise(families(3), ARCHIVE, threads))
    assert found[0] == found[1]


def test_a_plan_is_recalled_with_its_filter(executor, tmp_path):
    Image.fromarray(tissue(512, 512)).save(tmp_path / "slide.png")
    with open_source(tmp_path / "slide.png") as source:
        plan = make_plan(source, ARCHIVE, executor)
        assert plan.coding.residuals[0].luma_filter is not None
        note = json.loads(json.dumps(note_plan(plan, source, ARCHIVE, Wanted())))
        assert recall_plan(note, source, ARCHIVE, Wanted()).coding == plan.coding
        for wrong in ([1, 2, 3], "none", [1.5, 0, 0, 0], 7):
            with pytest.raises(RripError, match="does not begin with a plan"):
                recall_plan({**note, "luma_filter": wrong}, source, ARCHIVE, Wanted())


# Containers


def archive(path: Path, image: np.ndarray | Path, **options) -> rrip_format.Slide:
    done = rrip_format.convert(image, path, Settings(profile="archive", steps=(12, 12, 12, 12)), **options)
    return rrip_format.open(done.path)


def test_an_archive_has_a_filter_and_requires_it(tmp_path):
    image = tissue(700, 600)
    with archive(tmp_path / "a.rrip.tif", image) as slide:
        coding = slide.metadata.to_json()["coding"]
        assert coding["requires"] == ["luma-filter"]
        assert "luma_filter" in coding["residuals"][0]
        assert slide.metadata.writer["settings"]["luma_filter"] is True
    assert rrip_format.validate(tmp_path / "a.rrip.tif") == []


def test_an_archive_of_a_flat_picture_has_none(tmp_path):
    with archive(tmp_path / "a.rrip.tif", np.full((300, 300, 3), 128, np.uint8)) as slide:
        coding = slide.metadata.to_json()["coding"]
        assert coding["requires"] == []
        assert not any("luma_filter" in residual for residual in coding["residuals"])


def test_other_profiles_write_none_and_their_settings_are_as_they_were(tmp_path):
    for k, settings in enumerate((Settings(), Settings(profile="view"), Settings(effort="best", tile=256))):
        assert "luma_filter" not in settings.to_json()
        given = replace(settings, steps=(12, 12, 12, 12))
        with rrip_format.open(rrip_format.convert(tissue(300, 300), tmp_path / f"{k}.rrip.tif", given).path) as slide:
            assert slide.metadata.coding.residuals[0].luma_filter is None
            assert "luma_filter" not in slide.metadata.writer["settings"]


def test_processes_and_threads_write_the_same_bytes(tmp_path):
    source, found = tmp_path / "slide.png", []
    Image.fromarray(tissue(1100, 1100)).save(source)
    for name, workers in (("a", 1), ("b", 2)):
        archive(path := tmp_path / f"{name}.rrip.zarr", source, workers=workers).close()
        files = sorted(file for file in path.rglob("*") if file.is_file())
        found.append({file.relative_to(path).as_posix(): file.read_bytes() for file in files})
    assert found[0] == found[1]
    assert b"luma-filter" in found[0]["zarr.json"]


def test_a_run_that_was_interrupted_is_resumed_to_the_same_bytes(tmp_path):
    source, whole, broken = (tmp_path / name for name in ("slide.png", "a.rrip.tif", "b.rrip.tif"))
    Image.fromarray(tissue(1100, 1100)).save(source)
    archive(whole, source, workers=1).close()

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive(broken, source, workers=1, progress=stop)
    with archive(broken, source, workers=1, resume=True) as slide:
        assert slide.metadata.coding.residuals[0].luma_filter is not None
    assert broken.read_bytes() == whole.read_bytes()


def test_fitted_parameters_have_no_filter_by_default():
    assert LevelFit().luma_filter is None
