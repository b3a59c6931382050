"""The Zarr codec writes nothing, and names what is damaged or missing."""

from __future__ import annotations

import functools
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
import zarr
from chunks import chunk, memory_copy, rgb_first, stored_tiles
from conftest import hash_tree, tile_path, tissue
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import ZipStore

import rrip_format
from rrip_format.errors import ChecksumError, DamagedError, FormatError, MissingTileError, ReadOnlyError, RripError
from rrip_format.family.jpeg import encode
from rrip_format.spec.tile import join_tile
from rrip_format.zarr_views.base_codec import Jpeg, _Jpeg
from rrip_format.zarr_views.codec import RripCodec

# No writing


WRITES = {
    "a value": lambda array: array.__setitem__(slice(None), 7),
    "the fill value": lambda array: array.__setitem__(slice(None), 255),
    "the fill value into an empty family": lambda array: array.__setitem__(
        np.s_[:, : array.chunks[1], : array.chunks[1]], 255
    ),
    "one pixel": lambda array: array.__setitem__((0, 100, 100), 7),
    "part of a tile": lambda array: array.__setitem__(np.s_[:, 60:90, 70:80], 255),
    "one whole tile": lambda array: array.__setitem__(
        np.s_[:, : array.chunks[1], array.chunks[1] : 2 * array.chunks[1]], 255
    ),
    "its own pixels": lambda array: array.__setitem__(slice(None), array[:]),
    "by oindex": lambda array: array.oindex.__setitem__((0, [1, 100], [2, 200]), 1),
    "by vindex": lambda array: array.vindex.__setitem__(([0, 1], [1, 100], [2, 200]), 1),
    "by mask": lambda array: array.set_mask_selection(np.ones(array.shape, bool), 255),
    "smaller": lambda array: array.resize((3, 100, 100)),
    "larger": lambda array: array.append(np.zeros((3, 8, array.shape[2]), np.uint8), axis=1),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("level", [0, 2])
def test_writing_is_refused_and_changes_no_file(spoiled, write, level, pipeline):
    before = hash_tree(spoiled)
    array = zarr.open_group(str(spoiled), mode="r+")[str(level)]
    with pytest.raises(RripError) as caught:
        write(array)
    assert isinstance(caught.value, ReadOnlyError | FormatError)
    assert hash_tree(spoiled) == before


def test_writing_into_memory_is_refused(container, pipeline):
    store = memory_copy(container.path)
    before = {key: value.to_bytes() for key, value in store._store_dict.items()}
    array = zarr.open_group(store, mode="r+")["0"]
    for value in (255, 7):
        with pytest.raises(ReadOnlyError, match="rrip convert"):
            array[:] = value
    assert {key: value.to_bytes() for key, value in store._store_dict.items()} == before


def test_a_new_array_cannot_use_the_codec_to_write(container, tmp_path):
    codec = RripCodec(0, container.coding)
    array = zarr.create_array(
        tmp_path / "new.zarr",
        shape=(3, 700, 900),
        chunks=(3, 256, 256),
        dtype="uint8",
        serializer=codec,
        compressors=None,
    )
    with pytest.raises(ReadOnlyError):
        array[:] = 5


# Damage


def readers(path: Path):
    """Both doors: read one tile of a level by place."""
    group, slide = zarr.open_group(str(path), mode="r"), rrip_format.open(path)
    return [lambda level, row, col: chunk(group[str(level)], row, col), slide.read_tile]


def dependents(level: int) -> list[int]:
    """Levels whose tile at a place cannot be made without the tile of `level`."""
    return list(range(level + 1)) if level <= 2 else [level]


def assert_only_this_fails(container, path, damaged, error, told="") -> None:
    """Every tile made from the damaged one raises and names it; its neighbours and the coarser levels still read."""
    level, row, col = damaged
    for read in readers(path):
        for needing in dependents(level):
            with pytest.raises(error, match=rf"level {level}, row {row}, column {col}.*{told}"):
                read(needing, row, col)
        others = [place for place in stored_tiles(container) if place[1:] != (row, col)]
        others = [*others[:: max(1, len(others) // 3)], *((k, row, col) for k in range(level + 1, 3))]
        for other_level, other_row, other_col in others:
            height, width = container.coding.geometry.tile_shape(other_level, other_row, other_col)
            side = container.coding.geometry.tile_side(other_level)
            y, x = other_row * side, other_col * side
            expected = rgb_first(container.decoded[other_level])[:, y : y + height, x : x + width]
            np.testing.assert_array_equal(read(other_level, other_row, other_col)[:, :height, :width], expected)


def test_every_missing_tile_is_named(container, spoiled):
    for place in stored_tiles(container):
        path = tile_path(spoiled, *place)
        data = path.read_bytes()
        path.unlink()
        assert_only_this_fails(container, spoiled, place, MissingTileError, "is missing")
        path.write_bytes(data)


def test_every_truncated_tile_is_named(container, spoiled):
    for place in stored_tiles(container):
        path = tile_path(spoiled, *place)
        data = path.read_bytes()
        for size in {0, 1, 35, len(data) // 2, len(data) - 1}:
            path.write_bytes(data[:size])
            for read in readers(spoiled):
                with pytest.raises(DamagedError, match="level {}, row {}, column {}".format(*place)):
                    read(*place)
        path.write_bytes(data)


def test_every_tile_with_one_flipped_bit_is_named(container, spoiled, pipeline):
    rng = np.random.default_rng(0)
    doors = readers(spoiled)
    for place in stored_tiles(container):
        path = tile_path(spoiled, *place)
        data = path.read_bytes()
        for bit in [0, 8 * len(data) - 1, *rng.integers(0, 8 * len(data), 4).tolist()]:
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            for read in doors:
                with pytest.raises(ChecksumError, match="level {}, row {}, column {}".format(*place)):
                    read(min(place[0], place[0] if place[0] > 2 else 0), *place[1:])
        path.write_bytes(data)
    for read in doors:
        read(0, 1, 1)


@pytest.mark.skipif(
    not Jpeg.__module__.startswith("rrip_format"), reason="the codec of imagecodecs, with its own errors"
)
def test_a_base_tile_of_another_number_of_components_is_damage(container, spoiled):
    place = container.coding.place(2, 1, 1)
    tile_path(spoiled, 2, 1, 1).write_bytes(join_tile([encode(np.zeros((64, 64), np.uint8), 90)], place))
    with pytest.raises(DamagedError, match="imagecodecs_jpeg"):
        zarr.open_group(str(spoiled), mode="r")["base/0"][:]


def stand_in(data, shape):
    prototype = default_buffer_prototype()
    spec = SimpleNamespace(shape=shape, prototype=prototype)
    return _Jpeg()._decode_sync(prototype.buffer.from_bytes(data), spec).as_numpy_array()


@pytest.mark.parametrize("shape", [(64, 64, 3), (30, 40, 3), (40, 40, 3)])
def test_the_stand_in_decodes_what_imagecodecs_does(container, shape):
    data = encode(tissue(*shape[:2]), 90)
    wanted = imagecodecs.jpeg8_decode(data)
    np.testing.assert_array_equal(stand_in(data, shape), wanted)
    if shape[0] == 64:  # a tile has a trailer, and Zarr has taken its CRC-32C away
        np.testing.assert_array_equal(stand_in(join_tile([data], container.coding.place(2, 1, 1))[:-4], shape), wanted)
    subsampled = imagecodecs.jpeg8_encode(tissue(*shape[:2]), subsampling="420")
    np.testing.assert_array_equal(stand_in(subsampled, shape), imagecodecs.jpeg8_decode(subsampled))
    cut = data[: -60 if shape[0] == 64 else 20]  # imagecodecs fills up what ends a little early
    for damaged in (b"", cut, encode(tissue(*shape[:2])[..., 0], 90)):
        with pytest.raises(DamagedError, match="codec imagecodecs_jpeg: "):
            stand_in(damaged, shape)


def test_options_of_the_stand_in_are_refused_as_other_documents_are():
    told = r"options \{'level': 90\} are unknown here, expected none; install imagecodecs-zarr"
    with pytest.raises(FormatError, match=told) as caught:
        _Jpeg.from_dict({"name": "imagecodecs_jpeg", "configuration": {"level": 90}})
    assert caught.value.rule == "array.document"


def test_an_error_in_one_tile_fails_the_whole_selection(container, spoiled, pipeline):
    tile_path(spoiled, 1, 1, 1).unlink()
    group = zarr.open_group(str(spoiled), mode="r")
    for level in ("0", "1"):
        with pytest.raises(MissingTileError, match="level 1, row 1, column 1"):
            group[level][:]
    np.testing.assert_array_equal(group["2"][:], rgb_first(container.decoded[2]))


def swap(first: Path, second: Path) -> None:
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_swapped_tiles(spoiled, level):
    swap(tile_path(spoiled, level, 1, 1), tile_path(spoiled, level, 2, 1))
    for read in readers(spoiled):
        for place, other in (((1, 1), 2), ((2, 1), 1)):
            with pytest.raises(DamagedError, match=rf"contains the tile \(level {level}, row {other}, column 1\)"):
                read(0, *place)


def test_levels_swapped(spoiled):
    swap(tile_path(spoiled, 0, 1, 1), tile_path(spoiled, 1, 1, 1))
    for read in readers(spoiled):
        with pytest.raises(DamagedError, match=r"contains the tile \(level"):
            read(0, 1, 1)
        with pytest.raises(DamagedError, match=r"contains the tile \(level"):
            read(1, 1, 1)


def test_a_tile_of_another_slide(spoiled, strip):
    shutil.copy(tile_path(strip.path, 0, 0, 1), tile_path(spoiled, 0, 0, 1))
    for read in readers(spoiled):
        with pytest.raises(DamagedError, match="another slide"):
            read(0, 0, 1)


def test_a_folder_in_the_place_of_a_tile(spoiled):
    path = tile_path(spoiled, 0, 1, 1)
    path.unlink()
    path.mkdir()
    for read in readers(spoiled):
        with pytest.raises(RripError):
            read(0, 1, 1)


def test_a_zip_with_a_damaged_member(archive, tmp_path):
    """Also where the archive's own checksum was made to fit."""
    path = tmp_path / "damaged.rrip.zarr.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "0/c/0/1/1":
                data = data[:99] + bytes([data[99] ^ 1]) + data[100:]
            if name != "1/c/0/2/1":
                target.writestr(name, data)
    with ZipStore(path, mode="r") as store, rrip_format.open(path) as slide:
        array = zarr.open_group(store, mode="r")["0"]
        for read in (functools.partial(chunk, array), functools.partial(slide.read_tile, 0)):
            with pytest.raises(ChecksumError, match="level 0, row 1, column 1"):
                read(1, 1)
            with pytest.raises(MissingTileError, match="level 1, row 2, column 1"):
                read(2, 1)


def test_a_zip_whose_bytes_rotted(archive, tmp_path):
    """The archive's own checksum notices first; that is our error too."""
    path = tmp_path / "damaged.rrip.zarr.zip"
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as source:
        data[source.getinfo("0/c/0/1/1").header_offset + 200] ^= 1
    path.write_bytes(data)
    with ZipStore(path, mode="r") as store, rrip_format.open(path) as slide:
        array = zarr.open_group(store, mode="r")["0"]
        for read in (functools.partial(chunk, array), functools.partial(slide.read_tile, 0)):
            with pytest.raises(RripError):
                read(1, 1)
