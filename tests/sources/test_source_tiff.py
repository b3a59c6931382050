"""TIFF files of every layout are read as their writer meant them, or refused."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from source_pictures import picture, read_all, refuse, tile_of

from rrip_format.errors import LimitError, SourceError
from rrip_format.sources import open_source
from rrip_format.sources.ome import parse_ome
from rrip_format.sources.tiffsamples import samples_to_rgb

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("openslide")
pytest.importorskip("pyvips")

LAYOUTS = {
    "one-strip": {},
    "strips": {"rowsperstrip": 7},
    "strips-deflate": {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
    "tiles": {"tile": (64, 48)},
    "tiles-lzw": {"tile": (64, 48), "compression": "lzw"},
    "tiles-zstd": {"tile": (64, 48), "compression": "zstd"},
    "planes": {"planarconfig": "separate", "rowsperstrip": 20, "compression": "zlib"},
    "planes-mapped": {"planarconfig": "separate"},
    "planes-tiles": {"planarconfig": "separate", "tile": (64, 48)},
    "big-endian": {"tile": (64, 48), "byteorder": ">", "bigtiff": True},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_plain_rgb_tiff(tmp_path, layout):
    pixels, options = picture(), dict(LAYOUTS[layout])
    path = tmp_path / "plain.tif"
    container = {key: options.pop(key) for key in ("byteorder", "bigtiff") if key in options}
    data = np.moveaxis(pixels, -1, 0) if "planarconfig" in options else pixels
    with tifffile.TiffWriter(path, **container) as tif:
        tif.write(data, photometric="rgb", metadata=None, **options)
    with open_source(path) as source:
        np.testing.assert_array_equal(read_all(source), pixels)
        np.testing.assert_array_equal(source.read(37, 101, 150, 211), pixels[37:187, 101:312])


@pytest.mark.parametrize("tile", [None, (64, 64)])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_gray_tiff(tmp_path, photometric, tile):
    gray = picture(channels=1)[..., 0]
    stored = gray if photometric == "minisblack" else 255 - gray
    tifffile.imwrite(tmp_path / "gray.tif", stored, photometric=photometric, tile=tile)
    with open_source(tmp_path / "gray.tif") as source:
        np.testing.assert_array_equal(read_all(source), np.repeat(gray[..., np.newaxis], 3, -1))


@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha"])
def test_alpha_lies_on_the_background(tmp_path, alpha):
    rgba = picture(channels=4)
    rgba[:50, :, 3], rgba[50:100, :, 3] = 0, 255
    if alpha == "assocalpha":
        rgba[..., :3] = np.minimum(rgba[..., :3], rgba[..., 3:])
    tifffile.imwrite(tmp_path / "rgba.tif", rgba, photometric="rgb", extrasamples=[alpha], rowsperstrip=16)
    with open_source(tmp_path / "rgba.tif", background=(250, 240, 230)) as source:
        pixels = read_all(source)
    weight = rgba[..., 3:] / 255
    expected = rgba[..., :3] * (1 if alpha == "assocalpha" else weight) + np.array([250, 240, 230]) * (1 - weight)
    assert np.abs(pixels - expected).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(pixels[0, 0], [250, 240, 230])
    np.testing.assert_array_equal(pixels[50:100], rgba[50:100, :, :3])


def test_jpeg_tiles_with_tables_and_subsampling(tmp_path):
    pixels = picture()
    path = tmp_path / "jpeg.ome.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", compression="jpeg", tile=(64, 64), compressionargs={"level": 95})
    with open_source(path) as source:
        assert source.info.reader == "tifffile"
        np.testing.assert_array_equal(read_all(source), tifffile.imread(path))
        assert np.abs(read_all(source).astype(int) - pixels).mean() < 4


@pytest.mark.parametrize(
    ("unit", "value", "mpp"),
    [("µm", 0.25, 0.25), ("nm", 250, 0.25), ("mm", 0.00025, 0.25), ("cm", 0.000025, 0.25), ("pixel", 1, None)],
)
def test_ome_tiff_units(tmp_path, unit, value, mpp):
    metadata = {"PhysicalSizeX": value, "PhysicalSizeXUnit": unit, "PhysicalSizeY": value, "PhysicalSizeYUnit": unit}
    pixels = picture()
    with tifffile.TiffWriter(tmp_path / "units.ome.tif") as tif:
        tif.write(pixels, photometric="rgb", tile=(64, 64), subifds=1, metadata={"axes": "YXS", **metadata})
        tif.write(pixels[::2, ::2], photometric="rgb", tile=(64, 64), subfiletype=1)
    with open_source(tmp_path / "units.ome.tif") as source:
        assert source.info.mpp_x == source.info.mpp_y == (None if mpp is None else pytest.approx(mpp))
        assert (source.info.reader, source.info.width) == ("tifffile", 421)
        np.testing.assert_array_equal(read_all(source), pixels)


@pytest.mark.parametrize(("dots", "unit", "mpp"), [(40000, 3, 0.25), (101600, 2, 0.25), (72, 2, None), (96, 2, None)])
def test_tiff_resolution_tags(tmp_path, dots, unit, mpp):
    tifffile.imwrite(tmp_path / "r.tif", picture(), photometric="rgb", resolution=(dots, dots), resolutionunit=unit)
    with open_source(tmp_path / "r.tif") as source:
        assert source.info.mpp_y == (None if mpp is None else pytest.approx(mpp))
        assert source.info.properties["tiff.ImageWidth"] == "421"


def test_the_largest_picture_of_many_is_read(tmp_path):
    pixels = picture()
    with tifffile.TiffWriter(tmp_path / "pages.tif") as tif:
        for part in (pixels[:100, :100], pixels, pixels[:200, :200]):
            tif.write(part, photometric="rgb", compression="zlib", metadata=None)
    with open_source(tmp_path / "pages.tif") as source:
        np.testing.assert_array_equal(read_all(source), pixels)


@pytest.mark.parametrize(
    ("array", "options", "words"),
    [
        (np.zeros((64, 64, 3), np.uint16), {"photometric": "rgb"}, "uint16"),
        (np.zeros((64, 64, 3), np.uint16), {"photometric": "rgb", "tile": (16, 16)}, "uint16"),
        (np.zeros((4, 64, 64), np.uint8), {"photometric": "minisblack"}, "gray"),
        (np.zeros((64, 64), np.float32), {}, "float32"),
        (np.zeros((64, 64, 4), np.uint8), {"photometric": "separated"}, "SEPARATED"),
    ],
)
@pytest.mark.parametrize("name", ["x.tif", "x.ome.tif"])
def test_other_samples_are_refused(tmp_path, name, array, options, words):
    tifffile.imwrite(tmp_path / name, array, **options)
    refuse(tmp_path / name, words, "expected 8-bit gray, RGB or RGBA")


def test_a_huge_strip_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "huge.tif"
    tifffile.imwrite(path, picture(), photometric="rgb", compression="zlib", rowsperstrip=300)
    with tifffile.TiffFile(path, mode="r+") as tif:
        for tag in ("ImageLength", "RowsPerStrip"):
            tif.pages[0].tags[tag].overwrite(10_000_000)
    refuse(path, "limit")


def test_truncated_plain_tiff(tmp_path):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, picture(), photometric="rgb")
    path.write_bytes(path.read_bytes()[:-1000])
    refuse(path, "beyond the file's end")


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd"])
def test_corrupt_strip_is_refused(tmp_path, compression):
    path = tmp_path / "corrupt.tif"
    tifffile.imwrite(path, picture(), photometric="rgb", compression=compression, rowsperstrip=32)
    offset, count = tile_of(path, 3)
    data = bytearray(path.read_bytes())
    data[offset + count // 2 : offset + count] = bytes(count - count // 2)
    path.write_bytes(data)
    refuse(path, "block y=0 x=0")


def test_a_closed_tiff_keeps_no_tiles(tmp_path, monkeypatch):
    """Whether or not the garbage collector runs: a batch of slides must not pile up."""
    tifffile.imwrite(tmp_path / "a.tif", picture(), rowsperstrip=64, compression="zlib", photometric="rgb")
    kept = []

    def watched(*arguments, **options):
        tile = samples_to_rgb(*arguments, **options).copy()
        kept.append(weakref.ref(tile))
        return tile

    monkeypatch.setattr("rrip_format.sources.tiff.samples_to_rgb", watched)
    gc.disable()
    try:
        with open_source(tmp_path / "a.tif") as source:
            read_all(source)
            assert len(kept) == 5
            assert all(tile() is not None for tile in kept)
        assert all(tile() is None for tile in kept)
    finally:
        gc.enable()


def test_too_little_memory_says_nothing_of_the_file(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", picture(), rowsperstrip=64, compression="zlib", photometric="rgb")

    def fail(*_, **_options):
        raise MemoryError

    with open_source(tmp_path / "a.tif") as source:
        with monkeypatch.context() as patch:
            patch.setattr("rrip_format.sources.tiff.samples_to_rgb", fail)
            with pytest.raises(LimitError, match="block y=0 x=0 300x421 cannot be read: not enough memory"):
                read_all(source)
        np.testing.assert_array_equal(read_all(source), picture())


def test_ome_xml_with_doctype_is_refused(tmp_path):
    evil = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><OME xmlns="u"><Image/>&a;</OME>'
    tifffile.imwrite(tmp_path / "evil.ome.tif", picture(), photometric="rgb", description=evil, metadata=None)
    refuse(tmp_path / "evil.ome.tif", "DOCTYPE")
    with pytest.raises(SourceError, match="not well-formed"):
        parse_ome("<OME", 0, "x")


def test_ome_objective_is_the_one_of_the_image():
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Instrument><Microscope Manufacturer="M"/>'
        '<Objective ID="O:0" NominalMagnification="10"/><Objective ID="O:1" NominalMagnification="40"/></Instrument>'
        '<Image><ObjectiveSettings ID="O:1"/><Pixels SizeX="5"/></Image><Image><Pixels/></Image></OME>'
    )
    facts = parse_ome(text, 0, "x")
    assert (facts.objective_power, facts.vendor, facts.mpp_x, facts.properties) == (40, "M", None, {"ome.SizeX": "5"})
    assert parse_ome(text, 1, "x").objective_power is None
