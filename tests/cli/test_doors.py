"""Paths and streams that nobody expects: refused at once with the reason, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tiff_readers import picture

from rrip_format.cli import main

FULL = Path("/dev/full")
posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture()).save("a.png")
    return tmp_path


def convert(*arguments):
    result = CliRunner().invoke(main, ["convert", *arguments])
    assert "Traceback" not in result.output
    return result.exit_code, result.output.strip().splitlines()[-1]


def test_an_empty_path_is_not_the_current_folder(folder):
    """As of a variable of the shell that is not set."""
    code, line = convert("", "b.rrip.zarr")
    assert code == 1
    assert "the path of the source is empty" in line


@posix
def test_links_that_lead_in_a_circle(folder):
    (folder / "two").symlink_to("one")
    (folder / "one").symlink_to("two")
    code, line = convert("one", "b.rrip.zarr")
    assert code == 1
    assert "a link to two of links that lead in a circle" in line


@posix
@pytest.mark.parametrize("name", ["b.rrip.tif", "b.rrip.zarr", "b.rrip.zarr.zip"])
def test_a_target_that_is_a_pipe(name, folder):
    """To look into it would wait for ever."""
    os.mkfifo(name)
    for options in ([], ["--overwrite"]):
        code, line = convert("a.png", name, *options)
        assert code == 1
        assert "already exists" in line or "is not an RRIP container" in line


@pytest.mark.parametrize("inner", ["b.rrip.zarr", "base/b.rrip.tif", "0/c/b.rrip.zarr.zip"])
def test_a_target_inside_a_container(inner, folder):
    assert convert("a.png", "a.rrip.zarr")[0] == 0
    before = sorted(folder.rglob("*"))
    (folder / "a.rrip.zarr" / inner).parent.mkdir(parents=True, exist_ok=True)
    for source in ("a.png", "a.rrip.zarr"):
        code, line = convert(source, f"a.rrip.zarr/{inner}")
        assert code == 1
        assert "would lie inside the container" in line
    assert set(before) <= set(folder.rglob("*"))
    assert not (folder / "a.rrip.zarr" / inner).exists()


@posix
@pytest.mark.skipif(not FULL.exists(), reason="of Linux")
def test_an_output_that_cannot_be_written(folder):
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rrip_format", "convert", "a.png", "b.rrip.zarr"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 1
    assert b"its output cannot be written" in done.stderr
    assert b"unexpected" not in done.stderr
    assert (folder / "b.rrip.zarr").is_dir()


@posix
def test_without_standard_streams(folder):
    """As programs in the background are started."""
    for number, redirections in enumerate([">&-", "2>&-", "<&-", ">&- 2>&- <&-"]):
        command = f"'{sys.executable}' -m rrip_format convert a.png {number}.rrip.zarr {redirections}"
        assert subprocess.run(["sh", "-c", command], check=False, capture_output=True).returncode == 0
        assert (folder / f"{number}.rrip.zarr").is_dir()


def start_and_signal(folder, name, disposition):
    """Start a conversion that does this with a signal by default, send the signal while it writes, and wait."""
    large = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3)).astype(np.uint8)
    Image.fromarray(large).save("large.png", compress_level=0)
    number = getattr(signal, name)
    command = [sys.executable, "-m", "rrip_format", "convert", "large.png", "b.rrip.tif", "--workers", "1"]
    before = signal.signal(number, disposition)  # which the process inherits, whatever the tests themselves inherited
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    finally:
        signal.signal(number, before)
    while process.poll() is None and not list(folder.glob(".b.rrip.tif.partial")):
        pass
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_leaves_nothing(name, folder):
    """SIGHUP is that of a terminal which is closed."""
    code, errors = start_and_signal(folder, name, signal.SIG_DFL)
    assert code == 128 + getattr(signal, name)
    assert b"interrupted; nothing was left at the target" in errors
    assert not (folder / "b.rrip.tif").exists()


@posix
def test_work_under_nohup_goes_on_without_its_terminal(folder):
    code, _ = start_and_signal(folder, "SIGHUP", signal.SIG_IGN)
    assert code == 0
    assert (folder / "b.rrip.tif").exists()
