"""The Python API as people expect it: names, signatures, errors that say what was passed."""

from __future__ import annotations

import base64
import errno
import inspect
import io
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from conftest import SUFFIXES, tile_path, tissue
from kinds import MPP, serve

import rrip_format
from rrip_format import Settings
from rrip_format.errors import FormatError, NotFoundError, RripError, SourceError, StorageError
from rrip_format.slides import preview


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("read", ["open", "imread", "RripStore", "RripSlide", "validate", "repair"])
def test_a_missing_file_is_a_file_not_found_error(tmp_path, read, suffix):
    if read == "RripSlide":
        pytest.importorskip("openslide")
    path = tmp_path / f"nothing{suffix}"
    arguments = (path, tmp_path / "saved.rrip.tif") if read == "repair" else (path,)
    with pytest.raises(FileNotFoundError) as caught:
        getattr(rrip_format, read)(*arguments)
    assert isinstance(caught.value, RripError)
    assert isinstance(caught.value, FormatError) or read == "RripSlide"
    assert caught.value.errno == errno.ENOENT
    assert str(caught.value) == f"{path}: no such file or directory; check the path"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_a_missing_source_too(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or directory") as caught:
        rrip_format.convert(tmp_path / "nothing.svs", tmp_path / "a.rrip.zarr")
    assert isinstance(caught.value, SourceError)
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("kind", ["tif", "zip"])
def test_a_container_that_vanishes_while_it_is_open_is_no_missing_chunk(kinds, tmp_path, kind):
    """Readers above take a FileNotFoundError for "fill with the fill value"."""
    path = tmp_path / getattr(kinds, kind).name
    path.write_bytes(getattr(kinds, kind).read_bytes())
    with rrip_format.open(path) as slide:
        pickled = pickle.dumps(slide)
    path.unlink()
    with pytest.raises(StorageError, match="no such file") as caught:
        pickle.loads(pickled)
    assert not isinstance(caught.value, FileNotFoundError)


def test_a_url_that_is_not_there(kinds):
    pytest.importorskip("aiohttp")
    with serve(kinds.zarr.parent) as server, pytest.raises(NotFoundError, match=r"nothing\.rrip\.tif") as caught:
        rrip_format.open(f"{server.url}/nothing.rrip.tif")
    assert isinstance(caught.value, FileNotFoundError)


# Names


NAMES = [
    "FormatError",
    "RripError",
    "RripSlide",
    "RripStore",
    "Settings",
    "Slide",
    "__version__",
    "convert",
    "export",
    "imread",
    "info",
    "open",
    "patch_openslide",
    "references",
    "repair",
    "validate",
]
"""Of which code outside is made: none goes without a deprecation."""


def test_public_names_are_these():
    assert rrip_format.__all__ == NAMES
    assert dir(rrip_format) == NAMES
    space: dict[str, object] = {}
    exec("from rrip_format import *", space)
    assert space.keys() >= set(NAMES)


SIGNATURES = {
    "convert": "(source, target, settings, *, quality, workers, executor, overwrite, resume, verify, label, "
    "keep_identifiers, image, missing_tiles, mpp, objective, second_opinion, progress)",
    "export": "(source, target, *, kind, quality, mpp, label, keep_identifiers, workers, overwrite, progress)",
    "imread": "(path, level, *, region, storage_options, store)",
    "info": "(path, *, storage_options, store)",
    "open": "(path, *, storage_options, store, cache_mib)",
    "references": "(container, url)",
    "repair": "(source, target, *, fill_lost, overwrite, workers, progress)",
    "validate": "(path, depth, *, workers, progress)",
    "RripSlide": "(filename, *, storage_options, store, cache_mib)",
    "RripStore": "(container, *, zarr_format, storage_options, store, cache_mib)",
    "Settings": "(quality, tile, effort, tune, luma_only, preset, profile, steps, level_2_loss, target, luma_filter)",
    "Slide": "(source, *, storage_options, store, cache_mib)",
}
"""Names and order of all parameters, which callers use."""


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_these(name):
    signature = inspect.signature(getattr(rrip_format, name))
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in signature.parameters.values()), (
        "a parameter has no type"
    )
    found = inspect.Signature([parameter.replace(default=inspect.Parameter.empty) for parameter in bare])
    assert str(found) == SIGNATURES[name]


def run_python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_importing_warns_of_nothing():
    assert run_python("-W", "error", "-c", "import rrip_format") == ""
    run_python("-W", "error", "-c", "import rrip_format as r; [getattr(r, name) for name in dir(r)]")


