"""A slide of more than 15,000 px in a moment, for counting requests."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from conftest import tissue
from spread_slide import spread

from rrip_format.conversion.run import convert
from rrip_format.tuning.settings import Settings

WIDTH, HEIGHT = 17_124, 16_610

FIRST, SECOND = UUID("00000000-0000-4000-8000-000000000001"), UUID("00000001-0000-4000-8000-000000000001")


def make_large_slide(target: Path, width: int = WIDTH, height: int = HEIGHT, *, uuid: UUID = FIRST) -> Path:
    """Write a container of that size, whose tiles are those of nine families over and over."""
    small = target.with_name("small.rrip.zarr")
    if not small.exists():
        convert(tissue(1536, 1536, seed=5), small, Settings(effort="fast", steps=(8.0, 8.0, 8.0, 9.0)), workers=2)
    return spread(small, target, width, height, uuid)
