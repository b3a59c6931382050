"""Making something beside its target, durable, and moving it there at once (spec section 9.5)."""

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
    "flush",
    "move",
    "recover",
    "temporary_folder",
]

_CONTAINER, _LOCK, _REPLACED = "container", "lock", ".replaced"
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
"""How files are opened without a file object."""

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class as_target_error:  # noqa: N801  (reads as a statement)
    """Turn the system's errors into ours, naming the path."""

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
    """Bytes of a file.

    Parameters
    ----------
    path : str or path
    offset, length : int
    is_whole : bool
        The file ends with them.
    """

    path: str | os.PathLike[str]
    offset: int
    length: int
    is_whole: bool = False

    def read(self) -> bytes:
        """What the file has there now; fewer bytes than `length` where it ends before, one more where it goes on.

        Raises
        ------
        TargetError
            If it cannot be read.
        """
        with as_target_error(self.path):
            file = os.open(self.path, READ)  # a file object asks the system for more, and there is one to a tile
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
    """The hidden folder beside a target in which it is made; one process at a time holds it.

    Its name follows from the target's, so that a later run finds what an interrupted one has left there. It is on the
    same disk, so that a rename is enough at the end.

    Parameters
    ----------
    target : Path
    overwrite : bool
        Whether something may be at the target when it is published.

    Attributes
    ----------
    title : str
        What to call the target in errors.
    container : Path
        Where in it to make what becomes the target, a file or a folder.
    journal : Path
        Where in it to keep notes that :meth:`clear` removes.

    Raises
    ------
    TargetError
        If another process holds it, or it cannot be made.
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
        """Make and lock the folder; the system unlocks it when this process ends, however it does."""
        lock = self.folder / _LOCK
        while True:
            self.folder.mkdir(exist_ok=True)  # unlike mkdtemp, with the permissions that the user wants
            try:
                handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:
                continue  # whoever held it has just removed it
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
        """Finish what a run that was killed between two renames has left: see :func:`move`."""
        aside = _aside(self.container)
        if os.path.lexists(aside) and not os.path.lexists(self.target):
            aside.rename(self.target)
            flush(self.target.parent)

    def clear(self) -> None:
        """Remove what an interrupted run has left."""
        for path in (self.journal, beginning(self.journal), self.container, _aside(self.container)):
            _remove(path)

    def publish(self) -> None:
        """Move what was made, which must be durable, to the target, and remove the rest.

        Raises
        ------
        TargetError
            If the system refuses, or something has come to the target that may not be replaced; what was there is there
            as before then.
        """
        if not self._overwrite and os.path.lexists(self.target):
            raise TargetError(f"{self.target}: has appeared meanwhile; remove it or pass --overwrite")
        with as_target_error(self.target):
            _remove(_aside(self.container))  # of a run that was killed when it had replaced it
            move(self.container, self.target)
        self.discard()

    def discard(self) -> None:
        """Remove everything, the lock last: a run that waits for it must not lose what it makes then."""
        with suppress(OSError):
            self.clear()
            (self.folder / _LOCK).unlink()
            self.folder.rmdir()
        self.release()

    def release(self) -> None:
        """Let others have it, as it is; may be called twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def beginning(path: Path) -> Path:
    """Where to write a file that then takes the place of `path` at once."""
    return path.with_name(path.name + ".new")


def _workplace(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _lock(handle: int) -> None:
    """Lock a file or raise BlockingIOError; where the file system has no locks, runs are not kept from each other."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass


def recover(target: Path) -> None:
    """Put a container back that a killed run had moved aside to replace it, if there is one.

    Raises
    ------
    TargetError
        If that run is still at it.
    """
    if os.path.lexists(_aside(_workplace(target) / _CONTAINER)) and not os.path.lexists(target):
        Workplace(target).release()


def temporary_folder(target: Path) -> Path:
    """A new folder beside the target, hidden, on the same disk, so that a rename is enough at the end."""
    with as_target_error(target):
        folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        folder.mkdir()
        return folder


def flush(path: str | os.PathLike[str]) -> None:
    """Make a file or folder durable; where folders cannot be flushed, the system does it by itself."""
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
    """Put `complete` in the place of `target`; what stood there may stay beside `complete`, for the caller to remove.

    Folders that the system cannot exchange are replaced by two renames, between which nothing is at the target.
    """
    if not os.path.lexists(target) or not (target.is_dir() or complete.is_dir()):
        complete.replace(target)
    elif not _exchange(complete, target):
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


def _exchange(first: Path, second: Path) -> bool:
    """Let two names change places in one step; False where the system or the file system cannot."""
    if sys.platform != "linux":
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    names = os.fsencode(first), os.fsencode(second)
    return rename is not None and rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0
