"""Pixels of DICOM exports, read back by pydicom, OpenSlide, wsidicom and our own source."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import BRIEF, tissue
from dicom_exports import (
    by_openslide,
    decoded,
    fixture_exported,  # noqa: F401  (fixtures)
    imagecodecs,
    joined,
    jpegs,
    openslide,
    read_header,
    wsidicom,
)
from kinds import ICC, MPP, serve
from test_export import psnr

import rrip_format
from rrip_format import Settings
from rrip_format.exporters.dicom_frames import exported_levels
from rrip_format.exporters.run import export
from rrip_format.second_reader.check import check_source
from rrip_format.sources import open_source
from rrip_format.spec.geometry import Geometry


def test_levels_are_near_and_copied_ones_equal(exported, kinds):
    for level, wanted in enumerate(kinds.decoded):
        found = decoded(exported / f"level-{level}.dcm")
        if level < 3:
            assert psnr(found, wanted) > 40
        else:
            np.testing.assert_array_equal(found, wanted)


def test_coarse_levels_have_the_stored_tiles(exported, kinds):
    """Nothing is lost again where the side of the tiles fits."""
    with rrip_format.open(kinds.tif) as slide:
        tile = slide.container.read_tile(3, 0, 0)
    [jpeg] = jpegs(exported / "level-3.dcm")
    assert tile.startswith(jpeg.rstrip(b"\0"))


def test_pydicom_decodes_the_frames(exported):
    """In YCbCr, as they are; its own conversion to RGB rounds in another way."""
    from pydicom.pixels import pixel_array

    for path in sorted(exported.glob("*.dcm")):
        streams = [imagecodecs.jpeg8_decode(jpeg, outcolorspace="YCBCR") for jpeg in jpegs(path)]
        found = pixel_array(path, raw=True)
        np.testing.assert_array_equal(found.reshape(np.stack(streams).shape), streams)
        rgb = pixel_array(path)
        tiles = list(rgb if rgb.ndim == 4 else rgb[None])
        assert np.abs(joined(path, tiles).astype(int) - decoded(path)).max() <= 1


def test_openslide_reads_all_levels(exported, kinds):
    found = by_openslide(exported)
    assert len(found) == len(kinds.decoded)
    for level, picture in enumerate(found):
        np.testing.assert_array_equal(picture, decoded(exported / f"level-{level}.dcm"))
    with openslide.OpenSlide(exported / "level-2.dcm") as slide:
        assert slide.properties["openslide.vendor"] == "dicom"
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(MPP[0])
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(MPP[1])
        assert slide.read_region((0, 0), 0, (1, 1)).info["icc_profile"] == ICC
        assert np.asarray(slide.associated_images["thumbnail"]).shape == (30, 40, 4)


@pytest.mark.skipif(wsidicom is None, reason="wsidicom is not installed")
def test_wsidicom_reads_all_levels(exported, kinds):
    with wsidicom.WsiDicom.open(exported) as slide:
        assert [(level.size.height, level.size.width) for level in slide.levels] == [
            rgb.shape[:2] for rgb in kinds.decoded
        ]
        assert (slide.mpp.width, slide.mpp.height) == pytest.approx(MPP)
        assert slide.pyramids[0].thumbnails[0].size.width == 40
        for level in slide.levels:
            picture = slide.read_region((0, 0), level.level, (level.size.width, level.size.height))
            np.testing.assert_array_equal(np.asarray(picture)[..., :3], decoded(exported / f"level-{level.level}.dcm"))


def test_our_source_reads_it(exported, kinds, tmp_path):
    with open_source(exported) as source:
        assert (source.info.mpp_x, source.info.mpp_y) == pytest.approx(MPP)
        assert source.info.icc_profile is None, "the profile of these tests is none"
        assert check_source(source).telling
        np.testing.assert_array_equal(source.read(0, 0, 700, 900), decoded(exported / "level-0.dcm"))
    rrip_format.convert(exported, tmp_path / "again.rrip.tif", BRIEF)
    with rrip_format.open(tmp_path / "again.rrip.tif") as slide:
        assert slide.dimensions == (900, 700)
        assert slide.mpp == pytest.approx(MPP)


SIZES = [(1, 1), (2, 1), (3, 2), (1, 700), (700, 1), (3, 515), (129, 257), (256, 256), (257, 255), (1, 70_000)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_size(tmp_path, height, width):
    """Odd, smaller than a tile, of one tile, one pixel high or wide, beyond 16 bits."""
    rrip_format.convert(tissue(height, width), tmp_path / "a.rrip.tif", BRIEF)
    export(tmp_path / "a.rrip.tif", tmp_path / "out", kind="dicom", mpp=(0.5, 0.25))
    levels = sorted((tmp_path / "out").iterdir(), key=lambda path: int(path.stem.partition("-")[2]))
    shapes = [decoded(path).shape[:2] for path in levels]
    geometry = Geometry(width, height, BRIEF.tile)
    assert shapes == [geometry.shape(level) for level in exported_levels(geometry)]
    for path, picture in zip(levels, by_openslide(tmp_path / "out"), strict=True):
        np.testing.assert_array_equal(picture, decoded(path))
    if wsidicom is not None:
        with wsidicom.WsiDicom.open(tmp_path / "out") as slide:
            assert [(level.size.height, level.size.width) for level in slide.levels] == shapes


@pytest.mark.parametrize(("tile", "side"), [(64, 256), (256, 1024), (272, 544), (512, 1024)])
def test_every_side_of_tiles(tmp_path, tile, side):
    """Tiles are copied where a level 0 tile has the side of a frame, so that all levels have one side."""
    rrip_format.convert(
        tissue(600, 300), tmp_path / "a.rrip.tif", Settings(tile=tile, effort="fast", steps=BRIEF.steps)
    )
    export(tmp_path / "a.rrip.tif", tmp_path / "out", kind="dicom", mpp=1, quality=95)
    found = [read_header(path) for path in sorted((tmp_path / "out").iterdir())]
    assert {(one.Rows, one.Columns) for one in found} == {(side, side)}
    for level, picture in enumerate(by_openslide(tmp_path / "out")):
        wanted = rrip_format.imread(tmp_path / "a.rrip.tif", level=level)
        assert np.abs(picture.astype(int) - wanted).mean() < 2


@pytest.mark.parametrize(
    ("size", "levels"), [((1, 1), [0]), ((2, 3), [0, 1]), ((700, 1), [0, 1, 2, 3]), ((1, 300), [0])]
)
def test_levels_of_one_width_are_left_out(size, levels):
    assert exported_levels(Geometry(*size, 64)) == levels


@pytest.mark.parametrize("background", [(255, 255, 255), (243, 240, 247)])
def test_empty_tiles(tmp_path, background):
    """Of copied levels too, and in the colour of the background."""
    tifffile = pytest.importorskip("tifffile")
    picture = np.full((600, 1500, 3), background, np.uint8)
    picture[:200, :200] = tissue(200, 200)
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb")
    with open_source(tmp_path / "a.tif", background=background) as source:
        rrip_format.convert(source, tmp_path / "a.rrip.tif", BRIEF)
    export(tmp_path / "a.rrip.tif", tmp_path / "out", kind="dicom", mpp=1, quality=95)
    for level in range(4):
        wanted = rrip_format.imread(tmp_path / "a.rrip.tif", level=level)
        found = decoded(tmp_path / "out" / f"level-{level}.dcm")
        part = np.s_[-(300 >> level) :, -(900 >> level) :]
        assert (wanted[part] == background).all()
        assert np.abs(found[part].astype(int) - background).max() <= 1


def test_from_a_server(kinds, tmp_path):
    pytest.importorskip("aiohttp")
    export(kinds.tif, tmp_path / "near", kind="dicom")
    with serve(kinds.tif.parent) as server:
        export(f"{server.url}/{kinds.tif.name}", tmp_path / "far", kind="dicom")
    for path in (tmp_path / "near").iterdir():
        assert jpegs(tmp_path / "far" / path.name) == jpegs(path)


def test_both_samplings_of_chroma(kinds, tmp_path):
    """Photometric Interpretation is the same for them, and OpenSlide reads both."""
    for quality, sampling in ((89, (2, 2)), (90, (1, 1))):
        folder = tmp_path / str(quality)
        export(kinds.zarr, folder, kind="dicom", quality=quality)
        frame = jpegs(folder / "level-0.dcm")[0]
        at = frame.index(b"\xff\xc0") + 11
        assert (frame[at] >> 4, frame[at] & 15) == sampling
        np.testing.assert_array_equal(by_openslide(folder)[0], decoded(folder / "level-0.dcm"))
