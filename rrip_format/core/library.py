"""Opens the compiled core by ctypes, and declares the functions of ``src/rrip.h``.

The library needs no part of Python, so one build serves every Python, and a call lets go of the interpreter lock.
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

ABI = 1
"""``RRIP_ABI`` of the header that these declarations follow."""


class Fault(Structure):
    """``rrip_fault``: what is wrong with some bytes, and where."""

    _fields_ = (
        ("code", c_int32),
        ("tile", c_int32),
        ("plane", c_int32),
        ("zero", c_int32),
        ("numbers", c_int64 * 4),
    )


class Residual(Structure):
    """``rrip_residual``: how a residual level is predicted."""

    _fields_ = (("taps", c_int16 * 4), ("chroma_taps", c_int16 * 4), ("cfl", c_int16 * 2), ("planes", c_int16))


class Coding(Structure):
    """``rrip_coding``: what decoding needs besides tiles."""

    _fields_ = (("slide", c_uint8 * 8), ("tile", c_int32), ("residuals", Residual * 2))


class Window(Structure):
    """``rrip_window``: rows and columns of a tile."""

    _fields_ = (("top", c_int32), ("bottom", c_int32), ("left", c_int32), ("right", c_int32))


class Target(Structure):
    """``rrip_target``: where samples go."""

    _fields_ = (
        ("data", c_void_p),
        ("size", c_uint64),
        ("start", c_uint64),
        ("plane_stride", c_uint64),
        ("row_stride", c_uint64),
        ("pixel_stride", c_uint64),
    )


class Quantiser(Structure):
    """``rrip_quantiser``: how coefficients become levels."""

    _fields_ = (("steps", c_uint8 * 64), ("rate", c_float))


_CORE, _MEMORY, _FAULT = c_void_p, c_void_p, POINTER(Fault)
_SIGNATURES: dict[str, tuple[Any, ...]] = {  # the result, then the arguments
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
    "rrip_convert_planes": (*(c_int, _CORE, _MEMORY, c_int32, c_int32, POINTER(Window), c_int32, POINTER(Target)),),
    "rrip_rgb_to_ycc": (c_int, _CORE, _MEMORY, c_int32, c_int32, _MEMORY),
    "rrip_rgb_to_exact_ycc": (c_int, _CORE, _MEMORY, c_int32, c_int32, _MEMORY),
    "rrip_difference": (c_int, _CORE, _MEMORY, c_int32, c_int32, c_int32, c_int32, _MEMORY, _MEMORY),
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
    path = Path(os.environ.get("RRIP_LIBRARY") or Path(__file__).with_name(library_name()))  # another, for tests
    try:
        found = ctypes.CDLL(str(path))
    except OSError as error:
        raise RripError(
            f"the compiled core {path} cannot be loaded ({error}): install the package, 'pip install rrip-format' or "
            "'pip install .' in its folder"
        ) from error
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(found, name, None)
        if function is None:
            raise RripError(f"the compiled core {path} has no {name}: build it again, 'pip install .'")
        function.restype, function.argtypes = result, arguments
    if found.rrip_abi() != ABI:
        raise RripError(f"the compiled core {path} is of version {found.rrip_abi()}, not {ABI}: 'pip install .'")
    return found


library = _load()


def list_cores() -> list[str]:
    """Names of the kernels that this processor runs, slowest first."""
    names: list[str] = []
    while name := library.rrip_core_list(len(names)):
        names.append(name.decode())
    return names


def use_core(name: str | None) -> str:
    """Choose the kernels of this process by name, the fastest if it is None; returns the name of those before.

    All give the same results; this is for tests and measurements, as the environment variable ``RRIP_CORE`` is.

    Raises
    ------
    ValueError
        If this processor does not run them.
    """
    found = library.rrip_core_best() if name is None else library.rrip_core_named(name.encode())
    if not found:
        raise ValueError(f"there are no kernels {name!r} for this processor, there are {', '.join(list_cores())}")
    before = core_name() if _chosen else ""
    _chosen[:] = [found]
    return before


def core_name() -> str:
    """Name of the kernels in use."""
    name: bytes = library.rrip_core_name(core())
    return name.decode()


def core() -> int:
    """The kernels in use, for the first argument of nearly every function."""
    return _chosen[0]


_chosen: list[int] = []
use_core(os.environ.get("RRIP_CORE") or None)


def address(data: bytes | bytearray | memoryview | NDArray[Any]) -> int:
    """Where the first byte of a contiguous buffer is; the caller keeps it alive."""
    array = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
    if array.flags.writeable and array.size and array.flags.c_contiguous:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))  # a quarter of the time of what follows
    found: int = array.__array_interface__["data"][0]
    return found


class _Scratch(threading.local):
    """Memory of each thread that calls use again: to ask the system for it takes longer than small calls."""

    memory: NDArray[np.uint8] = np.empty(0, np.uint8)
    place: int = 0


_KEPT = 16 << 20
"""Largest memory that a thread keeps, bytes: enough for tiles of usual sides."""

_scratch = _Scratch()


def scratch(size: int) -> tuple[int, int, NDArray[np.uint8]]:
    """Address and size of memory for a call in this thread, and what keeps it alive.

    Raises
    ------
    LimitError
        If there is not enough memory.
    """
    if _scratch.memory.size >= size:
        return _scratch.place, _scratch.memory.size, _scratch.memory
    try:
        memory = np.empty(size, np.uint8)
    except MemoryError as error:
        raise LimitError(f"not enough memory for a tile: {size} bytes are needed") from error
    place = address(memory)
    if size <= _KEPT:
        _scratch.memory, _scratch.place = memory, place
    return place, size, memory


def call(code: int) -> None:
    """Raise ``ValueError`` if a function says that it was called wrongly; positive codes are the caller's business."""
    if code < 0:
        reason = "too little scratch memory" if code == -2 else "an argument is out of its range"
        raise ValueError(f"the compiled core refuses a call: {reason}")
