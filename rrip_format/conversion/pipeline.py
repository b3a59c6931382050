"""The pipeline of a conversion: encode blocks, write and check their tiles, and note them in the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import chain, islice
from typing import Any

import numpy as np

from ..containers.order import block_order, overview_order
from ..containers.writer import ContainerWriter
from ..errors import RripError
from ..family.overviews import OverviewBuilder
from ..sources import Source
from ..spec.geometry import BASE_LEVEL, Place
from ..storage.journal import Journal
from .blocks import (
    Block,
    EncodedTile,
    Family,
    WrittenTile,
    check_block,
    check_tiles,
    encode_overview,
    list_blocks,
    recall_block,
)
from .executors import SharedSource, result_of, submit, work
from .plan import Plan

__all__ = ["Pipeline", "is_resumable"]

Json = Any

_Check = tuple[Future[None], Future[Json]]
"""Jobs of a block: flush its tiles to the disk; read them back, check them and return the note for the journal."""


def is_resumable(source: Source) -> bool:
    """Return whether an interrupted conversion can be resumed: an array cannot be recognised in another process."""
    return source.info.reader != "array"


class Pipeline:
    """Writes the tiles of a source in order, and checks them on this machine.

    Parameters
    ----------
    source : Source
        The source.
    plan : Plan
        How to encode it.
    writer : ContainerWriter
        Where tiles are written.
    checking : Executor
        Reads written tiles back and checks them.
    settling : Executor
        Threads that wait for the disk.
    verify : bool
        Decode every written tile and compare it with what the encoder expects.
    progress : callable or None
        Called with (families done, families in all).

    Attributes
    ----------
    empty : (rows, columns) bool
        Which families are empty, as far as tiles are written.
    stored_bytes : int
        Bytes of the tiles written.
    resumed_families : int
        Number of families that an interrupted run had written.
    """

    def __init__(
        self,
        source: Source,
        plan: Plan,
        writer: ContainerWriter,
        checking: Executor,
        settling: Executor,
        *,
        verify: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._source = source
        self._plan = plan
        self._coding = plan.coding
        self._coder = plan.settings.streams
        self._writer = writer
        self._checking = checking
        self._settling = settling
        self._verify = verify
        self._progress = progress
        self.empty = np.ones(plan.coding.geometry.families, np.bool_)
        self._overviews: dict[Place, EncodedTile] = {}
        self.stored_bytes = 0
        self.resumed_families = 0

    def restore(self, notes: list[Json], local: Executor, ahead: int) -> int:
        """Restore the blocks that an interrupted run has noted, up to the first that is not as noted.

        Parameters
        ----------
        notes : list of JSON objects
            Entries of the journal after the plan.
        local : Executor
            Threads that read the blocks.
        ahead : int
            Largest number of blocks that are read at the same time.

        Returns
        -------
        int
            Number of restored blocks.
        """
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
                    raise RripError(
                        f"{span.path} cannot be resumed: its tiles are not where this version writes them; run without "
                        "--resume"
                    )
            restored += 1

    def encode(self, journal: Journal, restored: int, executor: Executor, ahead: int) -> None:
        """Encode, write and check all blocks but the first `restored`, which are only read for the overviews.

        Parameters
        ----------
        journal : Journal
            Receives a note for each block that is flushed and checked.
        restored : int
            Number of blocks that :meth:`restore` has restored.
        executor : Executor
            Where blocks are encoded.
        ahead : int
            Largest number of blocks that are being encoded, or written and not yet checked.
        """
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
                    written = self._write_block(families, overviews)
                    if index >= restored:
                        checks.append(self._check(block, written))
                    self._settle(journal, checks, ahead)
                    done += len(families)
                    self.resumed_families = done if index < restored else self.resumed_families
                    if self._progress is not None:
                        self._progress(done, self.empty.size)
            self._settle(journal, checks, 0)
        except BaseException:
            with suppress(Exception):  # note complete blocks, so that they need not be encoded again
                self._settle(journal, checks, 0)
            for part in chain.from_iterable(checks):
                part.cancel()
            raise

    def _write_block(self, families: list[Family], overviews: OverviewBuilder) -> list[WrittenTile]:
        """Write the tiles of families, if they have some, and keep those of the overviews that they complete."""
        written = []
        tiles = {tile.place: tile for family in families for tile in family.tiles}
        for place in block_order((family.row, family.col) for family in families if family.tiles):
            tile = tiles[place]
            written.append(WrittenTile(place, self._write(place, tile.data), tile.digest))
        for family in families:
            for level, row, col, rgb in overviews.add(family.row, family.col, family.base_rgb):
                under = self._coding.geometry.families_under(level, row, col)
                if not all(self.empty[place] for place in under):
                    tile = encode_overview(rgb, self._coding, self._coder, (level, row, col))
                    self._overviews[level, row, col] = tile
        return written

    def write_overviews(self) -> None:
        """Write the tiles of level 3 and coarser, kept so that they are together in the file, and check them.

        Raises
        ------
        DamagedError
            If one does not read back as it was written.
        """
        written = []
        for place in overview_order(self._coding.geometry):
            tile = self._overviews.pop(place, None)
            if tile is not None:
                written.append(WrittenTile(place, self._write(place, tile.data), tile.digest))
        self._writer.flush()
        check_tiles(self._coding, written, self._verify)

    def _write(self, place: Place, tile: bytes, *, again: bool = False) -> Any:
        level, row, col = place
        if level == BASE_LEVEL:
            self.empty[row, col] = False
        self.stored_bytes += len(tile)
        return self._writer.write_tile(*place, tile, again=again)

    def _check(self, block: Block, written: list[WrittenTile]) -> _Check:
        """Start to flush the tiles of a block to the disk and to check them."""
        self._writer.flush()
        return (
            self._settling.submit(self._writer.settle, [tile.span for tile in written]),
            submit(self._checking, check_block, self._coding, block, written, self._verify),
        )

    def _settle(self, journal: Journal, checks: deque[_Check], most: int) -> None:
        """Note blocks that are flushed and checked, and wait until at most `most` others are left."""
        while checks and (len(checks) > most or all(part.done() for part in checks[0])):
            durable, checked = checks.popleft()
            durable.result()
            journal.append(result_of(checked))
            self._writer.resumable = is_resumable(self._source)
