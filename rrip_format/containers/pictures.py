"""Decode associated images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedError, ExtraMissingError, LimitError
from ..extras import needs
from ..privacy.pictures import may_show_label
from ..spec.attachments import ICC_NAME, jpeg_shape, known_attachments
from ..spec.limits import check_limit
from .base import Container, read_associated, read_attachment

__all__ = ["AssociatedImages", "decode_picture", "shows_label"]


class AssociatedImages(Mapping[str, NDArray[np.uint8]]):
    """Associated images by name, (height, width, 3) uint8 RGB, each read and decoded on access.

    Calling it returns all stored JPEG files by name.

    Parameters
    ----------
    container : Container

    Raises
    ------
    ChecksumError, DamagedError
        On access to a damaged image.
    ExtraMissingError
        On access to an image if the extra ``openslide`` is not installed.
    """

    def __init__(self, container: Container) -> None:
        self._container = container

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        if name not in self._names():
            raise KeyError(name)
        return decode_picture(read_attachment(self._container, name), f"{self._container.name}: the {name} image")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __call__(self) -> dict[str, bytes]:
        """Read the stored JPEG files."""
        return read_associated(self._container)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self) or 'none'})"

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Return (height, width) by name, px, from the headers of all JPEG files, without decoding them."""
        return {name: jpeg_shape(jpeg, f"the {name} image") for name, jpeg in self().items()}

    def _names(self) -> list[str]:
        return [name for name in known_attachments(self._container.metadata.attachments) if name != ICC_NAME]


def shows_label(container: Container, name: str) -> bool:
    """Return whether an associated image shows the label, or may show it.

    Without Pillow, an image that would have to be decoded for this counts as showing the label.

    Raises
    ------
    ChecksumError, DamagedError
        If the image is damaged.
    """
    jpeg, what = read_attachment(container, name), f"{container.name}: the {name} image"
    geometry = container.metadata.coding.geometry
    level_0, vendor = (geometry.height, geometry.width), container.metadata.slide.vendor
    try:
        return may_show_label(name, vendor, level_0, lambda: jpeg_shape(jpeg, what), lambda: decode_picture(jpeg, what))
    except ExtraMissingError:
        return True


def decode_picture(jpeg: bytes, what: str) -> NDArray[np.uint8]:
    """Decode an associated image.

    Parameters
    ----------
    jpeg : bytes
        A JPEG file.
    what : str
        Name for error messages.

    Returns
    -------
    (height, width, 3) uint8
        RGB.

    Raises
    ------
    DamagedError
        If it cannot be decoded.
    LimitError
        If it is too large to be an associated image, or there is not enough memory.
    """
    with needs("openslide", f"{what}: decoding"):
        from PIL import Image
    height, width = jpeg_shape(jpeg, what)
    check_limit("attachment_px", height * width, what, rule="limit.attachment")
    try:
        with Image.open(BytesIO(jpeg), formats=["JPEG"]) as image:
            if image.size != (width, height):  # Pillow uses the last of several frame headers
                raise ValueError(f"one header says {height} x {width} px, another {image.size[1]} x {image.size[0]}")
            return np.array(image.convert("RGB"))
    except MemoryError as error:
        raise LimitError(f"{what}: not enough memory to decode it") from error
    except Exception as error:  # Pillow raises several types
        raise DamagedError(
            f"{what}: cannot be decoded: {error}; restore it from a copy", rule="attachment.jpeg"
        ) from error
