"""Errors about damaged tiles name the container, whichever interface reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from conftest import tile_path
from damaging import flip, forge

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.opening import open_container
from rrip_format.core.jpeg_encoder import Quantiser, encode_ycc
from rrip_format.errors import DamagedError
from rrip_format.zarr_views.mapping import RripMapping

TILE = 2, 1, 1
"""A base tile, which every level finer than it needs too."""


def flip_in_tile(path: Path) -> None:
    """Flip a bit in the middle of a stored tile, in a container of any kind."""
    if path.is_dir():
        flip(tile_path(path, *TILE))
        return
    container = open_container(path)
    tile = container.read_tile(*TILE)
    container.close()
    flip(path, path.read_bytes().index(tile) + len(tile) // 2)


def remove_tile(path: Path) -> None:
    tile_path(path, *TILE).unlink()


def forge_stream(path: Path) -> None:
    """Store a stream of another size with correct checksums."""
    stream = encode_ycc(np.zeros((3, 16, 16), np.float32), *[Quantiser(np.full(64, 9, np.uint8))] * 2)
    forge(path, *TILE, [stream])


DAMAGE = {
    "zarr-checksum": ("zarr", flip_in_tile),
    "zip-checksum": ("zip", flip_in_tile),
    "tif-checksum": ("tif", flip_in_tile),
    "zarr-missing": ("zarr", remove_tile),
    "zarr-decode": ("zarr", forge_stream),
}


@pytest.fixture(params=DAMAGE)
def damaged(request, kinds, tmp_path) -> Path:
    kind, damage = DAMAGE[request.param]
    source: Path = getattr(kinds, kind)
    path = tmp_path / f"damaged{source.name.removeprefix('slide')}"
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, path)
    damage(path)
    return path


def read_slide(path: Path) -> None:
    with rrip_format.open(path) as slide:
        slide.read_region(0, 256, 256, 20, 20)


def read_tile(path: Path) -> None:
    with rrip_format.Slide(path) as slide:
        slide.read_tile(0, 1, 1)


def read_store(path: Path) -> None:
    zarr.open_group(rrip_format.RripStore(path), mode="r")["0"][:, 256:276, 256:276]


def read_raw(path: Path) -> None:
    pytest.importorskip("fsspec")
    from rrip_format.zarr_views.fsspec_raw import RripFileSystem

    RripFileSystem(str(path)).cat_file("0/c/0/1/1")


READERS: dict[str, Callable[[Path], object]] = {
    "Slide.read_region": read_slide,
    "Slide.read_tile": read_tile,
    "imread": lambda path: rrip_format.imread(path, level=2),
    "RripStore": read_store,
    "raw pixels": read_raw,
}


@pytest.mark.parametrize("reader", READERS)
def test_readers_name_the_container(damaged, reader):
    with pytest.raises(DamagedError, match=rf"{damaged.name}.*tile \(level 2, row 1, column 1\)") as caught:
        READERS[reader](damaged)
    assert str(caught.value).count(damaged.name) == 1
    assert caught.value.rule in {"tile.checksum", "tile.missing", "stream.decode"}


def test_zarr_names_the_folder(damaged):
    if damaged.is_dir():
        with pytest.raises(DamagedError, match=rf"{damaged.name}.*tile \(level 2, row 1, column 1\)"):
            zarr.open_group(damaged, mode="r")["0"][:, 256:276, 256:276]


def test_openslide_code_gets_the_name(damaged):
    openslide = pytest.importorskip("openslide")
    with rrip_format.RripSlide(damaged) as slide, pytest.raises(openslide.OpenSlideError, match=damaged.name):
        slide.read_region((256, 256), 0, (20, 20))


def test_packets_name_the_container(damaged, request):
    if "decode" in request.node.name:
        pytest.skip("a packet is checked, not decoded")
    with pytest.raises(DamagedError, match=damaged.name):
        RripMapping(damaged)["0/0/1/1"]


def test_export_names_the_container(damaged, tmp_path):
    with pytest.raises(DamagedError, match=damaged.name):
        rrip_format.export(damaged, tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()


def test_copying_many_names_the_damaged_one(damaged, kinds, tmp_path, request):
    if "decode" in request.node.name:
        pytest.skip("copying checks tiles without decoding them")
    sources = [str(kinds.tif), str(damaged)]
    done = CliRunner().invoke(main, ["convert", *sources, "--kind", "zip", "--out-dir", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert done.stderr.count(damaged.name) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["slide.rrip.zarr.zip"]
