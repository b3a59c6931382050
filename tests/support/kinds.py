"""The same slide in every kind of container, and a web server that records its requests."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from conftest import SUFFIXES, tissue

from rrip_format.containers.copying import transmux
from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.family.jpeg import encode

ICC = bytes(range(256)) * 3
MPP = (0.2431, 0.25)


def with_attachments(source: Path, target: Path) -> None:
    """Copy a container and add pixel size, ICC profile and associated images."""
    container = open_container(source)
    coding = container.metadata.coding
    slide = dataclasses.replace(container.metadata.slide, mpp=MPP)
    with open_writer(target) as writer:
        for level in range(coding.geometry.levels):
            for row, col in coding.geometry.tiles(level):
                tile = container.read_tile(level, row, col)
                if tile is not None:
                    writer.write_tile(level, row, col, tile)
        writer.write_associated("thumbnail", encode(tissue(30, 40), 90))
        writer.write_associated("macro", encode(tissue(50, 20), 90))
        writer.finish(dataclasses.replace(container.metadata, slide=slide), ICC)
    container.close()


def make_kinds(folder: Path, converted: SimpleNamespace) -> SimpleNamespace:
    """Return ``zarr``, ``zip`` and ``tif`` paths of one slide with attachments, and its ``decoded`` levels."""
    paths = [folder / f"slide{suffix}" for suffix in SUFFIXES]
    with_attachments(converted.path, paths[0])
    for path in paths[1:]:
        transmux(paths[0], path)
    return SimpleNamespace(zarr=paths[0], zip=paths[1], tif=paths[2], all=paths, decoded=converted.decoded)


def tiny_image() -> np.ndarray:
    """Return one family in each of two columns, the second one empty."""
    rgb = np.full((40, 300, 3), 255, np.uint8)
    rgb[:, :256] = tissue(40, 256, seed=9)
    return rgb


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.server.root / self.path.lstrip("/").partition("?")[0]
        self.server.requests.append((self.command, self.path, self.headers.get("Range")))
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        size, status = len(data), 200
        if self.headers.get("Range") and self.server.knows_ranges:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start = int(first) if first else size - int(last)
            end = min(size, int(last) + 1) if first and last else size
            data, status = data[start:end], 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        if self.server.knows_ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve(root: Path, *, knows_ranges: bool = True) -> Iterator[SimpleNamespace]:
    """Run a server of files: ``url`` and the list ``requests`` of (method, path, range)."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.root, server.requests, server.knows_ranges = root, [], knows_ranges
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", requests=server.requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
