"""The Zarr door: plain Zarr reads right pixels or raises, in every way that Zarr reads (spec section 9)."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import logging
import multiprocessing
import operator
import shutil
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
import zarr
from conftest import hash_tree, tile_path, tissue
from hypothesis import given, settings
from hypothesis import strategies as st
from versions import has_version, skip_below
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.storage import LocalStore, LoggingStore, MemoryStore, ZipStore

import rrip_format
from rrip_format.errors import (
    ChecksumError,
    DamagedError,
    FormatError,
    MissingTileError,
    ReadOnlyError,
    RripError,
    StorageError,
)
from rrip_format.family.decode import decode_family, decode_tile, needed_levels
from rrip_format.family.jpeg import encode
from rrip_format.spec.tile import join_tile, split_tile
from rrip_format.zarr_views.base_codec import Jpeg, _Jpeg
from rrip_format.zarr_views.codec import RripCodec

FUSED = "zarr.core.codec_pipeline.FusedCodecPipeline"
PIPELINES = ["zarr.core.codec_pipeline.BatchedCodecPipeline"]
if hasattr(zarr.core.codec_pipeline, "FusedCodecPipeline"):
    PIPELINES.append(FUSED)


@pytest.fixture(params=PIPELINES, ids=lambda path: path.rpartition(".")[2])
def pipeline(request):
    """Each of Zarr's ways to call codecs."""
    with zarr.config.set({"codec_pipeline.path": request.param}):
        yield request.param


def rgb_first(image: np.ndarray) -> np.ndarray:
    return image.transpose(2, 0, 1)


def families(container):
    """(row, col) of those that are not empty."""
    return [place for place in container.coding.geometry.tiles(2) if not container.coding.empty[place]]


def stored_tiles(container):
    """(level, row, col) of every tile that is there."""
    geometry = container.coding.geometry
    return [
        (level, row, col)
        for level in range(geometry.levels)
        for row, col in geometry.tiles(level)
        if not container.coding.is_empty(level, row, col)
    ]


def chunk(array, row: int, col: int):
    side = array.chunks[1]
    return array[:, row * side : (row + 1) * side, col * side : (col + 1) * side]


def memory_copy(root: Path) -> MemoryStore:
    return MemoryStore(
        {
            file.relative_to(root).as_posix(): cpu.Buffer.from_bytes(file.read_bytes())
            for file in root.rglob("*")
            if file.is_file()
        }
    )


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


# Every store


def test_zip_and_memory_and_wrapped_stores(container, archive, pipeline):
    for store in (
        ZipStore(archive, mode="r"),
        memory_copy(container.path),
        LocalStore(container.path, read_only=True),
        # older ones can only be opened for writing
        *(
            [LoggingStore(LocalStore(container.path), log_handler=logging.NullHandler())]
            if has_version("zarr", "3.1.6")
            else []
        ),
    ):
        group = zarr.open_group(store, mode="r")
        for level, expected in enumerate(container.decoded):
            np.testing.assert_array_equal(group[str(level)][:], rgb_first(expected))
        store.close()


