"""The old name of :mod:`rrip_format.describing`; remove it when nothing in ``tools`` imports it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .describing import describe, format_bytes, format_info, info

__all__ = ["describe", "format_bytes", "format_info"]


class _Module(ModuleType):
    """What an import puts in the place of the public function of this name is called as that is."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return info(*args, **options)


sys.modules[__name__].__class__ = _Module
__wrapped__ = info  # whose signature it has
