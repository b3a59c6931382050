"""The interface of services that hold objects: requests, responses and failures.

A service is a web server, a bucket or any other file system. :mod:`.http_service`, :mod:`.fsspec_service` and
:mod:`.obstore_service` implement it; this module has what they share.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import RULES, StorageError, without_secrets

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = [
    "FIRST_WAIT",
    "LONGEST_WAIT",
    "Absent",
    "NoBucket",
    "Policy",
    "Reply",
    "Request",
    "Service",
    "Transient",
    "Version",
    "check_size",
    "may_pass",
    "refuse",
    "replaced",
    "retry",
]

T = TypeVar("T")

_log = logging.getLogger("rrip_format")

_RETRIES, _TIMEOUT = 5, 30.0

FIRST_WAIT, LONGEST_WAIT = 0.2, 20.0
"""Seconds between attempts; a longer ``Retry-After`` of a server is shortened to the latter."""

_PASSING = frozenset(
    getattr(errno, name)
    for name in (
        *("EAGAIN", "EBUSY", "EINTR", "EIO", "EPIPE", "ESTALE", "ETIMEDOUT"),
        *("ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH"),
        *("ENETDOWN", "ENETRESET", "ENETUNREACH", "ENOBUFS"),
    )
    if hasattr(errno, name)
)
"""Errors of the system, and of fsspec's file systems, after which another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Version:
    """The version of an object, as far as the service states it.

    Parameters
    ----------
    size : int or None
        Bytes.
    etag : str or None
        The ETag of HTTP, with its quotation marks.
    modified : str or None
        Any text that depends on the time of the last change.
    """

    size: int | None = None
    etag: str | None = None
    modified: str | None = None

    def differs(self, other: Version) -> bool:
        """Return whether two versions certainly differ."""
        mine, theirs = (self.size, self.etag, self.modified), (other.size, other.etag, other.modified)
        return any(None not in pair and pair[0] != pair[1] for pair in zip(mine, theirs, strict=True))


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of an object to read.

    Parameters
    ----------
    start : int or None
        Offset of the first byte; None for the last `length` bytes.
    length : int or None
        Number of bytes; None for the whole object, up to `most` bytes.
    most : int
        Most bytes if `length` is None; the response has one more if the object is larger.
    version : Version, optional
        Version of the object when it was opened.
    """

    start: int | None = 0
    length: int | None = None
    most: int = 0
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes of an object and the version they belong to."""

    data: bytes
    version: Version


class Transient(Exception):  # noqa: N818  (not an error of this package: it is tried again)
    """A failure that may pass; `wait` is the number of seconds that the server asks to wait."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Absent(Exception):  # noqa: N818
    """The object does not exist."""


class NoBucket(Absent):
    """The bucket does not exist, so that nothing can be written there either."""


class Service(Protocol):
    """Objects by path; picklable.

    Methods are called in the loop of :mod:`.event_loop` and raise :class:`Absent`, :class:`Transient` or an error of
    this package.
    """

    async def get(self, path: str, request: Request) -> Reply:
        """Read an object or a part of it.

        A part is shortened if the object ends before.
        """

    async def sizes(self, prefix: str) -> list[tuple[str, int]] | None:
        """List (path below `prefix`, bytes) of all objects; None if the service cannot list them."""

    async def put(self, path: str, file: str) -> None:
        """Upload a local file, completely or not at all."""

    async def remove(self, path: str) -> None:
        """Remove an object."""

    def make_store(self, root: str) -> Store | None:
        """Make a read-only Zarr store of the objects below a path; None if Zarr has no such store."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long to try.

    Parameters
    ----------
    retries : int
        Number of further attempts after a transient failure.
    timeout : float
        Seconds without any byte after which an attempt fails.
    """

    retries: int = _RETRIES
    timeout: float = _TIMEOUT

    @classmethod
    def from_environment(cls) -> Policy:
        """Return the policy that ``RRIP_RETRIES`` and ``RRIP_TIMEOUT_SECONDS`` set.

        Raises
        ------
        StorageError
            If one of them is not a valid number.
        """
        try:
            retries = int(os.environ.get("RRIP_RETRIES", _RETRIES))
            timeout = float(os.environ.get("RRIP_TIMEOUT_SECONDS", _TIMEOUT))
        except ValueError as error:
            raise StorageError(f"RRIP_RETRIES or RRIP_TIMEOUT_SECONDS: {error}, expected a number") from error
        if retries < 0 or not timeout > 0:
            raise StorageError(
                f"RRIP_RETRIES is {retries} and RRIP_TIMEOUT_SECONDS {timeout:g}, expected at least 0 and more than 0"
            )
        return cls(retries, timeout)


def may_pass(error: OSError) -> bool:
    """Return whether a failure of the system may pass; a seek before the start of a damaged archive does not."""
    return error.errno is None or error.errno in _PASSING


async def retry(attempt: Callable[[], Awaitable[T]], what: str, policy: Policy, done: str = "read") -> T:
    """Call `attempt` until it does not raise :class:`Transient`; waits grow exponentially, with random jitter.

    `done` is what the last error says that cannot be done.

    Raises
    ------
    StorageError
        If the last attempt fails too.
    """
    wait = FIRST_WAIT
    for left in range(policy.retries, -1, -1):
        try:
            return await attempt()
        except Transient as error:
            if not left:
                count = policy.retries + 1
                raise StorageError(
                    f"{what}: cannot be {done}: {error}; tried {count} times (RRIP_RETRIES changes that)"
                ) from error
            pause = min(LONGEST_WAIT, max(error.wait, random.uniform(wait / 2, wait)))  # noqa: S311  (no secret)
            text = without_secrets(f"{what}: {error}")
            _log.warning("%s; trying again in %.1f s, %d attempts left", text, pause, left)
        await asyncio.sleep(pause)
        wait *= 2
    raise AssertionError("unreachable")


def refuse(what: str, status: str) -> StorageError:
    """Make the error for denied access."""
    return StorageError(
        f"{what}: access denied ({status}); pass credentials (storage_options, --storage-option or environment "
        "variables), or a URL whose signature has not expired"
    )


def replaced(what: str) -> StorageError:
    """Make the error for an object that was replaced since it was opened."""
    return StorageError(f"{what}: was replaced since it was opened; open it again")


def check_size(what: str, key: str, limit: int, value: bytes | None, too_large: str) -> bytes | None:
    """Return a value if it is not larger than allowed."""
    if value is not None and len(value) > limit:
        raise RULES[too_large](
            f"{what}: {key} has more than {limit} bytes, the most that this reader accepts", rule=too_large
        )
    return value
