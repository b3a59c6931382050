"""Write a DICOM file whose pixels are a stream of compressed frames (DICOM PS3.5 A.4, PS3.10)."""

from __future__ import annotations

import shutil
import struct
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

__all__ = ["offset_tables", "write_instance"]

_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0" + bytes(4)
_PIXEL_DATA = b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff"
"""Tag, type and undefined length of the element that the frames are items of."""

_ITEM_HEADER = 8
LAST_BASIC_OFFSET = (1 << 32) - 1
"""Largest offset that a Basic Offset Table can hold."""

_COPIED_BYTES = 1 << 24


def write_instance(path: Path, frames: Iterable[bytes], describe: Callable[[int], Any]) -> None:
    """Write a file with one fragment a frame.

    The attributes come before the pixels, and some of them are known only after: so the frames wait in an unnamed file
    beside `path`, and nothing but their lengths is in memory.

    Parameters
    ----------
    path : Path
    frames : iterable of bytes
        Compressed frames, in order.
    describe : callable
        Called with the number of bytes of all frames; returns the pydicom ``Dataset`` with its ``file_meta``, without
        the pixels.
    """
    from pydicom import dcmwrite

    lengths = array("Q")
    with TemporaryFile(dir=path.parent) as waiting, path.open("wb") as file:
        for frame in frames:
            padded = frame if len(frame) % 2 == 0 else frame + b"\0"
            lengths.append(len(padded))
            _write_item(waiting, padded)
        dataset = describe(sum(lengths))
        basic, extended = offset_tables(lengths)
        if extended is not None:
            dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = extended
        dcmwrite(file, dataset, enforce_file_format=True)
        file.write(_PIXEL_DATA)
        _write_item(file, basic)
        waiting.seek(0)
        shutil.copyfileobj(waiting, file, _COPIED_BYTES)
        file.write(_SEQUENCE_END)


def offset_tables(lengths: Iterable[int]) -> tuple[bytes, tuple[bytes, bytes] | None]:
    """Return the table by which readers find frames (PS3.5 A.4).

    Parameters
    ----------
    lengths : iterable of int
        Even lengths of the frames, bytes.

    Returns
    -------
    basic : bytes
        The Basic Offset Table; empty if an offset is beyond its 32 bits.
    extended : (bytes, bytes) or None
        The Extended Offset Table and its lengths (PS3.3 C.7.6.3.1.8) where the other one is empty.
    """
    sizes = np.fromiter(lengths, np.uint64)
    ends = np.cumsum(sizes + np.uint64(_ITEM_HEADER), dtype=np.uint64)
    offsets = ends - sizes - np.uint64(_ITEM_HEADER)
    if int(offsets[-1]) <= LAST_BASIC_OFFSET:
        return offsets.astype("<u4").tobytes(), None
    return b"", (offsets.astype("<u8").tobytes(), sizes.astype("<u8").tobytes())


def _write_item(file: IO[bytes], value: bytes) -> None:
    file.write(_ITEM + struct.pack("<I", len(value)) + value)
