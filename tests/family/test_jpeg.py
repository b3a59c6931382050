"""JPEG streams in and out: what a stream says is checked before a decoder believes it (spec section 6.1)."""

from __future__ import annotations

import sys
from contextlib import suppress

import imagecodecs
import numpy as np
import pytest
from conftest import tissue
from hypothesis import example, given
from hypothesis import strategies as st

from rrip_format.errors import DamagedError, ExtraMissingError, RripError
from rrip_format.family import jpeg

SIDE = 64
RGB = tissue(SIDE, SIDE)
GRAY = RGB[..., 1].copy()
COLOUR_STREAM = jpeg.encode(RGB, 90)
GRAY_STREAM = jpeg.encode(GRAY, 90)


def segment(stream: bytes, marker: int) -> int:
    """Where a marker segment starts, walking from the start as the format says."""
    at = 2
    while stream[at + 1] != marker:
        assert stream[at] == 0xFF
        assert stream[at + 1] != 0xDA, "not before the scan"
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return at


def patched(stream: bytes, at: int, data: bytes) -> bytes:
    return stream[:at] + data + stream[at + len(data) :]


SOF_AT = segment(COLOUR_STREAM, 0xC0)
SOS_AT = segment(COLOUR_STREAM, 0xDA)
FRAME = COLOUR_STREAM[SOF_AT : SOF_AT + 2 + int.from_bytes(COLOUR_STREAM[SOF_AT + 2 : SOF_AT + 4], "big")]


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("trellis", [True, False])
def test_round_trip(flat, trellis):
    gray = jpeg.decode_gray(jpeg.encode(GRAY, 97, flat=flat, trellis=trellis), SIDE)
    assert gray.shape == (SIDE, SIDE)
    assert gray.dtype == np.uint8
    assert np.abs(gray.astype(int) - GRAY).mean() < 3
    ycc = jpeg.decode_ycc(jpeg.encode(RGB, 97, flat=flat, trellis=trellis), SIDE)
    assert ycc.shape == (3, SIDE, SIDE)
    assert ycc.flags.c_contiguous
    assert np.abs(ycc[0].astype(int) - RGB @ [0.299, 0.587, 0.114]).mean() < 3


@pytest.mark.parametrize("value", [0, 127, 128, 255])
def test_a_flat_plane_is_exact(value):
    plane = np.full((SIDE, SIDE), value, np.uint8)
    np.testing.assert_array_equal(jpeg.decode_gray(jpeg.encode(plane, 100), SIDE), plane)


def test_decoding_is_that_of_imagecodecs():
    np.testing.assert_array_equal(jpeg.decode_gray(GRAY_STREAM, SIDE), imagecodecs.jpeg8_decode(GRAY_STREAM))


def test_streams_carry_no_metadata():
    for stream in (COLOUR_STREAM, GRAY_STREAM):
        at, markers = 2, []
        while stream[at + 1] != 0xDA:
            markers.append(stream[at + 1])
            at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        assert set(markers) <= {0xE0, 0xDB, 0xC0, 0xC4}


def test_higher_quality_costs_more_and_trellis_less():
    sizes = [len(jpeg.encode(RGB, quality)) for quality in (20, 50, 80, 95)]
    assert sizes == sorted(set(sizes))
    assert len(jpeg.encode(RGB, 50, trellis=True)) < len(jpeg.encode(RGB, 50, trellis=False))


def test_encode_takes_views():
    wide = tissue(SIDE, 2 * SIDE)
    assert jpeg.encode(wide[:, ::2], 80) == jpeg.encode(wide[:, ::2].copy(), 80)


def test_encode_failure_is_ours():
    with pytest.raises(RripError, match="libvips could not encode"):
        jpeg.encode(np.zeros((1, 70_000), np.uint8), 80)  # JPEG ends at 65,535 px


# Bad streams


def assert_damaged(stream: bytes, *, colour: bool = True, match: str = "JPEG") -> None:
    decode = jpeg.decode_ycc if colour else jpeg.decode_gray
    with pytest.raises(DamagedError, match=match):
        decode(stream, SIDE)


@pytest.mark.parametrize(
    "stream", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xd9", bytes(100), b"\xff" * 999]
)
def test_next_to_nothing(stream):
    assert_damaged(stream)


