"""Check quickly whether a JPEG tile decodes without warnings.

libjpeg fills damaged areas with gray and warns, but the fast decoders used here do not report that warning. So the
Huffman codes of the scan are read once more, strictly, without decoding coefficients. Other JPEGs than ordinary
baseline ones are neither accepted nor rejected here; a slower decoder checks them.
"""

from __future__ import annotations

import numpy as np

from rrip_format.core import library as lib

__all__ = ["is_sound"]


def is_sound(data: bytes, tables: bytes | None, height: int, width: int) -> bool:
    """Return whether a JPEG certainly is complete and decodes without a warning.

    Parameters
    ----------
    data : bytes
        The stored tile.
    tables : bytes or None
        The TIFF's JPEGTables, for an abbreviated tile.
    height, width : int
        Its size, px.

    Returns
    -------
    bool
        False also for an intact but unusual JPEG: another process, fill bytes, several scans.
    """
    if not data:
        return False
    stream, before = np.frombuffer(data, np.uint8), np.frombuffer(tables, np.uint8) if tables else None
    begin, length = (None, 0) if before is None else (lib.address(before), before.size)
    check = lib.library.rrip_is_sound_jpeg
    return bool(check(lib.core(), lib.address(stream), stream.size, begin, length, height, width))
