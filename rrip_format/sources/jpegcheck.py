"""Refuse JPEG tiles that a decoder would fill up with gray without saying so.

imagecodecs decodes a JPEG that ends early without an error. So every JPEG tile is looked at before: its size must be
what the TIFF says, its end marker at the end, and its codes in order. Where a fast look (:mod:`.jpegscan`) finds them
unusual, libjpeg, through libvips, must decode it without a warning, and the codes of an ordinary one must be as many as
its pixels need: libvips overlooks what libjpeg says of the last rows. Damage inside the entropy-coded data that gives
as many blocks as before cannot be noticed by any decoder. What is wrong is a ValueError here, which knows nothing of
files; the source adds path and block.
"""

from __future__ import annotations

import re

from rrip_format.sources.base import load_reader
from rrip_format.sources.jpegheader import JpegHeader, is_frame, parse_header, walk_segments
from rrip_format.sources.jpegscan import is_sound

__all__ = ["check_end", "check_jpeg", "check_jpeg_file"]

END = b"\xff\xd9"

PADDING, FIRST_UNIT_BYTES = 16, 2048
"""Most bytes of 0 or 0xFF before the end marker that pass as an encoder's padding, and of the codes of one unit."""

FILL = re.compile(rb"\xff+(?=\xff[\xd0-\xd7])|\xff+$")
"""Bytes that may stand before a marker (ISO 10918-1, B.1.1.2)."""

DISORDER = "it has fewer or more codes than its pixels need"


def check_jpeg(data: bytes, tables: bytes | None, heights: set[int], widths: set[int]) -> JpegHeader:
    """Return the header of a complete JPEG of an allowed size that decodes without a warning, else `ValueError`.

    Parameters
    ----------
    data : bytes
        The stored tile.
    tables : bytes or None
        The TIFF's JPEGTables, for an abbreviated tile.
    heights, widths : set of int
        Allowed sizes, px: the full tile, or what the image leaves of it.
    """
    header = parse_header(data)
    height, width = header.height, header.width
    if height not in heights or width not in widths:
        msg = f"JPEG tile of {height}x{width} px, expected {sorted(heights)} x {sorted(widths)}"
        raise ValueError(msg)
    if is_sound(data, tables, height, width):
        return header
    end = data.find(END, header.scan)
    # In entropy-coded data 0xFF is followed by 0 or a restart marker; some writers pad a tile with zeros.
    if end < 0:
        msg = "JPEG tile has no end marker"
        raise ValueError(msg)
    behind = len(data[end + 2 :].rstrip(b"\0"))
    if behind:
        msg = f"JPEG tile ends early: {behind} bytes follow its end marker at {end}, expected none but zeros"
        raise ValueError(msg)
    pyvips = load_reader("pyvips")
    complete = tables[:-2] + data[2:] if tables else data
    try:
        pyvips.Image.jpegload_buffer(complete, fail_on="warning", access="sequential").write_to_memory()
    except pyvips.Error as error:
        msg = f"damaged JPEG tile: {' '.join(str(error).split())[:200]}"
        raise ValueError(msg) from error
    if _is_disordered(data, tables, header, end):
        msg = f"damaged JPEG tile: {DISORDER}"
        raise ValueError(msg)
    return header


def check_end(data: bytes) -> None:
    """Raise `ValueError` where a stream of the JPEG family lacks its end marker: decoders fill up what is cut off."""
    if not data.rstrip(b"\0").endswith(END):
        msg = "a tile without the end marker of its stream, as where it is cut off or its tail is zero"
        raise ValueError(msg)


def check_jpeg_file(data: bytes) -> None:
    """Raise `ValueError` where a JPEG file is not whole, as far as libvips would not say so when it decodes it.

    Its end marker need not be last: cameras append data of their own.
    """
    header = parse_header(data)
    end = data.find(END, header.scan)
    if end < 0:
        msg = "the JPEG has no end marker"
        raise ValueError(msg)
    blocks = -(-header.height // 8) * -(-header.width // 8)
    if blocks > 8 * len(data):  # each takes a bit at least; memory for progressive ones is taken at once
        msg = f"the JPEG says to have {header.width}x{header.height} px, for which {len(data)} bytes are too few"
        raise ValueError(msg)
    stream = data[: end + len(END)]
    if not is_sound(stream, None, header.height, header.width) and _is_disordered(stream, None, header, end):
        msg = f"the JPEG is damaged: {DISORDER}"
        raise ValueError(msg)


def _is_disordered(data: bytes, tables: bytes | None, header: JpegHeader, end: int) -> bool:
    """Return whether an ordinary JPEG has fewer or more codes than its pixels need; of others False.

    It is one of those that :func:`.is_sound` can judge if its first unit alone, as a picture of one pixel, is sound.
    Fill bytes and a little padding are left out, which the standard allows or libjpeg passes over.
    """
    tiny = _with_size(data[: header.scan], 1, 1)
    codes = FILL.sub(b"", data[header.scan : end])
    if not any(is_sound(tiny + codes[:size] + END, tables, 1, 1) for size in range(1, FIRST_UNIT_BYTES)):
        return False
    for _ in range(PADDING):
        if is_sound(data[: header.scan] + codes + END, tables, header.height, header.width):
            return False
        if not codes.endswith((b"\0", b"\xff")):
            break
        codes = codes[:-1]
    return True


def _with_size(head: bytes, height: int, width: int) -> bytes:
    """Return the header of a JPEG with another size."""
    for marker, body, end in walk_segments(head):
        if is_frame(marker, body):
            at = end - len(body) + 1
            return head[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + head[at + 4 :]
    return head
