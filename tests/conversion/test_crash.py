"""Conversions that are killed, hindered, stopped and resumed: what is left, and that the bytes are the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import BRIEF as SETTINGS
from conftest import SUFFIXES, contents, hash_tree, tissue

import rrip_format
from rrip_format import Settings
from rrip_format.cli import main
from rrip_format.containers.copying import transmux
from rrip_format.conversion import blocks
from rrip_format.conversion import executors as workers
from rrip_format.errors import DamagedError, RripError, SourceError, TargetError
from rrip_format.storage import workplace as disk
from rrip_format.storage.journal import Journal, read_journal

pytestmark = pytest.mark.usefixtures("small_blocks")

TOOL = Path(__file__).resolve().parents[2] / "tools" / "harnesses" / "crash_test.py"

needs_fork = pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/fd").exists(), reason="fork, /proc")


def run_tool(*arguments: str):
    command = [sys.executable, str(TOOL), "--json", *arguments]
    if os.access("/dev/shm", os.W_OK):
        command += ["--folder", "/dev/shm"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


def begin(slide: Path, target: Path, families: int, settings: Settings = SETTINGS, **options) -> None:
    """Run until so many families are done, then stop as Ctrl-C does."""

    def stop(done: int, _: int) -> None:
        if done >= families:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        rrip_format.convert(slide, target, settings, workers=1, progress=stop, **options)
    assert not target.exists()
    assert "--resume continues" in stopped.value.__notes__[0]


# Killed and hindered at every step


@needs_fork
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_killed_or_hindered_runs_leave_the_old_or_the_new(suffix):
    report = run_tool("--quick", "--kind", suffix)
    assert report["wrong"] == 0
    steps, kills = (
        [found for title, found in report["found"].items() if title.startswith(start)] for start in ("steps", "kill")
    )
    assert kills[0]["runs"] == 7
    assert sum(found["refused"] for found in steps) > 20
    assert all(found["killed"] and found["resumed"] for found in steps)


@needs_fork
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_durability_is_looked_at(suffix):
    """The order of calls to the system is what the spec asks for; where a flush is left away, that is seen."""
    found = run_tool("--durability", "--kind", suffix)["found"][suffix]
    assert found.pop("as it is") == []
    files, folders = found.pop("files are not flushed"), found.pop("folders are not flushed")
    assert any("between its last write and the rename" in text for text in files)
    assert any("before it is noted" in text for text in files)
    assert any("after the rename" in text for text in folders)
    if suffix == ".rrip.zarr":
        assert any("between its last new entry and the rename" in text for text in folders)
    if suffix == ".rrip.tif":
        assert any("before the header is written" in text for text in files)
    assert any("between its last" in text for text in found.pop("renamed before all is flushed"))
    assert not found


def test_without_an_exchange_of_folders_the_next_run_puts_the_old_one_back(slide, tmp_path, monkeypatch):
    """Killed between the two renames that replace a folder."""
    target = tmp_path / "a.rrip.zarr"
    rrip_format.convert(slide, target, SETTINGS)
    old = contents(target)
    place = tmp_path / ".a.rrip.zarr.partial"
    place.mkdir()
    target.rename(place / "container.replaced")
    with pytest.raises(TargetError, match="already exists"):
        rrip_format.convert(slide, target, SETTINGS)
    assert contents(target) == old
    rrip_format.convert(slide, target, SETTINGS, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_without_an_exchange_of_folders_a_run_that_had_replaced_the_old_one_is_resumed(
    slide, wanted, tmp_path, monkeypatch
):
    """Killed after both renames, before what was replaced is removed."""
    old, target = tmp_path / "old.rrip.zarr", tmp_path / "a.rrip.zarr"
    rrip_format.convert(slide, old, SETTINGS)
    begin(slide, target, 6)
    shutil.copytree(old, tmp_path / ".a.rrip.zarr.partial" / "container.replaced")
    old.rename(target)
    monkeypatch.setattr(disk, "exchange_names", lambda *_: False)
    rrip_format.convert(slide, target, SETTINGS, overwrite=True, resume=True)
    assert contents(target) == wanted[".rrip.zarr"]
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


# Resumed


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("families", [2, 6])
def test_a_resumed_run_gives_the_same_bytes(suffix, families, slide, wanted, tmp_path):
    target = tmp_path / f"a{suffix}"
    begin(slide, target, families)
    begin(slide, target, families + 2, resume=True)
    done = rrip_format.convert(slide, target, SETTINGS, workers=2, resume=True)
    assert contents(target) == wanted[suffix]
    assert families <= done.resumed_families < done.families
    assert (done.families, done.empty_families) == (9, 1)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize(("suffix", "damage"), [*((suffix, "flipped") for suffix in SUFFIXES), (SUFFIXES[0], "longer")])
def test_what_was_kept_is_not_believed(suffix, damage, slide, wanted, tmp_path):
    """A block that changed on the disk is made again, and so are those behind it."""
    target = tmp_path / f"a{suffix}"
    begin(slide, target, 7)
    place = tmp_path / f".a{suffix}.partial"
    level, row, col, offset, length = read_journal(place / "journal")[4]["tiles"][-1]  # of level 0
    file = place / "container" / f"{level}/c/0/{row}/{col}" if suffix == SUFFIXES[0] else place / "container"
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[offset + length // 2] ^= 1
    else:  # what is noted is as it was, and more behind it
        data += b"more"
    file.write_bytes(data)
    done = rrip_format.convert(slide, target, SETTINGS, resume=True)
    assert done.resumed_families == 3
    assert contents(target) == wanted[suffix]


def test_a_torn_journal_counts_up_to_the_tear(slide, wanted, tmp_path):
    target = tmp_path / "a.rrip.tif"
    begin(slide, target, 7)
    journal = tmp_path / ".a.rrip.tif.partial" / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]) + lines[3][:-9])
    assert rrip_format.convert(slide, target, SETTINGS, resume=True).resumed_families == 2
    assert contents(target) == wanted[".rrip.tif"]


def rewrite(journal: Path, change) -> None:
    """Change the notes of a journal under right checksums."""
    notes = read_journal(journal)
    change(notes)
    with Journal(journal, notes):
        pass


@pytest.mark.parametrize(
    "change",
    [
        lambda notes: notes.pop(0),
        lambda notes: notes[0].pop("chroma"),
        lambda notes: notes[0].update(chroma=[[[0, 64, 0], [0, 0]]] * 2),
        lambda notes: notes[0]["settings"].update(steps="8"),
        lambda notes: notes.__setitem__(0, []),
    ],
)
def test_a_journal_without_its_plan_is_refused(change, slide, wanted, tmp_path):
    target = tmp_path / "a.rrip.tif"
    begin(slide, target, 4)
    rewrite(tmp_path / ".a.rrip.tif.partial" / "journal", change)
    with pytest.raises(RripError, match=r"does not begin with a plan.*without --resume to start again"):
        rrip_format.convert(slide, target, SETTINGS, resume=True)
    assert not target.exists()
    rrip_format.convert(slide, target, SETTINGS)
    assert contents(target) == wanted[".rrip.tif"]


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.clear(),
        lambda note: note.pop("tiles"),
        lambda note: note.pop("digest"),
        lambda note: note["tiles"].append(5),
        lambda note: note["tiles"][0].pop(),
        lambda note: note["tiles"][0].__setitem__(0, 99),
        lambda note: note["tiles"][0].__setitem__(1, "../.."),
        lambda note: note["tiles"][0].__setitem__(3, 1 << 63),
        lambda note: note["tiles"][0].__setitem__(4, 1 << 50),
    ],
)
def test_a_note_of_another_shape_counts_as_none(change, slide, wanted, tmp_path):
    target = tmp_path / "a.rrip.tif"
    begin(slide, target, 4)
    rewrite(tmp_path / ".a.rrip.tif.partial" / "journal", lambda notes: change(notes[3]))
    assert rrip_format.convert(slide, target, SETTINGS, resume=True).resumed_families == 2
    assert contents(target) == wanted[".rrip.tif"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_changed_source_or_settings_are_noticed(suffix, slide, tmp_path, monkeypatch):
    source, target = Path(shutil.copy(slide, tmp_path / "slide.tif")), tmp_path / f"a{suffix}"
    begin(source, target, 4)
    before = hash_tree(tmp_path)
    with pytest.raises(RripError, match=r"effort was fast and is best.*without --resume to start again"):
        rrip_format.convert(source, target, Settings(tile=64, effort="best", steps=(8.0, 8.0, 6.0, 9.0)), resume=True)
    with pytest.raises(RripError, match="label image was False and is True"):
        rrip_format.convert(source, target, SETTINGS, resume=True, label=True)
    with monkeypatch.context() as patch:
        patch.setattr("rrip_format.conversion.plan.__version__", "9.9")
        with pytest.raises(RripError, match=r"rrip_format version was .* and is 9\.9"):
            rrip_format.convert(source, target, SETTINGS, resume=True)
    assert hash_tree(tmp_path) == before
    with source.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(RripError, match="sha256 of the source was"):
        rrip_format.convert(source, target, SETTINGS, resume=True)
    rrip_format.convert(source, target, SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, "slide.tif"]


def test_the_settings_that_were_found_are_not_looked_for_again(slide, tmp_path, monkeypatch):
    settings = Settings(tile=64, effort="fast", target="psnr=36")
    plain = rrip_format.convert(slide, tmp_path / "plain.rrip.zarr", settings)
    begin(slide, tmp_path / "a.rrip.zarr", 4, settings)
    monkeypatch.setattr("rrip_format.conversion.run.make_plan", None)
    done = rrip_format.convert(slide, tmp_path / "a.rrip.zarr", settings, resume=True)
    assert (done.steps, done.reached) == (plain.steps, plain.reached)
    assert hash_tree(tmp_path / "a.rrip.zarr") == hash_tree(tmp_path / "plain.rrip.zarr")


def test_there_may_be_nothing_to_resume(slide, wanted, tmp_path):
    assert rrip_format.convert(slide, tmp_path / "a.rrip.tif", SETTINGS, resume=True).resumed_families == 0
    assert contents(tmp_path / "a.rrip.tif") == wanted[".rrip.tif"]
    with pytest.raises(RripError, match="its conversion cannot be resumed"):
        rrip_format.convert(tissue(64, 64), tmp_path / "b.rrip.tif", resume=True)


def test_what_no_journal_speaks_of_is_not_taken_over(slide, wanted, tmp_path):
    """Tiles of another slide must not get into a container of this one."""
    target, place = tmp_path / "a.rrip.zarr", tmp_path / ".a.rrip.zarr.partial"
    begin(slide, target, 4)
    (place / "container" / "0/c/0/9").mkdir(parents=True)
    (place / "container" / "0/c/0/9/9").write_bytes(b"another slide's")
    (place / "journal").write_bytes(b"")
    rrip_format.convert(slide, target, SETTINGS, resume=True)
    assert contents(target) == wanted[".rrip.zarr"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_comes_to_the_target_meanwhile_is_not_replaced(suffix, slide, wanted, tmp_path):
    target = tmp_path / f"a{suffix}"
    with pytest.raises(TargetError, match="has appeared in the meantime") as refused:
        rrip_format.convert(slide, target, SETTINGS, progress=lambda *_: target.write_text("thesis"))
    assert "--resume" in refused.value.__notes__[0]
    assert target.read_text() == "thesis"
    target.unlink()
    assert rrip_format.convert(slide, target, SETTINGS, resume=True).resumed_families == 9
    assert contents(target) == wanted[suffix]


def test_a_copy_is_read_back(slide, tmp_path, monkeypatch):
    rrip_format.convert(slide, tmp_path / "a.rrip.zarr", SETTINGS)
    monkeypatch.setattr(disk.Span, "read", lambda span: bytes(span.length))
    with pytest.raises(DamagedError, match="does not read back"):
        transmux(tmp_path / "a.rrip.zarr", tmp_path / "b.rrip.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.rrip.zarr"]
    transmux(tmp_path / "a.rrip.zarr", tmp_path / "b.rrip.tif", verify=False)


def test_two_runs_at_once_refuse(slide, tmp_path):
    target = tmp_path / "a.rrip.zarr"
    seen = []

    def second(*_):
        with pytest.raises(TargetError, match="another run is writing"):
            rrip_format.convert(slide, target, SETTINGS)
        seen.append(1)

    rrip_format.convert(slide, target, SETTINGS, progress=second)
    assert seen
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_journal_is_appended_and_read(tmp_path):
    path = tmp_path / "journal"
    assert read_journal(path) == []
    with Journal(path, [{"a": 1}]) as journal:
        journal.append([2, "ü"])
    assert read_journal(path) == [{"a": 1}, [2, "ü"]]
    path.write_bytes(path.read_bytes().replace(b'"a":1', b'"a":2'))
    assert read_journal(path) == []


def test_a_journal_that_is_taken_in_parts_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    with Journal(path, []) as journal:
        whole = journal._file
        monkeypatch.setattr(journal, "_file", SimpleNamespace(write=lambda line: whole.write(line[:7])))
        journal.append({"tiles": list(range(20))})
        monkeypatch.undo()
    assert read_journal(path) == [{"tiles": list(range(20))}]


def test_a_place_that_cannot_be_put_in_order_is_let_go(tmp_path, monkeypatch):
    place = tmp_path / ".a.rrip.zarr.partial"
    (place / "container.replaced").mkdir(parents=True)

    def refuse(*_):
        raise OSError("refused")

    monkeypatch.setattr(disk.Path, "rename", refuse)
    with pytest.raises(TargetError, match="refused"):
        disk.Workplace(tmp_path / "a.rrip.zarr")
    monkeypatch.undo()
    disk.Workplace(tmp_path / "a.rrip.zarr").release()
    assert (tmp_path / "a.rrip.zarr").is_dir()


# Verified


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bytes_that_change_on_their_way_to_the_disk_are_noticed(suffix, slide, tmp_path, monkeypatch):
    read = disk.Span.read

    def flipped(span):
        data = bytearray(read(span))
        data[len(data) // 3] ^= 4
        return bytes(data)

    monkeypatch.setattr(disk.Span, "read", flipped)
    for verify in (True, False):
        with pytest.raises(DamagedError, match=r"tile \(level \d, row 0, column 0\) was read back"):
            rrip_format.convert(slide, tmp_path / f"a{suffix}", SETTINGS, verify=verify)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_an_encoder_that_expects_something_else_is_noticed(level, slide, tmp_path, monkeypatch):
    """The streams are whole and their checksums right, but they are not what the encoder reconstructed."""
    digest, side = blocks._digest, 64 * [4, 2, 1, 4][level]

    def wrong(planes):
        first, *others = planes
        if first.shape[-1] == side and wrong.thread == threading.get_ident():  # others check meanwhile
            first = first.copy()
            first.reshape(-1)[-1] ^= 1
        return digest((first, *others))

    encode = blocks.encode_overview if level == 3 else blocks.encode_block

    def spoiling(*arguments):
        wrong.thread = threading.get_ident()
        try:
            made = encode(*arguments)
            return made if level == 3 else list(made)
        finally:
            wrong.thread = None

    wrong.thread = None
    monkeypatch.setattr(blocks, "_digest", wrong)
    monkeypatch.setattr(
        f"rrip_format.{'conversion.pipeline' if level == 3 else 'conversion.executors'}.{encode.__name__}", spoiling
    )
    with pytest.raises(DamagedError, match=rf"level {level}, row .*not decode to the pixels that its encoder expects"):
        rrip_format.convert(slide, tmp_path / "a.rrip.tif", SETTINGS, workers=1)
    assert not (tmp_path / "a.rrip.tif").exists()
    rrip_format.convert(slide, tmp_path / "a.rrip.tif", SETTINGS, workers=1, verify=False)


def test_bytes_are_the_same_without_verification(slide, wanted, tmp_path):
    rrip_format.convert(slide, tmp_path / "a.rrip.zarr.zip", SETTINGS, verify=False)
    assert contents(tmp_path / "a.rrip.zarr.zip") == wanted[".rrip.zarr.zip"]


# Stopped


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_in_one_line(number, code, tmp_path):
    import tifffile

    rgb = np.random.default_rng(0).integers(0, 255, (2048, 3072, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "noise.tif", rgb, photometric="rgb", tile=(512, 512))
    target, journal = tmp_path / "a.rrip.tif", tmp_path / ".a.rrip.tif.partial" / "journal"
    program = "import rrip_format.conversion.blocks as b; b.BLOCK_PX = 512; from rrip_format.cli import main; main()"
    command = [sys.executable, "-c", program, "convert", str(tmp_path / "noise.tif"), str(target), "-j", "1"]
    process = subprocess.Popen(
        [*command, "--preset", "notebook"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and (not journal.exists() or journal.read_bytes().count(b"\n") < 2):
        time.sleep(0.02)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, ""), error
    assert error.startswith("rrip: interrupted; finished parts are kept in ")
    assert error.count("\n") == 1
    assert not target.exists()
    assert len(read_journal(journal)) >= 2


def test_an_interrupt_before_anything_is_done_leaves_nothing(slide, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rrip_format.conversion.run.make_plan", stop)
    result = CliRunner().invoke(main, ["convert", str(slide), str(tmp_path / "a.rrip.zarr")])
    assert result.exit_code == 130
    assert result.stderr == "rrip: interrupted; nothing was left at the target\n"
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_fails_in_the_middle_is_resumed_when_it_is_well_again(slide, wanted, tmp_path, monkeypatch):
    read = workers.read_block

    def broken(source, geometry, block):
        if block.row == 1:
            raise SourceError("the cable was pulled")
        return read(source, geometry, block)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "read_block", broken)
        with pytest.raises(SourceError, match="cable") as failed:
            rrip_format.convert(slide, tmp_path / "a.rrip.tif", SETTINGS, workers=1)
    assert "--resume" in failed.value.__notes__[0]
    assert rrip_format.convert(slide, tmp_path / "a.rrip.tif", SETTINGS, resume=True).resumed_families == 3
    assert contents(tmp_path / "a.rrip.tif") == wanted[".rrip.tif"]
