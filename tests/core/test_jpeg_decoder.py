"""Our JPEG decoder: the samples of libjpeg-turbo, and no stream that it half believes (spec sections 5.1 and 6.1)."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import imagecodecs
import numpy as np
import plain.jpeg
import pytest
from conftest import tissue
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rrip_format.core import jpeg_decoder, library
from rrip_format.core.jpeg_decoder import decode_stream
from rrip_format.core.jpeg_encoder import Quantiser, encode_gray
from rrip_format.errors import DamagedError, LimitError

SIDE = 80
"""Ten blocks, which do not fill the lanes."""


def libjpeg(stream: bytes, planes: int) -> np.ndarray:
    if planes == 1:
        return imagecodecs.jpeg8_decode(stream)[None]
    return imagecodecs.jpeg8_decode(stream, colorspace="YCBCR", outcolorspace="YCBCR").transpose(2, 0, 1)


def gray(quality: int, side: int = SIDE, *, seed: int = 0, noise: float = 0, optimize: bool = True) -> bytes:
    plane = tissue(side, side, seed)[..., 1] + np.random.default_rng(seed).normal(0, noise + 1e-9, (side, side))
    return imagecodecs.jpeg8_encode(np.clip(plane, 0, 255).astype(np.uint8), level=quality, optimize=optimize)


def segments(stream: bytes) -> dict[int, tuple[int, int]]:
    """Start and end of the marker segments before the scan; of several of a kind, the last."""
    at, found = 2, {}
    while True:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        found[stream[at + 1]] = (at, end)
        if stream[at + 1] == 0xDA:
            return found
        at = end


def scan_of(stream: bytes) -> tuple[bytes, bytes]:
    """Everything up to the scan's data, and those without the end marker."""
    start = segments(stream)[0xDA][1]
    return stream[:start], stream[start:-2]


def bits_of(scan: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in scan.replace(b"\xff\0", b"\xff"))


