"""The journal of a conversion: what is finished, for a run that resumes it. The file only grows.

A note is a line: the CRC-32C of its JSON in hexadecimal, a space, and the JSON. The first note states how to encode,
each further one the positions of the tiles of a block. A line is written after its tiles are on the disk, so a crash
can only lose the last lines; and the tiles are checked before a note is trusted.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Self

from ..spec.tile import crc32c
from .workplace import as_target_error, beginning, flush

__all__ = ["Journal", "read_journal"]

Json = Any

_FLUSH_SECONDS = 5.0
"""Seconds of work that a power failure may undo; a killed process loses nothing."""


def read_journal(path: Path) -> list[Json]:
    """Return the notes of a journal up to the first incomplete one; none if there is no journal.

    Raises
    ------
    TargetError
        If it cannot be read.
    """
    notes = []
    with as_target_error(path):
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    for line in lines:
        checksum, _, body = line.partition(b" ")
        if not line.endswith(b"\n") or checksum != b"%08x" % crc32c(body[:-1]):
            break
        notes.append(json.loads(body))
    return notes


class Journal:
    """Appends notes to a journal; a context manager.

    Parameters
    ----------
    path : Path
        The journal; its folder must exist.
    notes : list of JSON
        The notes of an existing journal to keep.

    Raises
    ------
    TargetError
        If it cannot be written.
    """

    def __init__(self, path: Path, notes: list[Json]) -> None:
        self._path = path
        with as_target_error(path):
            kept = beginning(path)
            kept.write_bytes(b"".join(map(_line, notes)))
            flush(kept)
            kept.replace(path)
            for folder in (path.parent, path.parent.parent):
                flush(folder)
            self._file = path.open("ab", buffering=0)
        self._flushed = time.monotonic()

    def append(self, note: Json) -> None:
        """Append a note; it survives a crash of this process at once, and a power failure after some seconds.

        Raises
        ------
        TargetError
            If it cannot be written.
        """
        with as_target_error(self._path):
            line = _line(note)
            while line:  # an unbuffered write may be partial, as on a full disk
                line = line[self._file.write(line) :]
            if time.monotonic() - self._flushed > _FLUSH_SECONDS:
                os.fsync(self._file.fileno())
                self._flushed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _line(note: Json) -> bytes:
    body = json.dumps(note, separators=(",", ":")).encode()
    return b"%08x %s\n" % (crc32c(body), body)
