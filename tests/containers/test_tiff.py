"""The TIFF binding: what other readers see, and every damage is our error (spec section 10)."""

from __future__ import annotations

import os
import struct
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from conftest import WHITE
from kinds import ICC, MPP, serve, tiny_image

import rrip_format
from rrip_format.containers.copying import transmux
from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.errors import ChecksumError, DamagedError, FormatError, LimitError, MissingTileError, RripError

METADATA, RESIDUALS, ASSOCIATED, ICC_CHECKSUM = 65380, 65381, 65382, 65383
BASE_MPP = (MPP[0] * 4, MPP[1] * 4)


@pytest.fixture(scope="module")
def long(tmp_path_factory, strip):
    """A slide with three overview levels, and an empty overview tile."""
    path = tmp_path_factory.mktemp("long") / "strip.rrip.tif"
    transmux(strip.path, path)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """(bytes of a small file, its decoded levels)."""
    folder = tmp_path_factory.mktemp("tiny")
    rrip_format.convert(tiny_image(), folder / "a.rrip.tif", rrip_format.Settings(tile=64), workers=1)
    return (folder / "a.rrip.tif").read_bytes(), read_all(folder / "a.rrip.tif")


def read_all(path):
    with rrip_format.open(path) as slide:
        slide.icc_profile()
        slide.associated_images()
        return [slide.read_region(k.index, 0, 0, k.height, k.width) for k in slide.levels]


# What other readers see


def test_tifffile_sees_one_pyramid(kinds, long, strip):
    tifffile = pytest.importorskip("tifffile")
    for path, decoded in ((kinds.tif, kinds.decoded), (long, strip.decoded)):
        with tifffile.TiffFile(path) as tif:
            assert len(tif.series) == 1
            assert tif.is_bigtiff
            assert len(tif.pages) == len(tif.series[0].levels) == len(decoded) - 2
            for level, wanted in zip(tif.series[0].levels, decoded[2:], strict=True):
                np.testing.assert_array_equal(level.asarray(), wanted)
            np.testing.assert_array_equal(tif.asarray(), decoded[2])
    with tifffile.TiffFile(kinds.tif) as tif:
        assert tif.pages[0].iccprofile == ICC
        tags = tif.pages[0].tags
        assert tags["ResolutionUnit"].value == 3
        for name, mpp in (("XResolution", BASE_MPP[0]), ("YResolution", BASE_MPP[1])):
            numerator, denominator = tags[name].value
            assert 10_000 * denominator / numerator == pytest.approx(mpp, rel=1e-9)


def test_stored_tiles_are_those_of_the_zarr_container(kinds):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(kinds.tif) as tif:
        page, side = tif.pages[0], 64
        assert (page.tilewidth, page.tilelength) == (side, side)
        places = zip(page.dataoffsets, page.databytecounts, strict=True)
        data = kinds.tif.read_bytes()
        found = [data[at : at + size] for at, size in places]
    container = open_container(kinds.zarr)
    rows, cols = container.metadata.coding.geometry.grid(2)
    background = {found[at] for at in range(rows * cols) if container.metadata.coding.is_empty(2, *divmod(at, cols))}
    assert len(background) == 1  # all empty tiles share one picture, which is no stored tile
    assert background.pop()[-2:] == b"\xff\xd9"
    for at, data in enumerate(found):
        tile = container.read_tile(2, *divmod(at, cols))
        assert tile is None or data == tile
    container.close()


def test_openslide_sees_one_pyramid(kinds, long, strip):
    openslide = pytest.importorskip("openslide")
    for path, decoded in ((kinds.tif, kinds.decoded), (long, strip.decoded)):
        with openslide.OpenSlide(str(path)) as slide:
            assert slide.detect_format(str(path)) == "generic-tiff"
            assert slide.level_dimensions == tuple((a.shape[1], a.shape[0]) for a in decoded[2:])
            assert not slide.associated_images
            for level, wanted in enumerate(decoded[2:]):
                got = np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]))
                np.testing.assert_array_equal(got[..., :3], wanted)
                assert (got[..., 3] == 255).all()
    with openslide.OpenSlide(str(kinds.tif)) as slide:
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(BASE_MPP[0], rel=1e-9)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(BASE_MPP[1], rel=1e-9)
        assert slide.properties["openslide.icc-size"] == str(len(ICC))


