"""Sources: every format gives the pixels its own library gives, every bad input one clear `SourceError`."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rrip_format.errors import ExtraMissingError, LimitError, SourceError
from rrip_format.sources import open_source
from rrip_format.sources.base import load_reader
from rrip_format.sources.color import to_rgb
from rrip_format.sources.jpegcheck import check_jpeg
from rrip_format.sources.ome import parse_ome
from rrip_format.sources.slide import parse_background
from rrip_format.sources.tiffcheck import first_page_px
from rrip_format.sources.tiffsamples import samples_to_rgb

tifffile = pytest.importorskip("tifffile")
openslide = pytest.importorskip("openslide")
pyvips = pytest.importorskip("pyvips")

TESTDATA = Path(os.environ.get("RRIP_TESTDATA", Path(__file__).resolve().parents[3] / "shared" / "testdata"))


@pytest.fixture(name="testdata")
def fixture_testdata():
    def find(name):
        path = TESTDATA / name
        if not path.exists():
            pytest.skip(f"test data {path} is absent; set RRIP_TESTDATA")
        return path

    return find


def picture(height=300, width=421, channels=3, seed=0):
    """Return a smooth picture with some noise: JPEG-friendly, no two tiles alike."""
    y, x = np.mgrid[:height, :width]
    planes = [127 + 90 * np.sin(x / (17 + 5 * c)) * np.cos(y / (23 - 4 * c)) for c in range(channels)]
    noise = np.random.default_rng(seed).integers(-4, 5, (height, width, channels))
    return (np.stack(planes, -1) + noise).clip(0, 255).astype(np.uint8)


def read_all(source):
    return source.read(0, 0, source.info.height, source.info.width)


def refuse(path, *words, **options):
    """Expect one line of SourceError, at open or on read, that names the path and says `words`."""
    with pytest.raises(SourceError) as caught, open_source(path, **options) as source:
        read_all(source)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
    return message


# --- real slides --------------------------------------------------------------------------------------------------

SLIDES = {
    "CMU-1-Small-Region.svs": ("tifffile", "aperio", 2220, 2967, 0.499, 20),
    "TCGA-CR-7395-01A-01-TS1.svs": ("tifffile", "aperio", 4443, 3567, None, None),
    "duodenum-BS9-40x.svs": ("tifffile", "aperio", 14486, 16783, 0.2528, 40),
    "fluorescence.ndpi": ("openslide", "hamamatsu", 3968, 4864, 0.228175, 40),
    "lymph-node-j2k-lossless.dcm": ("pydicom", "dicom", 1696, 812, 28.969, None),
    "ki67-hamamatsu.ome.tif": ("tifffile", None, 2202, 2202, 0.227097, None),
    "field-colon-IHC.png": ("vips", None, 512, 512, None, None),
    "odd/osp-small.svs": ("tifffile", "aperio", 16, 16, 0.499, 20),
    "odd/osp-boxes.tiff": ("tifffile", None, 300, 250, None, None),  # 72 dpi is no pixel size
    "odd/highdicom-sm_image.dcm": ("pydicom", "dicom", 50, 50, 0.499, None),
}


@pytest.mark.parametrize("name", SLIDES)
def test_info_of_real_slides(testdata, name):
    with open_source(testdata(name)) as source:
        info = source.info
        assert (info.reader, info.vendor, info.width, info.height) == SLIDES[name][:4]
        assert info.mpp_x == (None if SLIDES[name][4] is None else pytest.approx(SLIDES[name][4], rel=1e-5))
        assert info.objective_power == SLIDES[name][5]
        assert info.size_bytes == testdata(name).stat().st_size
        assert (info.name, info.background) == (testdata(name).name, (255, 255, 255))
        assert source.fingerprint()["size_bytes"] == info.size_bytes


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "TCGA-CR-7395-01A-01-TS1.svs", "fluorescence.ndpi"])
def test_openslide_and_tifffile_agree(testdata, name):
    with open_source(testdata(name)) as source, tifffile.TiffFile(testdata(name)) as tif:
        block = source.read(500, 300, 700, 900)
        expected = tif.pages[0].asarray()[500:1200, 300:1200]
    assert block.shape == (700, 900, 3)
    # JPEG 2000 and YCbCr conversions round differently; RGB JPEG must be the same bits.
    assert np.abs(block.astype(int) - expected).max() <= (0 if name.startswith("CMU") else 2)


def test_associated_images_and_icc_profile(testdata):
    with open_source(testdata("CMU-1-Small-Region.svs")) as source:
        shapes = {name: read().shape for name, read in source.associated().items()}
    assert shapes == {"thumbnail": (768, 574, 3), "label": (463, 387, 3), "macro": (431, 1280, 3)}
    with open_source(testdata("odd/osp-boxes.tiff")) as source:
        assert len(source.info.icc_profile) == 588


def test_ki67_ome_tiff_is_not_taken_for_rgb_tiles(testdata):
    """The photometric tag says RGB, the tiles are YCbCr: the box-reduced field of the README is the witness."""
    field = pyvips.Image.new_from_file(str(testdata("field-ki67-IHC.png"))).numpy()
    with open_source(testdata("ki67-hamamatsu.ome.tif")) as source:
        pixels = read_all(source).astype(float)
    reduced = (pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]) / 4
    assert np.abs(reduced - field).max() <= 1


def test_blocks_are_windows_of_the_whole(testdata):
    with open_source(testdata("ki67-hamamatsu.ome.tif")) as source:
        whole = read_all(source)
        boxes = [(0, 0, 1, 1), (2201, 2201, 1, 1), (500, 510, 600, 20), (1023, 0, 2, 2202), (1700, 1900, 502, 302)]
        with ThreadPoolExecutor(4) as pool:
            blocks = list(pool.map(lambda box: source.read(*box), boxes * 3))
        for (y, x, height, width), block in zip(boxes * 3, blocks, strict=True):
            np.testing.assert_array_equal(block, whole[y : y + height, x : x + width])
            assert block.flags.c_contiguous


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (0, 0, 0, 4), (15, 0, 2, 2), (0, 15, 2, 2)])
def test_block_outside_is_an_error_of_the_caller(box):
    with pytest.raises(ValueError, match="not inside"):
        open_source(np.zeros((16, 16, 3), np.uint8)).read(*box)


@pytest.mark.parametrize("name", ["odd/osp-small.svs", "ki67-hamamatsu.ome.tif", "field-colon-IHC.png"])
def test_pickles_as_path_and_reads_the_same(testdata, name, monkeypatch, tmp_path):
    path = testdata(name)
    monkeypatch.chdir(path.parent)
    with open_source(path.name, mpp=0.5, background=(1, 2, 3)) as source:
        data = pickle.dumps(source)
        expected = source.read(3, 5, 10, 11)
        info = source.info
    assert len(data) < 1000
    monkeypatch.chdir(tmp_path)
    with pickle.loads(data) as again:
        assert again.info == info
        assert (again.info.mpp_y, again.info.background) == (0.5, (1, 2, 3))
        np.testing.assert_array_equal(again.read(3, 5, 10, 11), expected)


def test_closed_source_refuses(testdata):
    source = open_source(testdata("odd/osp-small.svs"))
    source.close()
    source.close()
    with pytest.raises(SourceError, match="closed"):
        source.read(0, 0, 1, 1)


def test_dicom_directory_is_one_series(testdata, tmp_path):
    for name in ("osp-boxes_0.dcm", "osp-boxes_1.dcm"):
        (tmp_path / name).write_bytes(testdata(f"odd/{name}").read_bytes())
    with open_source(tmp_path) as source:
        assert (source.info.vendor, source.info.width) == ("dicom", 16)
        assert source.info.size_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    (tmp_path / "other.dcm").write_bytes(testdata("odd/highdicom-sm_image.dcm").read_bytes())
    with open_source(tmp_path) as source:  # the largest picture
        assert source.info.width == 50
        assert "2 whole-slide series" in source.info.notes[0]
    with open_source(tmp_path / "osp-boxes_1.dcm") as source:
        assert (source.info.width, source.info.notes) == (16, ())


# --- damage -------------------------------------------------------------------------------------------------------

EQUAL = "equal"
VARIANTS = {
    "truncated-half": "outside the file",
    "truncated-last-byte": EQUAL,  # the byte belongs to the macro's JPEG tables
    "truncated-header-6-bytes": "directories cannot be read",
    "empty-0-bytes": "empty",
    "tile-zero-length": "1 of 130 tiles (the first at row 5, column 7) of level 0 without data",
    "tile-zero-offset-and-length": "without data",
    "tile-offset-past-eof": "beyond the file's end",
    "tile-length-huge": "beyond the file's end",
    "jpeg-scan-scrambled": "premature end of data segment",
    "jpeg-no-soi": "not a JPEG tile",
    "jpeg-premature-eoi": "JPEG tile ends early",
    "bad-compression-tag": "compression 52479, which is not supported",
    "no-jpegtables": "Quantization table",
    "no-imagedescription": EQUAL,  # as generic TIFF, without µm/px
    "tilewidth-zero": "tiles of 0x240 px",
    "imagewidth-2e31": "expected 116322037",
    "samplesperpixel-4": "JPEG tile of 3 component(s) of 8 bits, expected 4",
    "ifd-loop": "form a loop",
    "next-ifd-past-eof": "TIFF directory 1 at offset 4294967040 is outside",
    "mpp-decimal-comma": EQUAL,
}


@pytest.fixture(scope="module", name="damaged")
def fixture_damaged(tmp_path_factory):
    script, slide = TESTDATA / "odd" / "make_damaged_svs.py", TESTDATA / "CMU-1-Small-Region.svs"
    if not script.exists():
        pytest.skip(f"test data {script} is absent; set RRIP_TESTDATA")
    folder = tmp_path_factory.mktemp("damaged")
    subprocess.run([sys.executable, str(script), str(slide), str(folder)], check=True)
    assert {path.stem for path in folder.iterdir()} == set(VARIANTS)
    with open_source(slide) as source:
        return folder, read_all(source)


@pytest.mark.parametrize("variant", VARIANTS)
def test_damaged_svs_is_refused_or_equal(damaged, variant):
    folder, undamaged = damaged
    path = folder / f"{variant}.svs"
    if VARIANTS[variant] != EQUAL:
        refuse(path, str(path), VARIANTS[variant])
        return
    with open_source(path) as source:
        np.testing.assert_array_equal(read_all(source), undamaged)
        assert source.info.mpp_x == (None if variant == "no-imagedescription" else 0.499)


def test_missing_tiles_on_request_are_background(damaged):
    folder, undamaged = damaged
    expected = undamaged.copy()
    expected[5 * 240 : 6 * 240, 7 * 240 : 8 * 240] = (10, 20, 30)
    for variant in ("tile-zero-length", "tile-zero-offset-and-length"):
        path = folder / f"{variant}.svs"
        with open_source(path, allow_missing_tiles=True, background=(10, 20, 30)) as source:
            np.testing.assert_array_equal(read_all(source), expected)


def test_a_failed_source_stays_failed(damaged):
    with open_source(damaged[0] / "jpeg-premature-eoi.svs") as source:
        source.read(0, 0, 100, 100)
        for box in [(1300, 1700, 100, 100), (0, 0, 100, 100)]:
            with pytest.raises(SourceError, match="ends early"):
                source.read(*box)


def tile_of(path, index):
    with tifffile.TiffFile(path) as tif:
        return tif.pages[0].dataoffsets[index], tif.pages[0].databytecounts[index]


@pytest.mark.parametrize("cut", [10, 200, 5000])
def test_jpeg_2000_tile_with_zeroed_tail_is_refused(testdata, tmp_path, cut):
    path = testdata("TCGA-CR-7395-01A-01-TS1.svs")
    offset, count = tile_of(path, 100)
    data = bytearray(path.read_bytes())
    data[offset + count - cut : offset + count] = bytes(cut)
    (tmp_path / "j2k.svs").write_bytes(data)
    refuse(tmp_path / "j2k.svs", "1 of 252 tiles", "end marker of JPEG 2000")


@pytest.mark.parametrize(
    ("name", "words"),
    [("tail", "no end marker"), ("early-end", "ends early"), ("middle", "damaged JPEG tile"), ("start", "not a JPEG")],
)
def test_ome_tiff_with_damaged_jpeg_tile(testdata, tmp_path, name, words):
    """imagecodecs decodes all but the last of these without an error."""
    path = testdata("ki67-hamamatsu.ome.tif")
    offset, count = tile_of(path, 2)
    data = bytearray(path.read_bytes())
    start, patch = {
        "tail": (offset + count - 300, bytes(300)),
        "early-end": (offset + 5000, b"\xff\xd9"),
        "middle": (offset + 5000, bytes(2000)),
        "start": (offset, bytes(2)),
    }[name]
    data[start : start + len(patch)] = patch
    (tmp_path / "bad.ome.tif").write_bytes(data)
    refuse(tmp_path / "bad.ome.tif", words, "block y=")


def test_jpeg_of_another_size_is_refused():
    data = pyvips.Image.black(64, 32).jpegsave_buffer()
    check_jpeg(data, None, {32}, {64, 10})
    with pytest.raises(ValueError, match="32x64 px, expected"):
        check_jpeg(data, None, {64}, {32})


# --- input that is no picture -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("odd/histolab-broken.svs", "not a slide or image"),
        ("odd/osp-unopenable.tiff", "52479"),
        ("odd/osp-unreadable.svs", "not a JPEG tile"),
        ("odd/make_damaged_svs.py", "not a slide or image"),
    ],
)
def test_broken_files_of_the_collection(testdata, name, words):
    refuse(testdata(name), str(testdata(name)), words)


def test_no_file_no_slide(tmp_path):
    refuse(tmp_path / "absent.svs", "no such file", "absent.svs")
    refuse(tmp_path, "a folder of 0 file(s)", str(tmp_path))
    refuse(os.devnull, "not a regular file")
    (tmp_path / "empty.png").touch()
    refuse(tmp_path / "empty.png", "empty")
    (tmp_path / "dicom.dcm").write_bytes(bytes(128) + b"DICM" + bytes(300))
    refuse(tmp_path / "dicom.dcm", "DICOM")
    refuse([[1, 2]], "found list")


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "secret.svs"
    path.write_bytes(b"II*\0")

    def deny(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    refuse(path, "Permission denied", "permissions")


# --- synthetic TIFF -----------------------------------------------------------------------------------------------

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


# --- PNG and JPEG -------------------------------------------------------------------------------------------------


def vips_image(array):
    return pyvips.Image.new_from_array(array)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png(tmp_path, channels):
    pixels = picture(channels=channels)
    vips_image(pixels).copy(interpretation="b-w" if channels < 3 else "srgb").pngsave(str(tmp_path / "a.png"))
    with open_source(tmp_path / "a.png") as source:
        np.testing.assert_array_equal(read_all(source), to_rgb(pixels, (255, 255, 255)))
        np.testing.assert_array_equal(source.read(37, 101, 50, 61), read_all(source)[37:87, 101:162])


def test_palette_and_one_bit_png_are_expanded(tmp_path):
    black_white = np.where(picture(channels=1) > 127, 255, 0).astype(np.uint8)
    image = vips_image(black_white).copy(interpretation="b-w")
    image.pngsave(str(tmp_path / "bit.png"), bitdepth=1)
    image.colourspace("srgb").pngsave(str(tmp_path / "palette.png"), palette=True)
    for name in ("bit.png", "palette.png"):
        with open_source(tmp_path / name) as source:
            np.testing.assert_array_equal(read_all(source), np.repeat(black_white, 3, -1))


def test_16_bit_png_is_refused(tmp_path):
    vips_image(picture().astype(np.uint16) * 257).copy(interpretation="rgb16").pngsave(str(tmp_path / "deep.png"))
    refuse(tmp_path / "deep.png", "ushort", "8-bit")


def test_cmyk_jpeg_becomes_srgb(tmp_path):
    cmyk = np.zeros((32, 48, 4), np.uint8)
    cmyk[:, 24:, 1:3] = 255  # magenta + yellow: red
    vips_image(cmyk).copy(interpretation="cmyk").jpegsave(str(tmp_path / "cmyk.jpg"), Q=95)
    with open_source(tmp_path / "cmyk.jpg") as source:
        pixels = read_all(source).astype(int)
    assert pixels.shape == (32, 48, 3)
    assert pixels[0, 0].min() > 240
    assert pixels[0, 40, 0] > 180
    assert pixels[0, 40, 1:].max() < 90


def test_jpeg_is_turned_as_exif_says(tmp_path):
    image = vips_image(picture()).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    image.jpegsave(str(tmp_path / "turned.jpg"))
    with open_source(tmp_path / "turned.jpg") as source:
        assert (source.info.width, source.info.height) == (300, 421)
        expected = pyvips.Image.new_from_file(str(tmp_path / "turned.jpg")).numpy()
        np.testing.assert_array_equal(read_all(source), np.rot90(expected, -1))


@pytest.mark.parametrize(
    ("suffix", "damage"), [(".png", "cut"), (".png", "flip"), (".jpg", "cut"), (".jpg", "end"), (".jpg", "tail")]
)
def test_damaged_image_is_refused(tmp_path, suffix, damage):
    path = tmp_path / f"bad{suffix}"
    vips_image(picture()).copy(interpretation="srgb").write_to_file(str(path))
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    if damage == "cut":
        del data[half:]
    elif damage == "flip":
        data[half] ^= 4
    elif damage == "tail":
        data[-4:] = bytes(4)
    else:
        data[half : half + 2] = b"\xff\xd9"
    path.write_bytes(data)
    refuse(path, str(path))


def test_a_replaced_image_is_read_anew(tmp_path):
    """libvips caches by file name."""
    for value in (10, 200):
        vips_image(np.full((40, 40, 3), value, np.uint8)).copy(interpretation="srgb").pngsave(str(tmp_path / "a.png"))
        with open_source(tmp_path / "a.png") as source:
            assert (read_all(source) == value).all()


# --- arrays -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
@pytest.mark.parametrize("axes", ["yx", "yxc", "cyx", "rgba"])
def test_arrays(kind, axes):
    pixels = picture(channels={"yx": 1, "rgba": 4}.get(axes, 3))
    array = {"yx": pixels[..., 0], "cyx": np.moveaxis(pixels, -1, 0)}.get(axes, pixels)
    if kind == "dask":
        array = pytest.importorskip("dask.array").from_array(array, chunks=100)
    elif kind == "zarr":
        zarr = pytest.importorskip("zarr")
        stored = zarr.create_array(zarr.storage.MemoryStore(), shape=array.shape, chunks=(50,) * array.ndim, dtype="u1")
        stored[:] = array
        array = stored
    with open_source(array, mpp=(0.5, 0.25)) as source:
        np.testing.assert_array_equal(source.read(37, 101, 150, 211), to_rgb(pixels, (255,) * 3)[37:187, 101:312])
        assert (source.info.name, source.info.reader) == ("array", "array")
        assert (source.info.mpp_x, source.info.mpp_y, source.info.size_bytes) == (0.5, 0.25, pixels.nbytes)


def test_last_axis_wins_and_blocks_are_copies():
    array = np.zeros((3, 20, 3), np.uint8)
    with open_source(array) as source:
        assert (source.info.height, source.info.width) == (3, 20)
        source.read(0, 0, 3, 20)[:] = 7
    assert not array.any()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(open_source(array))).read(0, 0, 3, 20), array)


@pytest.mark.parametrize(
    "array",
    [np.zeros((9, 9, 3), np.uint16), np.zeros((5, 9, 9), np.uint8), np.zeros(9, np.uint8), np.zeros((0, 9, 3), "u1")],
)
def test_other_arrays_are_refused(array):
    refuse(array, "expected uint8 of shape")


def test_failing_dask_graph_is_a_source_error():
    dask_array = pytest.importorskip("dask.array")

    def fail(_block):
        raise RuntimeError("lost")

    refuse(dask_array.zeros((40, 40, 3), dtype="u1", chunks=20).map_blocks(fail, dtype="u1"), "lost")


@pytest.mark.parametrize("mpp", [0, -1, (0.5, float("nan"))])
def test_override_must_be_a_size(mpp):
    with pytest.raises(ValueError, match="expected a positive number"):
        open_source(np.zeros((9, 9, 3), np.uint8), mpp=mpp)


# --- small parts --------------------------------------------------------------------------------------------------


def test_background_colour_of_openslide():
    assert parse_background("E6f0FF") == (230, 240, 255)
    assert parse_background("") == parse_background("white") == (255, 255, 255)


def test_missing_package_says_what_to_install():
    with pytest.raises(ExtraMissingError, match=r"reading this source needs no_such_module.*'rrip-format\[convert\]'"):
        load_reader("no_such_module.part")


def test_importing_the_sources_imports_no_reader():
    code = (
        "import sys, rrip_format.sources; print({'openslide', 'tifffile', 'pyvips', 'dask', 'zarr'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_size_of_a_first_page_is_told_at_once(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 20, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 2, 3), np.uint8), photometric="rgb", append=True)
    assert first_page_px(tmp_path / "a.tif") == 600
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:12])
    (tmp_path / "b.tif").write_bytes(b"this is no slide")
    for name in ("cut.tif", "b.tif", "none.tif", ".", "\0"):
        assert first_page_px(tmp_path / name) == 0
