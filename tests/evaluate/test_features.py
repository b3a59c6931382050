"""How far features move: the example of the documents on a slide, known drifts, and functions that fail."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import BRIEF, tissue

from rrip_format import RripError, evaluate
from rrip_format.cli import main
from rrip_format.evaluate import format_summary, ours
from rrip_format.evaluate.features import (
    cosine_distances,
    load_features,
    measure_features,
    median_distances,
    patch_corners,
)
from rrip_format.evaluate.sample import choose
from rrip_format.sources import open_source

pytest.importorskip("bjontegaard")
pytest.importorskip("matplotlib")

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def example() -> str:
    """The module that the documents show."""
    codes = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (code,) = [code for code in codes if "density" in code]
    return code


@pytest.fixture(name="slide", scope="module")
def fixture_slide(tmp_path_factory) -> Path:
    from PIL import Image

    path = tmp_path_factory.mktemp("slide") / "slide.png"
    Image.fromarray(tissue(512, 768, seed=4)).save(path)
    return path


def test_the_example_of_the_documents(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(ours, "QUALITIES", (40, 65, 95))
    (tmp_path / "stain.py").write_text(example())
    monkeypatch.chdir(tmp_path)
    arguments = ["evaluate", str(slide), "--out", "report", "--features", "stain:features", "--patch", "100"]
    arguments += [
        "--codecs",
        "jpeg-420",
        "--no-ssimulacra2",
        "--base-tile",
        "64",
        "--effort",
        "fast",
        "--families",
        "2",
    ]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    found = summary["features"]
    assert found["quality"] == 90
    assert {level: here["side"] for level, here in found["levels"].items()} == {"0": 100, "1": 100}
    assert found["levels"]["0"]["patches"] == 2 * 4  # two by two in each of two families
    for here in found["levels"].values():
        for codec in ("rrip", "jpeg-420"):
            for measure in ("cosine", "l2"):
                drift = here[codec][measure]
                assert 0 < drift["mean"] <= drift["max"]
                assert here["between"][measure] > 0
    assert found["bytes"]["rrip"] < found["bytes"]["jpeg-420"]
    report = Path("report/report.md").read_text("utf-8")
    assert "## Features" in report
    assert "RRIP, quality 90" in report
    assert "features, L0, JPEG 4:2:0, quality 90: cosine" in format_summary(summary)


def test_what_is_measured_is_what_decoders_give(slide):
    """Features that are the pixels themselves: their distances are those of the decoded patches, computed here."""

    def pixels(patches):
        assert patches.dtype == np.uint8
        return patches.reshape(len(patches), -1)

    with open_source(slide) as source:
        sample = choose(source, 64, None, 0)
        found = measure_features(source, sample, BRIEF, pixels, 256)
        place = sample.places[0]
        family = sample.family(*place)
        import imagecodecs

        jpegs = [
            imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(sample.family(*p).levels[0], level=90, subsampling="420"))
            for p in sample.places
        ]
        wanted = [
            np.linalg.norm(jpeg.astype(float) - sample.family(*p).levels[0])
            for p, jpeg in zip(sample.places, jpegs, strict=True)
        ]
    assert family.levels[0].shape == (256, 256, 3)
    here = found["levels"]["0"]
    assert here["patches"] == len(sample.places) == 6
    assert here["jpeg-420"]["l2"]["mean"] == pytest.approx(np.mean(wanted))
    assert here["jpeg-420"]["l2"]["max"] == pytest.approx(np.max(wanted))


def test_distances():
    one, other = np.array([[1.0, 0], [0, 0], [2, 0]]), np.array([[0.0, 3], [0, 0], [2, 0]])
    assert cosine_distances(one, other).tolist() == [1, 0, 0]
    assert median_distances(one) == {"cosine": 1.0, "l2": 1.0}
    assert median_distances(one[:1]) is None


def test_patches_lie_side_by_side_in_the_middle():
    assert list(patch_corners((256, 300), 100)) == [(28, 0), (28, 100), (28, 200), (128, 0), (128, 100), (128, 200)]
    assert list(patch_corners((99, 300), 100)) == []


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda patches: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda patches: patches.mean(), "returned shape ()"),
        (lambda patches: patches[:-1].mean((1, 2)), "expected one row of finite numbers for each"),
        (lambda patches: patches.mean((1, 2)) * np.nan, "finite numbers"),
        (lambda patches: "text", "ValueError"),
    ],
)
def test_a_function_that_fails_is_told_in_one_line_at_once(slide, tmp_path, function, said):
    with pytest.raises(RripError) as caught:
        evaluate.evaluate(slide, tmp_path / "out", BRIEF, features=function)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["nothing", "no_such_module:f", "json:no_such_function", "json:__name__", ":f", "m:"])
def test_a_function_that_is_not_there(name):
    with pytest.raises(RripError, match="features"):
        load_features(name)


def test_patches_larger_than_every_family_are_those_of_the_tile(slide):
    with open_source(slide) as source:
        sample = choose(source, 64, 1, 0)
        found = measure_features(source, sample, BRIEF, lambda patches: patches.mean((1, 2)), 10_000)
    assert [(here["side"], here["patches"]) for here in found["levels"].values()] == [(256, 1), (128, 1)]
