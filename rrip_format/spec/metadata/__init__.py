"""The ``rrip`` attributes of a container: how it is coded, what slide it shows, what made it (spec section 8).

`validate_` functions return every problem that they find; `parse_` functions raise one error that lists them all.
Both parts carry a CRC-32C of their canonical JSON (RFC 8785), because a flipped bit in a filter tap makes a wrong
picture as surely as one in a tile.
"""

from __future__ import annotations

from .attribute import Metadata, SlideMetadata, parse_metadata
from .coding import BILINEAR, FORMAT_VERSION, SHARP, Coding, ResidualCoding, parse_coding
from .rules import validate_coding, validate_metadata
from .sealing import seal

__all__ = [
    "BILINEAR",
    "FORMAT_VERSION",
    "SHARP",
    "Coding",
    "Metadata",
    "ResidualCoding",
    "SlideMetadata",
    "parse_coding",
    "parse_metadata",
    "seal",
    "validate_coding",
    "validate_metadata",
]
