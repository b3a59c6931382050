"""The reconstruction arithmetic: kernels equal the reference bit for bit, and both equal libjpeg (spec section 5)."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
import reference
from conftest import tissue
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rrip_format.core import colour, predict
from rrip_format.spec.metadata import BILINEAR, SHARP

INT16 = np.iinfo(np.int16)
EXTREME_TAPS = [
    SHARP,
    BILINEAR,
    (64, 0, 0, 0),
    (0, 0, 0, 64),
    (-13, 77, 0, 0),
    (77, -13, 0, 0),
    (-13, 64, 13, 0),
    (-6, 77, 0, -7),
    (-7, 39, 38, -6),
    (0, 0, -13, 77),
    (20, -13, 20, 37),
]


@st.composite
def admissible_taps(draw) -> tuple[int, int, int, int]:
    """Four integers with sum 64 and sum of magnitudes at most 90 (spec section 5.2)."""
    negative = draw(st.integers(0, 13) | st.just(13))
    positive_at = draw(st.lists(st.booleans(), min_size=4, max_size=4).filter(any))
    if all(positive_at):
        negative = 0
    taps = np.zeros(4, int)
    for total, sign, places in (
        (64 + negative, 1, np.flatnonzero(positive_at)),
        (negative, -1, np.flatnonzero(np.logical_not(positive_at))),
    ):
        for k, place in enumerate(places):
            share = total if k == len(places) - 1 else draw(st.integers(0, total))
            taps[place] += sign * share
            total -= share  # noqa: PLW2901
    assert taps.sum() == 64
    assert np.abs(taps).sum() <= 90
    return tuple(taps.tolist())


TAPS = st.one_of(admissible_taps(), st.sampled_from(EXTREME_TAPS))
CFL = st.tuples(*[st.integers(-127, 127) | st.sampled_from([-127, 127])] * 2)


def planes_of(shape, count) -> st.SearchStrategy:
    """`count` planes: anything, or only black and white, or noise that hypothesis need not draw sample by sample."""
    anything = hnp.arrays(np.uint8, (count, *shape))
    extremes = hnp.arrays(np.uint8, (count, *shape), elements=st.sampled_from([0, 255]))
    noise = st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)
    )
    hard = st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).choice([0, 255], (count, *shape)).astype(np.uint8)
    )
    return st.one_of(anything, extremes, noise, hard)


SHAPES = st.tuples(st.integers(1, 9) | st.sampled_from([16, 33]), st.integers(1, 9) | st.sampled_from([16, 40, 67]))


@st.composite
def reconstructions(draw):
    height, width = draw(SHAPES)
    coarse = draw(planes_of((height, width), 3))
    fine = draw(planes_of((2 * height, 2 * width), 3))
    present = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    return coarse, tuple(plane if there else None for plane, there in zip(fine, present, strict=True))


@given(reconstructions(), TAPS, CFL, st.none() | TAPS)
def test_kernels_equal_the_reference(planes, taps, cfl, chroma_taps):
    coarse, residuals = planes
    how = taps, cfl, chroma_taps
    expected = reference.reconstruct(tuple(coarse), residuals, *how)
    found = predict.reconstruct(coarse, residuals, *how)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.stack(expected))
    np.testing.assert_array_equal(predict.reconstruct_rgb(coarse, residuals, *how), reference.ycc_to_rgb(*expected))
    for plane in coarse:
        np.testing.assert_array_equal(predict.up2(plane, taps), reference.up2(plane, taps))


@pytest.mark.parametrize("taps", EXTREME_TAPS)
@pytest.mark.parametrize("cfl", [(127, -127), (-127, 127), (0, 0)])
def test_kernels_equal_the_reference_on_the_worst_pictures(taps, cfl):
    """A picture that follows the signs of the taps drives every sum to its bound."""
    signs = np.outer(taps, taps) > 0
    for pattern in (signs, ~signs, signs[::-1, ::-1], np.indices((4, 4)).sum(0) % 2 == 1):
        plane = np.tile(pattern, (4, 5)).astype(np.uint8) * 255
        coarse = np.stack([plane, 255 - plane, plane[::-1]])
        for residual in (0, 255):
            fine = np.full((3, 32, 40), residual, np.uint8)
            for residuals in (tuple(fine), (fine[0], None, None), (None, fine[1], fine[2]), (fine[0], ~fine[1], None)):
                expected = reference.reconstruct(tuple(coarse), residuals, taps, cfl)
                np.testing.assert_array_equal(predict.reconstruct(coarse, residuals, taps, cfl), np.stack(expected))
                np.testing.assert_array_equal(
                    predict.reconstruct_rgb(coarse, residuals, taps, cfl), reference.ycc_to_rgb(*expected)
                )


def test_kernels_take_read_only_and_strided_planes():
    coarse = np.random.default_rng(0).integers(0, 256, (3, 6, 14)).astype(np.uint8)[:, :, ::2]
    coarse.flags.writeable = False
    fine = np.random.default_rng(1).integers(0, 256, (24, 14)).astype(np.uint8)[::2]
    fine.flags.writeable = False
    expected = np.stack(reference.reconstruct(tuple(coarse), (fine, None, fine), SHARP, (3, -4)))
    np.testing.assert_array_equal(predict.reconstruct(coarse, (fine, None, fine), SHARP, (3, -4)), expected)
    np.testing.assert_array_equal(predict.up2(coarse[1], SHARP), reference.up2(coarse[1], SHARP))


@st.composite
def windows(draw):
    """A coarse level of noise, residuals of noise, and a window of the finer level."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.integers(0, 256, (3, height, width)).astype(np.uint8)
    fine = tuple(rng.integers(0, 256, (3, 2 * height, 2 * width)).astype(np.uint8))
    top, left = draw(st.integers(0, 2 * height - 1)), draw(st.integers(0, 2 * width - 1))
    bottom, right = draw(st.integers(top + 1, 2 * height)), draw(st.integers(left + 1, 2 * width))
    return coarse, fine, (top, bottom, left, right)


