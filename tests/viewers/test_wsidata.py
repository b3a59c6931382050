"""The reader of wsidata: ``open_wsi`` chooses it, it has all levels, and wsidata's store never replaces the slide."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from kinds import MPP

import rrip_format
from rrip_format.containers.copying import transmux

wsidata = pytest.importorskip("wsidata", reason="wsidata is not installed", exc_type=ImportError)

from rrip_format.viewers.wsidata_reader import RripReader  # noqa: E402

# its dependencies warn as they are imported and used
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(params=["zarr", "zip", "tif", "sealed"])
def path(kinds, request, tmp_path):
    if request.param != "sealed":
        return getattr(kinds, request.param)
    transmux(kinds.zarr, tmp_path / "slide.rrip")
    return tmp_path / "slide.rrip"


def test_it_is_chosen_for_every_kind(path, kinds):
    slide = wsidata.open_wsi(path, store=None)
    reader = slide.reader
    assert type(reader) is RripReader
    assert slide.properties.level_shape == [list(level.shape[:2]) for level in kinds.decoded]
    assert slide.properties.level_downsample == [2**level for level in range(len(kinds.decoded))]
    assert slide.properties.mpp == MPP[1]  # wsidata keeps the last of x and y
    for level, wanted in enumerate(kinds.decoded):
        np.testing.assert_array_equal(reader.get_level(level), wanted)
    np.testing.assert_array_equal(reader.get_region(200, 100, 60, 40, level=1), kinds.decoded[1][50:90, 100:160])


def test_associated_images(path):
    images = wsidata.open_wsi(path, store=None).reader.associated_images
    with rrip_format.open(path) as slide:
        assert sorted(images) == sorted(slide.associated_images) != []
        for name, wanted in slide.associated_images.items():
            np.testing.assert_array_equal(images[name], wanted)


def test_it_is_pickled(kinds):
    copy = pickle.loads(pickle.dumps(wsidata.open_wsi(kinds.tif, store=None).reader))
    np.testing.assert_array_equal(copy.get_level(2), kinds.decoded[2])


@pytest.mark.parametrize("kind", ["zarr", "tif"])
def test_its_store_replaces_no_slide(kinds, tmp_path, kind):
    shutil.copytree(kinds.zarr, tmp_path / "slide.rrip.zarr")
    shutil.copy(kinds.tif, tmp_path)
    path = tmp_path / getattr(kinds, kind).name
    wsidata.open_wsi(path).write()
    assert (tmp_path / "slide.rrip.scene-0.zarr").is_dir()
    assert wsidata.open_wsi(path).wsi_store == tmp_path / "slide.rrip.scene-0.zarr"
    np.testing.assert_array_equal(rrip_format.imread(tmp_path / "slide.rrip.zarr", level=2), kinds.decoded[2])


RUN = (
    "import sys, wsidata; slide = wsidata.open_wsi(sys.argv[1]); print(slide.reader.get_level(0).shape); slide.write()"
)


def test_its_store_replaces_no_slide_that_openslide_is_patched_for(kinds, tmp_path):
    shutil.copytree(kinds.zarr, tmp_path / "slide.rrip.zarr")
    command = [sys.executable, "-m", "rrip_format.openslide", "-c", RUN, tmp_path / "slide.rrip.zarr"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(kinds.decoded[0].shape)
    np.testing.assert_array_equal(rrip_format.imread(tmp_path / "slide.rrip.zarr", level=2), kinds.decoded[2])


def test_other_files_are_left_to_other_readers(tmp_path, kinds):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", kinds.decoded[0], tile=(64, 64), photometric="rgb")
    assert wsidata.open_wsi(tmp_path / "a.tif", store=None).reader.name == "openslide"
    with pytest.raises(rrip_format.RripError, match="is not a little-endian BigTIFF"):
        RripReader(tmp_path / "a.tif")


def test_a_damaged_container_is_told(kinds, tmp_path):
    data = bytearray(kinds.tif.read_bytes())
    data[data.rindex(b'"width":') + 8] ^= 1
    (tmp_path / "a.rrip.tif").write_bytes(data)
    with pytest.warns(UserWarning, match="no other reader has its full resolution"):
        wsidata.open_wsi(tmp_path / "a.rrip.tif", store=None)
