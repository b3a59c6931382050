"""Write a new container with everything that is left of a damaged one (spec section 8.4).

Documents, tables and lost tiles of level 3 and coarser are derived from the rest. Other lost tiles stay absent, so that
reading them is an error, or are filled from the coarser level if the caller asks for it. The metadata record what was
done.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

import rfc8785

from .. import __version__
from ..concurrency.pool import in_order
from ..containers.base import Container, Place, load_json, read_attachment
from ..containers.creating import check_room, open_writer
from ..containers.order import file_order
from ..errors import RULES, DamagedError, RripError, TargetError
from ..spec.attachments import ICC_NAME, attachment_title, check_associated, known_attachments
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import Coding, Metadata, parse_metadata, seal
from ..spec.tile import join_tile, split_tile
from ..spec.zarr_layout import documents
from ..zarr_views.hierarchy import check_tile
from .findings import Finding
from .remaking import Overviews, coarser, fill_from_coarser, under
from .salvage import open_damaged
from .validation import Unit, batches, check_batch, read_each

__all__ = ["Repair", "repair"]

_BATCH = 96
"""Tiles that are read at once and held in memory."""

_SHOWN = 20
"""Number of findings that are printed."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Result of a repair.

    Parameters
    ----------
    path : str
        The new container.
    lost : sequence of Place
        Level, row and column of tiles that are absent; reading them is an error.
    rebuilt : sequence of Place
        Tiles of level 3 and coarser that were remade from the next finer level.
    filled : sequence of Place
        Tiles of levels 0 to 2 that show the upsampled pixels of the coarser level.
    lost_attachments : sequence of str
        Names of the lost ICC profile and associated images.
    lost_root : bool
        Whether the root's metadata are lost, and with them pixel size, properties and the list of attachments.
    findings : sequence of Finding
        Damage of the tiles.
    """

    path: str
    lost: tuple[Place, ...] = ()
    rebuilt: tuple[Place, ...] = ()
    filled: tuple[Place, ...] = ()
    lost_attachments: tuple[str, ...] = ()
    lost_root: bool = False
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the record of the repair in the metadata, ``repair`` of ``rrip.writer``."""
        places = {name: list(map(list, getattr(self, name))) for name in ("lost", "rebuilt", "filled")}
        return {**places, "lost_attachments": list(self.lost_attachments), "lost_root": self.lost_root}

    def lines(self) -> Iterator[str]:
        """Generate lines of text: findings, what is lost, what was remade."""
        for finding in self.findings[:_SHOWN]:
            yield str(finding)
        if len(self.findings) > _SHOWN:
            yield f"  and {len(self.findings) - _SHOWN} more; 'rrip validate --json' lists all"
        if self.lost_root:
            yield "lost: the root's metadata: pixel size, properties, list of attachments"
        yield from (f"lost: {attachment_title(name)}" for name in self.lost_attachments)
        counts = ", ".join(f"{len(getattr(self, name))} {name}" for name in ("lost", "rebuilt", "filled"))
        yield f"{self.path}: {counts} tiles"

    def __bool__(self) -> bool:
        """Return whether anything was lost or remade."""
        return any(self.to_json().values())


def repair(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    fill_lost: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Repair:
    """Write everything that is left of a damaged container as a new container.

    Every stream is decoded before its tile is copied. If only documents or tables were damaged, the new container has
    the same tiles, byte for byte, and the same UUID; if a tile was rebuilt or filled, it has a new UUID (spec section
    7.2).

    Parameters
    ----------
    source : str or path-like
        Path or URL of the container. In a folder or archive, the metadata of the root or of one array must be
        undamaged; in a TIFF file, the metadata.
    target : str or path-like
        Path of the new container, ``*.rrip.zarr``, ``*.rrip.zarr.zip`` or ``*.rrip.tif``; it appears when it is
        complete.
    fill_lost : bool
        Fill lost tiles of levels 0 to 2 from the coarser level, if that is undamaged, instead of leaving them out.
    overwrite : bool
        Replace a container at the target.
    workers : int, optional
        Number of threads; by default the number of cores.
    progress : callable, optional
        Called with (tiles done, tiles in all); each tile counts twice, checked and written.

    Returns
    -------
    Repair
        What was lost and what was remade.

    Raises
    ------
    FormatError, DamagedError, LimitError
        If the metadata cannot be read.
    StorageError
        If the storage fails, which does not mean that a tile is lost.
    TargetError
        If the target cannot be written, or is the source.
    """
    if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):  # noqa: PTH110, PTH121
        raise TargetError(f"{os.fsdecode(target)}: a container cannot be repaired in place: name another target")
    opened, lost_root = open_damaged(source)
    with closing(opened) as container, open_writer(target, overwrite=overwrite) as writer:
        geometry = container.metadata.coding.geometry
        check_room(writer.place.title, geometry, container.metadata.coding.is_empty)
        total = 2 * sum(rows * cols for rows, cols in map(geometry.grid, range(geometry.levels)))
        told = _Progress(progress, total)
        findings = _look(container, workers, told)
        plan = _plan(container.metadata.coding, findings, fill=fill_lost)
        attachments, lost_attachments = _attachments(container)
        lost, rebuilt, filled = (tuple(sorted(places)) for places in plan)
        name = os.fsdecode(target)
        done = Repair(name, lost, rebuilt, filled, tuple(lost_attachments), lost_root, tuple(findings))
        metadata = _metadata(container.metadata, done)
        writer.lost.update(done.lost)
        for place, tile in _tiles(container, done, metadata.coding, told):
            writer.write_tile(*place, tile)
        for name, data in attachments.items():
            if name != ICC_NAME:
                writer.write_associated(name, data)
        writer.finish(metadata, attachments.get(ICC_NAME))
        return done


class _Progress:
    """Counts every tile twice: when it is checked and when it is written."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def _look(container: Container, workers: int | None, told: _Progress) -> list[Finding]:
    """Find all damaged tiles, by decoding every stream.

    Raises
    ------
    RripError
        If the storage fails or a limit is exceeded, since a tile that cannot be read now is not damaged.
    """

    def check(batch: Sequence[Unit]) -> tuple[int, list[Finding]]:
        return sum(map(len, batch)), check_batch(container, batch, pixels=True)

    found: list[Finding] = []
    for count, findings in in_order(check, batches(container.metadata.coding), workers):
        found += findings
        told.add(count)
        for finding in findings:
            if finding.rule.partition(".")[0] in {"limit", "storage"}:
                raise RULES[finding.rule](finding.found, rule=finding.rule)
    return found


def _plan(coding: Coding, findings: Iterable[Finding], *, fill: bool) -> tuple[set[Place], set[Place], set[Place]]:
    """Decide which damaged tiles stay lost, which are rebuilt and which are filled."""
    geometry = coding.geometry
    lost = {finding.tile for finding in findings if finding.tile is not None}
    rebuilt: set[Place] = set()
    for place in sorted(lost):  # finer levels first
        if place[0] > BASE_LEVEL and lost.isdisjoint(set(under(coding, *place)) - rebuilt):
            rebuilt.add(place)
    filled: set[Place] = set()
    for row, col in {place[1:] for place in lost if fill and place[0] <= BASE_LEVEL}:
        coarsest = max(level for level in range(BASE_LEVEL + 1) if (level, row, col) in lost)
        over = coarser(row, col)
        if coarsest < BASE_LEVEL or (geometry.levels > over[0] and over not in lost):
            # Residuals of finer levels belong to a prediction that is lost, so these are filled too.
            filled |= {(level, row, col) for level in range(coarsest + 1)}
    return lost - rebuilt - filled, rebuilt, filled


def _attachments(container: Container) -> tuple[dict[str, bytes], list[str]]:
    """Return the undamaged attachments, and the names of damaged ones."""
    whole, lost = {}, []
    for name in known_attachments(container.metadata.attachments):
        try:
            data = read_attachment(container, name)
            if name != ICC_NAME:
                check_associated(name, data)
            whole[name] = data
        except DamagedError:
            lost.append(name)
    return whole, sorted(lost)


def _metadata(old: Metadata, done: Repair) -> Metadata:
    """Return the metadata of the new container; changed pixels get a new UUID (spec section 7.2)."""
    if not done:
        return old
    document = old.to_json()
    coding, attachments = document["coding"], document["attachments"]
    record: dict[str, Any] = {"program": f"rrip_format {__version__}", **done.to_json()}
    if "repair" in document["writer"]:
        record["earlier"] = document["writer"]["repair"]
    if done.rebuilt or done.filled:
        record["uuid"] = coding["uuid"]
        digest = hashlib.sha256(rfc8785.dumps(record)).digest()
        coding = seal({**coding, "uuid": str(UUID(bytes=digest[:16], version=4))})
    kept = {name: value for name, value in attachments.items() if name not in done.lost_attachments}
    writer = {**document["writer"], "repair": record}
    made = seal({**document, "coding": coding, "writer": writer, "attachments": kept})
    metadata = parse_metadata(made)
    what = f"{done.path}: the metadata, with {len(done.lost)} lost tiles,"
    load_json(dict(documents(metadata))["zarr.json"], what)  # checks the limits of readers: the container has to open
    return metadata


def _tiles(container: Container, done: Repair, coding: Coding, told: _Progress) -> Iterator[tuple[Place, bytes]]:
    """Generate every tile of the new container, with its new trailer."""
    old = container.metadata.coding
    lost, rebuilt, filled = set(done.lost), set(done.rebuilt), set(done.filled)
    overviews = Overviews(container, rebuilt)
    gone = lost | rebuilt | filled
    order = file_order(old.geometry)
    while batch := list(islice(order, _BATCH)):
        places = [place for place in batch if not old.is_empty(*place)]
        kept = [place for place in places if place not in gone]
        tiles = read_each(container, kept)
        for place in places:
            if place in rebuilt:
                tile = overviews.rebuild(place)
            elif place in filled:
                tile = fill_from_coarser(container, place)
            elif place in lost:
                continue
            else:
                found = tiles[place]
                if isinstance(found, RripError):
                    raise found
                tile = check_tile(old, *place, found)
            if coding.uuid != old.uuid:
                streams = split_tile(tile, old.place(*place), old.streams(place[0]))
                tile = join_tile([b"" if stream is None else bytes(stream) for stream in streams], coding.place(*place))
            yield place, tile
        told.add(len(batch))
