"""What is at a target has reached the disk before it is there (spec section 9.5), as the system is told."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import tissue
from kinds import SUFFIXES

import rrip_format
from rrip_format.containers.copying import transmux
from rrip_format.conversion import run as conversion
from rrip_format.errors import TargetError
from rrip_format.storage import sinks


@pytest.fixture
def system(monkeypatch):
    """``events``: (what, inode, size or None, first 16 bytes of a file) of each fsync and of each rename."""
    found = SimpleNamespace(events=[])
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def record_fsync(handle):
        fsync(handle)
        stat = os.fstat(handle)
        try:
            head = Path(f"/proc/self/fd/{handle}").read_bytes()[:16]
        except OSError:
            head = b""
        found.events.append(("fsync", stat.st_ino, stat.st_size, head))

    def record(move):
        def call(source, target, **options):
            move(source, target, **options)
            found.events.append(("rename", Path(target).stat().st_ino, None, b""))

        return call

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record(replace))
    monkeypatch.setattr(os, "rename", record(rename))
    return found


def check(system, target):
    """Raise unless all of `target` was flushed as it is, before it came there, and its folder after."""
    appeared = max(
        place
        for place, (what, inode, *_) in enumerate(system.events)
        if what == "rename" and inode == target.stat().st_ino
    )
    before = {(inode, size) for what, inode, size, _ in system.events[:appeared] if what == "fsync"}
    flushed = {inode for inode, _ in before}
    for path in [target, *target.rglob("*")] if target.is_dir() else [target]:
        stat = path.stat()
        if path.is_dir():
            assert stat.st_ino in flushed, f"the folder {path} was not flushed before it was published"
        else:
            assert (stat.st_ino, stat.st_size) in before, f"{path} was not flushed as it is before it was published"
    after = {inode for what, inode, *_ in system.events[appeared:] if what == "fsync"}
    assert target.parent.stat().st_ino in after, "the folder that holds the target was not flushed"


pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_copy_is_durable(kinds, tmp_path, system, suffix):
    target = tmp_path / f"a{suffix}"
    transmux(kinds.tif, target)
    check(system, target)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_conversion_is_durable(tmp_path, system, suffix):
    target = tmp_path / f"a{suffix}"
    rrip_format.convert(tissue(300, 300), target, rrip_format.Settings(tile=64), workers=1)
    check(system, target)


def test_a_large_copy_is_flushed_on_its_way(kinds, tmp_path, system, monkeypatch):
    """What is not flushed yet is remembered, and that must not grow with the slide."""
    waiting = []
    publish = sinks.DirectorySink.publish

    def count(sink):
        waiting.append(len(sink._unsettled))
        publish(sink)

    monkeypatch.setattr(sinks, "MOST_UNSETTLED", 5)
    monkeypatch.setattr(sinks.DirectorySink, "publish", count)
    transmux(kinds.tif, tmp_path / "a.rrip.zarr")
    check(system, tmp_path / "a.rrip.zarr")
    assert len(waiting) == 1
    assert waiting[0] <= 5


def test_a_replacement_is_durable(kinds, tmp_path, system):
    target = tmp_path / "a.rrip.tif"
    for _ in range(2):
        transmux(kinds.zarr, target, overwrite=True)
    check(system, target)


def test_the_header_of_a_tiff_comes_last(kinds, tmp_path, system):
    """While the tiles are flushed the file says that it was not written to the end."""
    target = tmp_path / "a.rrip.tif"
    transmux(kinds.zarr, target)
    inode, size = target.stat().st_ino, target.stat().st_size
    heads = [
        head for what, found, length, head in system.events if what == "fsync" and (found, length) == (inode, size)
    ]
    assert heads[0] == bytes(16)
    assert heads[-1] == target.read_bytes()[:16]


def test_a_block_is_noted_only_when_it_is_durable(tmp_path, monkeypatch):
    """A later run takes over what is noted, whatever the disk has lost meanwhile."""
    noted = []

    def settle(_sink, spans):
        assert noted == []
        raise TargetError("the disk is gone")

    monkeypatch.setattr(sinks.DirectorySink, "settle", settle)
    monkeypatch.setattr(conversion.Journal, "append", lambda _journal, note: noted.append(note))
    with pytest.raises(TargetError, match="the disk is gone"):
        rrip_format.convert(tissue(300, 300), tmp_path / "a.rrip.zarr")
    assert noted == []
    assert list(tmp_path.iterdir()) == []


def test_flushing_ends_with_the_first_error(monkeypatch):
    """What waits is left, what is under way is waited for: files may be removed as soon as it has raised."""
    calls = []

    def flush(path):
        calls.append(path)
        time.sleep(0.01)
        if path == "0":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(sinks, "flush", flush)
    with pytest.raises(TargetError, match="0: "):
        sinks.flush_all(str(number) for number in range(500))
    begun = len(calls)
    assert begun < 500
    time.sleep(0.05)
    assert len(calls) == begun
