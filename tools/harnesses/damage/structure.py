"""Damage with knowledge of the format: trailers, tiles, metadata, documents, TIFF tags, zip records, references."""

from __future__ import annotations

import copy
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rrip_format.spec.tiff_layout import Kind, Tag
from rrip_format.spec.tile import TRAILER_BYTES, join_tile

from .edit import entry_at, ifds_of, members_of, reseal_tile, seal_all, with_members, with_rrip, with_tile
from .specimens import KINDS, MAIN_FILE, Place, Slides
from .streams import mutate_bytes, mutate_stream

__all__ = ["STRUCTURE_MUTATORS", "Draft"]

Json = Any
Rng = np.random.Generator
_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    64,
    255,
    256,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**53,
    2**63,
    2**64 - 1,
)


@dataclass
class Draft:
    """A container that is being damaged."""

    kind: str
    files: dict[str, bytes]
    slide: Slides
    other: Slides
    resealed: bool = False

    def tile(self, rng: Rng) -> tuple[Place, bytes]:
        """Choose a stored tile; return it and its place."""
        tiles = self.slide.truth.tiles
        place = list(tiles)[int(rng.integers(len(tiles)))]
        return place, tiles[place]

    def put(self, place: Place, tile: bytes) -> None:
        """Replace the tile at `place`."""
        self.files = with_tile(self.kind, self.files, self.slide.truth.coding, place, tile)

    def put_rrip(self, rrip: Json) -> None:
        """Replace the metadata."""
        self.files = with_rrip(self.kind, self.files, rrip)


def _bytes_of_tile(rng: Rng, draft: Draft) -> str:
    place, tile = draft.tile(rng)
    draft.put(place, mutate_bytes(rng, tile))
    return f"{place}"


def _trailer(rng: Rng, draft: Draft) -> str:
    """Change a field of the trailer, half the time with a correct checksum, to test the checks after it."""
    place, tile = draft.tile(rng)
    at, size = [(0, 4), (4, 4), (8, 4), (12, 4), (16, 4), (20, 1), (21, 1), (22, 2), (24, 8), (32, 4)][
        int(rng.integers(10))
    ]
    start, out = len(tile) - TRAILER_BYTES + at, bytearray(tile)
    value = int(rng.choice(np.array(_NUMBERS[:15]))) % 256**size
    out[start : start + size] = value.to_bytes(size, "little")
    resealed = rng.random() < 0.6
    draft.put(place, reseal_tile(bytes(out)) if resealed else bytes(out))
    draft.resealed = resealed and draft.kind == "packet"  # which is, by its own word, of another place then
    return f"{place}, {size} bytes at {at - TRAILER_BYTES} = {value}{', resealed' if resealed else ''}"


def _streams(tile: bytes) -> list[bytes]:
    lengths = struct.unpack_from("<3I", tile, len(tile) - TRAILER_BYTES)
    ends = np.cumsum(lengths)
    return [tile[end - length : end] for end, length in zip(ends.tolist(), lengths, strict=True)]


def _stream(rng: Rng, draft: Draft) -> str:
    """Damage a JPEG stream with a correct trailer, to test the checks of the stream."""
    place, tile = draft.tile(rng)
    count = tile[-15]
    streams = _streams(tile)[:count]
    which = int(rng.integers(count))
    if not streams[which]:
        streams[which] = b"\xff\xd8\xff\xd9"
    what, streams[which] = mutate_stream(rng, streams[which])
    coding = draft.slide.truth.coding
    draft.put(place, join_tile(streams, coding.place(*place)))
    draft.resealed = True
    return f"{place} stream {which}: {what}"


def _foreign_stream(rng: Rng, draft: Draft) -> str:
    """Put a valid stream in place of another: of another level, another plane, or none, with a correct trailer."""
    (place, tile), (_, donor) = draft.tile(rng), draft.tile(rng)
    streams, donors = _streams(tile)[: tile[-15]], _streams(donor)
    streams[int(rng.integers(len(streams)))] = donors[int(rng.integers(3))]
    draft.put(place, join_tile(streams, draft.slide.truth.coding.place(*place)))
    draft.resealed = True
    return f"{place}"


def _swap_tiles(rng: Rng, draft: Draft) -> str:
    (a, first), (b, second) = draft.tile(rng), draft.tile(rng)
    draft.put(a, second)
    draft.put(b, first)
    return f"{a} and {b}"


def _splice_tile(rng: Rng, draft: Draft) -> str:
    """Take a tile of another slide, or its beginning with the end of this one."""
    place, tile = draft.tile(rng)
    donor = draft.other.truth.tiles.get(place, tile)
    cut = int(rng.integers(min(len(tile), len(donor))))
    draft.put(place, donor if rng.random() < 0.5 else donor[:cut] + tile[cut:])
    return f"{place}"


