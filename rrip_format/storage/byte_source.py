"""Read byte ranges of one file, local or remote; used by the readers of TIFF and zip.

Sources are thread-safe, fork-safe and picklable.
"""

from __future__ import annotations

import os
import stat
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..errors import DamagedError, FormatError, NotFoundError, StorageError, absent
from .access import Access, is_url
from .connecting import connect
from .ranges import Range
from .remote import RemoteBytes

__all__ = ["ByteSource", "LocalBytes", "open_bytes"]


class ByteSource(Protocol):
    """One file, read by ranges."""

    name: str
    size: int
    is_remote: bool
    """Whether reading waits for a server, so that many ranges should be requested at once."""

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes from `offset`; :class:`DamagedError` if the file is shorter."""

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Read several ranges, concurrently where that is faster."""

    async def fetch_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Read several ranges in the loop of :mod:`.event_loop`; a local file is read synchronously."""

    def stream_ranges(self, ranges: Sequence[Range]) -> Iterator[list[tuple[int, bytes]]]:
        """Yield lists of (position, bytes) of ranges, in any order and bounded memory."""

    def close(self) -> None:
        """Release the file."""


def open_bytes(name: str, access: Access | None = None) -> ByteSource:
    """Open a file, a URL or a key of a store for reading by ranges."""
    access = access or Access()
    if access.store is None and not is_url(name):
        return LocalBytes(name)
    title = name if access.store is None else f"{access.store}/{name}"
    return RemoteBytes(title, *connect(name, access), access.cache_mib)


def _check_range(source: ByteSource, offset: int, length: int) -> None:
    if min(offset, length) < 0 or offset + length > source.size:
        raise DamagedError(
            f"{source.name}: bytes {offset} … {offset + length} are needed, but the file has only {source.size}: it is "
            "truncated, or an offset in it is damaged",
            rule="file.range",
        )


class LocalBytes:
    """A local file.

    Raises
    ------
    NotFoundError
        If the file does not exist.
    FormatError
        If it is not a regular file.
    StorageError
        If it cannot be read.
    """

    is_remote = False

    def __init__(self, name: str) -> None:
        self.name = str(Path(name).absolute())  # another process may have another working directory
        try:
            if not stat.S_ISREG(os.stat(self.name).st_mode):  # noqa: PTH116  (opening a pipe would wait for its writer)
                raise FormatError(f"{name}: is not a regular file, expected an RRIP container")
            self._descriptor = os.open(self.name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError as error:
            raise NotFoundError(absent(name)) from error
        except OSError as error:
            raise StorageError(f"{name}: cannot be opened: {error.strerror or error}") from error
        except ValueError as error:  # a null character
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"{name!r}: is not a valid file name: {error}") from error
        # Copies live in arrays and task graphs, which nobody closes; so the last reference closes the file.
        self._finalize = weakref.finalize(self, os.close, self._descriptor)
        self.size = os.fstat(self._descriptor).st_size
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes from `offset`."""
        _check_range(self, offset, length)
        parts, missing = [], length
        while missing:
            try:
                part = self._read(offset, missing)
            except OSError as error:
                raise StorageError(f"{self.name}: cannot be read: {error}") from error
            if not part:
                raise DamagedError(
                    f"{self.name}: ends at byte {offset}; it was truncated while it was open", rule="file.range"
                )
            parts.append(part)
            offset, missing = offset + len(part), missing - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, offset: int, length: int) -> bytes:
        if hasattr(os, "pread"):  # needs no file position, which threads and forks would share
            return os.pread(self._descriptor, length, offset)
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, length)

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Read several ranges, one after another."""
        return [self.read(offset, length) for offset, length in ranges]

    async def fetch_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Read several ranges synchronously."""
        return self.read_ranges(ranges)

    def stream_ranges(self, ranges: Sequence[Range]) -> Iterator[list[tuple[int, bytes]]]:
        """Yield (position, bytes) of ranges, one at a time."""
        for position, (offset, length) in enumerate(ranges):
            yield [(position, self.read(offset, length))]

    def close(self) -> None:
        """Close the file; reading afterwards is a :class:`StorageError`."""
        self._descriptor = -1  # the number may soon name another file
        self._finalize()

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalBytes, (self.name,)
