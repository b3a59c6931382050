"""Writing a container beside its target and moving it there when it is complete (spec section 9.5).

`ZarrWriter` knows which key a tile has, gives it to one of :mod:`rrip_format.storage.sinks`, and writes the root's
metadata last.
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
    """Writes tiles in any order; a context manager that leaves a whole container or none.

    Parameters
    ----------
    place : Workplace

    Attributes
    ----------
    resumable : bool
        Keep what was written where the container is not completed, for a run that goes on from there.
    """

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.resumable = False
        self._complete = False
        self.lost: set[tuple[int, int, int]] = set()
        """Promised tiles that are never written, because a repair has not found them: readers fail there."""
        self._checksums: dict[str, str] = {}

    @abstractmethod
    def write_tile(self, level: int, row: int, col: int, tile: bytes, *, again: bool = False) -> Span:
        """Add a stored tile and say where it is; each place is written once.

        A run that is resumed adds the tiles of the run before it `again`, first and in the same order.
        """

    @abstractmethod
    def span(self, level: int, row: int, col: int, offset: int, length: int) -> Span:
        """Where a tile of an earlier run is, from the numbers of its span."""

    @abstractmethod
    def flush(self) -> None:
        """Let others who read the spans of the tiles so far see all of them."""

    @abstractmethod
    def settle(self, spans: Iterable[Span]) -> None:
        """Make tiles durable that were flushed; on any thread."""

    def write_associated(self, name: str, jpeg: bytes) -> None:
        """Add an associated image: a name of ``ASSOCIATED_NAMES`` and a baseline 4:4:4 JPEG."""
        shape = check_associated(name, jpeg)
        self._checksums[name] = attachment_checksum(jpeg)
        self._write_associated(name, jpeg, shape)

    @abstractmethod
    def _write_associated(self, name: str, jpeg: bytes, shape: tuple[int, int]) -> None:
        """Add an associated image of (height, width) px that has been looked at."""

    @abstractmethod
    def _finish(self, metadata: Metadata, icc_profile: bytes | None) -> None:
        """Write the metadata and move everything to the target."""

    @abstractmethod
    def _close(self) -> None:
        """Release what is open."""

    def abort(self) -> None:
        """Remove everything that was written, or keep it where it is resumable."""
        self._close()
        if self.resumable:
            self.place.release()
        else:
            self.place.discard()

    def finish(self, metadata: Metadata, icc_profile: bytes | None = None) -> None:
        """Write the metadata, with the checksums of all attachments, and let the container appear at the target.

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
        Of the sink.
    """

    def __init__(self, sink: Sink, place: Workplace) -> None:
        super().__init__(place)
        self._sink = sink
        self._associated: dict[str, bytes] = {}

    def write_tile(self, level: int, row: int, col: int, tile: bytes, *, again: bool = False) -> Span:
        """Add a stored tile and say where it is; each place is written once."""
        return self._sink.put(tile_key(level, row, col), tile, again=again)

    def span(self, level: int, row: int, col: int, offset: int, length: int) -> Span:
        """Where a tile of an earlier run is, from the numbers of its span."""
        return self._sink.span(tile_key(level, row, col), offset, length)

    def flush(self) -> None:
        """Let others who read the spans of the tiles so far see all of them."""
        self._sink.flush()

    def settle(self, spans: Iterable[Span]) -> None:
        """Make tiles durable that were flushed; on any thread."""
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
