"""Associated images: the small pictures that come with a slide (spec section 9.7).

Stored like a tile: a JPEG file, then the little-endian CRC-32C of its bytes, the same in every container.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ChecksumError, DamagedError, RripError
from .limits import check_limit
from .tile import crc32c

__all__ = [
    "ASSOCIATED_NAMES",
    "ICC_NAME",
    "attachment_checksum",
    "attachment_title",
    "check_associated",
    "check_attachment",
    "check_attachment_size",
    "jpeg_shape",
    "known_attachments",
    "seal_attachment",
]

ASSOCIATED_NAMES = ("label", "macro", "thumbnail")
"""Names of associated images (spec section 9.7)."""

ICC_NAME = "icc_profile"
"""Name of the ICC profile in the metadata's list of attachments."""


def known_attachments(names: Iterable[str]) -> list[str]:
    """Return the listed attachments that this version knows; others are ignored (spec section 8.7)."""
    return [name for name in names if name == ICC_NAME or name in ASSOCIATED_NAMES]


def attachment_checksum(data: bytes) -> str:
    """Return the CRC-32C of an attachment as the metadata list it (spec section 8.7)."""
    return f"{crc32c(data):08x}"


def attachment_title(name: str) -> str:
    """Return the name of an attachment in error messages."""
    return "the ICC profile" if name == ICC_NAME else f"the {name} image"


def seal_attachment(data: bytes) -> bytes:
    """Append the CRC-32C to `data`: the stored form of an attachment."""
    return data + crc32c(data).to_bytes(4, "little")


def check_attachment(stored: bytes, what: str) -> bytes:
    """Check a stored attachment and return it without its checksum.

    Raises
    ------
    ChecksumError
        If the checksum does not match.
    LimitError
        If it is too large to be an attachment.
    """
    check_attachment_size(len(stored), what)
    data = stored[:-4]
    if len(stored) < 4 or crc32c(data).to_bytes(4, "little") != stored[-4:]:
        raise ChecksumError(
            f"{what} is damaged: its CRC-32C does not match; restore it from a copy", rule="attachment.checksum"
        )
    return data


def check_attachment_size(size: int, what: str) -> None:
    """Raise :class:`LimitError` if an attachment is larger than this reader accepts."""
    check_limit("attachment_bytes", size, what, rule="limit.attachment")


def check_associated(name: str, jpeg: bytes) -> tuple[int, int]:
    """Check an associated image and return its (height, width), px.

    Raises
    ------
    RripError
        If its name is not one of ``ASSOCIATED_NAMES``, or it is not a baseline 4:4:4 JPEG.
    """
    if name not in ASSOCIATED_NAMES:
        raise RripError(f"associated image {name!r}: unknown name, expected one of {', '.join(ASSOCIATED_NAMES)}")
    return jpeg_shape(jpeg, f"associated image {name!r}")


def jpeg_shape(jpeg: bytes, what: str) -> tuple[int, int]:
    """Return (height, width), px, of a baseline 4:4:4 colour JPEG.

    Raises
    ------
    DamagedError
        If the bytes are anything else.
    """
    at = 2
    while jpeg[:2] == b"\xff\xd8" and at + 9 < len(jpeg) and jpeg[at] == 0xFF:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] == 0xC0:
            frame = jpeg[at + 4 : at + 2 + length]
            if len(frame) == 15 and frame[0] == 8 and frame[5] == 3 and frame[7::3] == b"\x11\x11\x11":
                return int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            break
        at += 2 + max(length, 2)
    raise DamagedError(
        f"{what} is not a baseline 4:4:4 JPEG of three components, as associated images must be", rule="attachment.jpeg"
    )
