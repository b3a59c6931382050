"""The reader of bioio: found by its entry point, every level at its pixels and pixel size."""

from __future__ import annotations

import numpy as np
import pytest
from kinds import MPP, serve

bioio = pytest.importorskip("bioio", reason="bioio is not installed")

from bioio_base.exceptions import UnsupportedFileFormatError  # noqa: E402


@pytest.fixture(params=["zarr", "zip", "tif"])
def path(kinds, request):
    return getattr(kinds, request.param)


def test_every_level_of_every_kind(path, kinds):
    image = bioio.BioImage(path)
    assert image.reader.NAME == "rrip-format"
    assert image.resolution_levels == tuple(range(len(kinds.decoded)))
    for level, wanted in enumerate(kinds.decoded):
        image.set_resolution_level(level)
        assert image.dims.order == "TCZYXS"
        np.testing.assert_array_equal(image.get_image_data("YXS"), wanted)
        np.testing.assert_array_equal(image.get_image_dask_data("YXS")[:40, 10:50].compute(), wanted[:40, 10:50])
        sizes = image.physical_pixel_sizes
        assert pytest.approx((MPP[1] * 2**level, MPP[0] * 2**level)) == (sizes.Y, sizes.X)


def test_a_url(kinds):
    pytest.importorskip("aiohttp")
    with serve(kinds.tif.parent) as server:
        image = bioio.BioImage(f"{server.url}/{kinds.tif.name}")
        image.set_resolution_level(2)
        np.testing.assert_array_equal(image.get_image_data("YXS"), kinds.decoded[2])


def test_other_files_are_refused_by_this_reader(tmp_path):
    from rrip_format.viewers.bioio_reader import Reader

    (tmp_path / "a.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(UnsupportedFileFormatError, match="RRIP"):
        Reader.is_supported_image(tmp_path / "a.tif")
    with pytest.raises(UnsupportedFileFormatError, match="RRIP"):
        Reader(tmp_path / "a.tif")
