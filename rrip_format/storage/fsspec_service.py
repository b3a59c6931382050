"""Objects in a bucket or any other file system of fsspec, read through its asynchronous methods."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ..errors import StorageError
from .event_loop import call
from .services import Absent, NoBucket, Policy, Reply, Request, Transient, Version, may_pass, refuse, replaced

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["FsspecService", "S3Service", "make_fsspec_store"]


_WRITING = {"put_file", "makedirs", "rm_file"}


class FsspecService:
    """Objects of an fsspec file system; their paths are those that fsspec derives from URLs.

    File systems have no conditional reads, so the version is requested before each read.

    Parameters
    ----------
    url : str
        URL of an object or folder; may be chained.
    options : dict
        ``storage_options`` of fsspec.
    policy : Policy
        How often and how long to try.
    files : fsspec file system, optional
        The file system of the URL, if a caller has made it.

    Raises
    ------
    ImportError
        If the package for this kind of URL is not installed.
    ValueError
        If no file system handles the URL.
    """

    def __init__(self, url: str, options: dict[str, Any], policy: Policy, files: Any = None) -> None:
        self._url, self._options, self._policy, self._given = url, options, policy, files
        self._connect()

    def _connect(self) -> None:
        from fsspec.core import url_to_fs

        if self._given is None:
            self._files, self.path = url_to_fs(self._url, **self._options)
        else:
            self._files, self.path = self._given, self._given._strip_protocol(self._url)  # noqa: SLF001
        self._process = os.getpid()

    def _refresh(self) -> None:
        """Connect again after a fork, because connections and event loops do not survive it."""
        if self._process != os.getpid():
            self._connect()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._url, self._options, self._policy, self._given)

    @property
    def _is_async(self) -> bool:
        """Whether its coroutines can be awaited here; asynchronous instances are bound to their own loop."""
        return bool(getattr(self._files, "async_impl", False)) and not self._files.asynchronous

    async def _do(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the file system, as a coroutine or in a thread, and translate its errors."""
        self._refresh()
        try:
            async with asyncio.timeout(max(self._policy.timeout, 1.0) * 4):
                if self._is_async:
                    coroutine: Coroutine[Any, Any, Any] = getattr(self._files, f"_{name}")(*args, **kwargs)
                    return await call(coroutine, self._files.loop)
                return await asyncio.to_thread(getattr(self._files, name), *args, **kwargs)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, KeyError) as error:
            raise Absent(str(error)) from error
        except PermissionError as error:
            raise refuse(self._url, str(error) or "403") from error
        except (StorageError, Absent, Transient):
            raise
        except (TimeoutError, ConnectionError) as error:
            raise Transient(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except Exception as error:  # each file system has its own exceptions
            status = _status_of(error)
            text = f"{type(error).__name__}: {error}"
            if status in {401, 403}:
                raise refuse(self._url, text) from error
            if status == 404:
                raise Absent(text) from error
            passes = isinstance(error, OSError) and may_pass(error)
            if status in {408, 429} or (status is not None and status >= 500) or passes:
                raise Transient(text) from error
            done = "written" if name in _WRITING else "read"
            raise StorageError(f"{self._url}: cannot be {done}: {text}") from error

    async def get(self, path: str, request: Request) -> Reply:
        """Read an object or a part of it; a part is shortened if the object ends before."""
        asks = request.length is not None and (request.version is None or request.start is None)
        version = await self._version(path) if asks or request.version is not None else Version()
        if request.version is not None and request.version.differs(version):
            raise replaced(path)
        start, end = request.start, request.most + 1
        if request.length is not None:
            size = version.size or 0
            start = max(0, size - request.length) if start is None else start
            end = min(start + request.length, size)
        if start is None or end <= start:
            return Reply(b"", version)
        return Reply(bytes(await self._do("cat_file", path, start=start, end=end)), version)

    async def _version(self, path: str) -> Version:
        found = await self._do("info", path)
        if found.get("type") == "directory":
            raise Absent(f"{path} is a folder")
        if found.get("size") is None:
            raise StorageError(f"{path}: the service does not state its size, which byte ranges need; download it")
        etag = found.get("ETag") or found.get("etag") or found.get("md5Hash")
        times = [found.get(name) for name in ("LastModified", "last_modified", "mtime", "updated", "modified")]
        modified = next((str(time) for time in times if time is not None), None)
        return Version(int(found["size"]), None if etag is None else str(etag), modified)

    async def sizes(self, prefix: str) -> list[tuple[str, int]] | None:
        """List (path below `prefix`, bytes) of every object there."""
        try:
            found = await self._do("find", prefix, withdirs=False, detail=True)
        except (NotImplementedError, Absent):
            return None
        start = f"{prefix.rstrip('/')}/".lstrip("/")
        entries = [(name.lstrip("/").removeprefix(start), entry.get("size")) for name, entry in found.items()]
        return [(name, int(size)) for name, size in entries if size is not None]

    async def put(self, path: str, file: str) -> None:
        """Store a local file as an object."""
        if not self._is_async:
            parent = path.rpartition("/")[0]
            if parent:
                await self._do("makedirs", parent, exist_ok=True)
        await self._do("put_file", file, path)

    async def remove(self, path: str) -> None:
        """Remove an object."""
        await self._do("rm_file", path)

    def make_store(self, root: str) -> Store:
        """Make a read-only Zarr store of the objects below a path."""
        return make_fsspec_store(
            self._files.unstrip_protocol(root) if "::" not in self._url else self._url, self._options
        )


def make_fsspec_store(url: str, options: dict[str, Any]) -> Store:
    """Make a read-only Zarr store for a URL."""
    from zarr.storage import FsspecStore

    return FsspecStore.from_url(url, storage_options=options, read_only=True)


class S3Service(FsspecService):
    """Objects of S3 and compatible services, read through the client of s3fs on condition of their version."""

    async def get(self, path: str, request: Request) -> Reply:
        """Read an object or a part of it; a part is shortened if the object ends before."""
        self._refresh()
        return await call(self._get(path, request), self._files.loop)

    async def _get(self, path: str, request: Request) -> Reply:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        client = await self._files.set_session()
        bucket, key, _ = self._files.split_path(path)
        wanted = {"Bucket": bucket, "Key": key, **self._files.req_kw}
        last = "" if request.length is None else (request.start or 0) + request.length - 1
        if request.length is not None:
            wanted["Range"] = f"bytes=-{request.length}" if request.start is None else f"bytes={request.start}-{last}"
        if request.version is not None and request.version.etag is not None:
            wanted["IfMatch"] = request.version.etag
        try:
            async with asyncio.timeout(self._policy.timeout * 4):
                answer = await client.get_object(**wanted)
                return await _read_s3(path, request, answer)
        except NoCredentialsError as error:
            raise refuse(path, str(error)) from error
        except ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            if status == 404:
                kind = NoBucket if error.response.get("Error", {}).get("Code") == "NoSuchBucket" else Absent
                raise kind(str(error)) from error
            if status in {401, 403}:
                raise refuse(path, str(error)) from error
            if status == 416 and request.version is None:
                return Reply(b"", Version(0))
            if status in {412, 416}:
                raise replaced(path) from error
            if status in {408, 429} or status >= 500:
                raise Transient(str(error)) from error
            raise StorageError(f"{path}: cannot be read: {error}") from error
        except (BotoCoreError, TimeoutError, OSError) as error:
            if isinstance(error, StorageError):
                raise
            raise Transient(f"{type(error).__name__}: {error}".rstrip(": ")) from error


async def _read_s3(path: str, request: Request, answer: dict[str, Any]) -> Reply:
    """Read the body of a response, but no more than was requested."""
    total = answer.get("ContentRange", "").rpartition("/")[2]
    size = int(total) if total.isdecimal() else int(answer["ContentLength"])
    version = Version(size, answer.get("ETag"), str(answer.get("LastModified")))
    if request.version is not None and request.version.differs(version):
        raise replaced(path)
    most = int(answer["ContentLength"])
    if request.length is None:
        most = min(most, request.most + 1)
    elif most > request.length:
        answer["Body"].close()
        raise StorageError(f"{path}: the service sent {most} bytes instead of the requested {request.length}")
    data, body = b"", answer["Body"]
    async with body:  # whose context is not the body itself in older versions of aiobotocore
        while len(data) < most and (more := await body.read(most - len(data))):
            data += more
    if len(data) < most:
        raise Transient(f"the response ends after {len(data)} of {most} bytes")
    return Reply(data, version)


def _status_of(error: Exception) -> int | None:
    """Return the HTTP status of an error, which file systems store under various names; None without one."""
    for name in ("status", "code", "status_code"):
        value = getattr(error, name, None)
        text = str(value)
        if text.isdecimal():
            return int(text)
    return None
