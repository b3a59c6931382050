"""The Zarr codec in every kind of store and worker."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import multiprocessing
import operator
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import zarr
from chunks import chunk, memory_copy, rgb_first
from versions import has_version, skip_below
from zarr.storage import LocalStore, LoggingStore, ZipStore

import rrip_format
from rrip_format.errors import FormatError, MissingTileError, StorageError

# Every store


def test_zip_and_memory_and_wrapped_stores(container, archive, pipeline):
    for store in (
        ZipStore(archive, mode="r"),
        memory_copy(container.path),
        LocalStore(container.path, read_only=True),
        # older ones can only be opened for writing
        *(
            [LoggingStore(LocalStore(container.path), log_handler=logging.NullHandler())]
            if has_version("zarr", "3.1.6")
            else []
        ),
    ):
        group = zarr.open_group(store, mode="r")
        for level, expected in enumerate(container.decoded):
            np.testing.assert_array_equal(group[str(level)][:], rgb_first(expected))
        store.close()


def test_a_container_below_the_root_of_a_store(container, tmp_path):
    shutil.copytree(container.path, tmp_path / "a" / "b" / "slide.rrip.zarr")
    group = zarr.open_group(str(tmp_path), path="a/b/slide.rrip.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], rgb_first(container.decoded[0]))
    shutil.make_archive(str(tmp_path / "below"), "zip", tmp_path / "a")
    array = zarr.open_array(ZipStore(tmp_path / "below.zip", mode="r"), path="b/slide.rrip.zarr/1", mode="r")
    np.testing.assert_array_equal(array[:], rgb_first(container.decoded[1]))


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_an_array_opened_by_itself(container, level, pipeline):
    array = zarr.open_array(str(container.path / str(level)), mode="r")
    np.testing.assert_array_equal(array[:], rgb_first(container.decoded[level]))


def test_an_array_opened_by_itself_with_a_relative_path(container, monkeypatch):
    monkeypatch.chdir(container.path)
    np.testing.assert_array_equal(zarr.open_array("1", mode="r")[:], rgb_first(container.decoded[1]))
    monkeypatch.chdir(container.path / "0")
    np.testing.assert_array_equal(
        zarr.open_array(".", mode="r")[:, :9, 300:], rgb_first(container.decoded[0])[:, :9, 300:]
    )


def test_an_array_by_itself_where_its_parent_cannot_be_reached(container, tmp_path):
    with pytest.raises(FormatError, match="opened by itself"):
        zarr.open_array(memory_copy(container.path / "0"), mode="r")[:]
    alone = shutil.copytree(container.path / "0", tmp_path / "renamed")
    with pytest.raises(FormatError, match="opened by itself"):
        zarr.open_array(str(alone), mode="r")[:]
    alone = shutil.copytree(container.path / "0", tmp_path / "0")
    with pytest.raises(MissingTileError, match="level 2"):
        zarr.open_array(str(alone), mode="r")[:]


@pytest.mark.parametrize("mode", [0o444, 0o400])
def test_files_that_cannot_be_written(spoiled, container, mode):
    for path in spoiled.rglob("*"):
        path.chmod(mode | 0o111 if path.is_dir() else mode)
    group = zarr.open_group(str(spoiled))
    np.testing.assert_array_equal(group["0"][:], rgb_first(container.decoded[0]))
    for path in spoiled.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)


OPENERS = {
    "folder": "zarr.open_group({path!r}, mode='r')",
    "zip store": "zarr.open_group(zarr.storage.ZipStore({archive!r}, mode='r'), mode='r')",
    "zip url": "zarr.open_group('zip::file://' + {archive!r}, mode='r')",
}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
def test_a_fresh_process_that_only_knows_zarr(container, archive, opener):
    if "zip://" in opener or "zip::" in opener:
        skip_below("fsspec", "2026.9", "a chain to a local archive")
    code = f"""