def test_libvips_sees_one_pyramid(kinds, long, strip):
    pyvips = pytest.importorskip("pyvips")
    for path, decoded in ((kinds.tif, kinds.decoded), (long, strip.decoded)):
        image = pyvips.Image.new_from_file(str(path))
        assert image.get("n-pages") == len(decoded) - 2
        assert "n-subifds" not in image.get_fields()
        for page, wanted in enumerate(decoded[2:]):
            np.testing.assert_array_equal(pyvips.Image.new_from_file(str(path), page=page).numpy(), wanted)
    image = pyvips.Image.new_from_file(str(kinds.tif))
    assert 1000 / image.xres == pytest.approx(BASE_MPP[0], rel=1e-6)  # pixels per mm, in single precision
    assert 1000 / image.yres == pytest.approx(BASE_MPP[1], rel=1e-6)
    assert image.get("icc-profile-data") == ICC


def test_pillow_sees_one_pyramid(kinds):
    image_module = pytest.importorskip("PIL.Image")
    with image_module.open(kinds.tif) as image:
        assert image.n_frames == len(kinds.decoded) - 2
        assert image.mode == "RGB"
        assert image.info["icc_profile"] == ICC
        np.testing.assert_array_equal(np.asarray(image), kinds.decoded[2])
        image.seek(1)
        np.testing.assert_array_equal(np.asarray(image), kinds.decoded[3])


