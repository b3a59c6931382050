"""Our JPEG encoder: every decoder reads what it meant, and it chooses as a slow search would (ITU-T T.81).

What it does inside is tested of its twin in plain NumPy, ``reference_encoder``, to which it is equal.
"""

from __future__ import annotations

import hashlib
import io
import itertools

import imagecodecs
import numpy as np
import plain.jpeg
import pytest
import reference_encoder as reference
from conftest import tissue
from cores import CORES, using
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain.dct import inverse_dct

from rrip_format.core import colour
from rrip_format.core.jpeg_encoder import EFFORTS, ZIGZAG, Quantiser, encode_gray, encode_ycc
from rrip_format.family import jpeg
from rrip_format.spec.geometry import TILE_SIZES


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
    levels = reference.round_levels(reference.transform(plane[None], [Quantiser(table)]), 0.5)[0]
    samples = inverse_dct((levels * table)[:, np.argsort(ZIGZAG)].reshape(-1, 8, 8))
    expected = samples.reshape(8, 8, 8, 8).swapaxes(1, 2).reshape(64, 64)
    np.testing.assert_array_equal(decoded(encode_gray(plane, Quantiser(table)), 64), expected)


@pytest.mark.parametrize("side", [*TILE_SIZES[::7], 1024, 2048])
def test_every_kind_of_side(side):
    plane = plane_of("sparse", side)
    error = decoded(encode_gray(plane, flat(2)), side) - 128.0 - plane
    assert np.abs(error).mean() < 1


# The twin


def steps_of(seed: int, largest: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, largest + 1, 64).astype(np.uint8)


SIDES = st.sampled_from([16, 24, 32, 40, 64])
LARGEST_STEPS = st.sampled_from([1, 2, 5, 17, 99, 255])
RATES = st.sampled_from([0.0, 0.02, 0.1, 1.0])


@given(
    st.sampled_from(KINDS),
    SIDES,
    SIDES,
    st.integers(0, 2**32 - 1),
    LARGEST_STEPS,
    RATES,
    st.sampled_from(sorted(EFFORTS)),
    st.booleans(),
)
@example("blocks", 64, 64, 0, 1, 0.0, "default", False)
@example("extremes", 64, 64, 0, 1, 0.1, "best", False)
@example("faint", 64, 64, 0, 5, 0.1, "best", True)
@settings(max_examples=100)
def test_gray_is_that_of_the_twin_byte_for_byte(kind, height, width, seed, largest, rate, effort, optional):
    plane, how = plane_of(kind, 64, seed)[:height, :width], Quantiser(steps_of(seed, largest), rate)
    expected = reference.encode_gray(plane, how, effort=effort, optional=optional)
    for core in CORES:
        with using(core):
            samples = np.empty((height, width), np.uint8)
            assert encode_gray(plane, how, effort=effort, optional=optional, samples=samples) == expected, core
            assert encode_gray(plane, how, effort=effort, optional=optional) == expected, core
            if expected and height == width:
                np.testing.assert_array_equal(samples, plain.jpeg.decode(expected, width, 1)[0], core)


@given(
    st.sampled_from(KINDS),
    SIDES,
    st.integers(0, 2**32 - 1),
    st.tuples(LARGEST_STEPS, LARGEST_STEPS),
    st.tuples(RATES, RATES),
    st.sampled_from(sorted(EFFORTS)),
)
@settings(max_examples=30)
def test_colour_is_that_of_the_twin_byte_for_byte(kind, side, seed, largest, rates, effort):
    planes = np.stack([plane_of(kind, side, seed), plane_of("faint", side, seed), plane_of("sparse", side, seed)])
    luma, chroma = (Quantiser(steps_of(seed + k, largest[k]), rates[k]) for k in range(2))
    expected = reference.encode_ycc(planes, luma, chroma, effort=effort)
    for core in CORES:
        with using(core):
            samples = np.empty(planes.shape, np.uint8)
            assert encode_ycc(planes, luma, chroma, effort=effort, samples=samples) == expected, core
            np.testing.assert_array_equal(samples, plain.jpeg.decode(expected, side, 3), core)


@pytest.mark.parametrize("side", [8, 248, 256, 264, 520])
def test_every_number_of_blocks_side_by_side(side):
    """Blocks are transformed many at once; a row ends anywhere among them."""
    plane = plane_of("tissue", 520)[:16, :side]
    expected = reference.encode_gray(plane, flat(7, 0.1))
    for core in CORES:
        with using(core):
            assert encode_gray(plane, flat(7, 0.1)) == expected, core


def test_large_planes_in_every_variant():
    plane, planes = plane_of("noise", 1024), np.stack([plane_of(kind, 512) for kind in ("tissue", "faint", "sparse")])
    found = set()
    for core in CORES:
        with using(core):
            samples = np.empty((1024, 1024), np.uint8)
            gray = encode_gray(plane, flat(5, 0.1), effort="best", samples=samples)
            found.add((gray, encode_ycc(planes, flat(3, 0.1), flat(5, 0.2)), samples.tobytes()))
    assert len(found) == 1


def test_the_transform_is_the_orthonormal_dct():
    from scipy.fft import dctn

    plane = plane_of("noise", 48)
    expected = dctn(plane.reshape(6, 8, 6, 8).swapaxes(1, 2).astype(np.float64), axes=(2, 3), norm="ortho")
    ordered = expected.reshape(36, 64)[:, ZIGZAG]
    np.testing.assert_allclose(reference.transform(plane[None], [flat(1)])[0], ordered, atol=1e-3)
    np.testing.assert_allclose(reference.transform(plane[None], [flat(8)])[0], ordered / 8, atol=1e-3)


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


# The choices of the twin, by trying everything