@given(windows())
def test_a_window(drawn):
    """What lies in the window is that of the whole plane, whatever it is predicted from outside."""
    coarse, fine, window = drawn
    (_, height, width), (top, bottom, left, right) = coarse.shape, window
    used = predict.coarser_window(window, height, width)
    spoiled = coarse.copy()
    spoiled[:, : used[0]] ^= 255
    spoiled[:, used[1] :] ^= 255
    spoiled[:, :, : used[2]] ^= 255
    spoiled[:, :, used[3] :] ^= 255
    whole = predict.reconstruct(coarse, fine, SHARP, (20, -30))
    part = predict.reconstruct(spoiled, fine, SHARP, (20, -30), None, window)
    np.testing.assert_array_equal(part[:, top:bottom, left:right], whole[:, top:bottom, left:right])
    np.testing.assert_array_equal(
        predict.reconstruct_rgb(spoiled, fine, SHARP, (20, -30), None, window),
        colour.ycc_to_rgb(whole)[:, top:bottom, left:right],
    )


@pytest.mark.parametrize("window", [(0, 9, 0, 8), (4, 4, 0, 8), (-1, 4, 0, 8), (0, 8, 7, 3)])
def test_a_window_outside_is_refused(window):
    coarse = np.zeros((3, 4, 4), np.uint8)
    for reconstruct in (predict.reconstruct, predict.reconstruct_rgb):
        with pytest.raises(ValueError, match="window"):
            reconstruct(coarse, (None, None, None), SHARP, (0, 0), None, window)


def test_a_plane_that_is_too_wide_is_refused():
    with pytest.raises(ValueError, match="at most 1024"):
        predict.up2(np.zeros((1, 1025), np.uint8), SHARP)


@given(windows(), st.integers(0, 9), st.integers(0, 9))
def test_a_place_in_a_picture(drawn, top, left):
    """It gets the same samples, and nothing beside it is touched."""
    coarse, fine, window = drawn
    planes = predict.reconstruct(coarse, fine, SHARP, (20, -30))
    wanted = predict.reconstruct_rgb(coarse, fine, SHARP, (20, -30), None, window)
    _, part_height, part_width = wanted.shape
    for put in (
        lambda corner: predict.reconstruct_rgb(coarse, fine, SHARP, (20, -30), None, window, corner),
        lambda corner: colour.ycc_to_rgb(planes, window, corner),
        lambda corner: colour.interleave(wanted, corner),
    ):
        picture = np.full((top + part_height + 2, left + part_width + 3, 3), 77, np.uint8)
        view = put((picture, top, left))
        part = picture[top : top + part_height, left : left + part_width]
        np.testing.assert_array_equal(part.transpose(2, 0, 1), wanted)
        assert view is None or np.may_share_memory(view, part)
        part[:] = 77
        assert (picture == 77).all()


