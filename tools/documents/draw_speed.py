"""Draw the picture of ``docs/speed.md`` from the tables of ``docs/records/speed.md``.

::

    python tools/documents/draw_speed.py docs/records/speed.md docs/speed.svg
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

__all__ = ["PANELS", "Panel", "draw", "read_cell"]

WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 760, 290, 70, 18, 7, 44
OURS, OTHERS, TEXT = "#5e35b1", "#b0a8bd", "#222222"


@dataclass(frozen=True, slots=True)
class Panel:
    """One group of bars: a title, the table of the record by its first cell, and which cells are drawn.

    A bar is (label, row, column); its number is the first one of that cell.
    """

    title: str
    table: str
    bars: tuple[tuple[str, str, str], ...]


def _rows(column: str, *rows: tuple[str, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple((label, row, column) for label, row in rows)


def _columns(row: str, *columns: tuple[str, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple((label, row, column) for label, column in columns)


PANELS = (
    Panel(
        "Read a whole level 0, one core, equal PSNR-Y: megapixels a second",
        "fields",
        _rows(
            "L0 MP/s, 1 core(s)",
            ("RRIP, rrip_format.open", "RRIP, open + read_region"),
            ("RRIP, zarr", "RRIP, zarr"),
            ("JPEG, tiles in memory", "JPEG 4:2:0, tiles alone"),
            ("JPEG chunks, zarr", "JPEG chunks, zarr"),
            ("JPEG TIFF, tifffile, zarr", "JPEG TIFF, tifffile, zarr"),
            ("JPEG TIFF, OpenSlide", "JPEG TIFF, OpenSlide"),
            ("HTJ2K, in memory", "HTJ2K, one stream, tiles alone"),
            ("AVIF, tiles in memory", "AVIF 4:4:4, tiles alone"),
            ("JPEG XL, tiles in memory", "JPEG XL, effort 5, tiles alone"),
            ("JPEG 2000, in memory", "JPEG 2000, one stream, tiles alone"),
        ),
    ),
    Panel(
        "Random patches of 512 × 512 px of level 0, one thread: patches a second",
        "patches/s",
        _columns(
            "512², L0, 1 threads",
            ("RRIP, rrip_format.open", "RRIP, direct"),
            ("RRIP, zarr", "RRIP, zarr"),
            ("RRIP, RripSlide", "RRIP, RripSlide"),
            ("JPEG TIFF, tifffile, zarr", "JPEG TIFF, tifffile, zarr"),
            ("JPEG TIFF, OpenSlide", "JPEG TIFF, OpenSlide"),
        ),
    ),
    Panel(
        "Convert 254 megapixels of tissue, two workers: megapixels a second",
        "tissue, 254 MP",
        _rows(
            "MP/s (quartiles)",
            ("RRIP, --effort fast", "RRIP, fast, 2 worker(s)"),
            ("RRIP, default", "RRIP, default, 2 worker(s)"),
            ("RRIP, --effort best", "RRIP, best, 2 worker(s)"),
            ("libvips tiffsave, Q 90", "libvips tiffsave, Q 90, 2 worker(s)"),
            ("libvips dzsave, Q 90", "libvips dzsave, Q 90, 2 worker(s)"),
        ),
    ),
)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def read_cell(record: str, table: str, row: str, column: str) -> str:
    """Return the first word of a cell: of the tables whose first cell is `table`, the first that has row and column.

    Raises
    ------
    KeyError
        If no table has it.
    """
    columns: list[str] | None = None
    for line in record.splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = _cells(line)
        if columns is None:
            columns = cells if cells[0] == table and column in cells else []
        elif columns and cells[0] == row:
            return cells[columns.index(column)].split()[0]
    raise KeyError(f"no table {table!r} with row {row!r} and column {column!r}")


def draw(record: str) -> str:
    """Return the picture as SVG, from the text of the record."""
    parts, y = [], 0
    for panel in PANELS:
        numbers = [(label, read_cell(record, panel.table, row, column)) for label, row, column in panel.bars]
        scale = (WIDTH - LEFT - RIGHT) / max(float(number) for _, number in numbers)
        parts.append(f'<text x="16" y="{y + 28}" font-weight="bold">{escape(panel.title)}</text>')
        y += HEAD
        for label, number in numbers:
            colour = OURS if label.startswith("RRIP") else OTHERS
            length, middle = float(number) * scale, y + BAR - 5
            parts += [
                f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(label)}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>',
                f'<text x="{LEFT + length + 8:.1f}" y="{middle}">{number}</text>',
            ]
            y += BAR + GAP
    height = y + 12
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' font-family="sans-serif" font-size="14" fill="{TEXT}">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>', *parts, "</svg>", ""])


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(draw(source.read_text("utf-8")), "utf-8")
