"""The reader of tiatoolbox: ``WSIReader.open`` passes it through, and it has every level at its pixels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from kinds import MPP, serve

import rrip_format

wsireader = pytest.importorskip(
    "tiatoolbox.wsicore.wsireader", reason="tiatoolbox is not installed", exc_type=ImportError
)

from rrip_format.viewers.tiatoolbox_reader import RripWSIReader  # noqa: E402

# its dependencies warn as they are imported and used
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(params=["zarr", "zip", "tif"])
def reader(kinds, request):
    ours = RripWSIReader(getattr(kinds, request.param))
    assert wsireader.WSIReader.open(ours) is ours
    return ours


def check(reader, kinds):
    assert reader.info.level_dimensions == tuple(level.shape[1::-1] for level in kinds.decoded)
    for level, wanted in enumerate(kinds.decoded):
        size = wanted.shape[1::-1]
        np.testing.assert_array_equal(reader.read_rect((0, 0), size, resolution=level, units="level"), wanted)


def test_every_level(reader, kinds):
    check(reader, kinds)
    assert reader.info.level_downsamples == [2**level for level in range(len(kinds.decoded))]
    assert tuple(reader.info.mpp) == MPP
    part = reader.read_bounds((100, 50, 300, 170), resolution=1.0, units="baseline")
    np.testing.assert_array_equal(part, kinds.decoded[0][50:170, 100:300])


def test_associated_images(reader):
    with rrip_format.open(reader.input_path) as slide:
        assert set(reader.openslide_wsi.associated_images) == set(slide.associated_images)


def test_it_is_pickled(reader, kinds):
    check(pickle.loads(pickle.dumps(reader)), kinds)


def test_given_pixel_size_and_objective(kinds):
    info = RripWSIReader(kinds.tif, mpp=(0.5, 0.5), power=20).info
    assert tuple(info.mpp) == (0.5, 0.5)
    assert info.objective_power == 20


def test_a_url(kinds):
    pytest.importorskip("aiohttp")
    with serve(kinds.tif.parent) as server:
        check(RripWSIReader(f"{server.url}/{kinds.tif.name}"), kinds)


def test_tools_that_take_a_reader(kinds):
    """``get_patch_extractor`` and the like open what they are given with ``WSIReader.open``."""
    patchextraction = pytest.importorskip("tiatoolbox.tools.patchextraction", exc_type=ImportError)
    extractor = patchextraction.get_patch_extractor(
        "slidingwindow",
        input_img=RripWSIReader(kinds.zarr),
        patch_size=(64, 64),
        stride=(64, 64),
        resolution=0,
        units="level",
        within_bound=True,
    )
    for (left, top, right, bottom), patch in zip(extractor.coordinate_list, extractor, strict=True):
        np.testing.assert_array_equal(patch, kinds.decoded[0][top:bottom, left:right])


def test_no_container(tmp_path):
    with pytest.raises(FileNotFoundError):
        RripWSIReader(tmp_path / "nothing.rrip.tif")
    (tmp_path / "a.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(rrip_format.RripError, match="is not a little-endian BigTIFF"):
        RripWSIReader(tmp_path / "a.tif")
