"""The fsspec protocol ``rrip``: raw pixels for any Zarr reader, and never a missing chunk for a missing tile."""

from __future__ import annotations

import asyncio
import pickle
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import zarr
from conftest import tile_path
from kinds import ICC, serve

import rrip_format
from rrip_format.errors import ChecksumError, FormatError, MissingTileError, ReadOnlyError, RripError

fsspec = pytest.importorskip("fsspec")

from rrip_format.zarr_views.fsspec_raw import RripFileSystem  # noqa: E402

KINDS = ("zarr", "zip", "tif")


def check(group, decoded):
    for level, wanted in enumerate(decoded):
        np.testing.assert_array_equal(group[str(level)][:], wanted.transpose(2, 0, 1))


def opened(path, **options):
    return fsspec.url_to_fs(f"rrip::file://{path}", **options)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_level(kinds, kind):
    group = zarr.open(f"rrip::file://{getattr(kinds, kind)}")
    check(group, kinds.decoded)
    check(zarr.open_group(f"rrip::file://{getattr(kinds, kind)}", mode="r"), kinds.decoded)
    assert group["icc_profile"][:].tobytes() == ICC
    assert group["associated/macro"].shape == (50, 20, 3)
    assert group["associated/thumbnail"][:].std() > 5


@pytest.mark.parametrize("name", ["slide.rrip.zarr", "slide.rrip.zarr.zip", "slide.rrip.tif"])
def test_over_http(kinds, name):
    pytest.importorskip("aiohttp")
    with serve(kinds.zarr.parent) as server:
        check(zarr.open(f"rrip::{server.url}/{name}"), kinds.decoded)


def test_in_other_chains(kinds):
    check(zarr.open(f"rrip::zip::file://{kinds.zip}"), kinds.decoded)
    array = zarr.open_array(f"rrip://1::file://{kinds.tif}", mode="r")
    np.testing.assert_array_equal(array[0], kinds.decoded[1][..., 0])


def test_needs_no_codec_of_ours(kinds):
    group = zarr.open(f"rrip::file://{kinds.tif}")
    for name, array in group.members(max_depth=None):
        if isinstance(array, zarr.Array):
            assert [codec.to_dict()["name"] for codec in array.metadata.codecs] == ["bytes"], name
    assert set(group.attrs) == {"ome"}
    assert "base" not in group
    with pytest.raises(RripError):  # raw pixels are no container
        rrip_format.open(f"rrip::file://{kinds.tif}")


def test_a_reader_of_chunks(kinds):
    """As a reader in another language would: keys and bytes."""
    files = opened(kinds.zip)
    chunk = np.frombuffer(files.cat_file("0/c/0/1/1"), np.uint8).reshape(3, 256, 256)
    np.testing.assert_array_equal(chunk, kinds.decoded[0][256:512, 256:512].transpose(2, 0, 1))
    assert files.cat_file("0/c/0/1/1", 10, 20) == chunk.tobytes()[10:20]
    assert files.cat_file("0/c/0/1/1", start=-5) == chunk.tobytes()[-5:]
    assert files.open("0/c/0/1/1").read(7) == chunk.tobytes()[:7]
    edge = np.frombuffer(files.cat_file("1/c/0/2/3"), np.uint8).reshape(3, 128, 128)
    np.testing.assert_array_equal(edge[:, :94, :66], kinds.decoded[1][256:, 384:].transpose(2, 0, 1))


def test_listing(kinds):
    files = opened(kinds.tif)
    found = files.find("", detail=True)
    for key, entry in found.items():
        assert entry["size"] == len(files.cat_file(key)), key
    coding = rrip_format.open(kinds.tif).metadata.coding
    chunks = {
        f"{level}/c/0/{row}/{col}"
        for level in range(4)
        for row, col in coding.geometry.tiles(level)
        if not coding.is_empty(level, row, col)
    }
    assert chunks == {key for key in found if key[0].isdigit() and "/c/" in key}
    assert len(chunks) == 3 * 9 + 1
    assert sorted(files.ls("", detail=False)) == ["0", "1", "2", "3", "associated", "icc_profile", "zarr.json"]
    assert files.isdir("0/c/0/1")
    assert files.isfile("0/c/0/1/1")
    for nothing in ("0/c/0/0/0", "0/c/0/9/9", "9/zarr.json", "nothing", "0/c/0/01/1"):  # the first one is empty
        assert not files.exists(nothing)
        with pytest.raises(FileNotFoundError):
            files.cat_file(nothing)
    with pytest.raises(FileNotFoundError):
        files.ls("nothing")


# What must not happen


def spoil(spoiled, how):
    path = tile_path(spoiled, 1, 1, 1)
    if how == "missing":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize(("how", "error"), [("missing", MissingTileError), ("damaged", ChecksumError)])
