"""README and the page on speed state the figures of the record, and the picture shows them."""

from __future__ import annotations

import re

import draw_speed
import pytest
from pages import REPOSITORY

RECORD = (REPOSITORY / "docs" / "records" / "speed.md").read_text("utf-8")

README = {
    "JPEG 2000, one stream, decoded in memory, 1 core": "L0, direct reader to JPEG 2000, one stream, 1 core",
    "JPEG XL, effort 5, tiles decoded in memory, 1 core": "L0, direct reader to JPEG XL, effort 5, 1 core",
    "JPEG TIFF through OpenSlide, 2 cores": "L0, direct reader to OpenSlide, all cores",
    "JPEG TIFF through tifffile's Zarr store, 2 cores": "L0, direct reader to tifffile's zarr, all cores",
    "JPEG chunks through zarr (RRIP through zarr too), 1 core": "L0, zarr to JPEG chunks through zarr, 1 core",
    "JPEG 4:2:0, tiles decoded in memory and not put together, 1 core": (
        "L0, direct reader, in one picture, to JPEG tiles alone, 1 core"
    ),
}
"""Rows of README's table of speed, and those of the record that they repeat."""

PAGE = {
    r"is ([\d.]+) times as fast as decoding the tiles of a JPEG": README[
        "JPEG 4:2:0, tiles decoded in memory and not put together, 1 core"
    ],
    r"([\d.]+) times as fast as tifffile's Zarr store": "L0, direct reader to tifffile's zarr, all cores",
    r"([\d.]+) times as fast as OpenSlide": "L0, direct reader to OpenSlide, all cores",
    r"The first pixels are there ([\d.]+) s": "first pixels, direct reader, s with Python and numpy",
    r"with ([\d.]+) MiB of memory": "peak memory of the first, MiB",
}
"""Sentences of the page on speed, and the rows of the record that they repeat."""


def measured(row: str, on: str | None = None) -> float:
    """The median of a row of the tables of what must hold."""
    for line in RECORD.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == row and on in {None, cells[1]}:
            return float(cells[2].split()[0])
    raise AssertionError(f"the record has no row {row!r} on {on}")


def repeats(text: str, value: float) -> bool:
    """Whether a number is the measured one with as many digits as it has."""
    return float(text) == round(value, len(text.partition(".")[2]))


@pytest.mark.parametrize("label", README)
def test_readme(label):
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    cells = re.search(rf"^\| {re.escape(label)} \| (\S+) \| (\S+) \|$", readme, re.MULTILINE)
    assert cells is not None
    for text, on in zip(cells.groups(), ("fields", "native"), strict=True):
        assert repeats(text, measured(README[label], on)), (label, on)


@pytest.mark.parametrize("sentence", PAGE)
def test_page(sentence):
    page = " ".join((REPOSITORY / "docs" / "speed.md").read_text("utf-8").split())
    found = re.search(sentence, page)
    assert found is not None
    assert repeats(found[1], measured(PAGE[sentence]))


def test_the_picture_is_drawn_from_the_record():
    assert (REPOSITORY / "docs" / "speed.svg").read_text("utf-8") == draw_speed.draw(RECORD)


def test_a_cell_is_found_by_its_table_row_and_column():
    record = "| a | x |\n|---|---|\n| r | 1 |\n\n| a | y |\n|---|---|\n| q | 2 |\n| r | 3.5 (3–4) |\n"
    assert draw_speed.read_cell(record, "a", "r", "y") == "3.5"
    with pytest.raises(KeyError, match="no table 'b'"):
        draw_speed.read_cell(record, "b", "r", "y")
