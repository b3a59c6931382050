"""Damage to JPEG streams with knowledge of their structure: markers, lengths, tables, headers, coded bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["STREAM_MUTATORS", "Segment", "join_segments", "mutate_bytes", "mutate_stream", "split_segments"]

Rng = np.random.Generator
_SOF, _DHT, _DQT, _DRI, _SOS = 0xC0, 0xC4, 0xDB, 0xDD, 0xDA
_MARKERS = (*range(0xC0, 0xD0), *range(0xD0, 0xE3), 0xEE, 0xFE, 0x00, 0x01, 0xFF)
_EDGES = (0, 1, 2, 3, 7, 8, 15, 16, 17, 63, 64, 127, 128, 254, 255)


@dataclass
class Segment:
    """A marker and what follows its length field; a scan's entropy-coded bytes are a segment without marker."""

    marker: int | None
    body: bytearray
    length: int | None = None  # a lie to write instead of the real one


def split_segments(stream: bytes) -> list[Segment]:
    """Split a valid stream into its segments, between start and end marker."""
    found, at = [], 2
    while at < len(stream) - 2:
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        found.append(Segment(stream[at + 1], bytearray(stream[at + 4 : at + 2 + length])))
        at += 2 + length
        if found[-1].marker == _SOS:
            found.append(Segment(None, bytearray(stream[at:-2])))
            break
    return found


def join_segments(segments: list[Segment]) -> bytes:
    """Return a stream of `segments`, with start and end marker."""
    parts = [b"\xff\xd8"]
    for segment in segments:
        if segment.marker is not None:
            length = len(segment.body) + 2 if segment.length is None else segment.length
            parts.append(bytes((0xFF, segment.marker)) + (length & 0xFFFF).to_bytes(2, "big"))
        parts.append(bytes(segment.body))
    return b"".join((*parts, b"\xff\xd9"))


def mutate_bytes(rng: Rng, data: bytes) -> bytes:
    """Change one to four bits or bytes, or remove, repeat, zero or cut a run."""
    out = bytearray(data)
    if not out:
        return bytes(rng.integers(0, 256, 4, np.uint8))
    at, length = int(rng.integers(len(out))), int(rng.integers(1, 17))
    match int(rng.integers(8)):
        case 0 | 1:
            for where in rng.integers(0, len(out), int(rng.integers(1, 5))):
                out[where] ^= 1 << int(rng.integers(8))
        case 2:
            out[at] = int(rng.choice(_EDGES))
        case 3:
            del out[at : at + length]
        case 4:
            out[at:at] = out[at : at + length]
        case 5:
            out[at : at + length] = bytes(len(out[at : at + length]))
        case 6:
            del out[at:]
        case 7:
            out[at : at + length] = rng.integers(0, 256, length, np.uint8).tobytes()
    return bytes(out)


def _pick(rng: Rng, segments: list[Segment], marker: int | None) -> Segment:
    """Choose a segment of that kind, or any if there is none."""
    fitting = [segment for segment in segments if segment.marker == marker] or segments
    return fitting[int(rng.integers(len(fitting)))]


def _body(marker: int | None) -> Callable[[Rng, list[Segment]], None]:
    def change(rng: Rng, segments: list[Segment]) -> None:
        segment = _pick(rng, segments, marker)
        segment.body = bytearray(mutate_bytes(rng, bytes(segment.body)))

    return change


def _field(marker: int) -> Callable[[Rng, list[Segment]], None]:
    def change(rng: Rng, segments: list[Segment]) -> None:
        body = _pick(rng, segments, marker).body
        if body:
            head = min(len(body), 18)  # the counts of a Huffman table, all of a frame or scan header
            body[int(rng.integers(head))] = int(rng.choice(_EDGES))

    return change


def _counts(rng: Rng, segments: list[Segment]) -> None:
    """Move a code of a Huffman table to another length: the number of symbols stays, the code changes or breaks."""
    body = _pick(rng, segments, _DHT).body
    if len(body) > 17:
        a, b = (int(n) for n in rng.integers(1, 17, 2))
        body[a], body[b] = (body[a] - 1) & 255, (body[b] + 1) & 255