@pytest.mark.parametrize("channels", [3, 4])
def test_planes_go_into_a_part_of_a_picture(channels):
    planes = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)
    picture = np.full((9, 10, channels), 9, np.uint8)
    wanted = picture.copy()
    wanted[2:7, 3:, :3] = planes.transpose(1, 2, 0)
    wanted[2:7, 3:, 3:] = 255
    colour.interleave(planes, (picture, 2, 3))
    np.testing.assert_array_equal(picture, wanted)


def test_a_place_outside_a_picture_is_refused():
    planes = np.zeros((3, 5, 7), np.uint8)
    picture = np.zeros((9, 10, 3), np.uint8)
    for top, left in ((5, 0), (0, 4), (-1, 0)):
        with pytest.raises(ValueError, match="do not fit into"):
            colour.interleave(planes, (picture, top, left))
    for other in (picture[:, ::-1], np.zeros((9, 10), np.uint8), np.zeros((9, 10, 2), np.uint8)):
        with pytest.raises(ValueError, match="expected contiguous"):
            colour.ycc_to_rgb(planes, None, (other, 0, 0))


def test_a_residual_of_another_size_is_refused():
    with pytest.raises(ValueError, match="residual plane"):
        predict.reconstruct(np.zeros((3, 4, 4), np.uint8), (np.zeros((8, 7), np.uint8), None, None), SHARP, (0, 0))


# Ranges (spec section 5.6)


def assert_16_bits(low: int, high: int) -> tuple[int, int]:
    assert INT16.min <= low <= high <= INT16.max
    return low, high


@pytest.mark.parametrize("negative", range(14))
def test_every_intermediate_fits_16_bits(negative):
    """The proof for all admissible taps: only the sums of positive and of negative taps bound a filtered sample."""
    positive = 64 + negative
    assert positive + negative <= 90

    def filtered(low, high):
        return assert_16_bits(positive * low - negative * high, positive * high - negative * low)

    low, high = filtered(-128, 127)
    low, high = assert_16_bits(low + 16, high + 16)
    low, high = filtered(low >> 5, high >> 5)
    assert_16_bits(low + 64, high + 64)
    # without centring, as the first step of the kernel sums
    assert_16_bits(-negative * 255 - 8176, positive * 255 - 8176)
    assert_16_bits(0 + 0 - 128, 255 + 255 - 128)
    change = 127 * 255 + 32
    assert_16_bits(-change + 64, change)
    assert_16_bits(0 + (-change >> 6) + 0 - 128, 255 + (change >> 6) + 255 - 128)


def test_one_more_unit_of_taps_would_not_fit():
    """The bound of the metadata is the tightest even one: 92 overflows."""
    positive, negative = 78, 14
    rows = (positive * 127 + negative * 128 + 16) >> 5, (-positive * 128 - negative * 127 + 16) >> 5
    assert positive * rows[0] - negative * rows[1] + 64 > INT16.max


@given(planes_of((7, 6), 1), TAPS)
def test_the_reference_stays_inside_the_proof(planes, taps):
    """The reference computes in 64 bits; its filters return what 16 bits hold."""
    centred = planes[0].astype(np.int64) - 128
    first = reference._filter(centred, taps)
    assert first.dtype == np.int64
    assert_16_bits(int(first.min()), int(first.max()) + 16)
    second = reference._filter(((first + 16) >> 5).T, taps)
    assert_16_bits(int(second.min()), int(second.max()) + 64)


# up2


@pytest.mark.parametrize("value", [0, 1, 127, 128, 129, 254, 255])
@pytest.mark.parametrize("taps", EXTREME_TAPS)
def test_up2_of_a_constant_is_that_constant(value, taps):
    for shape in ((1, 1), (1, 3), (5, 2)):
        plane = np.full(shape, value, np.uint8)
        doubled = np.full((2 * shape[0], 2 * shape[1]), value)
        np.testing.assert_array_equal(predict.up2(plane, taps), doubled)
        np.testing.assert_array_equal(reference.up2(plane, taps), doubled)


