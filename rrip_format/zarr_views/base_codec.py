"""The codec ``imagecodecs_jpeg`` of the base arrays, decoded by this package where imagecodecs-zarr is not installed.

The entry point of this package always points here. Where imagecodecs-zarr has one too, `Jpeg` *is* the class that it
points to, and Zarr, which tells implementations apart by their class, sees one.
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
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

__all__ = ["Jpeg"]

_UNIT = 16
"""Sides of base tiles, and of all that :func:`rrip_format.family.jpeg.decode_ycc` takes, are multiples of it."""


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
        raise ReadOnlyError("codec imagecodecs_jpeg: this stand-in only decodes; install imagecodecs-zarr to encode")

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> NoReturn:
        self._encode_sync(chunk_data, chunk_spec)


def _is_ours(data: bytes, shape: tuple[int, ...]) -> bool:
    """Whether a chunk is what base tiles are: a square 4:4:4 JPEG of the size that the array says."""
    if shape != (shape[0], shape[0], 3) or shape[0] % _UNIT:
        return False
    try:
        return jpeg_shape(data, "a chunk") == shape[:2]
    except DamagedError:
        return False


def _decode(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode a chunk that is like a base tile."""
    from ..core.colour import ycc_to_rgb  # loads the compiled core, which looking at metadata does not need
    from ..family.jpeg import decode_ycc

    rgb = np.empty(shape, np.uint8)
    ycc_to_rgb(decode_ycc(jpeg_of_base(data), shape[0]), None, (rgb, 0, 0))
    return rgb


def _decode_other(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode any other: an associated image, which may have any size, or what another writer made."""
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
    """Whose codec it is: told by entry points, without an import of imagecodecs where nothing would come of it."""
    for point in entry_points(group="zarr.codecs", name="imagecodecs_jpeg"):
        if not point.value.startswith("rrip_format."):
            with suppress(ImportError):
                implementation: type[ArrayBytesCodec] = point.load()
                return implementation
    return _Jpeg


Jpeg = _implementation()
