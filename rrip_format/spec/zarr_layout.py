"""The Zarr v3 hierarchy of a container: keys and metadata documents (spec section 9).

::

    zarr.json                 group: "ome" (NGFF 0.5 multiscales over 0, 1, 2 …) and "rrip"
    0/zarr.json  0/c/0/3/5    level 0: codec "rrip"; the chunk is the residual tile (row 3, column 5)
    1/…                       level 1: the same
    2/zarr.json  3/zarr.json  levels 2 and coarser: codec "rrip", no chunks of their own
    base/zarr.json            an ordinary OME-Zarr image of level 2 and coarser
    base/0/c/0/3/5            the base tile; 2 reads it from here
    OPEN_WITH_RRIP/zarr.json  an empty group, which software that takes the first group of the root finds
    icc_profile/…             the ICC profile, one array of bytes, where the slide has one
    associated/macro/…        an associated image (macro, thumbnail, label), one JPEG chunk, where it has one

Levels 2 and coarser are two arrays each that share their chunks: one under ``base`` for readers that know only standard
codecs, and one at the root with the codec that notices a missing or damaged tile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .attachments import ICC_NAME, jpeg_shape, seal_attachment
from .geometry import BASE_LEVEL
from .metadata import Metadata

__all__ = [
    "FIRST_GROUP",
    "ICC_ARRAY",
    "ICC_KEY",
    "KEY_ENCODING",
    "array_name",
    "associated_documents",
    "associated_group",
    "associated_key",
    "attachment_key",
    "documents",
    "dump",
    "icc_documents",
    "multiscales",
    "parse_tile_key",
    "tile_key",
]

Json = Any

ICC_ARRAY = "icc_profile"
"""Name of the array that holds the ICC profile."""

ICC_KEY = f"{ICC_ARRAY}/c/0"
"""Key of the ICC profile."""

FIRST_GROUP = "OPEN_WITH_RRIP"
"""Name of the empty group that stands before all others in the order of names (spec section 9.2)."""

KEY_ENCODING = "rrip"
"""Name of the chunk key encoding of the root arrays (spec section 9.2)."""


def array_name(level: int) -> str:
    """Return the path of the array whose chunks are the stored tiles of `level`."""
    return str(level) if level < BASE_LEVEL else f"base/{level - BASE_LEVEL}"


def tile_key(level: int, row: int, col: int) -> str:
    """Return the key of a stored tile, relative to the root of the container."""
    return f"{array_name(level)}/c/0/{row}/{col}"


_NUMBER = r"(0|[1-9]\d{0,9})"
_TILE_KEY = re.compile(rf"(base/)?{_NUMBER}/c/0/{_NUMBER}/{_NUMBER}")


def parse_tile_key(key: str) -> tuple[int, int, int] | None:
    """Return (level, row, column) of the stored tile at a key, None for any other key."""
    match = _TILE_KEY.fullmatch(key)
    if match is None:
        return None
    level, row, col = (int(match[group]) for group in (2, 3, 4))
    if match[1]:
        return level + BASE_LEVEL, row, col
    return (level, row, col) if level < BASE_LEVEL else None  # coarser root arrays have their chunks under base


def _array(shape: list[int], chunk: list[int], codecs: list[Json], fill: int, names: list[str]) -> dict[str, Json]:
    """Make the document of an array whose chunks any reader finds."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": codecs,
        "dimension_names": names,
        "attributes": {},
    }


