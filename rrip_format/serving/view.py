"""``rrip view``: one page and the bytes of some containers, for a browser on this machine.

It needs nothing but the standard library. It listens on 127.0.0.1 alone, and answers only who calls it by that name, so
that no page of another site reads slides through it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from ..errors import NotFoundError, RripError, TargetError, one_line
from .page import PAGE_TYPES, page_files, slide_name
from .parts import FileParts, Parts, open_parts, parse_range

__all__ = ["ViewServer"]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
        "style-src 'self' 'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='; img-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer; the hash is that of a rule that OpenSeadragon adds to a page."""

_IDLE_SECONDS = 60
_BYTES_TYPE = "application/octet-stream"


class ViewServer(ThreadingHTTPServer):
    """A server of the page and of some containers on 127.0.0.1.

    Parameters
    ----------
    slides : sequence of str
        Paths and URLs of containers.
    port : int
        0 for any that is free.

    Raises
    ------
    RripError
        If one of them is no container.
    TargetError
        If the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, slides: Sequence[str], port: int = 0) -> None:
        self.files = page_files()
        self.slides: list[tuple[str, Parts]] = [(slide_name(slide), open_parts(slide)) for slide in slides]
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise TargetError(f"port {port} of 127.0.0.1 cannot be used: {one_line(error)}; choose another") from error
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.server_port}/"

    def listing(self) -> bytes:
        """List names and addresses of the slides, as the page reads them."""
        listed = [{"name": name, "url": f"slides/{k}/{quote(name)}"} for k, (name, _) in enumerate(self.slides)]
        return json.dumps(listed).encode()

    def find(self, path: str) -> tuple[Parts, str] | None:
        """Find the container that a path below ``/slides/`` names, and what follows its name."""
        number, _, rest = path.partition("/")
        if not (number.isascii() and number.isdigit() and len(number) < 6 and int(number) < len(self.slides)):
            return None
        name, parts = self.slides[int(number)]
        if rest != name and not rest.startswith(f"{name}/"):
            return None
        return parts, rest[len(name) + 1 :]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: ViewServer

    def do_GET(self) -> None:
        self._has_begun = False
        try:
            self._answer()
        except RripError as error:
            if self._has_begun:  # the length tells that something is missing
                self.close_connection = True
                return
            status = HTTPStatus.NOT_FOUND if isinstance(error, NotFoundError) else HTTPStatus.BAD_GATEWAY
            self._send(status, [f"{error}\n".encode()], kind="text/plain; charset=utf-8")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the browser has what it needs

    do_HEAD = do_GET  # noqa: N815  (names are those of the base class)

    def log_message(self, *_: object) -> None:
        """Print nothing: there is a request for each part of a slide."""

    def _answer(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, [])
            return
        path = unquote(urlsplit(self.path).path).removeprefix("/") or "index.html"
        if path == "slides.json":
            self._send(HTTPStatus.OK, [self.server.listing()], kind="application/json")
        elif path in self.server.files:
            file = self.server.files[path]
            self._send(HTTPStatus.OK, [file.read_bytes()], kind=PAGE_TYPES[PurePosixPath(path).suffix])
        elif path.startswith("slides/") and (found := self.server.find(path.removeprefix("slides/"))):
            self._send_part(*found)
        else:
            self._send(HTTPStatus.NOT_FOUND, [])

    def _send_part(self, parts: Parts, key: str) -> None:
        if isinstance(parts, FileParts):
            self._send_range(parts) if not key else self._send(HTTPStatus.NOT_FOUND, [])
            return
        value = parts.value(key)
        self._send(HTTPStatus.NOT_FOUND if value is None else HTTPStatus.OK, [value or b""])

    def _send_range(self, parts: FileParts) -> None:
        try:
            wanted = parse_range(self.headers.get("Range"), parts.size)
        except ValueError:
            headers = {"Content-Range": f"bytes */{parts.size}"}
            self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, [], headers=headers)
            return
        start, end = wanted or (0, parts.size)
        headers = {"Accept-Ranges": "bytes"}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{parts.size}"
        status = HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK
        self._send(status, parts.pieces(start, end), length=end - start, headers=headers)

    def _send(
        self,
        status: HTTPStatus,
        body: Iterable[bytes],
        *,
        length: int | None = None,
        kind: str = _BYTES_TYPE,
        headers: dict[str, str] | None = None,
    ) -> None:
        size = sum(map(len, body)) if isinstance(body, list) else length
        self.send_response(status)
        for name, value in {**_HEADERS, **(headers or {}), "Content-Type": kind, "Content-Length": str(size)}.items():
            self.send_header(name, value)
        self.end_headers()
        self._has_begun = True
        if self.command == "HEAD":
            return
        for piece in body:
            self.wfile.write(piece)
