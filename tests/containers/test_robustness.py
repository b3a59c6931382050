"""Odd names, full disks, oversized and damaged files: nothing hangs, leaks or raises what is not ours."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from conftest import hash_tree, tile_path
from damaging import change_metadata
from kinds import ICC, SUFFIXES, serve
from zarr.core.buffer import default_buffer_prototype

import rrip_format
from rrip_format.containers.copying import transmux
from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.errors import (
    ChecksumError,
    DamagedError,
    FormatError,
    LimitError,
    RripError,
    StorageError,
    TargetError,
)
from rrip_format.spec.metadata import parse_metadata
from rrip_format.storage import workplace as disk
from rrip_format.zarr_views.hierarchy import Hierarchy
from rrip_format.zarr_views.store import RripStore

HUGE = 1 << 42
"""4 TiB: more than any machine here can allocate."""


def run(program, *arguments, timeout=60):
    """Run a Python program in another process; a hang is a failure."""
    return subprocess.run(  # noqa: PLW1510
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )


# Stores that wait for each other


@pytest.mark.parametrize("kind", ["zarr", "zip"])
def test_a_synchronous_file_system_does_not_wait_for_itself(kinds, kind):
    pytest.importorskip("fsspec")
    url = f"file://{kinds.zarr}" if kind == "zarr" else f"zip::file://{kinds.zip}"
    program = (
        "import asyncio, sys, zarr\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from zarr.core.sync import _get_loop, sync\n"
        "from rrip_format.zarr_views.store import RripStore\n"
        "async def few_threads(): asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))\n"
        "sync(few_threads())\n"
        "print(int(zarr.open_group(RripStore(sys.argv[1]), mode='r')['0'][:].sum()))\n"
    )
    found = run(program, url)
    assert int(found.stdout) == int(kinds.decoded[0].sum(dtype=np.int64)), found.stderr


# Disks that are full


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_nothing(kinds, tmp_path, suffix):
    program = (
        "import resource, signal, sys\n"
        "from rrip_format.errors import TargetError\n"
        "from rrip_format.containers.copying import transmux\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try: transmux(sys.argv[1], sys.argv[2])\n"
        "except TargetError as error: print(error)\n"
    )
    found = run(program, kinds.zarr, tmp_path / f"a{suffix}")
    assert "large" in found.stdout.lower(), found.stderr
    assert list(tmp_path.iterdir()) == []


# Attachments


@pytest.mark.parametrize(("name", "key"), [("icc_profile", "icc_profile/c/0"), ("macro", "associated/macro/c/0/0/0")])
def test_a_damaged_attachment_harms_nothing_else(folder, kinds, name, key):
    data = bytearray((folder / key).read_bytes())
    data[10] ^= 1
    (folder / key).write_bytes(data)
    store = RripStore(folder)
    group = zarr.open_group(store, mode="r")
    np.testing.assert_array_equal(group["0"][:], kinds.decoded[0].transpose(2, 0, 1))
    other = "associated/thumbnail" if name == "icc_profile" else "icc_profile"
    assert group[other][:].size
    assert get(store, "associated/zarr.json") == (folder / "associated" / "zarr.json").read_bytes()
    with pytest.raises(ChecksumError, match=r"ICC profile|macro image"):
        get(store, key)
    with rrip_format.open(folder) as slide, pytest.raises(ChecksumError):
        slide.icc_profile() if name == "icc_profile" else slide.associated_images()


def test_an_attachment_of_another_slide(folder):
    """Whole and with its own checksum, but not the one that the metadata list."""
    macro, thumbnail = (folder / "associated" / name / "c/0/0/0" for name in ("macro", "thumbnail"))
    macro.write_bytes(thumbnail.read_bytes())
    with rrip_format.open(folder) as slide, pytest.raises(ChecksumError, match="not the one that the metadata list"):
        slide.associated_images()


def test_an_attachment_whose_own_checksum_is_damaged(folder):
    path = folder / "icc_profile" / "c" / "0"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with rrip_format.open(folder) as slide, pytest.raises(ChecksumError, match="its CRC-32C does not match"):
        slide.icc_profile()


def get(store, key):
    value = asyncio.run(store.get(key, default_buffer_prototype()))
    return None if value is None else value.to_bytes()


def test_attachments_of_unknown_name_are_ignored(folder, kinds, tmp_path):
    changed = change_metadata(folder, lambda rrip: rrip["attachments"].update(annotations="00000000"))
    np.testing.assert_array_equal(
        zarr.open_group(RripStore(folder), mode="r")["3"][:], kinds.decoded[3].transpose(2, 0, 1)
    )
    with rrip_format.open(folder) as slide:
        assert sorted(slide.associated_images()) == ["macro", "thumbnail"]
        assert slide.icc_profile() == ICC
    transmux(folder, tmp_path / "a.rrip.tif")
    with rrip_format.open(tmp_path / "a.rrip.tif") as slide:
        assert slide.metadata.to_json() == changed


# Copies


def test_unknown_members_are_copied(folder, tmp_path):
    def add(rrip):
        rrip["note"], rrip["slide"]["x_new"], rrip["coding"]["comment"] = "a", {"b": [1.5, None]}, "c"
        rrip["slide"]["source"]["lab"], rrip["coding"]["residuals"][0]["why"] = "d", "e"

    changed = change_metadata(folder, add)
    assert Hierarchy(open_container(folder)).documents["zarr.json"] == (folder / "zarr.json").read_bytes()
    found = json.loads(Hierarchy(open_container(folder)).documents["0/zarr.json"])
    assert found["codecs"][0]["configuration"]["coding"] == changed["coding"]
    source = folder
    for suffix in (*SUFFIXES[1:], ".rrip.zarr"):
        target = tmp_path / f"copy{suffix}"
        transmux(source, target)
        with rrip_format.open(target) as slide:
            assert slide.metadata.to_json() == changed
        source = target
    codec = json.loads((source / "1" / "zarr.json").read_text())["codecs"][0]
    assert codec["configuration"]["coding"] == changed["coding"]


def test_changed_metadata_are_not_those_that_were_read(folder):
    metadata = open_container(folder).metadata
    changed = dataclasses.replace(metadata, slide=dataclasses.replace(metadata.slide, vendor="other"))
    assert parse_metadata(changed.to_json()) == changed != metadata
    coding = dataclasses.replace(metadata.coding, background=(9, 9, 9))
    assert coding.to_json()["background"] == [9, 9, 9]


# Names


def test_the_working_directory_may_change(folder, kinds, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with rrip_format.open("slide.rrip.zarr") as slide:
        array = slide.group["0"]
        monkeypatch.chdir(tmp_path / "elsewhere")
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, 700, 900), kinds.decoded[0])
        np.testing.assert_array_equal(array[:], kinds.decoded[0].transpose(2, 0, 1))
        assert Path(slide.name) == folder


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_name_that_looks_like_a_url(kinds, tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    source = dict(zip(SUFFIXES, kinds.all, strict=True))[suffix]
    for name in (f"a::b{suffix}", str(tmp_path / f"c::d{suffix}")):
        transmux(source, name)
        with rrip_format.open(name) as slide:
            np.testing.assert_array_equal(slide.read_region(3, 0, 0, *kinds.decoded[3].shape[:2]), kinds.decoded[3])


def test_bytes_and_trailing_slashes(kinds):
    for path in kinds.all:
        rrip_format.open(os.fsencode(path)).close()
    RripStore(os.fsencode(kinds.tif))
    rrip_format.open(f"{kinds.zarr}/").close()
    pytest.importorskip("aiohttp")
    with serve(kinds.zarr.parent) as server, rrip_format.open(f"{server.url}/{kinds.zarr.name}/") as slide:
        slide.read_tile(3, 0, 0)


@pytest.mark.parametrize("name", ["a\0.rrip.tif", "\0", "x" * 5000, f"{'y' * 5000}/a.rrip.zarr"])
def test_names_that_cannot_be(tmp_path, name):
    with pytest.raises(RripError):
        rrip_format.open(tmp_path / name)
    with pytest.raises(TargetError):
        open_writer(tmp_path / f"{name}.rrip.tif")


def test_urls_of_what_is_broken(tmp_path):
    pytest.importorskip("fsspec")
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 no")
    (tmp_path / "bad.json").write_text("[1]")
    for url in (
        f"zip::file://{tmp_path}/bad.zip",
        f"reference::file://{tmp_path}/bad.json",
        "nothing://x",
        "::",
        "://",
    ):
        with pytest.raises(RripError):
            rrip_format.open(url)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "a.rrip.tif"
    os.mkfifo(path)
    found = run("import rrip_format, sys; rrip_format.open(sys.argv[1])", path)
    assert "FormatError" in found.stderr
    assert "not a regular file" in found.stderr


# Sizes


@pytest.mark.parametrize("key", ["zarr.json", "0/c/0/1/1", "base/0/c/0/1/1", "icc_profile/c/0"])
def test_a_folder_with_a_huge_file(folder, key):
    with (folder / key).open("r+b") as file:
        file.truncate(HUGE)
    expected = DamagedError if "c/0/1" in key else LimitError
    for path in (folder, f"file://{folder}"):
        with pytest.raises(expected), rrip_format.open(path) as slide:
            slide.icc_profile() if "icc" in key else slide.read_tile(0, 1, 1)
    if expected is DamagedError:
        with pytest.raises(expected):
            zarr.open_group(folder, mode="r")["0"][:]
        with pytest.raises(expected):
            get(RripStore(folder), key)


def test_small_files_take_little_memory(folder):
    """Python makes room for what a file is asked for: the limits of 64 and 256 MiB are not to be asked for."""
    with rrip_format.open(folder) as slide:  # imports
        slide.associated_images()
    tracemalloc.start()
    try:
        with rrip_format.open(folder) as slide:
            assert slide.icc_profile() == ICC
            assert slide.associated_images()
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def test_a_tile_of_the_largest_size_is_read(folder, kinds):
    """The bound is that of TIFF; what is longer by one byte is not looked at, even with a right checksum."""
    container = open_container(folder)
    path, limit = tile_path(folder, 2, 1, 1), (1 << 16) + 6 * 64 * 64
    assert container.metadata.coding.tile_limit(2) == limit
    path.write_bytes(bytes(limit))
    assert container.read_tile(2, 1, 1) == bytes(limit)
    path.write_bytes(bytes(limit + 1))
    with pytest.raises(DamagedError, match=str(limit)):
        container.read_tile(2, 1, 1)
    with pytest.raises(DamagedError):
        open_container(f"file://{folder}").read_tile(2, 1, 1)


@pytest.mark.parametrize(
    ("key", "error"), [("zarr.json", LimitError), ("0/c/0/1/1", DamagedError), ("icc_profile/c/0", LimitError)]
)
def test_an_archive_with_a_huge_member(kinds, tmp_path, key, error):
    """The member's size in the directory says 2 GiB, and the file is long enough for it."""
    path = tmp_path / "a.rrip.zarr.zip"
    with zipfile.ZipFile(kinds.zip) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.infolist():
            target.writestr(member, source.read(member))
        target.filelist[[m.filename for m in target.filelist].index(key)].compress_size = 1 << 31
        target.filelist[[m.filename for m in target.filelist].index(key)].file_size = 1 << 31
        target.fp.truncate(1 << 32)
        target.fp.seek(1 << 32)
        target.start_dir = 1 << 32
    with pytest.raises(error, match="2147483648"), rrip_format.open(path) as slide:
        slide.icc_profile() if "icc" in key else slide.read_tile(0, 1, 1)