def test_a_container_below_the_root_of_a_store(container, tmp_path):
    shutil.copytree(container.path, tmp_path / "a" / "b" / "slide.rrip.zarr")
    group = zarr.open_group(str(tmp_path), path="a/b/slide.rrip.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], rgb_first(container.decoded[0]))
    shutil.make_archive(str(tmp_path / "below"), "zip", tmp_path / "a")
    array = zarr.open_array(ZipStore(tmp_path / "below.zip", mode="r"), path="b/slide.rrip.zarr/1", mode="r")
    np.testing.assert_array_equal(array[:], rgb_first(container.decoded[1]))


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_an_array_opened_by_itself(container, level, pipeline):
    array = zarr.open_array(str(container.path / str(level)), mode="r")
    np.testing.assert_array_equal(array[:], rgb_first(container.decoded[level]))


def test_an_array_opened_by_itself_with_a_relative_path(container, monkeypatch):
    monkeypatch.chdir(container.path)
    np.testing.assert_array_equal(zarr.open_array("1", mode="r")[:], rgb_first(container.decoded[1]))
    monkeypatch.chdir(container.path / "0")
    np.testing.assert_array_equal(
        zarr.open_array(".", mode="r")[:, :9, 300:], rgb_first(container.decoded[0])[:, :9, 300:]
    )


def test_an_array_by_itself_where_its_parent_cannot_be_reached(container, tmp_path):
    with pytest.raises(FormatError, match="opened by itself"):
        zarr.open_array(memory_copy(container.path / "0"), mode="r")[:]
    alone = shutil.copytree(container.path / "0", tmp_path / "renamed")
    with pytest.raises(FormatError, match="opened by itself"):
        zarr.open_array(str(alone), mode="r")[:]
    alone = shutil.copytree(container.path / "0", tmp_path / "0")
    with pytest.raises(MissingTileError, match="level 2"):
        zarr.open_array(str(alone), mode="r")[:]


@pytest.mark.parametrize("mode", [0o444, 0o400])
def test_files_that_cannot_be_written(spoiled, container, mode):
    for path in spoiled.rglob("*"):
        path.chmod(mode | 0o111 if path.is_dir() else mode)
    group = zarr.open_group(str(spoiled))
    np.testing.assert_array_equal(group["0"][:], rgb_first(container.decoded[0]))
    for path in spoiled.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)


OPENERS = {
    "folder": "zarr.open_group({path!r}, mode='r')",
    "zip store": "zarr.open_group(zarr.storage.ZipStore({archive!r}, mode='r'), mode='r')",
    "zip url": "zarr.open_group('zip::file://' + {archive!r}, mode='r')",
}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
def test_a_fresh_process_that_only_knows_zarr(container, archive, opener):
    if "zip://" in opener or "zip::" in opener:
        skip_below("fsspec", "2026.9", "a chain to a local archive")
    code = f"""
import hashlib, sys, zarr
group = {opener.format(path=str(container.path), archive=str(archive))}
for level in ("0", "1", "2", "base/0"):
    print(hashlib.sha256(group[level][:].tobytes()).hexdigest())
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stderr
    expected = [hashlib.sha256(rgb_first(container.decoded[k]).tobytes()).hexdigest() for k in (0, 1, 2, 2)]
    assert result.stdout.split() == expected


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; what a test puts into `failing` is answered by that status instead."""

    protocol_version = "HTTP/1.1"  # keeps connections open
    failing: dict[str, int] = {}  # noqa: RUF012

    def do_GET(self):
        status = next((status for end, status in self.failing.items() if self.path.endswith(end)), None)
        if status is None:
            super().do_GET()
        elif status == 200:  # announces more than it sends
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"\xff\xd8")
            self.close_connection = True
        else:
            self.send_error(status)

    def log_message(self, *_):
        pass


@pytest.fixture
def http(container):
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(container.path.parent)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{container.path.name}"
    Handler.failing.clear()
    server.shutdown()
    server.server_close()
    thread.join()


def test_http(container, http, pipeline):
    pytest.importorskip("aiohttp")
    group = zarr.open_group(http, mode="r")
    for level, expected in enumerate(container.decoded):
        np.testing.assert_array_equal(group[str(level)][:], rgb_first(expected))
    alone = zarr.open_array(f"{http}/1", mode="r")
    np.testing.assert_array_equal(alone[:], rgb_first(container.decoded[1]))
    with rrip_format.open(http) as slide:
        np.testing.assert_array_equal(slide.read_region(0, 200, 300, 99, 98), container.decoded[0][200:299, 300:398])


def test_http_that_fails_is_an_error_and_no_white_picture(container, http):
    pytest.importorskip("aiohttp")
    group, slide = zarr.open_group(http, mode="r"), rrip_format.open(http)
    Handler.failing = {"/0/c/0/1/1": 500, "/1/c/0/2/0": 403, "/base/0/c/0/0/2": 404, "/0/c/0/2/3": 200}
    for (row, col), error in {
        (1, 1): StorageError,
        (2, 0): StorageError,
        (0, 2): MissingTileError,
        (2, 3): StorageError,
    }.items():
        with pytest.raises(error):
            chunk(group["0"], row, col)
        with pytest.raises(error):
            slide.read_tile(0, row, col)
    np.testing.assert_array_equal(chunk(group["0"], 1, 0), rgb_first(container.decoded[0])[:, 256:512, :256])


