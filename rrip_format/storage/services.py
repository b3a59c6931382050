"""What a service that holds objects is asked, what it answers, and how each of its failures is told.

A service is a web server, a bucket or any other file system. Those of :mod:`.http_service`, :mod:`.fsspec_service` and
:mod:`.obstore_service` have one asynchronous method, :meth:`Service.get`; all that they have in common is here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import RULES, StorageError

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = [
    "Absent",
    "Policy",
    "Reply",
    "Request",
    "Service",
    "Transient",
    "Version",
    "check_size",
    "refuse",
    "replaced",
    "retry",
]

T = TypeVar("T")

_log = logging.getLogger("rrip_format")

_RETRIES, _TIMEOUT = 5, 30.0

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 20.0
"""Seconds; what a server asks for in ``Retry-After`` counts up to this."""


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one state of an object from another, as far as the service says it.

    Parameters
    ----------
    size : int or None
        Bytes.
    etag : str or None
        As HTTP has it, with its quotation marks.
    modified : str or None
        Any text that changes with the time of the last change.
    """

    size: int | None = None
    etag: str | None = None
    modified: str | None = None

    def differs(self, other: Version) -> bool:
        """Whether two states are certainly not the same."""
        mine, theirs = (self.size, self.etag, self.modified), (other.size, other.etag, other.modified)
        return any(None not in pair and pair[0] != pair[1] for pair in zip(mine, theirs, strict=True))


@dataclass(frozen=True, slots=True)
class Request:
    """Bytes of an object.

    Parameters
    ----------
    start : int or None
        Offset of the first byte; None: the last `length` bytes.
    length : int or None
        How many; None: all that there are, at most `most`.
    most : int
        Where `length` is None: the answer may have so many bytes, and one more where there are more.
    version : Version, optional
        Of the object when it was opened.
    """

    start: int | None = 0
    length: int | None = None
    most: int = 0
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes of an object, and of which version of it."""

    data: bytes
    version: Version


class Transient(Exception):  # noqa: N818  (not an error of this package: it is tried again)
    """A failure that may be over at the next attempt; `wait` is how many seconds the server asks for."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Absent(Exception):  # noqa: N818
    """There is no such object."""


class Service(Protocol):
    """Objects by path; picklable.

    Methods are called in the loop of :mod:`.event_loop` and raise :class:`Absent`, :class:`Transient` or an error of
    this package.
    """

    async def get(self, path: str, request: Request) -> Reply:
        """Read an object or a part of it.

        A part that ends behind the object is cut there.
        """

    async def sizes(self, prefix: str) -> list[tuple[str, int]] | None:
        """List (path below `prefix`, bytes) of every object there, None where the service has no lists."""

    async def put(self, path: str, file: str) -> None:
        """Store a local file as an object, whole or not at all."""

    async def remove(self, path: str) -> None:
        """Remove an object."""

    def make_store(self, root: str) -> Store | None:
        """Make a read-only Zarr store of the objects below a path, None where Zarr has none."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to try.

    Parameters
    ----------
    retries : int
        Further attempts after a failure that may pass.
    timeout : float
        Seconds without any byte after which an attempt has failed.
    """

    retries: int = _RETRIES
    timeout: float = _TIMEOUT

    @classmethod
    def from_environment(cls) -> Policy:
        """Take ``RRIP_RETRIES`` and ``RRIP_TIMEOUT_SECONDS`` where they are set.

        Raises
        ------
        StorageError
            If one of them is no such number.
        """
        try:
            retries = int(os.environ.get("RRIP_RETRIES", _RETRIES))
            timeout = float(os.environ.get("RRIP_TIMEOUT_SECONDS", _TIMEOUT))
        except ValueError as error:
            raise StorageError(f"RRIP_RETRIES or RRIP_TIMEOUT_SECONDS is no number: {error}") from error
        if retries < 0 or not timeout > 0:
            raise StorageError("RRIP_RETRIES is negative, or RRIP_TIMEOUT_SECONDS not positive")
        return cls(retries, timeout)


async def retry(attempt: Callable[[], Awaitable[T]], what: str, policy: Policy) -> T:
    """Call `attempt` until it does not raise :class:`Transient`; waits double, each by a random part of it.

    Raises
    ------
    StorageError
        If the last attempt fails too.
    """
    wait = _FIRST_WAIT
    for left in range(policy.retries, -1, -1):
        try:
            return await attempt()
        except Transient as error:
            if not left:
                count = policy.retries + 1
                raise StorageError(
                    f"{what}: cannot be read: {error}; it was tried {count} times (RRIP_RETRIES changes that)"
                ) from error
            pause = min(_LONGEST_WAIT, max(error.wait, random.uniform(wait / 2, wait)))  # noqa: S311  (no secret)
            _log.warning("%s: %s; trying again in %.1f s, %d attempts are left", what, error, pause, left)
        await asyncio.sleep(pause)
        wait *= 2
    raise AssertionError("unreachable")


def refuse(what: str, status: str) -> StorageError:
    """Make the error of a service that knows the caller not, or not as one who may."""
    return StorageError(
        f"{what}: access is refused ({status}); pass credentials (storage_options, --storage-option or those of the "
        "environment), or a URL whose signature has not expired"
    )


def replaced(what: str) -> StorageError:
    """Make the error of an object that is not the one that was opened."""
    return StorageError(f"{what}: was replaced since it was opened; open it again")


def check_size(what: str, key: str, limit: int, value: bytes | None, too_large: str) -> bytes | None:
    """Return a value if it has no more bytes than it may have."""
    if value is not None and len(value) > limit:
        raise RULES[too_large](
            f"{what}: {key} has more than {limit} bytes, the most that this reader accepts there", rule=too_large
        )
    return value
