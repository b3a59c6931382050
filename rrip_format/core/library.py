"""Load the compiled core with ctypes and declare the functions of ``src/rrip.h``.

The library does not use Python's C API, so one build works with every Python version, and calls release the GIL.
"""

from __future__ import annotations

import ctypes
import os
import threading
from ctypes import (
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int16,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LimitError, RripError
from .names import library_name

__all__ = [
    "SIGNATURES",
    "Coding",
    "Fault",
    "Quantiser",
    "Residual",
    "Target",
    "Window",
    "address",
    "call",
    "core",
    "core_name",
    "library",
    "list_cores",
    "scratch",
    "use_core",
]

ABI = 2
"""``RRIP_ABI`` of the header that these declarations match."""


class Fault(Structure):
    """``rrip_fault``: a problem found in the input, and where."""

    _fields_ = (
        ("code", c_int32),
        ("tile", c_int32),
        ("plane", c_int32),
        ("zero", c_int32),
        ("numbers", c_int64 * 4),
    )


class Residual(Structure):
    """``rrip_residual``: parameters of the prediction of a residual level."""

    _fields_ = (("taps", c_int16 * 4), ("chroma_taps", c_int16 * 4), ("cfl", c_int16 * 2), ("planes", c_int16))


class Coding(Structure):
    """``rrip_coding``: what decoding needs besides tiles."""

    _fields_ = (("slide", c_uint8 * 8), ("tile", c_int32), ("residuals", Residual * 2), ("filter", c_int16 * 4))


class Window(Structure):
    """``rrip_window``: rows and columns of a tile."""

    _fields_ = (("top", c_int32), ("bottom", c_int32), ("left", c_int32), ("right", c_int32))


class Target(Structure):
    """``rrip_target``: the memory that samples are written to."""

    _fields_ = (
        ("data", c_void_p),
        ("size", c_uint64),
        ("start", c_uint64),
        ("plane_stride", c_uint64),
        ("row_stride", c_uint64),
        ("pixel_stride", c_uint64),
    )


class Quantiser(Structure):
    """``rrip_quantiser``: quantiser steps and the weight of the bit rate."""

    _fields_ = (("steps", c_uint8 * 64), ("rate", c_float))


_CORE, _MEMORY, _FAULT = c_void_p, c_void_p, POINTER(Fault)
SIGNATURES: dict[str, tuple[Any, ...]] = {  # type of the result, then types of the arguments
    "rrip_abi": (c_int,),
    "rrip_sources": (c_char_p,),
    "rrip_core_best": (c_void_p,),
    "rrip_core_named": (c_void_p, c_char_p),
    "rrip_core_name": (c_char_p, _CORE),
    "rrip_core_list": (c_char_p, c_size_t),
    "rrip_crc32c": (c_uint32, _CORE, c_uint32, _MEMORY, c_size_t),
    "rrip_decode_scratch": (c_size_t, c_int32, c_size_t),
    "rrip_decode_tile": (
        *(c_int, _CORE, POINTER(Coding), c_uint32, c_uint32, c_uint32, POINTER(c_char_p), POINTER(c_size_t)),
        *(POINTER(Window), POINTER(Target), _MEMORY, c_size_t, _FAULT),
    ),
    "rrip_decode_stream": (
        *(c_int, _CORE, _MEMORY, c_size_t, c_int32, c_int32, c_int32, c_int32, _MEMORY, _MEMORY, c_size_t, _FAULT),
    ),
    "rrip_predict_scratch": (c_size_t,),
    "rrip_up2": (c_int, _CORE, _MEMORY, c_int32, c_int32, POINTER(c_int16), _MEMORY, _MEMORY, c_size_t),
    "rrip_reconstruct": (
        *(c_int, _CORE, _MEMORY, c_int32, c_int32, POINTER(c_void_p), POINTER(Residual), POINTER(Window), c_int32),
        *(POINTER(Target), _MEMORY, c_size_t),
    ),
    "rrip_filter_scratch": (c_size_t, c_int32),
    "rrip_filter_luma": (*(c_int, _CORE, _MEMORY, c_int32, c_int32, POINTER(c_int16), _MEMORY, _MEMORY, c_size_t),),
    "rrip_convert_planes": (*(c_int, _CORE, _MEMORY, c_int32, c_int32, POINTER(Window), c_int32, POINTER(Target)),),
    "rrip_rgb_to_ycc": (c_int, _CORE, _MEMORY, c_int32, c_int32, _MEMORY),
    "rrip_rgb_to_exact_ycc": (c_int, _CORE, _MEMORY, c_int32, c_int32, _MEMORY),
    "rrip_difference": (c_int, _CORE, _MEMORY, c_int32, c_int32, c_int32, c_int32, _MEMORY, _MEMORY),
    "rrip_back_project_scratch": (c_size_t, c_int32, c_int32),
    "rrip_back_project": (
        *(c_int, _CORE, _MEMORY, _MEMORY, c_int32, c_int32, POINTER(c_int16), _MEMORY, _MEMORY, c_size_t),
    ),
    "rrip_box2": (c_int, _CORE, _MEMORY, c_int32, c_int32, _MEMORY),
    "rrip_encode_scratch": (c_size_t, c_int32, c_int32, c_int32),
    "rrip_encode": (
        *(c_int, _CORE, _MEMORY, c_int32, c_int32, c_int32, POINTER(Quantiser), c_int32, c_int32, _MEMORY, _MEMORY),
        *(c_size_t, POINTER(c_void_p), POINTER(c_size_t)),
    ),
    "rrip_luma": (c_int, _CORE, _MEMORY, c_int32, c_int32, _MEMORY),
    "rrip_dissimilarity_scratch": (c_size_t, c_int32),
    "rrip_dissimilarity": (
        *(c_int, _CORE, _MEMORY, _MEMORY, c_int32, c_int32, _MEMORY, c_int32, c_float, c_float, POINTER(c_double)),
        *(_MEMORY, c_size_t),
    ),
    "rrip_is_sound_jpeg": (c_int, _CORE, _MEMORY, c_size_t, _MEMORY, c_size_t, c_int32, c_int32),
}


def _load() -> ctypes.CDLL:
    path = Path(os.environ.get("RRIP_LIBRARY") or Path(__file__).with_name(library_name()))  # the variable is for tests
    try:
        found = ctypes.CDLL(str(path))
    except OSError as error:
        raise RripError(
            f"the compiled core {path} cannot be loaded ({error}): install the package, 'pip install rrip-format' or "
            "'pip install .' in its folder"
        ) from error
    for name, (result, *arguments) in SIGNATURES.items():
        function = getattr(found, name, None)
        if function is None:
            raise RripError(f"the compiled core {path} lacks the function {name}: rebuild it with 'pip install .'")
        function.restype, function.argtypes = result, arguments
    if found.rrip_abi() != ABI:
        raise RripError(
            f"the compiled core {path} has ABI version {found.rrip_abi()}, expected {ABI}: rebuild it with "
            "'pip install .'"
        )
    return found


library = _load()


def list_cores() -> list[str]:
    """Return the names of the kernels that this processor can run, slowest first."""
    names: list[str] = []
    while name := library.rrip_core_list(len(names)):
        names.append(name.decode())
    return names


def use_core(name: str | None) -> str:
    """Select the kernels of this process by name, or the fastest for None; return the name of the previous ones.

    All kernels give the same results; this function and the environment variable ``RRIP_CORE`` are for tests and
    benchmarks.

    Raises
    ------
    ValueError
        If this processor cannot run them.
    """
    found = library.rrip_core_best() if name is None else library.rrip_core_named(name.encode())
    if not found:
        raise ValueError(f"kernels are {name!r}, expected one that this processor runs: {', '.join(list_cores())}")
    before = core_name() if _chosen else ""
    _chosen[:] = [found]
    return before


def core_name() -> str:
    """Return the name of the kernels in use."""
    name: bytes = library.rrip_core_name(core())
    return name.decode()


def core() -> int:
    """Return the handle of the kernels in use, the first argument of nearly every function."""
    return _chosen[0]


_chosen: list[int] = []
use_core(os.environ.get("RRIP_CORE") or None)


def address(data: bytes | bytearray | memoryview | NDArray[Any]) -> int:
    """Return the address of the first byte of a contiguous buffer, which the caller has to keep alive."""
    array = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
    if array.flags.writeable and array.size and array.flags.c_contiguous:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))  # four times as fast as the interface below
    found: int = array.__array_interface__["data"][0]
    return found


