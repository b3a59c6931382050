"""The engine rrip of xarray: every level of every kind of container, lazy, with coordinates in µm."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from kinds import MPP, serve

import rrip_format

xr = pytest.importorskip("xarray", reason="xarray is not installed")


def test_every_kind_and_level(kinds):
    for path in kinds.all:
        for level, wanted in enumerate(kinds.decoded):
            with xr.open_dataset(path, engine="rrip", level=level) as dataset:
                assert dataset.image.dims == ("y", "x", "c")
                np.testing.assert_array_equal(dataset.image.values, wanted)


def test_files_need_no_engine(kinds):
    with xr.open_dataset(kinds.tif) as dataset:
        np.testing.assert_array_equal(dataset.image.values, kinds.decoded[0])


def test_a_tree_has_all_levels(kinds):
    with xr.open_datatree(kinds.zip, engine="rrip") as tree:
        assert list(tree.children) == [str(level) for level in range(len(kinds.decoded))]
        for name, wanted in enumerate(kinds.decoded):
            np.testing.assert_array_equal(tree[f"{name}/image"].values, wanted)
        assert tree.attrs["mpp"] == MPP
    groups = xr.open_groups(kinds.tif, engine="rrip")
    assert set(groups) == {"/", *(f"/{level}" for level in range(len(kinds.decoded)))}


def test_any_number_of_levels(strip, tmp_path):
    with xr.open_datatree(strip.path, engine="rrip") as tree:
        assert len(tree.children) == len(strip.decoded) > 4
        for name, wanted in enumerate(strip.decoded):
            np.testing.assert_array_equal(tree[f"{name}/image"].values, wanted)


@pytest.mark.parametrize("level", [0, 2])
def test_coordinates_are_those_of_the_specification(kinds, level):
    with xr.open_dataset(kinds.tif, level=level) as dataset:
        assert dataset.x.attrs["units"] == dataset.y.attrs["units"] == "micrometer"
        for axis, size in (("x", MPP[0]), ("y", MPP[1])):
            first = (2**level - 1) / 2 * size
            np.testing.assert_allclose(dataset[axis][:3], first + np.arange(3) * 2**level * size)
        assert list(dataset.c.values) == ["red", "green", "blue"]


INDEXES = [
    np.s_[10:30, 20:70, :],
    np.s_[5, 6, 1],
    np.s_[-1, :, ::2],
    np.s_[100:10:-7, 3::50, 0],
    np.s_[[3, 1, 60], [9, 2], :],
    np.s_[5:5, :, :],
    np.s_[:, [0, 350], 2],
]


@pytest.mark.parametrize("index", INDEXES, ids=str)
def test_indexes(kinds, index):
    rows, cols, samples = index
    parts = {"y": rows, "x": cols, "c": samples}
    with xr.open_dataset(kinds.tif) as dataset:
        found = dataset.image.isel(parts)
        wanted = xr.DataArray(kinds.decoded[0], dims=("y", "x", "c")).isel(parts)
        assert found.dims == wanted.dims
        np.testing.assert_array_equal(found.values, wanted.values)


def test_an_index_reads_only_what_it_shows(kinds, monkeypatch):
    read = []
    original = rrip_format.Slide.read_region

    def counting(self, *where, **options):
        read.append(where)
        return original(self, *where, **options)

    monkeypatch.setattr(rrip_format.Slide, "read_region", counting)
    with xr.open_dataset(kinds.tif) as dataset:
        assert not read
        dataset.image[10:20, 30:50].values  # noqa: B018
        assert read == [(0, 10, 30, 10, 20)]


def test_with_dask_and_in_other_processes(kinds):
    pytest.importorskip("dask")
    with xr.open_dataset(kinds.tif, chunks={}) as dataset:
        assert dataset.image.chunks is not None
        again = pickle.loads(pickle.dumps(dataset))
        np.testing.assert_array_equal(again.image.values, kinds.decoded[0])
        coarse = dataset.image.sel(y=slice(0, 20 * MPP[1]), x=slice(0, 10 * MPP[0])).mean("c")
        np.testing.assert_allclose(coarse.values, kinds.decoded[0][:21, :11].mean(-1))


def test_a_url(kinds):
    pytest.importorskip("aiohttp")
    with (
        serve(kinds.tif.parent) as server,
        xr.open_dataset(f"{server.url}/{kinds.tif.name}", engine="rrip", level=2) as dataset,
    ):
        np.testing.assert_array_equal(dataset.image.values, kinds.decoded[2])


def test_what_is_no_container_is_refused(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(rrip_format.FormatError):
        xr.open_dataset(tmp_path / "a.tif", engine="rrip")
    with pytest.raises(ValueError, match="engine"):
        xr.open_dataset(tmp_path / "a.tif")