def stuffed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def with_restarts(plane: np.ndarray, quality: int, blocks: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(plane).save(file, "JPEG", quality=quality, restart_marker_blocks=blocks)
    return file.getvalue()


@pytest.mark.parametrize("side", [16, 64, 80, 128, 144, 256, 512, 1040])
@pytest.mark.parametrize("quality", [5, 60, 97, 100])
def test_gray_is_that_of_libjpeg(side, quality):
    stream = gray(quality, side, seed=side)
    np.testing.assert_array_equal(decode_stream(stream, side, 1), libjpeg(stream, 1))


@pytest.mark.parametrize("quality", [5, 60, 97, 100])
@pytest.mark.parametrize("optimize", [True, False])
def test_colour_is_that_of_libjpeg(quality, optimize):
    stream = imagecodecs.jpeg8_encode(tissue(144, 144), level=quality, subsampling="444", optimize=optimize)
    np.testing.assert_array_equal(decode_stream(stream, 144, 3), libjpeg(stream, 3))


@given(st.integers(0, 2**32 - 1), st.integers(1, 100), st.sampled_from([0, 3, 30, 200]), st.booleans())
def test_any_picture(seed, quality, noise, optimize):
    """Long codes, full blocks and large amplitudes come from noise at high quality."""
    stream = gray(quality, 32, seed=seed, noise=noise, optimize=optimize)
    np.testing.assert_array_equal(decode_stream(stream, 32, 1), libjpeg(stream, 1))
    np.testing.assert_array_equal(decode_stream(stream, 32, 1), plain.jpeg.decode(stream, 32, 1))


@given(st.integers(0, 2**32 - 1), st.floats(0.002, 0.9), st.integers(1, 40), st.sampled_from([16, 128, 208]))
def test_any_coefficients(seed, share, largest, side):
    """Streams of our own encoder, with any share of coefficients: blocks that end at every position."""
    rng = np.random.default_rng(seed)
    plane = np.where(rng.random((side, side)) < share, rng.integers(-largest, largest + 1, (side, side)), 0)
    stream = encode_gray(plane.astype(np.float32), Quantiser(np.full(64, 2, np.uint8)))
    if stream:
        np.testing.assert_array_equal(decode_stream(stream, side, 1), libjpeg(stream, 1))


@pytest.mark.parametrize("blocks", [1, 3, 10, 64, 99])
def test_restart_markers(blocks):
    plane = tissue(SIDE, SIDE)[..., 0].copy()
    stream = with_restarts(plane, 85, blocks)
    assert b"\xff\xd0" in stream
    np.testing.assert_array_equal(decode_stream(stream, SIDE, 1), libjpeg(stream, 1))


def test_fill_bytes_before_markers_of_the_scan():
    stream = with_restarts(tissue(SIDE, SIDE)[..., 0].copy(), 85, 30)
    head, scan = scan_of(stream)
    filled = head + scan.replace(b"\xff\xd1", b"\xff\xff\xff\xd1") + b"\xff\xff\xff\xd9"
    np.testing.assert_array_equal(decode_stream(filled, SIDE, 1), libjpeg(stream, 1))


@pytest.mark.parametrize("rows", [(0, 80), (0, 1), (7, 9), (8, 16), (79, 80), (30, 55)])
def test_only_some_rows(rows):
    stream = gray(90)
    whole, part = decode_stream(stream, SIDE, 1), decode_stream(stream, SIDE, 1, rows)
    np.testing.assert_array_equal(part[:, slice(*rows)], whole[:, slice(*rows)])


@pytest.mark.parametrize("view", [bytes, bytearray, memoryview, lambda data: memoryview(b"xyz" + data)[3:]])
def test_any_bytes(view):
    stream = gray(80)
    np.testing.assert_array_equal(decode_stream(view(stream), SIDE, 1), libjpeg(stream, 1))


# Streams as no encoder makes them


def handmade(tables: dict[int, dict[int, str]], chosen: list[int], blocks: str) -> bytes:
    """A stream of 16 x 16 px: Huffman tables by class and number, what each component takes of them, and the bits.

    A table is its codes by symbol, which have to be canonical.
    """
    planes = len(chosen)
    parts = [b"\xff\xd8", b"\xff\xdb\0\x43\0" + bytes([8] * 64)]
    for kind, codes in tables.items():
        ordered = sorted(codes, key=lambda symbol: (len(codes[symbol]), codes[symbol]))
        counts = [sum(len(code) == length for code in codes.values()) for length in range(1, 17)]
        body = bytes([kind, *counts, *ordered])
        parts.append(b"\xff\xc4" + (2 + len(body)).to_bytes(2, "big") + body)
    frame = bytes([8, 0, 16, 0, 16, planes, *(v for c in range(planes) for v in (c + 1, 0x11, 0))])
    scan = bytes([planes, *(v for c in range(planes) for v in (c + 1, chosen[c])), 0, 63, 0])
    for marker, body in ((0xC0, frame), (0xDA, scan)):
        parts.append(bytes([0xFF, marker]) + (2 + len(body)).to_bytes(2, "big") + body)
    return b"".join((*parts, stuffed(blocks), b"\xff\xd9"))


def test_a_dc_code_that_is_longer_than_a_look():
    long = "1" + 15 * "0"
    bits = f"{long}101100" + f"{long}010110" + "01010" * 2
    stream = handmade({0x00: {0: "0", 5: long}, 0x10: {0: "0", 0x21: "10"}}, [0], bits)
    found = decode_stream(stream, 16, 1)
    assert len(np.unique(found)) > 2
    np.testing.assert_array_equal(found, plain.jpeg.decode(stream, 16, 1))
    np.testing.assert_array_equal(found, libjpeg(stream, 1))


@pytest.mark.parametrize("cr", [0x00, 0x01, 0x10, 0x11])
def test_cr_with_tables_of_its_own(cr):
    """Libjpeg and we give it those of Cb; the format does not say so."""
    tables = {0x00: {0: "0", 3: "10"}, 0x10: {0: "0", 0x01: "10"}, 0x01: {3: "0", 0: "10"}, 0x11: {0x01: "0", 0: "10"}}
    dc, ac = tables[cr >> 4], tables[0x10 | cr & 15]
    blocks = [
        dc[3] + "101" + ac[0x01] + "1" + ac[0],
        dc[0] + ac[0],
        dc[3] + "010" + ac[0],
        dc[0] + ac[0x01] + "0" + ac[0],
    ]
    bits = "".join("10110" + "0" + "0110" + "01" + "10" + block for block in blocks)
    stream = handmade(tables, [0x00, 0x11, cr], bits)
    found = decode_stream(stream, 16, 3)
    assert len(np.unique(found[2])) > 2
    np.testing.assert_array_equal(found, plain.jpeg.decode(stream, 16, 3))
    np.testing.assert_array_equal(found, libjpeg(stream, 3))


# What other decoders only warn of


def refused(stream: bytes, match: str, planes: int = 1) -> None:
    with pytest.raises(DamagedError, match=match):
        decode_stream(stream, SIDE, planes)


@pytest.mark.parametrize("lost", [1, 2, 10, 100])
def test_a_scan_that_ends_early(lost):
    head, scan = scan_of(gray(90))
    stream = head + stuffed(bits_of(scan)[: -8 * lost]) + b"\xff\xd9"
    assert imagecodecs.jpeg8_decode(stream).shape == (SIDE, SIDE)  # what libjpeg makes of it
    refused(stream, "ends early|invalid Huffman code")


def test_a_scan_without_data():
    head, _ = scan_of(gray(90))
    refused(head + b"\xff\xd9", "ends early|invalid Huffman code")


@pytest.mark.parametrize("more", [b"\x55", b"\0", bytes(300)])
def test_a_scan_that_goes_on(more):
    head, scan = scan_of(gray(90))
    refused(head + scan + more + b"\xff\xd9", "continues after its last block")


def test_a_code_that_is_none():
    """The code of all ones is no symbol's."""
    head, scan = scan_of(gray(90))
    bits = bits_of(scan)
    refused(head + stuffed(bits[:400] + "1" * 40 + bits[440:]) + b"\xff\xd9", "invalid Huffman code|more than 64|early")
    refused(head + stuffed("1" * 40 + bits[40:]) + b"\xff\xd9", "invalid Huffman code, in block 0")


def test_a_code_that_is_none_behind_the_last_but_one_coefficient():
    bits = "0" + 62 * "101" + 32 * "1"
    stream = handmade({0x00: {0: "0"}, 0x10: {0: "0", 0x01: "10"}}, [0], bits)
    with pytest.raises(DamagedError, match="invalid Huffman code, in block 0"):
        decode_stream(stream, 16, 1)


def test_which_row_ends_early():
    """Blocks take two bits, but the last one has one, before what fills the byte: the rest of it is behind the scan."""
    stream = handmade({0x00: {0: "0", 1: "10"}, 0x10: {0: "0", 1: "10"}}, [0], "00" * 3 + "0")
    with pytest.raises(DamagedError, match="ends early, in row 1 of blocks"):
        decode_stream(stream, 16, 1)


def test_too_many_coefficients():
    """Five runs of sixteen zeros: one code a table, so that nothing else can be read."""
    head = gray(90)[: segments(gray(90))[0xC4][0]]  # everything before the last table
    quantiser, frame = (gray(90)[slice(*segments(gray(90))[marker])] for marker in (0xDB, 0xC0))
    one_code = bytes([1, *[0] * 15])
    tables = b"\xff\xc4" + (2 + 36).to_bytes(2, "big") + b"\x00" + one_code + b"\x00" + b"\x10" + one_code + b"\xf0"
    scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"
    assert head[:2] == b"\xff\xd8"
    refused(b"\xff\xd8" + quantiser + frame + tables + scan + bytes(400) + b"\xff\xd9", "more than 64 coefficients")


def test_markers_in_the_scan():
    head, scan = scan_of(gray(90))
    middle = len(scan) // 2
    while scan[middle - 1] == 0xFF:
        middle += 1
    for marker in (b"\xff\xc0", b"\xff\xda", b"\xff\xfe", b"\xff\x01"):
        refused(head + scan[:middle] + marker + scan[middle:] + b"\xff\xd9", "marker in its scan")
    refused(head + scan[:middle] + b"\xff\xd0" + scan[middle:] + b"\xff\xd9", "restart markers")


@pytest.mark.parametrize(
    ("old", "new"), [(b"\xff\xd1", b"\xff\xd2"), (b"\xff\xd1", b""), (b"\xff\xd1", b"\xff\xd1\xff\xd2")]
)
def test_restart_markers_out_of_order(old, new):
    head, scan = scan_of(with_restarts(tissue(SIDE, SIDE)[..., 0].copy(), 85, 30))
    refused(head + scan.replace(old, new) + b"\xff\xd9", "restart markers|goes on|ends early|invalid Huffman code")


def test_a_restart_interval_that_nothing_keeps():
    stream = gray(90)
    at = segments(stream)[0xDA][0]
    refused(stream[:at] + b"\xff\xdd\0\x04\0\x07" + stream[at:], "restart markers")
    refused(stream[:at] + b"\xff\xdd\0\x03\0" + stream[at:], "restart interval")


def patched(marker: int, offset: int, value: int, stream: bytes | None = None) -> bytes:
    stream = bytearray(stream or gray(90))
    stream[segments(stream)[marker][0] + offset] = value
    return bytes(stream)


def test_tables_that_are_broken():
    refused(patched(0xDB, 4, 0x10), "does not have 8 bits")
    refused(patched(0xDB, 4, 4), "quantisation table")
    refused(patched(0xDB, 9, 0), "quantisation table")
    refused(patched(0xC4, 4, 0x25), "Huffman table")
    refused(patched(0xC4, 4, 0x14), "Huffman table")
    refused(patched(0xC4, 4, 0x12), "Huffman table")  # baseline has two of a kind
    refused(patched(0xC4, 5, 3), "more codes than there are|Huffman table")
    refused(patched(0xC4, 20, 255), "Huffman table")


def test_tables_that_are_not_there():
    refused(patched(0xC0, 12, 1), "lacks table 1")
    refused(patched(0xDA, 6, 0x10), "lacks table 1")
    refused(patched(0xDA, 6, 0x01), "lacks table 1")
    refused(patched(0xDA, 6, 0x77), "lacks table 7")


def test_scan_headers_that_are_none_of_baseline():
    for offset, value in ((4, 2), (5, 9), (7, 1), (8, 62), (9, 1)):
        refused(patched(0xDA, offset, value), "scan header")
    colour = imagecodecs.jpeg8_encode(tissue(SIDE, SIDE), level=90, subsampling="444")
    refused(patched(0xDA, 5, 2, colour), "scan header", planes=3)


@pytest.mark.parametrize("symbol", [0x0B, 0x0F, 0x10, 0xE0])
def test_symbols_that_are_none_of_baseline(symbol):
    """Sizes above 10 bits, and runs of the progressive mode: libjpeg goes on with them."""
    stream = bytearray(gray(60))
    start, end = segments(stream)[0xC4]
    stream[start + 21 : end] = bytes([symbol]) * (end - start - 21)
    refused(bytes(stream), "invalid Huffman code")


@pytest.mark.parametrize("length", [2, 3, 4, 5, 7, 9, 10, 11, 16])
def test_one_symbol_that_is_none_of_baseline(length):
    """It is not taken for the beginning of a longer code, whichever of the tables it is found in."""
    plane = np.clip(np.random.default_rng(5).normal(128, 50, (SIDE, SIDE)), 0, 255).astype(np.uint8)
    stream = bytearray(imagecodecs.jpeg8_encode(plane, level=98, optimize=False))
    at = next(at for at, kind in tables_of(stream) if kind == 0x10)
    counts = list(stream[at + 1 : at + 17])
    assert counts[length - 1], "the table of annex K has codes of that length"
    first = at + 17 + sum(counts[: length - 1])
    used = {stream[first + k] for k in range(counts[length - 1])}
    stream[first : first + counts[length - 1]] = bytes([0x1F]) * counts[length - 1]
    assert used & symbols_of(plane, 98), "the picture takes one of them"
    refused(bytes(stream), "invalid Huffman code")


def tables_of(stream: bytes) -> list[tuple[int, int]]:
    """Where each Huffman table starts, and its class and number."""
    at, found = 2, []
    while stream[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        start = at + 4
        while stream[at + 1] == 0xC4 and start < end:
            found.append((start, stream[start]))
            start += 17 + sum(stream[start + 1 : start + 17])
        at = end
    return found


def symbols_of(plane: np.ndarray, quality: int) -> set[int]:
    """The AC symbols that a picture takes: those of its optimal table."""
    stream = imagecodecs.jpeg8_encode(plane, level=quality, optimize=True)
    at = next(at for at, kind in tables_of(stream) if kind == 0x10)
    return set(stream[at + 17 : at + 17 + sum(stream[at + 1 : at + 17])])


@given(st.integers(0, 10**9), st.integers(1, 30), st.sampled_from([1, 3]))
def test_damaged_scans_are_refused_or_decoded(seed, count, planes):
    """Never anything else: not a crash, not an error of another kind."""
    picture = tissue(SIDE, SIDE) if planes == 3 else tissue(SIDE, SIDE)[..., 0].copy()
    stream = bytearray(imagecodecs.jpeg8_encode(picture, level=90, subsampling="444"))
    rng = np.random.default_rng(seed)
    for _ in range(count):
        stream[rng.integers(2, len(stream) - 2)] = rng.integers(256)
    try:
        found = decode_stream(bytes(stream), SIDE, planes)
    except DamagedError:
        return
    assert found.shape == (planes, SIDE, SIDE)


def test_out_of_memory_is_a_limit(monkeypatch):
    def fail(*_):
        raise MemoryError

    stream = gray(90)
    for module in (jpeg_decoder, library):  # of what is decoded, and what the core needs for that
        with monkeypatch.context() as patched, ThreadPoolExecutor(1) as thread:  # which has no memory from before
            patched.setattr(module, "np", SimpleNamespace(**{**vars(np), "empty": fail}))
            with pytest.raises(LimitError, match="memory"):
                thread.submit(decode_stream, stream, SIDE, 1).result()


def test_rows_that_are_none_are_a_mistake_of_the_caller():
    for rows in ((0, SIDE + 1), (-1, 8), (8, 8), (9, 8)):
        with pytest.raises(ValueError, match="argument"):
            decode_stream(gray(90), SIDE, 1, rows)
