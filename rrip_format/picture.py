"""Associated images as pixels."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from .associated import jpeg_shape
from .errors import DamagedError, LimitError
from .extras import needs
from .limits import check_limit

__all__ = ["decode_picture"]


def decode_picture(jpeg: bytes, what: str) -> NDArray[np.uint8]:
    """Pixels of an associated image.

    Parameters
    ----------
    jpeg : bytes
        A JPEG file.
    what : str
        What to call it in errors.

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
            if image.size != (width, height):  # Pillow goes by the last of several frame headers
                raise ValueError(f"it says {image.size[1]} x {image.size[0]} px too, beside {height} x {width}")
            return np.array(image.convert("RGB"))
    except MemoryError as error:
        raise LimitError(f"{what}: not enough memory to decode it") from error
    except Exception as error:  # Pillow raises several types
        raise DamagedError(
            f"{what}: cannot be decoded: {error}; restore it from a copy", rule="attachment.jpeg"
        ) from error
