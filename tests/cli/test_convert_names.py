"""What `rrip convert` says of sources and values that are not what they seem."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import rrip_format
from rrip_format.cli import main


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)).save(folder / "a.png")
    for suffix in (".rrip.tif", ".rrip.zarr.zip", ".rrip.zarr"):
        rrip_format.convert(folder / "a.png", folder / f"a{suffix}")
    return folder


@pytest.mark.parametrize("url", ["s3://bucket/a.svs", "gs://bucket/a.svs", "http://host/a.svs", "memory://a.svs"])
def test_a_slide_on_a_server(url, tmp_path):
    with pytest.raises(rrip_format.errors.SourceError, match="read from local files only"):
        rrip_format.convert(url, tmp_path / "a.rrip.tif")


def test_a_file_on_a_server_that_is_no_container(made, tmp_path):
    result = run("convert", f"simplecache::file://{made}/a.png", tmp_path / "a.rrip.tif")
    assert result.exit_code == 1
    assert "is not an RRIP container; slides and images are read from local files only" in result.stderr
    result = run("convert", "memory://nothing/here.rrip.tif", tmp_path / "a.rrip.tif")
    assert "does not exist" in result.stderr


def test_the_url_of_a_local_file(made, tmp_path):
    for name in ("a.png", "a.rrip.zarr"):
        target = tmp_path / f"{name}.rrip.tif"
        result = run("convert", f"file://{made}/{name}", target)
        assert result.exit_code == 0, result.stderr
        assert rrip_format.imread(target).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("a.rrip.tif", 900, "truncated or its header damaged"),
        ("a.rrip.zarr.zip", 900, "not a whole zip archive"),
        ("a.rrip.zarr/zarr.json", 9, "not JSON"),
        ("a.rrip.zarr/zarr.json", None, "incomplete"),
    ],
)
def test_a_damaged_container_is_called_one(made, name, size, words, tmp_path):
    path = tmp_path / name
    container = tmp_path / name.partition("/")[0]
    (shutil.copytree if "/" in name else shutil.copy)(made / container.name, container)
    if size is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:size])
    result = run("convert", container, tmp_path / "b.rrip.tif")
    assert result.exit_code == 1
    assert words in result.stderr


def test_a_picture_named_like_a_container(made, tmp_path):
    shutil.copy(made / "a.png", tmp_path / "a.rrip.tif")
    assert run("convert", tmp_path / "a.rrip.tif", tmp_path / "b.rrip.zarr").exit_code == 0


@pytest.mark.parametrize("name", ["new\nline.png", "esc\x1b[31m.png"])
def test_names_are_printed_without_control_characters(made, name, tmp_path):
    shutil.copy(made / "a.png", tmp_path / name)
    for source, target in ((name, f"{name}.rrip.tif"), (f"{name}.rrip.tif", f"{name}.rrip.zarr")):
        result = run("convert", tmp_path / source, tmp_path / target)
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) == 1
        assert "\x1b" not in result.output
        assert rrip_format.imread(tmp_path / target).shape == (64, 64, 3)


@pytest.mark.parametrize("option", ["--objective", "--level-2-loss"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1"])
def test_numbers_that_are_none(made, option, value, tmp_path):
    assert run("convert", made / "a.png", tmp_path / "a.rrip.tif", option, value).exit_code == 2


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="whose file systems refuse such names")
@pytest.mark.parametrize("kind", [".rrip.tif", ".rrip.zarr"])
def test_commands_take_names_that_are_no_unicode(kind, made, tmp_path):
    """In a process of its own, whose standard output refuses what it cannot encode."""
    name = os.fsdecode(b"no\xff\n") + kind
    (shutil.copytree if kind.endswith("zarr") else shutil.copy)(made / f"a{kind}", tmp_path / name)
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    for command in (
        ["info", name],
        ["info", name, "--json"],
        ["validate", name],
        ["validate", name, "--json"],
        ["convert", name, name + ".rrip.zarr.zip"],
        ["export", name, name + ".ome.tif"],
        ["repair", name, "r" + name],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "rrip_format", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode("utf-8")
        if "--json" in command:
            assert json.loads(text)["path"].endswith(name)
        elif command[0] != "info":
            assert len(text.splitlines()) == 1
