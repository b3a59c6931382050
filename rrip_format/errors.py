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
    │   └── SourceNotFoundError  there is none; a FileNotFoundError too
    ├── StorageError          the store that holds a container failed: try again, or look at the disk or network
    │   └── NotFoundError     there is no such file or folder; a FormatError and a FileNotFoundError too
    ├── TargetError           the file or folder to write cannot be used
    ├── ReadOnlyError         an attempt to change a container through an interface that only reads
    └── ExtraMissingError     an optional dependency is not installed

Every message says what was found, what was expected and what to do. Whatever the bytes of a file are, reading them
raises nothing but these. An error about such bytes has an attribute `rule`, an identifier of spec section 12 that stays
the same when messages change.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from reprlib import Repr
from typing import Any, Self, TypeVar

__all__ = [
    "RULES",
    "ChecksumError",
    "DamagedError",
    "ExtraMissingError",
    "FormatError",
    "LimitError",
    "MissingTileError",
    "NewerFormatError",
    "NotFoundError",
    "ReadOnlyError",
    "RripError",
    "SecondOpinionError",
    "SourceError",
    "SourceNotFoundError",
    "StorageError",
    "TargetError",
    "absent",
    "all_of",
    "one_line",
    "printable",
    "read_only",
    "shown",
    "without_secrets",
]


class RripError(Exception):
    """Base of every exception that this package raises on purpose.

    Parameters
    ----------
    *args : object
        The message.
    rule : str, optional
        Rule of spec section 12 that was broken, if it differs from that of the class.
    parts : sequence of RripError, optional
        The single errors, if the message lists several.

    Attributes
    ----------
    rule : str or None
        Rule of spec section 12 that was broken; None if the error is not about the bytes of a container, but about a
        source, a target or an extra.
    """

    rule: str | None = None

    parts: Sequence[RripError] = ()

    def __init__(self, *args: object, rule: str | None = None, parts: Sequence[RripError] = ()) -> None:
        super().__init__(*(without_secrets(part) if isinstance(part, str) else part for part in args))
        if rule is not None:
            self.rule = rule
        if parts:
            self.parts = parts

    def within(self, where: str) -> Self:
        """Return a copy of the error whose message begins with where it happened.

        Use it as ``raise error.within(name) from error``.

        Parameters
        ----------
        where : str
            Name of a file, tile or array.

        Returns
        -------
        RripError
            An error of the same class, `rule` and `parts`.
        """
        return type(self)(f"{where}: {self}", rule=self.rule, parts=self.parts)


Problem = TypeVar("Problem", bound=RripError)


class DamagedError(RripError):
    """Bytes of a container are not what a writer produced."""

    rule = "stream.decode"


class ChecksumError(DamagedError):
    """A stored tile's CRC-32C does not match its bytes (spec section 7)."""

    rule = "tile.checksum"


class MissingTileError(DamagedError):
    """A tile that the metadata promises is not in the container (spec section 7).

    It is deliberately neither a :class:`FileNotFoundError` nor a :class:`KeyError`: Zarr and others answer those with
    the fill value, so a damaged slide would show blank glass.
    """

    rule = "tile.missing"


class FormatError(RripError, ValueError):
    """Not an RRIP container, or one whose metadata breaks a rule of the spec (sections 8 to 10).

    Parameters
    ----------
    *args : object
        The message.
    rule : str, optional
        Rule of spec section 12 that was broken, if it differs from that of the class.
    parts : sequence of RripError, optional
        The single errors, if the message lists several.
    """

    rule = "container.kind"


class NewerFormatError(FormatError):
    """The container was written by a newer version of the format (spec section 11)."""

    rule = "newer.version"


class LimitError(RripError):
    """A size is beyond what this reader accepts (spec section 12)."""

    rule = "limit.memory"


class SourceError(RripError):
    """The slide or image to convert cannot be read, or not completely."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is no slide or image to convert."""

    errno = errno.ENOENT  # no file name: Python would put its own message in the place of ours


class SecondOpinionError(SourceError):
    """Two libraries read different pictures from one source, so one of them is wrong."""


class StorageError(RripError, OSError):
    """The store that holds a container failed to answer."""

    rule = "storage.failed"


