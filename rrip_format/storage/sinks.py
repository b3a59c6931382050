"""Write a container in the Zarr binding to a folder of files or a zip archive (spec section 9.1).

Archives and TIFF files are written through :class:`PartialFile`.
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

__all__ = ["MOST_UNSETTLED", "DirectorySink", "PartialFile", "Sink", "ZipSink", "flush_all"]


_AT_ONCE = 8
"""Threads that flush files; a disk flushes for several at once, in about a third of the time of one after another."""

_flushing = OwnThreads("rrip-flush", lambda: _AT_ONCE)

MOST_UNSETTLED = 8192
"""Most unflushed files of a folder that are remembered; a conversion has fewer in progress."""


class Sink(Protocol):
    """Takes bytes by key; at the end all of them appear at the target, or nothing does."""

    def put(self, key: str, data: bytes, *, again: bool = False) -> Span:
        """Store `data` under a new key and return its position. `again`: an earlier run has stored it."""

    def span(self, key: str, offset: int, length: int) -> Span:
        """Return the position of data that an earlier run stored, from the numbers of its span."""

    def flush(self) -> None:
        """Flush buffers, so that others can read all stored data."""

    def settle(self, spans: Iterable[Span]) -> None:
        """Make flushed data durable; callable from any thread."""

    def publish(self) -> None:
        """Make everything durable and move it to the target."""

    def close(self) -> None:
        """Close open files, and keep the data."""


class DirectorySink:
    """A folder with one file per key.

    Parameters
    ----------
    place : Workplace
        Its existing files are kept.
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
                with open(path, "wb", buffering=0) as file:  # noqa: PTH123  (a buffer takes more system calls)
                    rest = data
                    while rest:  # a write to a full disk may be partial
                        rest = rest[file.write(rest) :]
            self._unsettled.add(path)
            if len(self._unsettled) > MOST_UNSETTLED:
                self.settle([Span(waiting, 0, 0) for waiting in list(self._unsettled)])
        return Span(path, 0, len(data), is_whole=True)

    def span(self, key: str, offset: int, length: int) -> Span:
        """Return the file of a key."""
        return Span(os.path.join(self._folder, key), offset, length, is_whole=True)  # noqa: PTH118

    def flush(self) -> None:
        """Do nothing, because files are not buffered."""

    def settle(self, spans: Iterable[Span]) -> None:
        """Flush these files to the disk."""
        paths = [os.fspath(span.path) for span in spans]
        flush_all(paths)
        self._unsettled.difference_update(paths)

    def publish(self) -> None:
        """Flush the remaining files and all folders to the disk, then rename the folder to the target."""
        flush_all(self._unsettled)
        flush_all(folder for folder, _, _ in os.walk(self._folder))
        self._place.publish()

    def close(self) -> None:
        """Do nothing, because no file stays open."""


def flush_all(paths: Iterable[str]) -> None:
    """Flush files or folders to the disk in several threads, until one fails, and wait for all threads."""
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
    """Flush paths from a queue that several threads share; a failure empties the queue."""
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
    """A file that is written from its start; later bytes of an earlier run stay until :meth:`cut`.

    Parameters
    ----------
    path : Path
        The file, which need not exist.

    Attributes
    ----------
    path : Path
    file : binary file
        The open file; its methods raise `OSError`.

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
        """Flush the buffer to the operating system."""
        with as_target_error(self.path):
            self.file.flush()

    def settle(self) -> None:
        """Flush the file to the disk; callable from any thread."""
        with as_target_error(self.path):
            flush(self.path)

    def cut(self) -> None:
        """Truncate the file here, because an earlier run may have written more."""
        with as_target_error(self.path):
            self.file.truncate()

    def complete(self) -> None:
        """Close the file and flush it to the disk."""
        with as_target_error(self.path):
            self.file.close()
            flush(self.path)

    def close(self) -> None:
        """Close the file without flushing it to the disk."""
        with suppress(OSError):  # closing flushes the buffer, and the disk may be full
            self.file.close()


_ZIP_COMMENT = b'{"ome": {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": true}}}}'
"""States, as NGFF's RFC-9 defines, that every ``zarr.json`` comes first in the directory."""


def _directory_order(member: zipfile.ZipInfo) -> tuple[bool, int]:
    """Return the sort key that puts ``zarr.json`` first, outer groups before inner ones; others keep their order."""
    name = member.filename
    return (False, name.count("/")) if name.rpartition("/")[2] == "zarr.json" else (True, 0)


class ZipSink:
    """A zip archive without compression, in which every tile is one byte range.

    Parameters
    ----------
    place : Workplace
        Its archive, if it exists, is overwritten from the start.
    """

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._partial = PartialFile(place.container)
        self._zip = zipfile.ZipFile(self._partial.file, "w", zipfile.ZIP_STORED)

    def put(self, key: str, data: bytes, *, again: bool = False) -> Span:  # noqa: ARG002  (the same bytes once more)
        """Append a member with a fixed time, so that the same slide gives the same file."""
        member = zipfile.ZipInfo(key)
        member.external_attr = 0o644 << 16
        with as_target_error(self._partial.path):
            self._zip.writestr(member, data)
            return Span(self._partial.path, self._partial.file.tell() - len(data), len(data))

    def span(self, key: str, offset: int, length: int) -> Span:  # noqa: ARG002
        """Return the byte range of a member."""
        return Span(self._partial.path, offset, length)

    def flush(self) -> None:
        """Flush the buffer to the operating system."""
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
        """Close the file without writing the directory, which would overwrite data of an earlier run."""
        self._zip.fp = None
        self._partial.close()
