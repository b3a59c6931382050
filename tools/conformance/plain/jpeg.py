"""Sections 5.1 and 6.1: decode a baseline JPEG stream to planes, with the inverse DCT of the format.

What ITU-T T.81 demands of a baseline decoder and no more: one scan, 8 bits a sample, sampling factors of 1, so that a
minimum coded unit is one block of every component.
"""

from __future__ import annotations

import io
from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from plain.dct import Integers, Samples, inverse_dct
from plain.errors import DamagedError

SOF0, DHT, SOI, EOI, SOS, DQT, DRI, COM = 0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xFE
OTHER_FRAMES = {*range(0xC1, 0xD0)} - {DHT, 0xC8, 0xCC}
RESTARTS = range(0xD0, 0xD8)
APPLICATION = range(0xE0, 0xF0)

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))
"""Row-major index of the k-th coefficient: diagonals from the corner, up and down in turn (T.81, figure A.6)."""


@dataclass
class Component:
    """One component of the frame header, and its tables according to the scan header."""

    identifier: int
    quantisation: int
    dc: int = 0
    ac: int = 0


@dataclass
class Header:
    """Contents of the segments before the entropy-coded data."""

    components: list[Component] = field(default_factory=list)
    steps: dict[int, list[int]] = field(default_factory=dict)
    codes: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """By class (0 DC, 1 AC) and number: for each 16 bits, ``length << 8 | symbol`` of the code that they start with."""
    interval: int = 0
    scan: int = 0
    """Where the entropy-coded data begin."""
    neutral: bytes = b"\xff\xd8"
    """The same header without APPn and COM and with identifiers 1, 2, 3, so that no decoder guesses at colours."""


