"""The one door to Numba: how every kernel of the package is compiled."""

from __future__ import annotations

import functools
import hashlib
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

__all__ = ["brief", "inlined", "inner", "kernel"]


@functools.cache
def _stamp() -> str:
    """What the source of all kernels is: Numba looks at one file, but machine code is made of several."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    digest = hashlib.sha256()
    for source in (path.read_bytes() for path in sources):
        if b"kernels import" in source:
            digest.update(source)
    return digest.hexdigest()


class _Cache(FunctionCache):  # type: ignore[misc]
    """Machine code on disk, which is a help and no more: a full disk or a damaged file must not stop a reader."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = _stamp()  # noqa: SLF001

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (OSError, EOFError, pickle.UnpicklingError):
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError, EOFError, pickle.UnpicklingError):  # it reads the index before it writes
            super().save_overload(sig, data)


def kernel(function: Any) -> Any:
    """Compile lazily, without the interpreter lock, with the machine code kept on disk if the place is writable.

    Without Numba's ``fastmath`` neither order nor rounding of floating-point operations changes, so that the same input
    gives the same bytes on every machine.
    """
    return _compiled(function, nogil=True)


def brief(function: Any) -> Any:
    """A kernel of a few microseconds, whatever it gets, with the interpreter lock: to get that back takes longer."""
    return _compiled(function, nogil=False)


def _compiled(function: Any, *, nogil: bool) -> Any:
    compiled = numba.njit(nogil=nogil, boundscheck=False, no_cfunc_wrapper=True)(function)
    with suppress(RuntimeError):  # Numba finds no cache directory that it can write: compile once a process instead
        compiled._cache = _Cache(function)  # noqa: SLF001  (as `cache=True` does with its own)
    return compiled


_PART = {"nogil": True, "boundscheck": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
"""What a part of a kernel is compiled with. It does not count references to arrays, which the kernel holds: in a short
loop that took as long as the loop. So it cannot make any, and is given the memory that it needs."""


def inlined(function: Any) -> Any:
    """A part of a kernel that becomes one with it: a call would cost more than what it does."""
    return numba.njit(**_PART, forceinline=True)(function)


def inner(function: Any) -> Any:
    """A kernel that only kernels call."""
    return numba.njit(**_PART)(function)
