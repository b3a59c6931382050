"""Which decoded tiles are kept, and that pixels do not depend on it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rrip_format.concurrency.recent import RecentTiles
from rrip_format.containers.opening import open_container
from rrip_format.slides.tile_cache import CachingSlide

SIDE = 256
"""Of a tile of level 0, px."""


@pytest.fixture
def caching(container):
    with CachingSlide(open_container(container.path)) as slide:
        yield slide


def kept(slide):
    return sum(tile is not None for tile in slide._recent._tiles.values())


def ask(tiles, key, size=10):
    """As a slide asks for a tile; whether it was found."""
    if tiles.find(key) is not None:
        return True
    if tiles.is_worth_keeping(key, size):
        tiles.get(key, lambda: np.zeros(size, np.uint8))
    return False


def test_tiles_of_random_patches_are_not_kept():
    tiles, chance = RecentTiles(1000), random.Random(1)
    assert not any(ask(tiles, chance.randrange(10**6)) for _ in range(1000))
    assert all(tile is None for tile in tiles._tiles.values())
    assert len(tiles._tiles) == len(tiles._sizes) <= 100


@pytest.mark.parametrize("requests", [2, 3, 4, 9])
def test_tiles_of_a_scan_are_kept(requests):
    """Each tile is requested some times while the cache has room for it."""
    tiles = RecentTiles(1000)
    found = sum(ask(tiles, key) for key in range(500) for _ in range(requests))
    assert found > 0.9 * 500 * (requests - 1)
    assert sum(tile is not None for tile in tiles._tiles.values()) > 90


def test_it_turns_with_what_is_read():
    tiles, chance = RecentTiles(1000), random.Random(1)
    for _ in range(3):
        for _ in range(200):
            ask(tiles, chance.randrange(10**6))
        assert not any(tile is not None for tile in tiles._tiles.values())
        for key in range(100):
            for _ in range(4):
                ask(tiles, key)
        assert any(tile is not None for tile in tiles._tiles.values())


@pytest.mark.parametrize("capacity", [0, 3 * SIDE**2, 1 << 25])
def test_pixels_are_equal(container, caching, capacity):
    caching.capacity = capacity
    chance, level = random.Random(2), 0
    height, width = container.decoded[level].shape[:2]
    for _ in range(300):
        y, x = chance.randrange(height - 40), chance.randrange(width - 50)
        wanted = container.decoded[level][y : y + 40, x : x + 50]
        np.testing.assert_array_equal(caching.read_region(level, y, x, 40, 50), wanted)
    assert caching._recent._bytes <= max(capacity, 3 * SIDE**2)
    assert (kept(caching) > 3) == (capacity > 10 * SIDE**2)


def test_pixels_are_equal_in_threads(container, caching):
    height, width = container.decoded[0].shape[:2]

    def read(seed):
        chance = random.Random(seed)
        for _ in range(40):
            y, x = chance.randrange(height - 40), chance.randrange(width - 50)
            wanted = container.decoded[0][y : y + 40, x : x + 50]
            np.testing.assert_array_equal(caching.read_region(0, y, x, 40, 50), wanted)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(8)))
    assert caching._recent._bytes == sum(caching._recent._sizes.values())
