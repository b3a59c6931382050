"""Upper limits of the sizes that a reader accepts (spec section 12).

An environment variable changes a limit for a process and its children, for example ``RRIP_MAX_FAMILIES``. It is read at
each use, so a program may set it in ``os.environ``.
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
"""Limits by name. That of families also limits pixels, tiles and their bitmap (32 MiB). Marks are the characters
``, [ { " \\`` of a JSON document: their number limits that of its values and escapes, and so memory and time. The
directory of a zip archive takes about twelve times its size in memory; 16 MiB are about 280,000 members, a slide of 24
gigapixels.
"""


def limit(name: str) -> int:
    """Return the limit of that name.

    Raises
    ------
    RripError
        If its environment variable is not a positive integer.
    """
    variable = f"RRIP_MAX_{name.upper()}"
    text = os.environ.get(variable)
    if text is None:
        return LIMITS[name]
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19 and int(text)):
        raise RripError(f"{variable} is {text!r}, expected a positive integer")
    return int(text)


def check_limit(name: str, found: int, what: str, *, rule: str) -> None:
    """Raise :class:`LimitError` with `rule` if `found` exceeds the limit."""
    most = limit(name)
    if found > most:
        unit = name.partition("_")[2] or name
        raise LimitError(
            f"{what} has {found} {unit}, this reader accepts {most}; the environment variable RRIP_MAX_{name.upper()} "
            "changes this limit",
            rule=rule,
        )
