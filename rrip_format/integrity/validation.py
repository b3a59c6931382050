"""Find everything that is wrong with a container, with the checks of the readers (spec section 12).

Each depth includes the checks of the previous ones::

    header     the root's metadata and their checksums; all tags of a TIFF file; the directory of a zip archive
    index      documents and attachments; presence and size of every tile; no unexpected keys
    checksums  length, CRC-32C, place and trailer of every tile
    pixels     decoding of every stream, associated image and family
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..concurrency.pool import in_order
from ..containers.base import Container, Place
from ..containers.opening import open_container
from ..containers.tiff_reader import INDEX_KEY
from ..errors import NotFoundError, RripError, StorageError, absent
from ..family.decode import decode_base, decode_tile
from ..family.jpeg import decode_gray
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import Coding
from ..spec.tile import TRAILER_BYTES, split_tile
from ..spec.zarr_layout import parse_tile_key
from ..storage.access import Access, is_url
from ..zarr_views.hierarchy import Hierarchy, check_tile
from .documents import check_attachments, check_documents
from .findings import Finding, findings_of
from .salvage import open_damaged

__all__ = [
    "DEPTHS",
    "STORAGE_FAILURES",
    "Depth",
    "Unit",
    "batches",
    "check_batch",
    "find_problems",
    "read_each",
    "validate",
]

Depth = Literal["header", "index", "checksums", "pixels"]
DEPTHS: tuple[Depth, ...] = ("header", "index", "checksums", "pixels")
"""Depths of validation, each including the previous ones."""

Progress = Callable[[int, int], None]

Unit = Sequence[Place]
"""Tiles that are decoded together: the three of a family, coarsest first, or one of a coarser level."""

_BATCH_BYTES = 1 << 25
"""Largest size of the tiles of a batch; each thread holds one batch."""

_SIZES_AT_ONCE = 1024
"""Tiles of a server without lists whose sizes are asked for at a time."""

_BITMAP_BYTES = 1 << 12
"""Bytes of a bitmap of tiles that are unpacked at once."""

STORAGE_FAILURES = 100
"""Number of tiles that cannot be read after which the validation ends with an error."""


def validate(
    path: str | os.PathLike[str],
    depth: Depth = "checksums",
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Check a container against the specification.

    Parameters
    ----------
    path : str or path-like
        Path or URL of a folder, zip archive or TIFF file.
    depth : {"header", "index", "checksums", "pixels"}
        ``"header"`` checks the metadata; ``"index"`` also documents, attachments and the presence of every tile;
        ``"checksums"`` also length, CRC-32C, place and trailer of every tile; ``"pixels"`` also decodes every stream.
    workers : int, optional
        Number of threads; by default the number of cores.
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    list of Finding
        What breaks a rule of spec section 12; empty for a valid container. If the container cannot be opened, the
        reason why; and for a folder or archive with an undamaged copy of the coding, also the findings of its tiles.

    Raises
    ------
    NotFoundError
        If there is nothing at `path`.
    StorageError
        If the container cannot be reached, or the storage keeps failing.
    """
    return list(find_problems(path, depth, workers=workers, progress=progress))


def find_problems(
    path: str | os.PathLike[str], depth: Depth, *, workers: int | None = None, progress: Progress | None = None
) -> Iterator[Finding]:
    """Generate the findings of :func:`validate` one by one, so that memory does not grow with the damage."""
    name = os.fsdecode(path)
    if depth not in DEPTHS:
        raise RripError(f"depth is {depth!r}, expected one of {', '.join(DEPTHS)}")
    if not is_url(name) and not Path(name).exists():
        raise NotFoundError(absent(name))
    try:
        container, is_rootless = open_container(path, Access().without_cache()), False
    except RripError as error:
        if isinstance(error, StorageError) or error.rule is None:  # not about the content of the container
            raise
        yield from findings_of(error, _root_of(name, error))
        if depth == "header":
            return
        try:
            container, is_rootless = open_damaged(path)
        except RripError:
            return
    with closing(container):
        if depth == "header":
            return
        if not is_rootless:  # documents depend on metadata that only the root has
            yield from check_attachments(container, pixels=depth == "pixels")
            yield from check_documents(container)
        yield from _check_index(container, tiles=depth == "index")
        if depth != "index":
            yield from _check_tiles(container, workers, progress, pixels=depth == "pixels")


def _root_of(name: str, error: RripError) -> str:
    """Return the key of the metadata that an error is about."""
    if str(error.rule).partition(".")[0] not in {"metadata", "newer"}:
        return ""
    return "tag 65380" if name.lower().endswith((".tif", ".tiff", ".rrip")) else "zarr.json"