def test_a_member_that_inflates_to_more_than_it_says(tmp_path):
    """No more is inflated than the directory of the archive tells."""
    path = tmp_path / "a.rrip.zarr.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", bytes(1 << 26))
        archive.filelist[0].file_size = 100
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="not JSON"):
            rrip_format.open(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_pixel_sizes_beyond_measure(folder, tmp_path):
    change_metadata(folder, lambda rrip: rrip["slide"].update(mpp=[1e308, 0.25]))
    with pytest.raises(FormatError, match="mpp"):
        rrip_format.open(folder)
    for mpp in ([1e-6, 1e6], [1, 2]):
        change_metadata(folder, lambda rrip, mpp=mpp: rrip["slide"].update(mpp=mpp))
        zarr.open_group(RripStore(folder), mode="r")
        transmux(folder, tmp_path / "a.rrip.tif", overwrite=True)
        with rrip_format.open(tmp_path / "a.rrip.tif") as slide:
            assert list(slide.metadata.slide.mpp) == mpp


# Targets


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_overwriting_a_link(kinds, tmp_path, suffix):
    """The link steps aside; what it points to stays as it is."""
    for source in kinds.all:
        real = tmp_path / "real" / source.name
        real.parent.mkdir()
        shutil.copytree(source, real) if source.is_dir() else shutil.copy(source, real)
        target = tmp_path / f"a{suffix}"
        target.symlink_to(real)
        transmux(kinds.tif, target, overwrite=True)
        assert not target.is_symlink()
        rrip_format.open(target).close()
        assert hash_tree(real) == hash_tree(source) if source.is_dir() else real.read_bytes() == source.read_bytes()
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted([target.name, "real"])
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        shutil.rmtree(real.parent)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_overwriting_a_container_of_another_kind(kinds, tmp_path, suffix):
    for source in kinds.all:
        target = tmp_path / f"a{suffix}"
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        transmux(kinds.tif, target, overwrite=True)
        with rrip_format.open(target) as slide:
            assert type(slide.container) is type(open_container(dict(zip(SUFFIXES, kinds.all, strict=True))[suffix]))
        assert [p.name for p in tmp_path.iterdir()] == [target.name]
        shutil.rmtree(target) if target.is_dir() else target.unlink()


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_a_damaged_container_can_be_overwritten(kinds, tmp_path, suffix):
    target = tmp_path / f"a{suffix}"
    transmux(kinds.zarr, target)
    data = target.read_bytes()
    target.write_bytes(data[: len(data) // 2])
    with pytest.raises(RripError):
        open_container(target)
    transmux(kinds.zarr, target, overwrite=True)
    assert target.read_bytes() == data


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4", b"PK\3\4" + bytes(22) + b"\5\0\0\0a.txt", b"II+\0", b"II*\0" + bytes(99), b"text"]
)
def test_what_is_not_ours_stays(tmp_path, suffix, content):
    target = tmp_path / f"a{suffix}"
    target.write_bytes(content)
    with pytest.raises(TargetError, match="not an RRIP container"):
        open_writer(target, overwrite=True)
    assert target.read_bytes() == content


@pytest.mark.skipif(os.name != "posix", reason="permissions")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions(kinds, tmp_path, mask):
    program = "import os, sys; from rrip_format.containers.copying import transmux; os.umask(int(sys.argv[3]))\n"
    for suffix in SUFFIXES:
        run(f"{program}transmux(sys.argv[1], sys.argv[2])", kinds.zarr, tmp_path / f"a{suffix}", mask)
        made = tmp_path / f"a{suffix}"
        assert stat.S_IMODE(made.stat().st_mode) == (0o777 if made.is_dir() else 0o666) & ~mask
    with zipfile.ZipFile(tmp_path / "a.rrip.zarr.zip") as archive:
        assert {member.external_attr >> 16 for member in archive.infolist()} == {0o644}


def test_the_mask_of_permissions_is_left_alone(kinds, tmp_path, monkeypatch):
    """It belongs to the whole process: other threads make files at the same time."""

    def refuse(mask):
        raise AssertionError(threading.current_thread().name)

    monkeypatch.setattr(os, "umask", refuse)
    for suffix in SUFFIXES:
        transmux(kinds.zarr, tmp_path / f"a{suffix}")


def test_folders_that_cannot_be_flushed(kinds, tmp_path, monkeypatch):
    fsync = os.fsync

    def refuse(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "not for folders")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refuse)
    for suffix in SUFFIXES:
        for overwrite in (False, True):
            transmux(kinds.zarr, tmp_path / f"a{suffix}", overwrite=overwrite)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"a{suffix}" for suffix in SUFFIXES)


