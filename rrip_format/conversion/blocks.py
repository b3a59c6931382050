"""Blocks of families, which a worker reads, encodes and checks as one job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..containers.writer import ContainerWriter
from ..errors import DamagedError, RripError
from ..family.decode import decode_base, decode_residual, decode_samples
from ..family.encode import StreamCoder, encode_base, encode_family
from ..family.overviews import pad
from ..sources import Source
from ..spec.geometry import BASE_LEVEL, Geometry, Place
from ..spec.metadata import Coding
from ..spec.tile import crc32c, split_tile
from ..storage.workplace import Span
from ..tuning.sampling import Image, Levels, halve_twice, pad_levels, read_families

__all__ = [
    "BLOCK_PX",
    "Block",
    "EncodedTile",
    "Family",
    "Place",
    "WrittenTile",
    "check_block",
    "check_tiles",
    "encode_block",
    "encode_overview",
    "halve_block",
    "list_blocks",
    "read_block",
    "recall_block",
]

BLOCK_PX = 2048
"""Side of the square of level 0 that is a block, px."""

Json = Any
Planes = NDArray[np.uint8]
Digest = tuple[int | None, ...]
"""CRC-32C of each plane that a tile decodes to; None for a residual plane of zeros."""


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of families that is read and encoded as one job: its first row and column, and its size."""

    row: int
    col: int
    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class EncodedTile:
    """A stored tile, and the CRC-32C of the planes that it should decode to."""

    place: Place
    data: bytes
    digest: Digest


@dataclass(frozen=True, slots=True)
class WrittenTile:
    """A stored tile after it was written: where it is in a file, and the CRC-32C of the planes."""

    place: Place
    span: Span
    digest: Digest


@dataclass(frozen=True, slots=True)
class Family:
    """Stored tiles of one family, none if it is empty, and its base level pixels for the overviews."""

    row: int
    col: int
    tiles: tuple[EncodedTile, ...]
    base_rgb: Image