def _check_index(container: Container, *, tiles: bool) -> Iterator[Finding]:
    """Find unexpected keys and tiles; with `tiles`, also absent tiles and tiles of an impossible size."""
    yield from (Finding(rule, key, found, parse_tile_key(key)) for rule, key, found in container.faults())
    coding = container.metadata.coding
    geometry = coding.geometry
    grids = [geometry.grid(level) for level in range(geometry.levels if tiles else 0)]
    listed = [np.zeros((rows * cols + 7) // 8, np.uint8) for rows, cols in grids]
    yield from _list(container, listed)
    for level, bits in enumerate(listed):
        rows, cols = grids[level]
        for start in range(0, len(bits), _BITMAP_BYTES):
            missing = np.flatnonzero(np.unpackbits(~bits[start : start + _BITMAP_BYTES])) + 8 * start
            places = ((level, *divmod(at, cols)) for at in missing[missing < rows * cols].tolist())
            promised = (place for place in places if not coding.is_empty(*place))
            while asked := list(islice(promised, _SIZES_AT_ONCE)):  # a listing is a hint: what it lacks is asked for
                for place in _without_size(container, asked):
                    yield from check_batch(container, [[place]], pixels=False)


def _without_size(container: Container, places: Sequence[Place]) -> list[Place]:
    """Tiles that have no size that tiles have, or of which it cannot be told: they are read."""
    if not container.is_remote:
        return list(places)
    try:
        sizes = container.tile_sizes(places)
    except RripError:
        return list(places)
    most = container.metadata.coding.tile_limit
    pairs = zip(places, sizes, strict=True)
    return [place for place, size in pairs if size is None or not TRAILER_BYTES <= size <= most(place[0])]


def _list(container: Container, listed: Sequence[NDArray[np.uint8]]) -> Iterator[Finding]:
    """Find unexpected keys in a listing; mark tiles of a possible size in the bitmaps of `listed`."""
    hierarchy, coding = Hierarchy(container), container.metadata.coding
    with suppress(StorageError):  # without a listing, every tile is read
        for key, size in container.sizes():
            place = hierarchy.locate(key)
            if place is not None:
                level, row, col = place
                if listed and TRAILER_BYTES <= size <= coding.tile_limit(level):
                    byte, bit = divmod(row * coding.geometry.grid(level)[1] + col, 8)
                    listed[level][byte] |= 0x80 >> bit
            elif parse_tile_key(key) is not None:
                yield Finding("tile.unexpected", key, f"has a tile of {size} bytes", parse_tile_key(key))
            elif key not in hierarchy.documents and key != INDEX_KEY and not key.endswith("/"):
                yield Finding("key.unexpected", key, f"has {size} bytes")


def _check_tiles(
    container: Container, workers: int | None, progress: Progress | None, *, pixels: bool
) -> Iterator[Finding]:
    """Check every tile, on all threads."""
    geometry, failures, done = container.metadata.coding.geometry, 0, 0
    total = sum(rows * cols for rows, cols in map(geometry.grid, range(geometry.levels)))

    def check(batch: Sequence[Unit]) -> tuple[int, list[Finding]]:
        return sum(map(len, batch)), check_batch(container, batch, pixels=pixels)

    for count, findings in in_order(check, batches(container.metadata.coding), workers):
        yield from findings
        failures += sum(finding.rule == "storage.failed" for finding in findings)
        if failures > STORAGE_FAILURES:
            raise StorageError(
                f"{container.name}: {failures} tiles could not be read; check whether the storage is still available"
            )
        done += count
        if progress is not None:
            progress(done, total)


def batches(coding: Coding) -> Iterator[list[Unit]]:
    """Divide all families, then all tiles of coarser levels, into batches for one thread each."""
    geometry = coding.geometry
    for level in range(BASE_LEVEL, geometry.levels):
        levels = (2, 1, 0) if level == BASE_LEVEL else (level,)
        most = max(1, _BATCH_BYTES // sum(map(coding.tile_limit, levels)))
        batch: list[Unit] = []
        for row, col in geometry.tiles(level):
            batch.append([(needed, row, col) for needed in levels])
            if len(batch) == most:
                yield batch
                batch = []
        if batch:
            yield batch


def check_batch(container: Container, batch: Sequence[Unit], *, pixels: bool) -> list[Finding]:
    """Read and check the tiles of a batch."""
    coding = container.metadata.coding
    present = [unit for unit in batch if not coding.is_empty(*unit[0])]
    tiles = read_each(container, [place for unit in present for place in unit])
    return [finding for unit in present for finding in _check_unit(coding, unit, tiles, pixels=pixels)]


def read_each(container: Container, places: Sequence[Place]) -> dict[Place, bytes | RripError | None]:
    """Read stored tiles without checking them; for one that cannot be read, return its error."""
    try:
        return dict(zip(places, container.read_tiles(places), strict=True))
    except RripError as error:
        if len(places) == 1:
            return {places[0]: error}
    return {place: tile for one in places for place, tile in read_each(container, [one]).items()}


def _check_unit(
    coding: Coding, unit: Unit, tiles: Mapping[Place, bytes | RripError | None], *, pixels: bool
) -> Iterator[Finding]:
    whole: dict[Place, bytes] = {}
    for place in unit:
        tile = tiles[place]
        try:
            if isinstance(tile, RripError):
                raise tile
            whole[place] = check_tile(coding, *place, tile)
        except RripError as error:
            yield from findings_of(error, place)
    if not pixels:
        return
    failure: RripError | None = None
    if len(whole) == len(unit):
        try:
            decode_tile(coding, *unit[-1], [whole[place] for place in unit])
        except RripError as error:
            failure = error
        else:
            return
    told = False
    for place, tile in whole.items():  # one by one, to report every damaged tile
        try:
            _decode_streams(coding, place, tile)
        except RripError as error:
            told = True
            yield from findings_of(error, place)
    if failure is not None and not told:
        yield from findings_of(failure, unit[-1])


def _decode_streams(coding: Coding, place: Place, tile: bytes) -> None:
    """Decode all streams of a tile and raise if one is damaged, whatever it is predicted from."""
    level, row, col = place
    if level >= BASE_LEVEL:
        decode_base(coding, level, row, col, tile)
        return
    where = coding.place(level, row, col)
    for stream in split_tile(tile, where, coding.streams(level)):
        try:
            if stream is not None:
                decode_gray(stream, coding.geometry.tile_side(level))
        except RripError as error:
            raise error.within(str(where)) from error