import hashlib, sys, zarr
group = {opener.format(path=str(container.path), archive=str(archive))}
for level in ("0", "1", "2", "base/0"):
    print(hashlib.sha256(group[level][:].tobytes()).hexdigest())
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stderr
    expected = [hashlib.sha256(rgb_first(container.decoded[k]).tobytes()).hexdigest() for k in (0, 1, 2, 2)]
    assert result.stdout.split() == expected


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; what a test puts into `failing` is answered by that status instead."""

    protocol_version = "HTTP/1.1"  # keeps connections open
    failing: dict[str, int] = {}  # noqa: RUF012

    def do_GET(self):
        status = next((status for end, status in self.failing.items() if self.path.endswith(end)), None)
        if status is None:
            super().do_GET()
        elif status == 200:  # announces more than it sends
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"\xff\xd8")
            self.close_connection = True
        else:
            self.send_error(status)

    def log_message(self, *_):
        pass


@pytest.fixture
def http(container):
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(container.path.parent)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{container.path.name}"
    Handler.failing.clear()
    server.shutdown()
    server.server_close()
    thread.join()


def test_http(container, http, pipeline):
    pytest.importorskip("aiohttp")
    group = zarr.open_group(http, mode="r")
    for level, expected in enumerate(container.decoded):
        np.testing.assert_array_equal(group[str(level)][:], rgb_first(expected))
    alone = zarr.open_array(f"{http}/1", mode="r")
    np.testing.assert_array_equal(alone[:], rgb_first(container.decoded[1]))
    with rrip_format.open(http) as slide:
        np.testing.assert_array_equal(slide.read_region(0, 200, 300, 99, 98), container.decoded[0][200:299, 300:398])


def test_http_that_fails_is_an_error_and_no_white_picture(container, http):
    pytest.importorskip("aiohttp")
    group, slide = zarr.open_group(http, mode="r"), rrip_format.open(http)
    Handler.failing = {"/0/c/0/1/1": 500, "/1/c/0/2/0": 403, "/base/0/c/0/0/2": 404, "/0/c/0/2/3": 200}
    for (row, col), error in {
        (1, 1): StorageError,
        (2, 0): StorageError,
        (0, 2): MissingTileError,
        (2, 3): StorageError,
    }.items():
        with pytest.raises(error):
            chunk(group["0"], row, col)
        with pytest.raises(error):
            slide.read_tile(0, row, col)
    np.testing.assert_array_equal(chunk(group["0"], 1, 0), rgb_first(container.decoded[0])[:, 256:512, :256])


# Every kind of worker


def test_async(container, archive):
    from zarr.api import asynchronous

    async def read(store):
        group = await asynchronous.open_group(store, mode="r")
        arrays = [await group.getitem(str(level)) for level in range(4)]
        return await asyncio.gather(*(array.getitem(np.s_[:, 3:]) for array in arrays))

    for store in (str(container.path), ZipStore(archive, mode="r")):
        for pixels, expected in zip(asyncio.run(read(store)), container.decoded, strict=True):
            np.testing.assert_array_equal(pixels, rgb_first(expected)[:, 3:])


def test_a_slide_inside_a_running_event_loop(container, archive):
    async def read(path):
        with rrip_format.open(path) as slide:
            return slide.read_region(0, 250, 250, 20, 600)

    for path in (container.path, archive):
        np.testing.assert_array_equal(asyncio.run(read(path)), container.decoded[0][250:270, 250:850])


def test_threads(container, archive, pipeline):
    for store in (str(container.path), ZipStore(archive, mode="r")):
        array = zarr.open_group(store, mode="r")["0"]
        parts = [np.s_[:, y : y + 90, x : x + 170] for y in range(0, 700, 90) for x in range(0, 900, 170)]
        with ThreadPoolExecutor(8) as pool:
            for part, pixels in zip(parts, pool.map(array.__getitem__, parts), strict=True):
                np.testing.assert_array_equal(pixels, rgb_first(container.decoded[0])[part])


def test_dask_threads(container):
    dask_array = pytest.importorskip("dask.array")
    for level in (0, 2):
        array = dask_array.from_zarr(str(container.path), component=str(level))
        assert array.shape == rgb_first(container.decoded[level]).shape
        pixels = array.compute(scheduler="threads", num_workers=4)
        np.testing.assert_array_equal(pixels, rgb_first(container.decoded[level]))


def test_dask_processes(container):
    dask_array = pytest.importorskip("dask.array")
    array = dask_array.from_zarr(str(container.path), component="0")[:, 200:300, 200:600]
    pixels = array.compute(scheduler="processes", num_workers=1)
    np.testing.assert_array_equal(pixels, rgb_first(container.decoded[0])[:, 200:300, 200:600])


def test_a_spawned_process(container):
    """Array and slide travel by pickle; the child knows nothing but what they bring."""
    array = zarr.open_group(str(container.path), mode="r")["0"]
    slide = rrip_format.open(container.path)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pixels = pool.apply_async(operator.getitem, (array, np.s_[:, 250:300, 200:800])).get(30)
        region = pool.apply_async(slide.read_region, (1, 5, 6, 7, 8)).get(30)
        with pytest.raises(FormatError, match="no such file"):
            pool.apply_async(rrip_format.open, ("nowhere.rrip.zarr",)).get(30)
    np.testing.assert_array_equal(pixels, rgb_first(container.decoded[0])[:, 250:300, 200:800])
    np.testing.assert_array_equal(region, container.decoded[1][5:12, 6:14])