def test_gdal_sees_one_pyramid(kinds, long, strip):
    rasterio = pytest.importorskip("rasterio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        for path, decoded in ((kinds.tif, kinds.decoded), (long, strip.decoded)):
            with rasterio.open(path) as data:
                assert (data.shape, data.count, data.subdatasets) == (decoded[2].shape[:2], 3, [])
                assert len(data.overviews(1)) == len(decoded) - 3
                check_gdal(data, decoded[2])
            for level, wanted in enumerate(decoded[3:]):
                with rasterio.open(path, overview_level=level) as data:
                    check_gdal(data, wanted)


def check_gdal(data, wanted):
    """Equal but for rounding: the GDAL of some rasterio wheels decodes with IJG libjpeg 9, not libjpeg-turbo."""
    difference = np.abs(data.read().transpose(1, 2, 0).astype(int) - wanted)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_residuals_open_as_pictures(kinds):
    """A residual tile is a grayscale JPEG that any decoder takes, where it has one."""
    image_module = pytest.importorskip("PIL.Image")
    from io import BytesIO

    container = open_container(kinds.tif)
    with image_module.open(BytesIO(container.read_tile(0, 1, 1))) as image:
        assert (image.mode, image.size) == ("L", (256, 256))
    container.close()


def test_empty_overview_tiles(strip, long):
    assert strip.coding.is_empty(3, 0, 2) or strip.coding.is_empty(3, 0, 3) or strip.coding.empty.any()
    with rrip_format.open(long) as slide:
        region = slide.read_region(3, 0, 256, 33, 256)
    assert (region == WHITE).all()


# Writing


def test_above_4_gib(kinds, tmp_path):
    """Tiles and index behind a hole of 5 GiB, which takes no room on the disk."""
    tifffile = pytest.importorskip("tifffile")
    openslide = pytest.importorskip("openslide")
    container, path = open_container(kinds.zarr), tmp_path / "a.rrip.tif"
    geometry = container.metadata.coding.geometry
    with open_writer(path) as writer:
        for level in range(geometry.levels):
            if level == 1:
                writer._partial.file.seek(5 << 30)
            for row, col in geometry.tiles(level):
                tile = container.read_tile(level, row, col)
                if tile is not None:
                    writer.write_tile(level, row, col, tile)
        writer.finish(container.metadata)
    container.close()
    if path.stat().st_blocks * 512 > 1 << 30:
        pytest.skip("this file system has no holes")
    for got, wanted in zip(read_all(path), kinds.decoded, strict=True):
        np.testing.assert_array_equal(got, wanted)
    with tifffile.TiffFile(path) as tif:
        assert min(tif.pages[1].dataoffsets) > 5 << 30
        np.testing.assert_array_equal(tif.asarray(), kinds.decoded[2])
    with openslide.OpenSlide(str(path)) as slide:
        assert slide.dimensions == kinds.decoded[2].shape[1::-1]


def test_nothing_opens_until_all_is_on_the_disk(kinds, tmp_path, monkeypatch):
    """The header is written after everything that it points to was flushed, and flushed before the rename."""
    from rrip_format.storage import sinks

    seen = []

    def flush(path):
        seen.append((path.read_bytes()[:16], (tmp_path / "a.rrip.tif").exists()))
        os.close(os.open(path, os.O_RDONLY))

    monkeypatch.setattr(sinks, "flush", flush)
    transmux(kinds.zarr, tmp_path / "a.rrip.tif")
    assert [exists for _, exists in seen] == [False, False]
    assert seen[0][0] == bytes(16)
    assert seen[1][0] == kinds.tif.read_bytes()[:16]


def test_the_same_slide_gives_the_same_file(kinds, tmp_path):
    transmux(kinds.zip, tmp_path / "a.rrip.tiff")
    assert (tmp_path / "a.rrip.tiff").read_bytes() == kinds.tif.read_bytes()


def test_convert_writes_it_as_transmux_does(tmp_path, tiny):
    rrip_format.convert(tiny_image(), tmp_path / "a.rrip.zarr", rrip_format.Settings(tile=64), workers=1)
    transmux(tmp_path / "a.rrip.zarr", tmp_path / "a.rrip.tif")
    for got, wanted in zip(read_all(tmp_path / "a.rrip.tif"), tiny[1], strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("mpp", [(0.25, 0.25), (1e-7, 1e9), (0.2431, 1 / 3), (1e300, 1e-300), (5e-324, 1.7e308)])
def test_any_pixel_size_can_be_written(mpp):
    from rrip_format.spec.tiff_layout import resolution_tags

    for value in resolution_tags(mpp, 2).values():
        assert len(value.data) in {2, 8}


# Reading what is damaged


class Tampered:
    """A file's bytes with ways to change its directories; offsets are found here, not by the code under test."""

    def __init__(self, data):
        self.data = bytearray(data)

    def number(self, at, form="<Q"):
        return struct.unpack_from(form, self.data, at)[0]

    @property
    def first(self):
        return self.number(8)

    def entry(self, tag, ifd=None):
        ifd = self.first if ifd is None else ifd
        for k in range(self.number(ifd)):
            at = ifd + 8 + 20 * k
            if self.number(at, "<H") == tag:
                return at
        raise KeyError(tag)

    def residual(self, level):
        return self.number(self.number(self.entry(RESIDUALS) + 12) + 8 * level)

    def following(self, ifd):
        return ifd + 8 + 20 * self.number(ifd)

    def put(self, at, *values, form="Q"):
        struct.pack_into(f"<{len(values)}{form}", self.data, at, *values)
        return self

    def value(self, tag, ifd=None):
        """Offset of a tag's values."""
        at = self.entry(tag, ifd)
        size = {3: 2, 4: 4, 16: 8, 18: 8}.get(self.number(at + 2, "<H"), 1) * self.number(at + 4)
        return self.number(at + 12) if size > 8 else at + 12


def set_count(tag, count, level=None):
    return lambda t: t.put(t.entry(tag, None if level is None else t.residual(level)) + 4, count)


def set_offset(tag, offset):
    return lambda t: t.put(t.entry(tag) + 12, offset)


def set_kind(tag, kind):
    return lambda t: t.put(t.entry(tag) + 2, kind, form="H")


def set_value(tag, value, form="I", level=None):
    return lambda t: t.put(t.value(tag, None if level is None else t.residual(level)), value, form=form)


def swap_residuals(t):
    at = t.value(RESIDUALS)
    return t.put(at, t.residual(1), t.residual(0))


def swap_tiles(t):
    """The second and the fifth tile of level 0."""
    for tag, form, size in ((324, "Q", 8), (325, "I", 4)):
        one, other = (t.value(tag, t.residual(0)) + size * k for k in (1, 4))
        first, second = t.number(one, f"<{form}"), t.number(other, f"<{form}")
        t.put(one, second, form=form).put(other, first, form=form)


BAD = {
    "empty file": (lambda t: t.data.clear(), FormatError, "neither"),
    "header only": (lambda t: t.data.__delitem__(slice(16, None)), DamagedError, "truncated"),
    "classic TIFF": (lambda t: t.put(2, 42, form="H"), FormatError, "little-endian BigTIFF"),
    "big-endian": (lambda t: t.data.__setitem__(slice(4), b"MM\0+"), FormatError, "little-endian BigTIFF"),
    "odd offset size": (lambda t: t.put(4, 4, form="H"), FormatError, "little-endian BigTIFF"),
    "never finished": (lambda t: t.put(8, 0), FormatError, "writing was not finished"),
    "first IFD outside": (lambda t: t.put(8, 1 << 62), DamagedError, "truncated"),
    "first IFD in the header": (lambda t: t.put(8, 8), DamagedError, "first IFD"),
    "first IFD in a tile": (lambda t: t.put(8, 1000), RripError, "."),
    "no tags": (lambda t: t.put(t.first, 0), FormatError, "0 tags"),
    "more tags than bytes": (lambda t: t.put(t.first, 1 << 61), FormatError, "tags"),
    "tag twice": (lambda t: t.put(t.entry(257), 256, form="H"), FormatError, "ascending"),
    "tags out of order": (lambda t: t.put(t.entry(256), 260, form="H"), FormatError, "ascending"),
    "IFD follows itself": (lambda t: t.put(t.following(t.first), t.first), FormatError, "two offsets point"),
    "IFD chain goes on": (
        lambda t: t.put(t.following(t.number(t.following(t.first))), t.residual(0)),
        FormatError,
        "another IFD",
    ),
    "IFD chain ends early": (lambda t: t.put(t.following(t.first), 0), FormatError, "there are 1 IFDs"),
    "IFD chain of residuals": (
        lambda t: t.put(t.following(t.first), t.residual(0)),
        FormatError,
        "two offsets|another",
    ),
    "no metadata": (
        lambda t: t.put(t.entry(METADATA), 65379, form="H"),
        FormatError,
        "tag 65380, which holds the metadata of an RRIP container, is lost",
    ),
    "metadata outside": (set_offset(METADATA, 1 << 63), DamagedError, "beyond the file"),
    "metadata in a tile": (set_offset(METADATA, 16), FormatError, "not JSON"),
    "metadata at themselves": (lambda t: t.put(t.entry(METADATA) + 12, t.entry(METADATA)), FormatError, "not JSON"),
    "metadata of 2^60 bytes": (set_count(METADATA, 1 << 60), DamagedError, "beyond the file"),
    "metadata of another kind": (set_kind(METADATA, 2), FormatError, "type 2"),
    "metadata with a flipped bit": (
        lambda t: t.put(t.value(METADATA) + t.data[t.value(METADATA) :].index(b'"width":') + 8, 0x31, form="B"),
        FormatError,
        "the file is damaged",
    ),
    "residuals outside": (lambda t: t.put(t.value(RESIDUALS), 1 << 50), DamagedError, "truncated"),
    "residuals at the first IFD": (lambda t: t.put(t.value(RESIDUALS), t.first), FormatError, "two offsets point"),
    "one residual IFD twice": (lambda t: t.put(t.value(RESIDUALS), t.residual(1)), FormatError, "two offsets point"),
    "residual pointer at itself": (lambda t: t.put(t.value(RESIDUALS), t.value(RESIDUALS)), RripError, "."),
    "residuals in the wrong order": (swap_residuals, FormatError, "level 0"),
    "one residual IFD only": (set_count(RESIDUALS, 1), FormatError, "expected 2"),
    "a million residual IFDs": (set_count(RESIDUALS, 10**6), RripError, "."),
    "residuals of another kind": (set_kind(RESIDUALS, 3), FormatError, "rrip_residuals"),
    "residual of wrong width": (set_value(256, 1234, level=0), FormatError, "tag 256 of the IFD of level 0"),
    "residual of wrong tile side": (set_value(322, 64, level=1), FormatError, "tag 322 of the IFD of level 1"),
    "residual in colour": (set_value(262, 6, "H", level=0), FormatError, "tag 262"),
    "base of wrong height": (set_value(257, 3), FormatError, "tag 257 of the IFD of level 2"),
    "base not JPEG": (set_value(259, 1, "H"), FormatError, "tag 259"),
    "base subsampled": (set_value(530, 2, "H"), FormatError, "tag 530"),
    "too few offsets": (set_count(324, 1, level=0), FormatError, "tile_offsets"),
    "too many lengths": (set_count(325, 99, level=0), RripError, "."),
    "2^61 offsets": (set_count(324, 1 << 61, level=0), DamagedError, "beyond the file"),
    "2^61 values of an unused kind": (
        lambda t: set_kind(305, 12)(t) and set_count(305, 1 << 61)(t) and None,
        None,
        ".",
    ),
    "ICC profile outside": (set_offset(34675, 1 << 40), DamagedError, "beyond the file"),
    "ICC profile of other bytes": (lambda t: t.put(t.value(34675), 1), ChecksumError, "ICC"),
    "ICC profile of another kind": (set_kind(34675, 0), FormatError, "ICC profile is of TIFF type 0"),
    "ICC checksum of another kind": (set_kind(ICC_CHECKSUM, 3), FormatError, "rrip_icc_checksum"),
    "99 associated images": (set_count(ASSOCIATED, 99), RripError, "."),
    "associated image without name": (
        lambda t: t.put(t.value(285, t.number(t.value(ASSOCIATED))), 0x41, form="B"),
        FormatError,
        "no name",
    ),
    "associated image of 2^40 bytes": (
        lambda t: t.put(t.value(279, t.number(t.value(ASSOCIATED))), 1 << 40),
        LimitError,
        "macro",
    ),
    "associated image elsewhere": (
        lambda t: t.put(t.value(273, t.number(t.value(ASSOCIATED))), 100),
        ChecksumError,
        "macro",
    ),
    "tile outside": (
        lambda t: t.put(t.value(324, t.residual(0)) + 8, 1 << 62),
        DamagedError,
        "level 0, row 0, column 1",
    ),
    "tile too long": (lambda t: t.put(t.value(325, t.residual(0)) + 4, 2**32 - 1, form="I"), DamagedError, "at most"),
    "tile length that lies": (lambda t: t.put(t.value(325, t.residual(1)) + 4, 99, form="I"), DamagedError, "CRC-32C"),
    "tile absent": (lambda t: t.put(t.value(325, t.residual(0)) + 4, 0, form="I"), MissingTileError, "column 1"),
    "tiles exchanged": (swap_tiles, DamagedError, r"\(level 0, row 0, column 1\) contains the tile"),
}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda t: t.put(t.entry(65380) + 4, 1 << 27, 16), LimitError),
        (lambda t: t.put(t.value(325, t.residual(0)) + 4, 1 << 27, form="I"), DamagedError),
    ],
)
def test_huge_values_of_a_file_that_has_the_bytes_are_not_read(kinds, tmp_path, change, error):
    """Metadata and a tile (row 0, column 1 of level 0) of 128 MiB, in a file of zeros that is long enough."""
    path = tmp_path / "a.rrip.tif"
    path.write_bytes(change(Tampered(kinds.tif.read_bytes())).data)
    with path.open("r+b") as file:
        file.truncate(1 << 28)
    tracemalloc.start()
    try:
        with pytest.raises(error, match=str(1 << 27)), rrip_format.open(path) as slide:
            slide.read_tile(0, 0, 1)
        assert tracemalloc.get_traced_memory()[1] < 1 << 25
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", BAD)
def test_bad_files(kinds, tmp_path, name):
    change, error, message = BAD[name]
    tampered = Tampered(kinds.tif.read_bytes())
    change(tampered)
    path = tmp_path / "a.rrip.tif"
    path.write_bytes(tampered.data)
    tracemalloc.start()
    began = time.perf_counter()
    try:
        if error is None:
            read_all(path)
        else:
            with pytest.raises(error, match=message) as caught:
                read_all(path)
            assert path.name in str(caught.value) or "level" in str(caught.value)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 32 << 20
    assert time.perf_counter() - began < 5