def test_only_fill_bytes_or_restart_markers():
    assert_damaged(b"\xff\xd8" + b"\xff" * 5000 + b"\xff\xd9")
    assert_damaged(b"\xff\xd8" + b"\xff\xd0" * 5000 + b"\xff\xd9")


def test_every_truncation_is_seen():
    for size in range(len(COLOUR_STREAM)):
        assert_damaged(COLOUR_STREAM[:size])
    for size in range(SOS_AT + 4):  # and with an end marker behind, as far as headers go
        assert_damaged(COLOUR_STREAM[:size] + b"\xff\xd9")


def test_no_start():
    assert_damaged(COLOUR_STREAM[2:], match="start or end marker")


def test_no_end():
    assert_damaged(COLOUR_STREAM[:-2], match="start or end marker")
    assert_damaged(COLOUR_STREAM + b"\0", match="start or end marker")


@pytest.mark.parametrize("marker", [0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_other_processes_than_baseline(marker):
    assert_damaged(patched(COLOUR_STREAM, SOF_AT + 1, bytes([marker])), match="not baseline")


def test_a_real_progressive_stream():
    import pyvips

    image = pyvips.Image.new_from_memory(RGB, SIDE, SIDE, 3, "uchar")
    stream = image.jpegsave_buffer(interlace=True, keep="none", subsample_mode="off")
    assert imagecodecs.jpeg8_decode(stream).shape == (SIDE, SIDE, 3)  # a decoder would take it
    assert_damaged(stream, match="not baseline")


def test_12_bits():
    assert_damaged(patched(COLOUR_STREAM, SOF_AT + 4, b"\x0c"), match="8 bits")


@pytest.mark.parametrize("subsampling", ["420", "422", "440", "411"])
def test_subsampled_chroma(subsampling):
    stream = imagecodecs.jpeg8_encode(RGB, level=90, subsampling=subsampling)
    assert_damaged(stream, match="subsampled")


@pytest.mark.parametrize("side", [SIDE - 1, SIDE + 1, 2 * SIDE, 65535, 0])
@pytest.mark.parametrize("axis", [5, 7])
def test_a_size_that_the_place_does_not_have(side, axis):
    assert_damaged(patched(COLOUR_STREAM, SOF_AT + axis, side.to_bytes(2, "big")), match="expected 64x64 px")


def test_real_streams_of_other_sizes():
    assert_damaged(jpeg.encode(tissue(SIDE, SIDE + 8), 80), match="72x64 px with 3 components, expected 64x64")
    assert_damaged(jpeg.encode(tissue(SIDE // 2, SIDE // 2), 80), match="expected 64x64")


def test_gray_and_colour_are_told_apart():
    assert_damaged(GRAY_STREAM, colour=True, match="1 components, expected 64x64 px with 3")
    assert_damaged(COLOUR_STREAM, colour=False, match="3 components, expected 64x64 px with 1")


def test_cmyk():
    cmyk = np.dstack([RGB, RGB[..., :1]])
    assert_damaged(imagecodecs.jpeg8_encode(cmyk, level=90, colorspace="CMYK", outcolorspace="CMYK"), match="4 comp")


def test_two_frame_headers():
    assert_damaged(COLOUR_STREAM[:SOS_AT] + FRAME + COLOUR_STREAM[SOS_AT:], match="two frame headers")


def test_a_second_frame_after_the_scan_does_not_change_the_size():
    large = bytearray(FRAME)
    large[5:9] = b"\xff\xff\xff\xff"
    stream = COLOUR_STREAM[:-2] + bytes(large) + COLOUR_STREAM[SOS_AT:]
    with suppress(DamagedError):
        assert jpeg.decode_ycc(stream, SIDE).shape == (3, SIDE, SIDE)


def test_a_scan_without_a_frame():
    stream = COLOUR_STREAM[:SOF_AT] + COLOUR_STREAM[SOF_AT + len(FRAME) :]
    assert_damaged(stream, match="scan comes before")


def test_a_frame_header_of_a_wrong_length():
    assert_damaged(COLOUR_STREAM[:SOF_AT] + b"\xff\xc0\x00\x07\x08\x00\x40\x00\x40" + COLOUR_STREAM[SOF_AT:])
    assert_damaged(COLOUR_STREAM[:SOF_AT] + b"\xff\xc0\x00\x02" + COLOUR_STREAM[SOF_AT:], match="baseline")


@pytest.mark.parametrize("length", [0, 1, 0xFFFF])
def test_a_segment_of_a_length_that_cannot_be(length):
    stream = patched(COLOUR_STREAM, SOF_AT + 2, length.to_bytes(2, "big"))
    assert_damaged(stream, match="longer than its stream")


def test_no_huffman_or_quantisation_tables():
    for marker in (0xDB, 0xC4):
        stream = COLOUR_STREAM
        while True:
            try:
                at = segment(stream, marker)
            except AssertionError:
                break
            stream = stream[:at] + stream[at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big") :]
        with suppress(DamagedError):  # libjpeg-turbo may supply standard Huffman tables
            assert jpeg.decode_ycc(stream, SIDE).shape == (3, SIDE, SIDE)


def test_a_colour_marker_does_not_change_the_planes():
    """The format says YCbCr; an Adobe segment that says RGB is not listened to."""
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    stream = COLOUR_STREAM[:2] + adobe + COLOUR_STREAM[2:]
    np.testing.assert_array_equal(jpeg.decode_ycc(stream, SIDE), jpeg.decode_ycc(COLOUR_STREAM, SIDE))


def test_fill_bytes_before_a_marker_are_allowed():
    stream = COLOUR_STREAM[:SOF_AT] + b"\xff\xff" + COLOUR_STREAM[SOF_AT:]
    np.testing.assert_array_equal(jpeg.decode_ycc(stream, SIDE), jpeg.decode_ycc(COLOUR_STREAM, SIDE))


def decodes_or_is_ours(stream: bytes) -> None:
    """The only two outcomes that bytes may have."""
    for decode, shape in ((jpeg.decode_ycc, (3, SIDE, SIDE)), (jpeg.decode_gray, (SIDE, SIDE))):
        try:
            pixels = decode(stream, SIDE)
        except RripError:
            continue
        assert pixels.shape == shape
        assert pixels.dtype == np.uint8


CHANGES = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=4)


@given(CHANGES, st.sampled_from([COLOUR_STREAM, GRAY_STREAM]))
@example([(3, 0xEE)], COLOUR_STREAM)
def test_changed_headers(changes, stream):
    spoiled = bytearray(stream)
    for at, value in changes:
        spoiled[at % segment(stream, 0xDA)] = value
    decodes_or_is_ours(bytes(spoiled))


@given(CHANGES, st.sampled_from([COLOUR_STREAM, GRAY_STREAM]))
def test_changed_bytes_anywhere(changes, stream):
    spoiled = bytearray(stream)
    for at, value in changes:
        spoiled[at % len(stream)] = value
    decodes_or_is_ours(bytes(spoiled))


@given(st.integers(0, len(GRAY_STREAM)), st.integers(0, len(GRAY_STREAM)), st.binary(max_size=20))
def test_cut_and_pasted_bytes(start, end, between):
    decodes_or_is_ours(GRAY_STREAM[:start] + between + GRAY_STREAM[end:])


@given(st.binary(max_size=300))
def test_garbage(data):
    decodes_or_is_ours(data)
    decodes_or_is_ours(b"\xff\xd8" + data + b"\xff\xd9")


def test_every_byte_of_the_header_in_turn():
    for at in range(SOS_AT + 14):
        for value in (0, 1, 0xFF, COLOUR_STREAM[at] ^ 1):
            decodes_or_is_ours(patched(COLOUR_STREAM, at, bytes([value])))


# libvips


@pytest.fixture
def forgetful():
    jpeg.has_trellis.cache_clear()
    jpeg.libvips.cache_clear()
    yield
    jpeg.has_trellis.cache_clear()
    jpeg.libvips.cache_clear()


def test_the_bundled_libvips_has_trellis(forgetful):
    assert jpeg.has_trellis()


def test_a_libvips_without_mozjpeg_is_noticed(forgetful, monkeypatch):
    def annex_k(pixels, quality, **_):
        return imagecodecs.jpeg8_encode(pixels, level=quality)

    monkeypatch.setattr(jpeg, "encode", annex_k)
    assert not jpeg.has_trellis()


def test_no_libvips(forgetful, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvips", None)
    with pytest.raises(ExtraMissingError, match=r"encoding by libvips needs pyvips.*rrip-format\[convert\]"):
        jpeg.encode(GRAY, 80)
    assert jpeg.decode_gray(GRAY_STREAM, SIDE).shape == (SIDE, SIDE)  # reading does not need it
