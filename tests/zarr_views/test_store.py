"""One slide through every door of Zarr: RripStore, the v2 view, references, http (spec sections 9.8 and 10.8)."""

from __future__ import annotations

import asyncio
import functools
import json
import multiprocessing
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from conftest import tile_path
from kinds import ICC, serve, tiny_image
from versions import skip_below
from web_server import serve_files
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype

import rrip_format
from rrip_format.containers.opening import open_container
from rrip_format.errors import (
    ChecksumError,
    DamagedError,
    FormatError,
    MissingTileError,
    ReadOnlyError,
    RripError,
    StorageError,
)
from rrip_format.family.decode import needed_levels
from rrip_format.family.packet import join_packet, split_packet
from rrip_format.spec.tile import join_tile
from rrip_format.storage import remote
from rrip_format.zarr_views.kerchunk import references
from rrip_format.zarr_views.mapping import RripMapping
from rrip_format.zarr_views.store import RripStore

KINDS = ("zarr", "zip", "tif")


def check(group, decoded):
    for level, wanted in enumerate(decoded):
        np.testing.assert_array_equal(group[str(level)][:], wanted.transpose(2, 0, 1))


def get(store, key, byte_range=None):
    value = asyncio.run(store.get(key, default_buffer_prototype(), byte_range))
    return None if value is None else value.to_bytes()


def listed(iterator):
    async def collect():
        return sorted([key async for key in iterator])

    return asyncio.run(collect())


# The same pixels


def test_plain_paths(kinds):
    check(zarr.open_group(kinds.zarr, mode="r"), kinds.decoded)
    check(zarr.open_group(zarr.storage.ZipStore(kinds.zip, mode="r"), mode="r"), kinds.decoded)


