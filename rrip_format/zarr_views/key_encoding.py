"""The chunk key encoding ``rrip`` of a container's root arrays: the keys of ``default`` under another name.

Readers without this package fail on the unknown name when they open an array (spec section 9.2). Most of them look for
the unknown codec only when they have read a chunk, and arrays of level 2 and coarser have no chunks of their own, so
they would show the fill value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zarr.core.chunk_key_encodings import ChunkKeyEncoding

from ..spec.zarr_layout import KEY_ENCODING

__all__ = ["RripKeyEncoding"]


@dataclass(frozen=True)
class RripKeyEncoding(ChunkKeyEncoding):
    """Chunk keys ``c/0/ROW/COL``."""

    name: ClassVar[str] = KEY_ENCODING

    def encode_chunk_key(self, chunk_coords: tuple[int, ...]) -> str:
        """Return the key of a chunk, relative to its array."""
        return "/".join(("c", *map(str, chunk_coords)))

    def decode_chunk_key(self, chunk_key: str) -> tuple[int, ...]:
        """Return the index of the chunk at a key."""
        return tuple(map(int, chunk_key.split("/")[1:]))
