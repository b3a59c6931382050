"""Find the service and the path for a URL or a store."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..errors import RripError, StorageError
from ..extras import missing
from .access import Access, is_chain
from .fsspec_service import FsspecService, S3Service
from .http_service import HttpService
from .obstore_service import ObstoreService, is_obstore
from .remote import Remote
from .services import Policy, Service
from .zarr_stores import StoreService

__all__ = ["connect"]

_HTTP, _S3 = ("http", "https"), ("s3", "s3a")


def connect(name: str, access: Access) -> tuple[Remote, str]:
    """Connect to the service of a URL or a store, without making a request.

    Returns
    -------
    Remote, str
        The service and the path there.

    Raises
    ------
    ExtraMissingError
        If a package for this kind of URL is not installed.
    StorageError
        If no file system handles the URL, or it rejects the options.
    TypeError
        If the store is neither from obstore nor from Zarr.
    """
    policy = Policy.from_environment()
    if access.store is not None:
        service, root = _behind(access.store, policy)
        return Remote(service, policy), f"{root}/{name}".strip("/") if name else root
    try:
        service, path = _named(name, dict(access.storage_options), policy)
    except ImportError as error:
        raise missing("s3" if name.startswith(("s3://", "s3a://")) else "remote", name, error) from error
    except RripError:
        raise
    except Exception as error:  # each file system has its own exceptions
        raise StorageError(f"{name}: cannot be opened: {type(error).__name__}: {error}") from error
    return Remote(service, policy), path


def _named(name: str, options: dict[str, Any], policy: Policy) -> tuple[Service, str]:
    try:
        scheme = "" if is_chain(name) else urlsplit(name).scheme
    except ValueError as error:
        raise StorageError(f"{name}: is not a valid URL: {error}") from error
    if scheme in _HTTP:
        return HttpService(options, policy), name
    found = (S3Service if scheme in _S3 else FsspecService)(name, options, policy)
    return found, found.path


def _behind(store: Any, policy: Policy) -> tuple[Service, str]:
    """Find the service behind a store that a caller made, and the path of the store's root there."""
    if is_obstore(store):
        return ObstoreService(store, policy), ""
    from zarr.abc.store import Store
    from zarr.storage import FsspecStore

    if not isinstance(store, Store):
        raise TypeError(f"store is {type(store).__name__}, expected a store of obstore or Zarr")
    inner = getattr(store, "store", None)  # of Zarr's ObjectStore
    if is_obstore(inner):
        return ObstoreService(inner, policy), ""
    if not isinstance(store, FsspecStore):
        return StoreService(store), ""
    files = getattr(store.fs, "sync_fs", store.fs)  # fsspec wraps file systems without coroutines
    protocols = {files.protocol} if isinstance(files.protocol, str) else set(files.protocol)
    options = {key: value for key, value in files.storage_options.items() if key not in {"asynchronous", "loop"}}
    if protocols & set(_HTTP):
        return HttpService(options, policy), store.path
    if protocols & set(_S3):
        return S3Service(f"s3://{store.path}", options, policy), store.path
    return FsspecService(files.unstrip_protocol(store.path), options, policy, files), store.path