def _no_tile(rng: Rng, draft: Draft) -> str:
    place, _ = draft.tile(rng)
    draft.put(place, b"")
    return f"{place}"


def _nodes(document: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Generate the paths of everything inside a document."""
    children = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for key, value in children:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += _nodes(value, (*path, key))
    return found


def _other_value(rng: Rng, value: Json) -> Json:
    """Return another value of the same type, or of another type."""
    if rng.random() < 0.4 and isinstance(value, bool | int | float) and value is not None:
        return value + int(rng.choice((-1, 1, 2, 64, -value, value)))
    choices: list[Json] = [
        None,
        True,
        False,
        -1,
        0,
        1,
        0.5,
        1e300,
        -0.0,
        "",
        "x" * 300,
        "\ud800",
        "..",
        "/",
        [],
        {},
        [[]],
        [{}],
        "NaN",
    ]
    choices += [int(number) for number in _NUMBERS]
    return choices[int(rng.integers(len(choices)))]


def change_json(rng: Rng, document: Json) -> str:
    """Change, remove or duplicate one member anywhere in a document."""
    nodes = _nodes(document)
    path = nodes[int(rng.integers(len(nodes)))]
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    match int(rng.integers(5)):
        case 0:
            del parent[path[-1]]
        case 1 if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[path[-1]]))
        case 2:
            donor = nodes[int(rng.integers(len(nodes)))]
            value = document
            for key in donor:
                if isinstance(value, dict | list) and (key in value if isinstance(value, dict) else key < len(value)):
                    value = value[key]
            parent[path[-1]] = copy.deepcopy(value)
        case _:
            parent[path[-1]] = _other_value(rng, parent[path[-1]])
    return "/".join(map(str, path))


def _rrip(rng: Rng, draft: Draft) -> str:
    rrip = copy.deepcopy(dict(draft.slide.truth.document))
    what = change_json(rng, rrip)
    draft.put_rrip(rrip)
    return what


def _sealed_rrip(rng: Rng, draft: Draft) -> str:
    """Change metadata and recompute the checksums, to test every rule after them."""
    rrip = copy.deepcopy(dict(draft.slide.truth.document))
    what = change_json(rng, rrip)
    try:
        rrip = seal_all(rrip)
    except (ValueError, TypeError, UnicodeError):  # it has no canonical form
        what += ", which cannot be sealed"
    draft.put_rrip(rrip)
    draft.resealed = True
    return what


def _foreign_rrip(_: Rng, draft: Draft) -> str:
    draft.put_rrip(dict(draft.other.truth.document))
    return "of another slide"


def _document(rng: Rng, draft: Draft) -> str:
    """Change members or text of a ``zarr.json``."""
    is_zip = draft.kind == "zip"
    members = members_of(draft.files[MAIN_FILE["zip"]]) if is_zip else dict(draft.files)
    names = [
        name for name in members if name.endswith("zarr.json") and name.split("/")[0] not in {"base", "associated"}
    ]
    name = str(rng.choice(names))
    document = json.loads(members[name])
    what = change_json(rng, document)
    members[name] = json.dumps(document).encode()
    if rng.random() < 0.2:
        members[name] = mutate_bytes(rng, members[name])
    draft.files = {MAIN_FILE["zip"]: with_members(members)} if is_zip else members
    return f"{name}: {what}"


def _references(rng: Rng, draft: Draft) -> str:
    refs = json.loads(draft.files["refs.json"])
    keys = [key for key in refs["refs"] if not key.startswith(("base/", "associated", "icc"))]
    if rng.random() < 0.5:
        a, b = rng.choice(keys, 2)
        refs["refs"][a], refs["refs"][b] = refs["refs"][b], refs["refs"][a]
        what = f"{a} and {b} swapped"
    else:
        key = str(rng.choice([key for key in keys if isinstance(refs["refs"][key], list)]))
        what = f"{key}: {change_json(rng, refs['refs'][key])}"
    draft.files = {**draft.files, "refs.json": json.dumps(refs).encode()}
    return what


def _tiff(rng: Rng, draft: Draft) -> str:
    """Change a field of an IFD, of a table of tiles or of the header."""
    data = bytearray(draft.files[MAIN_FILE["tiff"]])
    ifds = ifds_of(bytes(data))
    ifd = ifds[int(rng.integers(len(ifds)))]
    tag = int(rng.choice(list(ifd.fields)))
    entry, field = entry_at(ifd, tag), ifd.fields[tag]
    places = [other.offset for other in ifds]
    value = int((*_NUMBERS, *places, len(data), len(data) - 1)[int(rng.integers(len(_NUMBERS) + len(places) + 2))])
    where, size = {
        0: (entry, 2),
        1: (entry + 2, 2),
        2: (entry + 4, 8),
        3: (entry + 12, 8),
        4: (ifd.offset + 8 + 20 * len(ifd.fields), 8),
        5: (ifd.offset, 8),
        6: (int(rng.integers(16)), 1),
        7: (field.offset + int(rng.integers(max(1, field.size))), 1),
        8: (field.offset, min(8, max(1, field.size))),
    }[int(rng.integers(9))]
    data[where : where + size] = (value % 256**size).to_bytes(size, "little")
    draft.files[MAIN_FILE["tiff"]] = bytes(data)
    return f"{size} bytes at {where} = {value % 256**size} (tag {tag} of the IFD at {ifd.offset})"


def _tiff_swap(rng: Rng, draft: Draft) -> str:
    """Exchange two entries of one tag between IFDs, or two values in a table."""
    data = bytearray(draft.files[MAIN_FILE["tiff"]])
    ifds = ifds_of(bytes(data))
    a, b = (ifds[int(n)] for n in rng.integers(0, len(ifds), 2))
    tag = int(rng.choice([tag for tag in a.fields if tag in b.fields]))
    if rng.random() < 0.5:
        first, second = entry_at(a, tag), entry_at(b, tag)
        data[first : first + 20], data[second : second + 20] = data[second : second + 20], data[first : first + 20]
    else:
        tag = int(rng.choice((Tag.TILE_OFFSETS, Tag.TILE_BYTES)))
        field = ifds[0].fields[tag]
        size = Kind(field.kind).size
        i, j = (field.offset + size * int(n) for n in rng.integers(0, field.count, 2))
        data[i : i + size], data[j : j + size] = data[j : j + size], data[i : i + size]
    draft.files[MAIN_FILE["tiff"]] = bytes(data)
    return f"tag {tag}"


def _zip(rng: Rng, draft: Draft) -> str:
    """Change a field of a local header, of the central directory or of the record at its end."""
    data = bytearray(draft.files[MAIN_FILE["zip"]])
    signature, length = [(b"PK\3\4", 30), (b"PK\1\2", 46), (b"PK\1\2", 46), (b"PK\5\6", 22)][int(rng.integers(4))]
    found, at = [], data.find(signature)
    while at >= 0:
        found.append(at)
        at = data.find(signature, at + 1)
    start = found[int(rng.integers(len(found)))] + int(rng.integers(length))
    size = int(rng.choice((1, 2, 4)))
    value = int(_NUMBERS[int(rng.integers(15))]) % 256**size
    data[start : start + size] = value.to_bytes(size, "little")
    draft.files[MAIN_FILE["zip"]] = bytes(data)
    return f"{size} bytes at {start} = {value}"


def _zip_members(rng: Rng, draft: Draft) -> str:
    """Compress members, or exchange their names."""
    members = members_of(draft.files[MAIN_FILE["zip"]])
    method = int(rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    a, b = rng.choice(list(members), 2)
    if rng.random() < 0.5:
        members[a], members[b] = members[b], members[a]
    draft.files[MAIN_FILE["zip"]] = with_members(members, method)
    return f"method {method}, {a}, {b}"


_ZARR = ("folder", "zip")
STRUCTURE_MUTATORS: dict[str, tuple[tuple[str, ...], Callable[[Rng, Draft], str]]] = {
    "bytes of a tile": (KINDS, _bytes_of_tile),
    "trailer": (KINDS, _trailer),
    "stream, resealed": (KINDS, _stream),
    "stream again, resealed": (KINDS, _stream),
    "stream of another, resealed": (KINDS, _foreign_stream),
    "tiles swapped": (KINDS, _swap_tiles),
    "tile of another slide": (KINDS, _splice_tile),
    "tile lost": (KINDS, _no_tile),
    "metadata": (KINDS, _rrip),
    "metadata, resealed": (KINDS, _sealed_rrip),
    "metadata of another": (KINDS, _foreign_rrip),
    "document": (_ZARR, _document),
    "references": (("references",), _references),
    "references again": (("references",), _references),
    "tiff field": (("tiff", "references"), _tiff),
    "tiff field again": (("tiff",), _tiff),
    "tiff tables": (("tiff",), _tiff_swap),
    "zip field": (("zip",), _zip),
    "zip field again": (("zip",), _zip),
    "zip members": (("zip",), _zip_members),
}
"""By name: the kinds of containers that it fits, and what it does; it returns what it did."""
