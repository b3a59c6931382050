"""What a conversion has finished, kept for the run that resumes it: notes in a file that only grows.

A note is a line: the CRC-32C of its JSON in hexadecimal, a space, and the JSON. The first says how to encode, each
further one which tiles of a block are where. A line is written when what it speaks of is on the disk, so the worst
that a crash can do is to lose the last lines; and nothing that a line says is believed without looking.
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
"""How much work a power failure may undo; a process that is killed loses nothing."""


def read_journal(path: Path) -> list[Json]:
    """The notes of a journal up to the first that is not whole, none if there is no journal.

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
    """Appends notes; a context manager.

    Parameters
    ----------
    path : Path
        Its folder must be there.
    notes : list of JSON
        What to keep of a journal that is there, from its start.

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
        """Add a note; it survives the end of this process from now on, and a power failure some seconds later.

        Raises
        ------
        TargetError
            If it cannot be written.
        """
        with as_target_error(self._path):
            line = _line(note)
            while line:  # a file without a buffer may take a part, of which a full disk has no more
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
