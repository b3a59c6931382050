"""Byte ranges of one file, local or behind a URL: what the readers of TIFF and zip stand on.

A source can be used by several threads, survives a fork, and is pickled as the name of its file.
"""

from __future__ import annotations

import os
import stat
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from ..errors import DamagedError, FormatError, NotFoundError, StorageError
from ..extras import missing

__all__ = ["ByteSource", "LocalBytes", "RemoteBytes", "is_url", "open_bytes"]

Range = tuple[int, int]
"""Offset and length, bytes."""


class ByteSource(Protocol):
    """One file, read by ranges."""

    name: str
    size: int
    is_local: bool

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; :class:`DamagedError` where the file ends before."""

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Several ranges, at the same time where that is faster."""

    def close(self) -> None:
        """Release the file."""


def is_url(name: str) -> bool:
    """Whether a name is for fsspec, not for the local file system: not if it is there."""
    return ("://" in name or "::" in name) and not os.path.lexists(name)


def open_bytes(name: str) -> ByteSource:
    """A file or URL, ready to be read by ranges."""
    return RemoteBytes(name) if is_url(name) else LocalBytes(name)


def _check_range(source: ByteSource, offset: int, length: int) -> None:
    if min(offset, length) < 0 or offset + length > source.size:
        raise DamagedError(
            f"{source.name}: bytes {offset} … {offset + length} are wanted, but it has only {source.size}: it is "
            "truncated, or an offset in it is damaged",
            rule="file.range",
        )


class LocalBytes:
    """A local file.

    Raises
    ------
    NotFoundError
        If there is no such file.
    FormatError
        If it is none that could hold a container.
    StorageError
        If it cannot be read.
    """

    is_local = True

    def __init__(self, name: str) -> None:
        self.name = str(Path(name).absolute())  # another process may have another working directory
        try:
            if not stat.S_ISREG(os.stat(self.name).st_mode):  # noqa: PTH116  (opening a pipe would wait for its writer)
                raise FormatError(f"{name}: is no regular file, expected an RRIP container")
            self._descriptor = os.open(self.name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError as error:
            raise NotFoundError(f"{name}: no such file or directory") from error
        except OSError as error:
            raise StorageError(f"{name}: cannot be opened: {error.strerror or error}") from error
        except ValueError as error:  # a zero character
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"{name!r}: cannot be the name of a file: {error}") from error
        # Copies live in arrays and task graphs, which nobody closes: the last reference does.
        self._finalize = weakref.finalize(self, os.close, self._descriptor)
        self.size = os.fstat(self._descriptor).st_size
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`."""
        _check_range(self, offset, length)
        parts, missing = [], length
        while missing:
            try:
                part = self._read(offset, missing)
            except OSError as error:
                raise StorageError(f"{self.name}: cannot be read: {error}") from error
            if not part:
                raise DamagedError(
                    f"{self.name}: ends at byte {offset}; it was cut while it was open", rule="file.range"
                )
            parts.append(part)
            offset, missing = offset + len(part), missing - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, offset: int, length: int) -> bytes:
        if hasattr(os, "pread"):  # has no position that threads and forks could share
            return os.pread(self._descriptor, length, offset)
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, length)

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Several ranges, one after another."""
        return [self.read(offset, length) for offset, length in ranges]

    def close(self) -> None:
        """Close the file; reading afterwards is a :class:`StorageError`."""
        self._descriptor = -1  # the number may soon name another file
        self._finalize()

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalBytes, (self.name,)


class RemoteBytes:
    """A file behind a URL that fsspec knows; one request a range, and one for the size.

    Raises
    ------
    ExtraMissingError
        If fsspec, or the package for this kind of URL, is not installed.
    NotFoundError
        If the server does not know the file.
    StorageError
        If it does not answer, or does not tell the size of the file.
    """

    is_local = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._connect()
        with self._errors():
            try:
                size = self._files.size(self._path)
            except FileNotFoundError as error:
                raise NotFoundError(
                    f"{name}: cannot be read: {type(error).__name__}: {error}", rule=StorageError.rule
                ) from error
        if size is None:
            raise StorageError(f"{name}: the server does not tell the size of the file, which byte ranges need")
        self.size = int(size)

    def _connect(self) -> None:
        with self._errors():
            from fsspec.core import url_to_fs

            self._files, self._path = url_to_fs(self.name)
        self._process = os.getpid()

    def _errors(self) -> _StorageErrors:
        return _StorageErrors(self.name)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`."""
        return self.read_ranges([(offset, length)])[0]

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Several ranges, all requests at once where the file system can."""
        for offset, length in ranges:
            _check_range(self, offset, length)
        if self._process != os.getpid():  # connections and event loops do not survive a fork
            self._connect()
        wanted = [(offset, length) for offset, length in ranges if length]
        with self._errors():
            found = iter(
                self._files.cat_ranges(
                    [self._path] * len(wanted),
                    [offset for offset, _ in wanted],
                    [offset + length for offset, length in wanted],
                    on_error="raise",
                )
            )
        parts = [bytes(next(found)) if length else b"" for _, length in ranges]
        for part, (_, length) in zip(parts, ranges, strict=True):
            if len(part) != length:
                raise StorageError(
                    f"{self.name}: {len(part)} bytes came where {length} were asked for; does the server know ranges?"
                )
        return parts

    def close(self) -> None:
        """Nothing: fsspec shares its connections."""

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteBytes, (self.name,)


class _StorageErrors:
    """Turn whatever a file system raises into our errors; each has its own exceptions."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ImportError):
            raise missing("remote", self._name, error) from error
        if isinstance(error, Exception) and not isinstance(error, NotFoundError):
            raise StorageError(f"{self._name}: cannot be read: {type(error).__name__}: {error}") from error
