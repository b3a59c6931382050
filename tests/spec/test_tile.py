"""The stored tile: every damage is seen (spec section 6)."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrip_format.errors import ChecksumError, DamagedError
from rrip_format.spec.tile import TRAILER_BYTES, TilePlace, crc32c, join_tile, split_tile

SLIDE = UUID("00112233-4455-6677-8899-aabbccddeeff")
OTHER = UUID("ffeeddcc-bbaa-9988-7766-554433221100")
PLACE = TilePlace(SLIDE, 1, 3, 5)
SMALL = join_tile([b"luma", b"", b"cr"], PLACE)


def slow_crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, from its definition (RFC 3720, B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def reseal(body: bytes) -> bytes:
    return body + struct.pack("<I", crc32c(body))


def forge(lengths=(4, 0, 2), row=3, col=5, level=1, count=3, zero=0, slide=SLIDE, streams=b"lumacr") -> bytes:
    """A tile with a right checksum and any trailer."""
    trailer = struct.pack("<3I2IBBH8s", *lengths, row, col, level, count, zero, slide.bytes[:8])
    return reseal(streams + trailer)


def test_crc32c_check_value():
    assert crc32c(b"123456789") == 0xE3069283 == slow_crc32c(b"123456789")
    assert crc32c(b"") == 0


@given(st.binary(max_size=200))
def test_crc32c_by_its_definition(data):
    assert crc32c(data) == slow_crc32c(data)


def test_golden_bytes():
    tile = join_tile([b"\xff\xd8A", b"", b"\xff\xd8"], TilePlace(SLIDE, 1, 0x01020304, 7))
    body = bytes.fromhex(
        "ffd841 ffd8"  # two streams
        "03000000 00000000 02000000"  # their lengths and the empty one between them
        "04030201 07000000"  # row, column
        "01 03 0000"  # level, streams, zero
        "0011223344556677"  # half of the uuid
    )
    assert tile == body + slow_crc32c(body).to_bytes(4, "little")
    assert len(tile) == 5 + TRAILER_BYTES == 41
    assert tile[-4:].hex() == "b21fdf2b"


def test_golden_bytes_of_a_base_tile():
    tile = join_tile([b"x"], TilePlace(SLIDE, 2, 0, 0))
    assert tile[:-4].hex() == "78" + "01000000" + "00000000" * 4 + "02010000" + "0011223344556677"


@given(
    st.lists(st.binary(max_size=30), min_size=3, max_size=3) | st.lists(st.binary(max_size=30), min_size=1, max_size=1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.uuids(),
)
def test_round_trip(streams, row, col, level, slide):
    place = TilePlace(slide, level, row, col)
    parts = split_tile(join_tile(streams, place), place, len(streams))
    assert [b"" if part is None else bytes(part) for part in parts] == streams
    assert [part is None for part in parts] == [not stream for stream in streams]


def test_every_flipped_bit_is_seen():
    for bit in range(8 * len(SMALL)):
        spoiled = bytearray(SMALL)
        spoiled[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ChecksumError, match=r"level 1, row 3, column 5.*CRC-32C"):
            split_tile(bytes(spoiled), PLACE, 3)


def test_every_truncation_is_seen():
    for size in range(len(SMALL)):
        with pytest.raises(DamagedError, match="level 1, row 3, column 5"):
            split_tile(SMALL[:size], PLACE, 3)
        with pytest.raises(DamagedError, match="level 1, row 3, column 5"):
            split_tile(SMALL[size + 1 :], PLACE, 3)


@given(st.binary(min_size=1, max_size=50))
def test_appended_bytes_are_seen(more):
    with pytest.raises(DamagedError):
        split_tile(SMALL + more, PLACE, 3)


@given(st.binary(max_size=200))
def test_garbage_is_damage(data):
    with pytest.raises(DamagedError):
        split_tile(data, PLACE, 1)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (TilePlace(SLIDE, 1, 3, 6), "contains the tile .level 1, row 3, column 5. of this slide"),
        (TilePlace(SLIDE, 1, 4, 5), "contains the tile .level 1, row 3, column 5. of this slide"),
        (TilePlace(SLIDE, 1, 5, 3), "contains the tile .level 1, row 3, column 5. of this slide"),
        (TilePlace(SLIDE, 0, 3, 5), "contains the tile .level 1, row 3, column 5. of this slide"),
        (TilePlace(OTHER, 1, 3, 5), "of another slide .0011223344556677"),
    ],
)
def test_a_tile_in_a_wrong_place(place, told):
    with pytest.raises(DamagedError, match=told) as caught:
        split_tile(SMALL, place, 3)
    assert str(caught.value).startswith(str(place))
    assert not isinstance(caught.value, ChecksumError)


def test_forge_is_the_writers_twin():
    assert forge() == SMALL


@pytest.mark.parametrize(
    "lie",
    [
        {"lengths": (5, 0, 2)},
        {"lengths": (4, 0, 1)},
        {"lengths": (2**32 - 1, 0, 2)},
        {"lengths": (2**32 - 4, 8, 2)},  # right modulo 2**32
        {"lengths": (0, 0, 0)},
        {"count": 1},
        {"count": 2},
        {"count": 0},
        {"count": 255},
        {"zero": 1},
        {"zero": 0x8000},
    ],
)
def test_a_trailer_that_lies_under_a_right_checksum(lie):
    with pytest.raises(DamagedError, match="and a trailer with"):
        split_tile(forge(**lie), PLACE, 3)


def test_lengths_of_streams_that_are_not_there():
    lying = forge(lengths=(4, 0, 2), count=1)
    with pytest.raises(DamagedError, match="and a trailer with"):
        split_tile(lying, PLACE, 1)
    assert split_tile(forge(lengths=(6, 0, 0), count=1), PLACE, 1) == [b"lumacr"]


def test_another_number_of_streams_than_promised():
    with pytest.raises(DamagedError, match="and a trailer with"):
        split_tile(SMALL, PLACE, 1)
    with pytest.raises(DamagedError, match="and a trailer with"):
        split_tile(join_tile([b"luma"], PLACE), PLACE, 3)
