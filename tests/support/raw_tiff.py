"""A TIFF of any tags and segments, right or wrong: writers of libraries refuse half of what people have."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
CODES = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I", RATIONAL: "I", UNDEFINED: "B", LONG8: "Q"}


@dataclass
class Page:
    """Tags, as {code: (type, values)}, and the stored bytes of tiles or strips."""

    tags: dict[int, tuple[int, list[int] | bytes]]
    segments: list[bytes]
    is_tiled: bool = False
    order: list[int] = field(default_factory=list)


def write_raw_tiff(path, pages, *, byteorder="<", bigtiff=False):
    """Write pages one after another; offsets and counts of the segments are added to their tags."""
    out = bytearray(struct.pack(f"{byteorder}2sHHHQ", b"II" if byteorder == "<" else b"MM", 43, 8, 0, 16))
    if not bigtiff:
        out = bytearray(struct.pack(f"{byteorder}2sHI", out[:2], 42, 8))
    link = len(out) - (8 if bigtiff else 4)
    size, entry, count = ("Q", "HHQ", "Q") if bigtiff else ("I", "HHI", "H")
    inline = 8 if bigtiff else 4
    for page in pages:
        offsets = []
        for data in page.segments:
            out += bytes(len(out) % 2)
            offsets.append(len(out))
            out += data
        kind = LONG8 if bigtiff else LONG
        where = (324, 325) if page.is_tiled else (273, 279)
        tags = {**page.tags, where[0]: (kind, offsets), where[1]: (kind, [len(data) for data in page.segments])}
        entries = []
        for code, (type_, values) in sorted(tags.items()):
            data = (
                bytes(values)
                if isinstance(values, bytes)
                else b"".join(struct.pack(byteorder + CODES[type_], value) for value in values)
            )
            number = len(values) // (2 if type_ == RATIONAL else 1)
            if len(data) > inline:
                out += bytes(len(out) % 8)
                at = len(out)
                out += data
                data = struct.pack(byteorder + size, at)
            entries.append(struct.pack(byteorder + entry, code, type_, number) + data.ljust(inline, b"\0"))
        out += bytes(len(out) % 8)
        out[link : link + inline] = struct.pack(byteorder + size, len(out))
        out += struct.pack(byteorder + count, len(entries)) + b"".join(entries)
        link = len(out)
        out += bytes(inline)
    path.write_bytes(out)
    return path


def segments_of(samples, tile, rows, *, planar=False):
    """Cut samples (H, W, S) to tiles (height, width), padded, or to strips of so many rows; plane after plane."""
    planes = [samples[..., k : k + 1] for k in range(samples.shape[-1])] if planar else [samples]
    found = []
    for plane in planes:
        height, width = plane.shape[:2]
        if tile is None:
            found += [plane[y : y + rows] for y in range(0, height, rows)]
            continue
        padded = np.pad(plane, ((0, -height % tile[0]), (0, -width % tile[1]), (0, 0)), mode="edge")
        found += [
            padded[y : y + tile[0], x : x + tile[1]]
            for y in range(0, height, tile[0])
            for x in range(0, width, tile[1])
        ]
    return found


def pack_bits(segment, bits):
    """Pack samples below 2**bits, (H, W, S), each row to whole bytes."""
    rows = segment.reshape(len(segment), -1)
    if bits == 8:
        return rows.tobytes()
    if bits == 16:
        return rows.astype("<u2").tobytes()
    per = 8 // bits
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % per))).reshape(len(rows), -1, per).astype(np.uint8)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return np.bitwise_or.reduce(rows << shifts, axis=-1).astype(np.uint8).tobytes()


def basic_tags(samples, *, photometric, compression=1, bits=8, planar=False, tile=None, rows=None, extra=()):
    """The tags that every page has, for samples (H, W, S)."""
    height, width, count = samples.shape
    tags = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits] * count),
        259: (SHORT, [compression]),
        262: (SHORT, [photometric]),
        277: (SHORT, [count]),
        284: (SHORT, [2 if planar else 1]),
    }
    if tile is not None:
        tags |= {322: (LONG, [tile[1]]), 323: (LONG, [tile[0]])}
    else:
        tags[278] = (LONG, [rows])
    if extra:
        tags[338] = (SHORT, list(extra))
    return tags
