"""Where a container in the Zarr binding is written: a folder of files, or a zip archive (spec section 9.1).

The archive is a :class:`PartialFile`, as a TIFF file is.
"""

from __future__ import annotations

import os
import zipfile
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ..concurrency.pool import OwnThreads
from .workplace import Span, Workplace, as_target_error, flush

__all__ = ["DirectorySink", "PartialFile", "Sink", "ZipSink"]


_AT_ONCE = 8
"""A disk makes what several threads wait for durable at once, which takes about a third of the time of one by one."""

_flushing = OwnThreads("rrip-flush", lambda: _AT_ONCE)

_MOST_UNSETTLED = 8192
"""Files of a folder that wait to be flushed to the disk, and are remembered: more than a conversion has under way."""


class Sink(Protocol):
    """Takes bytes by key, then appears at its target at once, or leaves nothing."""

    def put(self, key: str, data: bytes, *, again: bool = False) -> Span:
        """Store `data` and say where; a key is put once. `again`: an earlier run has put it there already."""

    def span(self, key: str, offset: int, length: int) -> Span:
        """The same place as :meth:`put` has said, from numbers that were kept."""

    def flush(self) -> None:
        """Let others who open what was put see all of it."""

    def settle(self, spans: Iterable[Span]) -> None:
        """Make what was put there and flushed durable; on any thread."""

    def publish(self) -> None:
        """Make everything durable and move it to the target."""

    def close(self) -> None:
        """Release what is open, and keep what was put."""


class DirectorySink:
    """A folder of files, one a key.

    Parameters
    ----------
    place : Workplace
        What is in it already is kept.
    """

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._folder = os.fspath(place.container)  # paths are text here: there are three files to a family
        self._made: set[str] = set()
        self._unsettled: set[str] = set()
        with as_target_error(place.target):
            place.container.mkdir(exist_ok=True)

    def put(self, key: str, data: bytes, *, again: bool = False) -> Span:
        """Write one file."""
        path = os.path.join(self._folder, key)  # noqa: PTH118
        if not again:
            with as_target_error(path):
                parent = os.path.dirname(path)  # noqa: PTH120
                if parent not in self._made:
                    Path(parent).mkdir(parents=True, exist_ok=True)
                    self._made.add(parent)
                with open(path, "wb", buffering=0) as file:  # noqa: PTH123  (a buffer asks the system for more)
                    rest = data
                    while rest:  # a full disk takes a part
                        rest = rest[file.write(rest) :]
            self._unsettled.add(path)
            if len(self._unsettled) > _MOST_UNSETTLED:
                self.settle([Span(waiting, 0, 0) for waiting in list(self._unsettled)])
        return Span(path, 0, len(data), is_whole=True)

    def span(self, key: str, offset: int, length: int) -> Span:
        """The file of a key."""
        return Span(os.path.join(self._folder, key), offset, length, is_whole=True)  # noqa: PTH118

    def flush(self) -> None:
        """Nothing is held back."""

    def settle(self, spans: Iterable[Span]) -> None:
        """Flush those files to the disk."""
        paths = [os.fspath(span.path) for span in spans]
        _flush_all(paths)
        self._unsettled.difference_update(paths)

    def publish(self) -> None:
        """Flush the other files and every folder to the disk, then rename the folder to the target."""
        _flush_all(self._unsettled)
        _flush_all(folder for folder, _, _ in os.walk(self._folder))
        self._place.publish()

    def close(self) -> None:
        """Nothing is open."""


def _flush_all(paths: Iterable[str]) -> None:
    """Flush files or folders to the disk, up to the first that cannot be, and wait until nothing is under way."""
    waiting = deque(paths)
    under_way: list[Future[None]] = []
    try:
        under_way.extend(_flushing.executor.submit(_flush_waiting, waiting) for _ in range(min(_AT_ONCE, len(waiting))))
        for flushed in under_way:
            flushed.result()
    finally:
        waiting.clear()
        wait(under_way)


def _flush_waiting(waiting: deque[str]) -> None:
    """Flush one after another, as other threads do of the same; behind one that fails nothing waits."""
    try:
        while True:
            path = waiting.popleft()
            with as_target_error(path):
                flush(path)
    except IndexError:
        return
    except BaseException:
        waiting.clear()
        raise


class PartialFile:
    """A file that is written from its start; what an earlier run has put there further on is left alone until the end.

    Parameters
    ----------
    path : Path
        Nothing or a file is there.

    Attributes
    ----------
    path : Path
    file : binary file
        Errors of its own methods are the system's.

    Raises
    ------
    TargetError
        From any method but :meth:`close`, if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with as_target_error(path):
            self.file = path.open("r+b" if path.exists() else "xb", buffering=1 << 20)

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        with as_target_error(self.path):
            self.file.flush()

    def settle(self) -> None:
        """Flush what the system has to the disk; on any thread."""
        with as_target_error(self.path):
            flush(self.path)

    def cut(self) -> None:
        """End the file here: an earlier run may have come further."""
        with as_target_error(self.path):
            self.file.truncate()

    def complete(self) -> None:
        """Close it and flush it to the disk."""
        with as_target_error(self.path):
            self.file.close()
            flush(self.path)

    def close(self) -> None:
        """Close it as it is."""
        with suppress(OSError):  # it flushes first, and the disk may be full
            self.file.close()


_ZIP_COMMENT = b'{"ome": {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": true}}}}'
"""Says of the directory, as NGFF's RFC-9 has it, that every ``zarr.json`` comes first."""


def _directory_order(member: zipfile.ZipInfo) -> tuple[bool, int]:
    """Documents first, those of outer groups before those of inner ones; everything else as it was written."""
    name = member.filename
    return (False, name.count("/")) if name.rpartition("/")[2] == "zarr.json" else (True, 0)


class ZipSink:
    """A zip archive without compression, so that every tile is one byte range of the file.

    Parameters
    ----------
    place : Workplace
        What is in its archive already is written over from the start.
    """

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._partial = PartialFile(place.container)
        self._zip = zipfile.ZipFile(self._partial.file, "w", zipfile.ZIP_STORED)

    def put(self, key: str, data: bytes, *, again: bool = False) -> Span:  # noqa: ARG002  (the same bytes once more)
        """Append one member; its time is fixed, so that the same slide gives the same file."""
        member = zipfile.ZipInfo(key)
        member.external_attr = 0o644 << 16
        with as_target_error(self._partial.path):
            self._zip.writestr(member, data)
            return Span(self._partial.path, self._partial.file.tell() - len(data), len(data))

    def span(self, key: str, offset: int, length: int) -> Span:  # noqa: ARG002
        """A part of the archive."""
        return Span(self._partial.path, offset, length)

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        self._partial.flush()

    def settle(self, spans: Iterable[Span]) -> None:  # noqa: ARG002
        """Flush the archive to the disk."""
        self._partial.settle()

    def publish(self) -> None:
        """Write the directory of the archive, flush it to the disk and rename it to the target."""
        self._zip.infolist().sort(key=_directory_order)
        self._zip.comment = _ZIP_COMMENT
        with as_target_error(self._partial.path):
            self._zip.close()
        self._partial.cut()
        self._partial.complete()
        self._place.publish()

    def close(self) -> None:
        """Close the file, without the directory: that would write over what an earlier run has put there."""
        self._zip.fp = None
        self._partial.close()
