"""The view of a slide in notebooks: a small picture and some facts."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import RripError, one_line
from .levels import Level

__all__ = ["describe_card", "encode_png", "make_card", "shrink"]


def shrink(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Reduce a picture; each pixel becomes the mean of the area that it covers.

    Parameters
    ----------
    picture : (rows, columns, 3) uint8
        The picture.
    height, width : int
        New size, px, not larger than the old one.

    Returns
    -------
    (height, width, 3) uint8
        The reduced picture.
    """
    columns_first = _means(_means(picture, height).transpose(1, 0, 2), width)
    return np.ascontiguousarray(np.floor(columns_first.transpose(1, 0, 2) + 0.5), np.uint8)


def _means(rows: NDArray[np.uint8] | NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return means of `count` equal parts along the first axis, whose ends may lie within a row."""
    ends = np.linspace(0, len(rows), count + 1)
    whole = np.minimum(ends.astype(np.intp), len(rows) - 1)
    sums = np.concatenate([np.zeros((1, *rows.shape[1:])), np.cumsum(rows, axis=0, dtype=np.float64)])
    up_to_ends = sums[whole] + (ends - whole)[:, None, None] * rows[whole]
    means: NDArray[np.float64] = np.diff(up_to_ends, axis=0) * (count / len(rows))
    return means


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Encode a picture, (height, width, 3) uint8 RGB, as a PNG file."""
    height, width, _ = picture.shape
    lines = np.full((height, 1 + 3 * width), 2, np.uint8)  # 2: every line is the difference to the one above
    lines[:, 1:] = np.diff(picture.reshape(height, -1), axis=0, prepend=np.zeros((1, 3 * width), np.uint8))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b"")
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def make_card(title: str, facts: Mapping[str, str], picture: NDArray[np.uint8] | None) -> str:
    """Return HTML with a picture, if there is one, and facts beside it; text is escaped.

    Parameters
    ----------
    title : str
    facts : mapping of str to str
        Text by its heading.
    picture : (height, width, 3) uint8 or None

    Returns
    -------
    str
        One ``div`` that needs nothing from elsewhere.
    """
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in facts.items())
    shown = ""
    if picture is not None:
        data, (height, width, _) = base64.b64encode(encode_png(picture)).decode(), picture.shape
        shown = f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="the slide">'
    return f"<div><strong>{html.escape(title)}</strong><br>{shown}<table>{rows}</table></div>"


def describe_card(
    title: str, levels: Sequence[Level], mpp: tuple[float, float] | None, thumbnail: Callable[[], NDArray[np.uint8]]
) -> str:
    """Write HTML of a slide: its thumbnail and its sizes; what cannot be read is said in its place."""
    facts = {
        "size": f"{levels[0].width} x {levels[0].height} px",
        "pixel": "size unknown" if mpp is None else f"{mpp[0]:g} x {mpp[1]:g} µm",
        "levels": ", ".join(f"{level.width} x {level.height}" for level in levels),
    }
    try:
        return make_card(title, facts, thumbnail())
    except RripError as error:
        return make_card(title, {**facts, "picture": one_line(error)}, None)