# Every kind of worker


def test_async(container, archive):
    from zarr.api import asynchronous

    async def read(store):
        group = await asynchronous.open_group(store, mode="r")
        arrays = [await group.getitem(str(level)) for level in range(4)]
        return await asyncio.gather(*(array.getitem(np.s_[:, 3:]) for array in arrays))

    for store in (str(container.path), ZipStore(archive, mode="r")):
        for pixels, expected in zip(asyncio.run(read(store)), container.decoded, strict=True):
            np.testing.assert_array_equal(pixels, rgb_first(expected)[:, 3:])


def test_a_slide_inside_a_running_event_loop(container, archive):
    async def read(path):
        with rrip_format.open(path) as slide:
            return slide.read_region(0, 250, 250, 20, 600)

    for path in (container.path, archive):
        np.testing.assert_array_equal(asyncio.run(read(path)), container.decoded[0][250:270, 250:850])


def test_threads(container, archive, pipeline):
    for store in (str(container.path), ZipStore(archive, mode="r")):
        array = zarr.open_group(store, mode="r")["0"]
        parts = [np.s_[:, y : y + 90, x : x + 170] for y in range(0, 700, 90) for x in range(0, 900, 170)]
        with ThreadPoolExecutor(8) as pool:
            for part, pixels in zip(parts, pool.map(array.__getitem__, parts), strict=True):
                np.testing.assert_array_equal(pixels, rgb_first(container.decoded[0])[part])


def test_dask_threads(container):
    dask_array = pytest.importorskip("dask.array")
    for level in (0, 2):
        array = dask_array.from_zarr(str(container.path), component=str(level))
        assert array.shape == rgb_first(container.decoded[level]).shape
        pixels = array.compute(scheduler="threads", num_workers=4)
        np.testing.assert_array_equal(pixels, rgb_first(container.decoded[level]))


def test_dask_processes(container):
    dask_array = pytest.importorskip("dask.array")
    array = dask_array.from_zarr(str(container.path), component="0")[:, 200:300, 200:600]
    pixels = array.compute(scheduler="processes", num_workers=1)
    np.testing.assert_array_equal(pixels, rgb_first(container.decoded[0])[:, 200:300, 200:600])


def test_a_spawned_process(container):
    """Array and slide travel by pickle; the child knows nothing but what they bring."""
    array = zarr.open_group(str(container.path), mode="r")["0"]
    slide = rrip_format.open(container.path)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pixels = pool.apply_async(operator.getitem, (array, np.s_[:, 250:300, 200:800])).get(30)
        region = pool.apply_async(slide.read_region, (1, 5, 6, 7, 8)).get(30)
        with pytest.raises(FormatError, match="no such file"):
            pool.apply_async(rrip_format.open, ("nowhere.rrip.zarr",)).get(30)
    np.testing.assert_array_equal(pixels, rgb_first(container.decoded[0])[:, 250:300, 200:800])
    np.testing.assert_array_equal(region, container.decoded[1][5:12, 6:14])


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


# Metadata of arrays


def edit(path: Path, change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def coding_in(document) -> dict:
    return document["codecs"][0]["configuration"]["coding"]


CODING_CHANGES = {
    "a tap": lambda d: coding_in(d)["residuals"][0].update(taps=[-6, 57, 15, -2]),
    "chroma": lambda d: coding_in(d)["residuals"][0].update(cfl=[1, 1]),
    "planes": lambda d: coding_in(d)["residuals"][1].update(planes=1),
    "width": lambda d: coding_in(d).update(width=901),
    "empty": lambda d: coding_in(d).update(empty=None),
    "background": lambda d: coding_in(d).update(background=[254] * 3),
    "uuid": lambda d: coding_in(d).update(uuid="00112233-4455-4677-8899-aabbccddeeff"),
    "seal": lambda d: coding_in(d).update(crc32c="00000000"),
    "no coding": lambda d: d["codecs"][0]["configuration"].pop("coding"),
    "no level": lambda d: d["codecs"][0]["configuration"].pop("level"),
    "a level that is not there": lambda d: d["codecs"][0]["configuration"].update(level=4),
    "level below 0": lambda d: d["codecs"][0]["configuration"].update(level=-1),
    "level as text": lambda d: d["codecs"][0]["configuration"].update(level="0"),
    "level true": lambda d: d["codecs"][0]["configuration"].update(level=True),
    "another level": lambda d: d["codecs"][0]["configuration"].update(level=1),
    "no configuration": lambda d: d["codecs"][0].pop("configuration"),
    "shape": lambda d: d.update(shape=[3, 700, 899]),
    "channels": lambda d: d.update(shape=[4, 700, 900]),
    "chunks": lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[3, 128, 128]),
    "one channel a chunk": lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[1, 256, 256]),
    "data type": lambda d: d.update(data_type="int8", fill_value=1),
    "wider data type": lambda d: d.update(data_type="uint16"),
}


