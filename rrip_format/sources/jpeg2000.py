"""Read size, components and colour space from the header of a JPEG 2000 stream."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Jpeg2000Header", "parse_jpeg2000"]

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
START = b"\xff\x4f\xff\x51"
COD, START_OF_TILE = 0x52, 0x90
SRGB, SYCC = 16, 18


@dataclass(frozen=True, slots=True)
class Jpeg2000Header:
    """Header of one JPEG 2000 code stream, alone or in a JP2 file.

    Attributes
    ----------
    height, width : int
        Pixels.
    precision : tuple of int
        Bits of each component; negative where it is signed.
    is_subsampled : bool
        Components have different resolutions.
    has_transform : bool
        The stream's own colour transform is on, which a decoder undoes: what comes out is RGB.
    colour_space : int or None
        Enumerated colour space of a JP2 file: 16 is sRGB, 17 gray, 18 sYCC, of which OpenJPEG's callers make RGB.
    has_palette : bool
        A JP2 file whose samples are indices.
    """

    height: int
    width: int
    precision: tuple[int, ...]
    is_subsampled: bool
    has_transform: bool
    colour_space: int | None = None
    has_palette: bool = False

    @property
    def colour(self) -> str | None:
        """The colour space of the decoded samples: ``"RGB"``, ``"YCBCR"``, or None if the stream does not say."""
        if self.has_transform or self.colour_space in {SRGB, SYCC}:
            return "RGB"
        return "YCBCR" if self.is_subsampled else None


def parse_jpeg2000(data: bytes) -> Jpeg2000Header:
    """Read the header of a code stream or JP2 file; `ValueError` if there is none."""
    space, palette, at = None, False, 0
    if data.startswith(SIGNATURE):
        space, palette, at = _boxes(data)
    if data[at : at + 4] != START or len(data) < at + 42:
        msg = f"not a JPEG 2000 tile: starts with {data[at : at + 4].hex(' ') or 'nothing'}"
        raise ValueError(msg)
    size = data[at + 6 :]
    right, bottom, left, top = (int.from_bytes(size[2 + 4 * k : 6 + 4 * k], "big") for k in range(4))
    count = int.from_bytes(size[34:36], "big")
    parts = [size[36 + 3 * k : 39 + 3 * k] for k in range(count)]
    if any(len(part) != 3 for part in parts):
        msg = "the header of a JPEG 2000 tile ends early"
        raise ValueError(msg)
    precision = tuple(((part[0] & 0x7F) + 1) * (-1 if part[0] & 0x80 else 1) for part in parts)
    has_transform = _has_transform(data, at + 4 + int.from_bytes(data[at + 4 : at + 6], "big"))
    subsampled = any(part[1:] != b"\x01\x01" for part in parts)
    return Jpeg2000Header(bottom - top, right - left, precision, subsampled, has_transform, space, palette)


def _has_transform(data: bytes, at: int) -> bool:
    """Find the marker segment COD after offset `at` and return whether the components are transformed."""
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != START_OF_TILE:
        if data[at + 1] == COD:
            return data[at + 8 : at + 9] == b"\x01"
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    msg = "a JPEG 2000 tile without a coding style"
    raise ValueError(msg)


def _boxes(data: bytes) -> tuple[int | None, bool, int]:
    """Return the colour space of a JP2 file, whether it has a palette, and the offset of its code stream."""
    space, palette = None, False
    at = 0
    while at + 8 <= len(data):
        length, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if kind == b"jp2c":
            return space, palette, at + head
        if kind == b"colr" and space is None and data[at + head : at + head + 1] == b"\x01":
            space = int.from_bytes(data[at + head + 3 : at + head + 7], "big")
        palette = palette or kind == b"pclr"
        # the header is a box of boxes
        at += head if kind == b"jp2h" else max(length, head)
    return space, palette, len(data)
