"""A fast look at a JPEG tile that tells whether any decoder reads it without a complaint.

libjpeg fills up what is damaged and warns, and the decoders that are fast enough here do not pass the warning on. So
the codes of the scan are read once more, strictly, without making coefficients of them. What is not an ordinary
baseline JPEG is in doubt, not wrong: others have to judge it then.
"""

from __future__ import annotations

import numpy as np

from rrip_format.core import library as lib

__all__ = ["is_sound"]


def is_sound(data: bytes, tables: bytes | None, height: int, width: int) -> bool:
    """Whether a JPEG surely is whole and decodes without a warning.

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
        False also where nothing is wrong, but something is unusual: another kind of JPEG, fill bytes, several scans.
    """
    if not data:
        return False
    stream, before = np.frombuffer(data, np.uint8), np.frombuffer(tables, np.uint8) if tables else None
    begin, length = (None, 0) if before is None else (lib.address(before), before.size)
    check = lib.library.rrip_is_sound_jpeg
    return bool(check(lib.core(), lib.address(stream), stream.size, begin, length, height, width))
