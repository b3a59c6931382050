"""The picture of the page on speed shows the figures of the record, and no others."""

from __future__ import annotations

import draw_speed
import pytest
from pages import REPOSITORY

RECORD = (REPOSITORY / "docs" / "records" / "speed.md").read_text("utf-8")


def test_the_picture_is_drawn_from_the_record():
    assert (REPOSITORY / "docs" / "speed.svg").read_text("utf-8") == draw_speed.draw(RECORD)


def test_a_cell_is_found_by_its_table_row_and_column():
    record = "| a | x |\n|---|---|\n| r | 1 |\n\n| a | y |\n|---|---|\n| q | 2 |\n| r | 3.5 (3–4) |\n"
    assert draw_speed.read_cell(record, "a", "r", "y") == "3.5"
    with pytest.raises(KeyError, match="no table 'b'"):
        draw_speed.read_cell(record, "b", "r", "y")
