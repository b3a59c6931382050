"""Files of a web server, read by byte ranges through the session of fsspec's HTTP file system."""

from __future__ import annotations

import asyncio
import os
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..errors import StorageError
from .event_loop import call
from .fsspec_service import make_fsspec_store
from .services import Absent, Policy, Reply, Request, Transient, Version, refuse, replaced

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["HttpService"]

_TRANSIENT = {408, 425, 429, 500, 502, 503, 504, 509}

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class HttpService:
    """Files with ``http://`` or ``https://`` URLs as paths; presigned URLs are used unchanged.

    Parameters
    ----------
    options : dict
        Options of fsspec's HTTP file system: ``headers``, ``client_kwargs``, ``auth`` …
    policy : Policy
        How often and how long to try.

    Raises
    ------
    ImportError
        If fsspec or aiohttp is not installed.
    """

    def __init__(self, options: dict[str, Any], policy: Policy) -> None:
        # As other programs do, so that slides are reached from behind a proxy (HTTPS_PROXY, NO_PROXY, ~/.netrc).
        client = {"trust_env": True, **options.get("client_kwargs", {})}
        self._options, self._policy = {**options, "client_kwargs": client}, policy
        self._connect()

    def _connect(self) -> None:
        import aiohttp  # noqa: F401  (fsspec imports it late, and then raises another type)
        import fsspec

        self._files, self._process = fsspec.filesystem("http", **self._options), os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return HttpService, (self._options, self._policy)

    async def get(self, path: str, request: Request) -> Reply:
        """Read a file or a part of it; a part is shortened if the file ends before."""
        if self._process != os.getpid():  # connections and event loops do not survive a fork
            self._connect()
        return await call(self._get(path, request), self._files.loop)

    async def _get(self, url: str, request: Request) -> Reply:
        import aiohttp

        session = await self._files.set_session()
        options = dict(self._files.kwargs)
        timeout = aiohttp.ClientTimeout(None, sock_connect=self._policy.timeout, sock_read=self._policy.timeout)
        headers = {**options.pop("headers", {}), **_headers(request)}
        options.setdefault("timeout", timeout)
        try:
            address = self._as_it_is(url)
        except ValueError as error:
            raise StorageError(f"{url}: is not a valid URL: {error}") from error
        try:
            async with session.get(address, headers=headers, **options) as response:
                if response.status == 416 and request.version is None:
                    return Reply(b"", _empty_version(response.headers))
                _check(url, request, response.status, response.headers)
                try:
                    return await _read(url, request, response)
                except BaseException:
                    response.close()  # otherwise the rest would be read to keep the connection
                    raise
        except (aiohttp.ClientError, TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
            if isinstance(error, aiohttp.InvalidURL):
                raise StorageError(f"{url}: is not a valid URL") from error
            if isinstance(error, aiohttp.TooManyRedirects | aiohttp.RedirectClientError):
                raise StorageError(
                    f"{url}: is redirected to where nothing can be read: {type(error).__name__}"
                ) from error
            if isinstance(error, aiohttp.ClientConnectorCertificateError):
                raise StorageError(
                    f"{url}: the server's certificate is not trusted: {error.certificate_error}; name the "
                    "certificate of its authority in SSL_CERT_FILE"
                ) from error
            raise Transient(f"{type(error).__name__}: {error}".rstrip(": ")) from error

    def _as_it_is(self, url: str) -> Any:
        """Return a URL with its signed query unchanged, and everything else quoted where needed."""
        import yarl

        is_quoted = "?" in url and url.isascii() and not any(character.isspace() for character in url)
        return yarl.URL(url, encoded=True) if is_quoted else self._files.encode_url(url)

    async def sizes(self, prefix: str) -> list[tuple[str, int]] | None:  # noqa: ARG002
        """Return None, because web servers have no listings that programs can rely on."""
        return None

    async def put(self, path: str, file: str) -> None:  # noqa: ARG002
        """Raise `StorageError`: web servers are read-only here."""
        raise StorageError(f"{path}: HTTP is read-only; name the bucket (s3://, gs://, az://) instead")

    async def remove(self, path: str) -> None:
        """Raise `StorageError`: web servers are read-only here."""
        await self.put(path, "")

    def make_store(self, root: str) -> Store:
        """Make a read-only Zarr store of the files below a URL."""
        return make_fsspec_store(root, self._options)


def _headers(request: Request) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if request.length is not None:
        start = request.start
        headers["Range"] = (
            f"bytes=-{request.length}" if start is None else f"bytes={start}-{start + request.length - 1}"
        )
    etag = request.version.etag if request.version is not None else None
    if etag is not None and not etag.startswith("W/"):  # weak tags never match
        headers["If-Match"] = etag
    return headers


def _empty_version(headers: Any) -> Version:
    """Return the version of a file that has no bytes in the requested range, as an empty one."""
    total = headers.get("Content-Range", "").rpartition("/")[2]
    return Version(int(total) if total.isdecimal() else 0)


def _phrase(status: int) -> str:
    """Return the name of an HTTP status, empty if unknown."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _check(url: str, request: Request, status: int, headers: Any) -> None:
    """Raise for every status except success."""
    phrase = f"HTTP status {status} {_phrase(status)}".rstrip()
    if status in _TRANSIENT:
        raise Transient(phrase, _seconds(headers.get("Retry-After", "")))
    if status in {404, 410}:
        raise Absent(phrase)
    if status in {401, 403, 407}:
        raise refuse(url, phrase)
    if status == 412 or (status == 416 and request.version is not None):
        raise replaced(url)
    if status not in {200, 206}:
        raise StorageError(f"{url}: the server answered with {phrase}")
    if headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
        raise StorageError(
            f"{url}: the server compresses the file ({headers['Content-Encoding']}), so it has no byte ranges; turn "
            "that off, or download the file"
        )


async def _read(url: str, request: Request, response: Any) -> Reply:
    """Read the body of a response, but no more than was requested."""
    headers = response.headers
    length = int(headers["Content-Length"]) if headers.get("Content-Length", "").isdecimal() else None
    size = length
    if response.status == 206 or (request.length is not None and "Content-Range" in headers):  # some call that 200
        match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if match is None:
            raise StorageError(f"{url}: the server does not state which bytes it sends (no valid Content-Range)")
        first, last = int(match[1]), int(match[2])
        size = None if match[3] == "*" else int(match[3])
        if request.length is None or last - first + 1 > request.length or request.start not in {None, first}:
            raise StorageError(f"{url}: the server sent bytes {first} … {last}, which were not requested")
        wanted = last - first + 1
    elif request.length is None:
        wanted = request.most + 1 if length is None else min(length, request.most + 1)
    elif headers.get("Content-Type", "").lower().startswith("text/html"):
        raise StorageError(f"{url}: the server sent a web page instead of the file; log in there, or check the address")
    elif length is not None and length <= request.length and not request.start:
        wanted = length  # the range covers the whole file
    else:
        raise StorageError(
            f"{url}: the server does not support byte ranges and sent the whole file; use one that does (S3, nginx, "
            "Apache …), or read a copy (simplecache::, or download it)"
        )
    version = Version(size, headers.get("ETag"), headers.get("Last-Modified"))
    if request.version is not None and request.version.differs(version):
        raise replaced(url)
    if length is None and request.length is None:
        data = await _read_most(response.content, wanted)
    else:
        data = await response.content.readexactly(wanted)
    return Reply(data, version)


async def _read_most(content: Any, most: int) -> bytes:
    data = b""
    while len(data) < most and (more := await content.read(most - len(data))):
        data += more
    return data


def _seconds(text: str) -> float:
    """Return the seconds of ``Retry-After``; 0 for a date."""
    return float(text) if text.isdecimal() else 0.0
