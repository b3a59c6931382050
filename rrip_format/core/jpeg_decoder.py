"""A strict decoder of the baseline JPEG streams of a tile (ITU-T T.81; spec sections 5.1 and 6.1).

Whatever other decoders report as a warning is an error here: an invalid code, a block that runs over its end, bytes
that are missing or left, a restart marker out of its place. Samples are those of the method of spec section 5.1, bit
for bit.

"""

from __future__ import annotations

from ctypes import byref

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedError, LimitError
from . import library as lib

__all__ = ["decode_stream", "stream_error"]

_PROBLEMS = {
    1: "not a whole JPEG stream: start or end marker is missing",
    2: "JPEG header is broken at byte {0}",
    3: "JPEG segment at byte {0} is longer than its stream",
    4: "JPEG stream has two frame headers",
    5: "JPEG is not baseline with 8 bits a sample, which this format requires",
    6: "JPEG is {1}x{0} px with {2} components, expected {side}x{side} px with {planes}",
    7: "JPEG components are subsampled; this format stores none that are",
    8: "JPEG scan comes before its frame header",
    9: "JPEG scan header is broken, or does not hold all components in their order",
    10: "JPEG quantisation table at byte {0} is broken, or not of 8 bits",
    11: "JPEG Huffman table at byte {0} is broken, or of no baseline stream",
    12: "JPEG stream has no table {0} that its component {1} needs",
    13: "JPEG restart interval at byte {0} is broken",
    14: "JPEG marker at byte {0} has no place before the scan",
    20: "JPEG Huffman table has more codes than there are",
    21: "JPEG scan contains an invalid Huffman code, in block {0}",
    22: "JPEG scan holds more than 64 coefficients, in block {0}",
    23: "JPEG scan ends early, in row {0} of blocks",
    24: "JPEG scan goes on after its last block",
    25: "JPEG stream goes on after its end marker, or has a marker in its scan",
    26: "JPEG restart markers are missing, out of order, or more than the scan has intervals",
}
"""By ``enum rrip_code``, what is wrong with a stream; numbers are those of the fault."""


def stream_error(fault: lib.Fault, side: int, planes: int) -> DamagedError:
    """The error that says what is wrong with a stream of a tile of that side."""
    return DamagedError(_PROBLEMS[fault.code].format(*fault.numbers, side=side, planes=planes))


def decode_stream(
    data: bytes | memoryview, side: int, planes: int, rows: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Planes of one stream.

    Parameters
    ----------
    data
        One whole stream.
    side : int
        Its height and width, px: a multiple of 8.
    planes : int
        1 or 3 components.
    rows : two ints, optional
        First row that is wanted and the one behind the last: others are undefined then, and what of the stream stands
        behind them is not checked.

    Returns
    -------
    (planes, side, side) uint8

    Raises
    ------
    DamagedError
        If it breaks a rule of spec section 6.1, or is not what an encoder makes.
    LimitError
        If memory does not suffice.
    """
    top, bottom = rows or (0, side)
    try:
        out = np.empty((planes, side, side), np.uint8)
    except MemoryError as error:
        raise LimitError("not enough memory to decode a JPEG tile") from error
    size, fault = len(data), lib.Fault()
    place, room, _memory = lib.scratch(lib.library.rrip_decode_scratch(max(side, 64), size))
    stream = np.frombuffer(data, np.uint8) if size else out  # of no bytes, any place
    code = lib.library.rrip_decode_stream(
        *(lib.core(), lib.address(stream), size, side, planes, top, bottom, lib.address(out), place, room, byref(fault))
    )
    lib.call(code)
    if code:
        raise stream_error(fault, side, planes)
    return out
