"""A fast look at a JPEG tile that tells whether any decoder reads it without a complaint.

libjpeg fills up what is damaged and warns, and the decoders that are fast enough here do not pass the warning on. So
the codes of the scan are read once more, strictly, without making coefficients of them, which takes about as long as
half of the decoding. What is not an ordinary baseline JPEG is in doubt, not wrong: others have to judge it then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rrip_format.kernels import inlined, kernel

__all__ = ["is_sound"]

U = np.uint64

Table = NDArray[np.uint16]

_LOOKED = 10
"""Bits of a look into the small table, which fits the first cache; longer codes take a second look."""

_END = 64
"""Steps of an end of block: past the last coefficient, from wherever."""


@dataclass
class _Header:
    """What of the segments before a scan decides on its codes: tables of each class and number, and the components."""

    codes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    interval: int = 0
    shape: tuple[int, int] = (0, 0)
    factors: dict[int, tuple[int, int]] = field(default_factory=dict)
    chosen: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Scan:
    """A scan to be read: the size of its picture, units and restart interval, and what :func:`_lookups` gives."""

    shape: tuple[int, int]
    units: int
    interval: int
    blocks: NDArray[np.int64]
    short: Table
    full: Table


def is_sound(data: bytes, tables: bytes | None, height: int, width: int) -> bool:
    """Whether a JPEG surely is whole and decodes without a warning.

    Parameters
    ----------
    data : bytes
        The stored tile.
    tables : bytes or None
        The TIFF's JPEGTables, for an abbreviated tile.
    height, width : int
        Its size, px.

    Returns
    -------
    bool
        False also where nothing is wrong, but something is unusual: another kind of JPEG, fill bytes, several scans.
    """
    try:
        start = _scan_start(data)
        scan = _read_header(data[:start], tables)
    except (IndexError, KeyError, ValueError):  # a segment is short, or names what there is not
        return False
    if scan is None or scan.shape != (height, width):
        return False
    codes = np.frombuffer(data, np.uint8)
    end = _walk(codes, start, scan.units, scan.blocks, scan.interval, scan.short, scan.full)
    return end > 0 and not data[end:].strip(b"\0")


def _scan_start(data: bytes) -> int:
    """Where the codes of the first scan begin, if `data` is a JPEG."""
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


@lru_cache(maxsize=16)
def _read_header(data: bytes, tables: bytes | None) -> _Scan | None:
    """What all tells that is before a scan; None where anything is unusual. The tiles of a slide mostly begin alike."""
    header = _Header()
    if tables and not _read_segments(tables, header, whole=False):
        return None
    return _scan_of(header) if _read_segments(data, header, whole=True) else None


def _read_segments(data: bytes, header: _Header, *, whole: bool) -> bool:
    """Take over the segments up to the scan, or of tables alone up to their end; False where one is unusual."""
    if data[:2] != b"\xff\xd8":
        return False
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xD9:
            return not whole
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            return False
        if marker == 0xC4:
            _read_codes(body, header)
        elif marker == 0xC0:
            header.shape = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            parts = [body[6 + 3 * k : 9 + 3 * k] for k in range(body[5])]
            header.factors = {part[0]: (part[1] >> 4, part[1] & 15) for part in parts}
            if body[0] != 8 or len(header.factors) != len(parts):
                return False
        elif marker == 0xDD:
            header.interval = int.from_bytes(body, "big")
        elif marker == 0xDA:
            header.chosen = [(body[1 + 2 * k], body[2 + 2 * k] >> 4, body[2 + 2 * k] & 15) for k in range(body[0])]
            return body[1 + 2 * body[0] :] == b"\0\x3f\0"
        elif marker == 0xE0 and body[:5] == b"JFIF\0":
            if body[5] != 1:  # a version that libjpeg warns of
                return False
        elif marker not in {0xDB, 0xFE} and not 0xE0 <= marker <= 0xEF:
            return False
        at += 2 + length
    return False


def _read_codes(body: bytes, header: _Header) -> None:
    while body:
        size = 17 + sum(body[1:17])
        header.codes[body[0] >> 4, body[0] & 15] = body[1:size]
        body = body[size:]


@lru_cache(maxsize=64)
def _lookup(code: bytes, *, is_dc: bool) -> tuple[Table, Table]:
    """For the next 10 and the next 16 bits: how many a symbol takes with its amplitude, and its steps times 32."""
    counts, symbols = code[:16], code[16:]
    full = np.zeros(1 << 16, np.uint16)
    short = np.zeros(1 << _LOOKED, np.uint16)
    start = index = 0
    for length, count in enumerate(counts, 1):
        width = 1 << (16 - length)
        for symbol in symbols[index : index + count]:
            run, size = symbol >> 4, symbol & 15
            if is_dc:
                entry = length + symbol if symbol <= 11 else 0
            elif size == 0:
                entry = {0: length | _END << 5, 15: length | 16 << 5}.get(run, 0)
            else:
                entry = length + size | (run + 1) << 5 if size <= 10 else 0
            full[start : start + width] = entry
            if length <= _LOOKED:
                short[start >> 6 : (start + width) >> 6] = entry
            start += width
        index += count
    if start > 1 << 16 or index != len(symbols):
        raise ValueError("more codes than there are")
    return short, full


@lru_cache(maxsize=16)
def _lookups(
    dc: tuple[bytes, ...], ac: tuple[bytes, ...], factors: tuple[tuple[int, int], ...]
) -> tuple[Table, Table, NDArray[np.int64]]:
    """The tables of all components, of DC and then of AC, and which component each block of a unit is of."""
    found = [_lookup(code, is_dc=True) for code in dc] + [_lookup(code, is_dc=False) for code in ac]
    short, full = (np.stack([pair[k] for pair in found]) for k in range(2))
    return short, full, np.repeat(np.arange(len(factors)), [h * v for h, v in factors])


def _scan_of(header: _Header) -> _Scan | None:
    if {part[0] for part in header.chosen} != set(header.factors) or len(header.chosen) != len(header.factors):
        return None
    factors = [header.factors[part[0]] for part in header.chosen]
    if len(factors) == 1:
        factors = [(1, 1)]
    if not all(1 <= h <= 4 and 1 <= v <= 4 for h, v in factors) or sum(h * v for h, v in factors) > 10:
        return None
    height, width = header.shape
    across, down = 8 * max(h for h, _ in factors), 8 * max(v for _, v in factors)
    short, full, blocks = _lookups(
        tuple(header.codes[0, part[1]] for part in header.chosen),
        tuple(header.codes[1, part[2]] for part in header.chosen),
        tuple(factors),
    )
    return _Scan(header.shape, -(-height // down) * -(-width // across), header.interval, blocks, short, full)


@inlined
def _refill(data: Any, at: Any, bits: Any, have: Any, invented: Any) -> Any:
    """At least 32 bits at the upper end of `bits`: four bytes at once, or byte by byte where one is 0xFF."""
    stop = data.shape[0]
    if at + 4 <= stop:
        i = U(at)
        four = U(data[i]) << U(24) | U(data[i + U(1)]) << U(16) | U(data[i + U(2)]) << U(8) | U(data[i + U(3)])
        zeros = four ^ U(0xFFFFFFFF)
        if (zeros - U(0x01010101)) & four & U(0x80808080) == U(0):
            return at + 4, bits | four << (U(32) - have), have + U(32), invented
    while have < U(32):
        byte = U(0)
        if at < stop and data[at] != 0xFF:
            byte = U(data[at])
            at += 1
        elif at + 1 < stop and data[at + 1] == 0:
            byte = U(0xFF)
            at += 2
        else:
            invented += 8
        bits |= byte << (U(56) - have)
        have += U(8)
    return at, bits, have, invented


@kernel
def _walk(data: Any, at: int, units: int, blocks: Any, interval: int, short: Any, full: Any) -> int:
    """Read the codes of all units (MCU) of a scan; where the end marker stops, or 0 where anything is unusual.

    The tables have a row for each component, of DC and then of AC. Behind an interval zeros are read, and counted.
    """
    stop, components = data.shape[0], U(short.shape[0] // 2)
    bits = have = U(0)
    invented = 0
    until, restart = interval, 0
    for _ in range(units):
        if interval and until == 0:
            if np.int64(have) - invented >= 8 or np.int64(have) < invented:
                return 0
            if at + 1 >= stop or data[at] != 0xFF or data[at + 1] != 0xD0 + restart:
                return 0
            at, restart, until = at + 2, (restart + 1) & 7, interval
            bits = have = U(0)
            invented = 0
        until -= 1
        for n in range(blocks.shape[0]):
            table, k = U(blocks[n]), np.int64(0)
            while True:
                if have < U(32):
                    at, bits, have, invented = _refill(data, at, bits, have, invented)
                entry = short[table, bits >> U(54)]
                if entry == 0:
                    entry = full[table, bits >> U(48)]
                    if entry == 0:
                        return 0
                taken = U(entry & 31)
                bits <<= taken
                have -= taken
                if table < components:
                    table += components
                    continue
                k += np.int64(entry >> 5)
                if k >= 63:
                    if k > 63 and entry >> 5 != _END:
                        return 0
                    break
            if np.int64(have) < invented:
                return 0
    if np.int64(have) - invented >= 8 or at + 1 >= stop or data[at] != 0xFF or data[at + 1] != 0xD9:
        return 0
    return at + 2
