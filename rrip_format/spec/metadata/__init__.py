"""The ``rrip`` attribute of a container: its coding, the slide, and the program that wrote it (spec section 8).

`validate_` functions return every problem that they find; `parse_` functions raise one error that lists them all.
The attribute and its ``coding`` object each have a CRC-32C of their canonical JSON (RFC 8785), because a flipped bit in
a filter tap gives a wrong picture just as one in a tile does.
"""

from __future__ import annotations

from .attribute import Metadata, SlideMetadata, parse_metadata
from .coding import BILINEAR, FORMAT_VERSION, SHARP, Coding, ResidualCoding, parse_codec, parse_coding
from .compression import JPEG, JPEG_2000, Compression, find_history, history_text
from .rules import validate_coding, validate_metadata
from .sealing import seal

__all__ = [
    "BILINEAR",
    "FORMAT_VERSION",
    "JPEG",
    "JPEG_2000",
    "SHARP",
    "Coding",
    "Compression",
    "Metadata",
    "ResidualCoding",
    "SlideMetadata",
    "find_history",
    "history_text",
    "parse_codec",
    "parse_coding",
    "parse_metadata",
    "seal",
    "validate_coding",
    "validate_metadata",
]
