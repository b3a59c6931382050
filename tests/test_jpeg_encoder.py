"""Our JPEG encoder: every decoder reads what it meant, and it chooses as a slow search would (ITU-T T.81)."""

from __future__ import annotations

import hashlib
import io
import itertools

import imagecodecs
import numpy as np
import plain.jpeg
import pytest
from conftest import tissue
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain.dct import inverse_dct
from rrip_format.jpeg_blocks import ZIGZAG, Blocks, Levels
from rrip_format.jpeg_huffman import HuffmanTables

from rrip_format import jpeg
from rrip_format.core import colour
from rrip_format.core.jpeg_encoder import EFFORTS, Quantiser, encode_gray, encode_ycc
from rrip_format.geometry import TILE_SIZES


def flat(step: int, rate: float = 0.0) -> Quantiser:
    return Quantiser(np.full(64, step, np.uint8), rate)


def plane_of(kind: str, side: int, seed: int = 0) -> np.ndarray:
    """(side, side) float32, -128 … 127."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    return (
        {
            "noise": lambda: rng.normal(0, 20, (side, side)),
            "faint": lambda: rng.normal(0, 1, (side, side)),
            "extremes": lambda: rng.choice([-128, 127], (side, side)),
            "checkers": lambda: np.where((y + x) % 2, 127, -128),
            "blocks": lambda: np.where((y // 8 + x // 8) % 2, 127, -128),
            "stripes": lambda: np.where(x % 2, 127, -128),
            "black": lambda: np.full((side, side), -128),
            "white": lambda: np.full((side, side), 127),
            "grey": lambda: np.zeros((side, side)),
            "sparse": lambda: np.where(rng.random((side, side)) < 0.002, 100, 0),
            "tissue": lambda: tissue(side, side, seed)[..., 1] - 128.0,
        }[kind]()
        .clip(-128, 127)
        .astype(np.float32)
    )


KINDS = ["noise", "faint", "extremes", "checkers", "blocks", "stripes", "black", "white", "grey", "sparse", "tissue"]


def decoded(stream: bytes, side: int) -> np.ndarray:
    return np.full((side, side), 128, np.uint8) if stream == b"" else jpeg.decode_gray(stream, side)


@given(
    st.sampled_from(KINDS),
    st.sampled_from([16, 24, 64]),
    st.sampled_from([1, 2, 5, 17, 99, 255]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from(sorted(EFFORTS)),
)
@example("blocks", 64, 1, 0.0, "default")  # the largest differences of DC: 11 bits
@example("extremes", 64, 1, 0.1, "best")
@settings(max_examples=120)
def test_two_decoders_agree(kind, side, step, rate, effort):
    """libjpeg-turbo and the decoder written from the specification see the same samples, and those wanted."""
    plane = plane_of(kind, side)
    samples = np.empty((side, side), np.uint8)
    stream = encode_gray(plane, flat(step, rate), effort=effort, samples=samples)
    found = decoded(stream, side)
    if stream:
        np.testing.assert_array_equal(samples, found)
        np.testing.assert_array_equal(plain.jpeg.decode(stream, side, 1)[0], found)
    error = np.abs(found - 128.0 - plane)
    assert error.mean() <= step * (0.6 if rate == 0 else 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [1, 7])
def test_decoders_see_exactly_our_levels(kind, step):
    plane, table = plane_of(kind, 64), np.arange(64, dtype=np.uint8) % 9 + step
    blocks = jpeg_blocks.transform(plane[None], Quantiser(table).scale[None])
    levels = jpeg_blocks.round_levels(blocks, 0.5)
    coefficients = np.zeros((64, 64), np.int64)
    coefficients[:, 0] = levels.dc[0]
    for n in range(64):
        part = slice(blocks.first[0, n], blocks.first[0, n + 1])
        coefficients[n, blocks.place[part]] = levels.ac[part]
    samples = inverse_dct((coefficients * table)[:, np.argsort(ZIGZAG)].reshape(-1, 8, 8))
    expected = samples.reshape(8, 8, 8, 8).swapaxes(1, 2).reshape(64, 64)
    np.testing.assert_array_equal(decoded(encode_gray(plane, Quantiser(table)), 64), expected)


@pytest.mark.parametrize("side", [*TILE_SIZES[::7], 1024, 2048])
def test_every_kind_of_side(side):
    plane = plane_of("sparse", side)
    error = decoded(encode_gray(plane, flat(2)), side) - 128.0 - plane
    assert np.abs(error).mean() < 1


def test_the_transform_is_the_orthonormal_dct():
    from scipy.fft import dctn

    plane = plane_of("noise", 48)
    blocks = jpeg_blocks.transform(plane[None], np.ones((1, 64), np.float32))
    expected = dctn(plane.reshape(6, 8, 6, 8).swapaxes(1, 2).astype(np.float64), axes=(2, 3), norm="ortho")
    ordered = expected.reshape(36, 64)[:, ZIGZAG]
    np.testing.assert_allclose(blocks.dc[0], ordered[:, 0], atol=1e-3)
    for n in range(36):
        part = slice(blocks.first[0, n], blocks.first[0, n + 1])
        np.testing.assert_allclose(blocks.value[part], ordered[n, blocks.place[part]], atol=1e-3)
        rest = np.setdiff1d(np.arange(1, 64), blocks.place[part])
        assert np.abs(ordered[n, rest]).max(initial=0) < 0.501


# Colour


def test_colour_streams_have_the_right_colours_everywhere():
    """Without any marker that says so, three components are YCbCr to every reader."""
    import pyvips
    from PIL import Image

    rgb = np.zeros((64, 64, 3), np.uint8) + np.array((200, 60, 120), np.uint8)
    rgb[:32] = (30, 160, 90)
    planes = colour.rgb_to_exact_ycc(rgb) - np.float32(128)
    stream = encode_ycc(planes, flat(2), flat(3))
    for found in (
        np.asarray(Image.open(io.BytesIO(stream))),
        imagecodecs.jpeg8_decode(stream),
        pyvips.Image.new_from_buffer(stream, "").numpy(),
        colour.ycc_to_rgb(jpeg.decode_ycc(stream, 64)).transpose(1, 2, 0),
    ):
        assert np.abs(found.astype(int) - rgb).max() <= 4
    np.testing.assert_array_equal(plain.jpeg.decode(stream, 64, 3), jpeg.decode_ycc(stream, 64))


@pytest.mark.parametrize("effort", EFFORTS)
def test_colour_of_tissue(effort):
    planes = colour.rgb_to_exact_ycc(tissue(128, 128)) - np.float32(128)
    samples = np.empty((3, 128, 128), np.uint8)
    stream = encode_ycc(planes, flat(6, 0.1), flat(9, 0.1), effort=effort, samples=samples)
    np.testing.assert_array_equal(jpeg.decode_ycc(stream, 128), samples)
    np.testing.assert_array_equal(plain.jpeg.decode(stream, 128, 3), jpeg.decode_ycc(stream, 128))
    assert np.abs(jpeg.decode_ycc(stream, 128) - 128.0 - planes).mean() < 4


def test_no_application_markers():
    stream = encode_gray(plane_of("noise", 64), flat(5))
    at, markers = 2, []
    while not markers or markers[-1] != 0xDA:
        markers.append(stream[at + 1])
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    assert markers == [0xDB, 0xC0, 0xC4, 0xDA]


# What is worth storing


def test_nothing_is_no_stream():
    assert encode_gray(plane_of("grey", 64), flat(1)) == b""
    assert encode_gray(plane_of("faint", 64), flat(40, 0.1)) == b""


def test_a_plane_may_be_left_away_unless_a_block_would_lose_much():
    plane = plane_of("faint", 512)
    how = flat(4, 0.1)
    assert encode_gray(plane, how) != b""
    assert encode_gray(plane, how, optional=True) == b""
    plane[80:88, 80:88] = np.outer(np.arange(8) % 2 * 16 - 8, np.ones(8))  # one cell on glass
    assert encode_gray(plane, how, optional=True) != b""


def test_bytes_are_stuffed():
    stream = encode_gray(plane_of("noise", 512), flat(1))
    assert stream.count(b"\xff\x00") > 10
    np.testing.assert_array_equal(plain.jpeg.decode(stream, 512, 1)[0], jpeg.decode_gray(stream, 512))


def cost_of(plane: np.ndarray, stream: bytes, step: int, rate: float) -> float:
    error = decoded(stream, plane.shape[0]) - 128.0 - plane
    return float((error**2).sum()) / step**2 + rate * 8 * len(stream)


@pytest.mark.parametrize("step", [3, 8, 20])
def test_effort_pays(step):
    plane, how = plane_of("tissue", 256), flat(step, 0.1)
    fast, default, best = (
        cost_of(plane, encode_gray(plane, how, effort=effort), step, 0.1) for effort in ("fast", "default", "best")
    )
    assert best < default * 1.001
    assert default < fast


def test_smaller_steps_are_better_and_larger():
    plane = plane_of("tissue", 128)
    streams = [encode_gray(plane, flat(step, 0.1)) for step in (2, 4, 8, 16)]
    sizes = [len(stream) for stream in streams]
    errors = [float(((decoded(stream, 128) - 128.0 - plane) ** 2).mean()) for stream in streams]
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)


def test_the_same_bytes_on_every_machine():
    """Input from integers alone; a change of the encoder changes this on purpose."""
    y, x = np.mgrid[:128, :128]
    plane = ((y * x * 7 + y * y * 3) % 97 - 48 + (x // 5 % 2) * 30).astype(np.float32)
    stream = encode_gray(plane, flat(6, 0.1))
    assert encode_gray(plane, flat(6, 0.1)) == stream
    assert hashlib.sha256(stream).hexdigest()[:16] == "39e515616757dafb"


# The choices, by trying everything


def ac_cost_of(place, value, levels, weight, cost, end) -> float:
    total, last = 0.0, 0
    for k, x, level in zip(place, value, levels, strict=True):
        total += float(weight[k]) * (abs(x) - level) ** 2
        if level:
            total += float(cost[int(level).bit_length(), k - last - 1])
            last = k
    return total + (end if last < 63 else 0.0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([0.02, 0.1, 0.5]))
def test_ac_levels_are_the_best_of_all(seed, count, rate):
    rng = np.random.default_rng(seed)
    place = np.sort(rng.choice(np.arange(1, 64), count, replace=False)).astype(np.uint8)
    value = (rng.uniform(0.5, 4, count) * rng.choice([-1, 1], count)).astype(np.float32)
    weight = rng.uniform(0.5, 2, 64).astype(np.float32)
    cost = (rate * rng.uniform(2, 20, (11, 63))).astype(np.float32)
    end = float(np.float32(rate * 4))
    blocks = Blocks(np.zeros((1, 1), np.float32), np.array([[0, count]], np.int32), place, value)
    levels = Levels(np.zeros((1, 1), np.int16), np.zeros(count, np.int16))
    jpeg_blocks.choose(blocks, levels, range(1), weight, np.zeros(12, np.float32), cost, end)
    choices = []
    for x in np.abs(value):
        high = int(x + np.float32(0.5))
        choices.append({0, high, high - 1 if high > 1 and x < high else high})
    least = min(
        ac_cost_of(place, value, chosen, weight, cost, end) for chosen in itertools.product(*map(sorted, choices))
    )
    found = ac_cost_of(place, value, np.abs(levels.ac), weight, cost, end)
    assert found == pytest.approx(least, rel=1e-5)
    assert all(level == 0 or np.sign(level) == np.sign(x) for level, x in zip(levels.ac, value, strict=True))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.3]))
def test_dc_levels_are_the_best_chain(seed, rate):
    rng = np.random.default_rng(seed)
    dc = rng.uniform(-6, 6, (1, 5)).astype(np.float32)
    cost = (rate * np.arange(1, 13)).astype(np.float32)
    blocks = Blocks(dc, np.zeros((1, 6), np.int32), np.zeros(0, np.uint8), np.zeros(0, np.float32))
    levels = Levels(np.zeros((1, 5), np.int16), np.zeros(0, np.int16))
    ones = np.ones(64, np.float32)
    jpeg_blocks.choose(blocks, levels, range(1), ones, cost, np.zeros((11, 63), np.float32), 0.0)

    def total(chain) -> float:
        codes = sum(float(cost[abs(b - a).bit_length()]) for a, b in itertools.pairwise((0, *chain)))
        return codes + float(((dc[0] - np.array(chain)) ** 2).sum())

    near = [[int(np.floor(x)), int(np.floor(x)) + 1] for x in dc[0]]
    assert total([int(v) for v in levels.dc[0]]) <= min(map(total, itertools.product(*near))) + 1e-4


# Huffman tables


def check_table(frequency: np.ndarray) -> HuffmanTables:
    table = HuffmanTables.of(np.stack([frequency, np.eye(256, dtype=np.int64)[3]]))
    used, count = np.flatnonzero(frequency), int(table.counts[0].sum())
    assert sorted(table.symbols[0, :count].tolist()) == used.tolist()
    assert count == used.size
    lengths = (table.codes[0] & np.uint64(31)).astype(int)
    assert lengths[used].max(initial=0) <= 16
    assert np.flatnonzero(lengths).tolist() == used.tolist()
    codes = {f"{int(table.codes[0, k]) >> 5:0{lengths[k]}b}" for k in used}
    assert len(codes) == used.size
    assert not any(set(code) == {"1"} for code in codes)  # T.81 annex C: no code of ones alone
    assert not any(a != b and b.startswith(a) for a, b in itertools.permutations(codes, 2))
    assert table.segment(1) == bytes([1, *[0] * 15, 3])  # the other table, of one symbol
    amplitudes = np.arange(256) & 15
    assert table.bits == int((frequency * (lengths + amplitudes)).sum()) + 1 + 3
    return table


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_tables_are_prefix_codes(seed, count):
    rng = np.random.default_rng(seed)
    frequency = np.zeros(256, np.int64)
    frequency[rng.choice(256, count, replace=False)] = rng.integers(1, 2 ** rng.integers(1, 30), count)
    check_table(frequency)


def test_codes_are_cut_to_sixteen_bits():
    frequency = np.zeros(256, np.int64)
    frequency[:40] = [int(1.6**k) + 1 for k in range(40)]
    table = check_table(frequency)
    assert table.counts[0, 15] > 0


def test_all_symbols_at_once():
    check_table(np.arange(1, 257, dtype=np.int64) ** 3)


def test_no_more_bits_than_an_optimal_code():
    rng = np.random.default_rng(0)
    frequency = np.zeros(256, np.int64)
    frequency[:60] = rng.integers(1, 1000, 60)
    table = check_table(frequency)
    share = frequency[:60] / frequency.sum()
    entropy = -float((share * np.log2(share)).sum()) * frequency.sum()
    bits = int(frequency @ (table.codes[0] & np.uint64(31)).astype(np.int64))
    assert entropy <= bits <= entropy * 1.02 + 32


def test_integer_logarithm():
    for value in (1, 2, 3, 5, 1000, 2**20 + 1, 2**30):
        assert jpeg_huffman._log2(value) / 256 == pytest.approx(np.log2(value), abs=1 / 200)