def test_no_module_takes_the_place_of_a_public_name():
    """Importing a module sets an attribute of its package."""
    package = Path(rrip_format.__file__).parent
    modules = [path.stem for path in package.glob("*.py") if path.stem not in {"__init__", "__main__"}]
    code = "\n".join(
        [
            "import contextlib, importlib, rrip_format as r",
            f"for name in {modules}:",
            "    with contextlib.suppress(r.RripError): importlib.import_module(f'rrip_format.{name}')",
            "assert all(callable(getattr(r, name)) for name in r.__all__ if name != '__version__')",
        ]
    )
    run_python("-c", code)
    folders = {path.name for path in package.iterdir() if path.is_dir()}
    assert ({*modules} | folders) & set(NAMES) == set()


def test_info_is_what_the_command_line_prints(kinds):
    from click.testing import CliRunner

    from rrip_format.cli import main

    found = rrip_format.info(kinds.tif)
    assert found["bytes"]["total"] == kinds.tif.stat().st_size
    printed = CliRunner().invoke(main, ["info", str(kinds.tif), "--json"]).stdout
    assert json.loads(printed) == json.loads(json.dumps(found))


# Converting


def test_quality_is_short_for_settings(tmp_path):
    picture = tissue(70, 90)
    rrip_format.convert(picture, tmp_path / "a.rrip.zarr", quality=80)
    rrip_format.convert(picture, tmp_path / "b.rrip.zarr", Settings(quality=80))
    rrip_format.convert(picture, tmp_path / "c.rrip.zarr", Settings(quality=80), quality=80)
    made = [rrip_format.info(tmp_path / f"{name}.rrip.zarr") for name in "abc"]
    assert [found["metadata"]["writer"]["settings"]["quality"] for found in made] == [80, 80, 80]
    assert made[0]["levels"] == made[1]["levels"] == made[2]["levels"]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "says"),
    [
        ([Settings(quality=70)], {"quality": 80}, ValueError, "quality is 80, but that of the settings is 70"),
        ([Settings(target="psnr=40")], {"quality": 80}, ValueError, "quality is 80, but that of the settings is 90"),
        ([80], {}, TypeError, "settings is 80, expected rrip_format.Settings; to set only the quality pass quality="),
        ([], {"quality": 0}, RripError, "quality is 0, expected a whole number of 1 … 100"),
        ([], {"quality": "80"}, RripError, "quality is '80', expected a whole number"),
    ],
)
def test_contradictions_are_refused(tmp_path, arguments, options, error, says):
    with pytest.raises(error, match=says):
        rrip_format.convert(tissue(70, 90), tmp_path / "a.rrip.zarr", *arguments, **options)
    assert list(tmp_path.iterdir()) == []


# Slides


def test_a_slide_opens_a_path(kinds):
    for path in (*kinds.all, str(kinds.tif), os.fsencode(kinds.tif)):
        with rrip_format.Slide(path) as slide:
            assert slide.name == os.fsdecode(path)
            np.testing.assert_array_equal(slide.read_region(0, 10, 20, 30, 40), kinds.decoded[0][10:40, 20:60])


@pytest.mark.parametrize("kind", ["zarr", "zip", "tif"])
def test_what_a_slide_says_is_what_ripslide_says(kinds, kind):
    pytest.importorskip("openslide")
    path = getattr(kinds, kind)
    with rrip_format.Slide(path) as ours, rrip_format.RripSlide(path) as theirs:
        assert ours.dimensions == theirs.dimensions == (900, 700)
        assert ours.mpp == MPP
        assert ours.properties == theirs.properties
        assert ours.properties["openslide.mpp-x"] == str(MPP[0])
        assert ours.properties["openslide.associated.macro.height"] == "50"
        assert sorted(ours.associated_images) == sorted(theirs.associated_images) == ["macro", "thumbnail"]
        assert len(ours.associated_images) == 2
        assert "label" not in ours.associated_images
        assert repr(ours.associated_images) == "AssociatedImages(thumbnail, macro)"
        for name, picture in ours.associated_images.items():
            np.testing.assert_array_equal(picture, np.asarray(theirs.associated_images[name])[..., :3])
            assert ours.associated_images()[name].startswith(b"\xff\xd8")
        again = pickle.loads(pickle.dumps(ours))
        assert again.properties == ours.properties
        again.close()
    with pytest.raises(KeyError, match="label"):
        ours.associated_images["label"]


@pytest.mark.parametrize(
    ("size", "shape", "level"),
    [
        (256, (199, 256), 1),
        ((2000, 100), (100, 129), 2),
        ((100, 2000), (78, 100), 3),
        (113, (88, 113), 3),
        (450, (350, 450), 1),
        (1, (1, 1), 3),
        (5000, (700, 900), 0),
        (np.int64(225), (175, 225), 2),
    ],
)
def test_thumbnails(kinds, size, shape, level):
    with rrip_format.open(kinds.tif) as slide:
        found = slide.thumbnail(size)
    assert found.shape == (*shape, 3)
    assert found.dtype == np.uint8
    whole = kinds.decoded[level].astype(float)
    assert np.abs(found.mean((0, 1)) - whole.mean((0, 1))).max() < 1
    if shape == whole.shape[:2]:
        np.testing.assert_array_equal(found, kinds.decoded[level])


