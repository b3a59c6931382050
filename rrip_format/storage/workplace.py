"""Write a file or folder next to its target, make it durable, and move it there in one step (spec section 9.5)."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..errors import RripError, TargetError

try:
    import fcntl
except ImportError:  # Windows: runs are not kept from each other
    fcntl = None  # type: ignore[assignment]  # a module, where there is one

__all__ = [
    "READ",
    "Span",
    "Workplace",
    "as_target_error",
    "beginning",
    "exchange_names",
    "flush",
    "move",
    "recover",
    "temporary_folder",
]

_CONTAINER, _LOCK, _REPLACED = "container", "lock", ".replaced"
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
"""Flags for opening a file with `os.open`."""

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class as_target_error:  # noqa: N801  (reads as a statement)
    """Turn an `OSError` into a `TargetError` that names the path."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, RripError):  # some of ours are OSErrors too
            raise TargetError(f"{self._path}: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Span:
    """A byte range of a file.

    Parameters
    ----------
    path : str or path
    offset, length : int
    is_whole : bool
        Whether the file ends with these bytes.
    """

    path: str | os.PathLike[str]
    offset: int
    length: int
    is_whole: bool = False

    def read(self) -> bytes:
        """Read the bytes; fewer than `length` if the file is shorter, one more if it is whole but longer.

        Raises
        ------
        TargetError
            If it cannot be read.
        """
        with as_target_error(self.path):
            file = os.open(self.path, READ)  # a file object takes more system calls, and there is a file per tile
            try:
                if self.offset:
                    os.lseek(file, self.offset, os.SEEK_SET)
                found, wanted = b"", self.length + self.is_whole
                while len(found) < wanted and (more := os.read(file, wanted - len(found))):
                    found += more
            finally:
                os.close(file)
        return found


class Workplace:
    """The hidden folder next to a target in which it is written; only one process at a time can hold it.

    Its name is derived from the target's, so that a later run finds the files of an interrupted one. It is on the same
    disk, so that the result can be renamed.

    Parameters
    ----------
    target : Path
    overwrite : bool
        Whether an existing target may be replaced.

    Attributes
    ----------
    title : str
        Name of the target in error messages.
    container : Path
        The file or folder that becomes the target.
    journal : Path
        The journal, which :meth:`clear` removes.

    Raises
    ------
    TargetError
        If another process holds the folder, or it cannot be made.
    """

    def __init__(self, target: Path, *, overwrite: bool = False) -> None:
        self.target = target
        self.title = getattr(self, "title", str(target))
        self._overwrite = overwrite
        self.folder = _workplace(target)
        self.container = self.folder / _CONTAINER
        self.journal = self.folder / "journal"
        with as_target_error(target):
            self._handle = self._hold()
            try:
                self._put_back()
            except OSError:
                self.release()
                raise

    def _hold(self) -> int:
        """Make and lock the folder; the operating system releases the lock when this process ends."""
        lock = self.folder / _LOCK
        while True:
            self.folder.mkdir(exist_ok=True)  # unlike mkdtemp, respects the user's umask
            try:
                handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:
                continue  # its previous holder has just removed it
            is_ours = False
            try:
                _lock(handle)
                with suppress(FileNotFoundError):
                    is_ours = os.path.samestat(os.fstat(handle), lock.stat())
            except BlockingIOError:
                raise TargetError(f"{self.title}: another run is writing it; wait until that has ended") from None
            finally:
                if not is_ours:
                    os.close(handle)
            if is_ours:
                return handle

    def _put_back(self) -> None:
        """Restore a target after a run was killed between the two renames of :func:`move`."""
        aside = _aside(self.container)
        if os.path.lexists(aside) and not os.path.lexists(self.target):
            aside.rename(self.target)
            flush(self.target.parent)

    def clear(self) -> None:
        """Remove the files of an interrupted run."""
        for path in (self.journal, beginning(self.journal), self.container, _aside(self.container)):
            _remove(path)

    def publish(self) -> None:
        """Move the container, which must be durable, to the target, and remove everything else.

        Raises
        ------
        TargetError
            If the move fails, or something has appeared at the target that may not be replaced; the previous target is
            then unchanged.
        """
        if not self._overwrite and os.path.lexists(self.target):
            raise TargetError(f"{self.target}: has appeared in the meantime; remove it or pass --overwrite")
        with as_target_error(self.target):
            _remove(_aside(self.container))  # left by a run that was killed after replacing the target
            move(self.container, self.target)
        self.discard()

    def discard(self) -> None:
        """Remove everything, the lock last, so that a waiting run keeps its files."""
        with suppress(OSError):
            self.clear()
            (self.folder / _LOCK).unlink()
            self.folder.rmdir()
        self.release()

    def release(self) -> None:
        """Release the lock and keep the files; may be called twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def beginning(path: Path) -> Path:
    """Return the temporary path of a file that then replaces `path` in one step."""
    return path.with_name(path.name + ".new")


def _workplace(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _lock(handle: int) -> None:
    """Lock a file or raise BlockingIOError; does nothing where the file system has no locks."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass


def recover(target: Path) -> None:
    """Restore a container that a killed run had moved aside to replace it, if there is one.

    Raises
    ------
    TargetError
        If that run is still active.
    """
    if os.path.lexists(_aside(_workplace(target) / _CONTAINER)) and not os.path.lexists(target):
        Workplace(target).release()


def temporary_folder(target: Path) -> Path:
    """Make a hidden folder next to the target, on the same disk, so that the result can be renamed."""
    with as_target_error(target):
        folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        folder.mkdir()
        return folder


def flush(path: str | os.PathLike[str]) -> None:
    """Make a file or folder durable; folders that cannot be flushed are left to the operating system."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EACCES} or not os.path.isdir(path):  # noqa: PTH112
            raise


def move(complete: Path, target: Path) -> None:
    """Move `complete` to `target`; the previous target may stay next to `complete`, for the caller to remove.

    Folders that cannot be exchanged are replaced by two renames, between which the target does not exist.
    """
    if not os.path.lexists(target) or not (target.is_dir() or complete.is_dir()):
        complete.replace(target)
    elif not exchange_names(complete, target):
        target.rename(_aside(complete))
        try:
            complete.replace(target)
        except OSError:
            _aside(complete).rename(target)
            raise
    flush(target.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _aside(complete: Path) -> Path:
    return complete.with_name(complete.name + _REPLACED)


def exchange_names(first: Path, second: Path) -> bool:
    """Exchange two names in one step; return False if the system or the file system cannot do that."""
    if sys.platform != "linux":
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    names = os.fsencode(first), os.fsencode(second)
    return rename is not None and rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0
