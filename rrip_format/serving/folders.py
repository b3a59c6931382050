"""The containers below some folders, and nothing outside them, as names in URLs."""

from __future__ import annotations

import os
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import NotFoundError, RripError, absent
from ..slides.slide import Slide, open_slide

__all__ = ["SUFFIXES", "Folders"]

SUFFIXES = (".rrip.zarr.zip", ".rrip.zarr", ".rrip.tif", ".rrip.tiff", ".rrip")
"""Endings of containers' names."""

_MOST_OPEN = 32
"""Containers that are kept open, each with its metadata and its tables of tiles."""

_MOST_LISTED = 10_000


class Folders:
    """Containers by name: the path below one of the folders. Thread-safe.

    Parameters
    ----------
    folders : sequence of Path

    Raises
    ------
    NotFoundError
        If one is no folder.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        for folder in folders:
            if not folder.exists():
                raise NotFoundError(absent(folder))
            if not folder.is_dir():
                raise NotFoundError(f"{folder}: is no folder, expected one that holds containers")
        self._roots = [folder.resolve() for folder in folders]
        self._open: OrderedDict[Path, tuple[tuple[int, ...], Slide]] = OrderedDict()
        self._lock = threading.Lock()

    def names(self) -> Iterator[str]:
        """Yield the names of all containers, at most ten thousand; links are not followed.

        Names with control characters or that are not Unicode are left out, because no URL leads to them.
        """
        count = 0
        for root in self._roots:
            for path, folders, files in os.walk(root):
                found = [name for name in (*folders, *files) if _is_container(name) and not name.startswith(".")]
                folders[:] = sorted(name for name in folders if not _is_container(name) and not name.startswith("."))
                for name in sorted(found):
                    full = Path(path, name)
                    if full.is_symlink() or not _is_text(full.relative_to(root).as_posix()):
                        continue
                    count += 1
                    if count > _MOST_LISTED:
                        return
                    yield full.relative_to(root).as_posix()

    def without_roots(self, text: str) -> str:
        """Leave the folders' own paths out of a message: they are private."""
        for root in self._roots:
            text = text.replace(f"{root}{os.sep}", "")
        return text

    def _find(self, name: str) -> Path | None:
        """Find the container of a name; None where none is below a folder, as of links to elsewhere."""
        parts = name.split("/")
        is_plain = all(part and not part.startswith(".") and not set(part) & set("\0\\:") for part in parts)
        if not is_plain or not _is_container(parts[-1]):
            return None
        for root in self._roots:
            path = root.joinpath(*parts)
            try:
                real = path.resolve(strict=True)
            except (OSError, RuntimeError, ValueError):
                continue
            if real.is_relative_to(root):
                return real
        return None

    def open(self, name: str) -> Slide | None:
        """Open the slide of a name; of a container that has been replaced, the new one.

        Returns
        -------
        Slide or None
            None where there is no container.

        Raises
        ------
        RripError
            If it is no container, or damaged.
        """
        path = self._find(name)
        if path is None:
            return None
        with self._lock:
            state = _state(path)
            known = self._open.get(path)
            if known and known[0] == state:
                self._open.move_to_end(path)
                return known[1]
            slide = open_slide(path)
            self._open[path] = state, slide
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)  # closed when nobody reads it any more
            return slide


def _is_text(name: str) -> bool:
    """Return whether a name is Unicode without control characters."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in name)


def _is_container(name: str) -> bool:
    return name.endswith(SUFFIXES)


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes when a container is replaced."""
    try:
        found = path.stat()
    except OSError as error:
        raise RripError(f"{path}: is not there any more: {error.strerror}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns
