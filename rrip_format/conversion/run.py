"""From a slide or an array to a container: block by block, each checked as it was written, and resumable.

What is left where after which failure is in ``docs/converting.md``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..containers.base import total_bytes
from ..containers.writer import ContainerWriter, check_room, check_target, open_writer
from ..errors import RripError, SourceError
from ..family.overviews import OverviewBuilder
from ..sources import Source, open_source
from ..spec.geometry import BASE_LEVEL, Geometry
from ..spec.metadata import Compression
from ..storage.journal import Journal, read_journal
from ..tuning.settings import Settings, Steps
from .arguments import chosen_settings, opening
from .blocks import Block, EncodedTile, Family, WrittenTile, check_block, encode_overview, list_blocks, recall_block
from .executors import SharedSource, result_of, submit, work
from .lossy import own_quality
from .pictures import encode_pictures
from .plan import Plan, Wanted, make_metadata, make_plan, note_plan, recall_plan

__all__ = ["Conversion", "convert"]

Json = Any

_Check = tuple[Future[None], Future[Json]]
"""That the tiles of a block are durable, and the note of them that have been checked."""


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
    resumed_families : int
        Those that an interrupted run had made.
    stored_bytes : int
        Bytes of all stored tiles.
    total_bytes : int
        Bytes of the container, metadata too, as ``rrip info`` states them.
    source_bytes : int or None
        Size of the source.
    steps : three floats or None
        Quantiser steps that were found for the slide, as in :class:`rrip_format.tuning.settings.Settings`.
    reached : float or None
        What those reach of the target of the settings, on a sample.
    quality : int
        Of the settings; where the source's own was wanted, that.
    compressions : tuple of Compression, or None
        What the pixels of the source had gone through, oldest first; None where that is not known.
    """

    path: str
    width: int
    height: int
    levels: int
    families: int
    empty_families: int
    resumed_families: int
    stored_bytes: int
    total_bytes: int
    source_bytes: int | None
    steps: Steps | None
    reached: float | None
    quality: int
    compressions: tuple[Compression, ...] | None


def convert(
    source: Any,
    target: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    quality: int | Literal["source"] | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    overwrite: bool = False,
    resume: bool = False,
    verify: bool = True,
    label: bool = False,
    keep_identifiers: bool = False,
    missing_tiles: Literal["error", "background"] | None = None,
    mpp: float | tuple[float, float] | None = None,
    objective: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Convert a slide, an image or an array to an RRIP container.

    Parameters
    ----------
    source : path, numpy, dask or zarr array, or Source
        Whatever :func:`rrip_format.sources.open_source` opens, or what it has opened, which stays open then.
    target : path
        ``*.rrip.zarr``, ``*.rrip.zarr.zip`` or ``*.rrip.tif``; it appears when it is complete.
    settings : Settings, optional
    quality : int or "source", optional
        1 … 100, short for ``Settings(quality=…)``; 90 if neither is given. ``"source"``: that of the source's
        JPEG streams, whatever the settings say, so that the container is no worse than the source compressed once more.
    workers : int, optional
        Threads that encode and check, beside a few that wait for the disk; all cores if not given. With an executor,
        how many blocks that works on at a time.
    executor : concurrent.futures.Executor, optional
        Where families are encoded instead: a process pool, or ``dask.distributed.Client.get_executor()``. It is left
        running. Finding the settings and writing stay here, and so does checking, except with a process pool, whose
        processes are on this machine.
    overwrite : bool
        Replace a container at the target.
    resume : bool
        Go on from what an interrupted run with the same source and settings has left, if it has; the container has the
        same bytes then as that of a run that nothing interrupts. Without it, what was left is removed.
    verify : bool
        Decode every tile from what was written, and compare it with what its encoder expects.
    label : bool
        Keep the label image, and a macro image that shows the label or may show it: they tell whose tissue it is.
    keep_identifiers : bool
        Keep the name of the file and all of its properties, not only those that say how it was scanned.
    missing_tiles : str, optional
        ``"background"``: tiles without data are background, also in formats where they mean damage. ``"error"``, the
        default, refuses them there.
    mpp : float or two floats, optional
        Micrometres per pixel (x, y), in place of what the source says.
    objective : float, optional
        Nominal magnification, in place of what the source says.
    progress : callable, optional
        Called with (families done, families in all).

    Returns
    -------
    Conversion

    Raises
    ------
    TypeError
        If `settings` are no Settings.
    ValueError
        If `quality` is not that of `settings`, or what changes how a source is opened is given with one that is open.
    TargetError
        If the target cannot be written, is being written by another run, or is there and `overwrite` is not set.
    SourceNotFoundError
        If there is no such source; it is a ``FileNotFoundError``.
    SourceError
        If the source cannot be read, wholly and without damage.
    DamagedError
        If a tile does not read back as it was written.
    RripError
        If what there is to resume was begun from another source, with other settings or by another version, or if the
        executor lost its workers.
    """
    settings, wanted = (
        chosen_settings(settings, None if quality == "source" else quality),
        Wanted(label, keep_identifiers),
    )
    how = opening(source, missing_tiles=missing_tiles, mpp=mpp, objective=objective)
    target = Path(os.fsdecode(target))
    check_target(target, overwrite=overwrite)
    workers = workers or os.cpu_count() or 1
    threads = workers if executor is None else min(workers, os.cpu_count() or 1)
    with nullcontext(source) if isinstance(source, Source) else open_source(source, **how) as opened:
        if quality == "source":
            settings = replace(settings, quality=own_quality(opened))
        if resume and not _is_resumable(opened):
            raise RripError("an array cannot be resumed: nothing tells whether it is still the same; convert it anew")
        check_room(target, Geometry(opened.info.width, opened.info.height, settings.tile))
        with (
            open_writer(target.absolute(), overwrite=overwrite, resume=resume) as writer,
            _threads(threads) as local,  # no more: a thread that has to wait for a core may hold the interpreter lock
            _threads(threads) as settling,  # these wait for the disk
        ):
            notes = read_journal(writer.place.journal) if resume else []
            with _telling_what_is_kept(writer, kept=len(notes) > 1):
                before = opened.fingerprint()
                plan = recall_plan(notes[0], opened, settings, wanted) if notes else None
                plan = plan or make_plan(opened, settings, local)
                make_metadata(opened, plan, wanted)  # what cannot be stored is refused now, not after all the work
                for name, jpeg in encode_pictures(opened, label=label):
                    writer.write_associated(name, jpeg)
                checking = executor if isinstance(executor, ProcessPoolExecutor) else local
                run = _Run(opened, plan, wanted, writer, checking, settling, verify=verify, progress=progress)
                restored = run.restore(notes[1:], local, 2 * workers)
                begun = [note_plan(plan, opened, settings, wanted), *notes[1 : 1 + restored]]
                with Journal(writer.place.journal, begun) as journal:
                    run.encode(journal, restored, executor or local, 2 * workers)
                if opened.fingerprint() != before:
                    writer.resumable = False
                    raise SourceError(f"{opened.info.name}: has changed while it was converted; convert it again")
                return run.finish(target)


@contextmanager
def _threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that give up what they have not begun where something fails."""
    with ThreadPoolExecutor(workers, thread_name_prefix="rrip") as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=True, cancel_futures=True)
            raise


def _is_resumable(source: Source) -> bool:
    return source.info.reader != "array"


@contextmanager
def _telling_what_is_kept(writer: ContainerWriter, *, kept: bool) -> Iterator[None]:
    """Say with an error whether there is something to resume; `kept` if there is at the start."""
    writer.resumable = kept
    try:
        yield
    except BaseException as error:
        error.add_note(
            f"what is done is kept in {writer.place.folder}: --resume goes on from there"
            if writer.resumable
            else "nothing was left at the target"
        )
        raise


class _Run:
    """One conversion under way: families come in order, and are written, then checked on this machine."""

    def __init__(
        self,
        source: Source,
        plan: Plan,
        wanted: Wanted,
        writer: ContainerWriter,
        checking: Executor,
        settling: Executor,
        *,
        verify: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._source = source
        self._plan = plan
        self._wanted = wanted
        self._coding = plan.coding
        self._coder = plan.settings.streams
        self._writer = writer
        self._checking = checking
        self._settling = settling
        self._verify = verify
        self._progress = progress
        self._empty = np.ones(plan.coding.geometry.families, np.bool_)
        self._stored = 0
        self._resumed = 0

    def restore(self, notes: list[Json], local: Executor, ahead: int) -> int:
        """Take over the blocks that an interrupted run has noted, up to the first that is not as noted; how many."""
        checks: deque[Future[Any]] = deque()
        blocks = zip(list_blocks(self._coding.geometry), notes, strict=False)
        restored = 0
        while True:
            for block, note in islice(blocks, ahead - len(checks)):
                checks.append(local.submit(recall_block, self._writer, self._coding, block, note))
            found = checks.popleft().result() if checks else None
            if found is None:
                return restored
            for place, span, tile in found:
                if self._write(place, tile, again=True) != span:
                    raise RripError(f"{span.path} cannot be resumed: its tiles move; run without --resume")
            restored += 1

    def encode(self, journal: Journal, restored: int, executor: Executor, ahead: int) -> None:
        """Encode, write and check all blocks but the first `restored`, which are read again for the overviews."""
        geometry, coder = self._coding.geometry, self._coder
        blocks = list(list_blocks(geometry))
        jobs = ((block, coder if index >= restored else None) for index, block in enumerate(blocks))
        overviews = OverviewBuilder(geometry)
        checks: deque[_Check] = deque()
        source = SharedSource(self._source, threads=isinstance(executor, ThreadPoolExecutor))
        done = 0
        try:
            with closing(work(executor, ahead, source, self._coding, jobs)) as results:
                for index, (block, families) in enumerate(zip(blocks, results, strict=True)):
                    written = self._write_block(families, overviews, again=index < restored)
                    if index >= restored:
                        checks.append(self._check(block, written))
                    self._settle(journal, checks, ahead)
                    done += len(families)
                    self._resumed = done if index < restored else self._resumed
                    if self._progress is not None:
                        self._progress(done, self._empty.size)
            self._settle(journal, checks, 0)
        except BaseException:
            with suppress(Exception):  # what is written whole need not be encoded again
                self._settle(journal, checks, 0)
            for part in chain.from_iterable(checks):
                part.cancel()
            raise

    def _write_block(self, families: list[Family], overviews: OverviewBuilder, *, again: bool) -> list[WrittenTile]:
        """Write families, and the overview tiles that are whole with them; nothing if they are there already."""
        written = []

        def write(tile: EncodedTile) -> None:
            written.append(WrittenTile(tile.place, self._write(tile.place, tile.data), tile.digest))

        for family in families:
            for tile in family.tiles:
                write(tile)
            for level, row, col, rgb in overviews.add(family.row, family.col, family.base_rgb):
                under = self._coding.geometry.families_under(level, row, col)
                if not again and not all(self._empty[place] for place in under):
                    write(encode_overview(rgb, self._coding, self._coder, (level, row, col)))
        return written

    def _write(self, place: tuple[int, int, int], tile: bytes, *, again: bool = False) -> Any:
        level, row, col = place
        if level == BASE_LEVEL:
            self._empty[row, col] = False
        self._stored += len(tile)
        return self._writer.write_tile(*place, tile, again=again)

    def _check(self, block: Block, written: list[WrittenTile]) -> _Check:
        """Let tiles become durable, and be checked meanwhile."""
        self._writer.flush()
        return (
            self._settling.submit(self._writer.settle, [tile.span for tile in written]),
            submit(self._checking, check_block, self._coding, block, written, self._verify),
        )

    def _settle(self, journal: Journal, checks: deque[_Check], most: int) -> None:
        """Note the blocks that are durable and checked, and wait until at most so many are not."""
        while checks and (len(checks) > most or all(part.done() for part in checks[0])):
            durable, checked = checks.popleft()
            durable.result()
            journal.append(result_of(checked))
            self._writer.resumable = _is_resumable(self._source)

    def finish(self, target: Path) -> Conversion:
        """Complete the container and let it appear at the target."""
        info, geometry = self._source.info, self._coding.geometry
        metadata = make_metadata(self._source, self._plan, self._wanted, self._empty)
        self._writer.finish(metadata, info.icc_profile)
        return Conversion(
            path=str(target),
            width=geometry.width,
            height=geometry.height,
            levels=geometry.levels,
            families=self._empty.size,
            empty_families=int(self._empty.sum()),
            resumed_families=self._resumed,
            stored_bytes=self._stored,
            total_bytes=total_bytes(target),
            source_bytes=info.size_bytes,
            steps=self._plan.settings.steps,
            reached=self._plan.reached,
            quality=self._plan.settings.quality,
            compressions=metadata.slide.compressions,
        )