def outcome(path, decoded):
    """Read everything: None if it is what was written, else the error; anything but ours fails the test."""
    try:
        levels = read_all(path)
    except RripError as error:
        return error
    for got, wanted in zip(levels, decoded, strict=True):
        np.testing.assert_array_equal(got, wanted)
    return None


def test_truncated_anywhere(tiny, tmp_path):
    data, decoded = tiny
    path = tmp_path / "a.rrip.tif"
    path.write_bytes(data)
    silent = []
    for size in range(len(data) - 1, -1, -1):
        os.truncate(path, size)
        if outcome(path, decoded) is None:
            silent.append(size)
    assert all(len(data) - size < 8 for size in silent)  # the padding behind the last value


def test_every_flipped_byte(tiny, tmp_path):
    data, decoded = tiny
    path = tmp_path / "a.rrip.tif"
    rng = np.random.default_rng(3)
    seen = 0
    for at in range(0, len(data), 7):
        spoiled = bytearray(data)
        spoiled[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(spoiled)
        seen += outcome(path, decoded) is not None
    assert seen > 100


def test_random_bytes_behind_the_magic(tmp_path):
    rng = np.random.default_rng(5)
    for length in (16, 60, 500, 5000):
        for _ in range(50):
            data = bytearray(rng.bytes(length))
            data[:8] = b"II+\0\x08\0\0\0"
            data[8:16] = int(rng.integers(16, 16 + length)).to_bytes(8, "little")
            (tmp_path / "a.rrip.tif").write_bytes(data)
            with pytest.raises(RripError):
                open_container(tmp_path / "a.rrip.tif")


def test_closed_and_cut_while_open(kinds, tmp_path):
    from rrip_format.errors import StorageError

    path = tmp_path / "a.rrip.tif"
    path.write_bytes(kinds.tif.read_bytes())
    slide = rrip_format.open(path)
    os.truncate(path, 1000)
    with pytest.raises(DamagedError, match="truncated while it was open"):
        slide.read_tile(0, 1, 1)
    slide.close()
    with pytest.raises(StorageError):
        slide.read_tile(0, 1, 1)


def test_an_ordinary_tiff_is_not_a_container(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    for big in (False, True):
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint8), bigtiff=big)
        with pytest.raises(FormatError, match=r"little-endian BigTIFF|without RRIP metadata"):
            open_container(tmp_path / "a.tif")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A file whose tables of tiles are larger than what is read at first; its tiles are no pictures."""
    from uuid import UUID

    from rrip_format.spec.geometry import Geometry
    from rrip_format.spec.metadata import Coding, Metadata, ResidualCoding, SlideMetadata
    from rrip_format.spec.tile import join_tile

    coding = Coding(UUID(int=7), Geometry(16000, 16000, 64), (ResidualCoding(), ResidualCoding()))
    path = tmp_path_factory.mktemp("wide") / "a.rrip.tif"
    with open_writer(path) as writer:
        for level in range(coding.geometry.levels):
            for row, col in coding.geometry.tiles(level):
                writer.write_tile(level, row, col, join_tile([b"x"], coding.place(level, row, col)))
        writer.finish(Metadata(coding, SlideMetadata(), {}))
    return path


def test_large_tables_take_one_more_request(wide):
    pytest.importorskip("aiohttp")
    with serve(wide.parent) as server:
        container = open_container(f"{server.url}/{wide.name}")
        assert len(server.requests) == 3  # head and end at once, then the index
        server.requests.clear()
        assert all(container.read_tiles([(level, 60, 61) for level in (2, 1, 0)]))
        assert len(server.requests) == 3
        container.close()


def test_huge_tables_are_read_entry_by_entry(wide, monkeypatch):
    from rrip_format.containers import tiff_parser as tiff_parse
    from rrip_format.spec.tile import split_tile

    monkeypatch.setattr(tiff_parse, "WINDOW_BYTES", 1000)
    container = open_container(wide)
    for place in ((0, 0, 0), (0, 62, 62), (1, 31, 5), (2, 62, 0), (3, 7, 7)):
        split_tile(container.read_tile(*place), container.metadata.coding.place(*place), 1)
    for place in ((0, 63, 0), (0, 0, 63), (3, 8, 0), (99, 0, 0), (0, -1, 0)):
        assert container.read_tile(*place) is None
    container.close()
