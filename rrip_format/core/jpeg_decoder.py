"""A strict decoder of the baseline JPEG streams of a tile (ITU-T T.81; spec sections 5.1 and 6.1).

What other decoders report as a warning is an error here: an invalid code, too many coefficients in a block, missing or
surplus bytes, a restart marker out of order. Samples equal those of the inverse DCT of spec section 5.1 bit for bit.
"""

from __future__ import annotations

from ctypes import byref

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedError, LimitError
from . import library as lib

__all__ = ["decode_stream", "stream_error"]

_PROBLEMS = {
    1: "not a complete JPEG stream: its start or end marker is missing",
    2: "JPEG header is invalid at byte {0}",
    3: "JPEG segment at byte {0} is longer than its stream",
    4: "JPEG stream has two frame headers",
    5: "JPEG is not baseline with 8 bits per sample, which this format requires",
    6: "JPEG is {1}x{0} px with {2} components, expected {side}x{side} px with {planes}",
    7: "JPEG components are subsampled, expected the same size for all",
    8: "JPEG scan comes before its frame header",
    9: "JPEG scan header is invalid, or does not list all components in the order of the frame",
    10: "JPEG quantisation table at byte {0} is invalid, or does not have 8 bits",
    11: "JPEG Huffman table at byte {0} is invalid, or not allowed in a baseline stream",
    12: "JPEG stream lacks table {0}, which its component {1} refers to",
    13: "JPEG restart interval at byte {0} is invalid",
    14: "JPEG marker at byte {0} is not allowed before the scan",
    20: "JPEG Huffman table has more codes than their lengths allow",
    21: "JPEG scan contains an invalid Huffman code, in block {0}",
    22: "JPEG scan has more than 64 coefficients in block {0}",
    23: "JPEG scan ends early, in row {0} of blocks",
    24: "JPEG scan continues after its last block",
    25: "JPEG stream continues after its end marker, or has a marker in its scan",
    26: "JPEG restart markers are missing, out of order, or more than the scan has intervals",
}
"""Messages by ``enum rrip_code``; ``{0}`` … are the numbers of the fault."""


def stream_error(fault: lib.Fault, side: int, planes: int) -> DamagedError:
    """Return the error for a fault in a stream of a tile whose side is `side` px."""
    return DamagedError(_PROBLEMS[fault.code].format(*fault.numbers, side=side, planes=planes))


def decode_stream(
    data: bytes | memoryview, side: int, planes: int, rows: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Decode the planes of one stream.

    Parameters
    ----------
    data : bytes or memoryview
        One complete stream.
    side : int
        Height and width of the picture, px: a multiple of 8.
    planes : int
        Number of components, 1 or 3.
    rows : two ints, optional
        First row to decode, and the end of the rows (excluded). Other rows of the result are then undefined, and the
        part of the stream after these rows is not checked.

    Returns
    -------
    (planes, side, side) uint8
        The samples.

    Raises
    ------
    DamagedError
        If the stream breaks a rule of spec section 6.1, or its codes are invalid.
    LimitError
        If there is not enough memory.
    """
    top, bottom = rows or (0, side)
    try:
        out = np.empty((planes, side, side), np.uint8)
    except MemoryError as error:
        raise LimitError("not enough memory to decode a JPEG tile") from error
    size, fault = len(data), lib.Fault()
    start, room, _memory = lib.scratch(lib.library.rrip_decode_scratch(max(side, 64), size))
    stream = np.frombuffer(data, np.uint8) if size else out  # NumPy makes no array of no bytes; any address will do
    code = lib.library.rrip_decode_stream(
        *(lib.core(), lib.address(stream), size, side, planes, top, bottom, lib.address(out), start, room, byref(fault))
    )
    lib.call(code)
    if code:
        raise stream_error(fault, side, planes)
    return out
