"""Each check of the compiled core before a tile is decoded, and of what tiles it calls damaged.

See ``tests/support/hostile_calls.py`` for what a call reads and how the module is used.
"""

from __future__ import annotations

from ctypes import POINTER, byref, c_char_p, c_size_t, c_void_p, cast

import pytest
from hostile_calls import (
    ARGUMENT,
    CORE,
    HUGE,
    SCRATCH,
    SLIDE,
    WRONG_WEIGHTS,
    T,
    block,
    coding,
    convert,
    flat,
    frame,
    place,
    reconstruct,
    segment,
    stream,
)

from rrip_format.core import library as lib


def stored(
    level: int,
    streams: tuple[bytes, ...],
    *,
    row: int = 0,
    col: int = 0,
    lengths: tuple[int, ...] | None = None,
    count: int | None = None,
    flags: bytes = b"\0\0",
    slide: bytes = SLIDE,
    wrong: int = 0,
) -> bytes:
    """A stored tile with a right checksum, or one that differs in the bits of `wrong`."""
    sizes = (*(lengths or map(len, streams)), 0, 0)[:3]
    body = b"".join(streams) + b"".join(size.to_bytes(4, "little") for size in sizes)
    body += row.to_bytes(4, "little") + col.to_bytes(4, "little")
    body += bytes((level, len(streams) if count is None else count)) + flags + slide
    given = block(body)
    found = CORE.rrip_crc32c(lib.core(), 0, place(given), len(body))
    return body + (found ^ wrong).to_bytes(4, "little")


def tiles_of(level: int, planes: int = 1) -> list[bytes]:
    if level >= 2:
        return [stored(level, (flat(T if level == 2 else 4 * T, 3),))]
    found = [stored(2, (flat(T, 3),))]
    return found + [stored(at, (flat(T << (2 - at), 1),) * planes) for at in range(1, level - 1, -1)]


def decode_tile(
    tiles: list[bytes | None],
    level: int,
    *,
    how: lib.Coding | None = None,
    window: tuple[int, int, int, int] | None = None,
    target: lib.Target | None = None,
    room: int | None = None,
    row: int = 0,
    col: int = 0,
    sizes: tuple[int, ...] | None = None,
    without: str = "",
) -> int:
    side = 4 * T if level > 2 else T << max(2 - level, 0)
    top, bottom, left, right = window or (0, side, 0, side)
    out = block(3 * side * side)
    to = target or lib.Target(place(out), out.size, 0, side * side, side, 1)
    blocks = [None if tile is None else block(tile) for tile in tiles]
    places = cast((c_void_p * 3)(*map(place, blocks)), POINTER(c_char_p))
    found = (c_size_t * 3)(*(sizes or (len(tile or b"") for tile in tiles)))
    scratch = block(
        CORE.rrip_decode_scratch(T, max(map(len, filter(None, tiles)), default=0)) if room is None else room
    )
    fault, numbers, part = lib.Fault(), how or coding(), lib.Window(top, bottom, left, right)
    given = {"core": lib.core(), "coding": byref(numbers), "level": level, "row": row, "col": col, "tiles": places}
    given |= {"sizes": found, "window": byref(part), "target": byref(to), "scratch": place(scratch)}
    given |= {"room": scratch.size, "fault": byref(fault)}
    code: int = CORE.rrip_decode_tile(*(None if name == without else value for name, value in given.items()))
    return code


@pytest.mark.parametrize("level", [0, 1, 2, 3, 200])
@pytest.mark.parametrize("planes", [1, 3])
def test_tiles_that_are_in_order(level, planes):
    assert decode_tile(tiles_of(level, planes), level, how=coding((planes, planes))) == 0


