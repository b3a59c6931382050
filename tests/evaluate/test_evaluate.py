"""Evaluation: measures, comparisons, codecs, and that what is measured is what a conversion stores."""

from __future__ import annotations

import csv
import errno
import importlib
import importlib.util
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import WHITE, tissue

import rrip_format
from rrip_format import RripError, Settings
from rrip_format import evaluate as evaluation
from rrip_format.cli import main
from rrip_format.errors import ExtraMissingError, TargetError
from rrip_format.evaluate import bd, evaluate, measure_source, ours
from rrip_format.evaluate.baseline import Sizes, deep_zoom_sizes, savings
from rrip_format.evaluate.metrics import METRICS, Reference, pool
from rrip_format.evaluate.ours import Notebook, Rrip
from rrip_format.evaluate.peers import ANCHOR, Pyramid, peers
from rrip_format.evaluate.rate_distortion import curves, measure, usable
from rrip_format.evaluate.sample import choose
from rrip_format.sources import open_source

pytest.importorskip("bjontegaard")
pytest.importorskip("matplotlib")

SMALL = Settings(tile=64)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """3 x 3 families of 256 px, the last row and column cut, one of glass."""
    rgb = tissue(700, 720, seed=3)
    rgb[256:512, :256] = WHITE
    return rgb


@pytest.fixture
def few_qualities(monkeypatch):
    monkeypatch.setattr(ours, "QUALITIES", (40, 65, 95))


def psnr_y(wanted: np.ndarray, found: np.ndarray) -> float:
    value = pool([Reference(wanted, ssimulacra2=False).score(found)])["psnr_y"]
    assert value is not None
    return value


# ---------------------------------------------------------------------------------------------------------- measures


def test_measures_of_an_exact_copy():
    rgb = tissue(96, 96)
    score = Reference(rgb).score(rgb.copy())
    assert (score.mse_y, score.mse_rgb, score.delta_e, score.delta_e_p95) == (0, 0, 0, 0)
    assert score.ssim == 1
    assert score.ssimulacra2 is None or score.ssimulacra2 == pytest.approx(100)
    assert pool([score])["psnr_y"] == math.inf


def test_measures_against_what_is_known():
    from skimage.metrics import peak_signal_noise_ratio

    grey = np.full((64, 64, 3), 100, np.uint8)
    values = pool([Reference(grey, ssimulacra2=False).score(grey + 5)])
    assert values["psnr_y"] == pytest.approx(20 * math.log10(255 / 5))
    assert values["psnr_rgb"] == pytest.approx(20 * math.log10(255 / 5))
    assert values["ssimulacra2"] is None
    rgb, noisy = tissue(64, 64, seed=1), tissue(64, 64, seed=2)
    expected = peak_signal_noise_ratio(rgb, noisy)
    assert pool([Reference(rgb, ssimulacra2=False).score(noisy)])["psnr_rgb"] == pytest.approx(expected)
    colour = rgb.copy()
    colour[..., 0] ^= 8  # mostly a change of colour
    assert Reference(rgb, ssimulacra2=False).score(colour).delta_e > 1


def test_pooled_psnr_is_of_the_mean_error():
    grey = np.full((64, 64, 3), 100, np.uint8)
    reference = Reference(grey, ssimulacra2=False)
    values = pool([reference.score(grey + 1), reference.score(grey + 7)])
    assert values["psnr_y"] == pytest.approx(10 * math.log10(255**2 / 25))


def test_more_loss_is_worse_by_every_measure():
    rgb = tissue(128, 128)
    noise = np.random.default_rng(0).normal(0, 1, rgb.shape)
    reference = Reference(rgb)
    little, much = (pool([reference.score(np.clip(rgb + k * noise, 0, 255).astype(np.uint8))]) for k in (3, 12))
    for metric in METRICS:
        if little[metric.key] is not None:
            assert (little[metric.key] > much[metric.key]) == metric.higher, metric.key


# ------------------------------------------------------------------------------------------------------- comparisons

