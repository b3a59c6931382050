"""What stands between a reader and a web server: proxies, certificates, pages for logging in."""

from __future__ import annotations

import logging
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import rrip_format
from rrip_format.errors import StorageError

pytest.importorskip("aiohttp")


class Server(ThreadingHTTPServer):
    """Answers every URL with a file by ranges, or with a web page."""

    daemon_threads = True

    def __init__(self, data: bytes, context: ssl.SSLContext | None = None, *, is_page: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.is_page, self.paths = data, is_page, []
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass  # clients that do not trust it hang up

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.paths.append(self.path)
        data, status = self.server.data, 206
        if self.server.is_page:
            data, status = b"<!doctype html><title>Log in</title>", 200
        else:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, len(data) - int(last))
            end = min(int(last) + 1, len(data)) if first and last else len(data)
            data, total = data[start:end], len(data)
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        self.send_header("Content-Type", "text/html; charset=utf-8" if status == 200 else "image/tiff")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def data(kinds):
    return kinds.tif.read_bytes()


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_proxy_of_the_environment_is_used(data, kinds, monkeypatch, no_proxy):
    url = "http://slides.example.invalid/slide.rrip.tif"
    with Server(data) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        assert (rrip_format.imread(url) == rrip_format.imread(kinds.tif)).all()
        assert set(proxy.paths) == {url}
        monkeypatch.setenv("no_proxy", "example.invalid")
        monkeypatch.setenv("RRIP_RETRIES", "0")
        with pytest.raises(StorageError, match="cannot be read"):
            rrip_format.open(url)


def test_a_certificate_that_is_not_trusted_is_named_at_once(data, kinds, tmp_path, caplog, no_proxy):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem"
    names = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *names], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with Server(data, context) as server, caplog.at_level(logging.WARNING, "rrip_format"):
        url = f"https://127.0.0.1:{server.server_port}/slide.rrip.tif"
        with pytest.raises(StorageError, match=r"certificate is not trusted: .*self.signed.*SSL_CERT_FILE"):
            rrip_format.open(url)
        assert not caplog.records  # it is not tried again
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        seen = rrip_format.imread(url, storage_options={"ssl": trusting})
    assert (seen == rrip_format.imread(kinds.tif)).all()


def test_a_page_for_logging_in_is_no_slide(data, no_proxy):
    with (
        Server(data, is_page=True) as server,
        pytest.raises(StorageError, match="sent a web page instead of the file; log in there"),
    ):
        rrip_format.open(f"http://127.0.0.1:{server.server_port}/slide.rrip.tif")
