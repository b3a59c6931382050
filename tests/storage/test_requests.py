"""How many requests reading from a server takes, and what comes of servers that fail."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import random
import shutil
import time

import numpy as np
import pytest
import zarr
from large_slide import FIRST, SECOND, make_large_slide
from web_server import serve_files

import rrip_format
from rrip_format.containers.opening import open_container
from rrip_format.containers.order import file_order
from rrip_format.errors import DamagedError, FormatError, NotFoundError, StorageError
from rrip_format.spec.geometry import Geometry
from rrip_format.storage import remote
from rrip_format.storage.range_cache import KeyCache, RangeCache
from rrip_format.storage.ranges import merge_ranges, plan_ranges
from rrip_format.storage.services import Policy, Version

pytest.importorskip("aiohttp")

COUNTS = {
    "an aligned patch": ((0, 5120, 5120, 512, 512), 2),
    "a patch": ((0, 5000, 5300, 512, 512), 5),
    "a field": ((0, 3000, 3300, 4096, 4096), 20),
    "a frame of level 0": ((0, 3100, 2900, 1080, 1920), 10),
    "a frame of level 1": ((1, 3100, 2900, 1080, 1920), 15),
    "a frame of level 2": ((2, 1100, 900, 1080, 1920), 20),
    "level 3": ((3, 0, 0, 2077, 2141), 1),
}
"""Regions, and the most requests that each may take."""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return make_large_slide(tmp_path_factory.mktemp("large") / "slide.rrip.tif")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """1300 x 1200 px in the three kinds; too large for the ends that opening reads."""
    from rrip_format.containers.copying import transmux

    folder = tmp_path_factory.mktemp("small")
    first = make_large_slide(folder / "a.rrip.tif", 1300, 1200)
    for name in ("a.rrip.zarr", "a.rrip.zarr.zip"):
        transmux(first, folder / name)
    return folder


def tell(server, url="slide.rrip.tif", **options):
    """A slide of which nothing but the index is known."""
    slide = rrip_format.open(f"{server.url}/{url}", cache_mib=0, **options)
    server.forget()
    return slide


@pytest.mark.parametrize("what", COUNTS)
def test_requests_for_a_region(large, what):
    region, most = COUNTS[what]
    with serve_files(large.parent) as server, tell(server) as slide, rrip_format.open(large) as local:
        pixels = slide.read_region(*region)
        assert len(server.requests) <= most
        wanted = local.read_region(*region)
        assert (pixels == wanted).all()
        server.forget()
        assert (slide.read_region(*region, workers=4) == wanted).all()
        assert len(server.requests) <= most


def test_requests_go_out_together(large):
    """All of a region at once: time does not depend on how many there are."""
    with serve_files(large.parent, delay=0.2) as server, tell(server) as slide:
        slide.read_region(2, 1100, 900, 1080, 1920)
        assert server.most_at_once == len(server.requests) > 8


def test_opening_a_tiff_file(large, tmp_path):
    with serve_files(large.parent, delay=0.1) as server:
        rrip_format.open(f"{server.url}/{large.name}").close()
        assert len(server.requests) == server.most_at_once == 2  # one round trip
    wide = make_large_slide(tmp_path / "wide.rrip.tif", 60_000, 33_000)
    with serve_files(tmp_path) as server:
        rrip_format.open(f"{server.url}/{wide.name}").close()
        assert len(server.requests) == 3  # and one more for an index that is larger than what is read of the end


@pytest.mark.parametrize(("name", "most"), [("a.rrip.tif", 3), ("a.rrip.zarr.zip", 4), ("a.rrip.zarr", 1)])
@pytest.mark.parametrize("status", [206, 200])
@pytest.mark.parametrize("suffixes", [True, False, "short"])
def test_opening_any_kind(small, name, most, suffixes, status):
    """Three round trips at most, the first of which has two requests; one more where the end cannot be named."""
    with (
        serve_files(small, suffixes=suffixes, part_status=status) as server,
        rrip_format.open(f"{server.url}/{name}") as slide,
    ):
        assert len(server.requests) <= most + (suffixes is not True)
        with rrip_format.open(small / name) as local:
            assert (slide.read_region(0, 100, 200, 900, 800) == local.read_region(0, 100, 200, 900, 800)).all()


@pytest.mark.parametrize("name", ["a.rrip.tif", "a.rrip.zarr.zip", "a.rrip.zarr"])
def test_the_index_travels(small, name):
    """What was opened here is open elsewhere without a request."""
    with serve_files(small) as server:
        slide = rrip_format.open(f"{server.url}/{name}", cache_mib=0)
        store = rrip_format.RripStore(f"{server.url}/{name}")
        server.forget()
        again, store_again = pickle.loads(pickle.dumps(slide)), pickle.loads(pickle.dumps(store))
        assert again.levels == slide.levels
        assert zarr.open_group(store_again, mode="r")["0"].shape == (3, 1200, 1300)
        assert not server.requests
        assert (again.read_region(0, 0, 0, 600, 600) == slide.read_region(0, 0, 0, 600, 600)).all()


def test_zarr_takes_about_as_many_requests(large):
    region = slice(3000, 7096), slice(3300, 7396)
    with serve_files(large.parent, delay=0.05) as server, tell(server) as slide:
        slide.read_region(0, 3000, 3300, 4096, 4096)
        direct = len(server.requests)
        array = zarr.open_group(rrip_format.RripStore(f"{server.url}/{large.name}"), mode="r")["0"]
        server.forget()
        array[(slice(None), *region)]
        assert len(server.requests) <= 1.3 * direct


def test_every_door_gives_the_same_pixels(small):
    from rrip_format.viewers.openslide_api import RripSlide

    wanted = rrip_format.imread(small / "a.rrip.tif", region=(100, 200, 700, 800))
    with serve_files(small) as server:
        for name in ("a.rrip.tif", "a.rrip.zarr", "a.rrip.zarr.zip"):
            url = f"{server.url}/{name}"
            assert (rrip_format.imread(url, region=(100, 200, 700, 800)) == wanted).all()
            with RripSlide(url) as slide:
                for _ in range(2):  # the second time of what is kept
                    seen = np.asarray(slide.read_region((200, 100), 0, (800, 700)))
                    assert (seen[..., :3] == wanted).all()
            for array in (
                zarr.open_group(rrip_format.RripStore(url), mode="r")["0"],
                zarr.open(f"rrip::{url}")["0"],
            ):
                assert (np.moveaxis(array[:, 100:800, 200:1000], 0, -1) == wanted).all()
        array = zarr.open_group(f"{server.url}/a.rrip.zarr", mode="r")["0"]
        assert (np.moveaxis(array[:, 100:800, 200:1000], 0, -1) == wanted).all()


def test_the_cache_serves_what_was_read(large):
    with serve_files(large.parent) as server:
        slide = rrip_format.open(f"{server.url}/{large.name}", cache_mib=16)
        first = slide.read_region(0, 5000, 5300, 512, 512)
        server.forget()
        assert (slide.read_region(0, 5000, 5300, 512, 512) == first).all()
        assert not server.requests
        slide.read_region(0, 5000, 5400, 512, 512)  # the same families
        assert not server.requests


def every(count, how):
    """Let each of so many requests fail, and none twice in a row."""
    return lambda number, _: how if number % count == 0 else None


@pytest.mark.parametrize("how", [503, 429, 500, 408, "drop", "cut"])
@pytest.mark.parametrize("name", ["a.rrip.tif", "a.rrip.zarr"])
def test_failures_that_pass(small, how, name, caplog, monkeypatch):
    monkeypatch.setattr("rrip_format.storage.services.FIRST_WAIT", 0.001)
    with serve_files(small) as server, tell(server, name) as slide, rrip_format.open(small / name) as local:
        server.misbehave = every(3, how)
        with caplog.at_level(logging.WARNING, "rrip_format"):
            for row in range(3):
                seen = slide.read_region(0, 300 * row, 100, 512, 512)
                assert (seen == local.read_region(0, 300 * row, 100, 512, 512)).all()
    if how != "drop":  # aiohttp asks once more by itself where a connection that was kept is gone
        assert any("trying again" in record.message for record in caplog.records)


def test_an_epoch_of_patches(large, monkeypatch):
    """500 patches with one of a hundred requests failing: all are right."""
    monkeypatch.setattr("rrip_format.storage.services.FIRST_WAIT", 0.001)
    choice, errors = random.Random(5), random.Random(6)

    def fail(*_):
        return errors.choice([503, "drop"]) if errors.random() < 0.01 else None

    with serve_files(large.parent) as server, tell(server) as slide, rrip_format.open(large) as local:
        server.misbehave = fail
        for _ in range(500):
            y, x = choice.randrange(16_610 - 96), choice.randrange(17_124 - 96)
            assert (slide.read_region(0, y, x, 96, 96) == local.read_region(0, y, x, 96, 96)).all()


def test_failures_that_stay(small, monkeypatch):
    monkeypatch.setattr("rrip_format.storage.services.FIRST_WAIT", 0.001)
    monkeypatch.setenv("RRIP_RETRIES", "2")
    with serve_files(small) as server, tell(server, "a.rrip.tif") as slide:
        server.misbehave = lambda *_: 503
        with pytest.raises(StorageError, match="503 Service Unavailable; tried 3 times"):
            slide.read_region(0, 0, 0, 100, 100)
        assert len(server.requests) == 3 * len({part for _, part in server.requests})


def test_a_server_that_never_answers(small, monkeypatch):
    monkeypatch.setenv("RRIP_RETRIES", "0")
    monkeypatch.setenv("RRIP_TIMEOUT_SECONDS", "0.3")
    with serve_files(small) as server, tell(server, "a.rrip.tif") as slide:
        server.misbehave = lambda *_: "stall"
        begin = time.monotonic()
        with pytest.raises(StorageError, match="Timeout"):
            slide.read_region(0, 0, 0, 100, 100)
        assert time.monotonic() - begin < 10


@pytest.mark.parametrize(("status", "message"), [(403, "access denied"), (401, "access denied")])
def test_what_is_refused_is_no_damage(small, status, message):
    with serve_files(small) as server, tell(server, "a.rrip.tif") as slide:
        server.misbehave = lambda *_: status
        with pytest.raises(StorageError, match=message) as caught:
            slide.read_region(0, 0, 0, 100, 100)
        assert not isinstance(caught.value, DamagedError | NotFoundError)
        with pytest.raises(StorageError, match=message):
            rrip_format.open(f"{server.url}/a.rrip.zarr")


def test_what_is_not_there(small, tmp_path):
    with serve_files(small) as server:
        with pytest.raises(FileNotFoundError, match="404"):
            rrip_format.open(f"{server.url}/b.rrip.tif")
        with pytest.raises(FormatError):
            rrip_format.open(f"{server.url}/b.rrip.zarr")
        slide = tell(server, "a.rrip.tif")
        server.misbehave = lambda *_: 404
        with pytest.raises(StorageError, match="was removed since it was opened") as caught:
            slide.read_region(0, 0, 0, 100, 100)
        assert not isinstance(caught.value, FileNotFoundError)  # which Zarr would take for a missing chunk


def test_a_server_without_ranges_is_stopped_at_once(large):
    with serve_files(large.parent) as server:
        server.misbehave = lambda *_: "ignore"
        with pytest.raises(StorageError, match="does not support byte ranges"):
            rrip_format.open(f"{server.url}/{large.name}")
    assert server.sent < large.stat().st_size  # each handler ends when its connection does


@pytest.mark.parametrize("etags", [True, False])
@pytest.mark.parametrize("name", ["a.rrip.tif", "a.rrip.zarr.zip"])
def test_a_file_that_is_replaced(small, tmp_path, name, etags):
    shutil.copy(small / name, tmp_path / name)
    with serve_files(tmp_path, etags=etags) as server, tell(server, name) as slide:
        before = slide.read_region(0, 0, 0, 300, 300)
        travelled = pickle.dumps(slide)
        (tmp_path / "new").write_bytes((small / name).read_bytes())
        os.utime(tmp_path / "new", (1, 1))
        (tmp_path / "new").replace(tmp_path / name)
        for reader in (slide, pickle.loads(travelled)):
            with pytest.raises(StorageError, match="was replaced since it was opened; open it again"):
                reader.read_region(0, 0, 0, 300, 300)
        assert (rrip_format.imread(f"{server.url}/{name}", region=(0, 0, 300, 300)) == before).all()


def test_a_folder_that_is_replaced(small, tmp_path):
    """Its tiles are those of another slide, or gone."""
    shutil.copytree(small / "a.rrip.zarr", tmp_path / "a.rrip.zarr")
    make_large_slide(tmp_path / "b.rrip.zarr", 1300, 1200, uuid=SECOND)
    assert FIRST != SECOND
    with serve_files(tmp_path) as server, tell(server, "a.rrip.zarr") as slide:
        slide.read_tile(0, 0, 0)
        shutil.rmtree(tmp_path / "a.rrip.zarr")
        with pytest.raises(StorageError, match="was removed since it was opened"):
            slide.read_region(0, 0, 0, 300, 300)
        (tmp_path / "b.rrip.zarr").rename(tmp_path / "a.rrip.zarr")
        with pytest.raises(StorageError, match="was replaced"):
            slide.read_region(0, 0, 0, 300, 300)
        with pytest.raises(StorageError, match="was replaced"):
            asyncio.run(slide.container.fetch_tiles([(0, 0, 0), (2, 0, 0)]))


def test_damage_stays_damage(small, tmp_path):
    """Also where many tiles are read together: it is told of its own tile, and the others are there."""
    path = tmp_path / "a.rrip.tif"
    data = bytearray((small / "a.rrip.tif").read_bytes())
    offset, length = open_container(small / "a.rrip.tif").locate(0, 1, 1)
    data[offset + length // 2] ^= 1
    path.write_bytes(data)
    with serve_files(tmp_path) as server, tell(server, path.name) as slide:
        with pytest.raises(DamagedError, match="row 1, column 1"):
            slide.read_region(0, 0, 0, 1200, 1300)
        slide.read_region(0, 0, 0, 1200, 512)
        array = zarr.open_group(rrip_format.RripStore(f"{server.url}/{path.name}"), mode="r")["0"]
        with pytest.raises(DamagedError, match="row 1, column 1"):
            array[:]
        assert array[:, :, :512].shape == (3, 1200, 512)


def test_an_interrupted_reader_leaves_nothing_behind(large):
    with serve_files(large.parent) as server, tell(server) as slide:
        arrived = slide.container.stream_tiles([[(0, row, 0)] for row in range(30)])
        next(arrived)
        arrived.close()
        assert slide.read_region(0, 0, 0, 10, 10).shape == (10, 10, 3)


def test_memory_is_bounded(large, monkeypatch):
    """No more is under way than the window has room for, whatever the region."""
    monkeypatch.setattr(remote, "WINDOW_BYTES", 1 << 19)
    monkeypatch.setattr(remote, "plan_ranges", lambda ranges: merge_ranges(ranges, 1 << 16, 1 << 18))
    with serve_files(large.parent, delay=0.02) as server, tell(server) as slide:
        slide.read_region(0, 0, 0, 4096, 4096)
        assert len(server.requests) > 16
        assert server.most_at_once <= 8


def lengths_of(ranges, **how):
    return [one.length for one in merge_ranges(ranges, **how)]


def test_merging():
    ranges = [(100, 10), (0, 10), (110, 5), (1000, 10), (105, 3), (5000, 0)]
    plan = merge_ranges(ranges, gap=80, most=1 << 20)
    assert [(one.offset, one.length, set(one.parts)) for one in plan] == [
        (0, 10, {1}),
        (100, 15, {0, 2, 4}),
        (1000, 10, {3}),
    ]
    assert lengths_of(ranges, gap=90, most=50) == [10, 15, 10]
    assert lengths_of([(0, 60), (60, 60)], gap=0, most=100) == [60, 60]
    assert lengths_of([(0, 600)], most=100) == [600]
    for count, requests in ((16, 16), (17, 1)):
        assert len(plan_ranges([(100_000 * k, 1000) for k in range(count)])) == requests


def test_the_cache_is_bounded():
    cache, data = RangeCache(100), bytes(range(60))
    cache.add(0, data)
    assert cache.find(10, 5) == data[10:15]
    assert cache.find(50, 20) is None
    cache.add(60, data)
    assert cache.find(10, 5) is None
    assert cache.find(70, 50) == data[10:60]
    cache.add(200, bytes(101))
    assert cache.find(200, 1) is None
    keys = KeyCache(100)
    for key in "abcdef":
        keys.add(key, bytes(20))
        assert keys.find("a") is not None
    assert keys.find("b") is None


def test_versions():
    assert Version(5, '"a"').differs(Version(5, '"b"'))
    assert Version(5).differs(Version(6, '"b"'))
    assert not Version(5, '"a"').differs(Version(None, '"a"', "today"))
    assert Version(modified="today").differs(Version(modified="yesterday"))


@pytest.mark.parametrize(
    ("name", "value"), [("RRIP_RETRIES", "x"), ("RRIP_RETRIES", "-1"), ("RRIP_TIMEOUT_SECONDS", "0")]
)
def test_a_policy_that_is_none(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=name):
        Policy.from_environment()


def test_the_orders_that_are_compared():
    """Each has every tile once, and the one that is called chosen is that of the writers."""
    import bench_cloud

    geometry = Geometry(5000, 3300, 128)
    every_tile = {(level, *place) for level in range(geometry.levels) for place in geometry.tiles(level)}
    for order in bench_cloud.ORDERS.values():
        places = list(order(geometry))
        assert len(places) == len(every_tile)
        assert set(places) == every_tile
    assert list(bench_cloud.chosen(geometry)) == list(file_order(geometry))
    assert bench_cloud.count_objects()["tiles"] == 116_112


@pytest.mark.parametrize("suffix", [".rrip.tif", ".rrip.zarr.zip"])
def test_writers_keep_the_order(tmp_path, suffix):
    """Whoever writes: a conversion and a copy have the same places in the same order."""
    from conftest import BRIEF, tissue

    from rrip_format.containers.copying import transmux

    converted, copied = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    rrip_format.convert(tissue(1100, 2100, seed=4), converted, BRIEF, workers=2)
    transmux(converted, copied)
    assert converted.read_bytes() == copied.read_bytes()
    container = open_container(converted)
    order = list(file_order(container.metadata.coding.geometry))
    offsets = [container.locate(*place)[0] for place in order]
    assert offsets == sorted(offsets)
    container.close()
