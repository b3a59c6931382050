"""Reading needs no extra, and whatever does names it in one line (tools/release/check_light.py)."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import check_light
import pytest

import rrip_format
from rrip_format.errors import ExtraMissingError, one_line
from rrip_format.extras import load_module, missing, needs

REPOSITORY = Path(__file__).resolve().parents[2]


def run_tool(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(rrip_format.__file__).parents[1])}
    command = [sys.executable, str(REPOSITORY / "tools" / "release" / "check_light.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_without_extras_everything_is_read_and_every_other_door_names_its_extra():
    assert run_tool("--hide").count("pip install 'rrip-format[") >= 16


def test_reading_imports_no_package_of_an_extra():
    assert "reading needs no extra" in run_tool("--read")


def test_what_is_hidden_is_what_extras_bring():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    modules = {
        "openslide-python": "openslide",
        "pillow": "PIL",
        "scikit-image": "skimage",
        "bioio-base": "bioio_base",
        "large-image": "large_image",
    }
    indirect = {"openslide-bin", "pyvips-binary", "rrip-format"}
    extras = {
        name: {line.partition(">")[0].partition("[")[0] for line in lines}
        for name, lines in project["optional-dependencies"].items()
        if name not in {"dev", "docs", "fuzz", "release", "test"}
    }
    brought = {modules.get(package, package) for names in extras.values() for package in names - indirect}
    assert brought | {"scipy"} == check_light.EXTRAS  # of scikit-image
    everything = {line for line in project["optional-dependencies"]["all"] if line.startswith("rrip-format[")}
    assert set(everything.pop().removeprefix("rrip-format[").rstrip("]").split(",")) == extras.keys() - {
        "all",
        "bioio",
        "tiatoolbox",
        "wsidata",
    }


def test_the_message_names_the_package_and_the_extra(tmp_path, monkeypatch):
    with pytest.raises(ExtraMissingError) as caught:
        load_module("no_such_module.part", "convert", "this")
    assert str(caught.value) == "this needs no_such_module, which is not installed: pip install 'rrip-format[convert]'"
    assert "needs scikit-image," in str(missing("convert", "this", ModuleNotFoundError(name="skimage.color")))
    (tmp_path / "broken.py").write_text("raise OSError('no native\\nlibrary')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ExtraMissingError, match=r"this needs .* imported \(no native library\): pip install 'rrip-"):
        load_module("broken", "convert", "this")
    with pytest.raises(ValueError, match="other"), needs("convert", "this"):
        raise ValueError("other")


def test_one_line():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(ValueError()) == "ValueError"
    assert len(one_line(ValueError("a" * 1000))) == 300
