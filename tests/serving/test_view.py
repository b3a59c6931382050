"""``rrip view``: the server on this machine, and the page for others."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
import threading
import urllib.parse
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from kinds import serve

from rrip_format.cli import main
from rrip_format.errors import FormatError, NotFoundError, TargetError
from rrip_format.serving.page import PAGE_TYPES, export_page, page_files
from rrip_format.serving.parts import parse_range
from rrip_format.serving.view import ViewServer


@contextmanager
def serving(*slides):
    with ViewServer([str(slide) for slide in slides]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, answer.headers


def test_ranges_of_a_file_are_its_bytes(kinds):
    data = kinds.tif.read_bytes()
    with serving(kinds.tif) as server:
        [listed] = json.loads(ask(server, "/slides.json")[1])
        assert listed["name"] == kinds.tif.name
        path = f"/{listed['url']}"
        assert ask(server, path)[:2] == (200, data)
        for wanted, expected in (
            ("bytes=0-15", data[:16]),
            ("bytes=100-", data[100:]),
            ("bytes=-20", data[-20:]),
            (f"bytes=5-{2 * len(data)}", data[5:]),
        ):
            status, body, headers = ask(server, path, Range=wanted)
            assert (status, body) == (206, expected)
            assert headers["Content-Range"].endswith(f"/{len(data)}")
        assert ask(server, path, Range=f"bytes={len(data)}-")[0] == 416
        status, body, headers = ask(server, path, "HEAD")
        assert (status, body, headers["Content-Length"]) == (200, b"", str(len(data)))


def test_keys_of_a_folder_are_its_files_and_no_others(kinds):
    (kinds.zarr / "notes.txt").write_text("private")
    try:
        with serving(kinds.tif, kinds.zarr) as server:
            root = f"/slides/1/{kinds.zarr.name}"
            for key in ("zarr.json", "base/0/c/0/1/1", "0/c/0/1/1", "icc_profile/c/0", "associated/macro/c/0/0/0"):
                assert ask(server, f"{root}/{key}")[:2] == (200, (kinds.zarr / key).read_bytes()), key
            for key in ("notes.txt", "../slide.rrip.tif", "0/c/0/0/0", "base/0/c/0/01/1", "", "zarr.json/", "%2e%2e/x"):
                assert ask(server, f"{root}/{key}")[0] == 404, key
    finally:
        (kinds.zarr / "notes.txt").unlink()


def test_nothing_else_is_served(kinds):
    with serving(kinds.tif) as server:
        for path in (
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/..%2f..%2fetc/passwd",
            "/package.json",
            "/page",
            "/page/../package.json",
            f"/slides/0/{kinds.tif.name}/x",
            f"/slides/-1/{kinds.tif.name}",
            f"/slides/99999999999/{kinds.tif.name}",
            "/slides/0/other.rrip.tif",
            "/slides/0/%00",
            "/page/page.js%00",
        ):
            assert ask(server, path)[0] == 404, path


def test_the_page_and_its_policy(kinds):
    with serving(kinds.tif) as server:
        for path in ("/", *(f"/{name}" for name in page_files())):
            status, body, headers = ask(server, path)
            assert status == 200
            assert body
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["Content-Type"] in PAGE_TYPES.values()


def test_other_names_of_this_machine_are_refused(kinds):
    """A site whose name has come to mean 127.0.0.1 could read slides through a visitor's browser."""
    with serving(kinds.tif) as server:
        assert ask(server, "/slides.json", Host="evil.example")[0] == 421
        assert ask(server, "/slides.json", Host=f"localhost:{server.server_port}")[0] == 200


def test_what_is_no_container_is_an_error(tmp_path, kinds):
    (tmp_path / "text.tif").write_text("no slide")
    with pytest.raises(FormatError):
        ViewServer([str(tmp_path / "text.tif")])
    with pytest.raises(NotFoundError):
        ViewServer([str(tmp_path / "absent.rrip.tif")])
    with serving(kinds.tif) as server, pytest.raises(TargetError, match="choose another"):
        ViewServer([], server.server_port)


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("bytes=0-0", (0, 1)), ("bytes=-99", (0, 9)), ("bytes=1-2,4-5", None), ("lines=1-2", None)],
)
def test_ranges(header, expected):
    assert parse_range(header, 9) == expected


@pytest.mark.parametrize("header", ["bytes=9-", "bytes=5-4", "bytes=-0"])
def test_ranges_that_are_not_there(header):
    with pytest.raises(ValueError, match="no bytes"):
        parse_range(header, 9)


def test_export(tmp_path):
    result = CliRunner().invoke(main, ["view", "--export", str(tmp_path / "site"), "a.rrip.tif", "https://host/b.rrip"])
    assert result.exit_code == 0, result.output
    written = {
        path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*") if path.is_file()
    }
    assert written == {*page_files(), "slides.json"}
    listed = json.loads((tmp_path / "site/slides.json").read_text())
    assert [each["url"] for each in listed] == ["a.rrip.tif", "https://host/b.rrip"]
    assert "openseadragon.LICENSE.txt" in {name.rpartition("/")[2] for name in written}
    assert export_page(tmp_path / "site") == len(written)


def test_export_of_a_path_of_this_machine(tmp_path):
    result = CliRunner().invoke(main, ["view", "--export", str(tmp_path / "site"), str(tmp_path / "a.rrip.tif")])
    assert result.exit_code == 1
    assert "no address for browsers" in result.output
    assert not (tmp_path / "site").exists()


def test_export_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError):
        export_page(tmp_path / "file")


def test_a_slide_of_another_server(kinds):
    """The page may not read other origins: what is named by URL comes through this server."""
    pytest.importorskip("fsspec")
    with serve(kinds.tif.parent) as other, serving(f"{other.url}/{kinds.tif.name}") as server:
        [listed] = json.loads(ask(server, "/slides.json")[1])
        status, body, _ = ask(server, f"/{listed['url']}", Range="bytes=-100")
        assert (status, body) == (206, kinds.tif.read_bytes()[-100:])


def test_the_command_ends_with_an_interrupt(kinds, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(ViewServer, "serve_forever", interrupt)
    result = CliRunner().invoke(main, ["view", str(kinds.tif)])
    assert result.exit_code == 0, result.output
    assert opened == [result.output.split()[0]]
    assert opened[0].startswith("http://127.0.0.1:")
    assert CliRunner().invoke(main, ["view"]).exit_code == 2


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="whose file systems refuse such names")
@pytest.mark.parametrize("name", [b"no\xffunicode.rrip.tif", b"a #1?%20 b.rrip.tif", b"new\nline.rrip.tif"])
def test_names_that_are_hard_to_put_into_addresses(name, kinds, tmp_path, monkeypatch):
    path = tmp_path / os.fsdecode(name)
    shutil.copy(kinds.tif, path)
    with serving(path) as server:
        (listed,) = json.loads(ask(server, "/slides.json")[1])
        assert ask(server, f"/{listed['url']}")[:2] == (200, path.read_bytes())
    monkeypatch.chdir(tmp_path)
    export_page(tmp_path / "page", [path.name])
    (listed,) = json.loads((tmp_path / "page" / "slides.json").read_text("utf-8"))
    assert urllib.parse.unquote_to_bytes(listed["url"]) == name
    assert urllib.parse.urlsplit(listed["url"]).path == listed["url"]
