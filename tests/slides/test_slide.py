"""The slide door: levels, properties, pixels, and what it says when it cannot (spec section 9)."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
import zarr
from conftest import tissue
from damaging import change_metadata
from hypothesis import given, settings
from hypothesis import strategies as st

import rrip_format
from rrip_format.containers.creating import open_writer
from rrip_format.core.predict import box2
from rrip_format.errors import ChecksumError, FormatError, NewerFormatError, RripError, StorageError
from rrip_format.family.encode import Quality, encode_family
from rrip_format.slides.slide import Level, Slide
from rrip_format.slides.tile_cache import CachingSlide
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import Coding, Metadata, ResidualCoding, SlideMetadata

ICC = bytes(range(256)) * 12 + b"end"
DESCRIBED = SlideMetadata(
    (0.25, 0.5), 40.0, "aperio", {"aperio.AppMag": "40", "Färbung": "H&E"}, "fall-1.svs", 123_456_789
)


def write_slide(target: Path, slide: SlideMetadata, icc: bytes | None = None) -> Metadata:
    """One family of 256 px, with any description."""
    rgb = tissue(256, 256)
    levels = [rgb, box2(rgb), box2(box2(rgb))]
    coding = Coding(UUID(int=4), Geometry(256, 256, 64), (ResidualCoding(), ResidualCoding(planes=3)))
    metadata = Metadata(coding, slide, {"name": "test", "version": "0", "settings": {}})
    encoded = encode_family(coding, 0, 0, levels, Quality(90, (80, 80), (80, 80)))
    with open_writer(target) as writer:
        for level, tile in enumerate(encoded.tiles):
            writer.write_tile(level, 0, 0, tile)
        writer.finish(metadata, icc)
    return metadata


@pytest.fixture(scope="module", params=[".rrip.zarr", ".rrip.zarr.zip"])
def described(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("described") / f"slide{request.param}"
    write_slide(path, DESCRIBED, ICC)
    return path


@pytest.fixture
def slide(container):
    with rrip_format.open(container.path) as opened:
        yield opened


# What it says of itself


def test_levels(slide):
    assert slide.levels == (
        Level(0, 900, 700, 256, 1, None),
        Level(1, 450, 350, 128, 2, None),
        Level(2, 225, 175, 64, 4, None),
        Level(3, 113, 88, 256, 8, None),
    )
    assert repr(slide).endswith("900 x 700 px, 4 levels)")
    assert slide.metadata.slide.properties == {}
    assert slide.icc_profile() is None


def test_description(described):
    with rrip_format.open(str(described)) as slide:
        assert slide.metadata.slide == DESCRIBED
        assert [level.mpp for level in slide.levels] == [(0.25, 0.5), (0.5, 1.0), (1.0, 2.0)]
        assert slide.properties["Färbung"] == "H&E"
        assert slide.icc_profile() == ICC


def test_the_profile_is_an_ordinary_array_too(described):
    with rrip_format.open(described) as slide:
        assert slide.group["icc_profile"][:].tobytes() == ICC


def test_the_scale_of_every_dataset(described):
    with rrip_format.open(described) as slide:
        for name, first in (("", 0), ("base", 2)):
            group = slide.group[name] if name else slide.group
            (multiscale,) = group.attrs["ome"]["multiscales"]
            assert [axis.get("unit") for axis in multiscale["axes"]] == [None, "micrometer", "micrometer"]
            for k, dataset in enumerate(multiscale["datasets"]):
                scale, translation = dataset["coordinateTransformations"]
                factor = 2 ** (first + k)
                assert scale["scale"] == [1.0, 0.5 * factor, 0.25 * factor]
                # the centre of the first pixel, counted from that of the first pixel of level 0
                assert translation["translation"] == [0.0, 0.5 * (factor - 1) / 2, 0.25 * (factor - 1) / 2]
                assert group[dataset["path"]].shape[1:] == slide.geometry.shape(first + k)


def test_a_damaged_profile(tmp_path):
    path = tmp_path / "slide.rrip.zarr"
    write_slide(path, DESCRIBED, ICC)
    file = path / "icc_profile" / "c" / "0"
    data = file.read_bytes()
    for bad in (data[:-1], data[:50] + b"x" + data[51:], b"", b"abc", bytes(4)[:3], data + b"\0"):
        file.write_bytes(bad)
        with rrip_format.open(path) as slide, pytest.raises(ChecksumError, match="ICC profile"):
            slide.icc_profile()
    assert data[-4:] != bytes(4)


def test_a_profile_that_is_gone_is_an_error(tmp_path):
    """The metadata list it."""
    path = tmp_path / "slide.rrip.zarr"
    write_slide(path, DESCRIBED, ICC)
    (path / "icc_profile" / "c" / "0").unlink()
    with rrip_format.open(path) as slide, pytest.raises(RripError):
        slide.icc_profile()


# Pixels


@settings(max_examples=40)
@given(st.data())
def test_any_region(container, data):
    level = data.draw(st.integers(0, 3))
    height, width = container.coding.geometry.shape(level)
    y, x = data.draw(st.integers(0, height)), data.draw(st.integers(0, width))
    size = data.draw(st.integers(0, height - y)), data.draw(st.integers(0, width - x))
    with rrip_format.open(container.path) as slide:
        region = slide.read_region(level, y, x, *size)
    assert region.dtype == np.uint8
    assert region.flags.c_contiguous
    np.testing.assert_array_equal(region, container.decoded[level][y : y + size[0], x : x + size[1]])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_into_memory_of_the_caller(container, slide, level, workers):
    height, width = container.coding.geometry.shape(level)
    out = np.full((60, 65, 3), 7, np.uint8)
    for y, x in ((0, 0), (height - 60, width - 65), (20, 15)):
        assert slide.read_region(level, y, x, 60, 65, out=out, workers=workers) is out
        np.testing.assert_array_equal(out, container.decoded[level][y : y + 60, x : x + 65])


@pytest.mark.parametrize("is_caching", [False, True])
def test_with_opacity(container, slide, is_caching):
    reader = CachingSlide(slide.container) if is_caching else slide
    for level, whole in enumerate(container.decoded):
        for _ in range(20):  # until whole tiles are kept
            out = np.full((*whole.shape[:2], 4), 7, np.uint8)
            assert reader.read_region(level, 0, 0, *whole.shape[:2], out=out) is out
            np.testing.assert_array_equal(out[..., :3], whole)
            assert (out[..., 3] == 255).all()


def test_into_a_file(container, slide, tmp_path):
    out = np.memmap(tmp_path / "region", np.uint8, "w+", shape=(90, 95, 3))
    assert slide.read_region(0, 200, 300, 90, 95, out=out) is out
    np.testing.assert_array_equal(out, container.decoded[0][200:290, 300:395])
    assert slide.read_region(0, 200, 300, 0, 95, out=out[:0]).shape == (0, 95, 3)


@pytest.mark.parametrize(
    ("out", "match"),
    [
        (np.empty((90, 96, 3), np.uint8), "expected"),
        (np.empty((90, 95, 2), np.uint8), "expected"),
        (np.empty((90, 95, 5), np.uint8), "expected"),
        (np.empty((3, 90, 95), np.uint8), "expected"),
        (np.empty((90, 95, 3), np.int8), "expected"),
        (np.empty((90, 190, 3), np.uint8)[:, ::2], "not contiguous"),
        (np.frombuffer(bytes(90 * 95 * 3), np.uint8).reshape(90, 95, 3), "not writable"),
        (bytearray(90 * 95 * 3), "bytearray, expected"),
    ],
)
def test_memory_that_does_not_fit(slide, out, match):
    with pytest.raises(ValueError, match=match):
        slide.read_region(0, 0, 0, 90, 95, out=out)


def test_the_archive_reads_the_same(container, archive):
    with rrip_format.open(archive) as slide:
        for level, expected in enumerate(container.decoded):
            np.testing.assert_array_equal(slide.read_region(level, 0, 0, *expected.shape[:2]), expected)


def test_regions_are_the_tiles_put_together(container, slide):
    """Tile by tile, with padding cut by hand."""
    for level, expected in enumerate(container.decoded):
        side = slide.geometry.tile_side(level)
        for row, col in slide.geometry.tiles(level):
            tile = slide.read_tile(level, row, col)
            assert tile.shape == (3, side, side)
            height, width = slide.geometry.tile_shape(level, row, col)
            part = expected[row * side : row * side + height, col * side : col * side + width]
            np.testing.assert_array_equal(tile[:, :height, :width].transpose(1, 2, 0), part)


def test_the_group_is_read_only(slide, container):
    np.testing.assert_array_equal(slide.group["1"][:].transpose(1, 2, 0), container.decoded[1])
    with pytest.raises((TypeError, ValueError)):
        slide.group["1"][:] = 0


@pytest.mark.parametrize(
    "region",
    [
        (0, -1, 0, 10, 10),
        (0, 0, -1, 10, 10),
        (0, 0, 0, -1, 10),
        (0, 0, 0, 10, -1),
        (0, 691, 0, 10, 10),
        (0, 0, 891, 10, 10),
        (0, 0, 0, 701, 900),
        (1, 0, 0, 351, 450),
        (3, 0, 0, 88, 114),
        (0, 10**12, 0, 1, 1),
    ],
)
def test_regions_that_reach_outside(slide, region):
    with pytest.raises(IndexError, match="reaches outside"):
        slide.read_region(*region)


@pytest.mark.parametrize("level", [-1, 4, 99])
def test_levels_that_are_not_there(slide, level):
    with pytest.raises(IndexError, match="there are levels 0 … 3"):
        slide.read_region(level, 0, 0, 1, 1)


@pytest.mark.parametrize("place", [(0, -1, 0), (0, 0, -1), (0, 3, 0), (0, 0, 4), (3, 1, 0), (4, 0, 0), (-1, 0, 0)])
def test_tiles_that_are_not_there(slide, place):
    """Never a picture: a caller that counts wrong is told so."""
    with pytest.raises(IndexError, match="does not exist"):
        slide.read_tile(*place)


def test_threads(container, slide):
    places = [(y, x) for y in range(0, 600, 100) for x in range(0, 800, 100)] * 2
    with ThreadPoolExecutor(8) as pool:
        for (y, x), region in zip(places, pool.map(lambda p: slide.read_region(0, *p, 90, 95), places), strict=True):
            np.testing.assert_array_equal(region, container.decoded[0][y : y + 90, x : x + 95])


def test_pickle(container, slide):
    copy = pickle.loads(pickle.dumps(slide))
    assert isinstance(copy, Slide)
    assert copy.metadata == slide.metadata
    assert copy.levels == slide.levels
    np.testing.assert_array_equal(copy.read_region(0, 200, 200, 99, 99), container.decoded[0][200:299, 200:299])


# Not a container


def refuse(path, error, told):
    with pytest.raises(error, match=told) as caught:
        rrip_format.open(path)
    assert Path(str(path)).name in str(caught.value)


def test_nothing_there(tmp_path):
    refuse(tmp_path / "none.rrip.zarr", FormatError, "no such file or directory")
    (tmp_path / "empty").mkdir()
    refuse(tmp_path / "empty", FormatError, "has no zarr.json")
    (tmp_path / "text.zip").write_text("text")
    refuse(tmp_path / "text.zip", FormatError, "(not|nor) a zip")
    (tmp_path / "void.zip").write_bytes(b"")
    refuse(tmp_path / "void.zip", FormatError, "(not|nor) a zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("a", "b")
    refuse(tmp_path / "other.zip", FormatError, "has no zarr.json")
    with pytest.raises(RripError):
        rrip_format.open("nosuchprotocol://x/y")
    with pytest.raises((StorageError, FormatError)):
        rrip_format.open("http://127.0.0.1:9/slide.rrip.zarr")  # nobody listens


def test_another_zarr_group(tmp_path):
    zarr.create_group(tmp_path / "other.zarr", attributes={"a": 1})
    refuse(tmp_path / "other.zarr", FormatError, "not an RRIP container")
    zarr.create_array(tmp_path / "array.zarr", shape=(3,), dtype="u1")
    refuse(tmp_path / "array.zarr", FormatError, "not an RRIP container")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b'{"attributes": null}',
        b'{"attributes": {"rrip": 5}}',
        b"1" * 10000,
        b'{"attributes": {"rrip": {"coding": {"version": NaN}}}}',
    ],
    ids=lambda text: repr(text[:30]),
)
def test_a_root_document_that_is_none(spoiled, text):
    (spoiled / "zarr.json").write_bytes(text)
    refuse(spoiled, FormatError, "zarr.json|RRIP container")


def test_every_truncation_of_the_root_document(spoiled):
    data = (spoiled / "zarr.json").read_bytes()
    for size in [*range(0, len(data), 97), *range(len(data) - 6, len(data))]:
        (spoiled / "zarr.json").write_bytes(data[:size])
        refuse(spoiled, FormatError, "not JSON")


def test_flipped_bits_of_the_root_document_never_change_pixels(spoiled, container):
    """Refused, or without effect: white space, and members beside ``rrip`` that pixels do not depend on."""
    data = (spoiled / "zarr.json").read_bytes()
    for bit in np.random.default_rng(0).integers(0, 8 * len(data), 300).tolist():
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        (spoiled / "zarr.json").write_bytes(damaged)
        try:
            with rrip_format.open(spoiled) as slide:
                assert slide.metadata.coding == container.coding
        except FormatError:
            pass


def edit(path: Path, **changes) -> None:
    change_metadata(path, lambda rrip: rrip["coding"].update(changes))


def test_a_newer_container(spoiled):
    edit(spoiled, version=2)
    refuse(spoiled, NewerFormatError, "upgrade")
    edit(spoiled, version=1, requires=["film grain"])
    refuse(spoiled, NewerFormatError, "film grain")


def test_errors_name_the_container(spoiled):
    edit(spoiled, tile=65)
    refuse(spoiled, FormatError, r"slide\.rrip\.zarr.*coding\.tile")


def test_an_unfinished_conversion_does_not_open(spoiled):
    (spoiled / "zarr.json").unlink()
    refuse(spoiled, FormatError, "incomplete")


# From a real slide


def test_a_real_slide(testdata, tmp_path):
    """The smallest real one: what its scanner said is still said, and pixels are near."""
    import openslide

    source = testdata("CMU-1-Small-Region.svs")
    rrip_format.convert(source, tmp_path / "slide.rrip.zarr", workers=1)
    with rrip_format.open(tmp_path / "slide.rrip.zarr") as slide, openslide.OpenSlide(str(source)) as original:
        assert (slide.levels[0].width, slide.levels[0].height) == original.dimensions
        assert slide.levels[0].mpp == pytest.approx((0.499, 0.499))
        assert slide.metadata.slide.objective == 20
        assert slide.metadata.slide.vendor == "aperio"
        assert slide.metadata.slide.source_name == "slide.svs"
        assert slide.properties["aperio.AppMag"] == "20"
        region = np.asarray(original.read_region((500, 700), 0, (600, 500)))[..., :3].astype(int)
        assert np.abs(slide.read_region(0, 700, 500, 500, 600) - region).mean() < 5
    shutil.rmtree(tmp_path / "slide.rrip.zarr")
