"""The compiled core: what it declares and exports, threads, and its Python face."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from core_slides import FILTERED_OTHERS, LEVELS, SIDE, at, of, sound_streams, stored
from cores import CORES, using

from rrip_format.core import colour, predict
from rrip_format.core import library as lib
from rrip_format.core.difference import difference
from rrip_format.core.jpeg_decoder import decode_stream
from rrip_format.core.jpeg_encoder import Quantiser, encode_gray, encode_ycc
from rrip_format.errors import DamagedError, LimitError
from rrip_format.family.decode import decode_tile
from rrip_format.spec.metadata import SHARP

SOURCES = Path(lib.__file__).with_name("src")
HEADER = (SOURCES / "rrip.h").read_text("utf-8")
FUNCTIONS = set(re.findall(r"^RRIP_API [^(]*?(\w+)\(", HEADER, re.MULTILINE))

# What there is


def test_the_declarations_are_those_of_the_header():
    assert len(FUNCTIONS) > 20
    assert lib.SIGNATURES.keys() == FUNCTIONS
    assert int(re.search(r"#define RRIP_ABI (\d+)", HEADER)[1]) == lib.ABI == lib.library.rrip_abi()


def test_variants_are_named():
    assert CORES[0] == "plain"
    assert len(set(CORES)) == len(CORES)
    assert lib.library.rrip_core_list(len(CORES)) is None
    assert lib.library.rrip_core_list(2**40) is None
    assert lib.library.rrip_core_name(lib.library.rrip_core_best()).decode() == CORES[-1]
    for name in CORES:
        with using(name):
            assert lib.core_name() == name
    for name in ("", "plai", "plain2", "Plain", "mmx"):
        with pytest.raises(ValueError, match="kernels are"):
            lib.use_core(name)
    assert lib.library.rrip_core_named(None) is None
    assert lib.library.rrip_core_name(None) is None


def test_the_environment_chooses_a_variant():
    code = "from rrip_format.core.library import core_name; print(core_name())"
    for given, chosen in ((None, CORES[-1]), ("", CORES[-1]), *((name, name) for name in CORES)):
        environment = {key: value for key, value in os.environ.items() if key != "RRIP_CORE"}
        environment |= {"PYTHONPATH": str(SOURCES.parents[2])} | ({} if given is None else {"RRIP_CORE": given})
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [chosen]


def test_the_library_was_built_from_these_sources():
    found = lib.library.rrip_sources().decode()
    if found == "unknown":
        pytest.skip("the library does not know its sources: it was not built by tools/release/compile_core.py")
    import compile_core

    assert found == compile_core.sources_digest()


@pytest.mark.skipif(not shutil.which("nm") or sys.platform != "linux", reason="needs nm of ELF")
def test_the_library_needs_four_functions_and_exports_its_own():
    path = lib.library._name

    def symbols(which: str) -> set[str]:
        done = subprocess.run(["nm", "-D", which, path], capture_output=True, text=True, check=True)
        return {line.split()[-1].partition("@")[0] for line in done.stdout.splitlines()}

    needed = {"memcpy", "memmove", "memset", "memcmp"}
    of_compilers = {"__gmon_start__", "__cxa_finalize", "__stack_chk_fail", "_Jv_RegisterClasses"}
    found = {name for name in symbols("--undefined-only") if not name.startswith("_ITM_")}
    assert found <= needed | of_compilers
    assert {name for name in symbols("--defined-only") if name not in {"_init", "_fini"}} == FUNCTIONS


# Threads


@pytest.mark.parametrize("core", CORES)
def test_threads_decode_at_the_same_time(core):
    jobs = [(tile, ways, level) for tile in (64, 80) for ways in (LEVELS, FILTERED_OTHERS) for level in (0, 1, 2, 3)]

    def decode(job: tuple[Any, ...]) -> bytes:
        coding, tiles = stored(*job[:2])
        return decode_tile(coding, job[2], *at(job[2]), of(tiles, job[2])).tobytes()

    with using(core):
        wanted = [decode(job) for job in jobs]
        start = threading.Barrier(8)

        def work(number: int) -> bool:
            start.wait(60)
            turn = [*range(number, len(jobs)), *range(number)] * 3
            return all(decode(jobs[k]) == wanted[k] for k in turn)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))


def test_threads_encode_at_the_same_time():
    planes = [np.random.default_rng(k).normal(0, 9, (64, 64)).clip(-128, 127).astype(np.float32) for k in range(8)]
    how = Quantiser(np.full(64, 5, np.uint8), 0.1)
    wanted = [encode_gray(plane, how) for plane in planes]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda k: encode_gray(planes[k % 8], how), range(80))) == wanted * 10


def test_a_call_lets_go_of_the_interpreter():
    """While one thread is inside of a call, another one runs: it looks at the clock in the middle of that time."""
    plane = np.random.default_rng(0).normal(0, 30, (2048, 2048)).clip(-128, 127).astype(np.float32)
    how, ticks = Quantiser(np.full(64, 2, np.uint8), 0.1), []

    def encode() -> tuple[float, float]:
        before = time.perf_counter()
        encode_gray(plane, how)
        return before, time.perf_counter()

    with ThreadPoolExecutor(1) as pool:
        for _ in range(10):  # a busy machine may not have let the other thread run
            call = pool.submit(encode)
            while not call.done():
                ticks.append(time.perf_counter())
                time.sleep(0.001)
            begin, end = call.result()
            if any(begin + 0.2 * (end - begin) < tick < begin + 0.8 * (end - begin) for tick in ticks):
                return
    pytest.fail("no other thread ran during a call")


# The Python face


def decode_base_tile(*where: Any) -> np.ndarray:
    coding, tiles = stored(64)
    return decode_tile(coding, 2, 1, 2, of(tiles, 2), *where)


GREY = np.zeros((16, 24), np.float32)
HOW = Quantiser(np.full(64, 4, np.uint8))


@pytest.mark.parametrize(
    "call",
    [
        lambda: decode_stream(sound_streams()[0][0], 84, 1),
        lambda: decode_stream(sound_streams()[0][0], SIDE, 2),
        lambda: decode_stream(sound_streams()[0][0], SIDE, 1, (0, SIDE + 1)),
        lambda: encode_gray(GREY[:12], HOW),
        lambda: encode_gray(np.zeros((8, 2056), np.float32), HOW),
        lambda: encode_gray(GREY, Quantiser(np.zeros(64, np.uint8))),
        lambda: encode_gray(GREY, dataclasses.replace(HOW, rate=-1)),
        lambda: encode_gray(GREY, HOW, samples=np.empty((16, 16), np.uint8)),
        lambda: encode_gray(GREY, HOW, samples=np.empty((16, 48), np.uint8)[:, ::2]),
        lambda: encode_ycc(np.zeros((2, 8, 8), np.float32), HOW, HOW),
        lambda: predict.up2(np.zeros((0, 4), np.uint8), SHARP),
        lambda: predict.box2(np.zeros((0, 4, 3), np.uint8)),
        lambda: colour.rgb_to_ycc(np.zeros((4, 0, 3), np.uint8)),
        lambda: difference(np.zeros((4, 4, 3), np.uint8), 3, np.zeros((4, 4), np.uint8)),
        lambda: difference(np.zeros((4, 4, 3), np.uint8), 0, np.zeros((4, 5), np.uint8)),
        lambda: decode_base_tile((0, 65, 0, 1)),
        lambda: decode_base_tile((0, 9, 0, 9), (np.zeros((8, 9, 3), np.uint8), 0, 0)),
    ],
)
def test_mistakes_of_a_caller_are_value_errors(call):
    with pytest.raises(ValueError):
        call()


def test_too_little_memory_is_a_limit(monkeypatch):
    """In a thread of its own, which has no memory from calls before."""
    coding, tiles = stored(64)
    picture, plane = np.zeros((256, 256, 3), np.uint8), np.full((16, 16), 9, np.float32)
    calls = [
        functools.partial(decode_tile, coding, 0, 1, 2, of(tiles, 0), None, (picture, 0, 0)),
        functools.partial(encode_gray, plane, HOW),
    ]

    def exhausted(*_: Any) -> None:
        raise MemoryError

    for call in calls:
        with monkeypatch.context() as patched, ThreadPoolExecutor(1) as thread:
            patched.setattr(lib, "np", SimpleNamespace(**{**vars(np), "empty": exhausted}))
            with pytest.raises(LimitError, match="memory"):
                thread.submit(call).result()
        call()


def test_large_scratch_is_not_kept():
    """What a tile of the largest side needs once is not held by every thread for ever."""
    size = 1 << 28
    _, room, memory = lib.scratch(size)
    assert room == memory.size == size
    assert lib.scratch(1)[1] < size


def test_a_stream_of_no_bytes():
    with pytest.raises(DamagedError, match="not a complete JPEG stream"):
        decode_stream(b"", SIDE, 1)


def test_libjpeg_agrees_on_the_streams_of_these_tests():
    for data, planes in sound_streams():
        if planes == 1:
            np.testing.assert_array_equal(decode_stream(data, SIDE, 1)[0], imagecodecs.jpeg8_decode(data))
