"""The exceptions of this package, grouped by what a caller would do about them.

::

    RripError
    ├── DamagedError          the bytes are not what was written: restore them from a copy
    │   ├── ChecksumError     a stored tile's CRC-32C does not match its bytes
    │   └── MissingTileError  a tile that the metadata promises is not there
    ├── FormatError           this is not an RRIP container, or its metadata breaks a rule of the spec
    │   └── NewerFormatError  written by a newer version of the format: upgrade the reader
    ├── LimitError            a size is beyond what this reader accepts
    ├── SourceError           the slide or image to convert cannot be read, or not completely
    ├── StorageError          the store that holds a container failed: try again, or look at the disk or network
    ├── TargetError           the place to write to cannot be used
    ├── ReadOnlyError         an attempt to change a container through a reading door
    └── ExtraMissingError     an optional dependency is not installed

Every message says what was found, what was expected and what to do. Bytes that come from a file raise nothing else.
"""

from __future__ import annotations

__all__ = [
    "ChecksumError",
    "DamagedError",
    "ExtraMissingError",
    "FormatError",
    "LimitError",
    "MissingTileError",
    "NewerFormatError",
    "ReadOnlyError",
    "RripError",
    "SourceError",
    "StorageError",
    "TargetError",
    "printable",
]


class RripError(Exception):
    """Base of every exception that this package raises on purpose."""


class DamagedError(RripError):
    """Bytes of a container are not what a writer produced."""


class ChecksumError(DamagedError):
    """A stored tile's CRC-32C does not match its bytes (spec section 7)."""


class MissingTileError(DamagedError):
    """A tile that the metadata promises is not in the container (spec section 7).

    It is no :class:`FileNotFoundError` or :class:`KeyError` on purpose: readers above take those for "fill with the
    fill value", which is the silent wrong picture that this class exists to prevent.
    """


class FormatError(RripError, ValueError):
    """Not an RRIP container, or one whose metadata breaks a rule of the spec."""


class NewerFormatError(FormatError):
    """The container was written by a newer version of the format (spec section 11)."""


class LimitError(RripError):
    """A size is beyond what this reader accepts (spec section 12)."""


class SourceError(RripError):
    """The slide or image to convert cannot be read, or not completely."""


class StorageError(RripError, OSError):
    """The store that holds a container failed to answer."""


class TargetError(RripError, OSError):
    """The place to write to cannot be used."""


class ReadOnlyError(RripError, TypeError):
    """An attempt to change a container through a reading door."""


class ExtraMissingError(RripError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


def printable(line: str) -> str:
    """A line without control characters: what comes from a file must not steer a terminal (spec section 13)."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
