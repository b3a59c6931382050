"""Plan which byte ranges to request from a server: neighbours share a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["GAP_BYTES", "MANY", "MERGED_BYTES", "Merged", "Range", "merge_ranges", "plan_ranges"]

Range = tuple[int, int]
"""Offset and length, bytes."""

GAP_BYTES = 1 << 16
"""Most bytes between two ranges that are read and discarded to save a request (chosen in ``docs/remote.md``)."""

MANY = 16
"""With more requests than this, gaps up to twice the size are read, which is little compared with the ranges."""

MERGED_BYTES = 1 << 23
"""Most bytes of one request, unless a single range has more."""


@dataclass(frozen=True, slots=True)
class Merged:
    """One request for several byte ranges.

    Parameters
    ----------
    offset, length : int
    parts : tuple of int
        Positions of the covered ranges in the given sequence.
    """

    offset: int
    length: int
    parts: tuple[int, ...]


def merge_ranges(ranges: Sequence[Range], gap: int = GAP_BYTES, most: int = MERGED_BYTES) -> list[Merged]:
    """Plan requests for byte ranges, sorted by offset; empty ranges need none.

    Parameters
    ----------
    ranges : sequence of Range
        Ranges in any order; they may overlap.
    gap : int
        Most bytes between two ranges that share a request.
    most : int
        Most bytes of a request for several ranges.
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
    """Plan requests as readers need them: few wasted bytes for a patch, few requests for a large region."""
    plan = merge_ranges(ranges)
    return plan if len(plan) <= MANY else merge_ranges(ranges, 2 * GAP_BYTES)
