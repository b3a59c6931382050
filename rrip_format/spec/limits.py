"""What a reader accepts at most (spec section 12).

Each limit can be changed for a process and its children by a variable of the environment, ``RRIP_MAX_FAMILIES`` and so
on, also from a program: it is read at each use.
"""

from __future__ import annotations

import os

from ..errors import LimitError, RripError

__all__ = ["LIMITS", "check_limit", "limit"]

LIMITS = {
    "families": 1 << 28,
    "metadata_bytes": 1 << 26,
    "metadata_marks": 1 << 17,
    "metadata_depth": 64,
    "attachment_bytes": 1 << 28,
    "attachment_px": 1 << 25,
    "directory_bytes": 1 << 24,
}
"""By name. Families bound pixels and tiles as well, and their bitmap then fits 32 MiB. Marks are the characters
``, [ { " \\`` of a JSON document: they bound the number of its values and escapes, so its memory and time. The
directory of a zip archive takes some twelve times its size in memory; 16 MiB are about 280,000 members, a slide of 24
gigapixels.
"""


def limit(name: str) -> int:
    """The limit of that name.

    Raises
    ------
    RripError
        If its variable of the environment is no positive integer.
    """
    variable = f"RRIP_MAX_{name.upper()}"
    text = os.environ.get(variable)
    if text is None:
        return LIMITS[name]
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19 and int(text)):
        raise RripError(f"{variable} is {text!r}, expected a positive integer")
    return int(text)


def check_limit(name: str, found: int, what: str, *, rule: str) -> None:
    """Raise :class:`LimitError` of a rule where more is found than accepted."""
    most = limit(name)
    if found > most:
        unit = name.partition("_")[2] or name
        raise LimitError(
            f"{what} has {found} {unit}, this reader accepts {most}; RRIP_MAX_{name.upper()} changes that", rule=rule
        )