@pytest.mark.parametrize("up2", [predict.up2, reference.up2])
def test_bilinear_by_hand(up2):
    row = np.array([[0, 64]], np.uint8)
    np.testing.assert_array_equal(up2(row, BILINEAR), [[0, 16, 48, 64]] * 2)
    np.testing.assert_array_equal(up2(row.T, BILINEAR), np.transpose([[0, 16, 48, 64]] * 2))
    # 0, 25, 75, 100 in both directions; their products with the other axis round half up
    square = np.array([[0, 100], [100, 200]], np.uint8)
    expected = [[0, 25, 75, 100], [25, 50, 100, 125], [75, 100, 150, 175], [100, 125, 175, 200]]
    np.testing.assert_array_equal(up2(square, BILINEAR), expected)


@pytest.mark.parametrize("up2", [predict.up2, reference.up2])
def test_taps_stand_where_the_spec_says(up2):
    """One bright sample spreads by the taps: odd outputs forwards, even ones mirrored."""
    row = np.full((1, 9), 128, np.uint8)
    row[0, 4] = 192
    taps = (-4, 50, 20, -2)
    spread = np.full(18, 128)
    # odd output 2x+1 = k0 s[x-1] + k1 s[x] + k2 s[x+1] + k3 s[x+2]
    spread[[3 + 2, 3 + 4, 9, 11]] += [-2, 20, 50, -4]
    spread[[12, 10, 8, 6]] += [-2, 20, 50, -4]
    np.testing.assert_array_equal(up2(row, taps), [spread, spread])


@given(planes_of((5, 6), 1), TAPS)
def test_up2_is_symmetric(planes, taps):
    """Mirrored in, mirrored out; rounding may differ only between the axes."""
    plane = planes[0]
    doubled = predict.up2(plane, taps)
    np.testing.assert_array_equal(predict.up2(plane[:, ::-1], taps), doubled[:, ::-1])
    np.testing.assert_array_equal(predict.up2(plane[::-1], taps), doubled[::-1])


def test_no_residual_is_a_residual_of_128():
    coarse = np.random.default_rng(0).integers(0, 256, (3, 5, 7)).astype(np.uint8)
    zero = np.full((10, 14), 128, np.uint8)
    np.testing.assert_array_equal(
        predict.reconstruct(coarse, (None, None, None), SHARP, (99, -99)),
        predict.reconstruct(coarse, (zero, zero, zero), SHARP, (99, -99)),
    )


def test_chroma_from_luma_uses_luma_after_clipping():
    """At white a residual changes nothing, so it tells nothing about chroma."""
    coarse = np.full((3, 1, 1), 255, np.uint8)
    coarse[1:] = 128
    more = np.full((2, 2), 255, np.uint8)
    found = predict.reconstruct(coarse, (more, None, None), SHARP, (64, -64))
    np.testing.assert_array_equal(found, np.array([255, 128, 128])[:, None, None] * np.ones((1, 2, 2)))
    coarse[0] = 200  # 55 of 127 survive
    found = predict.reconstruct(coarse, (more, None, None), SHARP, (64, -32))
    np.testing.assert_array_equal(found[:, 0, 0], [255, 183, 128 + (-32 * 55 + 32 >> 6)])


def test_luma_and_chroma_have_their_own_taps():
    coarse = np.random.default_rng(0).integers(0, 256, (3, 5, 7)).astype(np.uint8)
    expected = [predict.up2(coarse[0], SHARP), predict.up2(coarse[1], BILINEAR), predict.up2(coarse[2], BILINEAR)]
    nothing = (None, None, None)
    np.testing.assert_array_equal(predict.reconstruct(coarse, nothing, SHARP, (0, 0), BILINEAR), expected)
    np.testing.assert_array_equal(reference.reconstruct(tuple(coarse), nothing, SHARP, (0, 0), BILINEAR), expected)


# Colour


def test_ycc_to_rgb_of_every_colour_equals_the_reference():
    cb, cr = (plane.astype(np.uint8) for plane in np.mgrid[:256, :256])
    for luma in range(256):
        y = np.full((256, 256), luma, np.uint8)
        np.testing.assert_array_equal(colour.ycc_to_rgb(np.stack([y, cb, cr])), reference.ycc_to_rgb(y, cb, cr))


def test_rgb_to_ycc_of_every_colour_equals_the_reference():
    green, blue = (plane.astype(np.uint8) for plane in np.mgrid[:256, :256])
    for red in range(256):
        rgb = np.stack([np.full((256, 256), red, np.uint8), green, blue], -1)
        np.testing.assert_array_equal(colour.rgb_to_ycc(rgb), np.stack(reference.rgb_to_ycc(rgb)))