CURVE = [(1000 * 2**k, 30.0 + 3 * k) for k in range(5)]


def test_bd_of_known_curves():
    same = bd.compare(CURVE, CURVE)
    assert (same.rate, same.quality, same.overlap) == (pytest.approx(0), pytest.approx(0), 1)
    half = bd.compare(CURVE, [(size / 2, quality) for size, quality in CURVE])
    assert half.rate == pytest.approx(-50)
    assert half.quality == pytest.approx(3)
    lower = [(size, 100 - quality) for size, quality in CURVE]
    less = bd.compare(lower, [(size / 2, quality) for size, quality in lower], higher=False)
    assert less.rate == pytest.approx(-50)
    assert less.quality == pytest.approx(3)


def test_bd_of_curves_that_hardly_meet_is_none():
    far = [(size, quality + 11) for size, quality in CURVE]
    found = bd.compare(CURVE, far)
    assert found.rate is None
    assert found.overlap < bd.MIN_OVERLAP
    assert found.quality is not None  # the bytes do meet
    apart = bd.compare(CURVE, [(size * 1000, quality + 100) for size, quality in CURVE])
    assert (apart.rate, apart.quality, apart.overlap) == (None, None, 0)
    assert bd.compare(CURVE, CURVE[:2]).rate is None


def test_bd_ignores_points_that_make_no_curve():
    worse = [*CURVE, (CURVE[2][0] + 1, 20.0), (99_000, math.inf)]
    assert bd.compare(CURVE, worse[::-1]).rate == pytest.approx(0)


# ------------------------------------------------------------------------------------------------------------ sample


def test_samples_are_seeded_tissue_inside_the_slide(picture):
    with open_source(picture) as source:
        first, again = choose(source, 64, 3, 7), choose(source, 64, 3, 7)
        assert first.places == again.places
        assert set(first.places) <= {(0, 0), (0, 1), (1, 1)}  # (1, 0) is glass, the others are cut
        assert choose(source, 64, 9, 0).passed_over == 1
        everything = choose(source, 64, None, 0)
        assert len(everything) == 9
        assert everything.mosaic().shape == (768, 768, 3)
        assert (first.family(0, 1).levels[0] == picture[:256, 256:512]).all()
        assert [level.shape for level in everything.family(2, 2).levels] == [(256, 256, 3), (128, 128, 3), (64, 64, 3)]
        shifted = choose(source, 64, 1, 0, offset=4)
        ((row, col),) = shifted.places
        expected = picture[row * 256 + 4 : row * 256 + 260, col * 256 + 4 : col * 256 + 260]
        assert (shifted.family(row, col).levels[0] == expected).all()
        with pytest.raises(RripError, match="offset"):
            choose(source, 64, 1, 0, offset=700)
    with open_source(picture[:200]) as source:
        assert len(choose(source, 64, 2, 0)) == 2  # all are cut
    with open_source(np.full((300, 300, 3), 200, np.uint8)) as source:
        assert len(choose(source, 64, 2, 0)) == 1  # all is glass


# ------------------------------------------------------------------------------------------------------------ codecs


def test_every_codec_codes_more_or_less_well(picture):
    with open_source(picture) as source:
        family = choose(source, 64, 1, 0).family(0, 0)
    methods, left_out = usable(peers(), family)
    assert methods[0].key == ANCHOR
    assert {"jpeg-420", "jpeg-444"} <= {method.key for method in methods}, left_out
    for method in methods:
        found = [method.encode(family, setting) for setting in (method.settings[0], method.settings[-1])]
        found.sort(key=lambda stored: sum(stored.sizes))
        poor, good = ([psnr_y(family.levels[k], stored.decode(k)) for k in (0, 1)] for stored in found)
        assert sum(found[0].sizes) < sum(found[1].sizes)
        assert poor[0] < good[0], method.key
        assert poor[1] < good[1], method.key
        assert poor[1] > 20, method.key  # the right picture