class NotFoundError(FormatError, StorageError, FileNotFoundError):
    """There is nothing at the path or URL to open.

    It is raised only for a path or URL that a caller passes, never for a container that vanishes while it is open: Zarr
    would take that for "no such chunk" (see :class:`MissingTileError`).
    """

    errno = errno.ENOENT

    def __new__(cls, *args: object, **_: Any) -> Self:
        """Create the object as an ``OSError``; Python might choose ``ValueError.__new__``, which refuses."""
        return OSError.__new__(cls, *args)


class TargetError(RripError, OSError):
    """The file or folder to write cannot be used."""


class ReadOnlyError(RripError, TypeError):
    """An attempt to change a container through an interface that only reads."""


def absent(path: str | os.PathLike[str]) -> str:
    """Return what an error says of a path at which there is nothing."""
    name = os.fsdecode(path)
    end = ""
    if os.path.islink(name):  # noqa: PTH114
        try:
            os.stat(name)  # noqa: PTH116
        except OSError as error:
            what = "of links that lead in a circle" if error.errno == errno.ELOOP else "that is not there"
            end = f", a link to {os.readlink(name)} {what}"  # noqa: PTH115
    return f"{name}: no such file or directory{end}; check the path"


def read_only(what: str = "an RRIP container") -> ReadOnlyError:
    """Return the error for an attempt to change a container through an interface that only reads."""
    return ReadOnlyError(f"{what} is read-only here: make a new one with 'rrip convert'")


class ExtraMissingError(RripError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


RULES: dict[str, type[RripError]] = {
    "array.document": FormatError,
    "attachment.checksum": ChecksumError,
    "attachment.jpeg": DamagedError,
    "attachment.missing": ChecksumError,
    "container.kind": FormatError,
    "file.range": DamagedError,
    "limit.attachment": LimitError,
    "limit.directory": LimitError,
    "limit.families": LimitError,
    "limit.memory": LimitError,
    "limit.metadata": LimitError,
    "metadata.absent": FormatError,
    "metadata.feature": FormatError,
    "metadata.json": FormatError,
    "metadata.member": FormatError,
    "metadata.requires": FormatError,
    "metadata.seal": FormatError,
    "metadata.version": FormatError,
    "newer.requires": NewerFormatError,
    "newer.version": NewerFormatError,
    "packet.structure": DamagedError,
    "storage.failed": StorageError,
    "stream.decode": DamagedError,
    "stream.empty": DamagedError,
    "tiff.chain": FormatError,
    "tiff.header": FormatError,
    "tiff.ifd": FormatError,
    "tiff.loop": FormatError,
    "tiff.tables": FormatError,
    "tiff.tag": FormatError,
    "tile.checksum": ChecksumError,
    "tile.missing": MissingTileError,
    "tile.place": DamagedError,
    "tile.short": DamagedError,
    "tile.size": DamagedError,
    "tile.trailer": DamagedError,
    "zip.member": DamagedError,
    "zip.method": FormatError,
    "zip.structure": FormatError,
}
"""Rules that the bytes of a container can break, and the error class of each (spec section 12)."""


def all_of(problems: Sequence[Problem]) -> Problem:
    """Combine errors of one class into one that lists them all and has the rule of the first."""
    first = problems[0]
    if len(problems) == 1:
        return first
    parts = [part for problem in problems for part in problem.parts or (problem,)]
    return type(first)("; ".join(map(str, problems)), rule=first.rule, parts=parts)


_SHOWN = Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 80
_SHOWN.maxlist = _SHOWN.maxdict = 8


def shown(value: object) -> str:
    """Shorten the ``repr`` of a value for a message."""
    return _SHOWN.repr(value)


def one_line(error: BaseException) -> str:
    """Return the message of an exception on one line, or the name of its class if it has none."""
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


def printable(line: str) -> str:
    """Replace control characters, so that text from a file cannot control a terminal (spec section 13)."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)


_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]+@")
_SIGNATURE = re.compile(
    r"([?&](?:X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|Signature|sig|token|access_token)=)[^&\s#'\"]+",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """Replace passwords and signatures of URLs, so that messages can be logged and shown."""
    if "://" not in text:
        return text
    return _SIGNATURE.sub(r"\1…", _PASSWORD.sub(r"\1:…@", text))
