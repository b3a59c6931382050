"""Replace a tile or the metadata of a container of any kind, whose structure stays valid."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rrip_format.containers.tiff_parser import Field, Ifd, Index, read_ifd, read_start
from rrip_format.errors import DamagedError
from rrip_format.family.packet import split_packet
from rrip_format.spec.geometry import BASE_LEVEL
from rrip_format.spec.metadata import Coding, seal
from rrip_format.spec.tiff_layout import Tag
from rrip_format.spec.tile import crc32c
from rrip_format.spec.zarr_layout import tile_key
from rrip_format.spec.zarr_v2_layout import parse_tile_key_v2

from .specimens import MAIN_FILE, Files, Place

__all__ = [
    "MemoryBytes",
    "entry_at",
    "ifds_of",
    "members_of",
    "reseal_tile",
    "seal_all",
    "with_members",
    "with_rrip",
    "with_tile",
]

Json = Any


class MemoryBytes:
    """Bytes in memory as a source of byte ranges.

    Parameters
    ----------
    data : bytes
    """

    name = "specimen"
    is_remote = False

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`."""
        if min(offset, length) < 0 or offset + length > self.size:
            raise DamagedError(f"bytes {offset} … {offset + length} of {self.size}")
        return self.data[offset : offset + length]

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several ranges."""
        return [self.read(*place) for place in ranges]

    async def fetch_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Do the same, without waiting."""
        return self.read_ranges(ranges)

    def stream_ranges(self, ranges: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, bytes]]]:
        """Several ranges, with their positions."""
        return ([(position, self.read(*place))] for position, place in enumerate(ranges))

    def close(self) -> None:
        """Do nothing."""


def ifds_of(data: bytes) -> list[Ifd]:
    """Return every IFD of a valid file: the main chain, those of levels 0 and 1, those of associated images."""
    source = MemoryBytes(data)
    index, at = Index(source, read_start(source)), read_start(source)
    chain = []
    while at:
        chain.append(read_ifd(index, at))
        at = chain[-1].following
    private = [
        offset
        for tag in (Tag.RRIP_RESIDUALS, Tag.RRIP_ASSOCIATED)
        if tag in chain[0].fields
        for offset in index.numbers(chain[0].fields[tag], 0, chain[0].fields[tag].count)
    ]
    return [*chain, *(read_ifd(index, offset) for offset in private)]


def entry_at(ifd: Ifd, tag: int) -> int:
    """Return the offset of the 20 bytes of a tag."""
    return ifd.offset + 8 + 20 * list(ifd.fields).index(tag)


def _level_ifd(data: bytes, level: int, levels: int) -> Ifd:
    found = ifds_of(data)
    return found[level - BASE_LEVEL] if level >= BASE_LEVEL else found[levels - BASE_LEVEL + level]


def _tiff_tile(data: bytes, coding: Coding, place: Place, tile: bytes) -> bytes:
    """Append a tile, and let the tables refer to it; no bytes remove it."""
    level, row, col = place
    ifd = _level_ifd(data, level, coding.geometry.levels)
    at = row * coding.geometry.grid(level)[1] + col
    out = bytearray(data + bytes(-len(data) % 8))
    values = (len(out) if tile else 0, len(tile))
    for tag, value in zip((Tag.TILE_OFFSETS, Tag.TILE_BYTES), values, strict=True):
        field = ifd.fields[tag]
        size = field.size // field.count
        out[field.offset + at * size : field.offset + (at + 1) * size] = value.to_bytes(size, "little")
    return bytes(out) + tile


def _tiff_value(data: bytes, field: Field, entry: int, value: bytes) -> bytes:
    """Append the value of a tag, and let its entry refer to it."""
    out = bytearray(data + bytes(-len(data) % 8))
    struct.pack_into("<HQQ", out, entry + 2, field.kind, len(value), len(out))
    return bytes(out) + value + bytes(-len(value) % 8)


