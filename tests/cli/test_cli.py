"""The command line: one line and an exit code for everything that can go wrong, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import SUFFIXES, hash_tree, tissue

from rrip_format.cli import main


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def picture(tmp_path) -> Path:
    from PIL import Image

    path = tmp_path / "tissue.png"
    Image.fromarray(tissue(300, 280)).save(path)
    return path


def test_convert_and_info(picture, tmp_path):
    target = tmp_path / "out" / "a.rrip.zarr"
    target.parent.mkdir()
    result = run("convert", picture, target, "--quality", 70, "--base-tile", 64, "--workers", 1)
    assert result.exit_code == 0, result.output
    size = r"[\d.]+ kB, \d+% of its source; Pillow agrees \(2 blocks\)"
    assert re.fullmatch(rf".*a\.rrip\.zarr: 280 x 300 px, 4 levels, {size}\n", result.stdout)
    assert result.stderr == ""
    text = run("info", target)
    assert text.exit_code == 0
    assert "slide.png" in text.stdout
    found = json.loads(run("info", target, "--json").stdout)
    files = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    assert found["bytes"]["total"] == files
    assert sum(level["bytes"] for level in found["levels"]) == files - found["bytes"]["metadata"]
    assert [level["tiles"] for level in found["levels"]] == [4, 4, 4, 1]
    assert found["metadata"]["writer"]["settings"]["quality"] == 70


def test_json_of_convert(picture, tmp_path):
    result = run("convert", picture, tmp_path / "a.rrip.zarr.zip", "--json")
    found = json.loads(result.stdout)
    assert (found["width"], found["height"], found["levels"]) == (280, 300, 3)
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("missing.svs", "a.rrip.zarr", "no such file"),
        ("tissue.png", "a.zarr", "unknown extension"),
        ("tissue.png", "nowhere/a.rrip.zarr", "no such folder"),
        ("tissue.png", "full.rrip.zarr", "already exists"),
        ("folder", "a.rrip.zarr", "folder"),
        ("text.svs", "a.rrip.zarr", "text.svs"),
        ("empty.tif", "a.rrip.zarr", "empty"),
        ("half.png", "a.rrip.zarr", "half.png"),
    ],
)
def test_bad_arguments_end_in_one_line(source, target, says, picture, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "full.rrip.zarr").mkdir()
    (tmp_path / "text.svs").write_text("this is not a slide")
    (tmp_path / "empty.tif").write_bytes(b"")
    (tmp_path / "half.png").write_bytes(picture.read_bytes()[: picture.stat().st_size // 2])
    before = sorted(tmp_path.rglob("*"))
    result = run("convert", tmp_path / source, tmp_path / target)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("rrip: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_usage_errors(picture, tmp_path):
    for arguments in (["convert", picture], ["convert", picture, tmp_path / "a.rrip.zarr", "-q", "200"], ["nonsense"]):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
    result = run("convert", picture, tmp_path / "a.rrip.zarr", "--base-tile", "100")
    assert result.exit_code == 1
    assert "multiple of 16" in result.stderr


def test_unwritable_target(picture, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write anywhere")
    result = run("convert", picture, folder / "a.rrip.zarr")
    assert result.exit_code == 1
    assert "permission" in result.stderr


def test_a_target_on_a_file_system_that_refuses(picture):
    if not Path("/proc/version").exists():
        pytest.skip("no /proc")
    result = run("convert", picture, "/proc/a.rrip.zarr")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["odd/histolab-broken.svs", "odd/osp-unopenable.tiff", "odd/osp-unreadable.svs"])
def test_broken_slides(name, testdata, tmp_path):
    result = run("convert", testdata(name), tmp_path / "a.rrip.zarr")
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    assert Path(name).name in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_damaged_slides_are_refused_or_right(testdata, tmp_path):
    """Each variant of one slide: a clear refusal, or the pixels of the undamaged slide."""
    import numpy as np

    import rrip_format

    maker, original = testdata("odd/make_damaged_svs.py"), testdata("CMU-1-Small-Region.svs")
    subprocess.run([sys.executable, maker, original, tmp_path / "damaged"], check=True, capture_output=True)
    variants = sorted((tmp_path / "damaged").glob("*.svs"))
    assert len(variants) == 20
    out = tmp_path / "out"
    out.mkdir()
    rrip_format.convert(original, out / "reference.rrip.zarr")
    with rrip_format.open(out / "reference.rrip.zarr") as slide:
        expected = slide.read_region(0, 0, 0, slide.geometry.height, slide.geometry.width)
    right = []
    for variant in variants:
        target = out / f"{variant.stem}.rrip.zarr"
        result = run("convert", variant, target)
        if result.exit_code == 0:
            right.append(variant.stem)
            with rrip_format.open(target) as slide:
                found = slide.read_region(0, 0, 0, slide.geometry.height, slide.geometry.width)
            assert found.shape == expected.shape, variant.name
            assert np.abs(found.astype(int) - expected).mean() < 0.5, variant.name
        else:
            assert result.exit_code == 1, variant.name
            assert result.stderr.count("\n") == 1
            assert variant.name in result.stderr
            assert not target.exists()
    assert right == ["mpp-decimal-comma", "no-imagedescription"]
    assert not list(out.glob(".*"))


def test_info_prints_settings_as_words(picture, tmp_path):
    run("convert", picture, tmp_path / "a.rrip.zarr", "--quality", "70")
    line = next(
        line for line in run("info", tmp_path / "a.rrip.zarr").stdout.splitlines() if line.startswith("  settings ")
    )
    assert line.startswith("  settings   quality 70, tile ")
    assert not {"{", "'", "None", "False"} & set(re.findall(r"[{']|None|False", line))


def test_info_of_what_is_no_container(picture, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (picture, tmp_path / "folder", tmp_path / "missing.rrip.zarr"):
        result = run("info", path)
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert str(path) in result.stderr


def test_demo(tmp_path):
    result = run("demo", "--out", tmp_path / "demo", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["rrip"]["psnr_y"][0] > 38
    below, above = found["jpeg"]
    assert below["psnr_y"][0] < found["rrip"]["psnr_y"][0] <= above["psnr_y"][0]
    assert found["rrip"]["bytes"] < below["bytes"]
    assert Path(found["side_by_side"]).stat().st_size > 100_000
    Path(found["side_by_side"]).unlink()
    Path(found["side_by_side"]).mkdir()
    hindered = run("demo", "--out", tmp_path / "demo")
    assert hindered.exit_code == 1
    assert "side-by-side.png" in hindered.stderr
    Path(found["side_by_side"]).rmdir()
    again = run("demo", "--out", tmp_path / "demo")
    assert again.exit_code == 0
    assert "RRIP takes" in again.stdout


def test_the_installed_command_works_and_is_quiet_without_a_terminal(picture, tmp_path):
    command = [sys.executable, "-m", "rrip_format", "convert", str(picture), str(tmp_path / "a.rrip.zarr")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""


def test_an_unexpected_error_is_one_line_too(picture, tmp_path, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("a bug")

    monkeypatch.setattr("rrip_format.conversion.run.convert", broken)
    result = run("convert", picture, tmp_path / "a.rrip.zarr")
    assert result.exit_code == 70
    assert "--debug" in result.stderr
    assert isinstance(run("--debug", "convert", picture, tmp_path / "a.rrip.zarr").exception, RuntimeError)


def test_a_container_is_copied_not_encoded(picture, tmp_path):
    first = tmp_path / "a.rrip.zarr"
    assert run("convert", picture, first, "--base-tile", 64).exit_code == 0
    for source, target in (
        ("a.rrip.zarr", "b.rrip.tif"),
        ("b.rrip.tif", "c.rrip.zarr.zip"),
        ("c.rrip.zarr.zip", "d.rrip.zarr"),
    ):
        result = run("convert", tmp_path / source, tmp_path / target)
        assert result.exit_code == 0, result.output
    assert hash_tree(first) == hash_tree(tmp_path / "d.rrip.zarr")
    refused = run("convert", first, tmp_path / "e.rrip.tif", "--quality", 50)
    assert refused.exit_code == 2
    assert not (tmp_path / "e.rrip.tif").exists()


def test_associated_images_are_kept_and_the_label_only_when_asked(testdata, tmp_path):
    import rrip_format

    source = testdata("CMU-1-Small-Region.svs")
    for name, options, expected in (
        ("a", [], {"thumbnail", "macro"}),
        ("b", ["--label"], {"thumbnail", "macro", "label"}),
    ):
        assert run("convert", source, tmp_path / f"{name}.rrip.zarr", *options).exit_code == 0
        with rrip_format.open(tmp_path / f"{name}.rrip.zarr") as slide:
            assert set(slide.associated_images()) == expected


def test_a_container_by_another_name_is_still_copied(picture, tmp_path):
    """To OpenSlide it is a small TIFF slide: taking it for one would lose the finest levels without a word."""
    import rrip_format

    assert run("convert", picture, tmp_path / "a.rrip.tif").exit_code == 0
    (tmp_path / "a.rrip.tif").rename(tmp_path / "renamed.tif")
    assert run("convert", tmp_path / "renamed.tif", tmp_path / "b.rrip.zarr").exit_code == 0
    with rrip_format.open(tmp_path / "b.rrip.zarr") as slide:
        assert (slide.geometry.width, slide.geometry.height) == (280, 300)
    with pytest.raises(rrip_format.RripError, match="is an RRIP container"):
        rrip_format.convert(tmp_path / "renamed.tif", tmp_path / "c.rrip.zarr")
    damaged = bytearray((tmp_path / "renamed.tif").read_bytes())
    damaged[damaged.index(b'"taps"') + 9] ^= 1
    (tmp_path / "damaged.tif").write_bytes(damaged)
    assert run("convert", tmp_path / "damaged.tif", tmp_path / "d.rrip.zarr").exit_code == 1


def test_names_in_a_file_cannot_steer_the_terminal(tmp_path):
    import rrip_format
    from rrip_format.sources import open_source

    with open_source(tissue(64, 64)) as source:
        source.info = dataclasses.replace(source.info, vendor="\x1b]0;owned\x07\x1b[2J")
        rrip_format.convert(source, tmp_path / "a.rrip.zarr")
    assert "\x1b" not in run("info", tmp_path / "a.rrip.zarr").stdout


def test_a_reader_that_goes_away_is_no_error(picture, tmp_path):
    run("convert", picture, tmp_path / "a.rrip.zarr")
    command = f"{shlex.join([sys.executable, '-m', 'rrip_format', 'info', str(tmp_path / 'a.rrip.zarr')])} | true"
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert result.stderr == ""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_convert_and_info_state_the_same_size(picture, tmp_path, suffix):
    import rrip_format

    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    for source, target in ((picture, first), (first, second)):
        printed = run("convert", source, target).stdout
        found = rrip_format.info(target)
        stated = re.search(r"total +([\d.]+ [kM]?B)", run("info", target).stdout)[1]
        assert stated in printed
        told = json.loads(run("convert", source, target, "--overwrite", "--json").stdout)
        assert told["total_bytes"] == found["bytes"]["total"]
        assert told["stored_bytes"] == sum(level["bytes"] for level in found["levels"])
        if source == picture:
            share = re.search(r"(\d+)% of its source", printed)[1]
            assert int(share) == round(100 * found["bytes"]["total"] / picture.stat().st_size)


def test_help_is_not_cut_off():
    for option in ("-h", "--help"):
        shown = run(option).stdout
        assert "..." not in shown.partition("Commands:")[2]
        assert max(map(len, shown.splitlines())) < 80
    listed = shown.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == sorted(main.commands)  # a line each
    for name, command in main.commands.items():
        assert command.short_help, name
        assert "..." not in run(name, "--help").stdout


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option):
    import rrip_format

    assert run(option).stdout == f"rrip, version {rrip_format.__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rrip", "con"], "plain,convert"),
        (["rrip", "info", "sli"], "file,sli"),
        (["rrip", "convert", "sli"], "file,sli"),
        (["rrip", "convert", "slide.svs", "ou"], "file,ou"),
        (["rrip", "convert", "--out-dir", "ou"], "dir,ou"),
        (["rrip", "convert", "--kind", "z"], "plain,zip"),
        (["rrip", "validate", "a.rrip.tif", "--source", "sli"], "file,sli"),
        (["rrip", "repair", "sli"], "file,sli"),
        (["rrip", "export", "a.rrip.tif", "sli"], "file,sli"),
        (["rrip", "evaluate", "sli"], "file,sli"),
    ],
)
def test_the_shell_completes(words, expected):
    environment = {
        **os.environ,
        "_RRIP_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, "-c", "from rrip_format.cli import main; main(prog_name='rrip')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [expected], done.stderr


def test_bash_takes_the_completion_as_documented(tmp_path):
    """In a shell that has ``rrip``: what it offers for the first argument are files."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text("utf-8")
    line = 'eval "$(_RRIP_COMPLETE=bash_source rrip)"'
    assert line in page
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    program = tmp_path / "rrip"
    # Not as "#!" with Python's path, which must not hold a space.
    code = "from rrip_format.cli import main; main(prog_name='rrip')"
    program.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, '-c', code])}\n")
    program.chmod(0o755)
    typed = "COMP_WORDS=(rrip info s) COMP_CWORD=2; _rrip_completion rrip; complete -p rrip"
    script = f"{line}\ncompopt() {{ printf '%s ' compopt \"$@\"; }}\n{typed}"
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "compopt -o default" in done.stdout, done.stderr
    assert "-F _rrip_completion rrip" in done.stdout, done.stderr
