"""What the header of a JPEG stream says: size, components, and in which colours they are.

The container (a TIFF tag, a DICOM attribute) and the stream may disagree about colours. The stream's own markers are
written by the program that encoded it, and decoders outside the container follow them; where clear, they win.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["JpegHeader", "frame_components", "is_frame", "parse_header", "stream_colour", "walk_segments"]

START_OF_SCAN, APP0, APP14 = 0xDA, 0xE0, 0xEE
NOT_FRAMES = {0xC4, 0xC8, 0xCC}
STANDALONE = {0x01, *range(0xD0, 0xD8)}
RGB_IDS = (82, 71, 66)
"""Component identifiers ``R``, ``G``, ``B``, which only RGB streams have."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """Header of one JPEG stream.

    Attributes
    ----------
    height, width : int
        Pixels.
    scan : int
        Offset of the first byte of the first scan's codes.
    precision : int
        Bits per sample.
    components : tuple of (int, int, int)
        Identifier, horizontal and vertical sampling factor of each.
    jfif : bool
        An APP0 marker of JFIF is there, which allows gray and YCbCr alone.
    adobe : int or None
        Colour transform of the APP14 marker of Adobe: 0 none, 1 YCbCr, 2 YCCK.
    """

    height: int
    width: int
    scan: int
    precision: int
    components: tuple[tuple[int, int, int], ...]
    jfif: bool
    adobe: int | None

    @property
    def is_subsampled(self) -> bool:
        """Whether components have different resolutions."""
        return len({part[1:] for part in self.components}) > 1


_last: tuple[bytes, JpegHeader] | None = None
"""The bytes up to the first scan of the last stream, and what they say: the tiles of a slide mostly share them."""


def parse_header(data: bytes) -> JpegHeader:
    """Read the header of a JPEG stream up to its first scan; `ValueError` where there is none."""
    global _last  # noqa: PLW0603 - one assignment of a whole value, whichever thread is the last
    known = _last
    if known is not None and data.startswith(known[0]):
        return known[1]
    header = _parse(data)
    _last = (data[: header.scan], header)
    return header


def walk_segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield marker, body and end of each segment of a JPEG stream; a body is shorter than it says where data end."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length], at + 2 + length
        at += 2 + max(length, 2)


def is_frame(marker: int, body: bytes) -> bool:
    """Return whether a segment is the header of a frame."""
    return 0xC0 <= marker <= 0xCF and marker not in NOT_FRAMES and len(body) >= 6


def frame_components(body: bytes) -> list[bytes]:
    """Return the three bytes of each component of a frame: identifier, sampling factors, number of its table."""
    parts = [body[6 + 3 * k : 9 + 3 * k] for k in range(body[5])]
    return [part for part in parts if len(part) == 3]


def _parse(data: bytes) -> JpegHeader:
    height = width = precision = 0
    components: tuple[tuple[int, int, int], ...] = ()
    jfif, adobe = False, None
    for marker, body, end in walk_segments(data):
        if is_frame(marker, body):
            precision, height, width = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            components = tuple((part[0], part[1] >> 4, part[1] & 15) for part in frame_components(body))
        elif marker == APP0 and body[:5] == b"JFIF\0":
            jfif = True
        elif marker == APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        if marker == START_OF_SCAN and height and width and components:
            return JpegHeader(height, width, end, precision, components, jfif, adobe)
    begins = data[:4].hex(" ") or "nothing"
    is_cut = data.startswith(b"\xff\xd8")
    reason = "its header is cut off, or states no size or no scan" if is_cut else f"starts with {begins}"
    msg = f"not a JPEG tile: {reason}"
    raise ValueError(msg)


def stream_colour(header: JpegHeader) -> str | None:
    """Return in which colours a stream of three components is, as far as it says so itself.

    Returns
    -------
    ``"YCBCR"``, ``"RGB"`` or None
        None where nothing in the stream tells, or its markers contradict each other.

    Notes
    -----
    JFIF and Adobe's transform 1 mean YCbCr, Adobe's transform 0 and the identifiers R, G, B mean RGB, and components of
    different resolution are never RGB.
    """
    said = set()
    if header.jfif or header.adobe == 1 or header.is_subsampled:
        said.add("YCBCR")
    if header.adobe == 0 or tuple(part[0] for part in header.components) == RGB_IDS:
        said.add("RGB")
    return said.pop() if len(said) == 1 else None
