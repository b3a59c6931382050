"""Each check of the compiled core before a single step: prediction, targets, pictures, measures, the encoder.

See ``tests/support/hostile_calls.py`` for what a call reads and how the module is used.
"""

from __future__ import annotations

from ctypes import POINTER, byref, c_double, c_int16, c_size_t, c_uint8, c_void_p, cast

import numpy as np
import pytest
from hostile_calls import ARGUMENT, CORE, SCRATCH, WRONG_WEIGHTS, block, convert, place, reconstruct

from rrip_format.core import library as lib

# ---- Targets and single steps


@pytest.mark.parametrize(
    ("planes", "row", "step", "start", "size"),
    [(20, 5, 1, 3, 62), (1, 12, 3, 3, 51), (1, 20, 4, 3, 79), (1, 16, 4, 0, 64)],
)
def test_the_smallest_target(planes, row, step, start, size):
    """Of 4 x 4 px: one byte less does not do, and nothing is written behind it."""
    data = block(3 * 8 * 8)
    for function in (convert, reconstruct):
        out = block(size)
        assert function(data, 8, 8, (2, 6, 2, 6), lib.Target(place(out), size, start, planes, row, step)) == 0
        less = block(size - 1)
        to = lib.Target(place(less), size - 1, start, planes, row, step)
        assert function(data, 8, 8, (2, 6, 2, 6), to) == ARGUMENT


@pytest.mark.parametrize(
    "target",
    [
        {"data": None},
        {"pixel_stride": 0},
        {"pixel_stride": 2},
        {"pixel_stride": 5},
        {"pixel_stride": 3, "plane_stride": 2},
        {"pixel_stride": 4, "plane_stride": 2},
        {"plane_stride": 0},
        {"plane_stride": 1 << 63},
        {"plane_stride": (1 << 63) + 20},
        {"row_stride": (1 << 64) - 1},
        {"row_stride": 1 << 63},
        {"row_stride": 1 << 62},
        {"start": (1 << 64) - 50},
        {"start": (1 << 63)},
    ],
    ids=str,
)
def test_targets_that_are_none(target):
    data, out = block(3 * 8 * 8), block(100)
    sound = {"data": place(out), "size": 100, "start": 0, "plane_stride": 25, "row_stride": 5, "pixel_stride": 1}
    for function in (convert, reconstruct):
        assert function(data, 8, 8, (2, 7, 2, 6), lib.Target(*sound.values())) == 0
        assert function(data, 8, 8, (2, 7, 2, 6), lib.Target(*(sound | target).values())) == ARGUMENT


def test_a_row_stride_whose_multiple_is_beyond_64_bits():
    """Rows times stride are 0 then, and every place but that of the first row is far away."""
    height = (1 << 16) + 1
    data, out = block(3 * height), block(100)
    for stride in (1 << 48, (1 << 49) + (1 << 48)):
        to = lib.Target(place(out), out.size, 0, 1, stride, 3)
        assert convert(data, height, 1, (0, height, 0, 1), to) == ARGUMENT


