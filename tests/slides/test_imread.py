"""``imread``, and every example of docs/reading.md."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import tile_path
from kinds import serve

import rrip_format
from rrip_format.errors import FormatError, MissingTileError


@pytest.mark.parametrize("kind", ["zarr", "zip", "tif"])
def test_levels(kinds, kind):
    path = getattr(kinds, kind)
    np.testing.assert_array_equal(rrip_format.imread(path), kinds.decoded[0])
    for level, wanted in enumerate(kinds.decoded):
        found = rrip_format.imread(str(path), level)
        assert found.dtype == np.uint8
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "region",
    [(0, 0, 700, 900), (10, 20, 30, 40), (250, 250, 10, 10), (256, 256, 256, 256), (300, 1, 0, 5), (699, 899, 1, 1)],
)
def test_regions(kinds, region):
    y, x, height, width = region
    found = rrip_format.imread(kinds.zarr, 0, region=region)
    np.testing.assert_array_equal(found, kinds.decoded[0][y : y + height, x : x + width])


@pytest.mark.parametrize("region", [(0, 0, 701, 5), (-1, 0, 5, 5), (0, 895, 5, 6), (0, 0, -5, 5)])
def test_regions_outside(kinds, region):
    with pytest.raises(IndexError, match="outside level 0, 700 px high and 900 px wide") as caught:
        rrip_format.imread(kinds.tif, region=region)
    assert str(region) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"region": (1, 2, 3)}, ValueError, r"region is \(1, 2, 3\), expected four numbers \(y, x, height, width\)"),
        ({"region": 5}, ValueError, "region is 5, expected four"),
        ({"region": slice(0, 5)}, ValueError, r"region is slice\(0, 5, None\), expected four"),
        ({"region": (0, 0, 1.5, 2)}, TypeError, "height is 1.5, expected a whole number"),
        ({"region": ("0", 0, 1, 2)}, TypeError, "y is '0', expected a whole number"),
        ({"level": "1"}, TypeError, "level is '1', expected a whole number"),
        ({"level": None, "region": (0, 0, 1, 1)}, TypeError, "level is None, expected a whole number"),
    ],
)
def test_what_was_passed_is_said(kinds, options, error, says):
    with pytest.raises(error, match=says):
        rrip_format.imread(kinds.tif, **options)


def test_whole_numbers_of_every_kind(kinds):
    found = rrip_format.imread(kinds.tif, np.int64(1), region=np.array([10, 20, 30, 40]))
    np.testing.assert_array_equal(found, kinds.decoded[1][10:40, 20:60])


def test_a_region_is_passed_by_name(kinds):
    with pytest.raises(TypeError, match="positional"):
        rrip_format.imread(kinds.tif, 0, (0, 0, 1, 1))


@pytest.mark.parametrize("level", [-1, 4, 99])
def test_levels_that_are_not_there(kinds, level):
    with pytest.raises(IndexError, match="levels 0 … 3"):
        rrip_format.imread(kinds.zip, level)


def test_over_http(kinds):
    pytest.importorskip("aiohttp")
    with serve(kinds.zarr.parent) as server:
        for name in ("slide.rrip.zarr", "slide.rrip.zarr.zip", "slide.rrip.tif"):
            np.testing.assert_array_equal(rrip_format.imread(f"{server.url}/{name}", 1), kinds.decoded[1])


def test_damage(spoiled):
    tile_path(spoiled, 0, 2, 3).unlink()
    with pytest.raises(MissingTileError):
        rrip_format.imread(spoiled)
    assert rrip_format.imread(spoiled, 1).shape == (350, 450, 3)
    with pytest.raises(FormatError):
        rrip_format.imread(spoiled / "nothing")


PAGE = Path(__file__).resolve().parents[2] / "docs" / "reading.md"
BLOCKS = re.findall(r"^## ([^\n]+)\n.*?^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def modules(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_the_page_has_a_block_per_section():
    text = PAGE.read_text("utf-8")
    assert len(BLOCKS) == text.count("\n## ") == text.count("```python")


@pytest.mark.parametrize(("title", "code"), BLOCKS, ids=[title for title, _ in BLOCKS])
def test_the_page(kinds, tmp_path, monkeypatch, title, code):
    for name in modules(code):
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            pytest.skip(f"{name} is not installed")
    for path in kinds.all:
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)
    with serve(tmp_path) as server:
        code = code.replace("https://example.org", server.url)
        space = {"__name__": "__main__"}
        exec(compile(code, f"{PAGE.name}: {title}", "exec"), space)
    assert space.get("patch") is not None
    patch = np.asarray(space["patch"])
    if patch.shape[0] == 3:
        patch = patch.transpose(1, 2, 0)
    np.testing.assert_array_equal(patch[..., :3], kinds.decoded[0][300:556, 200:456], err_msg=title)
    assert "rrip_format" in sys.modules
