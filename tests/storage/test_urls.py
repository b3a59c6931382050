"""URLs that are hard to read, and what must not be shown of them."""

from __future__ import annotations

import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import rrip_format
from rrip_format.errors import StorageError, without_secrets

pytest.importorskip("aiohttp")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET6


class Handler(BaseHTTPRequestHandler):
    """Answers with the file of the server by ranges, with a status, or with a redirection."""

    def do_GET(self):
        kind = self.path.split("/")[1]
        if kind != "file":
            self.send_response(302 if kind.startswith("to-") else int(kind))
            self.send_header("Location", {"to-itself": self.path, "to-file": "file:///etc/hosts"}.get(kind, ""))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.server.data
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        start, end = (
            (int(first), min(int(last) + 1, len(data))) if first else (max(0, len(data) - int(last)), len(data))
        )
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self.wfile.write(data[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server(kinds):
    try:
        server = Server(("::1", 0), Handler)
    except OSError:
        pytest.skip("there is no IPv6 here")
    server.data = kinds.tif.read_bytes()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"[::1]:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_address_with_colons_is_no_chain(server, kinds):
    with rrip_format.open(f"http://{server}/file/a.rrip.tif") as slide, rrip_format.open(kinds.tif) as local:
        assert slide.dimensions == local.dimensions


@pytest.mark.parametrize("url", ["http://[::1/", "http://:80/", "http://host:99999/", "http:///"])
@pytest.mark.parametrize("name", ["a.rrip.tif", "a.rrip.zarr"])
def test_urls_that_are_none(url, name):
    with pytest.raises(StorageError, match="is not a valid URL"):
        rrip_format.open(f"{url}{name}")


@pytest.mark.parametrize("kind", ["to-itself", "to-file"])
def test_redirections_that_lead_nowhere_are_not_tried_again(server, kind, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(StorageError, match="is redirected to where nothing"):
        rrip_format.open(f"http://{server}/{kind}/a.rrip.tif")
    assert not caplog.records


@pytest.mark.parametrize("status", [403, 404, 503])
@pytest.mark.parametrize("name", ["a.rrip.tif", "a.rrip.zarr"])
def test_passwords_and_signatures_are_not_shown(server, status, name, caplog, monkeypatch):
    monkeypatch.setenv("RRIP_RETRIES", "1")
    url = f"http://user:pa%24s@{server}/{status}/{name}?X-Amz-Signature=abcdef&X-Amz-Date=2026&sig=a%2Bb"
    with caplog.at_level(logging.WARNING), pytest.raises(rrip_format.errors.RripError) as caught:
        rrip_format.open(url)
    text = f"{caught.value} {caplog.text}"
    assert "user:…@" in text
    assert "X-Amz-Date=2026" in text
    assert not [secret for secret in ("pa%24s", "abcdef", "a%2Bb") if secret in text]


@pytest.mark.parametrize("text", ["a:b@c", "C:\\a@b", "s3://bucket/a:b@c", "https://host/?signal=3", "slide.svs: cut"])
def test_what_is_no_secret_stays(text):
    assert without_secrets(text) == text