def test_htj2k_is_clamped():
    """White with noise beside it overshoots, and must not become black; OpenJPEG decodes the same stream."""
    imagecodecs = pytest.importorskip("imagecodecs")
    if not hasattr(imagecodecs, "htj2k_encode"):
        pytest.skip("this version of imagecodecs has no HTJ2K")
    rgb = np.random.default_rng(0).choice(np.array([0, WHITE], np.uint8), (256, 256, 3))
    method = next(method for method in peers() if method.key == "htj2k-one")
    data = method.encoder(rgb, 0.033)
    found = method.decoder(data).astype(int)
    assert found.shape == rgb.shape
    assert np.abs(found - imagecodecs.jpeg2k_decode(data)).max() <= 1
    assert method.reduced(data).shape == (128, 128, 3)


def test_codecs_that_fail_are_left_out_with_the_reason(picture):
    def broken(*_):
        raise OSError("no such library")

    with open_source(picture) as source:
        family = choose(source, 64, 1, 0).family(0, 0)
    methods, left_out = usable([Pyramid("x", "Broken", (1,), broken, broken), peers()[0]], family)
    assert [method.key for method in methods] == [ANCHOR]
    assert left_out == {"Broken": "OSError: no such library"}


@pytest.mark.parametrize("luma_only", [False, True])
def test_what_is_measured_is_what_a_conversion_stores(picture, tmp_path, luma_only):
    settings = Settings(tile=64, quality=70, luma_only=luma_only)
    rrip_format.convert(picture, tmp_path / "a.rrip.zarr", settings)
    with rrip_format.open(tmp_path / "a.rrip.zarr") as slide, open_source(picture) as source:
        method = Rrip(source, settings)
        for place in ((1, 1), (2, 2)):
            stored = method.encode(choose(source, 64, None, 0).family(*place), 70)
            tiles = [slide.container.read_tile(level, *place) for level in range(3)]
            assert list(stored.sizes) == [len(tile) for tile in tiles]
            for level, side in ((0, 256), (1, 128)):
                height, width = slide.geometry.tile_shape(level, *place)
                wanted = slide.read_region(level, place[0] * side, place[1] * side, height, width)
                assert (stored.decode(level)[:height, :width] == wanted).all()


def test_the_original_method_is_luma_only_and_bilinear(picture):
    with open_source(picture) as source:
        sample = choose(source, 64, 1, 0)
        family = sample.family(*sample.places[0])
        small, large = (Notebook(sample.geometry).encode(family, setting) for setting in (15, 94))
    assert sum(small.sizes) < sum(large.sizes)
    assert small.sizes[2] == large.sizes[2]  # level 2 has a quality of its own
    assert psnr_y(family.levels[0], small.decode(0)) < psnr_y(family.levels[0], large.decode(0))


def test_curves_pool_all_families(picture):
    with open_source(picture) as source:
        sample = choose(source, 64, 2, 0)
        method = peers()[0]
        rows = list(measure([method], sample, ssimulacra2=False))
    assert len(rows) == 2 * 2 * len(method.settings)
    curve = curves(rows)[method.key]
    assert curve.bytes[0] == sum(row.pyramid_bytes for row in rows if row.setting == 35 and row.level == 0)
    assert list(curve.bytes) == sorted(curve.bytes)


# --------------------------------------------------------------------------------------------------------- pyramids


def test_deep_zoom_sizes_are_of_its_files(tmp_path):
    import pyvips

    rgb = tissue(600, 520)
    image = pyvips.Image.new_from_memory(rgb, 520, 600, 3, "uchar").copy(interpretation="srgb")
    image.dzsave(str(tmp_path / "dz"), tile_size=256, overlap=0, suffix=".jpg[Q=90]")
    sizes = {
        int(folder.name): sum(file.stat().st_size for file in folder.iterdir())
        for folder in (tmp_path / "dz_files").iterdir()
        if folder.is_dir()
    }
    found = deep_zoom_sizes(rgb)["deep_zoom"]
    top = max(sizes)
    assert (found.level_0, found.level_1) == (sizes[top], sizes[top - 1])
    assert found.level_2_up == sum(size for level, size in sizes.items() if level < top - 1)
    with open_source(rgb) as source:
        assert deep_zoom_sizes(source)["deep_zoom"] == found