@pytest.mark.parametrize("kind", KINDS)
def test_v3(kinds, kind):
    store = RripStore(getattr(kinds, kind))
    group = zarr.open_group(store, mode="r")
    check(group, kinds.decoded)
    for level, wanted in enumerate(kinds.decoded[2:]):
        np.testing.assert_array_equal(group[f"base/{level}"][:], wanted.transpose(2, 0, 1))
    assert bytes(group["icc_profile"][:]) == ICC
    assert group["associated/macro"][:].shape == (50, 20, 3)
    np.testing.assert_array_equal(
        group["0"][:, 100:300, 250:600], kinds.decoded[0].transpose(2, 0, 1)[:, 100:300, 250:600]
    )
    assert sorted(name for name, _ in group.members()) == sorted(
        ["0", "1", "2", "3", "OPEN_WITH_RRIP", "associated", "base", "icc_profile"]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_v2(kinds, kind):
    group = zarr.open_group(RripStore(getattr(kinds, kind), zarr_format=2), mode="r", zarr_format=2)
    check(group, kinds.decoded)
    assert group.attrs["multiscales"][0]["version"] == "0.4"


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_keys_and_values_are_those_of_the_folder(kinds, kind, zarr_format):
    store = RripStore(getattr(kinds, kind), zarr_format=zarr_format)
    keys = listed(store.list())
    if zarr_format == 3:
        assert keys == sorted(p.relative_to(kinds.zarr).as_posix() for p in kinds.zarr.rglob("*") if p.is_file())
    for key in keys:
        data = get(store, key)
        assert asyncio.run(store.exists(key))
        assert asyncio.run(store.getsize(key)) == len(data)
        if zarr_format == 3:
            assert data == (kinds.zarr / key).read_bytes()
    for prefix in ("0/", "base", "base/0/c/0/1/", "1/c/0", "zarr.json", "x", "0/0/1"):
        assert listed(store.list_prefix(prefix)) == [key for key in keys if key.startswith(prefix)]
    for folder in ("", "/", "0", "base/", "base/0", "base/0/c", "base/0/c/0", "base/0/c/0/1", "associated", "0/0", "x"):
        prefix = folder.strip("/") + "/" if folder.strip("/") else ""
        names = {key[len(prefix) :].split("/")[0] for key in keys if key.startswith(prefix)}
        assert listed(store.list_dir(folder)) == sorted(names), folder


def test_every_value_by_parts(kinds):
    store = RripStore(kinds.tif)
    whole = get(store, "0/c/0/1/1")
    for request, wanted in (
        (RangeByteRequest(3, 40), whole[3:40]),
        (RangeByteRequest(5, 10**9), whole[5:]),
        (OffsetByteRequest(len(whole) - 4), whole[-4:]),
        (SuffixByteRequest(36), whole[-36:]),
        (SuffixByteRequest(10**9), whole),
    ):
        assert get(store, "0/c/0/1/1", request) == wanted
    assert asyncio.run(store.get_partial_values(default_buffer_prototype(), [("nothing", None)])) == [None]


@pytest.mark.parametrize(
    "key", ["", "0", "0/c/0/0/99", "0/c/0/01/1", "2/c/0/1/1", "9/c/0/0/0", "0/c/0/0/0", "../x", "/0"]
)
def test_keys_that_are_not_there(kinds, key):
    for path in (kinds.tif, kinds.zarr):
        store = RripStore(path)
        assert get(store, key) is None
        assert not asyncio.run(store.exists(key))


def test_it_is_read_only(kinds):
    store = RripStore(kinds.tif)
    value = default_buffer_prototype().buffer.from_bytes(b"x")
    for refused in (store.set("zarr.json", value), store.delete("zarr.json")):
        with pytest.raises(ReadOnlyError):
            asyncio.run(refused)
    with pytest.raises(ReadOnlyError):
        store.with_read_only(read_only=False)
    assert store.read_only
    group = zarr.open_group(store, mode="r")
    with pytest.raises((ReadOnlyError, ValueError)):
        group["0"][:] = 0
    with pytest.raises(FormatError, match="zarr_format"):
        RripStore(kinds.tif, zarr_format=4)


def test_equality(kinds):
    assert RripStore(kinds.tif) == RripStore(kinds.tif)
    assert hash(RripStore(kinds.tif)) == hash(RripStore(kinds.tif))
    assert RripStore(kinds.tif) != RripStore(kinds.zip)
    assert RripStore(kinds.tif) != RripStore(kinds.tif, zarr_format=2)
    assert "slide.rrip.tif" in repr(RripStore(kinds.tif))


def test_mapping(kinds):
    mapping = RripMapping(kinds.tif)
    assert json.loads(mapping[".zgroup"]) == {"zarr_format": 2}
    assert len(mapping) == len(list(mapping))
    assert "0/0/1/1" in mapping
    assert "0/0/0/0" not in mapping
    with pytest.raises(KeyError):
        mapping["0/0/0/0"]


# Threads, processes


def test_threads(kinds):
    for path in kinds.all:
        array = zarr.open_group(RripStore(path), mode="r")["0"]
        wanted = kinds.decoded[0].transpose(2, 0, 1)
        with ThreadPoolExecutor(8) as pool:
            read = functools.partial(lambda array, row: array[:, row : row + 40], array)
            for row, got in enumerate(pool.map(read, range(0, 700, 20))):
                np.testing.assert_array_equal(got, wanted[:, row * 20 : row * 20 + 40])


def read_in_process(store):
    return zarr.open_group(store, mode="r", zarr_format=3)["0"][:, 250:300, 250:520]


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes(kinds, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    stores = [RripStore(path) for path in kinds.all]
    for store in stores:
        read_in_process(store)  # so that a fork inherits open files and loops
    with multiprocessing.get_context(method).Pool(2) as pool:
        for got in pool.map(read_in_process, stores):
            np.testing.assert_array_equal(got, kinds.decoded[0].transpose(2, 0, 1)[:, 250:300, 250:520])


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_dask_processes(kinds):
    dask_array = pytest.importorskip("dask.array")
    array = dask_array.from_zarr(zarr.open_group(RripStore(kinds.tif), mode="r")["1"])
    got = array.compute(scheduler="processes", num_workers=2)
    np.testing.assert_array_equal(got, kinds.decoded[1].transpose(2, 0, 1))


def test_pickled_slide_and_store(kinds):
    for path in kinds.all:
        with rrip_format.open(path) as slide:
            copy = pickle.loads(pickle.dumps(slide))
            np.testing.assert_array_equal(copy.read_tile(0, 1, 1), slide.read_tile(0, 1, 1))
            copy.close()
        store = RripStore(path)
        assert pickle.loads(pickle.dumps(store)) == store


# Damage is never black


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_missing_tile_is_an_error(spoiled, zarr_format):
    tile_path(spoiled, 2, 1, 1).unlink()
    group = zarr.open_group(RripStore(spoiled, zarr_format=zarr_format), mode="r", zarr_format=zarr_format)
    arrays = ["0", "1", "2"] if zarr_format == 2 else ["0", "1", "2", "base/0"]
    for name in arrays:
        with pytest.raises(MissingTileError, match=r"level 2, row 1, column 1"):
            group[name][:]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_damaged_tile_is_an_error(spoiled, zarr_format):
    path = tile_path(spoiled, 2, 1, 1)
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)
    group = zarr.open_group(RripStore(spoiled, zarr_format=zarr_format), mode="r", zarr_format=zarr_format)
    for name in ["0", "1", "2"] if zarr_format == 2 else ["0", "1", "2", "base/0"]:
        with pytest.raises(ChecksumError, match=r"level 2, row 1, column 1"):
            group[name][:]


def test_a_tile_of_another_place_is_an_error(spoiled):
    tile_path(spoiled, 2, 1, 1).write_bytes(tile_path(spoiled, 2, 1, 2).read_bytes())
    with pytest.raises(DamagedError, match="contains the tile"):
        zarr.open_group(RripStore(spoiled), mode="r")["base/0"][:]


# Packets


def packet_codec(kinds, level):
    import numcodecs

    config = json.loads(RripMapping(kinds.tif)[f"{level}/.zarray"])["compressor"]
    return numcodecs.get_codec(config), config


@pytest.mark.parametrize("level", range(4))
def test_packets(kinds, level):
    codec, config = packet_codec(kinds, level)
    assert codec.get_config() == config
    assert pickle.loads(pickle.dumps(codec)).get_config() == config
    packet = RripMapping(kinds.tif)[f"{level}/0/{0 if level == 3 else 1}/0"]
    container = open_container(kinds.tif)
    row, col, tiles = split_packet(packet, len(needed_levels(level)))
    assert (row, col) == (0 if level == 3 else 1, 0)
    assert tiles == container.read_tiles([(needed, row, col) for needed in needed_levels(level)])
    assert join_packet(tiles) == packet
    decoded = codec.decode(packet)
    with rrip_format.open(kinds.tif) as slide:
        np.testing.assert_array_equal(decoded, slide.read_tile(level, row, col))
    out = np.empty_like(decoded)
    codec.decode(packet, out)
    np.testing.assert_array_equal(decoded, out)
    with pytest.raises(ReadOnlyError):
        codec.encode(decoded)
    container.close()


def test_damaged_packets(kinds):
    codec, config = packet_codec(kinds, 0)
    packet = RripMapping(kinds.tif)["0/0/1/1"]
    rng = np.random.default_rng(1)
    bad = [
        b"",
        packet[:-1],
        packet[1:],
        packet[40:],
        packet + packet,
        b"x" + packet,
        packet[:-4] + bytes(4),
        bytes(500),
    ]
    bad += [RripMapping(kinds.tif)["1/0/1/1"], RripMapping(kinds.tif)["3/0/0/0"]]
    for at in rng.integers(0, len(packet), 300):
        flipped = bytearray(packet)
        flipped[at] ^= 1 << int(rng.integers(8))
        bad.append(bytes(flipped))
    for data in bad:
        with pytest.raises(DamagedError):
            codec.decode(data)
    with rrip_format.open(kinds.tif) as slide:
        coding = slide.metadata.coding
    rows, cols = coding.geometry.families
    empty = next(place for place in coding.geometry.tiles(0) if coding.is_empty(0, *place))
    for place in (empty, (rows, 0), (0, cols)):  # sound tiles, which say that they are where there are none
        tiles = [join_tile([b""] * coding.streams(level), coding.place(level, *place)) for level in (2, 1, 0)]
        with pytest.raises(DamagedError, match="where the slide has no tile"):
            codec.decode(join_packet(tiles))
    import numcodecs

    for wrong in ({**config, "level": 4}, {**config, "level": True}, {**config, "coding": None}, {"id": "rrip"}):
        with pytest.raises(FormatError):
            numcodecs.get_codec(dict(wrong))


# References


@pytest.mark.parametrize("kind", ["zip", "tif"])
def test_kerchunk_references(kinds, tmp_path, kind):
    pytest.importorskip("fsspec")
    skip_below("fsspec", "2026.9", "reading a part of what a reference names")
    (tmp_path / "refs.json").write_text(json.dumps(references(getattr(kinds, kind))))
    options = {"fo": str(tmp_path / "refs.json"), "remote_protocol": "file"}
    group = zarr.open_group("reference://", mode="r", storage_options=options)
    check(group, kinds.decoded)
    for level, wanted in enumerate(kinds.decoded[2:]):
        np.testing.assert_array_equal(group[f"base/{level}"][:], wanted.transpose(2, 0, 1))
    assert bytes(group["icc_profile"][:]) == ICC


def test_references_point_at_the_stored_tiles(kinds):
    refs = references(kinds.tif, url="https://host/slide.rrip.tif")["refs"]
    data, container = kinds.tif.read_bytes(), open_container(kinds.zarr)
    url, offset, length = refs["0/c/0/1/2"]
    assert url == "https://host/slide.rrip.tif"
    assert data[offset : offset + length] == container.read_tile(0, 1, 2)
    assert "0/c/0/0/0" not in refs  # an empty family
    container.close()
    with pytest.raises(StorageError, match="expected a TIFF file or zip archive"):
        references(kinds.zarr)


def test_references_to_a_member_of_two_sizes(kinds, tmp_path):
    """As the container itself reads it: a stored member has its packed size."""
    path, key = tmp_path / "a.rrip.zarr.zip", "0/c/0/1/2"
    with zipfile.ZipFile(kinds.zip) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.infolist():
            target.writestr(member, source.read(member))
        target.getinfo(key).file_size -= 5
    container = open_container(path)
    tile = container.read_tile(0, 1, 2)
    assert tile == open_container(kinds.zarr).read_tile(0, 1, 2)
    _, offset, length = references(container)["refs"][key]
    assert path.read_bytes()[offset : offset + length] == tile


# Servers


@pytest.mark.parametrize("kind", ["tif", "zip", "zarr"])
def test_http_requests_are_few(kinds, kind, monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(remote, "TAIL_BYTES", 64)  # or it would have all of the file
    path = getattr(kinds, kind)
    with serve(path.parent) as server:
        slide = rrip_format.open(f"{server.url}/{path.name}", cache_mib=0)
        opening = len(server.requests)
        assert opening <= {"tif": 3, "zip": 5, "zarr": 1}[kind]
        for level, wanted in ((0, 3), (1, 2), (2, 1), (3, 1)):
            server.requests.clear()
            slide.read_tile(level, 0 if level == 3 else 1, 0 if level == 3 else 1)
            assert len(server.requests) == (wanted if kind == "zarr" else 1)  # neighbours in a file are one
            assert kind == "zarr" or all(method == "GET" and part for method, _, part in server.requests)
        server.requests.clear()
        array = zarr.open_group(RripStore(slide.container), mode="r")["0"]
        side = slide.geometry.tile_side(0)
        server.requests.clear()
        array[:, side : 2 * side, side : 2 * side]
        assert len(server.requests) == (3 if kind == "zarr" else 1)
        slide.close()


@pytest.mark.parametrize("kind", ["tif", "zip", "zarr"])
def test_http_pixels(kinds, kind):
    pytest.importorskip("aiohttp")
    path = getattr(kinds, kind)
    with serve(path.parent) as server:
        url = f"{server.url}/{path.name}"
        check(zarr.open_group(RripStore(url), mode="r"), kinds.decoded)
        check(zarr.open_group(RripStore(url, zarr_format=2), mode="r", zarr_format=2), kinds.decoded)
        with rrip_format.open(url) as slide:
            assert slide.icc_profile() == ICC
            assert sorted(slide.associated_images()) == ["macro", "thumbnail"]


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_http_from_other_processes(kinds):
    pytest.importorskip("aiohttp")
    with serve(kinds.tif.parent) as server:
        store = RripStore(f"{server.url}/{kinds.tif.name}")
        read_in_process(store)
        for method in ("spawn", "fork"):
            if method in multiprocessing.get_all_start_methods():
                with multiprocessing.get_context(method).Pool(1) as pool:
                    got = pool.apply_async(read_in_process, (store,)).get(60)
                np.testing.assert_array_equal(got, kinds.decoded[0].transpose(2, 0, 1)[:, 250:300, 250:520])


def test_http_names_without_extension(kinds, tmp_path):
    pytest.importorskip("aiohttp")
    (tmp_path / "a").write_bytes(kinds.tif.read_bytes())
    (tmp_path / "b").write_bytes(kinds.zip.read_bytes())
    with serve(tmp_path) as server:
        for name in "ab":
            with rrip_format.open(f"{server.url}/{name}") as slide:
                np.testing.assert_array_equal(slide.read_region(3, 0, 0, *kinds.decoded[3].shape[:2]), kinds.decoded[3])
        with pytest.raises((FormatError, StorageError)):
            rrip_format.open(f"{server.url}/nothing")
        with pytest.raises(StorageError, match=r"nothing\.rrip\.tif"):
            rrip_format.open(f"{server.url}/nothing.rrip.tif?signature=1")


def test_a_server_without_byte_ranges(kinds):
    pytest.importorskip("aiohttp")
    with serve(kinds.tif.parent, knows_ranges=False) as server, pytest.raises(StorageError, match="range"):
        rrip_format.open(f"{server.url}/{kinds.tif.name}")


def test_a_server_that_is_gone(kinds, monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(remote, "TAIL_BYTES", 64)
    monkeypatch.setattr(remote, "HEAD_BYTES", 64)
    monkeypatch.setenv("RRIP_RETRIES", "1")
    with serve_files(kinds.tif.parent) as server:
        slide = rrip_format.open(f"{server.url}/{kinds.tif.name}")
        server.misbehave = lambda *_: "drop"
        with pytest.raises(StorageError):
            slide.read_tile(0, 1, 1)


def test_memory_file_system(kinds):
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/slide.rrip.tif", kinds.tif.read_bytes())
    check(zarr.open_group(RripStore("memory://slide.rrip.tif"), mode="r"), kinds.decoded)
    check(zarr.open_group(RripStore(f"file://{kinds.tif}"), mode="r"), kinds.decoded)
    fsspec.filesystem("memory").rm("/slide.rrip.tif")


def test_xarray(kinds):
    """Levels share the names of their axes, not their sizes, so one is taken at a time."""
    xarray = pytest.importorskip("xarray")
    options = {"engine": "zarr", "consolidated": False, "chunks": None, "mask_and_scale": False}
    for level, wanted in enumerate(kinds.decoded):
        others = [str(k) for k in range(4) if k != level]
        data = xarray.open_dataset(RripStore(kinds.tif), drop_variables=[*others, "icc_profile"], **options)
        np.testing.assert_array_equal(data[str(level)].values, wanted.transpose(2, 0, 1))


def test_info_of_every_kind(kinds):
    from rrip_format.slides.describing import describe

    found = {}
    for path in kinds.all:
        with rrip_format.open(path) as slide:
            found[path] = describe(slide)
    for info in found.values():
        assert info["levels"] == found[kinds.zarr]["levels"]
        assert info["bytes"]["residuals"] == found[kinds.zarr]["bytes"]["residuals"]
    assert found[kinds.tif]["bytes"]["total"] == kinds.tif.stat().st_size


def test_a_zip_archive_cut_or_flipped_anywhere(tmp_path):
    path = tmp_path / "a.rrip.zarr.zip"
    rrip_format.convert(tiny_image(), path, rrip_format.Settings(tile=64), workers=1)
    data, decoded = path.read_bytes(), read_levels(path)
    rng = np.random.default_rng(0)
    spoiled = [data[:size] for size in range(0, len(data), 101)]
    for at in range(0, len(data), 37):
        flipped = bytearray(data)
        flipped[at] ^= 1 << int(rng.integers(8))
        spoiled.append(bytes(flipped))
    seen = 0
    for content in spoiled:
        path.write_bytes(content)
        try:
            levels = read_levels(path)
        except RripError:
            seen += 1
            continue
        for got, wanted in zip(levels, decoded, strict=True):
            np.testing.assert_array_equal(got, wanted)
    assert seen > 400


def read_levels(path):
    with rrip_format.open(path) as slide:
        return [slide.read_region(k.index, 0, 0, k.height, k.width) for k in slide.levels]