def test_arguments_of_single_steps():
    data, out = block(3 * 8 * 8), block(3 * 16 * 16)
    taps, to = (c_int16 * 4)(-2, 58, 9, -1), lib.Target(place(out), out.size, 0, 256, 16, 1)
    scratch = block(CORE.rrip_predict_scratch())

    def up2(height: int = 8, width: int = 8, room: int | None = None, **wrong: None) -> int:
        given = {"core": lib.core(), "plane": place(data), "height": height, "width": width, "taps": taps}
        given |= {"out": place(out), "scratch": place(scratch), "room": scratch.size if room is None else room}
        return CORE.rrip_up2(*(given | wrong).values())

    assert up2() == 0
    assert [up2(**{name: None}) for name in ("core", "plane", "taps", "out")] == [ARGUMENT] * 4
    for height, width in ((0, 8), (-1, 8), (8, 0), (8, -1), (1, 1025), (1 << 30, 1)):
        assert up2(height, width) == ARGUMENT
        assert reconstruct(data, height, width, (0, 1, 0, 1), to) == ARGUMENT
        if width != 1025 and height < 8:
            assert convert(data, height, width, (0, 1, 0, 1), to) == ARGUMENT
    assert convert(None, 8, 8, (0, 8, 0, 8), to) == ARGUMENT
    assert convert(data, 8, 8, (0, 8, 0, 8), None) == ARGUMENT
    assert reconstruct(None, 8, 8, (0, 8, 0, 8), to) == ARGUMENT
    assert reconstruct(data, 8, 8, (0, 8, 0, 8), None) == ARGUMENT
    for room in (0, 1, 100, scratch.size - 64):
        assert up2(room=room) == SCRATCH
        assert reconstruct(data, 8, 8, (0, 8, 0, 8), to, room) == SCRATCH
    assert up2(scratch=None) == SCRATCH


def test_arguments_of_the_filter():
    plane, out, scratch = block(8 * 20), block(8 * 20), block(CORE.rrip_filter_scratch(20))

    def call(*weights: int, **wrong: object) -> int:
        given = {"core": lib.core(), "plane": place(plane), "height": 8, "width": 20}
        given |= {"weights": (c_int16 * 4)(*(weights or (10, 14, 7, -9))), "out": place(out)}
        given |= {"scratch": place(scratch), "room": scratch.size}
        return CORE.rrip_filter_luma(*(given | wrong).values())

    assert call() == 0
    assert (out == plane).all()  # flat
    assert [call(**{name: None}) for name in ("core", "plane", "weights", "out")] == [ARGUMENT] * 4
    for height, width in ((0, 20), (-1, 20), (2049, 1), (8, 0), (8, -1), (1, 2049)):
        assert call(height=height, width=width) == ARGUMENT
    for weights in WRONG_WEIGHTS:
        assert call(*weights) == ARGUMENT
    assert call(scratch=None) == SCRATCH
    for room in (0, 1, 63, scratch.size - 64):
        assert call(room=room) == SCRATCH
    assert [CORE.rrip_filter_scratch(width) for width in (-1, 0, 2049)] == [0, 0, 0]
    for height, width in ((1, 1), (1, 2048), (2048, 1), (3, 63), (3, 64), (3, 65)):
        plane, out, scratch = block(height * width), block(height * width), block(CORE.rrip_filter_scratch(width))
        assert call(height=height, width=width) == 0


def test_the_widest_plane():
    data, out = block(3 * 1024), block(3 * 2 * 2048)
    assert reconstruct(data, 1, 1024, (0, 2, 0, 2048), lib.Target(place(out), out.size, 0, 4096, 2048, 1)) == 0
    scratch, taps = block(CORE.rrip_predict_scratch()), (c_int16 * 4)(-2, 58, 9, -1)
    assert CORE.rrip_up2(lib.core(), place(data), 1, 1024, taps, place(out), place(scratch), scratch.size) == 0


PICTURES = ("rrip_rgb_to_ycc", "rrip_rgb_to_exact_ycc", "rrip_box2", "rrip_luma")


@pytest.mark.parametrize("name", PICTURES)
def test_arguments_of_pictures(name):
    call, rgb, out = getattr(CORE, name), block(3 * 64), block(12 * 64)
    assert call(lib.core(), place(rgb), 8, 8, place(out)) == 0
    assert call(None, place(rgb), 8, 8, place(out)) == ARGUMENT
    assert call(lib.core(), None, 8, 8, place(out)) == ARGUMENT
    assert call(lib.core(), place(rgb), 8, 8, None) == ARGUMENT
    for height, width in ((0, 8), (-8, 8), (8, 0), (8, -8), (1 << 20, 1), (1, 1 << 20)):
        assert call(lib.core(), place(rgb), height, width, place(out)) == ARGUMENT


