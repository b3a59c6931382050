"""Write a container next to its target and move it there when it is complete (spec section 9.5).

`ZarrWriter` passes each tile with its key to one of :mod:`rrip_format.storage.sinks`, and writes the root's metadata
last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..spec.attachments import ICC_NAME, attachment_checksum, check_associated, known_attachments
from ..spec.metadata import Metadata
from ..spec.zarr_layout import associated_documents, documents, icc_documents, tile_key
from ..storage.sinks import Sink
from ..storage.workplace import Span, Workplace

__all__ = ["ContainerWriter", "ZarrWriter"]


class ContainerWriter(ABC):
    """Writes tiles in any order; a context manager that leaves a complete container or none.

    Parameters
    ----------
    place : Workplace

    Attributes
    ----------
    resumable : bool
        Whether an incomplete container is kept, for a later run that continues it.
    """

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.resumable = False
        self._complete = False
        self.lost: set[tuple[int, int, int]] = set()
        """Tiles that a repair did not find; they are never written, and readers fail there."""
        self._checksums: dict[str, str] = {}

    @abstractmethod
    def write_tile(self, level: int, row: int, col: int, tile: bytes, *, again: bool = False) -> Span:
        """Write a stored tile and return its position; each tile is written once.

        A resumed run first passes the tiles of the earlier run, in the same order, with `again` set.
        """

    @abstractmethod
    def span(self, level: int, row: int, col: int, offset: int, length: int) -> Span:
        """Return the position of a tile that an earlier run wrote, from the numbers of its span."""

    @abstractmethod
    def flush(self) -> None:
        """Flush buffers, so that others can read all tiles written so far."""

    @abstractmethod
    def settle(self, spans: Iterable[Span]) -> None:
        """Make flushed tiles durable; callable from any thread."""

    def write_associated(self, name: str, jpeg: bytes) -> None:
        """Write an associated image: a name of ``ASSOCIATED_NAMES`` and a baseline 4:4:4 JPEG."""
        shape = check_associated(name, jpeg)
        self._checksums[name] = attachment_checksum(jpeg)
        self._write_associated(name, jpeg, shape)

    @abstractmethod
    def _write_associated(self, name: str, jpeg: bytes, shape: tuple[int, int]) -> None:
        """Write an associated image of (height, width) px that has been checked."""

    @abstractmethod
    def _finish(self, metadata: Metadata, icc_profile: bytes | None) -> None:
        """Write the metadata and move everything to the target."""

    @abstractmethod
    def _close(self) -> None:
        """Release open files."""

    def abort(self) -> None:
        """Remove everything that was written, or keep it if `resumable` is set."""
        self._close()
        if self.resumable:
            self.place.release()
        else:
            self.place.discard()

    def finish(self, metadata: Metadata, icc_profile: bytes | None = None) -> None:
        """Write the metadata, with the checksums of all attachments, and move the container to the target.

        Raises
        ------
        TargetError
            If it cannot be written.
        """
        if icc_profile:
            self._checksums[ICC_NAME] = attachment_checksum(icc_profile)
        known = known_attachments(metadata.attachments)
        unknown = {name: checksum for name, checksum in metadata.attachments.items() if name not in known}
        self._finish(replace(metadata, attachments={**unknown, **self._checksums}), icc_profile)
        self._complete = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._complete:
            self.abort()


class ZarrWriter(ContainerWriter):
    """Writes a container in the Zarr binding to a sink.

    Parameters
    ----------
    sink : Sink
    place : Workplace
        The workplace of the sink.
    """

    def __init__(self, sink: Sink, place: Workplace) -> None:
        super().__init__(place)
        self._sink = sink
        self._associated: dict[str, bytes] = {}

    def write_tile(self, level: int, row: int, col: int, tile: bytes, *, again: bool = False) -> Span:
        """Write a stored tile and return its position; each tile is written once."""
        return self._sink.put(tile_key(level, row, col), tile, again=again)

    def span(self, level: int, row: int, col: int, offset: int, length: int) -> Span:
        """Return the position of a tile that an earlier run wrote, from the numbers of its span."""
        return self._sink.span(tile_key(level, row, col), offset, length)

    def flush(self) -> None:
        """Flush buffers, so that others can read all tiles written so far."""
        self._sink.flush()

    def settle(self, spans: Iterable[Span]) -> None:
        """Make flushed tiles durable; callable from any thread."""
        self._sink.settle(spans)

    def _write_associated(self, name: str, jpeg: bytes, shape: tuple[int, int]) -> None:  # noqa: ARG002
        self._associated[name] = jpeg  # written at the end, with the others

    def _finish(self, metadata: Metadata, icc_profile: bytes | None) -> None:
        if icc_profile:
            for key, data in icc_documents(icc_profile):
                self._sink.put(key, data)
        for key, data in associated_documents(self._associated):
            self._sink.put(key, data)
        for key, data in documents(metadata):
            self._sink.put(key, data)
        self._sink.publish()

    def _close(self) -> None:
        self._sink.close()
