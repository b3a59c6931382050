"""Calls of the compiled core by the contract itself (``core/src/rrip.h``), with parts of streams and tiles.

What a call reads is a block of exactly its size, so that a build with AddressSanitizer tells what reaches beyond
(``tools/harnesses/sanitize.py``). ``tools/harnesses/mutation_test.py`` removes one check of the core after another; a
test of ``tests/core/test_core_hostile_*.py`` has to fail each time.
"""

from __future__ import annotations

from ctypes import byref, c_uint8, c_void_p

import numpy as np

from rrip_format.core import library as lib

ARGUMENT, SCRATCH = -1, -2
CORE = lib.library
HUGE = (1 << 32) + 5
"""More bytes than a stream may have."""


def block(data: bytes | int) -> np.ndarray:
    """Bytes, or so many, in memory of their own.

    So many come from malloc(): NumPy keeps small blocks for later, and with them the marks that a core with
    AddressSanitizer puts on parts of its scratch memory.
    """
    if isinstance(data, bytes):
        return np.frombuffer(data, np.uint8).copy()
    memory = np.ctypeslib.as_array((c_uint8 * data)())
    memory.fill(0x5A)
    return memory


def place(array: np.ndarray | None) -> int | None:
    return None if array is None else lib.address(array)


def segment(marker: int, body: bytes, length: int | None = None) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2 if length is None else length).to_bytes(2, "big") + body


def codes(kind: int, lengths: dict[int, bytes]) -> bytes:
    """A Huffman table of class and number `kind`: symbols by length."""
    counts = bytes(len(lengths.get(length, b"")) for length in range(1, 17))
    return bytes((kind,)) + counts + b"".join(symbols for _, symbols in sorted(lengths.items()))


DC, AC = codes(0x00, {1: b"\0"}), codes(0x10, {1: b"\0", 2: b"\x01", 9: b"\xf0", 16: b"\x12\x3f"})
"""A zero is one bit in both; the other symbols are there to be found or not."""


def frame(side: int = 16, planes: int = 1, *, ids: bytes = b"\1\2\3", tables: bytes = bytes(3)) -> bytes:
    size = side.to_bytes(2, "big")
    return b"\10" + size + size + bytes((planes,)) + b"".join(bytes((ids[c], 0x11, tables[c])) for c in range(planes))


def start(planes: int = 1, *, ids: bytes = b"\1\2\3", tables: bytes = bytes(3), spectrum: bytes = b"\0\77\0") -> bytes:
    return bytes((planes,)) + b"".join(bytes((ids[c], tables[c])) for c in range(planes)) + spectrum


def stream(planes: int = 1, data: bytes | None = None, **parts: bytes) -> bytes:
    """A flat picture of 16 x 16 px, or what is not quite one: parts by their name, as whole segments."""
    found = {
        "start_of_image": b"\xff\xd8",
        "before": b"",
        "quantiser": segment(0xDB, b"\0" + bytes([1]) * 64),
        "frame": segment(0xC0, frame(planes=planes)),
        "codes": segment(0xC4, DC + AC),
        "restart": b"",
        "start": segment(0xDA, start(planes)),
        "data": bytes(1 if planes == 1 else 3) if data is None else data,
        "end": b"\xff\xd9",
    }
    return b"".join((found | parts).values())


COMMENT = segment(0xFE, b"x" * 20)


def bits(text: str) -> bytes:
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


SIXTEEN = "110000000"
"""The code of sixteen zeros in :data:`AC`."""

SLIDE = bytes(range(1, 9))
T = 64


def coding(
    planes: tuple[int, int] = (1, 1), tile: int = T, weights: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> lib.Coding:
    taps = (-2, 58, 9, -1)
    levels = [lib.Residual(taps, taps, (10, -10), count) for count in planes]
    return lib.Coding((c_uint8 * 8)(*SLIDE), tile, (lib.Residual * 2)(*levels), weights)


def flat(side: int, planes: int) -> bytes:
    """A flat picture of that side."""
    data = bytes(planes * side * side // 64 // 4)
    return stream(planes, data, frame=segment(0xC0, frame(side, planes)))


WRONG_WEIGHTS = [(64, 0, 0, 0), (-64, 0, 0, 0), (0, 64, 0, 0), (0, -64, 0, 0), (0, 0, 29, 0), (0, 0, 15, -14)]


def convert(planes: np.ndarray | None, height: int, width: int, window: tuple[int, ...], to: lib.Target | None) -> int:
    part = lib.Window(*window)
    code: int = CORE.rrip_convert_planes(
        lib.core(), place(planes), height, width, byref(part), 1, None if to is None else byref(to)
    )
    return code


def reconstruct(
    planes: np.ndarray | None, height: int, width: int, window: tuple[int, ...], to: lib.Target | None, room: int = -1
) -> int:
    part, how, none = lib.Window(*window), coding().residuals[0], (c_void_p * 3)()
    scratch = block(CORE.rrip_predict_scratch() if room < 0 else room)
    code: int = CORE.rrip_reconstruct(
        *(lib.core(), place(planes), height, width, none, byref(how), byref(part), 1),
        *(None if to is None else byref(to), place(scratch), scratch.size),
    )
    return code
