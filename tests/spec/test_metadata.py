"""The ``rrip`` attributes: what they say survives, what they must not say is told (spec section 8)."""

from __future__ import annotations

import base64
import dataclasses
import json
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metadata_cases import CODING, METADATA, REMOVED, SLIDE, resealed

from rrip_format.errors import FormatError, NewerFormatError
from rrip_format.spec.geometry import TILE_SIZES, Geometry
from rrip_format.spec.metadata import (
    FORMAT_VERSION,
    Coding,
    Metadata,
    ResidualCoding,
    SlideMetadata,
    parse_coding,
    parse_metadata,
    seal,
    validate_coding,
    validate_metadata,
)


def bitmap(bits: bytes) -> str:
    return base64.b64encode(zlib.compress(bits)).decode()


# Round trips


TAPS = st.sampled_from([(-6, 58, 14, -2), (0, 48, 16, 0), (-13, 77, 0, 0), (16, 16, 16, 16), (64, 0, 0, 0)])
CFL = st.tuples(st.integers(-127, 127), st.integers(-127, 127))
WEIGHTS = st.sampled_from([(10, 14, 7, -9), (63, -63, 28, 0), (0, 0, 0, -28), (1, 0, 0, 0), (-63, 63, -14, -14)])


@st.composite
def codings(draw):
    geometry = Geometry(draw(st.integers(1, 20_000)), draw(st.integers(1, 20_000)), draw(st.sampled_from(TILE_SIZES)))
    rows, cols = geometry.families
    empty = np.random.default_rng(draw(st.integers(0, 99))).random((rows, cols)) < draw(st.sampled_from([0, 0.5, 1]))
    residuals = tuple(
        ResidualCoding(draw(TAPS), draw(CFL), draw(st.sampled_from([1, 3])), draw(TAPS), weights)
        for weights in (draw(st.none() | WEIGHTS), None)
    )
    gray = draw(st.integers(0, 255))
    bits = np.packbits(empty).tobytes() if empty.any() else b""
    return Coding(draw(st.uuids()), geometry, residuals, (gray, gray, gray), bits)


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
POSITIVE = st.floats(1e-6, 1e6) | st.integers(1, 1000).map(float)
SLIDES = st.builds(
    SlideMetadata,
    st.none() | st.tuples(POSITIVE, POSITIVE),
    st.none() | POSITIVE,
    st.none() | TEXT,
    st.dictionaries(TEXT, TEXT, max_size=5),
    TEXT,
    st.none() | st.integers(0, 2**53 - 1),
)


@given(codings())
def test_coding_round_trip(coding):
    document = json.loads(json.dumps(coding.to_json()))
    assert validate_coding(document) == []
    assert parse_coding(document) == coding
    assert parse_coding(document).to_json() == document


@given(codings(), SLIDES, st.dictionaries(TEXT, TEXT, max_size=3))
def test_metadata_round_trip(coding, slide, writer):
    metadata = Metadata(coding, slide, writer)
    document = json.loads(json.dumps(metadata.to_json()))
    assert validate_metadata(document) == []
    assert parse_metadata(document) == metadata


@pytest.mark.parametrize("value", [1e15, 2.0**53, 1e16, 1e22, 1e300])
def test_large_but_finite_numbers_survive(value):
    """Integers end at 2**53 in canonical JSON; what was read can be written again."""
    metadata = Metadata(CODING, SlideMetadata((0.25, 0.5), value), {})
    assert parse_metadata(json.loads(json.dumps(metadata.to_json()))) == metadata


def test_golden_document():
    """What a reader of another make will find, written out."""
    document = CODING.to_json()
    assert zlib.decompress(base64.b64decode(document.pop("empty"))) == b"\x80\x10"
    assert len(document.pop("crc32c")) == 8
    assert document == {
        "version": 1,
        "requires": [],
        "uuid": "00112233-4455-4677-8899-aabbccddeeff",
        "width": 900,
        "height": 700,
        "tile": 64,
        "residuals": [
            {"taps": [-6, 58, 14, -2], "chroma_taps": [0, 48, 16, 0], "cfl": [-20, 11], "planes": 1},
            {"taps": [-13, 77, 0, 0], "chroma_taps": [-6, 58, 14, -2], "cfl": [127, -127], "planes": 3},
        ],
        "background": [255, 255, 255],
    }


