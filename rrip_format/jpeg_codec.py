"""The codec ``imagecodecs_jpeg`` of the base arrays, for Pythons where imagecodecs does not bring it (before 3.12).

The entry point of this package always points here. Where imagecodecs has the codec, `Jpeg` *is* that class, and
Zarr, which tells implementations apart by their class, sees one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

from zarr.abc.codec import ArrayBytesCodec

from .errors import DamagedError, FormatError, LimitError, ReadOnlyError, shown

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

__all__ = ["Jpeg"]


@dataclass(frozen=True)
class _Jpeg(ArrayBytesCodec):
    """Decoder of chunks that are JPEG files, to (height, width, 3) RGB; without options, and without encoding."""

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Parse the codec's entry of a ``zarr.json``; no option is known."""
        if data.get("configuration"):
            raise FormatError(
                f"codec imagecodecs_jpeg: options {shown(data['configuration'])} need imagecodecs-zarr",
                rule="array.document",
            )
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """The codec's entry of a ``zarr.json``."""
        return {"name": "imagecodecs_jpeg", "configuration": {}}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> NoReturn:
        """Raise: streams differ in size."""
        raise NotImplementedError

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        import imagecodecs

        try:
            pixels = imagecodecs.jpeg8_decode(chunk_data.to_bytes(), shape=chunk_spec.shape[:2])
            pixels = pixels.reshape(chunk_spec.shape)  # fails for other numbers of components
        except MemoryError as error:
            raise LimitError("codec imagecodecs_jpeg: not enough memory to decode a chunk") from error
        except Exception as error:  # imagecodecs raises several types
            raise DamagedError(f"codec imagecodecs_jpeg: {error}") from error
        return chunk_spec.prototype.nd_buffer.from_numpy_array(pixels)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)

    def _encode_sync(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> NoReturn:
        raise ReadOnlyError("codec imagecodecs_jpeg: this stand-in only decodes; install imagecodecs-zarr to encode")

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> NoReturn:
        self._encode_sync(chunk_data, chunk_spec)


def _implementation() -> type[ArrayBytesCodec]:
    try:
        from imagecodecs.zarr import Jpeg as FromImagecodecs  # not there in the releases for Python 3.11
    except ImportError:
        return _Jpeg
    implementation: type[ArrayBytesCodec] = FromImagecodecs
    return implementation


Jpeg = _implementation()
