"""The compiled core: every variant of its kernels gives the same, and all keep the contract (``core/src/rrip.h``)."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref, c_double, c_int16, c_size_t, c_uint8, c_void_p
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import cases
import google_crc32c
import imagecodecs
import numpy as np
import pytest
import reference
from conftest import tissue
from cores import CORES, using
from damage.streams import join_segments, mutate_stream, split_segments
from PIL import Image

from rrip_format import errors
from rrip_format.core import colour, predict, tile_decoder
from rrip_format.core import library as lib
from rrip_format.core.difference import difference
from rrip_format.core.jpeg_decoder import decode_stream
from rrip_format.core.jpeg_encoder import Quantiser, encode_gray, encode_ycc
from rrip_format.core.tile_decoder import decode_rgb
from rrip_format.errors import DamagedError, LimitError, RripError
from rrip_format.family.decode import decode_planes, decode_tile, needed_levels
from rrip_format.family.encode import Quality, encode_base, encode_family
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import BILINEAR, SHARP, Coding, ResidualCoding
from rrip_format.spec.tile import join_tile, split_tile

SOURCES = Path(lib.__file__).with_name("src")
HEADER = (SOURCES / "rrip.h").read_text("utf-8")
FUNCTIONS = set(re.findall(r"^RRIP_API [^(]*?(\w+)\(", HEADER, re.MULTILINE))
E_ARGUMENT, E_SCRATCH = -1, -2
SIDE = 80


def pointer(core: str) -> int:
    return lib.library.rrip_core_named(core.encode())


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


# Vectors


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", cases.PIXELS)
def test_valid_vectors(core, name):
    with using(core):
        cases.check_tiles(name)
        if name in cases.pixel_cases("family"):
            cases.check_family(name, predict)


@pytest.mark.parametrize("name", [name for name in cases.INVALID if "level" in cases.load_case(name)])
def test_invalid_vectors(name):
    case, found = cases.load_case(name), set()
    for core in CORES:
        with using(core), pytest.raises(getattr(errors, case["error"])) as caught:
            cases.decode_anything(name, case)
        assert caught.value.rule == case["rule"]
        found.add((type(caught.value), str(caught.value)))
    assert len(found) == 1


# Damaged streams


def stream_outcome(core: str, data: bytes, side: int, planes: int, rows: tuple[int, int]) -> tuple[Any, ...]:
    """What the C function makes of a stream: its code, what the fault says, and the rows that were asked for."""
    out, fault = np.full((planes, side, side), 77, np.uint8), lib.Fault()
    memory = np.full(lib.library.rrip_decode_scratch(side, len(data)), 0xA5, np.uint8)
    stream = np.frombuffer(data or b"\0", np.uint8)
    code = lib.library.rrip_decode_stream(
        *(pointer(core), lib.address(stream), len(data), side, planes, *rows),
        *(lib.address(out), lib.address(memory), memory.size, byref(fault)),
    )
    assert code == fault.code
    assert code >= 0
    told = (fault.tile, fault.plane, fault.zero, *fault.numbers)
    return (code, told, b"" if code else out[:, slice(*rows)].tobytes())


@functools.cache
def sound_streams() -> list[tuple[bytes, int]]:
    """Streams of 80 x 80 px and their planes: of several encoders, long and short ones, with restart markers."""
    rgb, found = tissue(SIDE, SIDE), []
    noise = np.random.default_rng(0).normal(0, 40, (3, SIDE, SIDE)).clip(-128, 127).astype(np.float32)
    for step in (1, 30):
        how = Quantiser(np.full(64, step, np.uint8), 0.1)
        found += [(encode_gray(noise[0], how), 1), (encode_ycc(noise, how, how), 3)]
    for blocks in (0, 1, 7, 50):
        for picture, planes in ((rgb, 3), (rgb[..., 1], 1)):
            file = io.BytesIO()
            options = {"restart_marker_blocks": blocks} if blocks else {}
            Image.fromarray(picture.copy()).save(file, "JPEG", quality=90, subsampling=0, **options)
            parts = [part for part in split_segments(file.getvalue()) if part.marker != 0xE0]
            found.append((join_segments(parts), planes))
    return found


def test_sound_streams_are_decoded_alike():
    for data, planes in sound_streams():
        found = {stream_outcome(core, data, SIDE, planes, (0, SIDE)) for core in CORES}
        assert len(found) == 1
        assert found.pop()[0] == 0


@pytest.mark.parametrize("part", range(4))
def test_mutated_streams_are_judged_alike(part):
    codes = set()
    for seed in range(part, 1200, 4):
        rng = np.random.default_rng(seed)
        data, planes = sound_streams()[seed // 4 % len(sound_streams())]
        what, damaged = mutate_stream(rng, data)
        rows = (0, SIDE) if seed % 3 else tuple(sorted(rng.choice(SIDE + 1, 2, replace=False).tolist()))
        found = {core: stream_outcome(core, damaged, SIDE, planes, rows) for core in CORES}
        assert len(set(found.values())) == 1, (seed, what, {core: outcome[:2] for core, outcome in found.items()})
        codes.add(found["plain"][0])
    assert 0 in codes
    assert len(codes) > 10


# Tiles

LEVELS = (ResidualCoding(SHARP, (-20, 30), 1, BILINEAR), ResidualCoding(BILINEAR, (-10, 15), 3, SHARP))
OTHERS = (ResidualCoding((-13, 77, 0, 0), (127, -127), 3, BILINEAR), ResidualCoding(SHARP, (0, 0), 1))
FILTERED = (dataclasses.replace(LEVELS[0], luma_filter=(-31, 44, -11, 17)), LEVELS[1])
FILTERED_OTHERS = (dataclasses.replace(OTHERS[0], luma_filter=(63, 63, 28, 0)), OTHERS[1])


@functools.cache
def stored(tile: int, ways: tuple[ResidualCoding, ResidualCoding] = LEVELS) -> tuple[Coding, dict[int, bytes]]:
    """A slide of 3 x 2 families, and the tiles at row 1 and column 2 of levels 0, 1, 2, and of level 3 at (0, 1)."""
    coding = Coding(UUID(int=7 << 80), Geometry(12 * tile, 8 * tile, tile), ways)
    rgb = tissue(4 * tile, 4 * tile)
    half = predict.box2(rgb)
    quality = Quality(base=90, luma=(80, 78), chroma=(86, 86))
    tiles = dict(enumerate(encode_family(coding, 1, 2, [rgb, half, predict.box2(half)], quality).tiles))
    tiles[3] = encode_base(coding, 3, 0, 1, rgb, quality)
    return coding, tiles


def at(level: int) -> tuple[int, int]:
    return (0, 1) if level == 3 else (1, 2)


def of(tiles: dict[int, bytes], level: int) -> list[bytes]:
    return [tiles[needed] for needed in needed_levels(level)]


def windows_of(side: int, rng: np.random.Generator, count: int) -> Iterator[tuple[int, int, int, int]]:
    """All, corners, single samples at the edges, and random windows."""
    yield from ((0, side, 0, side), (0, 1, 0, 1), (side - 1, side, side - 1, side), (0, 1, side - 1, side))
    yield from ((7, 9, side - 17, side - 15), (side // 2, side // 2 + 1, 0, side), (0, side, 31, 33))
    for _ in range(count):
        top, bottom = sorted(rng.choice(side + 1, 2, replace=False).tolist())
        left, right = sorted(rng.choice(side + 1, 2, replace=False).tolist())
        yield top, bottom, left, right


def places(window: tuple[int, int, int, int], rng: np.random.Generator) -> Iterator[tuple[lib.Target, np.ndarray]]:
    """Memory full of 77 with targets of every kind in it, and where in that memory each sample (c, y, x) belongs."""
    height, width = window[1] - window[0], window[3] - window[2]
    for channels in (1, 3, 4):
        start, gap = (int(n) for n in rng.integers(0, 70, 2))
        row_stride = width * channels + gap
        plane_stride = row_stride * height + int(rng.integers(0, 70)) if channels == 1 else 1
        c, y, x = np.ogrid[: max(channels, 3), :height, :width]
        where = start + c * plane_stride + y * row_stride + x * channels
        memory = np.full(int(where.max()) + 1 + 70, 77, np.uint8)
        size = int(where.max()) + 1
        to = lib.Target(lib.address(memory), size, start, plane_stride, row_stride, channels)
        to.memory = memory  # kept as long as the target
        yield to, where


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("tile", "ways", "count"),
    [(64, LEVELS, 12), (80, OTHERS, 8), (144, LEVELS, 2), (64, FILTERED, 30), (80, FILTERED_OTHERS, 20)],
)
def test_a_window_is_that_of_the_whole_tile_and_nothing_else_is_written(core, level, tile, ways, count):
    coding, tiles = stored(tile, ways)
    with using("plain"):
        whole = np.array(decode_tile(coding, level, *at(level), of(tiles, level)))
    rng = np.random.default_rng([level, tile])
    with using(core):
        for window in windows_of(whole.shape[1], rng, count):
            wanted = whole[:, window[0] : window[1], window[2] : window[3]]
            for to, where in places(window, rng):
                decode_rgb(coding, needed_levels(level), *at(level), of(tiles, level), window, to)
                np.testing.assert_array_equal(to.memory[where[:3]], wanted)
                if len(where) == 4:
                    assert (to.memory[where[3]] == 255).all()
                to.memory[where] = 77
                assert (to.memory == 77).all()


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("filtered", "ways"), [(FILTERED, LEVELS), (FILTERED_OTHERS, OTHERS)])
def test_a_filtered_tile_is_the_other_one_with_filtered_luma(core, filtered, ways):
    """Chroma is predicted from luma that is not filtered, and coarser levels are the same."""
    (coding, tiles), (plain, _) = stored(64, filtered), stored(64, ways)
    planes = decode_planes(plain, 1, 2, of(tiles, 0))
    planes[0] = reference.filter_luma(planes[0], filtered[0].luma_filter)
    with using(core):
        np.testing.assert_array_equal(decode_planes(coding, 1, 2, of(tiles, 0)), planes)
        np.testing.assert_array_equal(decode_tile(coding, 0, 1, 2, of(tiles, 0)), reference.ycc_to_rgb(*planes))
        for level in (1, 2, 3):
            wanted = decode_tile(plain, level, *at(level), of(tiles, level))
            np.testing.assert_array_equal(decode_tile(coding, level, *at(level), of(tiles, level)), wanted)


@pytest.mark.parametrize("core", CORES)
def test_steps_of_any_width(core):
    """Vectors end in the middle of what a line has."""
    rng = np.random.default_rng(5)
    for width in (*range(1, 70), 127, 128, 129, 1023, 1024):
        coarse, fine = rng.integers(0, 256, (3, 3, width), np.uint8), rng.integers(0, 256, (3, 6, 2 * width), np.uint8)
        args = coarse, (fine[0], None if width % 3 else fine[1], fine[2]), SHARP, (127, -99), BILINEAR
        with using("plain"):
            wanted = predict.reconstruct(*args), predict.reconstruct_rgb(*args), predict.up2(coarse[0], SHARP)
            rgb = colour.ycc_to_rgb(fine)
        with using(core):
            found = predict.reconstruct(*args), predict.reconstruct_rgb(*args), predict.up2(coarse[0], SHARP)
            np.testing.assert_array_equal(colour.ycc_to_rgb(fine), rgb)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def tile_outcome(core: str, coding: Coding, level: int, tiles: list[bytes], window: tuple[int, int, int, int]) -> Any:
    with using(core):
        try:
            return decode_tile(coding, level, *at(level), tiles, window).tobytes()
        except RripError as error:
            return type(error), error.rule, str(error)


def test_mutated_tiles_are_judged_alike():
    kinds = set()
    for seed in range(400):
        coding, stored_tiles = stored(64, FILTERED_OTHERS if seed % 3 else OTHERS)
        rng = np.random.default_rng(seed)
        level, tiles = int(rng.integers(4)), dict(stored_tiles)
        spoiled = int(rng.choice(needed_levels(level)))
        place, count = coding.place(spoiled, *at(spoiled)), coding.streams(spoiled)
        if seed % 4:
            streams = [bytes(stream or b"") for stream in split_tile(tiles[spoiled], place, count)]
            k = int(rng.integers(count))
            streams[k] = mutate_stream(rng, streams[k])[1] if streams[k] else b"\xff\xd8"
            tiles[spoiled] = join_tile(streams, place)
        else:
            data = bytearray(tiles[spoiled])
            data[-int(rng.integers(1, 40))] ^= 1 << int(rng.integers(8))
            if seed % 8:  # with a right checksum
                data[-4:] = google_crc32c.value(bytes(data[:-4])).to_bytes(4, "little")
            tiles[spoiled] = bytes(data)
        side = coding.geometry.tile_side(level)
        *_, window = windows_of(side, rng, 1)
        found = {tile_outcome(core, coding, level, of(tiles, level), window) for core in CORES}
        assert len(found) == 1, seed
        kinds.add(type(found.pop()))
    assert kinds == {bytes, tuple}


def test_a_fault_that_python_does_not_find_gives_no_pixels(monkeypatch):
    coding, tiles = stored(64)
    damaged = bytes([tiles[2][0] ^ 1]) + tiles[2][1:]
    with pytest.raises(errors.ChecksumError):
        decode_tile(coding, 2, 1, 2, [damaged])
    monkeypatch.setattr(tile_decoder, "stream_lengths", lambda data, *_: [len(data) - 36])
    with pytest.raises(RripError, match="report") as caught:
        decode_tile(coding, 2, 1, 2, [damaged])
    assert not isinstance(caught.value, DamagedError)


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


# Checksums


@pytest.mark.parametrize("core", CORES)
def test_crc32c(core):
    data = np.random.default_rng(0).integers(0, 256, (1 << 20) + 64, np.uint8)
    sizes = [*range(130), *range(131, 4097, 37), 4096, 10_000, 65_535, 100_001, (1 << 20) + 3]
    for k, size in enumerate(sizes):
        for start in {0, k % 16, (7 * k + 1) % 16}:
            part = data[start : start + size]
            wanted = google_crc32c.value(part.tobytes())
            address = lib.address(data) + start
            assert lib.library.rrip_crc32c(pointer(core), 0, address, size) == wanted
            cut = size * (k % 5) // 5
            first = lib.library.rrip_crc32c(pointer(core), 0, address, cut)
            assert lib.library.rrip_crc32c(pointer(core), first, address + cut, size - cut) == wanted


# The contract, function by function


@dataclasses.dataclass
class Call:
    """A call of a C function that is right, to make wrong ones of."""

    function: Callable[..., int]
    arguments: dict[str, Any]
    out: tuple[Any, ...] = ()
    """What gets the result."""
    room: int = 0
    """Bytes of scratch that the contract says it needs; none for functions without."""

    def __call__(self, **changes: Any) -> int:
        memory = np.full(self.room, 0xA5, np.uint8)
        enough = {"scratch": lib.address(memory), "scratch_size": self.room} if self.room else {}
        given = (self.arguments | enough | changes).values()
        return self.function(
            *(
                ctypes.cast(value, kind) if isinstance(value, Pointers) else value  # whatever they are declared to be
                for value, kind in zip(given, self.function.argtypes, strict=True)
            )
        )

    def result(self) -> bytes:
        return b"".join(part.tobytes() if isinstance(part, np.ndarray) else bytes(part) for part in self.out)


def coding_of(coding: Coding, **changes: Any) -> lib.Coding:
    levels = [lib.Residual(how.taps, how.chroma_taps, how.cfl, how.planes) for how in coding.residuals]
    made = lib.Coding((c_uint8 * 8)(*coding.uuid.bytes[:8]), coding.geometry.tile, (lib.Residual * 2)(*levels))
    made.filter[:] = coding.residuals[0].luma_filter or (0, 0, 0, 0)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def pointers(*parts: bytes | np.ndarray | None) -> Any:
    arrays = [part if part is None or isinstance(part, np.ndarray) else np.frombuffer(part, np.uint8) for part in parts]
    made = Pointers(*(None if array is None else lib.address(array) for array in arrays))
    made.arrays = arrays
    return made


def planar(*shape: int) -> tuple[np.ndarray, lib.Target]:
    out = np.zeros(shape, np.uint8)
    return out, lib.Target(lib.address(out), out.size, 0, shape[1] * shape[2], shape[2], 1)


Pointers = c_void_p * 3
SCRATCH = {"scratch": None, "scratch_size": 0}


def decode_stream_call(core: str, number: int = 0) -> Call:
    data, planes = sound_streams()[number]
    out = np.zeros((planes, SIDE, SIDE), np.uint8)
    arguments = {
        "core": pointer(core),
        "data": lib.address(np.frombuffer(data, np.uint8)),
        "size": len(data),
        "side": SIDE,
        "planes": planes,
        "top": 0,
        "bottom": SIDE,
        "out": lib.address(out),
        **SCRATCH,
        "fault": byref(lib.Fault()),
    }
    return Call(lib.library.rrip_decode_stream, arguments, (out,), lib.library.rrip_decode_scratch(SIDE, len(data)))


def decode_tile_call(core: str, level: int, tile: int = 64, ways: Any = LEVELS) -> Call:
    coding, tiles = stored(tile, ways)
    side = coding.geometry.tile_side(level)
    out, to = planar(3, side, side)
    needed = of(tiles, level)
    arguments = {
        "core": pointer(core),
        "coding": byref(coding_of(coding)),
        "level": level,
        **dict(zip(("row", "col"), at(level), strict=True)),
        "tiles": pointers(*needed),
        "sizes": (c_size_t * 3)(*map(len, needed)),
        "window": byref(lib.Window(0, side, 0, side)),
        "target": byref(to),
        **SCRATCH,
        "fault": byref(lib.Fault()),
    }
    room = lib.library.rrip_decode_scratch(tile, max(map(len, needed)))
    return Call(lib.library.rrip_decode_tile, arguments, (out,), room)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


KEEP: list[Any] = []
"""Arrays whose addresses calls have."""


def place_of(array: np.ndarray) -> int:
    KEEP.append(array)
    return lib.address(array)


def up2_call(core: str) -> Call:
    out = np.zeros((6, 100), np.uint8)
    arguments = {
        "core": pointer(core),
        "plane": place_of(noise(3, 50)),
        "height": 3,
        "width": 50,
        "taps": (c_int16 * 4)(*SHARP),
        "out": lib.address(out),
        **SCRATCH,
    }
    return Call(lib.library.rrip_up2, arguments, (out,), lib.library.rrip_predict_scratch())


def reconstruct_call(core: str) -> Call:
    out, to = planar(3, 6, 100)
    how = lib.Residual(SHARP, BILINEAR, (20, -30), 3)
    arguments = {
        "core": pointer(core),
        "coarse": place_of(noise(3, 3, 50)),
        "height": 3,
        "width": 50,
        "residuals": pointers(*noise(3, 6, 100)),
        "how": byref(how),
        "window": byref(lib.Window(0, 6, 0, 100)),
        "colour": 1,
        "target": byref(to),
        **SCRATCH,
    }
    return Call(lib.library.rrip_reconstruct, arguments, (out,), lib.library.rrip_predict_scratch())


def encode_call(core: str, planes: int) -> Call:
    samples = np.random.default_rng(0).normal(0, 20, (planes, 16, 24)).clip(-128, 127).astype(np.float32)
    decoded = np.zeros(samples.shape, np.uint8)
    arguments = {
        "core": pointer(core),
        "samples": place_of(samples),
        "planes": planes,
        "height": 16,
        "width": 24,
        "quantisers": quantisers(),
        "passes": 2,
        "optional": 0,
        "decoded": lib.address(decoded),
        **SCRATCH,
        "stream": byref(c_void_p()),
        "size": byref(c_size_t()),
    }
    return Call(lib.library.rrip_encode, arguments, (decoded,), lib.library.rrip_encode_scratch(planes, 16, 24))


def quantisers(step: int = 4, rate: float = 0.1) -> Any:
    steps = (c_uint8 * 64)(*[4] * 63, step)
    return (lib.Quantiser * 2)(lib.Quantiser(steps, rate), lib.Quantiser(steps, rate))


def dissimilarity_call(core: str) -> Call:
    mean, window = c_double(), np.full(11, 1 / 11, np.float32)
    first, second = noise(2, 20, 30).astype(np.float32)
    arguments = {
        "core": pointer(core),
        "first": place_of(first),
        "second": place_of(second),
        "height": 20,
        "width": 30,
        "weights": place_of(window),
        "reach": 11,
        "c1": 6.5,
        "c2": 58.5,
        "mean": byref(mean),
        **SCRATCH,
    }
    return Call(lib.library.rrip_dissimilarity, arguments, (mean,), lib.library.rrip_dissimilarity_scratch(30))


WITH_SCRATCH: dict[str, Callable[[str], Call]] = {
    "gray stream": decode_stream_call,
    "colour stream": lambda core: decode_stream_call(core, 1),
    "restarts": lambda core: decode_stream_call(core, 6),
    **{f"tile of level {level}": functools.partial(decode_tile_call, level=level) for level in range(4)},
    "filtered tile": functools.partial(decode_tile_call, level=0, ways=FILTERED),
    "up2": up2_call,
    "reconstruct": reconstruct_call,
    "encode gray": lambda core: encode_call(core, 1),
    "encode colour": lambda core: encode_call(core, 3),
    "dissimilarity": dissimilarity_call,
}


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("kind", WITH_SCRATCH)
def test_scratch_of_any_alignment_and_content(core, kind):
    call = WITH_SCRATCH[kind](core)
    assert call() == 0
    wanted = call.result()
    assert any(wanted)
    for offset in (0, 1, 2, 3, 8, 17, 31, 33, 63):
        for content in (0x00, 0xFF):
            memory = np.full(call.room + 192, content, np.uint8)
            memory[offset + call.room :] = memory[:offset] = 0x5A
            assert call(scratch=lib.address(memory) + offset, scratch_size=call.room) == 0
            assert call.result() == wanted
            assert (memory[:offset] == 0x5A).all()
            assert (memory[offset + call.room :] == 0x5A).all()


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("kind", WITH_SCRATCH)
def test_too_little_scratch_is_refused(core, kind):
    """Whatever its size: it is refused or it does, and what is behind it is not touched."""
    call = WITH_SCRATCH[kind](core)
    assert call() == 0
    wanted = call.result()
    assert call(scratch=None, scratch_size=0) in {E_ARGUMENT, E_SCRATCH}
    rng, sizes = np.random.default_rng(0), {0, 1, 63, 64, 65, call.room // 2, call.room - 1, call.room}
    least = call.room
    for size in sorted(sizes | {int(n) for n in rng.integers(0, call.room, 40)}, reverse=True):
        memory = np.full(call.room + 64, 0x5A, np.uint8)
        code = call(scratch=lib.address(memory) + 5, scratch_size=size)
        assert code in {0, E_SCRATCH}
        if code == 0:
            assert size <= least
            least = size
            assert call.result() == wanted
        else:
            assert size < least
        assert (memory[:5] == 0x5A).all()
        assert (memory[5 + size :] == 0x5A).all()
    assert least > 0


def refused(call: Call, **changes: Any) -> None:
    assert call(**changes) == E_ARGUMENT, changes


@pytest.mark.parametrize("core", CORES)
def test_arguments_of_streams(core):
    call = decode_stream_call(core)
    for name in ("core", "data", "out", "fault"):
        refused(call, **{name: None})
    for name, values in {
        "side": (-8, 0, 4, 7, 12, 81, 2056, 2**31 - 8),
        "planes": (-1, 0, 2, 4),
        "top": (-1, SIDE, SIDE + 1),
        "bottom": (-1, 0, SIDE + 1),
    }.items():
        for value in values:
            refused(call, **{name: value})
    if ctypes.sizeof(c_size_t) == 8:
        refused(call, size=2**32)
    assert call() == 0


GOOD_TAPS = (-6, 58, 14, -2)
WRONG_NUMBERS = [
    *((taps, (0, 0)) for taps in ((0, 0, 0, 0), (0, 48, 17, 0), (-14, 78, 0, 0), (100, -36, 0, 0), (32767,) * 4)),
    *((GOOD_TAPS, cfl) for cfl in ((128, 0), (0, -128), (-32768, 0))),
]
"""Taps that do not sum to 64 or whose magnitudes do to more than 90, and coefficients beyond 127 (spec section 5)."""


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_arguments_of_tiles(core, level):
    call, (coding, tiles) = decode_tile_call(core, level), stored(64)
    for name in ("core", "coding", "tiles", "sizes", "window", "target", "fault"):
        refused(call, **{name: None})
    refused(call, level=256)
    refused(call, level=2**32 - 1)
    for tile in (-64, 0, 16, 48, 63, 65, 72, 520, 528, 2**31 - 16):
        refused(call, coding=byref(coding_of(coding, tile=tile)))
    for planes in (-1, 0, 2, 4):
        changed = coding_of(coding)
        changed.residuals[level % 2].planes = planes
        refused(call, coding=byref(changed))
    for taps, cfl in WRONG_NUMBERS:
        for name in ("taps", "chroma_taps"):
            changed = coding_of(coding)
            setattr(changed.residuals[level % 2], name, (ctypes.c_int16 * 4)(*taps))
            changed.residuals[level % 2].cfl[:] = cfl
            refused(call, coding=byref(changed))
    for weights in ((64, 0, 0, 0), (0, -64, 0, 0), (0, 0, 15, 14), (0, 0, 0, -32768), (0, 0, -29, 0)):
        refused(call, coding=byref(coding_of(coding, filter=(c_int16 * 4)(*weights))))
    needed = of(tiles, level)
    for k in range(len(needed)):
        refused(call, tiles=pointers(*[None if n == k else tile for n, tile in enumerate(needed)]))
    side = coding.geometry.tile_side(level)
    for window in wrong_windows(side, side):
        refused(call, window=byref(window))
    out, _ = planar(3, side, side)
    for target in wrong_targets(out, side, side):
        refused(call, target=byref(target))
    assert call() == 0


def wrong_windows(height: int, width: int) -> Iterator[lib.Window]:
    for first, last, size in ((0, 1, height), (2, 3, width)):
        for begin, end in ((-1, 1), (0, 0), (3, 2), (0, size + 1), (size, size + 1), (-(2**31), 2**31 - 1)):
            window = [0, height, 0, width]
            window[first], window[last] = begin, end
            yield lib.Window(*window)


def wrong_targets(out: np.ndarray, height: int, width: int) -> Iterator[lib.Target]:
    """Targets of which some sample is outside, or of no known kind."""
    begin, size, area = lib.address(out), out.size, height * width
    yield lib.Target(None, size, 0, area, width, 1)
    for wrong in (0, 2, 5, 2**32 + 1, 2**64 - 1):
        yield lib.Target(begin, size, 0, area, width, wrong)
    for wrong in (0, area + 1, size, 2**63, 2**64 - 1):
        yield lib.Target(begin, size, 0, wrong, width, 1)
    for wrong in (width + 1, size, 2**62, 2**64 - 1):
        yield lib.Target(begin, size, 0, area, wrong, 1)
    for wrong in (1, size, 2**63, 2**64 - 1):
        yield lib.Target(begin, size, wrong, area, width, 1)
    for wrong in (0, 1, size - 1):
        yield lib.Target(begin, wrong, 0, area, width, 1)
    for channels in (3, 4):
        whole = channels * area
        yield lib.Target(begin, whole, 0, 2, channels * width, channels)
        yield lib.Target(begin, whole, 0, area, channels * width, channels)
        yield lib.Target(begin, whole, 1, 1, channels * width, channels)
        yield lib.Target(begin, whole - 1, 0, 1, channels * width, channels)


@pytest.mark.parametrize("core", CORES)
def test_arguments_of_steps(core):
    for call, names in (
        (up2_call(core), ("core", "plane", "taps", "out")),
        (reconstruct_call(core), ("core", "coarse", "residuals", "how", "window", "target")),
    ):
        for name in names:
            refused(call, **{name: None})
        for width in (-1, 0, 1025, 2**31 - 1):
            refused(call, width=width)
        for height in (-1, 0):
            refused(call, height=height)
        assert call() == 0
    for taps, cfl in WRONG_NUMBERS:
        refused(reconstruct_call(core), how=byref(lib.Residual(taps, GOOD_TAPS, cfl, 1)))
        refused(reconstruct_call(core), how=byref(lib.Residual(GOOD_TAPS, taps, cfl, 1)))
        if taps != GOOD_TAPS:
            refused(up2_call(core), taps=(ctypes.c_int16 * 4)(*taps))
    call = reconstruct_call(core)
    out, to = planar(3, 6, 100)
    planes = place_of(out)
    convert = Call(
        lib.library.rrip_convert_planes,
        {
            "core": pointer(core),
            "planes": planes,
            "height": 6,
            "width": 100,
            "window": byref(lib.Window(0, 6, 0, 100)),
            "colour": 0,
            "target": byref(to),
        },
    )
    for name in ("core", "planes", "window", "target"):
        refused(convert, **{name: None})
    for each in (call, convert):
        for window in wrong_windows(6, 100):
            refused(each, window=byref(window))
        for target in wrong_targets(out, 6, 100):
            refused(each, target=byref(target))
        assert each() == 0


@pytest.mark.parametrize("core", CORES)
def test_arguments_of_measures(core):
    rgb, out = place_of(noise(4, 5, 3)), place_of(np.zeros((3, 4, 5), np.float32))
    size = {"height": 4, "width": 5}
    plain_calls = [
        Call(function, {"core": pointer(core), "rgb": rgb, **size, "out": out})
        for function in (
            *(lib.library.rrip_rgb_to_ycc, lib.library.rrip_rgb_to_exact_ycc),
            *(lib.library.rrip_box2, lib.library.rrip_luma),
        )
    ]
    minus = Call(
        lib.library.rrip_difference,
        {"core": pointer(core), "rgb": rgb, **size, "first": 0, "count": 3, "predicted": None, "out": out},
    )
    for call in (*plain_calls, minus):
        assert call() == 0
        for name in ("core", "rgb", "out"):
            refused(call, **{name: None})
        for name in size:
            for wrong in (-1, 0, 2**31 - 1):
                refused(call, **{name: wrong})
    for first, count in ((-1, 1), (3, 1), (0, 0), (0, 4), (1, 3), (2, 2), (0, -1), (2**31 - 1, 2**31 - 1)):
        refused(minus, first=first, count=count)
    call = dissimilarity_call(core)
    for name in ("core", "first", "second", "weights", "mean"):
        refused(call, **{name: None})
    for reach in (-1, 0, 21, 31):
        refused(call, reach=reach)
    for name in size:
        refused(call, **{name: 10})


@pytest.mark.parametrize("core", CORES)
def test_arguments_of_the_encoder(core):
    for planes in (1, 3):
        call = encode_call(core, planes)
        for name in ("core", "samples", "quantisers", "stream", "size"):
            refused(call, **{name: None})
        for wrong in (-1, 0, 2, 4):
            refused(call, planes=wrong)
        for name in ("height", "width"):
            for wrong in (-8, 0, 4, 12, 23, 2056, 2**31 - 8):
                refused(call, **{name: wrong})
        for wrong in (-1, 9, 2**31 - 1):
            refused(call, passes=wrong)
        refused(call, quantisers=quantisers(step=0))
        for wrong in (-0.1, float("nan"), float("inf")):
            refused(call, quantisers=quantisers(rate=wrong))
        assert call() == 0
        assert call(decoded=None) == 0


def test_sizes_of_scratch_that_nothing_needs():
    for wrong in (-1, 0, 7, 2049):
        assert lib.library.rrip_decode_scratch(wrong, 1000) == 0
    for wrong in ((0, 8, 8), (4, 8, 8), (1, 0, 8), (1, 8, -8), (1, 2056, 8), (1, 8, 2056)):
        assert lib.library.rrip_encode_scratch(*wrong) == 0
    assert lib.library.rrip_dissimilarity_scratch(0) == 0


def test_what_is_no_jpeg_is_not_sound():
    data = np.frombuffer(sound_streams()[0][0], np.uint8)
    check, core = lib.library.rrip_is_sound_jpeg, lib.core()
    assert check(core, lib.address(data), data.size, None, 0, SIDE, SIDE) == 1
    assert check(None, lib.address(data), data.size, None, 0, SIDE, SIDE) == 0
    assert check(core, None, data.size, None, 0, SIDE, SIDE) == 0
    for height, width in ((SIDE - 1, SIDE), (SIDE, 0), (-SIDE, SIDE)):
        assert check(core, lib.address(data), data.size, None, 0, height, width) == 0


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