def test_no_missing_chunk_for_a_missing_tile(spoiled, how, error):
    spoil(spoiled, how)
    group = zarr.open(f"rrip::file://{spoiled}")
    for level in (0, 1):
        with pytest.raises(error):
            group[str(level)][:]
        with pytest.raises(error):
            group[str(level)][:, 300 // (level + 1), 300 // (level + 1)]
    assert group["2"][:].shape == (3, 175, 225)
    mapping = fsspec.get_mapper(f"rrip::file://{spoiled}")
    for key in ("0/c/0/1/1", "1/c/0/1/1"):
        with pytest.raises(error):
            mapping[key]
        assert isinstance(mapping.getitems([key], on_error="return")[key], error)
        with pytest.raises(error):
            mapping.getitems([key])


def test_a_disk_that_fails_is_no_missing_chunk(kinds, monkeypatch):
    """Zarr 2 takes every OSError for one."""
    from rrip_format.storage.byte_source import LocalBytes

    files = opened(kinds.tif)
    files.cat_file("zarr.json")

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(LocalBytes, "_read", fail)
    with pytest.raises(RripError, match="Input/output error") as caught:
        files.cat_file("0/c/0/1/1")
    assert not isinstance(caught.value, OSError | LookupError)


def test_a_server_that_goes_away_is_no_missing_chunk(kinds, tmp_path, monkeypatch):
    monkeypatch.setenv("RRIP_RETRIES", "1")
    pytest.importorskip("aiohttp")
    shutil.copytree(kinds.zarr, tmp_path / "slide.rrip.zarr")
    with serve(tmp_path) as server:
        group = zarr.open(f"rrip::{server.url}/slide.rrip.zarr")
        assert group["0"][0, 300, 300] >= 0
        tile_path(tmp_path / "slide.rrip.zarr", 0, 1, 2).unlink()
        with pytest.raises(MissingTileError):
            group["0"][:]
    with pytest.raises(RripError):
        group["0"][:]


@pytest.mark.parametrize("name", ["nothing.rrip.zarr", "plain.zip", "text.tif"])
def test_no_container(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as archive:
        archive.writestr("a", "b")
    (tmp_path / "text.tif").write_text("text")
    with pytest.raises(FormatError):
        zarr.open(f"rrip::file://{tmp_path / name}")


def test_what_the_url_must_say(kinds):
    with pytest.raises(RripError, match="the container is not named"):
        fsspec.filesystem("rrip")
    with pytest.raises(RripError, match=r"options \['anon'\]"):
        fsspec.url_to_fs("rrip::simplecache::memory://slide.rrip.tif", memory={"anon": True})


def test_read_only(kinds):
    group = zarr.open(f"rrip::file://{kinds.zarr}", mode="a")
    for value in (0, 255):  # Zarr deletes chunks that are all fill value
        with pytest.raises(ReadOnlyError):
            group["0"][:] = value
    with pytest.raises(ReadOnlyError):
        group.create_array("new", shape=(3,), dtype="u1")
    files = opened(kinds.zarr)
    for change in (
        lambda: files.pipe_file("0/c/0/1/1", b""),
        lambda: files.rm("0/c/0/1/1"),
        lambda: files.rm("0", recursive=True),
        lambda: files.mkdir("new"),
        lambda: files.makedirs("new/newer"),
        lambda: files.cp_file("zarr.json", "copy"),
        lambda: files.open("zarr.json", "wb"),
        lambda: files.put_file(__file__, "new"),
    ):
        with pytest.raises(ReadOnlyError):
            change()
    check(zarr.open(f"rrip::file://{kinds.zarr}"), kinds.decoded)


# At work


def test_pickles(kinds):
    array = zarr.open(f"rrip::file://{kinds.zip}")["1"]
    copy = pickle.loads(pickle.dumps(array))
    np.testing.assert_array_equal(copy[:], kinds.decoded[1].transpose(2, 0, 1))
    files = pickle.loads(pickle.dumps(opened(kinds.tif)))
    assert isinstance(files, RripFileSystem)
    assert len(files.cat_file("2/c/0/1/1")) == 3 * 64 * 64
    assert fsspec.AbstractFileSystem.from_json(files.to_json()).exists("zarr.json")


def test_dask_processes(kinds):
    da = pytest.importorskip("dask.array")
    array = da.from_zarr(f"rrip::file://{kinds.tif}", component="0")
    found = array.compute(scheduler="processes", num_workers=2)
    np.testing.assert_array_equal(found, kinds.decoded[0].transpose(2, 0, 1))


def test_a_replaced_container(kinds, strip, tmp_path):
    path = tmp_path / "slide.rrip.zarr"
    shutil.copytree(kinds.zarr, path)
    check(zarr.open(f"rrip::file://{path}"), kinds.decoded)
    shutil.rmtree(path)
    shutil.copytree(strip.path, path)
    check(zarr.open(f"rrip::file://{path}"), strip.decoded)


def test_inside_an_event_loop(kinds):
    async def read():
        files, _ = fsspec.url_to_fs(f"rrip::file://{kinds.zip}", asynchronous=True)
        keys = [f"0/c/0/{row}/{col}" for row in range(3) for col in range(4)]
        found = await files._cat(keys, on_error="return")
        return [key for key in keys if isinstance(found[key], bytes)]

    assert len(asyncio.run(read())) == 9


def test_after_a_fork(kinds):
    code = f"""
import os, warnings, zarr
warnings.simplefilter("ignore")
import fsspec
files, _ = fsspec.url_to_fs("rrip::file://{kinds.tif}")
files.cat_file("0/c/0/1/1")
child = os.fork()
if child == 0:
    from rrip_format.zarr_views.fsspec_raw import RawHierarchy
    again, _ = fsspec.url_to_fs("rrip::file://{kinds.tif}")
    os._exit(0 if len(again.cat_file("0/c/0/1/1")) == 3 * 256 * 256 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    if not hasattr(__import__("os"), "fork"):
        pytest.skip("this system cannot fork")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_many_readers_do_not_wait_for_each_other(strip):
    """More chunks at once than any pool has threads, through two layers of event loops."""
    with_zip = strip.path.with_suffix(".zip")
    with zipfile.ZipFile(with_zip, "w") as archive:
        for file in strip.path.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(strip.path).as_posix())
    code = f"import zarr; print(zarr.open('rrip::zip::file://{with_zip}')['0'][:].sum())"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, check=True, timeout=60)
    assert int(done.stdout) == int(strip.decoded[0].sum())
