"""The chunk key encoding ``rrip`` of a container's root arrays: the keys of ``default``, under a name of our own.

It is there for readers that do not have it. Most of them look for a codec only when they have the bytes of a chunk, and
arrays of level 2 and coarser have no chunks of their own, so such a reader would show their fill value. The encoding of
keys is needed before, when the array is opened (spec section 9.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zarr.core.chunk_key_encodings import ChunkKeyEncoding

from ..spec.zarr_layout import KEY_ENCODING

__all__ = ["RripKeyEncoding"]


@dataclass(frozen=True)
class RripKeyEncoding(ChunkKeyEncoding):
    """Keys ``c/0/ROW/COL`` of chunks."""

    name: ClassVar[str] = KEY_ENCODING

    def encode_chunk_key(self, chunk_coords: tuple[int, ...]) -> str:
        """Key of a chunk, relative to its array."""
        return "/".join(("c", *map(str, chunk_coords)))

    def decode_chunk_key(self, chunk_key: str) -> tuple[int, ...]:
        """Index of the chunk that a key names."""
        return tuple(map(int, chunk_key.split("/")[1:]))
