"""Private names of other packages that rrip_format depends on.

They are used here alone, and ``tests/house/test_compat.py`` fails with the name and version of the package whose
release has removed or changed one.
"""

from __future__ import annotations

from typing import Any

__all__ = ["openslide_cache_bytes"]


def openslide_cache_bytes(cache: Any, default: int) -> int:
    """Return the capacity in bytes of an ``openslide.OpenSlideCache``, which has no public name for it."""
    return int(getattr(cache, "_capacity", default))
