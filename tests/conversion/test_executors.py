"""Where families are encoded: threads, processes and clusters make the same bytes, and may be lost or stopped."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from conftest import BRIEF, contents, tissue

import rrip_format
from rrip_format import Settings
from rrip_format.cli import convert as command
from rrip_format.cli import main
from rrip_format.cli.ending import handle_sigterm
from rrip_format.conversion import blocks, pipeline, processes
from rrip_format.conversion import executors as workers
from rrip_format.conversion import run as conversion
from rrip_format.errors import DamagedError, ExtraMissingError, RripError, SourceError
from rrip_format.sources import open_source
from rrip_format.storage.journal import read_journal

pytestmark = pytest.mark.usefixtures("small_blocks")

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
posix = pytest.mark.skipif(os.name != "posix", reason="signals")


def _die(*_):
    os._exit(1)


def test_executors_give_the_same_bytes(slide, wanted, tmp_path):
    with ProcessPoolExecutor(1) as processes, ThreadPoolExecutor(2) as threads:
        for n, executor in enumerate((processes, threads)):
            rrip_format.convert(slide, tmp_path / f"{n}.rrip.tif", BRIEF, executor=executor)
            assert contents(tmp_path / f"{n}.rrip.tif") == wanted[".rrip.tif"]
        image = tissue(300, 300)
        rrip_format.convert(image, tmp_path / "array.rrip.tif", BRIEF, executor=processes)
        rrip_format.convert(image, tmp_path / "here.rrip.tif", BRIEF)
        found = [rrip_format.imread(tmp_path / f"{name}.rrip.tif") for name in ("array", "here")]
        assert np.array_equal(*found)


def test_a_process_that_dies_ends_in_our_error(slide, tmp_path):
    with ProcessPoolExecutor(1) as executor:
        executor.submit(_die)
        with pytest.raises(RripError, match="a worker died or was lost"):
            rrip_format.convert(slide, tmp_path / "a.rrip.zarr", BRIEF, executor=executor)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_sees_another_file_or_version_refuses(slide, tmp_path):
    copy = Path(shutil.copy(slide, tmp_path / "copy.tif"))
    with open_source(copy) as source:
        geometry = rrip_format.spec.geometry.Geometry(700, 600, 64)
        there = pickle.loads(pickle.dumps(workers.SharedSource(source, threads=False)))
        block = blocks.Block(0, 0, 1, 1)
        assert there.read(geometry, block).shape == (256, 256, 3)
        os.utime(copy, (1, 1))
        other = pickle.loads(pickle.dumps(workers.SharedSource(source, threads=False)))
        other._fingerprint = there._fingerprint
        workers._reopened(there._reopen, there._fingerprint).close()
        workers._reopened.cache_clear()
        with pytest.raises(SourceError, match="a worker found"):
            other.read(geometry, block)
        other._version = "0.0"
        with pytest.raises(RripError, match=r"expected 0\.0"):
            other.read(geometry, block)


def test_a_dask_cluster_that_loses_a_worker_gives_the_same_bytes(slide, wanted, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        doomed = [worker.process.pid for worker in cluster.workers.values()][:1]

        def kill_one(done: int, total: int) -> None:
            if doomed and done < total:
                os.kill(doomed.pop(), signal.SIGKILL)

        with workers.cluster(cluster.scheduler_address) as (executor, threads):
            assert threads == 2
            rrip_format.convert(slide, tmp_path / "a.rrip.tif", BRIEF, executor=executor, workers=1, progress=kill_one)
        assert not doomed
        assert contents(tmp_path / "a.rrip.tif") == wanted[".rrip.tif"]
        arguments = [str(slide), str(tmp_path / "b.rrip.tif"), "--scheduler", cluster.scheduler_address]
        result = CliRunner().invoke(main, ["convert", *arguments, "--base-tile", "64", "--json"])
        assert result.exit_code == 0, result.output
        rrip_format.convert(slide, tmp_path / "c.rrip.tif", Settings(tile=64))
        assert contents(tmp_path / "b.rrip.tif") == contents(tmp_path / "c.rrip.tif")


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ExtraMissingError, match=r"rrip-format\[dask\]"), workers.cluster("tcp://127.0.0.1:1"):
        pass


def test_several_sources(slide, wanted, tmp_path):
    others = [Path(shutil.copy(slide, tmp_path / f"{name}.ome.tif")) for name in "ab"]
    (tmp_path / "bad.svs").write_text("this is not a slide")
    arguments = ["convert", *map(str, others), str(tmp_path / "bad.svs"), "--out-dir", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*arguments, "--kind", "tiff", "--base-tile", "64", "--json"])
    assert result.exit_code == 1, result.output
    assert [Path(json.loads(line)["path"]).name for line in result.stdout.splitlines()] == ["a.rrip.tif", "b.rrip.tif"]
    assert "bad.svs" in result.stderr.splitlines()[0]
    assert result.stderr.splitlines()[1] == "rrip: 1 of 3 sources could not be converted"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.rrip.tif", "b.rrip.tif"]
    shutil.copy(slide, tmp_path / "bad.svs")  # now it is one
    again = CliRunner().invoke(main, [*arguments, "--kind", "tiff", "--base-tile", "64", "--resume"])
    assert again.exit_code == 0, again.output
    assert [line.endswith("exists already") for line in again.stdout.splitlines()] == [True, True, False]
    again = CliRunner().invoke(main, [*arguments, "--kind", "tiff", "--resume"])
    assert again.stderr.count("already exists") == 3
    sources = [str(tmp_path / "out" / "a.rrip.tif"), str(others[1])]  # a container takes no settings
    again = CliRunner().invoke(main, ["convert", *sources, "--out-dir", str(tmp_path / "more"), "--base-tile", "64"])
    assert again.exit_code == 1, again.output
    assert "its tiles are copied, so tile cannot be changed" in again.stderr.splitlines()[0]
    assert [path.name for path in (tmp_path / "more").iterdir()] == ["b.rrip.zarr"]
    for wrong in ([str(slide)], [str(slide), str(slide), "--out-dir", str(tmp_path)]):
        assert CliRunner().invoke(main, ["convert", *wrong]).exit_code == 2


# Processes that the command begins


@pytest.fixture
def eager(monkeypatch):
    """The command, for slides of any size, on processes; which executor each conversion got."""
    monkeypatch.setattr(command, "LARGE_PX", 1)
    assert rrip_format.convert is conversion.convert  # and stays so: the package keeps what it has looked up once
    convert, found = conversion.convert, []

    def spy(*arguments, executor, **options):
        found.append(executor)
        return convert(*arguments, executor=executor, **options)

    monkeypatch.setattr(conversion, "convert", spy)
    return found


def test_the_command_encodes_in_processes_to_the_same_bytes(slide, tmp_path, eager):
    for name in "ab":
        shutil.copy(slide, tmp_path / f"{name}.tif")
    sources = [str(tmp_path / "a.tif"), str(tmp_path / "b.tif"), "--out-dir", str(tmp_path / "out"), "--kind", "tiff"]
    result = CliRunner().invoke(main, ["convert", *sources, "--base-tile", "64", "-j", "2"])
    assert result.exit_code == 0, result.output
    assert [isinstance(executor, ProcessPoolExecutor) for executor in eager] == [True, True]
    for name in "ab":
        rrip_format.convert(tmp_path / f"{name}.tif", tmp_path / "here.rrip.tif", Settings(tile=64), overwrite=True)
        assert contents(tmp_path / "out" / f"{name}.rrip.tif") == contents(tmp_path / "here.rrip.tif")


def test_one_worker_is_this_process(slide, tmp_path, eager):
    result = CliRunner().invoke(main, ["convert", str(slide), str(tmp_path / "a.rrip.tif"), "-j", "1"])
    assert result.exit_code == 0, result.output
    assert eager == [None]


def test_processes_are_for_large_slides_that_can_be_read_in_parts(slide, tmp_path, monkeypatch):
    rgb = tissue(600, 700, seed=3)
    tifffile.imwrite(tmp_path / "strips.tif", rgb, photometric="rgb", rowsperstrip=50, compression="zlib")
    tifffile.imwrite(tmp_path / "plain.tif", rgb, photometric="rgb")
    tifffile.imwrite(tmp_path / "tiles.ome.tif", rgb, photometric="rgb", tile=(128, 128), compression="zlib")
    from PIL import Image

    Image.fromarray(rgb).save(tmp_path / "a.png")
    monkeypatch.setattr(command, "LARGE_PX", 600 * 700)
    for name, is_used in {"strips.tif": 0, "plain.tif": 1, "tiles.ome.tif": 1, "a.png": 0, slide: 1}.items():
        with open_source(tmp_path / name) as source, command._processes(source, 2) as pool:
            assert (pool is not None) == is_used, name
    with open_source(rgb) as source, command._processes(source, 2) as pool:
        assert pool is None
    monkeypatch.setattr(command, "LARGE_PX", 600 * 700 + 1)
    with open_source(slide) as source, command._processes(source, 2) as pool:
        assert pool is None


@pytest.mark.parametrize(
    ("name", "error"), [("_load", OSError("AF_UNIX path too long")), ("_Pool", NotImplementedError("no semaphores"))]
)
def test_without_means_for_processes_there_are_threads(name, error, slide, tmp_path, eager, monkeypatch):
    def refuse(*_):
        raise error

    monkeypatch.setattr(processes, name, refuse)
    result = CliRunner().invoke(main, ["convert", str(slide), str(tmp_path / "a.rrip.tif"), "-j", "2"])
    assert result.exit_code == 0, result.output
    assert eager == [None]


def test_a_source_that_loses_a_process_costs_no_other(slide, tmp_path, eager, monkeypatch):
    convert = conversion.convert

    def kill_first(*arguments, executor, **options):
        if not eager:
            assert executor.submit(_die).exception() is not None
        return convert(*arguments, executor=executor, **options)

    monkeypatch.setattr(conversion, "convert", kill_first)
    for name in "ab":
        shutil.copy(slide, tmp_path / f"{name}.tif")
    sources = [str(tmp_path / "a.tif"), str(tmp_path / "b.tif"), "--out-dir", str(tmp_path / "out")]
    result = CliRunner().invoke(main, ["convert", *sources, "--base-tile", "64", "-j", "2"])
    assert result.exit_code == 1
    assert result.stderr.startswith("rrip: a worker died or was lost")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.rrip.zarr"]


@pytest.mark.parametrize("error", [EOFError(), BrokenPipeError("gone")])
def test_processes_that_cannot_begin_are_an_error_of_ours(error, slide, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(ProcessPoolExecutor, "submit", fail)
    with processes.process_pool(1) as pool, pytest.raises(RripError, match="a worker died or was lost"):
        rrip_format.convert(slide, tmp_path / "a.rrip.tif", BRIEF, executor=pool)


def test_a_relative_target_is_the_same_file_to_other_processes(slide, wanted, tmp_path, monkeypatch):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(os.getpid).result()
        monkeypatch.chdir(tmp_path)
        assert rrip_format.convert(slide, "a.rrip.tif", BRIEF, executor=pool).path == "a.rrip.tif"
    assert contents(tmp_path / "a.rrip.tif") == wanted[".rrip.tif"]


@linux
def test_processes_find_modules_where_the_first_does(slide, tmp_path):
    """Not in the folder that it is in, whatever that has."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "numpy.py").write_text("import pathlib; pathlib.Path(__file__).with_name('seen').touch()")
    script = tmp_path / "script.py"
    script.write_text("import rrip_format.cli.convert as c; c.LARGE_PX = 1\nfrom rrip_format.cli import main\n")
    with script.open("a") as file:
        file.write("if __name__ == '__main__':\n    main()\n")
    arguments = [sys.executable, script, "convert", slide, "a.rrip.tif", "-j", "2", "--base-tile", "64"]
    done = subprocess.run(arguments, cwd=tmp_path / "here", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["a.rrip.tif", "numpy.py"]


def test_what_a_process_finds_wrong_arrives_here(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "check_block", _find_fault)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(DamagedError, match=r"in process \d+") as failed:
            rrip_format.convert(slide, tmp_path / "a.rrip.tif", BRIEF, executor=pool)
        assert int(str(failed.value).split()[-1]) != os.getpid()
        monkeypatch.setattr(pipeline, "check_block", _die)
        with pytest.raises(RripError, match="a worker died or was lost"):
            rrip_format.convert(slide, tmp_path / "a.rrip.tif", BRIEF, executor=pool)


def _find_fault(*_):
    raise DamagedError(f"found in process {os.getpid()}")


@posix
def test_signals_wait_while_processes_begin():
    went_on = []

    def interrupted() -> None:
        with processes.signals_held():
            signal.raise_signal(signal.SIGINT)
            went_on.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert went_on
    with processes.signals_held():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    elsewhere = threading.Thread(target=lambda: processes.signals_held().__enter__())
    elsewhere.start()
    elsewhere.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_a_callback_swallows_comes_again(number):
    class Callback:
        def __del__(self) -> None:  # what it raises is ignored, as by callbacks of imports and of the compiler
            signal.raise_signal(number)

    def interrupted() -> None:
        with handle_sigterm():
            Callback()
            time.sleep(10)

    hook, begin = sys.unraisablehook, time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - begin < 5
    assert sys.unraisablehook is hook


_WAITING = """
import os, sys, time
from rrip_format.conversion.processes import process_pool

def tell(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    with process_pool(1) as pool:
        pool.submit(tell, sys.argv[1])
        print("ready", flush=True)
        time.sleep(60)
"""


def _wait_for(condition) -> bool:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and not condition():
        time.sleep(0.02)
    return bool(condition())


@linux
def test_no_process_outlives_the_first(tmp_path):
    script, told = tmp_path / "waiting.py", tmp_path / "told"
    script.write_text(_WAITING)
    first = subprocess.Popen([sys.executable, script, told], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert _wait_for(lambda: told.exists() and told.read_text())
    other = Path("/proc") / told.read_text()
    assert other.exists()
    first.kill()
    first.communicate(timeout=60)  # which waits until nobody has the pipe open
    assert _wait_for(lambda: not other.exists() or "(zombie)" in (other / "status").read_text())


@posix
def test_ctrl_c_reaches_only_the_first_process(tmp_path, monkeypatch):
    """A terminal sends it to all; the others must not complain, and the conversion is resumed in processes too."""
    rgb = np.random.default_rng(0).integers(0, 255, (2048, 3072, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "noise.tif", rgb, photometric="rgb", tile=(512, 512))
    target, journal = tmp_path / "a.rrip.tif", tmp_path / ".a.rrip.tif.partial" / "journal"
    program = (
        "import rrip_format.conversion.blocks as b; import rrip_format.cli.convert as c;"
        "b.BLOCK_PX = 512; c.LARGE_PX = 1;"
        "from rrip_format.cli import main; main()"
    )
    arguments = [sys.executable, "-c", program, "convert", str(tmp_path / "noise.tif"), str(target), "-j", "2"]
    arguments += ["--preset", "notebook"]
    first = subprocess.Popen(
        arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert _wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 2)
    os.killpg(first.pid, signal.SIGINT)
    out, error = first.communicate(timeout=60)
    assert (first.returncode, out) == (130, ""), error
    assert error.startswith("rrip: interrupted; finished parts are kept in ")
    assert error.count("\n") == 1
    assert len(read_journal(journal)) >= 2
    again = subprocess.run([*arguments, "--resume", "--json"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["resumed_families"] >= 1
    monkeypatch.setattr(blocks, "BLOCK_PX", 512)
    rrip_format.convert(tmp_path / "noise.tif", tmp_path / "b.rrip.tif", Settings(preset="notebook"))
    assert contents(target) == contents(tmp_path / "b.rrip.tif")