def _symbols(rng: Rng, segments: list[Segment]) -> None:
    """Change the symbols of codes: long runs and large categories exceed a block or a table."""
    body = _pick(rng, segments, _DHT).body
    for _ in range(int(rng.integers(1, 6))):
        if len(body) > 17:
            body[int(rng.integers(17, len(body)))] = int(rng.choice((0x00, 0x0B, 0x0C, 0x0F, 0x10, 0xF0, 0xFF, 0xFA)))


def _zero_table(rng: Rng, segments: list[Segment]) -> None:
    body = _pick(rng, segments, _DQT).body
    body[1:] = bytes([int(rng.choice((0, 1, 255)))]) * (len(body) - 1)


def _length(rng: Rng, segments: list[Segment]) -> None:
    segment = segments[int(rng.integers(len(segments)))]
    real = len(segment.body) + 2
    segment.length = int(rng.choice((0, 1, 2, real - 1, real + 1, real + 64, 0xFFFF)))


def _marker(rng: Rng, segments: list[Segment]) -> None:
    segments[int(rng.integers(len(segments)))].marker = int(rng.choice(_MARKERS))


def _order(rng: Rng, segments: list[Segment]) -> None:
    a, b = (int(n) for n in rng.integers(0, len(segments), 2))
    segments[a], segments[b] = segments[b], segments[a]


def _remove(rng: Rng, segments: list[Segment]) -> None:
    del segments[int(rng.integers(len(segments)))]


def _repeat(rng: Rng, segments: list[Segment]) -> None:
    segment = segments[int(rng.integers(len(segments)))]
    copy = Segment(segment.marker, bytearray(segment.body))
    segments.insert(int(rng.integers(len(segments) + 1)), copy)


def _insert(rng: Rng, segments: list[Segment]) -> None:
    marker = int(rng.choice((_DRI, 0xE0, 0xEE, 0xFE, 0xDC, 0xCC, _DHT, _DQT)))
    body = bytearray(rng.integers(0, 256, int(rng.integers(0, 40)), np.uint8).tobytes())
    if marker == _DRI:
        body = bytearray(int(rng.choice((0, 1, 2, 7, 64, 65535))).to_bytes(2, "big"))
    segments.insert(int(rng.integers(len(segments) + 1)), Segment(marker, body))


def _entropy(rng: Rng, segments: list[Segment]) -> None:
    """Insert markers into a scan: restarts, an early end, lost or doubled stuffing, runs of ones."""
    body = _pick(rng, segments, None).body
    at = int(rng.integers(len(body) + 1))
    stuffing = body.find(b"\xff\x00", at)
    match int(rng.integers(6)):
        case 0:
            body[at:at] = bytes((0xFF, int(rng.choice((0xD0, 0xD1, 0xD7, 0xD9, 0xD8, 0xFF, 0x00, 0xC4, 0xDA)))))
        case 1 if stuffing >= 0:
            del body[stuffing + 1]
        case 2:
            body[at : at + 8] = b"\xff\x00" * 4
        case 3:
            body[at : at + 16] = bytes(16)
        case 4:
            del body[at:]
        case _:
            body += rng.integers(0, 256, int(rng.integers(1, 200)), np.uint8).tobytes().replace(b"\xff", b"\xfe")


STREAM_MUTATORS: dict[str, Callable[[Rng, list[Segment]], None]] = {
    "entropy bytes": _body(None),
    "entropy markers": _entropy,
    "frame header": _field(_SOF),
    "scan header": _field(_SOS),
    "huffman counts": _counts,
    "huffman symbols": _symbols,
    "huffman field": _field(_DHT),
    "huffman bytes": _body(_DHT),
    "quantiser bytes": _body(_DQT),
    "quantiser flat": _zero_table,
    "segment length": _length,
    "segment marker": _marker,
    "segments swapped": _order,
    "segment removed": _remove,
    "segment repeated": _repeat,
    "segment inserted": _insert,
}


def mutate_stream(rng: Rng, stream: bytes) -> tuple[str, bytes]:
    """Change a valid stream one to three times; return a description and the stream."""
    if rng.random() < 0.1:
        return "bytes", mutate_bytes(rng, stream)
    segments = split_segments(stream)
    names = list(rng.choice(list(STREAM_MUTATORS), int(rng.choice((1, 1, 1, 2, 3)))))
    for name in names:
        if segments:
            STREAM_MUTATORS[name](rng, segments)
    return ", ".join(names), join_segments(segments)
