"""From a slide or an array to a container, block by block."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import rfc8785
from numpy.typing import NDArray

from . import __version__
from .associated import ASSOCIATED_NAMES
from .calibration import find_quality, keep_promise
from .encoder import Settings, Steps, Target
from .errors import SourceError
from .family import StreamCoder, encode_base, encode_family
from .geometry import Geometry
from .jpeg import encode
from .metadata import Coding, Metadata, SlideMetadata, parse_metadata
from .overview import OverviewBuilder, pad
from .sampling import Levels, even_families, halve_twice, pad_levels, read_families, tissue_families
from .source import Source, open_source
from .writing import ContainerWriter, check_target, open_writer

__all__ = ["Conversion", "Plan", "convert", "make_plan"]

_BLOCK_PX = 2048
"""Side of the square of level 0 that one worker holds at a time."""

_ASSOCIATED_QUALITY = 90
"""JPEG quality of thumbnail, macro image and label."""

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion made.

    Parameters
    ----------
    path : str
        The container.
    width, height : int
        Size of level 0, px.
    levels : int
    families, empty_families : int
    stored_bytes : int
        Bytes of all stored tiles.
    source_bytes : int or None
        Size of the source.
    steps : three floats or None
        Quantiser steps that were found for the slide, as in :class:`rrip_format.encoder.Settings`.
    reached : float or None
        What those reach of the target of the settings, on a sample.
    """

    path: str
    width: int
    height: int
    levels: int
    families: int
    empty_families: int
    stored_bytes: int
    source_bytes: int | None
    steps: Steps | None
    reached: float | None


@dataclass(frozen=True, slots=True)
class _Block:
    """A rectangle of families that is read and encoded at once."""

    row: int
    col: int
    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class _EncodedFamily:
    """Stored tiles of one family, none if it is empty, and its base level pixels for the overviews."""

    row: int
    col: int
    tiles: tuple[bytes, ...]
    base_rgb: Image