def test_seal_by_hand():
    """CRC-32C of canonical JSON: sorted keys, no spaces."""
    from rrip_format.spec.tile import crc32c

    sealed = seal({"b": [1, 2.5], "a": "µ", "crc32c": "stale"})
    checksum = crc32c('{"a":"µ","b":[1,2.5]}'.encode())
    assert sealed == {"b": [1, 2.5], "a": "µ", "crc32c": f"{checksum:08x}"}


def test_unknown_members_are_ignored():
    """Minor additions of later writers, inside the seal, do not disturb this reader."""
    document = METADATA.to_json()
    assert parse_metadata(resealed(document, ["coding", "later"], {"a": [1]})).coding == CODING
    assert parse_metadata(resealed(document, ["slide", "later"], 1)).slide == METADATA.slide


# Empty families


def test_empty_bits_are_row_by_row_most_significant_first():
    expected = np.zeros((3, 4), bool)
    expected[0, 0] = expected[2, 3] = True
    np.testing.assert_array_equal(CODING.empty, expected)
    assert [CODING.is_empty(level, 2, 3) for level in (0, 1, 2)] == [True] * 3
    assert not CODING.is_empty(0, 0, 1)
    assert not CODING.is_empty(3, 0, 0)


@given(codings())
def test_a_tile_is_empty_when_all_families_under_it_are(coding):
    for level in range(coding.geometry.levels):
        for row, col in list(coding.geometry.tiles(level))[:50]:
            under = coding.geometry.families_under(level, row, col)
            assert coding.is_empty(level, row, col) == all(coding.empty[family] for family in under)
    assert coding.empty_count == coding.empty.sum()
    rows, cols = coding.geometry.families
    assert not any(coding.is_empty(0, *place) for place in ((rows, 0), (0, cols), (-1, 0), (0, -1)))


def test_bits_beyond_the_last_family_count_for_nothing():
    coding = dataclasses.replace(CODING, empty_bits=b"\x80\x1f")
    assert coding.empty_count == coding.empty.sum() == 2
    assert not coding.is_empty(3, 0, 0)


def test_the_largest_bitmap_takes_little_memory():
    """2**28 families have 32 MiB of bits; as one byte each they would take a tile's reader 512 MiB."""
    coding = Coding(SLIDE, Geometry(1 << 22, 1 << 22, 64), CODING.residuals, empty_bits=bytes((1 << 25) - 1) + b"\1")
    assert coding.geometry.families == (1 << 14, 1 << 14)
    tracemalloc.start()
    try:
        assert coding.empty_count == 1
        assert coding.is_empty(0, (1 << 14) - 1, (1 << 14) - 1)
        assert not any(coding.is_empty(level, 0, 0) for level in range(coding.geometry.levels))
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", [None, bitmap(bytes(2))])
def test_no_family_is_empty(value):
    coding = parse_coding(resealed(CODING.to_json(), ["empty"], value))
    assert not coding.empty.any()
    assert not any(coding.is_empty(level, 0, 0) for level in range(4))


def test_missing_member_empty_is_none():
    assert not parse_coding(resealed(CODING.to_json(), ["empty"], REMOVED)).empty.any()


GOOD = zlib.compress(b"\x80\x10")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "not base64!",
        "AAAA",
        "ünï",
        7,
        1.5,
        [],
        ["eJw="],
        {},
        True,
        False,
        base64.b64encode(GOOD[:-1]).decode(),  # cut
        base64.b64encode(GOOD + b"x").decode(),  # more behind
        base64.b64encode(GOOD[:-1] + bytes([GOOD[-1] ^ 1])).decode(),  # Adler-32
        base64.b64encode(GOOD).decode() + "\n",
        bitmap(b""),
        bitmap(bytes(1)),
        bitmap(bytes(3)),
    ],
)
def test_bitmaps_that_are_none(value):
    with pytest.raises(FormatError, match=r"coding\.empty"):
        parse_coding(resealed(CODING.to_json(), ["empty"], value))