def test_a_failed_rename_puts_back_what_was_there(kinds, tmp_path, monkeypatch):
    target = tmp_path / "a.rrip.zarr"
    transmux(kinds.zarr, target)
    before = hash_tree(target)

    def refuse(self, other):
        raise OSError(28, "no space")

    monkeypatch.setattr(disk, "exchange_names", lambda *_: False)
    monkeypatch.setattr(disk.Path, "replace", refuse)
    with pytest.raises(TargetError, match="no space"):
        transmux(kinds.zarr, target, overwrite=True)
    assert hash_tree(target) == before
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_a_target_that_cannot_be_opened_leaves_nothing(tmp_path, monkeypatch, suffix):
    def refuse(*_, **__):
        raise OSError(24, "too many open files")

    monkeypatch.setattr(zipfile, "ZipFile", refuse)
    monkeypatch.setattr(disk.Path, "open", refuse)
    with pytest.raises(TargetError, match="too many"):
        open_writer(tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [12, 0, 99, 1, 7])
def test_a_page_name_of_another_type(kinds, tmp_path, kind):
    data = bytearray(kinds.tif.read_bytes())
    at = data.index(b"\x1d\x01\x02\0" + (6).to_bytes(8, "little") + b"macro\0")
    data[at + 2] = kind
    path = tmp_path / "a.rrip.tif"
    path.write_bytes(data)
    with pytest.raises(FormatError, match="no name of an associated image"):
        open_container(path)


def test_storage_errors_are_ours(folder):
    path = tile_path(folder, 0, 1, 1)
    path.unlink()
    path.mkdir()
    with rrip_format.open(folder) as slide, pytest.raises((StorageError, DamagedError)):
        slide.read_tile(0, 1, 1)
