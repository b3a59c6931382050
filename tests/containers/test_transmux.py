"""From one kind of container to another: the same bytes (spec section 10.9)."""

from __future__ import annotations

import dataclasses
import itertools
import tracemalloc

import numpy as np
import pytest
from conftest import hash_tree, tile_path
from kinds import ICC, SUFFIXES

import rrip_format
from rrip_format.containers.copying import transmux
from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.errors import DamagedError, FormatError, MissingTileError, RripError, TargetError


def all_tiles(path):
    container = open_container(path)
    geometry = container.metadata.coding.geometry
    places = [(level, *place) for level in range(geometry.levels) for place in geometry.tiles(level)]
    found = dict(zip(places, container.read_tiles(places), strict=True))
    container.close()
    return found


@pytest.mark.parametrize(("first", "second"), list(itertools.product(SUFFIXES, (*SUFFIXES, ".rrip.tiff"))))
def test_there_and_back(kinds, tmp_path, first, second):
    source = dict(zip(SUFFIXES, kinds.all, strict=True))[first]
    there, back = tmp_path / f"there{second}", tmp_path / f"back{first}"
    stored = transmux(source, there)
    assert transmux(there, back) == stored
    tiles = all_tiles(source)
    assert tiles == all_tiles(there) == all_tiles(back)
    assert stored == sum(len(tile) for tile in tiles.values() if tile)
    if back.is_dir():
        assert hash_tree(back) == hash_tree(source)
    else:
        assert sorted(back.read_bytes()) == sorted(source.read_bytes()) or first == ".rrip.zarr.zip"
    for path in (there, back):
        with rrip_format.open(path) as slide, rrip_format.open(source) as original:
            assert slide.metadata == original.metadata
            assert slide.icc_profile() == ICC
            assert slide.associated_images() == original.associated_images()
            assert sorted(slide.associated_images()) == ["macro", "thumbnail"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([there.name, back.name])


def test_pixels_are_the_same(kinds):
    for path in kinds.all:
        with rrip_format.open(path) as slide:
            for level, wanted in enumerate(kinds.decoded):
                np.testing.assert_array_equal(slide.read_region(level, 0, 0, *wanted.shape[:2]), wanted)


def test_sizes_add_up(kinds):
    tiles = all_tiles(kinds.zarr)
    for path in kinds.all:
        container = open_container(path)
        sizes = dict(container.sizes())
        container.close()
        assert sum(size for key, size in sizes.items() if key[0] in "0123b" and "/c/" in key) == sum(
            len(tile) for tile in tiles.values() if tile
        )
        if path == kinds.tif:
            assert sum(sizes.values()) == path.stat().st_size


def test_progress(kinds, tmp_path):
    calls = []
    transmux(kinds.tif, tmp_path / "a.rrip.zarr.zip", progress=lambda done, total: calls.append((done, total)))
    assert calls[-1][0] == calls[-1][1] == len(all_tiles(kinds.tif))
    assert calls == sorted(calls)


def test_a_missing_tile_stops_it(spoiled, tmp_path):
    tile_path(spoiled, 1, 1, 1).unlink()
    with pytest.raises(MissingTileError, match=r"level 1, row 1, column 1"):
        transmux(spoiled, tmp_path / "a.rrip.tif")
    assert [p.name for p in tmp_path.iterdir()] == [spoiled.name]


def test_a_damaged_tile_stops_it(spoiled, tmp_path):
    path = tile_path(spoiled, 0, 1, 2)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"level 0, row 1, column 2"):
        transmux(spoiled, tmp_path / "a.rrip.tif")
    assert [p.name for p in tmp_path.iterdir()] == [spoiled.name]


def test_overwrite(kinds, tmp_path):
    target = tmp_path / "a.rrip.tif"
    target.write_bytes(b"precious")
    with pytest.raises(TargetError, match="already exists"):
        transmux(kinds.zarr, target)
    with pytest.raises(TargetError, match="not an RRIP container"):
        transmux(kinds.zarr, target, overwrite=True)
    assert target.read_bytes() == b"precious"
    target.unlink()
    transmux(kinds.zarr, target)
    transmux(kinds.zip, target, overwrite=True)
    assert target.read_bytes() == kinds.tif.read_bytes()


def test_target_is_its_source(kinds, tmp_path):
    path = tmp_path / "a.rrip.tif"
    transmux(kinds.zarr, path)
    before = path.read_bytes()
    transmux(path, path, overwrite=True)
    assert path.read_bytes() == before


def test_a_writer_notices_what_was_never_written(kinds, tmp_path):
    container = open_container(kinds.zarr)
    with pytest.raises(RripError, match="was never written"), open_writer(tmp_path / "a.rrip.tif") as writer:
        writer.finish(container.metadata)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_abandoned_writer_leaves_nothing(kinds, tmp_path, suffix):
    tile = next(tile for tile in all_tiles(kinds.zarr).values() if tile)
    with open_writer(tmp_path / f"a{suffix}") as writer:
        writer.write_tile(0, 0, 1, tile)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_associated_images_are_checked_before_they_are_taken(tmp_path, suffix):
    with open_writer(tmp_path / f"a{suffix}") as writer:
        with pytest.raises(RripError, match="unknown name"):
            writer.write_associated("../x", b"")
        with pytest.raises(RripError, match=r"baseline 4:4:4 JPEG"):
            writer.write_associated("macro", b"\xff\xd8 no")


def test_memory_does_not_grow_with_the_slide(kinds, tmp_path):
    """200 times as many tiles through the writer: what is kept is 32 bytes a tile."""
    container = open_container(kinds.zarr)
    tile = bytes(2000)
    with open_writer(tmp_path / "a.rrip.tif") as writer:
        tracemalloc.start()
        for at in range(20_000):
            writer.write_tile(0, 0, at, tile)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    container.close()
    assert kept < 3 << 20  # the tiles are 40 MB


def test_unknown_places_and_files(tmp_path):
    with pytest.raises(TargetError, match="unknown extension"):
        open_writer(tmp_path / "a.tif")
    for name, content in (("a.rrip.tif", b""), ("b.rrip.tif", b"hello"), ("c.rrip.zarr.zip", b"PK\5\6")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError):
            open_container(tmp_path / name)
    with pytest.raises(FormatError, match="no such file"):
        open_container(tmp_path / "nothing")


def test_metadata_replaced_by_another_slide(kinds, tmp_path):
    import pickle
    import uuid

    from rrip_format.errors import StorageError

    path = tmp_path / "a.rrip.tif"
    transmux(kinds.zarr, path)
    container = open_container(path)
    pickled = pickle.dumps(container)
    assert pickle.loads(pickled).metadata == container.metadata
    metadata = container.metadata
    container.close()
    coding = dataclasses.replace(
        metadata.coding, uuid=uuid.uuid4(), empty_bits=b"\xff" * len(metadata.coding.empty_bits)
    )
    path.unlink()
    with open_writer(path) as writer:
        writer.finish(dataclasses.replace(metadata, coding=coding))
    with pytest.raises(StorageError, match="was replaced"):
        pickle.loads(pickled)
