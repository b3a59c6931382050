"""Section 12: errors of readers, by class and rule."""

from __future__ import annotations


class RripError(Exception):
    """A container that breaks a rule, with the identifier of that rule."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{message} [{rule}]")
        self.rule = rule


class FormatError(RripError):
    """Not a container of this format, or one that contradicts it."""


class NewerFormatError(FormatError):
    """A container of a later version: the user has to upgrade."""


class DamagedError(RripError):
    """A part of the container differs from what was written."""


class ChecksumError(DamagedError):
    """A stored checksum differs from the computed one."""


class MissingTileError(DamagedError):
    """A tile that should be stored according to the coding is absent."""


class LimitError(RripError):
    """A size exceeds what this reader accepts."""
