"""The benchmarks of ``tools``: each runs on tiny inputs and says everything that it promises; their timing is fair."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import tissue

import rrip_format
from rrip_format.core.library import core_name, list_cores

BENCHMARKS = Path(__file__).resolve().parents[2] / "tools" / "benchmarks"


@pytest.fixture(scope="module")
def fields(tmp_path_factory) -> Path:
    """A folder of test data with one small field."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("fields")
    Image.fromarray(np.hstack([tissue(512, 512, seed) for seed in (0, 1)])).save(folder / "field-breast-HE.png")
    return folder


@pytest.fixture
def given_steps(monkeypatch):
    """Conversions do not look for steps, which takes most of the time on tiny slides."""
    convert = rrip_format.convert

    def at_once(source, target, settings=None, **options):
        settings = dataclasses.replace(settings or rrip_format.Settings(), steps=(9, 9, 7, 10), target=None)
        return convert(source, target, settings, **options)

    monkeypatch.setattr(rrip_format, "convert", at_once)


def run(name: str, fields: Path, *options: str) -> dict:
    module = importlib.import_module(name)
    arguments = ["--testdata", str(fields), "--quick", "--rounds", "1", "--json", *options]
    result = CliRunner().invoke(module.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout, parse_constant=pytest.fail)


def check_requirements(found: dict, *parts: str) -> None:
    """Every requirement is there with its figures, and whether it is met follows from them."""
    for part in parts:
        assert any(part in row["what"] for row in found["must_hold"]), part
    for row in found["must_hold"]:
        assert math.isfinite(row["median"])
        assert row["q1"] <= row["median"] <= row["q3"]
        assert row["met"] == (
            row["median"] >= row["at_least"] if "at_least" in row else row["median"] <= row["at_most"]
        )
    assert {"processor", "usable_cores", "python", "packages"} <= set(found["machine"])


# -------------------------------------------------------------------------------------------------------------- timing


def test_cases_take_turns():
    import benchlib

    calls = []
    taken = benchlib.interleave({name: lambda name=name: calls.append(name) for name in "abc"}, 12)
    assert calls[:3] == ["a", "b", "c"]  # to warm up
    rounds = [tuple(calls[start : start + 3]) for start in range(3, len(calls), 3)]
    assert len(rounds) == 12
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len(set(rounds)) > 2  # nobody always follows the same one
    assert all(len(taken.wall[name]) == len(taken.cpu[name]) == 12 for name in "abc")


def test_ratios_are_of_rounds():
    import benchlib

    found = benchlib.ratio({"ours": [1, 2, 4], "theirs": [2, 6, 4]}, "ours", "theirs")
    assert (found.median, found.q1, found.q3, found.rounds) == (2, 1.5, 2.5, 3)
    assert benchlib.requirement("x", "y", found, 1.5, 3)["met"]
    assert not benchlib.requirement("x", "y", found, 2.5, 3)["met"]
    assert benchlib.requirement("x", "y", found, 2.5, 1, below=True)["met"]


def test_children_are_measured():
    import benchlib
    import click

    code = "import os, time; b = bytearray(120 << 20); print(len(os.sched_getaffinity(0))); time.sleep(0.3)"
    small, large = (
        benchlib.run_child([sys.executable, "-c", text], 1) for text in (code.replace("120 << 20", "1"), code)
    )
    assert (small.output, large.output) == ("1\n", "1\n")
    assert 0.3 < large.seconds < 30
    assert 110 < (large.peak_bytes - small.peak_bytes) / 2**20 < 130
    assert large.peak_tree_bytes >= large.peak_bytes
    with pytest.raises(click.ClickException, match="ZeroDivisionError"):
        benchlib.run_child([sys.executable, "-c", "1 / 0"], 1)


