"""The kernels of this processor, which all have to give the same results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rrip_format.core.library import list_cores, use_core

CORES = list_cores()


@contextmanager
def using(name: str) -> Iterator[None]:
    """Use the kernels of that name in this context."""
    before = use_core(name)
    try:
        yield
    finally:
        use_core(before)
