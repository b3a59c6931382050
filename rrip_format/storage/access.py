"""How what a name means is reached: options, credentials, stores, and how much is kept."""

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

__all__ = ["Access", "is_bucket", "is_url", "local_name", "make_access", "refuse_bucket", "using"]

_CACHE_MIB = 32


_BUCKET = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://")

_CHAIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)::")
_CHAINED = {"rrip", "simplecache", "filecache", "blockcache", "cached", "zip", "tar", "reference", "memory", "file"}
"""File systems that stand before another one."""

_options: ContextVar[Mapping[str, Any]] = ContextVar("rrip_storage_options", default=MappingProxyType({}))


def is_bucket(name: str) -> bool:
    """Whether a target is in a bucket or on a server, whatever there is in the local file system."""
    return _is_chain(name) or _BUCKET.match(name) is not None


def local_name(name: str) -> str:
    """Return the path of a ``file://`` URL, any other name as it is."""
    return unquote(urlsplit(name).path) if name.startswith("file://") else name


def refuse_bucket(target: str | os.PathLike[str]) -> None:
    """Refuse a target for which only containers are made, before a local folder is made with a URL as its name.

    Raises
    ------
    TargetError
        If it is in a bucket.
    """
    name = os.fsdecode(target)
    if is_bucket(name):
        raise TargetError(f"{name}: only containers are written into buckets; write it to a local disk, and copy it")


@contextmanager
def using(storage_options: Mapping[str, Any]) -> Iterator[None]:
    """Use options of file systems for every URL that is opened or written meanwhile, where it has none of its own."""
    token = _options.set(dict(storage_options))
    try:
        yield
    finally:
        _options.reset(token)


def is_url(name: str) -> bool:
    """Whether a name is for fsspec, not for the local file system: not if it is there."""
    return ("://" in name or _is_chain(name)) and not os.path.lexists(name)


def _is_chain(name: str) -> bool:
    """Whether a name is a chain of fsspec; a path may have two colons too, in the name of a folder or file."""
    found = _CHAIN.match(name)
    return found is not None and ("://" in name or found.group(1).lower() in _CHAINED)


def _cache_mib() -> float:
    try:
        return float(os.environ.get("RRIP_CACHE_MIB", _CACHE_MIB))
    except ValueError as error:
        raise StorageError(f"RRIP_CACHE_MIB is no number: {error}") from error


@dataclass(frozen=True, slots=True)
class Access:
    """What a caller says about how to reach a container; picklable.

    Parameters
    ----------
    storage_options : mapping
        Of the file system of a URL, as fsspec has them: credentials, endpoints, headers.
    store : obstore or Zarr store, optional
        In which the name is a key.
    cache_mib : float
        Bytes of a remote container to keep, MiB; 0 for reading that comes to no place twice.
    """

    storage_options: Mapping[str, Any] = field(default_factory=_options.get)
    store: Any = None
    cache_mib: float = field(default_factory=_cache_mib)

    def without_cache(self) -> Access:
        """Return the same for reading in bulk."""
        return replace(self, cache_mib=0.0)


def make_access(
    storage_options: Mapping[str, Any] | None = None, store: Any = None, cache_mib: float | None = None
) -> Access:
    """Make it from what a caller gives, None for what is not given."""
    access = Access(store=store) if storage_options is None else Access(dict(storage_options), store)
    return access if cache_mib is None else replace(access, cache_mib=cache_mib)