class _Scratch(threading.local):
    """Scratch memory of each thread, reused between calls because allocating it costs more than a small call."""

    memory: NDArray[np.uint8] = np.empty(0, np.uint8)
    start: int = 0


_LEAST, _KEPT = 1 << 12, 16 << 20
"""Least scratch memory that is allocated, and most that a thread keeps, bytes: enough for tiles of usual size."""

_scratch = _Scratch()


def scratch(size: int) -> tuple[int, int, NDArray[np.uint8]]:
    """Return address and size of scratch memory for a call in this thread, and the array that keeps it alive.

    Raises
    ------
    LimitError
        If there is not enough memory.
    """
    if _scratch.memory.size >= size:
        return _scratch.start, _scratch.memory.size, _scratch.memory
    try:
        memory = np.empty(max(size, _LEAST), np.uint8)
    except MemoryError as error:
        raise LimitError(f"not enough memory to process a tile: {size} bytes are needed") from error
    start = address(memory)
    if size <= _KEPT:
        _scratch.memory, _scratch.start = memory, start
    return start, size, memory


def call(code: int) -> None:
    """Raise ``ValueError`` for a negative code, which means a wrong call; positive codes are left to the caller."""
    if code < 0:
        reason = "the scratch memory is too small" if code == -2 else "an argument is out of range"
        raise ValueError(f"invalid call of the compiled core: {reason}")
