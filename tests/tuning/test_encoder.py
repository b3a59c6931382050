"""Settings to streams, what is fitted to a slide, and the promise of the quality number on tissue it did not see."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from uuid import UUID

import imagecodecs
import numpy as np
import pytest
from conftest import tissue
from hypothesis import given
from hypothesis import strategies as st

import rrip_format
from rrip_format import Settings
from rrip_format.conversion.plan import fit_profile
from rrip_format.core import colour, predict
from rrip_format.core.difference import centred, difference
from rrip_format.errors import ExtraMissingError, RripError
from rrip_format.evaluate.demo import luma_psnr
from rrip_format.family.decode import decode_planes
from rrip_format.family.encode import aim, encode_family
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import BILINEAR, SHARP, Coding
from rrip_format.tuning import calibration
from rrip_format.tuning.calibration import find_quality, keep_promise
from rrip_format.tuning.chroma_fit import encode_sample, fit_chroma, legal_taps
from rrip_format.tuning.losses import EDGE, Original
from rrip_format.tuning.sampling import halve_twice
from rrip_format.tuning.search import solve
from rrip_format.tuning.settings import EFFORTS, TUNINGS, UNFITTED, LevelFit, Target, luma_step

UNFITTED_LEVELS = (UNFITTED, UNFITTED)


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(2) as threads:
        yield threads


def families(count: int, seed: int = 0, side: int = 256):
    return [halve_twice(tissue(side, side, seed + k)) for k in range(count)]


def jpeg_table(stream: bytes, index: int) -> list[int]:
    at = -1
    while (at := stream.index(b"\xff\xdb", at + 1)) >= 0:
        body = stream[at + 4 : at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")]
        tables = {body[k]: list(body[k + 1 : k + 65]) for k in range(0, len(body), 65)}
        if index in tables:
            return tables[index]
    raise AssertionError


# Settings


def test_bad_settings():
    for bad in (
        *({"effort": "most"}, {"tune": "mse"}, {"preset": "book"}, {"target": "psnr"}),
        *({"steps": (0.5, 4, 4, 4)}, {"steps": (4, 4, 4)}),
    ):
        with pytest.raises(RripError, match=next(iter(bad))):
            Settings(**bad)


def test_luma_steps_fall_with_quality():
    steps = [luma_step(quality) for quality in range(1, 101)]
    assert steps == sorted(set(steps), reverse=True)
    assert steps[-1] == 1
    assert 5 < luma_step(90) < 7


@pytest.mark.parametrize("quality", [1, 50, 90, 100])
@pytest.mark.parametrize("tune", TUNINGS)
def test_tables_are_those_of_baseline_jpeg(quality, tune):
    streams = Settings(quality=quality, tune=tune).streams
    for quantiser in (*streams.base, *streams.luma, *streams.chroma):
        assert quantiser.table.dtype == np.uint8
        assert quantiser.table.shape == (64,)
        assert quantiser.table.min() >= 1
        assert (np.diff(quantiser.table[[0, 1, 5, 20, 63]].astype(int)) >= 0).all()
    if quality == 100:
        assert streams.luma[0].rate == 0


def test_steps_are_used_and_kept():
    settings = Settings().with_steps((5.00001, 7.5, 0.2, 8))
    assert settings.steps == (5.0, 7.5, 1.0, 8.0)
    assert abs(settings.streams.luma[0].table.mean() - 5) < 0.5
    assert abs(settings.streams.luma[1].table.mean() - 7.5) < 0.5
    assert settings.to_json()["steps"] == (5.0, 7.5, 1.0, 8.0)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("tune", TUNINGS)
@pytest.mark.parametrize("luma_only", [True, False])
def test_every_setting_encodes(effort, tune, luma_only):
    settings = Settings(effort=effort, tune=tune, luma_only=luma_only, tile=64)
    coding = Coding(UUID(int=1), Geometry(256, 256, 64), settings.residuals(UNFITTED_LEVELS))
    levels = families(1)[0]
    encoded = encode_family(coding, 0, 0, levels, settings.streams)
    rgb = colour.ycc_to_rgb(encoded.planes()[0].copy()).transpose(1, 2, 0)
    assert luma_psnr(levels[0], rgb) > 35
    again = encode_family(coding, 0, 0, levels, settings.streams)
    assert again.tiles == encoded.tiles
    for level in range(3):  # what the encoder expects is what a decoder has
        found = decode_planes(coding, 0, 0, encoded.tiles[level:][::-1])
        np.testing.assert_array_equal(found, encoded.planes()[level])


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_differences_are_exact(plane):
    rgb, predicted = tissue(40, 56, 3), np.random.default_rng(plane).integers(0, 256, (40, 56), np.uint8)
    wanted = np.clip(colour.rgb_to_exact_ycc(rgb)[plane] - predicted, -128, 127)
    np.testing.assert_array_equal(difference(rgb, plane, predicted), wanted)
    wanted = np.clip(colour.rgb_to_exact_ycc(rgb)[plane] - 128, -128, 127)
    np.testing.assert_array_equal(centred(rgb)[plane], wanted)


# The original method


def test_the_notebook_preset():
    settings = Settings(preset="notebook")
    assert (settings.quality, settings.tile, settings.luma_only) == (32, 256, True)
    assert Settings(**settings.to_json()) == settings
    for how in settings.residuals((LevelFit(cfl=(5, 5)), LevelFit(cfl=(5, 5)))):
        assert (how.taps, how.chroma_taps, how.cfl, how.planes) == (BILINEAR, BILINEAR, (0, 0), 1)
    rgb = tissue(64, 64)
    streams = settings.streams
    libjpeg = imagecodecs.jpeg8_encode(rgb, level=90, subsampling="444")
    ours = streams.encode_base(rgb)
    assert [jpeg_table(ours, k) for k in (0, 1)] == [jpeg_table(libjpeg, k) for k in (0, 1)]
    residual = streams.encode_residual(rgb[..., 0] - np.float32(128), 0, 0)
    assert jpeg_table(residual, 0) == jpeg_table(imagecodecs.jpeg8_encode(rgb[..., 0].copy(), level=32), 0)
    assert abs(luma_psnr(rgb, imagecodecs.jpeg8_decode(ours)) - luma_psnr(rgb, imagecodecs.jpeg8_decode(libjpeg))) < 0.3


@pytest.mark.parametrize(("name", "value"), [("quality", 77), ("tile", 64), ("tune", "ssim")])
def test_a_preset_is_not_contradicted(name, value):
    with pytest.raises(RripError, match=f"{name} is {value!r}, but the preset 'notebook' sets it to"):
        Settings(preset="notebook", **{name: value})


def test_profiles():
    archive = Settings(profile="archive", quality=80)
    assert (archive.tile, archive.effort, archive.quality, archive.luma_filter) == (256, "best", 80, True)
    assert Settings(**archive.to_json()) == archive
    view = Settings(profile="view").streams
    assert [each.rate for each in view.luma] == [each.rate for each in Settings().streams.luma]
    for wrong in ({"profile": "view", "tile": 256}, {"profile": "archive", "effort": "fast"}):
        with pytest.raises(RripError, match=f"but the profile '{wrong['profile']}' sets it to"):
            Settings(**wrong)
    with pytest.raises(RripError, match="profile is 'both', expected one of None, view, archive"):
        Settings(profile="both")


@pytest.mark.parametrize(("side", "tile"), [(300, 128), (2202, 128), (1024, 256), (14_500, 256), (100_000, 256)])
def test_large_tiles_of_an_archive_do_not_pad_small_slides(side, tile):
    info = SimpleNamespace(width=side, height=side)
    fitted = fit_profile(Settings(profile="archive", quality=80), info)
    assert (fitted.tile, fitted.effort, fitted.quality, fitted.luma_filter) == (tile, "best", 80, True)
    assert fit_profile(fitted, info) == fitted == Settings(**fitted.to_json())


def test_an_archive_is_converted(tmp_path):
    done = rrip_format.convert(tissue(300, 300), tmp_path / "a.rrip.tif", Settings(profile="archive"))
    with rrip_format.open(done.path) as slide:
        assert slide.metadata.coding.geometry.tile == 128
        assert slide.metadata.writer["settings"]["effort"] == "best"


def test_the_notebook_preset_converts(tmp_path):
    done = rrip_format.convert(tissue(300, 300), tmp_path / "a.rrip.zarr", Settings(preset="notebook"))
    with rrip_format.open(done.path) as slide:
        assert slide.metadata.coding.geometry.tile == 256
        assert slide.metadata.writer["settings"]["preset"] == "notebook"
    assert done.steps is None


# What is fitted


def test_the_fit_finds_what_is_there(executor):
    """Chroma that follows luma by known factors, in the detail of both levels."""
    luma = colour.rgb_to_exact_ycc(tissue(256, 256))[0] * 0.4 + 80
    cb, cr = -0.25 * luma + 20, 0.5 * luma - 50
    rgb = np.stack([luma + 1.402 * cr, luma - 0.344136 * cb - 0.714136 * cr, luma + 1.772 * cb], -1)
    levels = halve_twice(rgb.clip(0, 255).round().astype(np.uint8))
    for fit in fit_chroma([levels], Settings(steps=(1, 1, 1, 1), tile=64), executor):
        assert np.abs(np.array(fit.cfl) - (-16, 32)).max() <= 3


def test_a_flat_slide_is_predicted_as_usual(executor):
    flat = halve_twice(np.full((256, 256, 3), 200, np.uint8))
    assert fit_chroma([flat], Settings(tile=64), executor) == UNFITTED_LEVELS
    assert fit_chroma([], Settings(), executor) == UNFITTED_LEVELS
    assert fit_chroma([flat], Settings(preset="notebook"), executor) == UNFITTED_LEVELS


def test_quantised_chroma_wants_smoother_taps(executor):
    """And fitted ones leave a smaller error than the usual ones."""
    sample, errors = families(2), []
    fine, coarse = (fit_chroma(sample, Settings(steps=(s, s, s, s), tile=64), executor) for s in (2, 20))
    assert coarse[0].taps[1] < fine[0].taps[1]
    settings = Settings(steps=(20, 20, 20, 22), tile=64)
    for fits in (UNFITTED_LEVELS, coarse):
        encoded = encode_sample(sample, settings, fits, executor)
        wanted = (colour.rgb_to_exact_ycc(levels[0]) for levels in sample)
        errors.append(sum(np.square(w[1:] - e.planes()[0][1:]).sum() for w, e in zip(wanted, encoded, strict=True)))
    assert errors[1] < errors[0]


@given(st.lists(st.floats(-200, 200), min_size=4, max_size=4))
def test_taps_are_those_that_the_format_allows(values):
    taps = legal_taps(np.array(values) + (64 - sum(values)) / 4)
    assert sum(taps) == 64
    assert sum(map(abs, taps)) <= 90


def test_legal_taps_stay():
    for taps in (SHARP, BILINEAR, (0, 64, 0, 0), (16, 16, 16, 16)):
        assert legal_taps(np.array(taps, float)) == taps


# The promise


def losses_of_ours(sample, settings, fits, executor):
    found = []
    for levels, family in zip(sample, encode_sample(sample, settings, fits, executor), strict=True):
        fine, middle, base = (colour.ycc_to_rgb(planes[:, EDGE:-EDGE, EDGE:-EDGE]) for planes in family.planes())
        original = Original(levels)
        losses = original.luma_losses(0, fine, ssim=True) | original.luma_losses(1, middle)
        losses |= original.luma_losses(2, base)
        found.append(losses | original.colour_losses(fine))
    return {name: np.mean([losses[name] for losses in found]) for name in found[0]}


def losses_of_jpeg(sample, settings, executor):
    losses = calibration._Sample.of(sample, settings, executor).losses_of_jpeg(settings.quality)
    return {name: values.mean() for name, values in losses.items()}


def test_level_2_may_lose_what_is_allowed(executor):
    sample = families(4)
    exact, coarse = (keep_promise(sample, Settings(tile=64, level_2_loss=loss), executor)[0] for loss in (0.0, 1.0))
    jpeg = losses_of_jpeg(sample, exact, executor)["y2"]
    found = [losses_of_ours(sample, each, UNFITTED_LEVELS, executor)["y2"] for each in (exact, coarse)]
    assert found[0] < jpeg
    assert found[0] < found[1] < jpeg * 10**0.1
    assert coarse.steps[3] > exact.steps[3]


@pytest.mark.parametrize("quality", [97, 98, 99])
def test_the_promise_at_the_best_qualities(quality, executor):
    """Level 1 is then not moved for level 0, and chroma may be much coarser than the finest luma."""
    sample = families(4)
    found, fits = keep_promise(sample, Settings(tile=64, quality=quality), executor)
    assert found.steps[2] <= max(1.22 * found.steps[0], 3.5)
    jpeg, ours = losses_of_jpeg(sample, found, executor), losses_of_ours(sample, found, fits, executor)
    for name, loss in ours.items():
        assert loss <= jpeg[name], name


def test_level_1_is_moved_towards_the_prediction_of_level_0():
    """By back projection, level 0 is predicted better from what level 1 aims at, in luma and in chroma."""
    levels = families(1)[0]
    how = Settings(tile=64).residuals((LevelFit(cfl=(20, -30)), LevelFit()))
    fine, half = (colour.rgb_to_exact_ycc(rgb) for rgb in levels[:2])

    def errors(planes):
        whole = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
        luma = predict.up2(whole[0], how[0].taps)
        predicted = predict.reconstruct(
            whole,
            (np.clip(np.rint(fine[0] - luma) + 128, 0, 255).astype(np.uint8), None, None),
            *(how[0].taps, how[0].cfl, how[0].chroma_taps),
        )
        return [np.square(fine[0] - luma).mean(), *(np.square(fine[k] - predicted[k]).mean() for k in (1, 2))]

    aimed = aim(levels, how, Settings(tile=64).streams.projected)
    assert all(better < before for better, before in zip(errors(aimed), errors(half), strict=True))
    np.testing.assert_array_equal(aim(levels, how, (0.1, 0.2)), aim(levels, how, (0.1, 0.2), (fine, half)))
    luma_only = aim(levels, Settings(tile=64, luma_only=True).residuals(UNFITTED_LEVELS), (0.1, 0.1))
    np.testing.assert_array_equal(luma_only[1:], half[1:])


@pytest.mark.parametrize(("projected", "contrast"), [((0.0, 0.0), 255), ((0.1, 0.2), 12)])
def test_level_1_is_not_moved_on_glass_or_at_a_step_of_1(projected, contrast):
    levels = [(rgb // np.float32(255 / contrast)).astype(np.uint8) for rgb in families(1)[0]]
    assert aim(levels, Settings(tile=64).residuals(UNFITTED_LEVELS), projected) is None


@pytest.mark.parametrize("quality", [60, 90])
def test_no_worse_than_jpeg_on_families_not_seen(quality, executor):
    settings, fits = keep_promise(families(6), Settings(quality=quality, tile=64), executor)
    others = families(6, seed=50)
    jpeg, ours = losses_of_jpeg(others, settings, executor), losses_of_ours(others, settings, fits, executor)
    assert set(jpeg) == set(ours)
    for name, loss in ours.items():
        assert loss <= jpeg[name] * 1.005, name


def test_the_promise_on_a_real_field(testdata, executor):
    from PIL import Image

    rgb = np.asarray(Image.open(testdata("field-ki67-IHC.png")).convert("RGB"))
    parts = [
        halve_twice(np.ascontiguousarray(rgb[y : y + 512, x : x + 512]))
        for y, x in ((0, 0), (512, 512), (0, 512), (512, 0))
    ]
    settings, fits = keep_promise(parts[:2], Settings(quality=75), executor)
    jpeg, ours = losses_of_jpeg(parts[2:], settings, executor), losses_of_ours(parts[2:], settings, fits, executor)
    assert all(ours[name] <= jpeg[name] * 1.02 for name in ours)


@pytest.mark.parametrize("offset", [0, 4, 6])
def test_the_grid_of_a_picture_that_was_jpeg_is_not_met(offset, executor):
    """Wherever it lies, JPEG's quality is that of a fresh picture, not of a second pass over the same blocks."""
    once = imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(tissue(280, 280), level=75, subsampling="444"))
    cut = np.ascontiguousarray(once[offset : offset + 256, offset : offset + 256])
    settings = Settings(tile=64, quality=75)
    found, fresh = (losses_of_jpeg([halve_twice(rgb)], settings, executor) for rgb in (cut, tissue(256, 256)))
    assert found["y0"] > 0.4 * fresh["y0"]


