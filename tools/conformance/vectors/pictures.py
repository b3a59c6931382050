"""Pictures and streams for the cases."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rrip_format.family.jpeg import decode_gray

from .case import Image


def to_uint8(values: NDArray[np.float64]) -> Image:
    rounded: NDArray[np.float64] = np.clip(np.rint(values), 0, 255)
    return rounded.astype(np.uint8)


def smooth(side: int, seed: int = 0) -> Image:
    """Return a smooth picture in the colours of a stained section, (side, side, 3) uint8."""
    y, x = np.mgrid[0:side, 0:side] * (256 / side)
    a = np.sin((x + 17 * seed) / 31) * np.cos((y - 11 * seed) / 23)
    b = np.sin((x + y) / 41 + seed)
    ring = np.cos(np.hypot(x - 130, y - 110) / 9) * np.exp(-np.hypot(x - 130, y - 110) / 60)
    red, green, blue = 190 + 30 * a + 20 * ring, 120 + 40 * b + 50 * ring, 170 + 25 * a - 20 * b + 25 * ring
    return to_uint8(np.stack([red, green, blue], axis=-1))


def flat_picture(side: int, rgb: tuple[int, int, int]) -> Image:
    """Return a picture of one colour, (side, side, 3) uint8."""
    return np.broadcast_to(np.array(rgb, np.uint8), (side, side, 3)).copy()


def waves(side: int, amplitude: float, period: float = 24) -> Image:
    """Return a residual plane of waves around 128, (side, side) uint8."""
    y, x = np.mgrid[0:side, 0:side]
    wave = np.sin(2 * np.pi * x / period) * np.cos(2 * np.pi * y / period)
    return to_uint8(128 + amplitude * wave)


def noise(side: int, shape: tuple[int, ...] = (), cell: int = 1) -> Image:
    """Return random black and white cells of `cell` px, which drive the filter to its bounds."""
    generator = np.random.Generator(np.random.PCG64(5))
    cells = generator.integers(0, 2, (side // cell, side // cell, *shape), np.uint8) * np.uint8(255)
    return cells.repeat(cell, axis=0).repeat(cell, axis=1)


@dataclass(frozen=True, slots=True)
class Quality:
    """Settings of streams: quality on libjpeg's scale, flat tables or those of Annex K, rate-distortion or not."""

    q: int
    flat: bool = True
    trellis: bool = True

    def encode(self, pixels: Image, **options: Any) -> bytes:
        """Encode one baseline stream of a plane or an RGB image with libvips, not with the encoder of the package."""
        import pyvips

        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels)
        image = pyvips.Image.new_from_memory(data, width, height, 1 if pixels.ndim == 2 else 3, "uchar")
        how = {
            "Q": self.q,
            "keep": "none",
            "subsample_mode": "off",
            "optimize_coding": True,
            "quant_table": 1 if self.flat else 0,
            "trellis_quant": self.trellis,
        }
        stream: bytes = image.jpegsave_buffer(**{**how, **options})
        return stream

    def encode_residual(self, wanted: Image, predicted: Image) -> bytes:
        """Encode a residual; no bytes if it decodes to zero."""
        residual = to_uint8(wanted.astype(np.float64) - predicted + 128)
        stream = self.encode(residual)
        return b"" if (decode_gray(stream, residual.shape[0]) == 128).all() else stream


def encode(pixels: Image, q: int) -> bytes:
    return Quality(q).encode(pixels)


def segment(marker: int, payload: bytes) -> bytes:
    """Return one JPEG marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segments(stream: bytes) -> bytes:
    """Return `stream` with every allowed optional segment after its start marker."""
    jfif = segment(0xE0, b"JFIF\0" + bytes((1, 2, 0, 0, 1, 0, 1, 0, 0)))
    adobe = segment(0xEE, b"Adobe" + bytes((0, 100, 0, 0, 0, 0, 1 if count_components(stream) == 3 else 0)))
    other = segment(0xE5, b"\xff\xd9 inside a segment is no end marker") + segment(0xFE, "größer".encode())
    return stream[:2] + jfif + adobe + other + stream[2:]


def count_components(stream: bytes) -> int:
    return stream[stream.index(b"\xff\xc0") + 9]


def with_restarts(pixels: Image, q: int, interval: int) -> bytes:
    """Encode with restart markers."""
    stream = Quality(q).encode(pixels, restart_interval=interval)
    if b"\xff\xdd" not in stream or b"\xff\xd0" not in stream:
        raise RuntimeError("this libvips wrote no restart markers")
    return stream