def _group(attributes: dict[str, Json]) -> dict[str, Json]:
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def multiscales(metadata: Metadata, levels: range, finest: int) -> dict[str, Json]:
    """Return NGFF 0.5 image attributes over `levels`, whose datasets are numbered from level `finest`."""
    mpp = metadata.slide.mpp
    width, height = mpp or (1.0, 1.0)
    unit = {"unit": "micrometer"} if mpp else {}
    datasets = [
        {
            "path": str(level - finest),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, height * 2**level, width * 2**level]},
                {
                    "type": "translation",
                    "translation": [0.0, height * (2**level - 1) / 2, width * (2**level - 1) / 2],
                },
            ],
        }
        for level in levels
    ]
    axes = [{"name": "c", "type": "channel"}, *({"name": name, "type": "space", **unit} for name in "yx")]
    multiscale = {"name": metadata.slide.source_name, "axes": axes, "datasets": datasets, "type": "mean"}
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    channels = [
        {"label": label, "color": colour, "active": True, "window": window}
        for label, colour in (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
    ]
    return {
        "version": "0.5",
        "multiscales": [multiscale],
        "omero": {"name": metadata.slide.source_name, "channels": channels, "rdefs": {"model": "color"}},
    }


_BASE_CODECS: list[Json] = [
    {"name": "transpose", "configuration": {"order": [1, 2, 0]}},
    {"name": "imagecodecs_jpeg", "configuration": {}},
    {"name": "crc32c"},
]


def documents(metadata: Metadata) -> Iterator[tuple[str, bytes]]:
    """Generate every ``zarr.json`` of a container, that of the root last: a container without it does not open."""
    geometry, coding = metadata.coding.geometry, metadata.coding.to_json()
    fill = metadata.coding.background[0]
    for level in range(geometry.levels):
        shape, side = [3, *geometry.shape(level)], geometry.tile_side(level)
        codec = {"name": "rrip", "configuration": {"level": level, "coding": coding}}
        ours = _array(shape, [3, side, side], [codec], fill, ["c", "y", "x"])
        yield f"{level}/zarr.json", dump({**ours, "chunk_key_encoding": {"name": KEY_ENCODING}})
        if level >= BASE_LEVEL:
            document = _array(shape, [3, side, side], _BASE_CODECS, fill, ["c", "y", "x"])
            yield f"{array_name(level)}/zarr.json", dump(document)
    yield f"{FIRST_GROUP}/zarr.json", dump(_group({}))
    base = range(BASE_LEVEL, geometry.levels)
    yield "base/zarr.json", dump(_group({"ome": multiscales(metadata, base, BASE_LEVEL)}))
    ome = multiscales(metadata, range(geometry.levels), 0)
    yield "zarr.json", dump(_group({"ome": ome, "rrip": metadata.to_json()}))


def icc_documents(profile: bytes) -> Iterator[tuple[str, bytes]]:
    """Generate the metadata and the one chunk of the array of an ICC profile."""
    codecs = [{"name": "bytes"}, {"name": "crc32c"}]
    yield f"{ICC_ARRAY}/zarr.json", dump(_array([len(profile)], [len(profile)], codecs, 0, ["byte"]))
    yield ICC_KEY, seal_attachment(profile)


def associated_key(name: str) -> str:
    """Return the key of an associated image."""
    return f"associated/{name}/c/0/0/0"


def attachment_key(name: str) -> str:
    """Return the key of the ICC profile or of an associated image."""
    return ICC_KEY if name == ICC_NAME else associated_key(name)


def associated_group() -> tuple[str, bytes]:
    """Return key and metadata of the group of associated images."""
    return "associated/zarr.json", dump(_group({}))


def associated_documents(images: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Generate the group of associated images, JPEG files by name, each an array of one chunk; nothing if none."""
    codecs = [{"name": "imagecodecs_jpeg", "configuration": {}}, {"name": "crc32c"}]
    for name, jpeg in sorted(images.items()):
        shape = [*jpeg_shape(jpeg, name), 3]
        yield f"associated/{name}/zarr.json", dump(_array(shape, shape, codecs, 0, ["y", "x", "c"]))
        yield associated_key(name), seal_attachment(jpeg)
    if images:
        yield associated_group()


def dump(document: dict[str, Json]) -> bytes:
    """Serialise a metadata document."""
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False).encode()
