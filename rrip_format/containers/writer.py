"""Writing a container beside its target and moving it there when it is complete (spec section 9.5).

:func:`open_writer` chooses the writer by the target's extension. `ZarrWriter` knows which key a tile has, gives it to
one of :mod:`.sinks`, and writes the root's metadata last.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import DamagedError, LimitError, NewerFormatError, RripError, TargetError
from ..spec.attachments import ICC_NAME, attachment_checksum, check_associated, known_attachments
from ..spec.extensions import EXTENSIONS, FOLDER, SEALED, TIFF, ZIP
from ..spec.geometry import Geometry
from ..spec.limits import limit
from ..spec.metadata import Metadata
from ..spec.zarr_layout import associated_documents, documents, icc_documents, parse_tile_key, tile_key
from ..storage.journal import read_journal
from ..storage.sinks import DirectorySink, Sink, ZipSink
from ..storage.workplace import Span, Workplace, as_target_error, recover

__all__ = [
    "ContainerWriter",
    "ZarrWriter",
    "check_room",
    "check_target",
    "open_writer",
]

_ENTRY_BYTES = 46 + 12
"""Most bytes of a member in the directory of an archive, besides its name: beyond 2 GiB its offset takes 12 more."""

_REST_BYTES = 1 << 13
"""More than what documents, attachments and the end of the directory take in it."""


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that cannot be written, before any work is done.

    Raises
    ------
    TargetError
        If its extension is unknown, its folder is missing or not writable, something is there and `overwrite` is not
        set, or what is there is not an RRIP container.
    """
    known = EXTENSIONS
    if not target.name.endswith(known):
        raise TargetError(f"{target}: unknown extension, expected {', '.join(known[:-1])} or {known[-1]}")
    if "\0" in str(target):
        raise TargetError(f"{str(target)!r}: a name cannot have a zero character")
    if not os.path.isdir(target.parent):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
        raise TargetError(f"{target.parent}: no such folder; make it first")
    if not os.access(target.parent, os.W_OK):
        raise TargetError(f"{target.parent}: no permission to write there")
    recover(target)
    if os.path.lexists(target):
        if not overwrite:
            raise TargetError(f"{target}: already exists; remove it or pass --overwrite")
        if not _is_container(target):
            raise TargetError(f"{target}: is not an RRIP container, so it is not overwritten; remove it yourself")


def check_room(target: Path, geometry: Geometry, is_empty: Callable[[int, int, int], bool] | None = None) -> None:
    """Refuse an archive of so many members that readers would refuse its directory, before any work is done.

    Parameters
    ----------
    target : Path
    geometry : Geometry
    is_empty : callable, optional
        Whether the tile at a level, row and column is not stored; none is taken for empty where that is not known yet.

    Raises
    ------
    TargetError
        If its directory might have more bytes than readers accept (spec section 12).
    """
    if not target.name.endswith(ZIP):
        return
    most = limit("directory_bytes")
    room = most - _REST_BYTES
    for level in range(geometry.levels):
        for place in geometry.tiles(level):
            if is_empty is None or not is_empty(level, *place):
                room -= _ENTRY_BYTES + len(tile_key(level, *place))
            if room < 0:
                raise TargetError(
                    f"{target}: an archive of so many tiles may need a directory of more than {most} bytes, which "
                    f"readers refuse; write a folder ({FOLDER}) or a TIFF file ({TIFF[0]}) instead"
                )


def _is_container(target: Path) -> bool:
    """Whether a target is what this package writes, damaged or not, so that replacing it loses nothing else."""
    from .base import open_container

    try:
        open_container(target).close()
    except NewerFormatError:
        return True
    except (DamagedError, LimitError):  # a TIFF file's index, a member of an archive
        return target.is_file() or _has_our_traces(target)
    except (RripError, OSError):
        return _has_our_traces(target)
    return True


def _has_our_traces(target: Path) -> bool:
    """Whether a folder or zip archive that does not open has an ``rrip`` attribute, or a tile as its first member."""
    try:
        with (target / "zarr.json" if target.is_dir() else target).open("rb") as file:
            data = file.read(limit("metadata_bytes") if target.is_dir() else 1 << 8)
    except OSError:
        return False
    if target.is_dir():
        return b'"rrip"' in data
    name = data[30 : 30 + int.from_bytes(data[26:28], "little")]
    return data[:4] == b"PK\3\4" and parse_tile_key(name.decode("latin-1")) is not None


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


def open_writer(target: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False) -> ContainerWriter:
    """The writer that fits a target's extension.

    Parameters
    ----------
    target : path
        ``*.rrip.zarr``, ``*.rrip.zarr.zip``, ``*.rrip.tif``, ``*.rrip.tiff`` or ``*.rrip``; it appears when it is
        complete.
    overwrite : bool
        Replace a container that is already there, once the new one is complete.
    resume : bool
        Keep what an interrupted run has left, for the caller to look at, instead of removing it.

    Raises
    ------
    TargetError
        If the target cannot be written, or another run is writing it.
    """
    target = Path(os.fsdecode(target))
    check_target(target, overwrite=overwrite)
    place = Workplace(target, overwrite=overwrite)
    try:
        if not (resume and read_journal(place.journal)):  # what no journal speaks of may be of another slide
            with as_target_error(target):
                place.clear()
        if target.name.endswith((*TIFF, SEALED)):
            from .tiff_writer import TiffWriter

            return TiffWriter(place)
        return ZarrWriter(ZipSink(place) if target.name.endswith(ZIP) else DirectorySink(place), place)
    except BaseException:
        place.release() if resume else place.discard()
        raise
