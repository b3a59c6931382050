"""Which byte ranges to ask a server for: neighbours in one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["GAP_BYTES", "MANY", "MERGED_BYTES", "Merged", "Range", "merge_ranges", "plan_ranges"]

Range = tuple[int, int]
"""Offset and length, bytes."""

GAP_BYTES = 1 << 16
"""Most bytes between two ranges that are read and thrown away to save a request (chosen in ``docs/remote.md``)."""

MANY = 16
"""Where more requests than this are left, twice the gap is read: that is little beside what is wanted."""

MERGED_BYTES = 1 << 23
"""Most bytes of one request, unless a single range has more."""


@dataclass(frozen=True, slots=True)
class Merged:
    """One request.

    Parameters
    ----------
    offset, length : int
    parts : tuple of int
        Positions of the ranges that it covers, in the sequence that was given.
    """

    offset: int
    length: int
    parts: tuple[int, ...]


def merge_ranges(ranges: Sequence[Range], gap: int = GAP_BYTES, most: int = MERGED_BYTES) -> list[Merged]:
    """Plan requests for byte ranges, in the order of the file; ranges without bytes need none.

    Parameters
    ----------
    ranges : sequence of Range
        In any order; they may overlap.
    gap : int
        Ranges with at most so many bytes between them become one.
    most : int
        But not beyond this length.
    """
    plan: list[Merged] = []
    parts: list[int] = []
    start = end = 0
    for position in sorted(range(len(ranges)), key=ranges.__getitem__):
        offset, length = ranges[position]
        if not length:
            continue
        if parts and offset - end <= gap and max(end, offset + length) - start <= most:
            parts.append(position)
            end = max(end, offset + length)
            continue
        if parts:
            plan.append(Merged(start, end - start, tuple(parts)))
        parts, start, end = [position], offset, offset + length
    if parts:
        plan.append(Merged(start, end - start, tuple(parts)))
    return plan


def plan_ranges(ranges: Sequence[Range]) -> list[Merged]:
    """Plan requests as readers do: little is thrown away for a patch, and a large region takes few requests."""
    plan = merge_ranges(ranges)
    return plan if len(plan) <= MANY else merge_ranges(ranges, 2 * GAP_BYTES)
