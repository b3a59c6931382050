"""Estimate from the header of a JPEG stream how much it lost: quality and chroma subsampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rrip_format.core.annex_k import nearest_quality
from rrip_format.core.jpeg_encoder import ZIGZAG
from rrip_format.sources.jpegheader import START_OF_SCAN, frame_components, is_frame, walk_segments

__all__ = ["JpegLoss", "read_loss"]

_DQT = 0xDB
_LOSSLESS_FRAMES = {0xC3, 0xC7, 0xCB, 0xCF}
_NAMES = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1", (4, 2): "4:1:0"}
"""Names of subsampling by the number of luma samples per chroma sample, horizontally and vertically."""


@dataclass(frozen=True, slots=True)
class JpegLoss:
    """How much information a JPEG stream lost.

    Parameters
    ----------
    lossy : bool
        False for the lossless processes of T.81.
    quality : int or None
        On libjpeg's scale, from the luma table; None without a table.
    subsampling : str or None
        Such as ``4:2:0``; None for gray.
    """

    lossy: bool
    quality: int | None
    subsampling: str | None


def read_loss(data: bytes, tables: bytes | None = None) -> JpegLoss | None:
    """Read the losses from the header of a JPEG stream, as far as `data` goes; None if it is no JPEG.

    Parameters
    ----------
    data : bytes
        The stream, or its beginning.
    tables : bytes, optional
        The TIFF's JPEGTables, for an abbreviated stream.
    """
    steps: dict[int, NDArray[np.int64]] = {}
    if tables:
        _walk(tables, steps)
    frame = _walk(data, steps)
    if frame is None:
        return None
    marker, components = frame
    if marker in _LOSSLESS_FRAMES:
        return JpegLoss(lossy=False, quality=None, subsampling=_subsampling(components))
    luma = steps.get(components[0][2])
    return JpegLoss(True, None if luma is None else nearest_quality(luma), _subsampling(components))


def _walk(data: bytes, steps: dict[int, NDArray[np.int64]]) -> tuple[int, list[tuple[int, int, int]]] | None:
    """Add quantization tables to `steps`; return the frame's marker and each component's sampling factors and table."""
    frame = None
    for marker, body, end in walk_segments(data):
        if marker == START_OF_SCAN or end > len(data):
            break
        if marker == _DQT:
            _collect(body, steps)
        elif is_frame(marker, body):
            components = [(part[1] >> 4, part[1] & 15, part[2]) for part in frame_components(body)]
            frame = (marker, components) if components else None
    return frame


def _collect(body: bytes, steps: dict[int, NDArray[np.int64]]) -> None:
    """Store the tables of a DQT segment, in raster order, under their numbers."""
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        stored = body[at + 1 : at + 1 + size]
        if len(stored) != size:
            return
        table = np.zeros(64, np.int64)
        table[ZIGZAG] = np.frombuffer(stored, ">u2" if wide else "u1")
        steps[number] = table
        at += 1 + size


def _subsampling(components: list[tuple[int, int, int]]) -> str | None:
    if len(components) != 3:
        return None
    (across, down, _), *chroma = components
    ratios = {(across / max(1, c[0]), down / max(1, c[1])) for c in chroma}
    if len(ratios) != 1:
        return None
    x, y = ratios.pop()
    return _NAMES.get((int(x), int(y))) if x.is_integer() and y.is_integer() else None