@pytest.mark.parametrize(
    ("tile", "code"),
    [
        (b"", 40),
        (bytes(35), 40),
        (bytes(36), 41),
        (stored(2, (flat(T, 3),), wrong=1), 41),
        (stored(2, (flat(T, 3),), wrong=1 << 31), 41),
        (stored(2, (flat(T, 3),), row=1), 42),
        (stored(2, (flat(T, 3),), col=1), 42),
        (stored(3, (flat(T, 3),)), 42),
        (stored(2, (flat(T, 3),), slide=SLIDE[:7] + b"\0"), 42),
        (stored(2, (flat(T, 3),), slide=b"\0" + SLIDE[1:]), 42),
        (stored(2, (flat(T, 3), b""), lengths=(len(flat(T, 3)) - 5, 5), count=1), 43),
        (stored(2, (flat(T, 3), b""), lengths=(len(flat(T, 3)), 0, 5), count=1), 43),
        (stored(2, (flat(T, 3),), lengths=(len(flat(T, 3)) + 1,)), 43),
        (stored(2, (flat(T, 3),), lengths=(len(flat(T, 3)) - 1,)), 43),
        (stored(2, (flat(T, 3),), lengths=(0xFFFFFFFF,)), 43),
        (stored(2, (flat(T, 3),), count=2), 43),
        (stored(2, (flat(T, 3),), flags=b"\1\0"), 43),
        (stored(2, (flat(T, 3),), flags=b"\0\1"), 43),
        (stored(2, (b"",)), 44),
        (stored(2, (b"x",)), 1),
    ],
)
def test_a_broken_tile_has_its_code(tile, code):
    assert decode_tile([tile], 2) == code
    assert decode_tile([tile, *tiles_of(0)[1:]], 0) == code


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_lengths_of_three_streams(plane):
    one = flat(128, 1)
    sizes = [len(one)] * 3
    for length in (len(one) + 1, len(one) - 1, 0xFFFFFFFF, 0):
        sizes[plane] = length
        tiles = [*tiles_of(2), stored(1, (one,) * 3, lengths=tuple(sizes))]
        assert decode_tile(tiles, 1, how=coding((1, 3))) == 43
    assert decode_tile([*tiles_of(2), stored(1, (b"",) * 3)], 1, how=coding((1, 3))) == 0


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_broken_stream_of_each_plane(broken):
    """Both what its header breaks and what its codes do, in the first rows and in the last."""
    end = b"\xff\xd9"

    def damaged(sound: bytes) -> list[tuple[int, bytes]]:
        found = [(23, sound[:-3] + end), (23, sound[:-20] + end), (24, sound[:-2] + bytes(2) + end)]
        return [*found, (21, sound[:-18] + b"\x80" + sound[-17:]), (2, b"\xff\xd8\xff\xd9")]

    for code, other in damaged(flat(128, 1)):
        streams = [flat(128, 1)] * 3
        streams[broken] = other
        assert decode_tile([*tiles_of(2), stored(1, tuple(streams))], 1, how=coding((1, 3))) == code
    for code, other in damaged(flat(T, 3)):
        assert decode_tile([stored(2, (other,))], 2) == code
        assert decode_tile([stored(2, (other,)), *tiles_of(0)[1:]], 0) == code


