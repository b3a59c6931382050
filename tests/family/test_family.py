"""One family: what the encoder says a reader will see is what a reader sees (spec sections 5 and 6)."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import UUID

import numpy as np
import pytest
import reference
from conftest import tissue
from hypothesis import given
from hypothesis import strategies as st

from rrip_format.core import colour, library, predict
from rrip_format.errors import ChecksumError, DamagedError, LimitError, MissingTileError
from rrip_format.family import jpeg
from rrip_format.family.decode import decode_base, decode_family, decode_planes, decode_tile, needed_levels
from rrip_format.family.encode import Quality, encode_base, encode_family
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import BILINEAR, SHARP, Coding, ResidualCoding
from rrip_format.spec.tile import join_tile, split_tile

SLIDE = UUID("00112233-4455-4677-8899-aabbccddeeff")
QUALITY = Quality(base=90, luma=(80, 78), chroma=(86, 86))
WAYS = {
    "luma": (ResidualCoding(SHARP, (-20, 30), 1, BILINEAR), ResidualCoding(BILINEAR, (-10, 15), 1, SHARP)),
    "chroma at level 1": (ResidualCoding(SHARP, (-20, 30), 1), ResidualCoding(SHARP, (-10, 15), 3)),
    "chroma at both": (ResidualCoding(BILINEAR, (0, 0), 3), ResidualCoding((-13, 77, 0, 0), (127, -127), 3, BILINEAR)),
}


def coding_of(way="chroma at level 1", **changes) -> Coding:
    """6 x 10 families; level 3 has one row of two tiles."""
    return dataclasses.replace(Coding(SLIDE, Geometry(2500, 1400, 64), WAYS[way]), **changes)


def pyramid(rgb: np.ndarray) -> list[np.ndarray]:
    half = predict.box2(rgb)
    return [rgb, half, predict.box2(half)]


CODING = coding_of()
LEVELS = pyramid(tissue(256, 256))
ENCODED = encode_family(CODING, 1, 2, LEVELS, QUALITY)
TILES = ENCODED.tiles[::-1]  # coarsest first, as decoders take them


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("quality", [QUALITY, Quality(40, (10, 30), (5, 5), flat=False, trellis=False)])
def test_closed_loop(way, quality):
    coding = coding_of(way)
    encoded = encode_family(coding, 1, 2, LEVELS, quality)
    tiles = encoded.tiles[::-1]
    for count in (1, 2, 3):
        planes = decode_planes(coding, 1, 2, tiles[:count])
        np.testing.assert_array_equal(planes, encoded.planes()[3 - count])
        rgb = decode_family(coding, 1, 2, tiles[:count])
        np.testing.assert_array_equal(rgb, reference.ycc_to_rgb(*planes))


@functools.cache
def coded(way: str, tile: int = 64) -> tuple[Coding, tuple[bytes, ...]]:
    coding = coding_of(way, geometry=Geometry(12 * 4 * tile, 8 * 4 * tile, tile))
    levels = pyramid(tissue(4 * tile, 4 * tile))
    return coding, encode_family(coding, 1, 2, levels, QUALITY).tiles[::-1]


@given(st.data())
def test_one_call_gives_what_one_for_each_stream_does(data):
    way, level = data.draw(st.sampled_from(list(WAYS))), data.draw(st.integers(0, 1))
    coding, tiles = coded(way)
    tiles, side = list(tiles[: 3 - level]), 256 >> level
    if data.draw(st.booleans()):  # a residual plane that is not stored
        at = data.draw(st.integers(1, len(tiles) - 1))
        place, count = coding.place(2 - at, 1, 2), coding.streams(2 - at)
        streams = [bytes(stream) for stream in split_tile(tiles[at], place, count)]
        streams[data.draw(st.integers(0, count - 1))] = b""
        tiles[at] = join_tile(streams, place)
    top, left = data.draw(st.integers(0, side - 1)), data.draw(st.integers(0, side - 1))
    bottom, right = data.draw(st.integers(top + 1, side)), data.draw(st.integers(left + 1, side))
    whole = colour.ycc_to_rgb(decode_planes(coding, 1, 2, tiles))
    np.testing.assert_array_equal(decode_family(coding, 1, 2, tiles), whole)
    part = whole[:, top:bottom, left:right]
    window = top, bottom, left, right
    np.testing.assert_array_equal(decode_family(coding, 1, 2, tiles, window), part)
    picture = np.zeros((side + 3, side + 5, 3), np.uint8)
    np.testing.assert_array_equal(decode_family(coding, 1, 2, tiles, window, (picture, 2, 4)), part)
    picture[2 : 2 + bottom - top, 4 : 4 + right - left] = 0
    assert not picture.any()


@pytest.mark.parametrize("tile", [80, 512])
def test_one_call_for_tiles_of_other_sizes(tile):
    coding, tiles = coded("chroma at level 1", tile)
    for count in (2, 3):
        whole = colour.ycc_to_rgb(decode_planes(coding, 1, 2, tiles[:count]))
        np.testing.assert_array_equal(decode_family(coding, 1, 2, tiles[:count]), whole)


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_stream_is_named(way):
    coding, tiles = coded(way)
    for level in (2, 1, 0):
        place, count = coding.place(level, 1, 2), coding.streams(level)
        for n in range(count):
            for damage in (lambda stream: stream[:-9] + stream[-2:], lambda _: b"\xff\xd8"):
                streams = [bytes(stream) for stream in split_tile(tiles[2 - level], place, count)]
                streams[n] = damage(streams[n])
                spoiled = list(tiles)
                spoiled[2 - level] = join_tile(streams, place)
                picture = np.full((258, 259, 3), 7, np.uint8)
                with pytest.raises(DamagedError) as found:
                    decode_family(coding, 1, 2, spoiled, None, (picture, 1, 2))
                with pytest.raises(DamagedError) as wanted:
                    decode_planes(coding, 1, 2, spoiled)
                assert str(found.value) == str(wanted.value)
                assert str(place) in str(found.value)
                picture[1:257, 2:258] = 7  # what is written there is undefined, and nothing beside it
                assert (picture == 7).all()
    base = join_tile([b""], coding.place(2, 1, 2))
    with pytest.raises(DamagedError, match="has no JPEG stream"):
        decode_family(coding, 1, 2, [base, *tiles[1:]])


def test_too_little_memory_is_no_damage(monkeypatch):
    """In a thread of its own, which has no memory from calls before."""

    def exhausted(*_):
        raise MemoryError

    picture = np.zeros((256, 256, 3), np.uint8)
    with ThreadPoolExecutor(1) as thread:
        with monkeypatch.context() as patched:
            patched.setattr(library, "np", SimpleNamespace(**{**vars(np), "empty": exhausted}))
            with pytest.raises(LimitError, match="memory"):
                thread.submit(decode_family, CODING, 1, 2, TILES, None, (picture, 0, 0)).result()
        found = thread.submit(decode_family, CODING, 1, 2, TILES, None, (picture, 0, 0)).result()
    np.testing.assert_array_equal(found, colour.ycc_to_rgb(ENCODED.planes()[0]))


@pytest.mark.parametrize("way", WAYS)
def test_a_decoder_written_from_the_spec_alone(way):
    """Streams through the reference, step by step, without the module under test."""
    import imagecodecs

    coding = coding_of(way)
    tiles = encode_family(coding, 1, 2, LEVELS, QUALITY).tiles[::-1]
    ycc = imagecodecs.jpeg8_decode(tiles[0], colorspace="YCBCR", outcolorspace="YCBCR")
    planes = tuple(ycc.transpose(2, 0, 1))
    for level, tile in ((1, tiles[1]), (0, tiles[2])):
        lengths = [int.from_bytes(tile[k : k + 4], "little") for k in range(len(tile) - 36, len(tile) - 24, 4)]
        ends = list(itertools.accumulate(lengths))
        streams = [tile[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        residuals = tuple(imagecodecs.jpeg8_decode(stream) if stream else None for stream in streams)
        how = coding.residuals[level]
        planes = reference.reconstruct(planes, residuals, how.taps, how.cfl, how.chroma_taps)
    np.testing.assert_array_equal(decode_family(coding, 1, 2, tiles), reference.ycc_to_rgb(*planes))


@pytest.mark.parametrize("way", WAYS)
def test_it_looks_like_the_picture(way):
    coding = coding_of(way)
    encoded = encode_family(coding, 1, 2, LEVELS, QUALITY)
    for level in range(3):
        rgb = colour.ycc_to_rgb(encoded.planes()[level]).transpose(1, 2, 0).astype(float)
        error = rgb - LEVELS[level]
        assert 10 * np.log10(255**2 / (error**2).mean()) > 28


def test_residuals_earn_their_bytes():
    """Level 0 is nearer to the picture with its residual than without, and better quality comes nearer still."""

    def error(planes):
        return np.abs(planes[0].astype(int) - colour.rgb_to_ycc(LEVELS[0])[0]).mean()

    blank = join_tile([b""], CODING.place(0, 1, 2))
    without = decode_planes(CODING, 1, 2, [*TILES[:2], blank])
    better = encode_family(CODING, 1, 2, LEVELS, dataclasses.replace(QUALITY, luma=(97, 97)))
    assert error(better.planes()[0]) < error(ENCODED.planes()[0]) < error(without)


def test_encoding_is_deterministic():
    assert encode_family(CODING, 1, 2, LEVELS, QUALITY).tiles == ENCODED.tiles


def test_stream_counts():
    assert sum(part is not None for part in split_tile(ENCODED.tiles[0], CODING.place(0, 1, 2), 1)) == 1
    assert sum(part is not None for part in split_tile(ENCODED.tiles[1], CODING.place(1, 1, 2), 3)) == 3
    assert all(tile.startswith(b"\xff\xd8") for tile in ENCODED.tiles)  # each opens in a picture viewer


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (200, 120, 160), (1, 254, 3)])
@pytest.mark.parametrize("way", WAYS)
def test_a_flat_family_has_no_residual_streams(colour, way):
    coding = coding_of(way)
    flat = np.zeros((256, 256, 3), np.uint8) + np.array(colour, np.uint8)
    encoded = encode_family(coding, 0, 0, pyramid(flat), QUALITY)
    for level in (0, 1):
        assert len(encoded.tiles[level]) == 36
        assert split_tile(encoded.tiles[level], coding.place(level, 0, 0), coding.streams(level)) == [
            None
        ] * coding.streams(level)
    rgb = decode_family(coding, 0, 0, encoded.tiles[::-1])
    assert np.abs(rgb.astype(int) - np.array(colour)[:, None, None]).max() <= 4
    assert np.ptp(rgb, axis=(1, 2)).max() == 0


def test_residuals_that_do_not_survive_quantisation_leave_no_stream():
    noise = np.random.default_rng(0).integers(0, 2, (256, 256, 1))
    faint = np.broadcast_to(180 + noise, (256, 256, 3)).astype(np.uint8)
    encoded = encode_family(CODING, 0, 0, pyramid(faint), dataclasses.replace(QUALITY, luma=(10, 10), chroma=(10, 10)))
    assert len(encoded.tiles[0]) == len(encoded.tiles[1]) == 36
    np.testing.assert_array_equal(decode_planes(CODING, 0, 0, encoded.tiles[::-1]), encoded.planes()[0])


def test_extreme_pictures_stay_in_the_closed_loop():
    y, x = np.mgrid[:256, :256]
    checker = ((y + x) % 2 * 255).astype(np.uint8)[..., None].repeat(3, -1)
    noise = np.random.default_rng(0).choice([0, 255], (256, 256, 3)).astype(np.uint8)
    for rgb in (checker, noise):
        for way in WAYS:
            coding = coding_of(way)
            encoded = encode_family(coding, 0, 0, pyramid(rgb), QUALITY)
            np.testing.assert_array_equal(decode_planes(coding, 0, 0, encoded.tiles[::-1]), encoded.planes()[0])


# One tile


def test_needed_levels():
    assert [needed_levels(level) for level in range(5)] == [(2, 1, 0), (2, 1), (2,), (3,), (4,)]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_tile_is_decoded_from_exactly_its_own_tiles(level):
    count = len(needed_levels(level))
    rgb = decode_tile(CODING, level, 1, 2, TILES[:count])
    np.testing.assert_array_equal(rgb, colour.ycc_to_rgb(ENCODED.planes()[level]))
    for wrong in (TILES[: count - 1], [*TILES[:count], TILES[0]]):
        with pytest.raises(ValueError, match="zip"):
            decode_tile(CODING, level, 1, 2, wrong)


def test_an_overview_tile():
    rgb = tissue(256, 256, 5)
    tile = encode_base(CODING, 3, 0, 1, rgb, QUALITY)
    found = decode_tile(CODING, 3, 0, 1, [tile])
    assert found.shape == (3, 256, 256)
    np.testing.assert_array_equal(found, colour.ycc_to_rgb(decode_base(CODING, 3, 0, 1, tile)))
    assert np.abs(found.transpose(1, 2, 0).astype(int) - rgb).mean() < 8


@pytest.mark.parametrize("way", WAYS)
@given(st.data())
def test_a_window_of_a_tile(way, data):
    """The same pixels as of the whole tile, from fewer rows of each stream."""
    coding = coding_of(way)
    encoded = ENCODED if way == "chroma at level 1" else encode_family(coding, 1, 2, LEVELS, QUALITY)
    level = data.draw(st.integers(0, 2))
    side = coding.geometry.tile_side(level)
    top, left = data.draw(st.integers(0, side - 1)), data.draw(st.integers(0, side - 1))
    bottom, right = data.draw(st.integers(top + 1, side)), data.draw(st.integers(left + 1, side))
    tiles = encoded.tiles[::-1][: 3 - level]
    whole = decode_tile(coding, level, 1, 2, tiles)
    part = decode_tile(coding, level, 1, 2, tiles, (top, bottom, left, right))
    np.testing.assert_array_equal(part, whole[:, top:bottom, left:right])


def test_a_window_of_an_empty_or_overview_tile():
    window = 3, 10, 250, 256
    empty = coding_of(empty_bits=b"\xff" * 8)
    assert decode_tile(empty, 0, 0, 0, [], window).shape == (3, 7, 6)
    tile = encode_base(CODING, 3, 0, 1, tissue(256, 256, 5), QUALITY)
    whole = decode_tile(CODING, 3, 0, 1, [tile])
    np.testing.assert_array_equal(decode_tile(CODING, 3, 0, 1, [tile], window), whole[:, 3:10, 250:256])


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_missing_tiles(level):
    needed = needed_levels(level)
    for k, absent in enumerate(needed):
        tiles = [None if n == k else TILES[min(n, 2)] for n in range(len(needed))]
        place = f"level {absent}, row 0, column 1" if level == 3 else f"level {absent}, row 1, column 2"
        with pytest.raises(MissingTileError, match=place):
            decode_tile(CODING, level, *((0, 1) if level == 3 else (1, 2)), tiles)


def test_missing_is_no_error_that_zarr_would_fill():
    assert not issubclass(MissingTileError, (KeyError, FileNotFoundError, OSError))


def empty_coding(*families) -> Coding:
    empty = np.zeros(CODING.geometry.families, bool)
    for family in families:
        empty[family] = True
    return coding_of(background=(240, 240, 240), empty_bits=np.packbits(empty).tobytes())


def test_empty_tiles_are_background_and_read_nothing():
    coding = empty_coding((1, 2), *[(row, col) for row in range(6) for col in (8, 9)])
    for level, row, col in [(0, 1, 2), (1, 1, 2), (2, 1, 2), (3, 0, 1)]:
        side = coding.geometry.tile_side(level)
        for tiles in ([], [None] * len(needed_levels(level)), TILES):
            rgb = decode_tile(coding, level, row, col, tiles)
            assert rgb.shape == (3, side, side)
            assert rgb.dtype == np.uint8
            assert (rgb == 240).all()
    with pytest.raises(MissingTileError):
        decode_tile(coding, 3, 0, 0, [None])  # one of its families is empty, not all


def test_damage_names_the_tile():
    for k, level in enumerate((2, 1, 0)):
        tiles = list(TILES)
        tiles[k] = tiles[k][:50] + bytes([tiles[k][50] ^ 4]) + tiles[k][51:]
        with pytest.raises(ChecksumError, match=f"level {level}, row 1, column 2"):
            decode_tile(CODING, 0, 1, 2, tiles)


def test_tiles_of_other_places_levels_slides():
    with pytest.raises(DamagedError, match=r"row 1, column 3\) contains the tile \(level 2, row 1, column 2"):
        decode_tile(CODING, 0, 1, 3, TILES)
    with pytest.raises(DamagedError, match="level 2, row 1, column 2"):
        decode_tile(CODING, 0, 1, 2, TILES[::-1])
    with pytest.raises(DamagedError, match="another slide"):
        decode_tile(coding_of(uuid=UUID(int=5)), 2, 1, 2, TILES[:1])


def test_another_number_of_planes_than_promised():
    with pytest.raises(DamagedError, match="level 1"):
        decode_tile(coding_of("luma"), 1, 1, 2, TILES[:2])
    with pytest.raises(DamagedError, match="level 0"):
        decode_tile(coding_of("chroma at both"), 0, 1, 2, TILES)


def test_sealed_tiles_with_bad_streams():
    """A right checksum does not make a stream right; the error names tile and reason."""
    place = CODING.place
    gray = jpeg.encode(LEVELS[0][..., 0], 80)
    colour = jpeg.encode(LEVELS[2], 80)
    for level, streams, told in [
        (2, [b""], "no JPEG stream"),
        (2, [jpeg.encode(LEVELS[1], 80)], "expected 64x64 px"),
        (2, [jpeg.encode(LEVELS[2][..., 0], 80)], "1 components"),
        (2, [colour[:-2]], "start or end marker"),
        (1, [gray, b"", b""], "expected 128x128 px"),
        (1, [b"", b"", gray], "expected 128x128 px"),
        (1, [b"", b"nonsense", b""], "start or end marker"),
        (0, [colour], "expected 256x256 px"),
    ]:
        tiles = list(TILES)
        tiles[2 - level] = join_tile(streams, place(level, 1, 2))
        with pytest.raises(DamagedError, match=rf"\(level {level}, row 1, column 2\).*{told}"):
            decode_tile(CODING, 0, 1, 2, tiles)


def test_no_neighbour_is_used():
    """The same picture at another place gives the same streams."""
    other = encode_family(CODING, 4, 7, LEVELS, QUALITY)
    for mine, theirs in zip(ENCODED.tiles, other.tiles, strict=True):
        assert mine[:-28] == theirs[:-28]
        assert mine != theirs