def test_what_is_given_is_not_measured(executor):
    for settings in (Settings(steps=(4, 4, 3, 4.5), tile=64), Settings(preset="notebook")):
        assert keep_promise(families(1), settings, executor)[0] is settings
    assert keep_promise([], Settings(), executor) == (Settings(), UNFITTED_LEVELS)


def test_flat_and_extreme_samples_find_steps_too(executor):
    white = halve_twice(np.full((256, 256, 3), 255, np.uint8))
    noise = halve_twice(np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8))
    for sample in ([white], [noise], [white, noise]):
        for quality in (1, 100):
            found, _ = keep_promise(sample, Settings(quality=quality, tile=64), executor)
            assert all(1 <= step <= 100 for step in found.steps)


def test_luma_only_keeps_the_promise_of_luma(executor):
    found, fits = keep_promise(families(2), Settings(luma_only=True, tile=64), executor)
    assert UNFITTED not in fits
    assert found.luma_only
    assert found.steps[2] == pytest.approx(0.75 * found.steps[0], abs=0.01)


def test_the_search_ends_at_a_step_that_holds():
    """Of smooth and of rugged measures, steep and flat ones, from either side."""
    for slope, rugged, start in itertools.product((0.5, 1.2, 2.5), (0.0, 0.01), (1.5, 8.0, 30.0)):
        tried: dict[float, float] = {}

        def excess(step: float, slope=slope, rugged=rugged, tried=tried) -> float:
            tried[step] = slope * math.log(step / 9) + rugged * math.sin(40 * step)
            return tried[step]

        found = solve(excess, start, (1.0, 64.0))
        assert tried[found] <= 0
        assert found == pytest.approx(9, rel=0.25)