@pytest.mark.parametrize("is_empty", [False, True], ids=["residuals", "no residuals"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_too_little_scratch_for_a_tile(level, is_empty):
    small, tiles = (0, 1, 0, 1), tiles_of(level, 3)
    if is_empty:
        tiles = [tiles[0], *(stored(1 - k, (b"",) * 3) for k in range(len(tiles) - 1))]
    most = CORE.rrip_decode_scratch(T, max(map(len, tiles)))
    rooms = (0, 21, 63, *range(64, most, 1999))
    found = [decode_tile(tiles, level, how=coding((3, 3)), window=small, room=room) for room in rooms]
    assert set(found) == {0, SCRATCH}


@pytest.mark.parametrize("planes", [1, 3])
def test_windows_of_a_filtered_tile(planes):
    """At each edge of the tile and inside, with the least memory that holds the window."""
    how, tiles, side = coding((planes, planes), weights=(63, -63, 14, -14)), tiles_of(0, planes), 4 * T
    ends = (0, 1), (0, 2), (7, 9), (63, 65), (side - 2, side - 1), (side - 1, side), (0, side)
    for top, bottom in ends:
        for left, right in ends:
            out = block(3 * (bottom - top) * (right - left))
            to = lib.Target(place(out), out.size, 0, 1, 3 * (right - left), 3)
            assert decode_tile(tiles, 0, how=how, window=(top, bottom, left, right), target=to) == 0
            assert len(set(out.tolist())) == 1  # flat


def test_too_little_scratch_for_a_filtered_tile():
    how, tiles = coding((3, 3), weights=(10, 14, 7, -9)), tiles_of(0, 3)
    most = CORE.rrip_decode_scratch(T, max(map(len, tiles)))
    found = [
        decode_tile(tiles, 0, how=how, window=(0, 1, 0, 1), room=room) for room in (0, 21, 63, *range(64, most, 499))
    ]
    assert set(found) == {0, SCRATCH}


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_weights_of_a_filter(level):
    tiles = tiles_of(level)
    for weights in ((63, 63, 28, 0), (-63, -63, 0, -28), (0, 0, -14, 14)):
        assert decode_tile(tiles, level, how=coding(weights=weights)) == 0
    for weights in WRONG_WEIGHTS:
        assert decode_tile(tiles, level, how=coding(weights=weights)) == ARGUMENT


def test_scratch_is_as_large_as_the_function_says():
    """For the most restart intervals and planes that there can be."""
    each, side = segment(0xDD, b"\0\1"), 4 * T
    count = (side // 8) ** 2
    gray = b"\xff".join((b"\x3f" if n == 0 else bytes((0xD0 + (n - 1) % 8, 0x3F))) for n in range(count))
    colour = gray.replace(b"\x3f", b"\x03")
    size = {planes: segment(0xC0, frame(side, planes)) for planes in (1, 3)}
    residual, base = stream(frame=size[1], restart=each, data=gray), stream(3, colour, frame=size[3], restart=each)
    assert decode_tile([stored(3, (base,))], 3) == 0
    for weights in ((0, 0, 0, 0), (1, 0, 0, 0)):
        how = coding((3, 3), weights=weights)
        assert decode_tile([*tiles_of(1, 3), stored(0, (residual,) * 3)], 0, how=how) == 0
    assert CORE.rrip_decode_scratch(7, 1000) == 0
    assert CORE.rrip_decode_scratch(2049, 1000) == 0


@pytest.mark.parametrize("name", ["core", "coding", "tiles", "sizes", "window", "target", "fault"])
def test_a_tile_without_an_argument(name):
    assert decode_tile(tiles_of(0), 0, without=name) == ARGUMENT


def test_arguments_of_a_tile():
    tiles = tiles_of(0)
    for tile in (-64, 0, 16, 48, 63, 65, 72, 528, 1024):
        assert decode_tile(tiles[:1], 2, how=coding(tile=tile), window=(0, 1, 0, 1)) == ARGUMENT
    for planes in ((0, 1), (2, 1), (4, 1), (1, 0), (1, 2), (1, -1)):
        assert decode_tile(tiles, 0, how=coding(planes)) == ARGUMENT
    for level in (256, 0xFFFFFFFF):
        assert decode_tile([stored(level & 255, (flat(4 * T, 3),))], level) == ARGUMENT
    for missing in range(3):
        given: list[bytes | None] = list(tiles)
        given[missing] = None
        assert decode_tile(given, 0) == ARGUMENT
        sizes = [len(tile) for tile in tiles]
        sizes[missing] = HUGE
        assert decode_tile(tiles, 0, sizes=tuple(sizes)) == ARGUMENT


WINDOWS = [(-1, 4, 0, 4), (4, 4, 0, 4), (5, 4, 0, 4), (0, 65, 0, 4), (0, 4, -1, 4), (0, 4, 4, 4), (0, 4, 5, 4)]


@pytest.mark.parametrize("window", [*WINDOWS, (0, 4, 0, 65)])
def test_windows_that_are_not_in_the_tile(window):
    out = block(1 << 20)
    to = lib.Target(place(out), out.size, 0, 1 << 14, 128, 1)
    assert decode_tile(tiles_of(2), 2, window=window, target=to) == ARGUMENT
    planes = block(3 * T * T)
    assert convert(planes, T, T, window, to) == ARGUMENT
    double = tuple(2 * edge if edge > 4 else edge for edge in window)
    assert reconstruct(planes, T, T, double, to) == ARGUMENT
