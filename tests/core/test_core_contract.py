"""Every function of the compiled core keeps its contract (``core/src/rrip.h``): scratch and arguments."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
from collections.abc import Callable, Iterator
from ctypes import byref, c_double, c_int16, c_size_t, c_uint8, c_void_p
from typing import Any

import numpy as np
import pytest
from core_slides import FILTERED, LEVELS, SIDE, at, noise, of, pointer, sound_streams, stored
from cores import CORES

from rrip_format.core import library as lib
from rrip_format.spec.metadata import BILINEAR, SHARP, Coding

E_ARGUMENT, E_SCRATCH = -1, -2


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
