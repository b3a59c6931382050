"""Options for reaching containers: credentials, stores, and the size of the cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import StorageError, TargetError

__all__ = [
    "Access",
    "is_bucket",
    "is_chain",
    "is_url",
    "local_name",
    "make_access",
    "refuse_bucket",
    "url_path",
    "using",
]

_CACHE_MIB = 32


_BUCKET = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://")

_CHAIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)::")
_CHAINED = {"rrip", "simplecache", "filecache", "blockcache", "cached", "zip", "tar", "reference", "memory", "file"}
"""File systems that stand before another one."""

_options: ContextVar[Mapping[str, Any]] = ContextVar("rrip_storage_options", default=MappingProxyType({}))


def is_bucket(name: str) -> bool:
    """Return whether a target is in a bucket or on a server, even if a local file has the same name."""
    return is_chain(name) or _BUCKET.match(name) is not None


def local_name(name: str) -> str:
    """Return the path of a ``file://`` URL, any other name unchanged."""
    return unquote(urlsplit(name).path) if name.startswith("file://") else name


def refuse_bucket(target: str | os.PathLike[str]) -> None:
    """Raise `TargetError` if a target for something other than a container is in a bucket.

    Raises
    ------
    TargetError
        If the target is in a bucket.
    """
    name = os.fsdecode(target)
    if is_bucket(name):
        raise TargetError(f"{name}: only containers can be written into buckets; write a local file and upload it")


@contextmanager
def using(storage_options: Mapping[str, Any]) -> Iterator[None]:
    """Use storage options for all URLs opened or written in the context that have no options of their own."""
    token = _options.set(dict(storage_options))
    try:
        yield
    finally:
        _options.reset(token)


def is_url(name: str) -> bool:
    """Return whether a name is a URL for fsspec; an existing local file is not."""
    return ("://" in name or is_chain(name)) and not os.path.lexists(name)


def url_path(url: str) -> str:
    """Return host and path of a URL, without a query if it is of a web server: keys in buckets may contain ``#``."""
    last = url.rpartition("::")[2] if is_chain(url) else url
    if last.startswith(("http://", "https://")):
        last = last.partition("#")[0].partition("?")[0]
    return last.partition("://")[2] or last


def is_chain(name: str) -> bool:
    """Return whether a name is a chain of fsspec; a path may contain two colons too."""
    found = _CHAIN.match(name)
    return found is not None and ("://" in name or found.group(1).lower() in _CHAINED)


def _cache_mib() -> float:
    try:
        return float(os.environ.get("RRIP_CACHE_MIB", _CACHE_MIB))
    except ValueError as error:
        raise StorageError(f"RRIP_CACHE_MIB: {error}, expected a number (MiB); correct or unset it") from error


@dataclass(frozen=True, slots=True)
class Access:
    """Options for reaching a container; picklable.

    Parameters
    ----------
    storage_options : mapping
        Options of fsspec for the file system of a URL: credentials, endpoints, headers.
    store : obstore or Zarr store, optional
        The store in which the name is a key.
    cache_mib : float
        Size of the cache of a remote container, MiB; 0 for sequential reading.
    """

    storage_options: Mapping[str, Any] = field(default_factory=_options.get)
    store: Any = None
    cache_mib: float = field(default_factory=_cache_mib)

    def without_cache(self) -> Access:
        """Return the same options without a cache, for sequential reading."""
        return replace(self, cache_mib=0.0)


def make_access(
    storage_options: Mapping[str, Any] | None = None, store: Any = None, cache_mib: float | None = None
) -> Access:
    """Make options from the arguments of a caller; None stands for an argument that was not given."""
    access = Access(store=store) if storage_options is None else Access(dict(storage_options), store)
    return access if cache_mib is None else replace(access, cache_mib=cache_mib)
