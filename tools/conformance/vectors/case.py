"""A test vector and its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rrip_format.errors import RULES
from rrip_format.family.decode import decode_base, decode_planes, decode_tile, needed_levels
from rrip_format.family.jpeg import decode_gray
from rrip_format.spec.geometry import BASE_LEVEL
from rrip_format.spec.metadata import Coding, parse_coding
from rrip_format.spec.tile import split_tile

BASE_READER, FULL_READER, STRICT_READER = "base reader", "full reader", "strict reader"
WRITER, VALIDATOR = "writer", "validator"

Json = Any
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Case:
    """One test vector: stored tiles of one family, or metadata alone, and the expected result.

    Parameters
    ----------
    name : str
        Its folder, ``invalid/…`` for one that has to be refused.
    about : str
    sections : str
        Sections of the spec that it tests.
    document : dict
        ``{"coding": …}`` or ``{"rrip": …}``.
    level, row, col : int or None
        Which tile to decode, None for metadata alone.
    tiles : mapping of int to bytes
        Stored tiles by level.
    rule : str or None
        Rule of spec section 12 that it breaks, None if it is valid.
    strict : bool
        Whether readers only should refuse it.
    """

    name: str
    about: str
    sections: str
    document: dict[str, Json]
    level: int | None = None
    row: int = 0
    col: int = 0
    tiles: dict[int, bytes] = field(default_factory=dict)
    rule: str | None = None
    strict: bool = False

    @property
    def kind(self) -> str:
        """What a reader needs to run the case."""
        if self.level is None:
            return "metadata" if "rrip" in self.document else "coding"
        if self.rule is None and not self.tiles:
            return "empty"
        return "overview" if self.level > BASE_LEVEL else "family"

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Return path and content of every file of the case."""
        head: dict[str, Json] = {
            "description": self.about,
            "sections": self.sections.split(),
            "kind": self.kind,
            **self.document,
        }
        if self.level is not None:
            names = {level: tile_name(level) for level in self.tiles}
            head |= {"level": self.level, "row": self.row, "col": self.col}
            head["tiles"] = {str(level): name for level, name in names.items()}
            for level, name in names.items():
                yield f"{self.name}/{name}", self.tiles[level]
        if self.rule:
            head |= refusal(self.rule)
        elif self.level is not None:
            head["expected"] = expected(parse_coding(self.document["coding"]), self.row, self.col, self.tiles)
        yield f"{self.name}/case.json", dump(head, depth=2)

    @property
    def classes(self) -> list[str]:
        """Classes of readers that have to pass the case (``spec/vectors/README.md``)."""
        if self.strict:
            return [STRICT_READER, VALIDATOR]
        if self.rule is None:
            return [BASE_READER, FULL_READER, WRITER, VALIDATOR]
        below_base = self.level is not None and self.level < BASE_LEVEL and BASE_LEVEL in self.tiles
        return [FULL_READER, VALIDATOR] if below_base else [BASE_READER, FULL_READER, VALIDATOR]


def refusal(rule: str) -> dict[str, Json]:
    """Return the description of an expected error."""
    return {"error": RULES[rule].__name__, "rule": rule}


def tile_name(level: int) -> str:
    """Return the file name of a stored tile in the folder of its case."""
    return "base.tile" if level == BASE_LEVEL else f"l{level}.tile"


def dump(document: dict[str, Json], depth: int = 1) -> bytes:
    """Format JSON with a line for each member down to `depth`, short and still readable."""

    def text(value: Json, indent: int) -> str:
        if isinstance(value, dict) and value and indent <= depth:
            space = " " * indent
            members = (f"{space}{json.dumps(name)}: {text(part, indent + 1)}" for name, part in value.items())
            return "{\n" + ",\n".join(members) + f"\n{' ' * (indent - 1)}}}"
        return json.dumps(value, ensure_ascii=False)

    return (text(document, 1) + "\n").encode()


def sha256(data: bytes | NDArray[Any]) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()).hexdigest()


def expected(coding: Coding, row: int, col: int, tiles: dict[int, bytes]) -> dict[str, Json]:
    """Return the expected result of decoding each level in `tiles`, or every level of an empty family."""
    geometry = coding.geometry
    if not tiles:
        levels = [level for level in range(geometry.levels) if coding.is_empty(level, row, col)]
        return {str(level): _of_level(coding, level, row, col, None, []) for level in levels}
    result = {}
    for level in sorted(tiles, reverse=True):
        if level >= BASE_LEVEL:
            planes = decode_base(coding, level, row, col, tiles[level])
        else:
            planes = decode_planes(coding, row, col, [tiles[k] for k in needed_levels(level)])
        stored = [tiles[k] for k in needed_levels(level)]
        result[str(level)] = _of_level(coding, level, row, col, planes, stored)
    return result


def _of_level(
    coding: Coding, level: int, row: int, col: int, planes: Image | None, stored: Sequence[bytes]
) -> dict[str, Json]:
    rgb = decode_tile(coding, level, row, col, stored)
    part: dict[str, Json] = {
        "shape": list(rgb.shape),
        "inside": list(coding.geometry.tile_shape(level, row, col)),
        "rgb_sha256": sha256(rgb),
        "first_pixels_rgb": rgb[:, 0, :4].T.tolist(),
    }
    if planes is not None:
        part |= {"planes_sha256": sha256(planes), "first_pixels_ycbcr": planes[:, 0, :4].T.tolist()}
        part["streams"] = list(_streams(coding, level, row, col, stored[-1]))
    return part


def _streams(coding: Coding, level: int, row: int, col: int, tile: bytes) -> Iterator[dict[str, Json]]:
    """Return the length of each stream and the digest of each residual's samples, to find where a decoder differs."""
    for stream in split_tile(tile, coding.place(level, row, col), coding.streams(level)):
        if level >= BASE_LEVEL:
            yield {"bytes": len(stream or b"")}
        else:
            samples = None if stream is None else sha256(decode_gray(stream, coding.geometry.tile_side(level)))
            yield {"bytes": len(stream or b""), "samples_sha256": samples}