def test_arguments_of_differences():
    rgb, out = block(3 * 64), block(12 * 64)
    for first, count in ((-1, 1), (0, 0), (0, -1), (0, 4), (1, 3), (2, 2), (3, 1), (3, 0), (-1, 4)):
        code = CORE.rrip_difference(lib.core(), place(rgb), 8, 8, first, count, None, place(out))
        assert code == ARGUMENT
    assert CORE.rrip_difference(lib.core(), place(rgb), 8, 8, 0, 3, None, place(out)) == 0
    assert CORE.rrip_difference(lib.core(), place(rgb), 0, 8, 0, 3, None, place(out)) == ARGUMENT


def test_arguments_of_back_projection():
    fine, coarse, out = block(4 * 4 * 64), block(4 * 64), block(4 * 64)
    taps, wrong_taps = (c_int16 * 4)(-8, 60, 16, -4), [(c_int16 * 4)(*k) for k in ((0, 0, 0, 0), (80, -16, 0, 0))]
    scratch = block(CORE.rrip_back_project_scratch(8, 8))

    def call(**wrong: object) -> int:
        given = {"core": lib.core(), "fine": place(fine), "coarse": place(coarse), "height": 8, "width": 8}
        given |= {"taps": taps, "out": place(out), "scratch": place(scratch), "room": scratch.size}
        return CORE.rrip_back_project(*(given | wrong).values())

    assert call() == 0
    assert [call(**{name: None}) for name in ("core", "fine", "coarse", "taps", "out")] == [ARGUMENT] * 5
    assert [call(taps=each) for each in wrong_taps] == [ARGUMENT] * 2
    for height, width in ((0, 8), (8, 0), (-8, 8), (1025, 1), (1, 1025), (2**31 - 1, 8)):
        assert call(height=height, width=width) == ARGUMENT
        assert CORE.rrip_back_project_scratch(height, width) == 0
    assert call(scratch=None) == SCRATCH
    assert call(room=scratch.size - 64) == SCRATCH


def test_arguments_of_dissimilarity():
    first, weights, mean = block(4 * 64), np.full(5, 0.2, np.float32), c_double()
    scratch = block(CORE.rrip_dissimilarity_scratch(8))

    def call(height: int = 8, width: int = 8, reach: int = 5, room: int | None = None, **wrong: None) -> int:
        given = {"core": lib.core(), "first": place(first), "second": place(first), "height": height, "width": width}
        given |= {"weights": place(weights), "reach": reach, "c1": 6.5, "c2": 58.5, "mean": byref(mean)}
        given |= {"scratch": place(scratch), "room": scratch.size if room is None else room}
        return CORE.rrip_dissimilarity(*(given | wrong).values())

    assert call() == 0
    assert [call(**{name: None}) for name in ("core", "first", "second", "weights", "mean")] == [ARGUMENT] * 5
    for height, width, reach in ((0, 8, 1), (8, 0, 1), (8, 8, 0), (8, 8, -1), (4, 8, 5), (8, 4, 5), (8, 1 << 20, 1)):
        assert call(height, width, reach) == ARGUMENT
    assert call(room=0) == SCRATCH
    assert call(room=scratch.size - 64) == SCRATCH
    assert call(scratch=None) == SCRATCH
    assert [CORE.rrip_dissimilarity_scratch(width) for width in (-1, 0, 1 << 20)] == [0, 0, 0]


# ---- Encoder