def test_a_bitmap_bomb_is_not_inflated():
    import tracemalloc

    squeeze = zlib.compressobj(9)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(64)) + squeeze.flush()
    document = resealed(CODING.to_json(), ["empty"], base64.b64encode(bomb).decode())
    tracemalloc.start()
    with pytest.raises(FormatError, match="expected exactly 2 bytes"):
        parse_coding(document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


# Versions


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 99, 2**31])
def test_a_newer_version_is_told_apart(version):
    """Also where a newer version breaks every rule of this one, its seal included."""
    with pytest.raises(NewerFormatError, match=f"format version {version}.*upgrade"):
        parse_coding({"version": version})
    document = METADATA.to_json()
    document["coding"] = {"version": version, "tile": "none"}
    with pytest.raises(NewerFormatError):
        parse_metadata(document)


@pytest.mark.parametrize("version", [0, -1, 1.0, True, "1", None, [], 2**53 - 1])
def test_a_version_that_is_none(version):
    with pytest.raises(FormatError, match=r"coding\.version") as caught:
        parse_coding(resealed(CODING.to_json(), ["version"], version))
    assert not isinstance(caught.value, NewerFormatError)


def test_required_features():
    with pytest.raises(NewerFormatError, match=r"requires the features \['jxl'\]"):
        parse_coding(resealed(CODING.to_json(), ["requires"], ["jxl"]))
    for value in (None, {}, "jxl", 1, REMOVED):
        with pytest.raises(FormatError, match=r"coding\.requires"):
            parse_coding(resealed(CODING.to_json(), ["requires"], value))


# The filter of luma


FILTERED = dataclasses.replace(
    CODING, residuals=(dataclasses.replace(CODING.residuals[0], luma_filter=(10, 14, 7, -9)), CODING.residuals[1])
)


def test_a_filter_is_written_with_its_feature_and_its_absence_without():
    document = FILTERED.to_json()
    assert document["requires"] == ["luma-filter"]
    assert [residual.get("luma_filter") for residual in document["residuals"]] == [[10, 14, 7, -9], None]
    assert parse_coding(document) == FILTERED
    plain = CODING.to_json()
    assert plain["requires"] == []
    assert not any("luma_filter" in residual for residual in plain["residuals"])


@pytest.mark.parametrize(
    "weights",
    [
        *([64, 0, 0, 0], [-64, 0, 0, 0], [0, 64, 0, 0], [0, -64, 0, 0], [0, 0, 29, 0], [0, 0, 0, -29], [0, 0, -15, 14]),
        *([0, 0, 0, 0], [10, 14, 7], [10, 14, 7, -9, 0], [10.0, 14, 7, -9], [True, 14, 7, -9], "10", 10, {}, None, []),
        ["10", 14, 7, -9],
    ],
    ids=str,
)
def test_weights_that_are_none(weights):
    document = resealed(FILTERED.to_json(), ["residuals", 0, "luma_filter"], weights)
    with pytest.raises(FormatError, match=r"coding\.residuals\[0\]\.luma_filter: is") as caught:
        parse_coding(document)
    assert caught.value.rule == "metadata.member"
    assert len(validate_coding(document)) == 1


@pytest.mark.parametrize("weights", [[63, -63, 28, 0], [-63, 63, 0, -28], [0, 0, 14, -14], [0, 0, 0, 1]], ids=str)
def test_the_edges_of_weights_are_inside(weights):
    document = resealed(FILTERED.to_json(), ["residuals", 0, "luma_filter"], weights)
    assert validate_coding(document) == []
    assert parse_coding(document).residuals[0].luma_filter == tuple(weights)


def test_a_feature_and_its_member_come_together():
    good = FILTERED.to_json()
    first, second = good["residuals"]
    without = {name: value for name, value in first.items() if name != "luma_filter"}
    for requires, residuals in (
        ([], [first, second]),
        (["luma-filter"], [without, second]),
        (["luma-filter"], [first, {**second, "luma_filter": [10, 14, 7, -9]}]),
        ([], [without, {**second, "luma_filter": [10, 14, 7, -9]}]),
    ):
        document = seal({**good, "requires": requires, "residuals": residuals})
        with pytest.raises(FormatError, match="luma_filter: is") as caught:
            parse_coding(document)
        assert caught.value.rule == "metadata.feature"
        assert len(validate_coding(document)) == 1
        whole = METADATA.to_json()
        whole["coding"] = document
        with pytest.raises(FormatError, match="luma_filter: is"):
            parse_metadata(seal(whole))
    with pytest.raises(NewerFormatError, match=r"requires the features \['jxl'\]"):
        parse_coding(resealed(good, ["requires"], ["luma-filter", "jxl"]))
