"""``rrip serve``: decoded slides over HTTP, and nothing else."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.opening import open_container
from rrip_format.containers.zarr_reader import ZarrContainer
from rrip_format.errors import NotFoundError

uvicorn = pytest.importorskip("uvicorn")

from rrip_format.serving.app import make_app  # noqa: E402


@pytest.fixture(scope="module")
def served(tmp_path_factory, kinds):
    """A server of a folder with every kind of container, one damaged, and some that lie outside."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "deep").mkdir()
    for path in (kinds.tif, kinds.zip):
        shutil.copy(path, folder / "deep" / path.name)
    shutil.copytree(kinds.zarr, folder / kinds.zarr.name)
    data = bytearray(kinds.tif.read_bytes())
    opened = open_container(kinds.tif)
    assert not isinstance(opened, ZarrContainer)
    offset, length = opened.locate(0, 1, 1)
    opened.close()
    data[offset + length // 2] ^= 1
    (folder / "damaged.rrip.tif").write_bytes(data)
    outside = tmp_path_factory.mktemp("outside")
    shutil.copy(kinds.tif, outside / "secret.rrip.tif")
    (folder / "link.rrip.tif").symlink_to(outside / "secret.rrip.tif")
    (folder / "linked").symlink_to(outside)
    (folder / ".hidden.rrip.tif").write_bytes(kinds.tif.read_bytes())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)  # so that connections wait until the server is there
        server = uvicorn.Server(uvicorn.Config(make_app([folder]), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield SimpleNamespace(folder=folder, outside=outside, port=listener.getsockname()[1], kinds=kinds)
        server.should_exit = True
        thread.join()


def ask(served, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.putrequest(method, path)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, answer.headers


def test_the_list(served):
    status, body, headers = ask(served, "/", Origin="https://elsewhere.example")
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == "*"
    names = [each["name"] for each in json.loads(body)]
    assert sorted(names) == ["damaged.rrip.tif", "deep/slide.rrip.tif", "deep/slide.rrip.zarr.zip", "slide.rrip.zarr"]


@pytest.mark.parametrize("name", ["deep/slide.rrip.tif", "deep/slide.rrip.zarr.zip", "slide.rrip.zarr"])
def test_deep_zoom(served, name):
    status, body, _ = ask(served, f"/{name}.dzi")
    assert status == 200
    assert b'Width="900" Height="700"' in body
    status, body, headers = ask(served, f"/{name}_files/10/2_1.jpeg")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    with rrip_format.open(served.folder / name) as slide:
        expected = slide.read_region(0, 256, 512, 256, 256)
    found = np.asarray(Image.open(io.BytesIO(body)))
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 4
    assert Image.open(io.BytesIO(ask(served, f"/{name}_files/0/0_0.jpeg")[1])).size == (1, 1)
    for tile in ("11/0_0", "10/4_0", "10/0_3", "0/1_0", "99/0_0"):
        assert ask(served, f"/{name}_files/{tile}.jpeg")[0] == 404, tile


def test_raw_zarr_in_python(served):
    import zarr

    group = zarr.open_group(f"http://127.0.0.1:{served.port}/deep/slide.rrip.tif.raw.zarr", mode="r")
    for level, expected in enumerate(served.kinds.decoded):
        assert np.array_equal(np.moveaxis(group[str(level)][:], 0, -1), expected)
    assert group.attrs["ome"]["version"] == "0.5"


def test_jpeg_zarr(served):
    document = json.loads(ask(served, "/slide.rrip.zarr.jpeg.zarr/0/zarr.json")[1])
    assert "crc32c" not in [codec["name"] for codec in document["codecs"]]
    status, body, _ = ask(served, "/slide.rrip.zarr.jpeg.zarr/0/c/0/1/1")
    assert status == 200
    found = np.asarray(Image.open(io.BytesIO(body)))
    assert np.abs(found.astype(int) - served.kinds.decoded[0][256:512, 256:512]).mean() < 4


def test_damage_is_an_error_and_never_absent(served):
    for path in ("damaged.rrip.tif_files/10/1_1.jpeg", "damaged.rrip.tif.raw.zarr/0/c/0/1/1"):
        status, body, _ = ask(served, f"/{path}")
        assert status == 500
        assert b"tile.checksum" in body
        assert str(served.folder).encode() not in body
    assert ask(served, "/damaged.rrip.tif_files/10/2_1.jpeg")[0] == 200


def test_nothing_outside_its_folders(served):
    secret = quote(str(served.outside / "secret.rrip.tif"), safe="")
    up = os.path.relpath(served.outside / "secret.rrip.tif", served.folder)
    for name in (
        "link.rrip.tif",
        "linked/secret.rrip.tif",
        up,
        quote(up, safe=""),
        up.replace("..", "%2e%2e"),
        up.replace("../", "..%2f"),
        up.replace("../", "..%5c"),
        f"deep/../{up}",
        f"/{served.outside}/secret.rrip.tif",
        secret,
        f"slide.rrip.zarr/../{up}",
        "deep/./slide.rrip.tif",
        "deep//slide.rrip.tif",
        ".hidden.rrip.tif",
        "deep%00/slide.rrip.tif",
        "deep/slide.rrip.tif%00",
    ):
        for end in (".dzi", "_files/10/0_0.jpeg", ".raw.zarr/zarr.json", ".jpeg.zarr/zarr.json"):
            assert ask(served, f"/{name}{end}")[0] == 404, name
    for path in ("/slide.rrip.zarr/zarr.json", "/deep/slide.rrip.tif", "/slide.rrip.zarr.raw.zarr/../zarr.json"):
        assert ask(served, path)[0] == 404, path


def test_it_never_writes(served):
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        assert ask(served, "/deep/slide.rrip.tif.dzi", method)[0] == 405


def test_a_container_that_is_replaced_is_opened_again(served):
    target = served.folder / "replaced.rrip.tif"
    shutil.copy(served.folder / "damaged.rrip.tif", target)
    assert ask(served, "/replaced.rrip.tif_files/10/1_1.jpeg")[0] == 500
    shutil.copy(served.kinds.tif, target.with_suffix(".new"))
    target.with_suffix(".new").replace(target)
    assert ask(served, "/replaced.rrip.tif_files/10/1_1.jpeg")[0] == 200
    target.unlink()
    assert ask(served, "/replaced.rrip.tif.dzi")[0] == 404


def test_many_at_once(served):
    with ThreadPoolExecutor(100) as pool:
        answers = pool.map(lambda k: ask(served, f"/deep/slide.rrip.tif_files/10/{k % 4}_{k % 3}.jpeg")[0], range(300))
        assert set(answers) == {200}


def test_no_folder(tmp_path):
    with pytest.raises(NotFoundError, match="no such file or directory"):
        make_app([tmp_path / "absent"])
    (tmp_path / "file").touch()
    with pytest.raises(NotFoundError, match="no folder"):
        make_app([tmp_path / "file"])


def test_names_that_no_url_can_have_are_left_out(served):
    before = ask(served, "/")
    names = [b"bad\xff.rrip.tif", b"new\nline.rrip.tif"]
    for name in names:
        (served.folder / os.fsdecode(name)).write_bytes(served.kinds.tif.read_bytes())
    try:
        assert ask(served, "/")[:2] == before[:2]
    finally:
        for name in names:
            (served.folder / os.fsdecode(name)).unlink()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_its_address(served, ends):
    command = [sys.executable, "-m", "rrip_format", "serve", str(served.folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends\)\n", line)
        assert found, line
        answer = ask(SimpleNamespace(port=int(found[1])), "/")
        assert answer[:2] == ask(served, "/")[:2]
        process.send_signal(ends)
        _, errors = process.communicate(timeout=30)
    assert process.returncode in {0, -ends, 128 + ends}
    assert errors.strip() == ""


def test_a_port_that_is_taken(served):
    result = CliRunner().invoke(main, ["serve", str(served.folder), "--port", str(served.port)])
    assert result.exit_code == 1
    assert f"port {served.port} of 127.0.0.1 cannot be used" in result.stderr
