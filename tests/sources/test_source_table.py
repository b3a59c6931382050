"""The table of the documents says what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from source_table import by_openslide, rows

DOCUMENT = Path(__file__).parents[2] / "docs" / "sources.md"


@pytest.mark.filterwarnings("ignore")
def test_the_table_is_what_happens():
    lines = [line.split(" | ") for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    table = {(cells[0].removeprefix("| "), cells[1]): cells[2] for cells in lines if len(cells) == 6}
    made = {(case.kind, case.storage): why for case, why, _ in rows()}
    assert None not in made.values(), "a kind is read now: take it out of the table"
    assert {key: why for key, why in table.items() if key != ("source", "compression")} == made


@pytest.mark.filterwarnings("ignore")
def test_the_files_of_the_table_are_what_they_say():
    """OpenSlide reads those that differ from a plain TIFF in depth alone."""
    read = {case.kind for case, _, path in rows() if path.suffix == ".tif" and by_openslide(path)}
    assert {"TIFF, 16-bit RGB", "TIFF, 16-bit gray"} <= read
