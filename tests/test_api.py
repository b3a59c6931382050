"""The Python API as people expect it: names, signatures, errors that say what was passed."""

from __future__ import annotations

import errno
import inspect
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SUFFIXES, tissue

import rrip_format
from rrip_format import Settings
from rrip_format.errors import FormatError, NotFoundError, RripError, SourceError, StorageError


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
    assert str(caught.value) == f"{path}: no such file or directory"
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
    from kinds import serve

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
    "convert": "(source, target, settings, *, quality, workers, executor, overwrite, resume, verify, label, progress)",
    "export": "(source, target, *, quality, label, workers, overwrite, progress)",
    "imread": "(path, level, region)",
    "info": "(path)",
    "open": "(path)",
    "references": "(container, url)",
    "repair": "(source, target, *, fill_lost, overwrite, workers, progress)",
    "validate": "(path, depth, *, workers, progress)",
    "RripSlide": "(filename)",
    "RripStore": "(container, *, zarr_format)",
    "Settings": "(quality, tile, effort, tune, luma_only, preset, steps, target)",
    "Slide": "(container)",
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
    old = {"info", "references"}  # which tools import
    assert ({*modules} - old | folders) & set(NAMES) == set()


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
        ([80], {}, TypeError, "settings are 80, expected rrip_format.Settings; for a quality alone write quality="),
        ([], {"quality": 0}, RripError, "quality is 0, expected a whole number of 1 … 100"),
        ([], {"quality": "80"}, RripError, "quality is '80', expected a whole number"),
    ],
)
def test_contradictions_are_refused(tmp_path, arguments, options, error, says):
    with pytest.raises(error, match=says):
        rrip_format.convert(tissue(70, 90), tmp_path / "a.rrip.zarr", *arguments, **options)
    assert list(tmp_path.iterdir()) == []
