"""Refuse JPEG tiles that a decoder would fill up with gray without saying so.

imagecodecs decodes a JPEG that ends early without an error. So every JPEG tile is looked at before: its size must be
what the TIFF says, its end marker at the end, and its codes in order; where a fast look (:mod:`.jpegscan`) finds them
unusual, libjpeg, through libvips, must decode it without a warning. A bit
flip inside the entropy-coded data that gives a valid stream again cannot be noticed by any decoder. What is wrong is a
ValueError here, which knows nothing of files; the source adds path and block.
"""

from __future__ import annotations

from rrip_format.sources.base import load_reader
from rrip_format.sources.jpegheader import JpegHeader, parse_header
from rrip_format.sources.jpegscan import is_sound

__all__ = ["check_jpeg", "check_jpeg_end"]

END = b"\xff\xd9"


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
    if end < 0 or data[end + 2 :].strip(b"\0"):
        msg = "JPEG tile ends early" if end >= 0 else "JPEG tile has no end marker"
        raise ValueError(msg)
    pyvips = load_reader("pyvips")
    complete = tables[:-2] + data[2:] if tables else data
    try:
        pyvips.Image.jpegload_buffer(complete, fail_on="warning", access="sequential").write_to_memory()
    except pyvips.Error as error:
        msg = f"damaged JPEG tile: {' '.join(str(error).split())[:200]}"
        raise ValueError(msg) from error
    return header


def check_jpeg_end(data: bytes) -> None:
    """Raise `ValueError` where a JPEG file has no end marker; it need not be last, cameras append data of their own."""
    if data.find(END, parse_header(data).scan) < 0:
        msg = "the JPEG has no end marker"
        raise ValueError(msg)
