"""The codec ``imagecodecs_jpeg`` of the base arrays, decoded by this package if imagecodecs-zarr is not installed.

The entry point of this package always names `Jpeg`. If imagecodecs-zarr is installed, `Jpeg` is its class, so that
Zarr, which distinguishes implementations by their class, finds only one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from ..errors import DamagedError, FormatError, LimitError, ReadOnlyError, RripError, shown
from ..extras import needs
from ..spec.attachments import jpeg_shape
from ..spec.tile import jpeg_of_base

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from zarr.abc.buffer import Buffer, NDBuffer
    from zarr.core.array_spec import ArraySpec

__all__ = ["Jpeg"]

_UNIT = 16
"""Sides of base tiles are multiples of this, px."""


@dataclass(frozen=True)
class _Jpeg(ArrayBytesCodec):
    """Decoder of chunks that are JPEG files, to (height, width, 3) RGB; it has no options and does not encode."""

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Parse the codec's entry in a ``zarr.json``, which must not have options."""
        if data.get("configuration"):
            raise FormatError(
                f"codec imagecodecs_jpeg: options {shown(data['configuration'])} are unknown here, expected none; "
                "install imagecodecs-zarr",
                rule="array.document",
            )
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """Return the codec's entry in a ``zarr.json``."""
        return {"name": "imagecodecs_jpeg", "configuration": {}}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> NoReturn:
        """Raise ``NotImplementedError``, since streams differ in size."""
        raise NotImplementedError

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        data, shape = chunk_data.to_bytes(), chunk_spec.shape
        decode = _decode if _is_ours(data, shape) else _decode_other
        try:
            pixels = decode(data, shape)
        except MemoryError as error:
            raise LimitError("codec imagecodecs_jpeg: not enough memory to decode a chunk") from error
        except RripError as error:
            raise error.within("codec imagecodecs_jpeg") from error
        return chunk_spec.prototype.nd_buffer.from_numpy_array(pixels)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)

    def _encode_sync(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> NoReturn:
        raise ReadOnlyError("codec imagecodecs_jpeg: rrip-format only decodes it; install imagecodecs-zarr to encode")

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> NoReturn:
        self._encode_sync(chunk_data, chunk_spec)


def _is_ours(data: bytes, shape: tuple[int, ...]) -> bool:
    """Return whether a chunk could be a base tile: a square 4:4:4 JPEG of the size of the chunk."""
    if shape != (shape[0], shape[0], 3) or shape[0] % _UNIT:
        return False
    try:
        return jpeg_shape(data, "a chunk") == shape[:2]
    except DamagedError:
        return False


def _decode(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode a chunk like a base tile."""
    from ..core.colour import ycc_to_rgb  # loads the compiled core, which metadata do not need
    from ..family.jpeg import decode_ycc

    rgb = np.empty(shape, np.uint8)
    ycc_to_rgb(decode_ycc(jpeg_of_base(data), shape[0]), None, (rgb, 0, 0))
    return rgb


def _decode_other(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode any other chunk: an associated image, or a JPEG of another writer."""
    with needs("convert", f"a chunk of {' x '.join(map(str, shape))} that is not like a base tile"):
        import imagecodecs
    try:
        pixels: NDArray[np.uint8] = imagecodecs.jpeg8_decode(data, shape=shape[:2])
        return pixels.reshape(shape)  # fails for other numbers of components
    except MemoryError:
        raise
    except Exception as error:  # imagecodecs raises several types
        raise DamagedError(str(error)) from error


def _implementation() -> type[ArrayBytesCodec]:
    """Return the class of the codec; imagecodecs is imported only if its entry point is installed."""
    for point in entry_points(group="zarr.codecs", name="imagecodecs_jpeg"):
        if not point.value.startswith("rrip_format."):
            with suppress(ImportError):
                implementation: type[ArrayBytesCodec] = point.load()
                return implementation
    return _Jpeg


Jpeg = _implementation()