def members_of(data: bytes) -> dict[str, bytes]:
    """Return name and content of every member of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_members(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive as our writer makes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def with_tile(kind: str, files: Files, coding: Coding, place: Place, tile: bytes) -> dict[str, bytes]:
    """Return the files of a container with another tile at `place`; without one if `tile` is empty."""
    found, key = dict(files), tile_key(*place)
    if kind == "packet":
        for name in [name for name in found if (at := parse_tile_key_v2(name)) and at[1:] == place[1:]]:
            level = int(name.partition("/")[0])
            needed = list(range(BASE_LEVEL, level - 1, -1)) if level < BASE_LEVEL else [level]
            if place[0] in needed:
                tiles = split_packet(found[name], len(needed))[2]
                tiles[needed.index(place[0])] = tile
                found[name] = b"".join(tiles)
        return found
    members = members_of(found[MAIN_FILE["zip"]]) if kind == "zip" else found
    if kind in {"tiff", "references"}:
        found[MAIN_FILE[kind]] = _tiff_tile(found[MAIN_FILE[kind]], coding, place, tile)
        if kind == "references":
            refs = json.loads(found["refs.json"])
            refs["refs"][key] = [MAIN_FILE[kind], len(found[MAIN_FILE[kind]]) - len(tile), len(tile)]
            found["refs.json"] = json.dumps(refs).encode()
        return found
    if tile:
        members[key] = tile
    else:
        members.pop(key, None)
    return {MAIN_FILE["zip"]: with_members(members)} if kind == "zip" else members


def seal_all(rrip: Json) -> Json:
    """Return the ``rrip`` object with both checksums recomputed, if possible."""
    if isinstance(rrip, dict):
        if isinstance(rrip.get("coding"), dict):
            rrip = {**rrip, "coding": seal(rrip["coding"])}
        rrip = seal(rrip)
    return rrip


def _documents(members: Mapping[str, bytes], rrip: Json) -> dict[str, bytes]:
    """Return the documents of a Zarr hierarchy with another ``rrip`` object and coding."""
    out = dict(members)
    for name in [name for name in members if name.endswith("zarr.json")]:
        document = json.loads(members[name])
        if name == "zarr.json":
            document["attributes"]["rrip"] = rrip
        for codec in document.get("codecs", []):
            if codec["name"] == "rrip" and isinstance(rrip, dict):
                codec["configuration"]["coding"] = rrip.get("coding")
        out[name] = json.dumps(document).encode()  # with escapes: a lone surrogate has no UTF-8
    return out


def with_rrip(kind: str, files: Files, rrip: Json) -> dict[str, bytes]:
    """Return the files of a container with other metadata, in every copy."""
    found = dict(files)
    match kind:
        case "packet":
            found["coding.json"] = json.dumps(rrip.get("coding") if isinstance(rrip, dict) else rrip).encode()
        case "folder":
            return _documents(found, rrip)
        case "zip":
            found[MAIN_FILE[kind]] = with_members(_documents(members_of(found[MAIN_FILE[kind]]), rrip))
        case "references":
            refs = json.loads(found["refs.json"])
            texts = {name: text.encode() for name, text in refs["refs"].items() if name.endswith("zarr.json")}
            refs["refs"].update({name: data.decode() for name, data in _documents(texts, rrip).items()})
            found["refs.json"] = json.dumps(refs).encode()
        case "tiff":
            data = found[MAIN_FILE[kind]]
            first = ifds_of(data)[0]
            field, entry = first.fields[Tag.RRIP_METADATA], entry_at(first, Tag.RRIP_METADATA)
            found[MAIN_FILE[kind]] = _tiff_value(data, field, entry, json.dumps(rrip).encode())
    return found


def reseal_tile(data: bytes) -> bytes:
    """Return a stored tile with the checksum of its content."""
    return data[:-4] + crc32c(data[:-4]).to_bytes(4, "little")