def decode(stream: bytes, side: int, components: int, *, decoder: str = "own") -> Samples:
    """Decode the planes of a stream.

    Parameters
    ----------
    stream : bytes
        From SOI to EOI.
    side : int
        Height and width that the tile of its level has (section 4.2), px.
    components : int
        3 at level 2 and coarser, 1 in a residual.
    decoder : {"own", "pillow"}
        This module, or Pillow with libjpeg-turbo, which is faster and takes much damage without complaint.

    Returns
    -------
    numpy.ndarray
        ``(components, side, side)``, the samples before any conversion of colour.

    Raises
    ------
    DamagedError
        The stream breaks a rule of section 6.1, or ends early.
    """
    header = read_header(stream, side, components)
    if decoder == "pillow":
        return _decode_with_pillow(header.neutral + stream[header.scan :], components)
    coefficients = _read_scan(stream, header, (side // 8) ** 2)
    steps = np.array([header.steps[c.quantisation] for c in header.components])
    natural: Integers = np.zeros_like(coefficients)
    natural[..., ZIGZAG] = coefficients * steps[:, None, :]
    blocks = inverse_dct(natural.reshape(components, side // 8, side // 8, 8, 8))
    planes: Samples = blocks.swapaxes(2, 3).reshape(components, side, side)
    return planes


# Marker segments -----------------------------------------------------------------------------------------------------


def read_header(stream: bytes, side: int, components: int) -> Header:
    """Read the marker segments up to SOS and check them against the rules of section 6.1."""
    if stream[:2] != b"\xff\xd8" or stream[-2:] != b"\xff\xd9" or len(stream) < 4:
        raise DamagedError("stream.decode", "the stream does not begin with SOI and end with EOI")  # rule 1
    header = Header()
    at = 2
    while not header.scan:
        marker, at = _next_marker(stream, at)
        if marker in OTHER_FRAMES or (marker == SOF0 and header.components):
            raise DamagedError("stream.decode", f"frame header FF {marker:02X}, not exactly one SOF0")  # rule 2
        if marker not in {SOF0, DHT, DQT, DRI, SOS, COM, *APPLICATION}:
            raise DamagedError("stream.decode", f"marker FF {marker:02X} before the scan")
        length = int.from_bytes(stream[at : at + 2], "big")
        segment = stream[at + 2 : at + length]
        if length < 2 or at + length > len(stream) - 2:
            raise DamagedError("stream.decode", "a segment reaches beyond the stream")
        begin, at = at - 2, at + length
        if marker == SOF0:
            segment = _frame(segment, side, components, header)
        elif marker == DQT:
            _quantisation(segment, header)
        elif marker == DHT:
            _huffman(segment, header)
        elif marker == DRI:
            if len(segment) != 2:
                raise DamagedError("stream.decode", "a restart interval that is not two bytes")
            header.interval = int.from_bytes(segment, "big")
        elif marker == SOS:
            segment = _scan(segment, header)
            header.scan = at
        if marker not in {COM, *APPLICATION}:
            header.neutral += stream[begin : begin + 4] + segment
    return header


def _next_marker(stream: bytes, at: int) -> tuple[int, int]:
    """Return the marker at an offset, after any fill bytes, and the offset behind it."""
    begin = at
    while at < len(stream) and stream[at] == 0xFF:
        at += 1
    if at == begin or at >= len(stream):
        raise DamagedError("stream.decode", f"no marker at byte {begin} of the stream")
    return stream[at], at + 1


def _frame(segment: bytes, side: int, components: int, header: Header) -> bytes:
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5] or segment[0] != 8:
        raise DamagedError("stream.decode", "a frame header of another length or precision")  # rule 2
    size = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    if size != (side, side):
        raise DamagedError("stream.decode", f"{size[1]} × {size[0]} px, expected {side} × {side}")  # rule 3
    if segment[5] != components:
        raise DamagedError("stream.decode", f"{segment[5]} components, expected {components}")  # rule 4
    neutral = bytearray(segment)
    for index in range(components):
        identifier, sampling, table = segment[6 + 3 * index : 9 + 3 * index]
        if sampling != 0x11:
            raise DamagedError("stream.decode", f"sampling factors {sampling:02x}, expected 1 and 1")  # rule 5
        header.components.append(Component(identifier, table))
        neutral[6 + 3 * index] = index + 1
    return bytes(neutral)


def _quantisation(segment: bytes, header: Header) -> None:
    """Read DQT: any number of tables, 64 steps each, in zigzag order."""
    while segment:
        if segment[0] > 3 or len(segment) < 65 or 0 in segment[1:65]:
            raise DamagedError("stream.decode", "a quantisation table that is not of 64 steps in 1 … 255")  # rule 6
        header.steps[segment[0]] = list(segment[1:65])
        segment = segment[65:]


def _huffman(segment: bytes, header: Header) -> None:
    """Read DHT: any number of tables, as counts of codes of 1 to 16 bits, then the symbols (T.81, Annex C)."""
    while segment:
        kind, number = divmod(segment[0], 16)
        counts = segment[1:17]
        if kind > 1 or number > 1 or len(counts) < 16 or len(segment) < 17 + sum(counts):
            raise DamagedError("stream.decode", "a Huffman table that is cut or not of a baseline stream")
        symbols = iter(segment[17:])
        table: list[int] = []
        for length, count in enumerate(counts, start=1):
            for _ in range(count):  # codes ascend, so each one's stretch of the 16-bit numbers follows the last
                table += [length << 8 | next(symbols)] * (1 << 16 - length)
        if len(table) > 1 << 16:
            raise DamagedError("stream.decode", "a Huffman table with more codes than its lengths have room for")
        header.codes[kind, number] = table + [0] * ((1 << 16) - len(table))
        segment = segment[17 + sum(counts) :]


def _scan(segment: bytes, header: Header) -> bytes:
    count = len(header.components)
    if not count:
        raise DamagedError("stream.decode", "a scan before the frame header")  # rule 2
    if len(segment) != 4 + 2 * count or segment[0] != count or segment[-3:] != b"\x00\x3f\x00":
        raise DamagedError("stream.decode", "the scan is not one of all components and coefficients")  # rule 7
    neutral = bytearray(segment)
    for index, component in enumerate(header.components):
        identifier, tables = segment[1 + 2 * index : 3 + 2 * index]
        component.dc, component.ac = divmod(tables, 16)
        if identifier != component.identifier:
            raise DamagedError("stream.decode", "the components of the scan are not in the order of the frame")
        needed = (0, component.dc) in header.codes and (1, component.ac) in header.codes
        if not needed or component.quantisation not in header.steps:
            raise DamagedError("stream.decode", "the stream uses a table that it does not contain")  # rule 6
        neutral[1 + 2 * index] = index + 1
    return bytes(neutral)


# Entropy-coded data --------------------------------------------------------------------------------------------------


def _read_scan(stream: bytes, header: Header, blocks: int) -> Integers:
    """Read all coefficients ``(components, blocks, 64)``, in zigzag order, before dequantisation."""
    pieces = _intervals(stream, header.scan)
    each = header.interval or blocks
    if len(pieces) != -(-blocks // each):
        raise DamagedError("stream.decode", f"{len(pieces)} restart intervals in a scan of {blocks} blocks")
    read = [_read_interval(piece, header, min(each, blocks - i * each)) for i, piece in enumerate(pieces)]
    return np.concatenate(read).swapaxes(0, 1)


def _intervals(stream: bytes, at: int) -> list[bytes]:
    """Return the data between restart markers, up to EOI, with ``FF 00`` replaced by ``FF``."""
    pieces, data = [], bytearray()
    while True:
        mark = stream.index(b"\xff", at)  # there is one, the stream ends in EOI
        data += stream[at:mark]
        if stream[mark + 1] == 0:
            data.append(0xFF)
            at = mark + 2
            continue
        marker, at = _next_marker(stream, mark)
        pieces.append(bytes(data))
        data.clear()
        if marker == EOI:
            break
        if marker != RESTARTS[(len(pieces) - 1) % 8]:
            raise DamagedError("stream.decode", f"marker FF {marker:02X} in the entropy-coded data")
    if at != len(stream):
        raise DamagedError("stream.decode", "an EOI before the end of the stream")
    return pieces


def _read_interval(data: bytes, header: Header, blocks: int) -> Integers:
    """Read coefficients ``(blocks, components, 64)`` of one restart interval (T.81, Annex F.2)."""
    tables = [(header.codes[0, c.dc], header.codes[1, c.ac]) for c in header.components]
    values = array("q", bytes(8 * blocks * len(tables) * 64))
    last = [0] * len(tables)
    padded = data + b"\xff" * 8
    end = 8 * len(data)
    bit = 0  # position of the next bit
    first = 0  # index of the block's DC coefficient in values
    for _ in range(blocks):
        for component, (dc, ac) in enumerate(tables):
            k = 0
            while k < 64:
                # 32 bits from the current one: room for a code of 16 and the 15 bits behind it
                word = int.from_bytes(padded[bit >> 3 : (bit >> 3) + 5], "big") >> (8 - (bit & 7)) & 0xFFFFFFFF
                length, symbol = divmod((ac if k else dc)[word >> 16], 256)
                run, size = divmod(symbol, 16)
                value = word >> (32 - length - size) & ((1 << size) - 1)
                if size and not value >> (size - 1):
                    value -= (1 << size) - 1  # the lower half of a category is negative
                bit += length + size
                if not length or bit > end:
                    raise DamagedError("stream.decode", "a code that is not in its table, or data that end early")
                if k == 0:
                    if symbol > 11:
                        raise DamagedError("stream.decode", f"a DC difference of {symbol} bits")
                    last[component] += value
                    values[first] = last[component]
                    k = 1
                elif size > 10 or (size == 0 and run not in {0, 15}):
                    raise DamagedError("stream.decode", f"a symbol {symbol:02x} that baseline streams do not have")
                elif size:
                    k += run
                    if k > 63:
                        raise DamagedError("stream.decode", "a run of zeros beyond the last coefficient")
                    values[first + k] = value
                    k += 1
                elif run == 15:
                    k += 16
                else:
                    break
            first += 64
    if end - bit >= 8:
        raise DamagedError("stream.decode", "more data than blocks")
    return np.frombuffer(values, np.int64).reshape(blocks, len(tables), 64)


def _decode_with_pillow(stream: bytes, components: int) -> Samples:
    """Decode with libjpeg-turbo through Pillow, whose default is the same inverse DCT, to YCbCr as stored."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(stream), formats=["JPEG"]) as image:
            image.draft("YCbCr", None)
            samples: npt.NDArray[Any] = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise DamagedError("stream.decode", f"libjpeg refuses the stream: {error}") from error
    return np.ascontiguousarray(samples.reshape(*samples.shape[:2], components).transpose(2, 0, 1))
