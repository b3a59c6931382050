"""Making something beside its target, durable, and moving it there at once (spec section 9.5)."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType

from .errors import TargetError

__all__ = ["as_target_error", "flush", "move", "temporary_folder"]


class as_target_error:  # noqa: N801  (reads as a statement)
    """Turn the system's errors into ours, naming the path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, TargetError):
            raise TargetError(f"{self._path}: {error.strerror or error}") from error


def temporary_folder(target: Path) -> Path:
    """A new folder beside the target, hidden, on the same disk, so that a rename is enough at the end."""
    with as_target_error(target):
        return _hidden_folder(target, "partial")


def _hidden_folder(target: Path, suffix: str) -> Path:
    folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.{suffix}")
    folder.mkdir()  # unlike mkdtemp, with the permissions that the user wants for new folders
    return folder


def flush(path: Path) -> None:
    """Make a file or folder durable; where folders cannot be flushed, the system does it by itself."""
    with suppress(OSError) if path.is_dir() else nullcontext():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def move(complete: Path, target: Path) -> None:
    """Put `complete` in the place of `target`; what a rename cannot replace steps aside first and is then removed."""
    aside = None
    if os.path.lexists(target) and (target.is_dir() or complete.is_dir()):
        aside = _hidden_folder(target, "old")
        target.rename(aside / target.name)
    try:
        complete.replace(target)
    except OSError:
        if aside is not None:
            (aside / target.name).rename(target)
            aside.rmdir()
        raise
    flush(target.parent)
    if aside is not None:
        shutil.rmtree(aside, ignore_errors=True)