def ac_cost_of(values, levels, cost, end) -> float:
    total, last = 0.0, 0
    for k in np.flatnonzero(values):
        total += (float(abs(values[k])) - levels[k]) ** 2
        if levels[k]:
            total += float(cost[int(levels[k]).bit_length(), k - last - 1])
            last = k
    return total + (end if last < 63 else 0.0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([0.02, 0.1, 0.5]))
def test_ac_levels_are_the_best_of_all(seed, count, rate):
    rng = np.random.default_rng(seed)
    place = np.sort(rng.choice(np.arange(1, 64), count, replace=False))
    values = np.zeros(64, np.float32)
    values[place] = rng.uniform(0.5, 4, count) * rng.choice([-1, 1], count)
    cost = (rate * rng.uniform(2, 20, (11, 63))).astype(np.float32)
    end = np.float32(rate * 4)
    choices = []
    for x in np.abs(values[place]):
        high = int(x + np.float32(0.5))
        choices.append(sorted({0, high, high - 1 if high > 1 and x < high else high}))
    tried = np.zeros((np.prod([len(each) for each in choices]), 64), np.int64)
    tried[:, place] = list(itertools.product(*choices))
    least = min(ac_cost_of(values, chosen, cost, float(end)) for chosen in tried)
    levels = reference.choose_ac(values, cost, end)
    assert ac_cost_of(values, np.abs(levels), cost, float(end)) == pytest.approx(least, rel=1e-5)
    assert not levels[values == 0].any()
    assert (np.sign(levels) * np.sign(values) >= 0).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.3]))
def test_dc_levels_are_the_best_chain(seed, rate):
    rng = np.random.default_rng(seed)
    dc = rng.uniform(-6, 6, 5).astype(np.float32)
    cost = (rate * np.arange(1, 13)).astype(np.float32)

    def total(chain) -> float:
        codes = sum(float(cost[abs(b - a).bit_length()]) for a, b in itertools.pairwise((0, *chain)))
        return codes + float(((dc - np.array(chain)) ** 2).sum())

    near = [[int(np.floor(x)), int(np.floor(x)) + 1] for x in dc]
    found = reference.choose_dc(dc, cost).tolist()
    assert total(found) <= min(map(total, itertools.product(*near))) + 1e-4


# Huffman tables of the twin


def bits_of(frequency: np.ndarray, table: reference.HuffmanTable) -> int:
    return sum(int(frequency[symbol]) * len(code) for symbol, code in table.codes.items())


def check_table(frequency: np.ndarray) -> reference.HuffmanTable:
    table = reference.HuffmanTable.of(frequency.tolist())
    used = np.flatnonzero(frequency).tolist()
    assert sorted(table.symbols) == sorted(table.codes) == used
    assert sum(table.counts) == len(used)
    codes = set(table.codes.values())
    assert len(codes) == len(used)
    assert all(1 <= len(code) <= 16 for code in codes)
    assert not any(set(code) == {"1"} for code in codes)  # T.81 annex C: no code of ones alone
    assert not any(a != b and b.startswith(a) for a, b in itertools.permutations(codes, 2))
    return table


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_tables_are_prefix_codes(seed, count):
    rng = np.random.default_rng(seed)
    frequency = np.zeros(256, np.int64)
    frequency[rng.choice(256, count, replace=False)] = rng.integers(1, 2 ** rng.integers(1, 30), count)
    check_table(frequency)


def test_a_table_of_one_symbol():
    assert check_table(np.eye(256, dtype=np.int64)[3]).segment() == bytes([1, *[0] * 15, 3])


def test_codes_are_cut_to_sixteen_bits():
    frequency = np.zeros(256, np.int64)
    frequency[:40] = [int(1.6**k) + 1 for k in range(40)]
    assert check_table(frequency).counts[15] > 0


def test_the_core_cuts_codes_as_the_twin_does():
    """One coefficient in each block: symbols that occur as often as Fibonacci's numbers have the longest codes."""
    from scipy.fft import idctn

    often = [1, 2]
    while len(often) < 17:
        often.append(often[-1] + often[-2])
    kinds = [(k % 16 + 1, 1 + k // 16 * 2) for k in range(17)]  # position and level
    drawn = np.random.default_rng(0).permutation(np.repeat(np.arange(17), often))
    blocks = np.zeros((83 * 83, 64))
    for n, kind in enumerate(drawn):
        position, level = kinds[kind]
        blocks[n, ZIGZAG[position]] = 16 * level
    samples = idctn(blocks.reshape(83, 83, 8, 8), axes=(2, 3), norm="ortho")
    plane = np.ascontiguousarray(samples.swapaxes(1, 2).reshape(664, 664), np.float32)
    _, symbols = reference.choose_levels(reference.transform(plane[None], [flat(16)]), [flat(16)], 0)
    assert max(reference.tree_depths(reference.frequencies(symbols, 0, 1)).values()) > 16
    assert encode_gray(plane, flat(16)) == reference.encode_gray(plane, flat(16))


def test_all_symbols_at_once():
    check_table(np.arange(1, 257, dtype=np.int64) ** 3)


def test_no_more_bits_than_an_optimal_code():
    rng = np.random.default_rng(0)
    frequency = np.zeros(256, np.int64)
    frequency[:60] = rng.integers(1, 1000, 60)
    share = frequency[:60] / frequency.sum()
    entropy = -float((share * np.log2(share)).sum()) * frequency.sum()
    assert entropy <= bits_of(frequency, check_table(frequency)) <= entropy * 1.02 + 32


def test_integer_logarithm():
    for value in (1, 2, 3, 5, 1000, 2**20 + 1, 2**30):
        assert reference.log2(value) / 256 == pytest.approx(np.log2(value), abs=1 / 200)
