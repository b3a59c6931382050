"""Every variant of the kernels of the compiled core gives the same pixels, faults and checksums."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import byref
from typing import Any

import cases
import google_crc32c
import numpy as np
import pytest
import reference
from core_slides import FILTERED, FILTERED_OTHERS, LEVELS, OTHERS, SIDE, at, of, pointer, sound_streams, stored
from cores import CORES, using
from damage.streams import mutate_stream

from rrip_format import errors
from rrip_format.core import colour, predict, tile_decoder
from rrip_format.core import library as lib
from rrip_format.core.tile_decoder import decode_rgb
from rrip_format.errors import DamagedError, RripError
from rrip_format.family.decode import decode_planes, decode_tile, needed_levels
from rrip_format.spec.metadata import BILINEAR, SHARP, Coding
from rrip_format.spec.tile import join_tile, split_tile

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