def test_room_is_looked_for_before_any_work(tmp_path, monkeypatch, picture):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    monkeypatch.setattr(evaluation, "measure_source", None)
    height, width = picture.shape[:2]
    wanted = height * width * 9 // 2
    with pytest.raises(TargetError, match=rf"1000 bytes are free, expected about {wanted} .*; set TMPDIR"):
        evaluate(picture, tmp_path / "report", families=None)


def test_savings():
    assert savings(Sizes(50, 40, 20, 10), Sizes(100, 40, 10)) == {
        "level_0": 0.5,
        "level_1": 0.0,
        "level_2_and_coarser": -1.0,
        "total": 0.2,
    }


# -------------------------------------------------------------------------------------------------------- everything


def test_evaluate_writes_a_report(picture, tmp_path, few_qualities):
    out = tmp_path / "deep" / "report"
    calls: list[tuple[int, int]] = []
    summary = evaluate(
        picture,
        out,
        SMALL,
        families=2,
        seed=1,
        codecs=["jxl"],
        ssimulacra2=False,
        progress=lambda done, total: calls.append((done, total)),
    )
    names = ["container.rrip.zarr", "rd-level-0.png", "rd-level-1.png", "report.md", "samples.csv"]
    assert sorted(path.name for path in out.iterdir()) == [*names, "size-decode-time.png", "summary.json"]
    assert json.loads((out / "summary.json").read_text(), parse_constant=pytest.fail) == summary
    assert calls[-1][0] == calls[-1][1] == len(calls)
    assert summary["measured"]["pyramids_of"] == "the whole slide"
    stored = sum(file.stat().st_size for file in (out / "container.rrip.zarr").rglob("*") if file.is_file())
    assert summary["pyramids"]["rrip"]["total"] == stored
    assert summary["against_source_file"]["ratio"] is None
    assert set(summary["codecs"]) == {"rrip", "jpeg-420", "jxl"}
    assert summary["bd"]["psnr_y_level_0"]["rrip"]["bd_rate"] < 0
    assert all(timed["level_0"] > 0 for timed in summary["decode_ms_per_megapixel"].values())
    with (out / "samples.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * sum(len(curve["settings"]) for curve in summary["curves"].values())
    chosen = [row for row in rows if row["codec"] == "rrip" and float(row["setting"]) == SMALL.quality]
    curve = summary["curves"]["rrip"]
    assert (
        sum(int(row["pyramid_bytes"]) for row in chosen) == 2 * curve["bytes"][curve["settings"].index(SMALL.quality)]
    )
    assert "ssimulacra2" not in rows[0]
    report = (out / "report.md").read_text()
    assert "| RRIP | " in report
    assert "bjontegaard" in report


def test_of_a_large_slide_the_sample_is_converted(picture, tmp_path, few_qualities, monkeypatch):
    import rrip_format.evaluate as package

    monkeypatch.setattr(package, "WHOLE_PIXELS", 0)
    summary = evaluate(picture, tmp_path, SMALL, families=2, codecs=["rrip"], ssimulacra2=False)
    assert summary["measured"]["pyramids_of"] == "a mosaic of the 2 families measured"
    assert summary["pyramids"]["raw_bytes"] == 3 * 256 * 512 * (64 + 16 + 4 + 1) // 64
    assert "--all" in summary["against_source_file"]["why_not"]


def test_a_slide_of_one_colour_has_no_curves(tmp_path, few_qualities):
    flat = np.full((256, 256, 3), 128, np.uint8)
    summary = evaluate(flat, tmp_path, SMALL, codecs=["rrip"], ssimulacra2=False)
    assert json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail) == summary
    assert summary["bd"]["psnr_y_level_0"]["rrip"]["bd_rate"] is None
    assert "n/a" in (tmp_path / "report.md").read_text()