def test_steps_do_not_depend_on_threads():
    found = []
    for count in (1, 3):
        with ThreadPoolExecutor(count) as threads:
            found.append(keep_promise(families(4), Settings(tile=64), threads))
    assert found[0] == found[1]


# Targets


@pytest.mark.parametrize("text", ["", "psnr", "psnr=", "psnr=x", "psnr=-1", "psnr=nan", "psnr=inf", "size=3"])
def test_targets_that_are_none(text):
    with pytest.raises(RripError, match="target is"):
        Target.parse(text)


@pytest.mark.parametrize(("target", "near"), [("psnr=38", 0.3), ("psnr=44", 0.3), ("ratio=20", 0.8)])
def test_targets_are_reached(target, near, tmp_path):
    image = tissue(768, 1024)
    done = rrip_format.convert(image, tmp_path / "a.rrip.zarr", Settings(target=target, tile=64))
    wanted = Target.parse(target)
    assert done.reached == pytest.approx(wanted.value, abs=near)
    with rrip_format.open(done.path) as slide:
        if wanted.kind == "psnr":
            assert luma_psnr(image, slide.read_region(0, 0, 0, 768, 1024)) == pytest.approx(wanted.value, abs=near)
        assert slide.metadata.writer["settings"]["target"] == target
        assert slide.metadata.writer["settings"]["steps"] == list(done.steps)


def test_a_target_out_of_reach_is_told(executor):
    settings, _, reached = find_quality(families(2), Settings(tile=64), Target("psnr", 90), executor)
    assert settings.steps[0] == 1
    assert reached < 70


def test_ssimulacra2_needs_its_package(executor, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ssimulacra2", None)
    with pytest.raises(ExtraMissingError, match="ssimulacra2"):
        find_quality(families(1), Settings(tile=64), Target("ssimulacra2", 70), executor)


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs"])
def test_the_default_is_good_on_a_real_slide(name, testdata, tmp_path):
    done = rrip_format.convert(testdata(name), tmp_path / "a.rrip.zarr")
    with rrip_format.sources.open_source(testdata(name)) as source, rrip_format.open(done.path) as slide:
        region = (800, 600, 1024, 1024)
        assert luma_psnr(source.read(*region), slide.read_region(0, *region)) >= 38
    assert replace(Settings(), steps=done.steps).steps == done.steps
