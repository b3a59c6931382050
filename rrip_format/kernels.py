"""The one door to Numba: how every kernel of the package is compiled."""

from __future__ import annotations

from typing import Any

import numba

__all__ = ["inlined", "inner", "kernel"]


def kernel(function: Any) -> Any:
    """Compile lazily, without the interpreter lock, with the machine code kept on disk if the place is writable.

    Without Numba's ``fastmath`` neither order nor rounding of floating-point operations changes, so that the same input
    gives the same bytes on every machine.
    """
    try:
        return numba.njit(nogil=True, cache=True, boundscheck=False)(function)
    except RuntimeError:  # Numba found no cache directory that it can write: compile once a process instead
        return numba.njit(nogil=True, boundscheck=False)(function)


def inlined(function: Any) -> Any:
    """A part of a kernel that becomes one with it: a call would cost more than what it does."""
    return numba.njit(nogil=True, boundscheck=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )


def inner(function: Any) -> Any:
    """A kernel that only kernels call."""
    return numba.njit(nogil=True, boundscheck=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
