"""Estimate from the header of a JPEG stream how much it lost: quality and chroma subsampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rrip_format.core.annex_k import nearest_quality
from rrip_format.core.jpeg_encoder import ZIGZAG

__all__ = ["JpegLoss", "read_loss"]

_DQT, _SOS, _NOT_FRAMES = 0xDB, 0xDA, {0xC4, 0xC8, 0xCC}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
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
    frame, at = None, 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker == _SOS or len(body) != length - 2:
            break
        if marker == _DQT:
            _collect(body, steps)
        elif 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES and len(body) >= 6:
            parts = [body[6 + 3 * k : 9 + 3 * k] for k in range(body[5])]
            components = [(part[1] >> 4, part[1] & 15, part[2]) for part in parts if len(part) == 3]
            frame = (marker, components) if components else None
        at += 2 + length
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
