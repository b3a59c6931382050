"""The Zarr door: plain Zarr reads right pixels or raises, in every way that Zarr reads (spec section 9)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from chunks import chunk, memory_copy, rgb_first, stored_tiles
from conftest import tile_path
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from rrip_format.errors import FormatError
from rrip_format.family.decode import decode_family, decode_tile, needed_levels
from rrip_format.spec.tile import split_tile
from rrip_format.zarr_views.codec import RripCodec


def families(container):
    """(row, col) of those that are not empty."""
    return [place for place in container.coding.geometry.tiles(2) if not container.coding.empty[place]]


# Right pixels


def test_the_fixture_has_every_kind_of_tile(container):
    assert container.coding.geometry.families == (3, 4)
    assert container.conversion.empty_families == container.coding.empty.sum() == 3
    assert container.coding.geometry.levels == 4
    paths = [tile_path(container.path, *place) for place in stored_tiles(container)]
    assert all(path.is_file() for path in paths)
    on_disk = [path for path in container.path.rglob("c/0/*/*") if path.is_file()]
    assert sorted(on_disk) == sorted(paths)
    coding = container.coding
    tiles = {place: tile_path(container.path, *place).read_bytes() for place in stored_tiles(container)}
    streams = [split_tile(data, coding.place(*place), coding.streams(place[0])) for place, data in tiles.items()]
    assert any(stream is None for found in streams for stream in found)  # of the flat family


def test_every_level_by_a_plain_path(container, pipeline):
    group = zarr.open_group(str(container.path), mode="r")
    for level, expected in enumerate(container.decoded):
        np.testing.assert_array_equal(group[str(level)][:], rgb_first(expected))


def test_decoded_pixels_are_those_of_the_family_decoder(container):
    array = zarr.open_group(str(container.path), mode="r")["0"]
    for row, col in families(container):
        tiles = [tile_path(container.path, level, row, col).read_bytes() for level in (2, 1, 0)]
        height, width = container.coding.geometry.tile_shape(0, row, col)
        expected = decode_family(container.coding, row, col, tiles)[:, :height, :width]
        np.testing.assert_array_equal(chunk(array, row, col), expected)


def test_pixels_are_near_those_that_went_in(container):
    assert np.abs(container.decoded[0].astype(int) - container.image).mean() < 6
    assert (container.decoded[0][:256, :256] == 255).all()


def test_the_base_is_the_same_picture_by_standard_codecs(container, pipeline):
    group = zarr.open_group(str(container.path), mode="r")
    for level in (2, 3):
        np.testing.assert_array_equal(group[f"base/{level - 2}"][:], rgb_first(container.decoded[level]))


def test_overview_levels_and_their_empty_tiles(strip, pipeline):
    coding = strip.coding
    assert coding.geometry.levels == 6
    assert coding.is_empty(3, 0, 1)
    assert not tile_path(strip.path, 3, 0, 1).exists()
    group = zarr.open_group(str(strip.path), mode="r")
    for level, expected in enumerate(strip.decoded):
        np.testing.assert_array_equal(group[str(level)][:], rgb_first(expected))
        if level >= 2:
            np.testing.assert_array_equal(group[f"base/{level - 2}"][:], rgb_first(expected))
    assert (strip.decoded[3][:, 256:512] == 255).all()


SELECTIONS = {
    "all": np.s_[:],
    "ellipsis": np.s_[..., 5],
    "one pixel": np.s_[1, 300, 400],
    "one row": np.s_[:, 300],
    "one channel": np.s_[2],
    "across tiles": np.s_[:, 250:260, 500:520],
    "steps": np.s_[::2, 3:700:7, 1::11],
    "a step longer than a tile": np.s_[:, ::300, ::333],
    "negative bounds": np.s_[-1, -5:-1, -300:],
    "beyond the edge": np.s_[:, 690:9999, 895:9999],
    "nothing": np.s_[:, 5:5, :],
    "inside an empty family": np.s_[:, 3:9, 5:7],
    "the last pixel": np.s_[:, 699:, 899:],
}


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
def test_basic_selections(container, selection, pipeline):
    array = zarr.open_group(str(container.path), mode="r")["0"]
    np.testing.assert_array_equal(array[selection], rgb_first(container.decoded[0])[selection])


def test_steps_backwards_are_refused_by_zarr(container):
    array = zarr.open_group(str(container.path), mode="r")["0"]
    with pytest.raises(IndexError, match="step"):
        array[:, ::-1]


def test_channel_by_channel_is_decoded_once(container, monkeypatch):
    """Some readers ask for one channel of a chunk after the other."""
    from rrip_format.zarr_views import codec

    decoded = []
    decode = codec.decode_tile
    monkeypatch.setattr(codec, "decode_tile", lambda *args: decoded.append(args[1:4]) or decode(*args))
    monkeypatch.setattr(codec, "_recent", codec.RecentTiles(1 << 25))
    array = zarr.open_group(container.path, mode="r")["0"]
    full = rgb_first(container.decoded[0])
    for channel in range(3):
        np.testing.assert_array_equal(array[channel, 256:400, 300:400], full[channel, 256:400, 300:400])
    assert decoded == [(0, 1, 1)]
    array[:, 256:400, 300:400]
    assert len(decoded) == 2  # all channels at once are not kept


def test_a_small_patch_is_all_that_is_decoded(container, monkeypatch):
    from rrip_format.zarr_views import codec

    windows = []
    decode = codec.decode_tile
    monkeypatch.setattr(codec, "decode_tile", lambda *args: windows.append(args[5]) or decode(*args))
    array = zarr.open_group(container.path, mode="r")["0"]
    array[:, 300:310, 260:290]
    array[:, 300, 260:290]
    array[:, 256:512, 256:512]
    array[:, 300:310:2, 260:290]
    assert windows == [(44, 54, 4, 34), (44, 45, 4, 34), None, None]


def test_fancy_selections(container, pipeline):
    array = zarr.open_group(str(container.path), mode="r")["0"]
    full = rgb_first(container.decoded[0])
    rows, cols = [699, 0, 255, 256, 300, 300], [5, 899, 256, 255, 511, 512]
    np.testing.assert_array_equal(array.oindex[:, sorted(rows), :], full[:, sorted(rows), :])
    np.testing.assert_array_equal(array.oindex[[0, 2], rows, 3:600:5], full[[0, 2]][:, rows, 3:600:5])
    np.testing.assert_array_equal(array.oindex[1, rows, cols], full[1][np.ix_(rows, cols)])
    np.testing.assert_array_equal(array.vindex[[0, 1, 2, 0, 1, 2], rows, cols], full[[0, 1, 2, 0, 1, 2], rows, cols])
    some = np.zeros(700, bool)
    some[[0, 256, 699]] = True
    np.testing.assert_array_equal(array.oindex[:, some, :4], full[:, some, :4])
    mask = np.random.default_rng(0).random(full.shape) < 0.001
    np.testing.assert_array_equal(array.get_mask_selection(mask), full[mask])
    np.testing.assert_array_equal(array[mask], full[mask])
    np.testing.assert_array_equal(array.blocks[0, 1, 2], full[:, 256:512, 512:768])
    np.testing.assert_array_equal(array.blocks[:, 2], full[:, 512:])


def slices(size: int) -> st.SearchStrategy:
    bound = st.none() | st.integers(-size - 5, size + 5)
    return st.builds(slice, bound, bound, st.none() | st.integers(1, 400)) | st.integers(-size, size - 1)


@settings(max_examples=25)
@given(st.tuples(slices(3), slices(350), slices(450)))
def test_any_selection(container, selection):
    array = zarr.open_group(str(container.path), mode="r")["1"]
    np.testing.assert_array_equal(array[selection], rgb_first(container.decoded[1])[selection])


def test_results_are_the_callers_own(container):
    """What a caller does to pixels it got reaches neither the background nor the next caller."""
    array = zarr.open_group(str(container.path), mode="r")["0"]
    for place in ((0, 0), (1, 1)):
        first = chunk(array, *place)
        before = first.copy()
        first[...] = 7
        np.testing.assert_array_equal(chunk(array, *place), before)


# The codec object


def test_codec_round_trip(container):
    for level in range(4):
        codec = RripCodec(level, container.coding)
        document = json.loads(json.dumps(codec.to_dict()))
        assert RripCodec.from_dict(document) == codec
        assert hash(RripCodec.from_dict(document)) == hash(codec)
    with pytest.raises(NotImplementedError):
        codec.compute_encoded_size(1, None)


@pytest.mark.parametrize(
    "data", [{}, {"name": "rrip"}, {"configuration": None}, {"configuration": []}, {"configuration": {}}]
)
def test_a_codec_without_configuration(data):
    with pytest.raises(FormatError):
        RripCodec.from_dict(data)


def test_the_documents_that_zarr_writes_back_are_equal(container):
    """Zarr keeps what the codec says about itself."""
    for level in range(4):
        stored = json.loads((container.path / str(level) / "zarr.json").read_text())
        array = zarr.open_array(str(container.path / str(level)), mode="r")
        assert json.loads(json.dumps(array.metadata.to_dict()["codecs"][0])) == stored["codecs"][0]


def test_decode_tile_needs_what_the_codec_asks_for(container):
    """The codec asks the store for tiles of these levels and no other."""
    asked = []

    class Recorder(MemoryStore):
        async def get(self, key, *args, **kwargs):
            asked.append(key)
            return await super().get(key, *args, **kwargs)

        def get_sync(self, key, *args, **kwargs):
            asked.append(key)
            return super().get_sync(key, *args, **kwargs)

    store = Recorder(memory_copy(container.path)._store_dict)
    group = zarr.open_group(store, mode="r")
    for level in range(4):
        array = group[str(level)]
        place = (0, 0) if level == 3 else (1, 1)
        asked.clear()
        chunk(array, *place)
        expected = [tile_path(Path(), needed, *place).as_posix() for needed in needed_levels(level)]
        assert sorted(asked) == sorted(expected)
    asked.clear()
    chunk(group["0"], 0, 0)
    assert not [key for key in asked if "/c/" in key]  # empty: nothing is read
    assert decode_tile(container.coding, 0, 0, 0, []).max() == 255
