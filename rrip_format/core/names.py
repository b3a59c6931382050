"""Name the file of the compiled core. The build loads this module by its path, so it imports nothing of the package."""

from __future__ import annotations

import sys


def library_name(system: str = sys.platform) -> str:
    """Name of the library, which stands beside this file, on an operating system as ``sys.platform`` names it."""
    return {"darwin": "librrip.dylib", "win32": "rrip.dll"}.get(system, "librrip.so")