def test_mosaics_are_of_different_families(fields):
    import bench_tissue

    families = bench_tissue.tissue(fields, "fields")
    assert len(families) == 2
    rgb = bench_tissue.mosaic(families, 4.2)
    assert rgb.shape == (1024, 4096, 3)
    tiles = {rgb[y : y + 512, x : x + 512].tobytes() for y in (0, 512) for x in range(0, 4096, 512)}
    assert len(tiles) == 16  # two families in eight orientations
    assert len(bench_tissue.all_tissue(fields)) == 2
    assert bench_tissue.psnr_y(rgb, rgb) > 100
    assert bench_tissue.psnr_y(rgb // 2, rgb // 2 + 1) == pytest.approx(48.13, abs=0.01)


def test_equal_quality_is_found():
    import bench_equal

    class Fake:
        method = type("M", (), {"key": "x", "settings": (1.1, 2.2, 4.4, 8.8, 17.6, 35.2, 70.4)})

        def encode(self, setting):
            return bench_equal.Coded("x", "x", str(setting), 30 + 5 * math.log2(setting), [1])

    for wanted in (31.0, 37.3, 44.4, 59.0):
        assert bench_equal._at_quality(Fake(), wanted).psnr_y == pytest.approx(wanted, abs=0.03)


# --------------------------------------------------------------------------------------------------------------- tools


def test_decode(fields, given_steps, monkeypatch):
    import bench_decode
    import benchlib

    def here(command: list, cores: int, env: dict) -> benchlib.Child:
        assert bool(env) == (cores == 1)
        found = bench_decode.measure_child(Path(command[3]), int(command[5]), int(command[7]))
        return benchlib.Child(json.dumps(found), 1, 1, 1 << 20, 1 << 20)

    monkeypatch.setattr(benchlib, "run_child", here)
    monkeypatch.setattr("bench_equal.RRIP_TRIES", 1)
    found = run("bench_decode", fields, "--kinds", "fields", "--codecs", "jxl")
    check_requirements(found, "JPEG tiles alone", "through zarr", "OpenSlide", "tifffile", "JPEG XL", "prediction")
    kind = found["kinds"]["fields"]
    assert (kind["width"], kind["height"]) == (1024, 1024)
    assert set(kind["codecs"]) == {"jpeg-420", "jxl", "rrip", "rrip-q90"}
    jpeg, jxl = kind["codecs"]["jpeg-420"], kind["codecs"]["jxl"]
    assert abs(jpeg["psnr_y"] - jxl["psnr_y"]) < 0.05
    assert 0 < jxl["bits_per_pixel"] < jpeg["bits_per_pixel"]
    assert min(kind["seconds_by_cores"]) == "1"
    assert 0 < kind["share_of_core"] < 2
    for run_ in kind["seconds_by_cores"].values():
        for level in ("0", "1"):
            assert {"rrip", "rrip-zarr", "jpeg-zarr", "openslide", "tifffile-zarr", "jxl"} <= set(run_[level]["wall"])


def test_patches(fields, given_steps, monkeypatch):
    import bench_patches

    monkeypatch.setattr(bench_patches, "THREADS", (1, 4))
    monkeypatch.setattr(bench_patches, "SIZES", (512,))
    found = run("bench_patches", fields, "--megapixels", "1", "--patches", "2")
    check_requirements(found, "random 512² patches, p50")
    sets = {(one["level"], one["size"], one["workers"]) for one in found["random"]}
    assert len(sets) == len(found["random"]) == 6
    assert sum("processes" in workers for _, _, workers in sets) == 2
    for one in [*found["random"], found["viewer"]]:
        for reader in one["readers"].values():
            assert 0 < reader["p50_ms"] <= reader["p95_ms"] <= reader["p99_ms"]
            assert reader["patches_per_second"]["median"] > 0
    assert found["viewer"]["tiles"] > 4


def test_viewers_ask_for_no_tile_that_is_on_screen():
    import bench_patches
    from bench_readers import Files

    files = Files(Path(), tuple((4000 >> level, 6000 >> level) for level in range(5)))
    path = bench_patches.viewer_path(files)
    assert {area[0] for area in path} == set(range(5))
    for level, y, x, height, width in path:
        assert 0 < height <= 512
        assert y + height <= files.shapes[level][0]
        assert 0 < width <= 512
        assert x + width <= files.shapes[level][1]
    assert all(a != b for a, b in pairwise(path))


def test_start(fields, given_steps, monkeypatch):
    import bench_start
    import benchlib

    started = []

    def note(code: str) -> benchlib.Child:
        compile(code, "program", "exec")
        started.append(code)
        return benchlib.Child("", 1.0, 1.0, 50 << 20, 50 << 20)

    real = bench_start.start
    monkeypatch.setattr(bench_start, "start", note)
    found = run("bench_start", fields)
    check_requirements(found, "first pixels, direct reader", "first pixels through zarr", "peak memory", "import rrip")
    assert set(found["first_pixel_seconds"]) == {"open", "start"}
    assert started.count("import numpy, rrip_format") == 2  # one to warm up
    assert sum(".read_region" in code for code in started) >= 3 * 2
    assert real("import os; assert os.environ['HOME'] == '/nonexistent'").peak_bytes > 1 << 20


def test_variants_of_the_core(fields, given_steps):
    found = run("bench_core", fields, "--megapixels", "1", "--kinds", "fields")
    assert found["call_microseconds"]["median"] > 0
    for levels in found["kinds"].values():
        assert "0" in levels
        for row in levels.values():
            assert row["jpeg"]["median"] > 0
            assert {f"{core} to jpeg" for core in list_cores()} <= row.keys()
    assert core_name() == list_cores()[-1]


def test_workers(fields, given_steps, monkeypatch):
    import bench_workers

    monkeypatch.setattr(bench_workers, "METHODS", ("spawn",))
    found = run("bench_workers", fields)
    check_requirements(found, "4 spawned workers")
    assert set(found["runs"]) == {"spawn rrip", "spawn rrip-slide", "spawn openslide"}
    for runs in found["runs"].values():
        for workers in runs:
            assert len(workers) == bench_workers.WORKERS
            assert all(cpu > 0 and seconds > 0 for cpu, seconds, _ in workers)


def test_training(fields, given_steps, monkeypatch):
    import bench_training

    pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    monkeypatch.setattr(bench_training, "CASES", [("fork", 0), ("fork", 4)])
    monkeypatch.setattr(bench_training, "READERS", {key: bench_training.READERS[key] for key in ("rrip", "openslide")})
    found = run("bench_training", fields)
    check_requirements(found, "patches a second", "own memory of a worker")
    assert set(found["runs"]) == {"no workers", "fork, 4 workers"}
    for readers in found["runs"].values():
        for (measured,) in readers.values():
            assert set(measured) == set(bench_training.MEASURES)
            assert all(value > 0 for value in measured.values())


def test_convert(fields, given_steps, monkeypatch):
    import bench_convert

    monkeypatch.setattr(bench_convert, "QUICK_EFFORTS", ("fast",))
    monkeypatch.setattr(bench_convert, "PEERS", {"tiffsave": bench_convert.PEERS["tiffsave"]})
    arguments = ["--megapixels", "1", "--preset", "notebook", "--no-glass"]
    found = run("bench_convert", fields, *arguments)
    check_requirements(found, "conversion to tiffsave, 2 workers, fast, TIFF", "peak memory")
    jobs = found["sources"]["tissue"]["jobs"]
    assert set(jobs) == {"fast-2", "tiff-fast-2", "tiffsave-2"}
    for job in jobs.values():
        assert job["stored_bytes"] > 10_000
        assert 20 < job["peak_mib"] < 1000
        assert job["mp_per_second"]["median"] > 0


def test_encode_cost(tmp_path):
    import encode_cost

    vips = pytest.importorskip("pyvips")
    vips.Image.new_from_array(tissue(512, 700)).copy(interpretation="srgb").write_to_file(str(tmp_path / "a.png"))
    found = CliRunner().invoke(encode_cost.main, [str(tmp_path / "a.png"), "--effort", "fast", "--json"])
    assert found.exit_code == 0, found.output
    figures = json.loads(found.output)
    assert figures["megapixels"] == pytest.approx(512 * 700 / 1e6)
    assert set(figures["ms_per_mp"]) - {"the rest"} == {stage for *_, stage in encode_cost.STAGES}
    assert all(taken > 0 for taken in figures["ms_per_mp"].values())
    assert figures["tiffsave_ms_per_mp"] > 0


def test_scaling(fields, given_steps, monkeypatch):
    import bench_scaling
    from benchlib import Child

    def here(step: str, options: dict) -> tuple[Child, dict]:
        return Child("", 1, 1, 1 << 20, 1 << 20), bench_scaling.run_child_step({"step": step, **options})

    monkeypatch.setattr(bench_scaling, "run_step", here)
    monkeypatch.setattr(bench_scaling, "READS", 3)
    monkeypatch.setattr(bench_scaling, "ISLAND", 1)
    monkeypatch.setattr(bench_scaling, "QUICK_GIGAPIXELS", (0.001, 0.004))
    found = run("bench_scaling", fields, "--share", "0.4")
    check_requirements(found, "peak memory")
    small, large = found["sizes"]
    assert (small["families"], large["families"]) == (4, 15)
    assert 0 < large["tissue_families"] < large["families"]
    assert set(bench_scaling.MEASURES) <= set(large)
    assert found["exponents"]["metadata_bytes"] < 0.5


def test_grown_slides_are_the_same_wherever_they_are_sliced(fields):
    import bench_scaling
    from bench_tissue import all_tissue

    slide = bench_scaling.GrownSlide(all_tissue(fields), 0.012, 0.5)
    whole = slide[0 : slide.shape[0], 0 : slide.shape[1]]
    assert whole.shape == slide.shape
    assert (slide[700:1300, 100:2000] == whole[700:1300, 100:2000]).all()
    blank = [
        (row, col)
        for row in range(slide.rows)
        for col in range(slide.cols)
        if (whole[row * 512 : row * 512 + 512, col * 512 : col * 512 + 512] == 255).all()
    ]
    assert len(blank) == slide.rows * slide.cols - slide.tissue_count()
    assert blank
    assert not set(slide.tissue_places(9)) & set(blank)


def test_zarr_limits(fields, given_steps, monkeypatch):
    import bench_zarr
    import benchlib

    limits = []

    def here(command: list, cores: int, env: dict) -> benchlib.Child:
        limits.append(env)
        return benchlib.Child(json.dumps(bench_zarr.child(Path(command[3]), 1)), 1, 1, 1 << 20, 1 << 20)

    monkeypatch.setattr(benchlib, "run_child", here)
    monkeypatch.setattr(bench_zarr, "PATCHES", 2)
    chosen = {key: bench_zarr.SETTINGS[key] for key in ("default", "concurrency 64, threads 2")}
    monkeypatch.setattr(bench_zarr, "SETTINGS", chosen)
    found = run("bench_zarr", fields, "--megapixels", "1")
    assert set(found["seconds"]) == set(found["peak_mib"]) == set(chosen)
    assert {} in limits
    assert {"ZARR_ASYNC__CONCURRENCY": "64", "ZARR_THREADING__MAX_WORKERS": "2"} in limits
    for cases in found["seconds"].values():
        assert len(cases) == 9
        assert all(len(rounds) == 1 and rounds[0] > 0 for rounds in cases.values())


def test_zarr_takes_its_limits_from_the_environment():
    import bench_zarr
    import benchlib

    code = "import zarr; print(zarr.config.get('async.concurrency'), zarr.config.get('threading.max_workers'))"
    child = benchlib.run_child([sys.executable, "-c", code], 1, bench_zarr.environment_of("concurrency 64, threads 16"))
    assert child.output == "64 16\n"


def test_fields_that_are_missing_are_an_error(tmp_path):
    import bench_decode

    result = CliRunner().invoke(bench_decode.main, ["--testdata", str(tmp_path), "--quick"])
    assert result.exit_code == 1
    assert "no tissue of kind 'fields'" in result.output


# ---------------------------------------------------------------------------------------------------------------- page


def test_the_page_takes_what_the_tools_print():
    import bench_page

    command = "python x.py --y"
    page = f"a\n<!-- begin must hold: {command} -->\n<!-- end -->\nb\n<!-- begin: {command} -->\nold\n<!-- end -->\nc\n"
    assert bench_page.commands(page) == [command]
    new = bench_page.filled(page, {command: "machine\n\n| t |\n|---|\n\n| what must hold | on |\n|---|---|\n"})
    assert bench_page.filled(new, {}) == new
    head, _, rest = new.partition("\nb\n")
    assert "| what must hold | on |" in head
    assert "machine" not in head
    assert "machine" in rest
    assert "| t |" in rest
    assert "old" not in rest
    assert rest.endswith("<!-- end -->\nc\n")
    again = bench_page.filled(new, {command: "other\n"})
    assert "other" in again
    assert "| what must hold | on |" in again  # a run that has none leaves what was there


def test_every_command_of_the_page_exists():
    import bench_page

    page = (BENCHMARKS.parents[1] / "docs" / "records" / "speed.md").read_text(encoding="utf-8")
    found = bench_page.commands(page)
    assert len(found) >= 6
    for command in found:
        program, tool, *options = command.split()
        assert program == "python"
        module = importlib.import_module(Path(tool).stem)
        known = {flag for parameter in module.main.params for flag in parameter.opts}
        assert {option for option in options if option.startswith("--")} <= known
        assert f"<!-- begin: {command} -->" in page


def test_profiles(fields):
    found = run("bench_profiles", fields, "--slides", "field-breast-HE.png")["slides"]["field-breast-HE.png"]
    assert min(row["bytes"] for row in found.values()) > 1000
    assert [row["tile"] for row in found.values()] == [128, 128]  # larger tiles would mostly pad this picture
    for row in found.values():
        assert {"tile", "convert", "256²", "512²", "1024²", "whole"} < row.keys()
    for what in ("convert", "512²", "whole"):
        assert found["view"][what]["median"] == 1.0
        assert found["archive"][what]["median"] > 0