@pytest.mark.parametrize("change", CODING_CHANGES.values(), ids=CODING_CHANGES)
def test_a_changed_array_document_is_refused(spoiled, change, pipeline):
    edit(spoiled / "0" / "zarr.json", change)
    with pytest.raises(FormatError):
        zarr.open_array(str(spoiled / "0"), mode="r")[:]
    with pytest.raises(FormatError):
        zarr.open_group(str(spoiled), mode="r")["0"][:]


def test_another_level_that_fits_is_told_by_its_key(spoiled):
    """Level 3 has tiles of the size of level 0's."""
    edit(spoiled / "3" / "zarr.json", lambda d: d["codecs"][0]["configuration"].update(level=2))
    with pytest.raises(FormatError):
        zarr.open_group(str(spoiled), mode="r")["3"][:]


AROUND = {
    "crc32c behind": lambda rrip: [rrip, {"name": "crc32c"}],
    "gzip behind": lambda rrip: [rrip, {"name": "gzip", "configuration": {"level": 1}}],
    "transpose before": lambda rrip: [{"name": "transpose", "configuration": {"order": [0, 2, 1]}}, rrip],
    "idle transpose before": lambda rrip: [{"name": "transpose", "configuration": {"order": [0, 1, 2]}}, rrip],
    "sharding": lambda rrip: [
        {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": [3, 256, 256],
                "codecs": [rrip],
                "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
                "index_location": "end",
            },
        }
    ],
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_another_codec_around_it_is_an_error(spoiled, around, pipeline):
    edit(spoiled / "0" / "zarr.json", lambda d: d.update(codecs=around(d["codecs"][0])))
    for read in (
        lambda: zarr.open_array(str(spoiled / "0"), mode="r")[:],
        lambda: zarr.open_group(str(spoiled), mode="r")["0"][:],
        lambda: zarr.open_group(str(spoiled), mode="r")["0"][:, 300:303, 300:303],
    ):
        with pytest.raises((RripError, ValueError, OSError)):  # the other codec may be the first to notice
            read()


@pytest.mark.parametrize("name", [name for name in AROUND if name != "sharding"])
def test_another_codec_around_it_is_an_error_for_absent_tiles_too(spoiled, name):
    """Where no chunk is, Zarr would fill. Sharding and the fused pipeline do, without asking any codec inside."""
    edit(spoiled / "0" / "zarr.json", lambda d: d.update(codecs=AROUND[name](d["codecs"][0])))
    shutil.rmtree(spoiled / "0" / "c")
    with pytest.raises((RripError, ValueError)):
        zarr.open_array(str(spoiled / "0"), mode="r")[:]


def test_other_chunk_keys_are_an_error(spoiled, pipeline):
    edit(
        spoiled / "0" / "zarr.json",
        lambda d: d.update(chunk_key_encoding={"name": "default", "configuration": {"separator": "."}}),
    )
    with pytest.raises(FormatError, match="chunk key"):
        zarr.open_group(str(spoiled), mode="r")["0"][:]


def test_an_array_of_another_name_is_an_error(spoiled, pipeline):
    """Its neighbours are found by name, so its own name must be the level's."""
    (spoiled / "0").rename(spoiled / "finest")
    with pytest.raises(FormatError, match=r"chunk key.*does not end in 0/c/0"):
        zarr.open_group(str(spoiled), mode="r")["finest"][:]


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
