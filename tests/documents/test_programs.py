"""The table of other programs, and the tool that makes it."""

from __future__ import annotations

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