def colour_blocks(count=20_000) -> np.ndarray:
    """Colours as flat 8 x 8 blocks, which JPEG at quality 100 keeps exactly: all corners, then a sample."""
    corners = np.stack(np.meshgrid(*[[0, 1, 127, 128, 129, 254, 255]] * 3), -1).reshape(-1, 3)
    sample = np.random.default_rng(0).integers(0, 256, (count - len(corners), 3))
    colours = np.concatenate([corners, sample]).astype(np.uint8).reshape(100, -1, 3)
    return colours.repeat(8, 0).repeat(8, 1)


def test_ycc_to_rgb_is_libjpegs():
    blocks = colour_blocks()
    options = {"colorspace": "YCBCR", "outcolorspace": "YCBCR"}
    stream = imagecodecs.jpeg8_encode(blocks, level=100, subsampling="444", **options)
    planes = imagecodecs.jpeg8_decode(stream, **options)
    np.testing.assert_array_equal(planes, blocks)
    rgb = imagecodecs.jpeg8_decode(stream, colorspace="YCBCR", outcolorspace="RGB")
    found = colour.ycc_to_rgb(planes.transpose(2, 0, 1))
    np.testing.assert_array_equal(found.transpose(1, 2, 0), rgb)


def test_rgb_to_ycc_is_libjpegs():
    blocks = colour_blocks()
    stream = imagecodecs.jpeg8_encode(blocks, level=100, subsampling="444", colorspace="RGB", outcolorspace="YCBCR")
    planes = imagecodecs.jpeg8_decode(stream, colorspace="YCBCR", outcolorspace="YCBCR")
    np.testing.assert_array_equal(colour.rgb_to_ycc(blocks).transpose(1, 2, 0), planes)


@pytest.mark.parametrize("quality", [5, 50, 90, 100])
@pytest.mark.parametrize("kind", ["tissue", "noise"])
def test_colour_of_real_streams_is_libjpegs(quality, kind):
    noise = np.random.default_rng(0).integers(0, 256, (160, 176, 3)).astype(np.uint8)
    picture = tissue(160, 176) if kind == "tissue" else noise
    stream = imagecodecs.jpeg8_encode(picture, level=quality, subsampling="444")
    planes = imagecodecs.jpeg8_decode(stream, colorspace="YCBCR", outcolorspace="YCBCR").transpose(2, 0, 1)
    np.testing.assert_array_equal(colour.ycc_to_rgb(planes).transpose(1, 2, 0), imagecodecs.jpeg8_decode(stream))


def test_colour_is_bt601():
    """Within rounding of the definition, so that a common error of sign or order shows without libjpeg."""
    y, cb, cr = np.random.default_rng(0).integers(0, 256, (3, 100, 100)).astype(np.uint8)
    luma, blue, red = y.astype(float), cb - 128.0, cr - 128.0
    exact = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue])
    assert np.abs(reference.ycc_to_rgb(y, cb, cr) - np.clip(exact, 0, 255)).max() <= 0.51


# box2


@given(st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda s: hnp.arrays(np.uint8, (*s, 3))))
@example(np.full((1, 1, 3), 255, np.uint8))
def test_box2_equals_the_reference_and_the_definition(rgb):
    found = predict.box2(rgb)
    np.testing.assert_array_equal(found, reference.box2(rgb))
    height, width = rgb.shape[:2]
    assert found.shape == (-(-height // 2), -(-width // 2), 3)
    for y, x in np.ndindex(found.shape[:2]):
        rows, cols = (2 * y, min(2 * y + 1, height - 1)), (2 * x, min(2 * x + 1, width - 1))
        total = sum(rgb[r, c].astype(int) for r in rows for c in cols)
        np.testing.assert_array_equal(found[y, x], np.floor(total / 4 + 0.5))


@pytest.mark.parametrize(
    ("square", "mean"),
    [([[0, 1], [1, 0]], 1), ([[0, 0], [0, 1]], 0), ([[255, 255], [255, 254]], 255), ([[255, 255], [254, 254]], 255)],
)
def test_box2_by_hand(square, mean):
    rgb = np.array(square, np.uint8)[..., None].repeat(3, -1)
    assert (predict.box2(rgb) == mean).all()
    assert (reference.box2(rgb) == mean).all()


def test_box2_of_a_strided_view():
    rgb = tissue(40, 41)[::-1, 3:30]
    np.testing.assert_array_equal(predict.box2(rgb), reference.box2(rgb))
