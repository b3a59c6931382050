"""A web server of files with a latency, that counts what it is asked and misbehaves as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["WebServer", "serve_files"]


@dataclass
class WebServer:
    """What the server does, and what it has seen.

    Parameters
    ----------
    root : Path
        Folder of the files.
    delay : float
        Seconds before every answer.
    misbehave : callable, optional
        Given the number of a request, 1 the first, and its path: what to do instead of answering. A status, "drop" to
        close the connection without an answer, "cut" to close it in the midst of one, "ignore" to answer with the whole
        file, "stall" never to answer, or None to behave.
    suffixes : bool or "short"
        Whether ranges may be counted from the end; "short" ones may not be longer than the file.
    part_status : int
        Status of an answer with a part of a file.
    etags : bool
        Whether answers have an ETag.
    """

    root: Path
    delay: float = 0.0
    misbehave: Callable[[int, str], int | str | None] | None = None
    suffixes: bool | str = True
    part_status: int = 206
    etags: bool = True
    url: str = ""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    sent: int = 0
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)

    def forget(self) -> None:
        """Count from zero."""
        with self.lock:
            self.requests.clear()
            self.sent = self.most_at_once = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        state: WebServer = self.server.state
        with state.lock:
            state.requests.append((self.path, self.headers.get("Range")))
            number = len(state.requests)
            state.at_once += 1
            state.most_at_once = max(state.most_at_once, state.at_once)
        try:
            if state.delay:
                time.sleep(state.delay)
            self._send(state, state.misbehave(number, self.path) if state.misbehave else None, body=body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with state.lock:
                state.at_once -= 1

    def _send(self, state: WebServer, how: int | str | None, *, body: bool) -> None:
        if how == "stall":
            state.stop.wait(30)
        if how in {"drop", "stall"}:
            self.close_connection = True
            return
        if isinstance(how, int):
            self._status(how, b"", {"Retry-After": "0"} if how == 503 else {})
            return
        path = state.root / self.path.lstrip("/").partition("?")[0]
        if not path.is_file():
            self._status(404, b"", {})
            return
        about = path.stat()
        start, end, status = 0, about.st_size, 200
        size = end
        etag = f'"{about.st_mtime_ns:x}-{size:x}"'
        headers = {"Last-Modified": formatdate(about.st_mtime, usegmt=True), "Accept-Ranges": "bytes"}
        if state.etags:
            headers["ETag"] = etag
            if self.headers.get("If-Match", etag) != etag:
                self._status(412, b"", headers)
                return
        wanted = self.headers.get("Range")
        if wanted is not None and how != "ignore":
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            if not first and not state.suffixes:
                self._status(501, b"", {})
                return
            if not first and state.suffixes == "short" and int(last) > size:
                self._status(416, b"", {})
                return
            start = int(first) if first else max(0, size - int(last))
            end = min(size, int(last) + 1) if first and last else size
            if start >= size:
                self._status(416, b"", {"Content-Range": f"bytes */{size}"})
                return
            status = state.part_status
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(end - start)
        if how == "cut":
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self._status(status, data if body else b"", headers, len(data))
        with state.lock:
            state.sent += len(data)

    def _status(self, status: int, data: bytes, headers: dict[str, str], length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # 64 connections come at once

    def handle_error(self, *_: object) -> None:
        pass  # connections that readers give up


@contextmanager
def serve_files(root: Path, **how: Any) -> Iterator[WebServer]:
    """Serve the files of a folder while this lasts."""
    state = WebServer(root, **how)
    server: Any = _Server(("127.0.0.1", 0), _Handler)
    server.state = state
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