def test_a_preset_of_one_quality_makes_no_curve(picture):
    with open_source(picture) as source:
        assert Rrip(source, Settings(preset="notebook")).settings == (32,)
    assert bd.compare(CURVE, CURVE[:1]).rate is None


def test_command(tmp_path, few_qualities):
    from PIL import Image

    Image.fromarray(tissue(256, 256)).save(tmp_path / "a.png")
    arguments = ["evaluate", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--base-tile", "64"]
    arguments += ["--codecs", "jpeg-444", "--no-ssimulacra2"]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    found = json.loads(result.stdout)
    size = (tmp_path / "a.png").stat().st_size
    assert found["against_source_file"]["source_bytes"] == size
    assert found["against_source_file"]["ratio"] == round(found["pyramids"]["rrip"]["total"] / size, 4)
    wrong = CliRunner().invoke(main, [*arguments, "--codecs", "jpeg2001"])
    assert wrong.exit_code == 1
    assert "unknown codec jpeg2001" in wrong.stderr


def test_a_missing_extra_is_named_before_any_work(tmp_path, monkeypatch, picture):
    original = importlib.import_module

    def without(name, *rest):
        if name.startswith(("matplotlib", "bjontegaard")):
            raise ModuleNotFoundError(name)
        return original(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ExtraMissingError, match=r"rrip-format\[evaluate\]"):
        evaluate(picture, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with open_source(picture) as source, pytest.raises(ExtraMissingError, match="bjontegaard"):
        measure_source(source, SMALL, families=1)


def test_a_folder_that_cannot_be_made(tmp_path, picture):
    (tmp_path / "file").write_text("")
    with pytest.raises(RripError, match="file"):
        evaluate(picture, tmp_path / "file" / "out")


def test_a_report_that_cannot_be_written(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(evaluation, "plot_level", fail)
    with pytest.raises(TargetError, match="No space left"):
        evaluation._write(None, {}, tmp_path)


def tool(name):
    path = Path(__file__).resolve().parents[2] / "tools" / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_bench_of_fields(tmp_path, monkeypatch, few_qualities):
    from PIL import Image

    bench, plot = tool("bench_fields"), tool("plot_fields")

    Image.fromarray(tissue(520, 530)).save(tmp_path / "a.png")
    monkeypatch.setattr(bench, "FIELDS", {"a": ("a.png", None), "b": ("a.png", (8, 16))})
    assert (bench.field(tmp_path, "b") == tissue(520, 530)[8:520, 16:528]).all()
    arguments = ["--testdata", str(tmp_path), "--codecs", "rrip", "--no-ssimulacra2", "--no-time", "--json"]
    result = CliRunner().invoke(bench.main, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    rates = [found["fields"][name]["bd"]["psnr_y_level_0"]["rrip"]["bd_rate"] for name in ("a", "b")]
    assert found["mean"]["rrip"]["psnr_y_level_0"] == pytest.approx(sum(rates) / 2, abs=0.01)
    assert found["mean"]["rrip"]["ssimulacra2_level_0"] is None
    assert found["mean"]["jpeg-420"]["psnr_y_level_0"] == 0

    bits, decibels = plot.mean_curve(found["fields"], "rrip", "psnr_y_level_0")
    curve = found["fields"]["a"]["curves"]["rrip"]
    other = found["fields"]["b"]["curves"]["rrip"]
    assert bits[0] == pytest.approx(8 * (curve["bytes"][0] + other["bytes"][0]) / 2 / 512**2)
    assert decibels[-1] == pytest.approx((curve["psnr_y_level_0"][-1] + other["psnr_y_level_0"][-1]) / 2)
    (tmp_path / "report.json").write_text(result.stdout)
    drawn = CliRunner().invoke(plot.main, [str(tmp_path / "report.json"), str(tmp_path / "curves.png")])
    assert drawn.exit_code == 0, drawn.output
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (990, 432)
