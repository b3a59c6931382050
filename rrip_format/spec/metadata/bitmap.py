"""The bitmap of empty families: one bit per family, row by row, most significant bit first (spec section 8.2).

It stays packed in memory, since a slide may have 2**28 families.
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
    """Encode the member ``empty``, None if no family is empty."""
    return base64.b64encode(zlib.compress(bitmap, 9)).decode() if any(bitmap) else None


def unpack_bitmap(text: Json, size_bytes: int) -> bytes:
    """Decode a member ``empty`` to a bitmap of exactly `size_bytes`, no bytes for None; never inflate more.

    Raises
    ------
    FormatError
        If `text` is not zlib data in base64 that inflates to `size_bytes`.
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
    """Return the first `count` bits as (count,) bool; no bytes stand for zeros."""
    if not bitmap:
        return np.zeros(count, np.bool_)
    return np.unpackbits(np.frombuffer(bitmap, np.uint8), count=count).astype(np.bool_)


def all_set(bitmap: bytes, first: int, end: int) -> bool:
    """Return whether all bits from `first` to `end` (excluded) are set."""
    bits = int.from_bytes(bitmap[first >> 3 : (end + 7) >> 3]) >> (-end % 8)
    wanted = (1 << (end - first)) - 1
    return bits & wanted == wanted


def count_set(bitmap: bytes, count: int) -> int:
    """Return how many of the first `count` bits are set."""
    return (int.from_bytes(bitmap) >> (-count % 8)).bit_count()
