"""The table of other programs, and the tool that makes it."""

from __future__ import annotations

import sys

import check_programs
import numpy as np
import pytest
from conftest import tissue
from judge import Judge


@pytest.fixture
def judge(tmp_path):
    levels = {str(level): tissue(600 >> level, 800 >> level, seed=level) for level in range(3)}
    np.savez(tmp_path / "levels.npz", **levels)
    return Judge(str(tmp_path))


def test_pixels_are_named_by_their_level(judge):
    for number, level in enumerate(judge.levels):
        assert judge.level_of(level) == f"level {number}"
        assert judge.level_of(np.dstack([level, level[..., 0]])) == f"level {number}"
    near = judge.levels[1].copy()
    near[5, 6] += 1
    assert judge.level_of(near) == "level 1, samples within 4"


def test_wrong_pixels_are_noticed(judge):
    assert judge.level_of(np.full((600, 800, 3), 255, np.uint8)) == "WRONG: nothing but 255"
    assert judge.level_of(judge.levels[0][::-1]).startswith("WRONG: other pixels")
    page = np.zeros((48, 352), np.uint8)
    page[20:30, 40:60] = 255
    for shown in (page, np.dstack([page] * 3)):
        assert judge.level_of(shown).startswith("a small page")
    assert judge.level_of(np.full((48, 352, 3), 255, np.uint8)) == "WRONG: nothing but 255"


def test_a_refusal_is_told_in_its_own_words(judge):
    def refuse():
        raise ValueError("no such codec\nand more")

    judge.look("a way", refuse)
    assert judge.rows == [("a way", "refused: no such codec")]


def test_rows_of_one_container_are_put_together():
    rows = [
        (f"`a`, array `{name}`", result) for name, result in (("0", "level 0"), ("1", "level 1"), ("base/0", "level 2"))
    ]
    rows += [("`a`, array `2`", "level 1"), ("`b`", "level 0")]
    assert list(check_programs.together(rows)) == [
        ("`a`, array `0`, `1`, `base/0`", "its level, every pixel"),
        ("`a`, array `2`", "level 1"),
        ("`b`", "level 0"),
    ]


def test_the_page_has_every_program_and_nothing_wrong():
    page = check_programs.PAGE.read_text(encoding="utf-8")
    table = page.partition(check_programs.BEGIN)[2].partition(check_programs.END)[0]
    assert "WRONG" not in table
    titles = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    for program in check_programs.PROGRAMS:
        assert any(program.name in title for title in titles), program.name
        assert (check_programs.HERE / "probes" / program.probe).is_file()


def run_tool(monkeypatch, folder, options, *, uninstallable=None, crashes=(), shown="level 0"):
    """Run the tool with programs that install and show nothing real."""

    def install(program, *_):
        if program.key in (uninstallable or {}):
            raise uninstallable[program.key]("no network")
        return folder

    def probe(program, *_):
        if program.key in crashes:
            raise RuntimeError("a crash")
        return "", [("a way", shown)]

    monkeypatch.setattr(check_programs, "make_containers", lambda *_: None)
    monkeypatch.setattr(check_programs, "environment", install)
    monkeypatch.setattr(check_programs, "probe", probe)
    monkeypatch.setattr("sys.argv", ["check_programs.py", "--work", str(folder), *options])
    return check_programs.main()


def test_ci_skips_what_cannot_be_installed(monkeypatch, capsys, tmp_path):
    assert run_tool(monkeypatch, tmp_path, ["--quick"], uninstallable={"zarr_alone": RuntimeError}) == 0
    said = capsys.readouterr()
    assert said.err == "skipped: zarr-python cannot be installed: no network\n"
    assert "| zarr-python | a way" not in said.out
    assert "| GDAL, by rasterio | a way | level 0 |" in said.out
    assert run_tool(monkeypatch, tmp_path, ["zarr_alone"], uninstallable={"zarr_alone": RuntimeError}) == 2


def test_ci_waits_for_a_slow_mirror_once(monkeypatch, capsys, tmp_path):
    slow = dict.fromkeys(["zarr_alone", "gdal"], check_programs.NotInTimeError)
    assert run_tool(monkeypatch, tmp_path, ["--quick"], uninstallable=slow) == 0
    said = capsys.readouterr()
    assert said.err.endswith("no network\nskipped: all programs after it\n")
    assert [line.split("|")[1].strip() for line in said.out.splitlines() if "a way" in line] == [
        "zarr-python with this package"
    ]


def test_ci_skips_no_failure(monkeypatch, capsys, tmp_path):
    assert run_tool(monkeypatch, tmp_path, ["--quick"], crashes=["gdal"]) == 2
    assert "GDAL, by rasterio: cannot be run: a crash" in capsys.readouterr().err
    assert run_tool(monkeypatch, tmp_path, ["--quick"], shown="WRONG: nothing but 255") == 1


def test_what_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(check_programs, "MOST_SECONDS", 0.2)
    with pytest.raises(check_programs.NotInTimeError, match="not done after"):
        check_programs.run([sys.executable, "-c", "import time; time.sleep(60)"])
