"""The bitmap of empty families: a bit a family, row by row, most significant first (spec section 8.2).

It stays packed, since some slides have 2**28 families.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError

__all__ = ["all_set", "as_array", "count_set", "pack_bitmap", "unpack_bitmap"]

Json = Any


def pack_bitmap(bitmap: bytes) -> str | None:
    """The member ``empty``: None where no family is."""
    return base64.b64encode(zlib.compress(bitmap, 9)).decode() if any(bitmap) else None


def unpack_bitmap(text: Json, size_bytes: int) -> bytes:
    """The bitmap that a member ``empty`` holds, of exactly `size_bytes`, never inflating more; no bytes for None.

    Raises
    ------
    FormatError
        If it is something else.
    """
    if text is None:
        return b""
    try:
        inflate = zlib.decompressobj()
        bits = inflate.decompress(base64.b64decode(text, validate=True), size_bytes + 1)
    except (TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise FormatError(f"coding.empty: is not zlib data in base64: {error}", rule="metadata.member") from error
    if len(bits) != size_bytes or not inflate.eof or inflate.unused_data:
        raise FormatError(f"coding.empty: expected exactly {size_bytes} bytes when inflated", rule="metadata.member")
    return bits


def as_array(bitmap: bytes, count: int) -> NDArray[np.bool_]:
    """The first `count` bits, (count,) bool; no bytes: none is set."""
    if not bitmap:
        return np.zeros(count, np.bool_)
    return np.unpackbits(np.frombuffer(bitmap, np.uint8), count=count).astype(np.bool_)


def all_set(bitmap: bytes, first: int, end: int) -> bool:
    """Whether bits `first` to `end` are set, the latter not included."""
    bits = int.from_bytes(bitmap[first >> 3 : (end + 7) >> 3]) >> (-end % 8)
    wanted = (1 << (end - first)) - 1
    return bits & wanted == wanted


def count_set(bitmap: bytes, count: int) -> int:
    """How many of the first `count` bits are set."""
    return (int.from_bytes(bitmap) >> (-count % 8)).bit_count()
