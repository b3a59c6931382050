"""The downloader of test slides, against a server on this machine."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import stat
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

pytest.importorskip("pooch")


@pytest.fixture(scope="module")
def tool():
    path = Path(__file__).resolve().parents[2] / "tools" / "benchmarks" / "download_slides.py"
    spec = importlib.util.spec_from_file_location("download_slides", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.pooch.get_logger().setLevel("ERROR")
    return module


class _Handler(BaseHTTPRequestHandler):
    """Ranges as real servers do them; a connection that breaks after so many bytes, if it is told to."""

    def do_GET(self) -> None:
        state = self.server.state
        state.requests.append((self.path, self.headers.get("Range")))
        data = state.files.get(self.path.lstrip("/"))
        if data is None:
            self.send_error(404)
            return
        start = 0
        if self.headers.get("Range") and state.ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        breaks = state.breaks_at if not self.path.endswith("index.json") else None
        state.breaks_at = None if breaks is not None else state.breaks_at
        self.wfile.write(data[start:breaks])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server():
    state = SimpleNamespace(files={}, requests=[], breaks_at=None, ranges=True)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.state = state
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/"

    def publish(name: str, data: bytes, sha256: str | None = None) -> None:
        state.files[name] = data
        index = json.loads(state.files.get("index.json", b"{}"))
        index[name] = {"sha256": sha256 or hashlib.sha256(data).hexdigest(), "size": len(data), "description": "test"}
        state.files["index.json"] = json.dumps(index).encode()

    state.publish = publish
    state.ranges_asked = lambda name: [asked for path, asked in state.requests if path == "/" + name]
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


SLIDE = bytes(range(256)) * 9000


def test_whole_download(tool, server, tmp_path):
    server.publish("Aperio/a.svs", SLIDE)
    path = tool.download("Aperio/a.svs", tmp_path, server=server.url, pinned={})
    assert path == tmp_path / "Aperio" / "a.svs"
    assert path.read_bytes() == SLIDE
    assert [p.name for p in path.parent.iterdir()] == ["a.svs"]
    tool.download("Aperio/a.svs", tmp_path, server=server.url, pinned={})
    assert server.ranges_asked("Aperio/a.svs") == [None]  # the second time it is there


def test_a_broken_download_continues(tool, server, tmp_path):
    server.publish("a.svs", SLIDE)
    server.breaks_at = 1_500_000
    with pytest.raises(tool.DownloadError, match="run again to continue"):
        tool.download("a.svs", tmp_path, server=server.url, pinned={})
    kept = (tmp_path / "a.svs.part").stat().st_size
    assert 0 < kept <= 1_500_000
    assert not (tmp_path / "a.svs").exists()
    assert tool.download("a.svs", tmp_path, server=server.url, pinned={}).read_bytes() == SLIDE
    assert server.ranges_asked("a.svs") == [None, f"bytes={kept}-"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.svs"]


@pytest.mark.parametrize("ranges", [True, False])
def test_what_was_kept_may_be_all_or_too_much(tool, server, tmp_path, ranges):
    server.publish("a.svs", SLIDE)
    server.ranges = ranges
    for kept in (SLIDE, SLIDE + b"more"):
        (tmp_path / "a.svs").unlink(missing_ok=True)
        (tmp_path / "a.svs.part").write_bytes(kept)
        assert tool.download("a.svs", tmp_path, server=server.url, pinned={}).read_bytes() == SLIDE


def test_a_server_without_ranges_starts_again(tool, server, tmp_path):
    server.publish("a.svs", SLIDE)
    server.ranges = False
    (tmp_path / "a.svs.part").write_bytes(b"something")
    assert tool.download("a.svs", tmp_path, server=server.url, pinned={}).read_bytes() == SLIDE


def test_wrong_checksums(tool, server, tmp_path):
    server.publish("a.svs", SLIDE, sha256="0" * 64)
    with pytest.raises(tool.DownloadError, match="SHA-256 is not 0000"):
        tool.download("a.svs", tmp_path, server=server.url, pinned={})
    assert list(tmp_path.iterdir()) == []  # wrong bytes are not kept to be continued
    with pytest.raises(tool.DownloadError, match="tests pin"):
        tool.download("a.svs", tmp_path, server=server.url, pinned={"a.svs": "1" * 64})


def test_a_wrong_beginning_is_noticed(tool, server, tmp_path):
    server.publish("a.svs", SLIDE)
    (tmp_path / "a.svs.part").write_bytes(b"x" * 1000)
    with pytest.raises(tool.DownloadError, match="run again"):
        tool.download("a.svs", tmp_path, server=server.url, pinned={})
    assert tool.download("a.svs", tmp_path, server=server.url, pinned={}).read_bytes() == SLIDE


def test_names(tool, server, tmp_path):
    server.publish("Aperio/a.svs", SLIDE)
    with pytest.raises(tool.DownloadError, match=r"do you mean Aperio/a\.svs"):
        tool.download("a.svs", tmp_path, server=server.url, pinned={})
    del server.files["index.json"]
    with pytest.raises(tool.DownloadError, match=r"index\.json"):
        tool.download("Aperio/a.svs", tmp_path, server=server.url, pinned={})
    known = {"Aperio/a.svs": hashlib.sha256(SLIDE).hexdigest()}
    assert tool.download("Aperio/a.svs", tmp_path, server=server.url, pinned=known).read_bytes() == SLIDE


def archive(*members: str | zipfile.ZipInfo) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for member in members:
            target.writestr(member, b"content")
    return file.getvalue()


def test_archives_are_unpacked(tool, server, tmp_path):
    server.publish("Mirax/b.zip", archive("b.mrxs", "b/Data0000.dat"))
    folder = tool.download("Mirax/b.zip", tmp_path, server=server.url, pinned={})
    assert folder == tmp_path / "Mirax" / "b"
    assert (folder / "b" / "Data0000.dat").read_bytes() == b"content"
    assert sorted(p.name for p in folder.parent.iterdir()) == ["b", "b.zip"]


def symbolic_link() -> zipfile.ZipInfo:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize("member", ["../evil", "a/../../evil", "/evil", "C:\\evil", "..\\evil", symbolic_link()])
def test_archives_stay_in_their_folder(tool, server, tmp_path, member):
    server.publish("b.zip", archive("good", member))
    with pytest.raises(tool.DownloadError, match="refuses to unpack"):
        tool.download("b.zip", tmp_path / "in", server=server.url, pinned={})
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["b.zip"]
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_command(tool, server, tmp_path):
    server.publish("Aperio/a.svs", SLIDE)
    run = CliRunner().invoke
    listing = run(tool.main, ["--list", "--server", server.url])
    assert listing.output == "Aperio/a.svs\t2 MB\ttest\n"
    done = run(tool.main, ["Aperio/a.svs", "--to", str(tmp_path), "--server", server.url])
    assert done.output == f"{tmp_path / 'Aperio' / 'a.svs'}\n"
    missing = run(tool.main, ["none.svs", "--to", str(tmp_path), "--server", server.url])
    assert missing.exit_code == 1
    assert "not in the index" in str(missing.exception)


def test_pinned_checksums_are_checksums(tool):
    assert all(len(bytes.fromhex(known)) == 32 for known in tool.PINNED.values())
    assert tool.PINNED["Aperio/CMU-1-Small-Region.svs"].startswith("ed92d5a9")


def test_the_pinned_checksum_is_that_of_the_slide(tool, testdata):
    slide = testdata("CMU-1-Small-Region.svs")
    assert hashlib.sha256(slide.read_bytes()).hexdigest() == tool.PINNED["Aperio/CMU-1-Small-Region.svs"]
