"""Section 8.5: JSON, its canonical form (RFC 8785), and its checksum."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from plain.errors import FormatError, LimitError
from plain.tile import crc32c

MOST_BYTES, MOST_MARKS, MOST_DEPTH = 64 << 20, 1 << 17, 64
"""Limits of a metadata document (section 12)."""

SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
ESCAPES = str.maketrans({**{chr(code): f"\\u{code:04x}" for code in range(32)}, **SHORT_ESCAPES})


class Object(dict[str, Any]):
    """A JSON object that records whether a member name occurred twice (section 8.1)."""

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        super().__init__(members)
        self.repeats = len(self) != len(members)


def parse_json(data: bytes) -> Any:
    """Parse a JSON document in UTF-8."""
    if len(data) > MOST_BYTES:
        raise LimitError("limit.metadata", f"a metadata document of {len(data)} bytes")
    if sum(map(data.count, (b",", b"[", b"{", b'"', b"\\"))) > MOST_MARKS or _depth(data) > MOST_DEPTH:
        raise LimitError("limit.metadata", "a metadata document of too many values, or too deeply nested")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=Object)
    except ValueError as error:
        raise FormatError("metadata.json", f"no JSON document: {error}") from error


def _depth(data: bytes) -> int:
    """Return how deeply arrays and objects are nested, before anything is parsed."""
    depth = deepest = 0
    for mark in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", data, flags=re.DOTALL):  # without its strings
        depth += (mark in b"[{") - (mark in b"]}")
        deepest = max(deepest, depth)
    return deepest


def canonical(value: Any) -> str:
    """Return the RFC 8785 form of a JSON value (section 8.5)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        if abs(value) > 2**53 - 1:
            raise FormatError("metadata.seal", f"the integer {value:.6e} has no canonical form")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return f"[{','.join(canonical(item) for item in value)}]"
    if getattr(value, "repeats", False):
        raise FormatError("metadata.seal", "a member name occurs twice in one object")
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))  # by UTF-16 code units
    return f"{{{','.join(f'{_string(name)}:{canonical(value[name])}' for name in names)}}}"


def _string(text: str) -> str:
    return f'"{text.translate(ESCAPES)}"'


def _number(value: float) -> str:
    """Format a number as in ECMAScript: the shortest digits that identify it, in one of four layouts."""
    if not math.isfinite(value):
        raise FormatError("metadata.seal", "NaN and infinity have no canonical form")
    if value == 0:
        return "0"
    _, all_digits, exponent = Decimal(repr(abs(value))).as_tuple()
    written = "".join(map(str, all_digits)).lstrip("0")
    digits = written.rstrip("0")
    point = len(written) + int(exponent)  # the value is 0.DIGITS · 10^point
    if len(digits) <= point <= 21:
        text = digits.ljust(point, "0")
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"
    return "-" * (value < 0) + text


def seal(document: dict[str, Any]) -> str:
    """Return the CRC-32C of the canonical form of an object without its member ``crc32c``."""
    if getattr(document, "repeats", False):
        raise FormatError("metadata.seal", "a member name occurs twice in one object")
    try:
        text = canonical({name: value for name, value in document.items() if name != "crc32c"}).encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError("metadata.seal", "an object without canonical form") from error
    return f"{crc32c(text):08x}"


def check_seal(document: dict[str, Any], name: str) -> None:
    """Raise an error for an object whose checksum is absent or wrong."""
    expected = seal(document)
    if document.get("crc32c") != expected:
        raise FormatError("metadata.seal", f"the checksum of {name} is {document.get('crc32c')!r}, computed {expected}")