def encode(
    floats: np.ndarray | None,
    planes: int,
    height: int,
    width: int,
    *,
    rate: float = 0.5,
    passes: int = 1,
    **wrong: object,
) -> tuple[int, bytes, np.ndarray]:
    """Code, stream, and what it decodes to."""
    how = (lib.Quantiser * 2)(*(lib.Quantiser((c_uint8 * 64)(*[4] * 64), rate) for _ in range(2)))
    found, size = c_void_p(), c_size_t()
    scratch, decoded = (
        block(CORE.rrip_encode_scratch(planes, height, width)),
        block(0 if floats is None else floats.size),
    )
    given = {"core": lib.core(), "samples": place(floats), "planes": planes, "height": height, "width": width}
    given |= {"quantisers": how, "passes": passes, "optional": 0, "decoded": place(decoded), "scratch": place(scratch)}
    given |= {"room": scratch.size, "stream": byref(found), "size": byref(size)}
    code = CORE.rrip_encode(*(given | wrong).values())
    data = bytes(cast(found.value, POINTER(c_uint8 * size.value)).contents) if found.value and size.value else b""
    return code, data, decoded


def waves(count: int) -> np.ndarray:
    return (100 * np.sin(np.arange(count) / 3)).astype(np.float32)


def test_arguments_of_the_encoder():
    samples = waves(3 * 64)
    assert encode(samples, 3, 8, 8)[0] == 0
    assert encode(None, 1, 8, 8)[0] == ARGUMENT
    for name in ("core", "quantisers", "stream", "size"):
        assert encode(samples, 1, 8, 8, **{name: None})[0] == ARGUMENT
    for planes in (-1, 0, 2, 4):
        assert encode(samples, planes, 8, 8, scratch=None)[0] == ARGUMENT
    for side in (-8, 0, 4, 12, 2056, 4096):
        assert encode(samples, 1, side, 8, scratch=None)[0] == ARGUMENT
        assert encode(samples, 1, 8, side, scratch=None)[0] == ARGUMENT
    for passes in (-1, 9):
        assert encode(samples, 1, 8, 8, passes=passes)[0] == ARGUMENT
    for rate in (-1.0, float("nan"), 2e6, float("inf")):
        assert encode(samples, 1, 8, 8, rate=rate)[0] == ARGUMENT
    for planes, at in ((1, 0), (1, 63), (3, 64), (3, 127)):
        how = (lib.Quantiser * 2)(*(lib.Quantiser((c_uint8 * 64)(*[4] * 64), 0) for _ in range(2)))
        how[at // 64].steps[at % 64] = 0
        assert encode(samples, planes, 8, 8, quantisers=how)[0] == ARGUMENT
    for planes, height, width in ((0, 8, 8), (4, 8, 8), (1, 0, 8), (1, 8, 0), (1, 2056, 8), (1, 8, 2056)):
        assert CORE.rrip_encode_scratch(planes, height, width) == 0


def test_too_little_scratch_for_the_encoder():
    samples, most = waves(3 * 256), CORE.rrip_encode_scratch(3, 16, 16)
    found = []
    for room in (*range(0, 200, 3), *range(200, most, 701)):
        memory = block(room)
        found.append(encode(samples, 3, 16, 16, scratch=place(memory), room=room)[0])
    assert set(found) <= {0, SCRATCH}
    assert found == sorted(found)
    assert encode(samples, 3, 16, 16, scratch=None)[0] == SCRATCH


@pytest.mark.parametrize("rate", [0, 0.5, 100])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, 1e20, 3000, -3000])
def test_samples_out_of_their_range(value, rate):
    """The stream is some picture, and the one that the encoder says; no kernel takes another way."""
    rng = np.random.default_rng(1)
    samples = waves(3 * 256)
    samples[rng.integers(0, samples.size, 40)] = value
    for samples_given in (samples, np.full_like(samples, value)):
        for planes in (1, 3):
            code, data, decoded = encode(samples_given[: planes * 256], planes, 16, 16, rate=rate, passes=2)
            assert code == 0
            if not data:
                continue
            out, fault, given = block(planes * 256), lib.Fault(), block(data)
            scratch = block(CORE.rrip_decode_scratch(64, len(data)))
            assert not CORE.rrip_decode_stream(
                *(lib.core(), place(given), len(data), 16, planes, 0, 16, place(out), place(scratch), scratch.size),
                byref(fault),
            )
            assert np.array_equal(out, decoded)