def convert(
    source: Any,
    target: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    label: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Convert a slide, an image or an array to an RRIP container.

    Parameters
    ----------
    source : path, numpy, dask or zarr array, or Source
        Whatever :func:`rrip_format.source.open_source` opens, or what it has opened, which stays open then.
    target : path
        ``*.rrip.zarr``, ``*.rrip.zarr.zip`` or ``*.rrip.tif``; it appears when it is complete.
    settings : Settings, optional
    workers : int, optional
        Threads; all cores if not given.
    overwrite : bool
        Replace a container at the target.
    label : bool
        Keep the label image too, which may show whose tissue it is; thumbnail and macro image are always kept.
    progress : callable, optional
        Called with (families done, families in all).

    Returns
    -------
    Conversion

    Raises
    ------
    TargetError
        If the target cannot be written, or is there and `overwrite` is not set.
    SourceError
        If the source cannot be read, wholly and without damage.
    """
    settings = settings or Settings()
    target = Path(target)
    check_target(target, overwrite=overwrite)
    reading = nullcontext(source) if isinstance(source, Source) else open_source(source)
    with reading as opened, open_writer(target, overwrite=overwrite) as writer:
        workers = workers or os.cpu_count() or 1
        with ThreadPoolExecutor(workers, thread_name_prefix="rrip") as executor:
            try:
                _write_associated(opened, writer, label=label)
                return _run(opened, target, writer, settings, executor, workers, progress)
            except BaseException:
                executor.shutdown(wait=True, cancel_futures=True)
                raise


def _write_associated(source: Source, writer: ContainerWriter, *, label: bool) -> None:
    """Keep the small pictures that come with a slide, as far as the format has a name for them."""
    for name, read in source.associated().items():
        if name in ASSOCIATED_NAMES and (label or name != "label"):
            writer.write_associated(name, encode(read(), _ASSOCIATED_QUALITY))


def _run(
    source: Source,
    target: Path,
    writer: ContainerWriter,
    settings: Settings,
    executor: Executor,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> Conversion:
    plan = make_plan(source, settings, executor)
    coding, settings, coder = plan.coding, plan.settings, plan.settings.streams
    _metadata(source, coding, settings)  # what cannot be stored is refused now, not after all the work
    before = source.fingerprint()
    geometry = coding.geometry
    rows, cols = geometry.families
    empty = np.zeros((rows, cols), np.bool_)
    overviews = OverviewBuilder(geometry)
    stored = 0

    def write(level: int, row: int, col: int, tile: bytes) -> None:
        nonlocal stored
        writer.write_tile(level, row, col, tile)
        stored += len(tile)

    done = 0
    for families in _in_order(executor, workers, _blocks(geometry), source, coding, coder):
        for family in families:
            empty[family.row, family.col] = not family.tiles
            for level, tile in enumerate(family.tiles):
                write(level, family.row, family.col, tile)
            for level, row, col, rgb in overviews.add(family.row, family.col, family.base_rgb):
                if not all(empty[under] for under in geometry.families_under(level, row, col)):
                    padded = pad(rgb, geometry.tile_side(level))
                    write(level, row, col, encode_base(coding, level, row, col, padded, coder))
            done += 1
        if progress is not None:
            progress(done, rows * cols)
    if source.fingerprint() != before:
        raise SourceError(f"{source.info.name}: has changed while it was converted; convert it again")
    if empty.any():
        coding = dataclasses.replace(coding, empty_bits=np.packbits(empty).tobytes())
    metadata = _metadata(source, coding, settings)
    writer.finish(metadata, source.info.icc_profile)
    return Conversion(
        path=str(target),
        width=geometry.width,
        height=geometry.height,
        levels=geometry.levels,
        families=rows * cols,
        empty_families=int(empty.sum()),
        stored_bytes=stored,
        source_bytes=source.info.size_bytes,
        steps=settings.steps,
        reached=plan.reached,
    )


def _in_order(
    executor: Executor, workers: int, blocks: Iterator[_Block], source: Source, coding: Coding, coder: StreamCoder
) -> Iterator[list[_EncodedFamily]]:
    """Encode blocks on all workers and give them out in order, with few finished ones waiting."""
    waiting: deque[Future[list[_EncodedFamily]]] = deque()
    for block in blocks:
        waiting.append(executor.submit(_encode_block, source, coding, coder, block))
        if len(waiting) > 2 * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _blocks(geometry: Geometry) -> Iterator[_Block]:
    rows, cols = geometry.families
    step = max(1, _BLOCK_PX // geometry.tile_side(0))
    for row in range(0, rows, step):
        for col in range(0, cols, step):
            yield _Block(row, col, min(step, rows - row), min(step, cols - col))


def _family_levels(levels: Levels, geometry: Geometry, row: int, col: int) -> Levels:
    """The part of a block's levels that is family (row, col) of the block, without padding."""

    def part(level: int) -> Image:
        side = geometry.tile_side(level)
        return levels[level][row * side : (row + 1) * side, col * side : (col + 1) * side]

    return part(0), part(1), part(2)


def _encode_block(source: Source, coding: Coding, coder: StreamCoder, block: _Block) -> list[_EncodedFamily]:
    """Read a block and encode its families: the whole work of one worker."""
    geometry = coding.geometry
    levels = halve_twice(read_families(source, geometry, block.row, block.col, block.rows, block.cols))
    families = []
    for row in range(block.rows):
        for col in range(block.cols):
            parts = _family_levels(levels, geometry, row, col)
            tiles: tuple[bytes, ...] = ()
            if not _is_background(parts[0], coding.background):
                padded = pad_levels(parts, geometry)
                tiles = encode_family(coding, block.row + row, block.col + col, padded, coder).tiles
            families.append(_EncodedFamily(block.row + row, block.col + col, tiles, parts[2].copy()))
    return families


def _is_background(rgb: Image, background: tuple[int, int, int]) -> bool:
    """Whether every pixel is exactly the background, which must be a grey (spec section 8.2)."""
    return len(set(background)) == 1 and rgb.flat[0] == background[0] and bool((rgb == background[0]).all())


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a container that is known before its pixels are.

    Parameters
    ----------
    coding : Coding
    settings : Settings
        With the quantiser steps that were found for the slide.
    reached : float or None
        Of the target of the settings, on the sample.
    """

    coding: Coding
    settings: Settings
    reached: float | None = None


def make_plan(source: Source, settings: Settings, executor: Executor) -> Plan:
    """Look at a sample of the slide, and decide how to encode it."""
    info, reached = source.info, None
    geometry = Geometry(info.width, info.height, settings.tile)
    tissue = tissue_families(source, geometry)
    if settings.target is None:
        settings, fits = keep_promise(tissue, settings, executor)
    else:
        target = Target.parse(settings.target)
        if target.kind == "ratio":  # of the slide as it is, glass too
            tissue = [pad_levels(levels, geometry) for levels in even_families(source, geometry)]
        settings, fits, reached = find_quality(tissue, settings, target, executor)
    coding = Coding(_identity(source, settings), geometry, settings.residuals(fits), info.background)
    return Plan(coding, settings, reached)


def _identity(source: Source, settings: Settings) -> UUID:
    """The same for the same source and settings, so that the same conversion gives the same bytes."""
    digest = hashlib.sha256(rfc8785.dumps({"settings": settings.to_json(), "writer": __version__}))
    digest.update(rfc8785.dumps([list(source.info.background), str(getattr(source.reopen[0], "keywords", ""))]))
    digest.update(source.digest())
    return UUID(bytes=digest.digest()[:16], version=4)


def _metadata(source: Source, coding: Coding, settings: Settings) -> Metadata:
    info = source.info
    mpp = None if info.mpp_x is None or info.mpp_y is None else (info.mpp_x, info.mpp_y)
    slide = SlideMetadata(mpp, info.objective_power, info.vendor, info.properties, info.name, info.size_bytes)
    writer = {"name": "rrip_format", "version": __version__, "settings": settings.to_json()}
    metadata = Metadata(coding, slide, writer)
    try:
        parse_metadata(metadata.to_json())
    except Exception as error:
        raise SourceError(f"{info.name}: its metadata cannot be stored: {error}") from error
    return metadata