def list_blocks(geometry: Geometry) -> Iterator[Block]:
    """Generate all blocks of a slide, in the order in which they are written."""
    rows, cols = geometry.families
    step = max(1, BLOCK_PX // geometry.tile_side(0))
    for row in range(0, rows, step):
        for col in range(0, cols, step):
            yield Block(row, col, min(step, rows - row), min(step, cols - col))


def read_block(source: Source, geometry: Geometry, block: Block) -> Image:
    """Read the level 0 pixels of a block."""
    return read_families(source, geometry, block.row, block.col, block.rows, block.cols)


def _families(rgb: Image, geometry: Geometry, block: Block) -> Iterator[tuple[int, int, Levels]]:
    """Generate (row, column, levels without padding) of the families of a block, given its level 0 pixels.

    Each is copied out of the block once and halved while it is in the processor's cache.
    """
    side = geometry.tile_side(0)
    for row in range(block.rows):
        for col in range(block.cols):
            finest = rgb[row * side : (row + 1) * side, col * side : (col + 1) * side]
            yield block.row + row, block.col + col, halve_twice(np.ascontiguousarray(finest))


def halve_block(rgb: Image, geometry: Geometry, block: Block) -> Iterator[Family]:
    """Generate the families of a block without tiles, for a block that an earlier run has encoded."""
    for row, col, levels in _families(rgb, geometry, block):
        yield Family(row, col, (), levels[BASE_LEVEL])


def encode_block(rgb: Image, coding: Coding, coder: StreamCoder, block: Block) -> Iterator[Family]:
    """Encode the families of a block, given its level 0 pixels."""
    for row, col, levels in _families(rgb, coding.geometry, block):
        tiles: tuple[EncodedTile, ...] = ()
        if not _is_background(levels[0], coding.background):
            made = encode_family(coding, row, col, pad_levels(levels, coding.geometry), coder)
            decoded = made.finest.residuals, (made.finest.coarse,), (made.base,)  # what :func:`_decode` returns
            tiles = tuple(
                EncodedTile((level, row, col), tile, _digest(planes))
                for level, (tile, planes) in enumerate(zip(made.tiles, decoded, strict=True))
            )
        yield Family(row, col, tiles, levels[BASE_LEVEL])


def encode_overview(rgb: Image, coding: Coding, coder: StreamCoder, place: Place) -> EncodedTile:
    """Encode a tile of a level coarser than the base from its pixels without padding."""
    side = coding.geometry.tile_side(place[0])
    planes = np.empty((3, side, side), np.uint8)
    tile = encode_base(coding, *place, pad(rgb, side), coder, planes)
    return EncodedTile(place, tile, _digest((planes,)))


def _is_background(rgb: Image, background: tuple[int, int, int]) -> bool:
    """Return whether every pixel is exactly the background and that is a grey (spec section 8.2)."""
    return len(set(background)) == 1 and rgb.flat[0] == background[0] and bool((rgb == background[0]).all())


def _digest(planes: Sequence[Planes | None]) -> Digest:
    """Return the CRC-32C of each plane."""
    return tuple(None if plane is None else crc32c(np.ascontiguousarray(plane)) for plane in planes)


def check_block(coding: Coding, block: Block, tiles: Sequence[WrittenTile], verify: bool) -> Json:
    """Read the tiles of a block back and check them; return the note for the journal.

    Parameters
    ----------
    coding : Coding
        Coding of the slide.
    block : Block
        The block.
    tiles : sequence of WrittenTile
        The three tiles of each of its families.
    verify : bool
        As that of :func:`check_tiles`, whose errors it raises.
    """
    data = check_tiles(coding, tiles, verify)
    return {
        "block": [block.row, block.col, block.rows, block.cols],
        "tiles": [[*tile.place, tile.span.offset, tile.span.length] for tile in tiles],
        "digest": _digest_of(data[tile.place] for tile in tiles),
    }


def check_tiles(coding: Coding, tiles: Sequence[WrittenTile], verify: bool) -> dict[Place, bytes]:
    """Read tiles back, and return what is there.

    Parameters
    ----------
    coding : Coding
    tiles : sequence of WrittenTile
        Whole families, and overview tiles.
    verify : bool
        Decode the tiles and compare them with what the encoder expects.

    Returns
    -------
    JSON object
        The tiles and their digest, from which a later run finds them (:func:`recall_block`).

    Raises
    ------
    DamagedError
        If the file does not have the bytes that were written, or they do not decode to the expected planes.
    TargetError
        If the file cannot be read.
    """
    data = {tile.place: tile.span.read() for tile in tiles}
    bases: dict[Place, Planes] = {}
    for tile in sorted(tiles, key=_coarser_first):
        place = coding.place(*tile.place)
        try:
            if verify:
                found = _decode(coding, tile.place, data[tile.place], bases)
            else:
                found = None
                split_tile(data[tile.place], place, coding.streams(place.level))
        except DamagedError as error:
            raise DamagedError(
                f"{place} was read back from {tile.span.path} with other bytes than were written ({error}); check the "
                "disk and the memory of this machine"
            ) from error
        if found is not None and _digest(found) != tile.digest:
            raise DamagedError(
                f"{place} does not decode to the pixels that its encoder expects: this is a bug of rrip-format or a "
                "fault of this machine's memory; please report it with the source"
            )
    return data


def _coarser_first(tile: WrittenTile) -> Place:
    """Return a sort key that groups the tiles of a family, coarser levels first."""
    level, row, col = tile.place
    return row, col, -level


def _decode(coding: Coding, place: Place, tile: bytes, bases: dict[Place, Planes]) -> Sequence[Planes | None]:
    """Decode a tile for the comparison of digests; `bases` has the planes of base tiles.

    For level 0 these are the residuals: its planes follow from them and from those of level 1, which are compared too.
    """
    level, row, col = place
    if level == 0:
        return decode_samples(coding, *place, tile)
    if level < BASE_LEVEL:
        return (decode_residual(coding, *place, bases.pop((BASE_LEVEL, row, col)), tile),)
    planes = decode_base(coding, *place, tile)
    if level == BASE_LEVEL:
        bases[place] = planes
    return (planes,)


def _digest_of(tiles: Iterator[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=32)
    for tile in tiles:
        digest.update(tile)
    return digest.hexdigest()


def recall_block(
    writer: ContainerWriter, coding: Coding, block: Block, note: Json
) -> list[tuple[Place, Span, bytes]] | None:
    """Read the tiles that an earlier run has noted for a block; None if they are not as noted."""
    if not _is_note(note, coding, block):
        return None
    found: list[tuple[Place, Span, bytes]] = []
    try:
        for level, row, col, offset, length in note["tiles"]:
            span = writer.span(level, row, col, offset, length)
            tile = span.read()
            split_tile(tile, coding.place(level, row, col), coding.streams(level))
            found.append(((level, row, col), span, tile))
    except RripError:
        return None
    return found if _digest_of(tile for _, _, tile in found) == note["digest"] else None


def _is_note(note: Json, coding: Coding, block: Block) -> bool:
    """Return whether JSON has the form of a note of :func:`check_block`, with sizes that tiles can have."""
    if not isinstance(note, dict) or not isinstance(note.get("tiles"), list) or "digest" not in note:
        return False
    return note.get("block") == [block.row, block.col, block.rows, block.cols] and all(
        isinstance(tile, list)
        and len(tile) == 5
        and all(type(number) is int and 0 <= number < 1 << 63 for number in tile)
        and tile[0] < coding.geometry.levels
        and tile[4] <= coding.tile_limit(tile[0])
        for tile in note["tiles"]
    )
