"""A baseline JPEG encoder that spends bits where they save most error (ITU-T T.81).

Rate-distortion optimised quantisation: a level is lowered or dropped where that saves more bits than the error it makes
is worth. What a code costs depends on how often it occurs, so levels are chosen several times, each time with the
statistics of the last choice. The Huffman tables are then optimal for what was chosen. Any baseline decoder reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from .jpeg_blocks import ZIGZAG, Blocks, Levels, block_losses, choose, round_levels, transform
from .jpeg_huffman import HuffmanTables, Symbols, list_symbols, symbol_costs, write_scan
from .jpeg_idct import LANES
from .jpeg_samples import decode_levels

__all__ = ["EFFORTS", "Quantiser", "encode_gray", "encode_ycc"]

EFFORTS = {"fast": 0, "default": 1, "best": 3}
"""How often levels are chosen by rate and distortion; without, coefficients are rounded towards zero."""

_DEAD_ZONE = 0.42
"""Offset of rounding of AC coefficients, 0.5 being the nearest: the first guess of what a choice will keep."""

_LARGEST_LOSS = 5.0
"""Most squared error, in steps, that leaving a residual away may add to a block: about what a step makes in a block of
tissue, 64 / 12. So nothing that would be seen in tissue is lost on glass."""

_SIZES, _RUNS = np.arange(11)[:, None], np.arange(63)[None, :]
_SYMBOLS, _LONG_RUNS = (_RUNS & 15) << 4 | _SIZES, _RUNS >> 4
"""Of a level of so many bits after so long a run: its AC symbol, and how many symbols of 16 zeros stand before it."""

Floats = NDArray[np.float32]
Samples = NDArray[np.uint8]


@dataclass(frozen=True)
class Quantiser:
    """How coefficients become levels.

    Parameters
    ----------
    table : (64,) uint8
        Quantiser steps in zigzag order, 1 … 255 (T.81 B.2.4.1).
    rate : float
        What a bit is worth, in squared mean steps; 0 rounds to the nearest level.
    """

    table: NDArray[np.uint8]
    rate: float = 0.0

    @cached_property
    def weight(self) -> Floats:
        """What a squared error of one step counts, in squared mean steps, (64,) float32."""
        steps = self.table.astype(np.float64)
        weight: Floats = ((steps / steps.mean()) ** 2).astype(np.float32)
        return weight

    @cached_property
    def scale(self) -> Floats:
        """One by the steps, (64,) float32."""
        return np.float32(1) / self.table.astype(np.float32)

    @cached_property
    def lanes(self) -> NDArray[np.int16]:
        """The steps in raster order, each once for every lane of the inverse DCT, (64 * LANES,) int16."""
        steps = np.empty(64, np.int16)
        steps[ZIGZAG] = self.table
        return np.repeat(steps, LANES)


def encode_gray(
    plane: Floats,
    quantiser: Quantiser,
    *,
    effort: str = "default",
    optional: bool = False,
    samples: Samples | None = None,
) -> bytes:
    """Encode one plane as a grayscale JPEG.

    Parameters
    ----------
    plane : (h, w) float32
        Samples less 128, -128 … 127; sides are multiples of 8.
    quantiser : Quantiser
    effort : str
        A key of ``EFFORTS``.
    optional : bool
        The plane may be left away: it is, if that saves more bits than the error is worth and no block loses much.
    samples : (h, w) uint8, optional
        Gets what the stream decodes to, unless that is none.

    Returns
    -------
    bytes
        One stream; none where every level is zero or the plane was left away.
    """
    blocks = transform(plane[None], quantiser.scale[None])
    levels = round_levels(blocks, _DEAD_ZONE if quantiser.rate else 0.5)
    coded = _code(blocks, levels, [quantiser], EFFORTS[effort])
    if coded.symbols.are_blank:
        return b""
    if optional and quantiser.rate:
        losses = block_losses(blocks, levels, quantiser.weight, _LARGEST_LOSS)
        stream_bits = coded.tables.bits + 8 * 160  # about what the tables take
        if losses is not None and losses.sum() < quantiser.rate * stream_bits:
            return b""
    if samples is not None:
        decode_levels(blocks, levels, quantiser.lanes[None], samples[None])
    return _stream(plane.shape, [quantiser], coded)


def encode_ycc(
    planes: Floats, luma: Quantiser, chroma: Quantiser, *, effort: str = "default", samples: Samples | None = None
) -> bytes:
    """Encode Y, Cb, Cr, (3, h, w), like the plane of :func:`encode_gray`, as a 4:4:4 colour JPEG."""
    blocks = transform(planes, np.stack([luma.scale, chroma.scale, chroma.scale]))
    levels = round_levels(blocks, _DEAD_ZONE if luma.rate or chroma.rate else 0.5)
    coded = _code(blocks, levels, [luma, chroma], EFFORTS[effort])
    if samples is not None:
        decode_levels(blocks, levels, np.stack([luma.lanes, chroma.lanes, chroma.lanes]), samples)
    return _stream(planes.shape[1:], [luma, chroma], coded)


@dataclass(frozen=True, slots=True)
class _Coded:
    """The symbols of a scan, and its Huffman tables: of DC and of AC, for one quantiser after the other."""

    symbols: Symbols
    tables: HuffmanTables


def _code(blocks: Blocks, levels: Levels, quantisers: Sequence[Quantiser], passes: int) -> _Coded:
    """Choose the levels, `passes` times, and the tables that fit them."""
    chosen = _tables_of(blocks.dc.shape[0])
    for _ in range(passes if any(quantiser.rate for quantiser in quantisers) else 0):
        counts = list_symbols(blocks, levels, chosen).counts
        for k, quantiser in enumerate(quantisers):
            if quantiser.rate:
                _choose(blocks, levels, [c for c, table in enumerate(chosen) if table == k], quantiser, counts[k])
    symbols = list_symbols(blocks, levels, chosen)
    return _Coded(symbols, HuffmanTables.of(symbols.counts[: len(quantisers)].reshape(-1, 256)))


def _tables_of(planes: int) -> list[int]:
    """Which tables each plane has: the first plane the first, all others the second."""
    return [min(c, 1) for c in range(planes)]


def _choose(
    blocks: Blocks, levels: Levels, planes: Sequence[int], quantiser: Quantiser, counts: NDArray[np.int64]
) -> None:
    """Choose the levels of planes by what codes cost that occur so often."""
    dc_bits, ac_bits = (symbol_costs(count) for count in counts)
    rate = np.float32(quantiser.rate)
    dc_cost = (rate * (dc_bits[:12] + np.arange(12))).astype(np.float32)
    ac_cost = (rate * (ac_bits[_SYMBOLS] + _LONG_RUNS * ac_bits[0xF0] + _SIZES)).astype(np.float32)
    choose(blocks, levels, planes, quantiser.weight, dc_cost, ac_cost, float(rate * ac_bits[0]))


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def _stream(shape: tuple[int, ...], quantisers: Sequence[Quantiser], coded: _Coded) -> bytes:
    """Tables, frame and scan (T.81 B.2)."""
    frame, scan = _headers(shape, tuple(quantiser.table.tobytes() for quantiser in quantisers))
    codes = b"".join(
        bytes((kind << 4 | k,)) + coded.tables.segment(2 * k + kind) for k in range(len(quantisers)) for kind in (0, 1)
    )
    return b"".join((frame, _segment(0xC4, codes), scan, write_scan(coded.symbols, coded.tables), b"\xff\xd9"))


@lru_cache(maxsize=64)
def _headers(shape: tuple[int, ...], steps: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """What is before the Huffman tables and behind them, given the quantiser steps in zigzag order.

    Components 1, 2, 3 without an application marker are Y, Cb, Cr to libjpeg.
    """
    planes = 2 * len(steps) - 1
    chosen = _tables_of(planes)
    tables = b"".join(bytes((k,)) + table for k, table in enumerate(steps))
    size = b"".join(side.to_bytes(2, "big") for side in shape)
    frame = b"\x08" + size + bytes((planes, *(v for c in range(planes) for v in (c + 1, 0x11, chosen[c]))))
    scan = bytes((planes, *(v for c in range(planes) for v in (c + 1, 0x11 * chosen[c])), 0, 63, 0))
    return b"\xff\xd8" + _segment(0xDB, tables) + _segment(0xC0, frame), _segment(0xDA, scan)
