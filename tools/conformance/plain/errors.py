"""Section 12: what a reader refuses, by class and by rule."""

from __future__ import annotations


class RripError(Exception):
    """A container that does not hold, with the identifier of the rule that it breaks."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{message} [{rule}]")
        self.rule = rule


class FormatError(RripError):
    """Not a container of this format, or one that contradicts it."""


class NewerFormatError(FormatError):
    """A container of a later version: the user has to upgrade."""


class DamagedError(RripError):
    """A part of the container is not what was written."""


class ChecksumError(DamagedError):
    """A stored checksum differs from the computed one."""


class MissingTileError(DamagedError):
    """A tile that the coding promises is absent."""


class LimitError(RripError):
    """More than this reader accepts."""
