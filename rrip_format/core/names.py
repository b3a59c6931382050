"""File name of the compiled core. The build loads this module by its path, so it imports nothing of the package."""

from __future__ import annotations

import sys


def library_name(system: str = sys.platform) -> str:
    """Return the file name of the library on an operating system, named as in ``sys.platform``."""
    return {"darwin": "librrip.dylib", "win32": "rrip.dll"}.get(system, "librrip.so")