@pytest.mark.parametrize(
    ("size", "error", "says"),
    [
        (0, ValueError, "size is 0, expected at least 1 px"),
        ((10, -1), ValueError, r"size is \(10, -1\), expected at least"),
        ((1, 2, 3), ValueError, r"size is \(1, 2, 3\), expected a whole number or \(width, height\)"),
        (1.5, TypeError, "size is 1.5, expected a whole number"),
    ],
)
def test_sizes_of_thumbnails(kinds, size, error, says):
    with rrip_format.open(kinds.tif) as slide, pytest.raises(error, match=says):
        slide.thumbnail(size)


def test_shrinking_is_a_mean_of_areas():
    picture = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3) * 4
    found = preview.shrink(picture, 2, 2)
    weights = np.array([[1, 1, 0.5, 0, 0], [0, 0, 0.5, 1, 1]]) / 2.5
    expected = np.einsum("ij,jkc->ikc", weights, picture.reshape(5, 2, 2, 3).mean(2))
    np.testing.assert_array_equal(found, np.floor(expected + 0.5))
    np.testing.assert_array_equal(preview.shrink(picture, 5, 4), picture)


def test_a_notebook_shows_a_picture(kinds):
    image = pytest.importorskip("PIL.Image")
    with rrip_format.open(kinds.tif) as slide:
        shown, small = slide._repr_html_(), slide.thumbnail()
    data = re.search(r'<img src="data:image/png;base64,([^"]+)" width="256" height="199"', shown)
    with image.open(io.BytesIO(base64.b64decode(data[1]))) as picture:
        picture.verify()
    with image.open(io.BytesIO(base64.b64decode(data[1]))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), small)
    assert "900 x 700 px" in shown
    assert f"{MPP[0]:g} x {MPP[1]:g} µm" in shown
    assert "450 x 350" in shown
    assert ET.fromstring(shown.replace("<br>", "").replace('alt="the slide">', 'alt="the slide"/>')).tag == "div"


def test_a_notebook_shows_what_is_wrong(spoiled):
    tile_path(spoiled, 2, 1, 1).unlink()
    path = spoiled.rename(spoiled.with_name("<b>&.rrip.zarr"))
    with rrip_format.open(path) as slide:
        shown = slide._repr_html_()
    assert "is missing" in shown
    assert "<img" not in shown
    assert "&lt;b&gt;&amp;.rrip.zarr" in shown
    assert "<b>" not in shown


def test_the_store_is_shown_as_it_is_opened():
    assert 'mode="r")' in rrip_format.RripStore.__doc__


# Types

SCRIPT = """
from collections.abc import Mapping
from typing import assert_type

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import rrip_format
from rrip_format import FormatError, RripError, RripSlide, RripStore, Settings, Slide

Pixels = NDArray[np.uint8]


def use(path: str) -> None:
    assert_type(rrip_format.__version__, str)
    assert_type(rrip_format.imread(path, level=0, region=(0, 0, 5, 5)), Pixels)
    with rrip_format.open(path) as slide:
        assert_type(slide, Slide)
        assert_type(slide.read_region(0, 0, 0, 5, 5), Pixels)
        assert_type(slide.thumbnail((100, 100)), Pixels)
        assert_type(slide.dimensions, tuple[int, int])
        assert_type(slide.mpp, tuple[float, float] | None)
        assert_type(slide.properties, Mapping[str, str])
        assert_type(slide.associated_images["macro"], Pixels)
    with RripSlide(path) as like_openslide:
        assert_type(like_openslide.read_region((0, 0), 0, (5, 5)), Image.Image)
        assert_type(like_openslide.associated_images, Mapping[str, Image.Image])
        assert_type(like_openslide.level_dimensions, tuple[tuple[int, int], ...])
    done = rrip_format.convert(path, path, quality=80)
    assert_type(done.stored_bytes, int)
    rrip_format.convert(path, path, Settings(quality=80), overwrite=True)
    assert_type(rrip_format.export(path, path, quality=80), int)
    assert_type(RripStore(path, zarr_format=2).read("zarr.json"), bytes | None)
    rrip_format.info(path)["bytes"]["total"]
    rrip_format.references(path)["refs"]
    assert_type([finding.rule for finding in rrip_format.validate(path)], list[str])
    rrip_format.repair(path, path).lines()
    try:
        Slide(path).close()
    except (FormatError, RripError) as error:
        assert_type(error.rule, str | None)
"""


def test_a_script_is_checked_strictly(tmp_path):
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"

    def check(text: str) -> tuple[int, str]:
        script.write_text(text)
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", script.name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = check(SCRIPT)
    assert code == 0, said
    assert "incompatible type" in check(SCRIPT.replace("quality=80)", 'quality="80")', 1))[1]
