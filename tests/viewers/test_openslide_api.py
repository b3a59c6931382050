"""The OpenSlide door, held against OpenSlide itself on an ordinary TIFF of the same pixels."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import tile_path, tissue
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import make_kinds, serve

import rrip_format
from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.errors import RripError
from rrip_format.family import decode as family
from rrip_format.family.jpeg import encode
from rrip_format.spec.metadata import SlideMetadata
from rrip_format.viewers.openslide_api import ClosedSlideError, RripSlide, RripSlideError, UnsupportedSlideError

openslide = pytest.importorskip("openslide")
ImageCms = pytest.importorskip("PIL.ImageCms")

SOURCE_PROPERTIES = {
    "aperio.AppMag": "40",
    "openslide.bounds-x": "10",
    "openslide.bounds-width": "500",
    "openslide.level-count": "9",
    "openslide.level[8].width": "3",
    "openslide.associated.label.width": "3",
    "openslide.quickhash-1": "of the source",
    "openslide.mpp-x": "0.99",
}


@functools.cache  # it has the time in it
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def described(tmp_path_factory, container):
    """The session's container with everything that a slide may say of itself."""
    path = tmp_path_factory.mktemp("described") / "slide.rrip.zarr"
    source = open_container(container.path)
    about = SlideMetadata((0.25, 0.5), 40.0, "aperio", SOURCE_PROPERTIES, "case.svs", 1)
    with open_writer(path) as writer:
        for level in range(4):
            for row, col in source.metadata.coding.geometry.tiles(level):
                tile = source.read_tile(level, row, col)
                if tile is not None:
                    writer.write_tile(level, row, col, tile)
        writer.write_associated("macro", encode(tissue(50, 20), 90))
        writer.finish(dataclasses.replace(source.metadata, slide=about), profile())
    return path


@pytest.fixture
def slide(described):
    with RripSlide(described) as opened:
        yield opened


@pytest.fixture(scope="module")
def peer_path(tmp_path_factory, container):
    """The same levels in a TIFF that OpenSlide reads without loss."""
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path_factory.mktemp("peer") / "peer.tif"
    with tifffile.TiffWriter(path) as tiff:
        for level, rgb in enumerate(container.decoded):
            options = {"photometric": "rgb", "compression": "zlib", "subfiletype": int(level > 0), "metadata": None}
            tiff.write(rgb, tile=(256, 256), **options)
    return path


@pytest.fixture
def peer(peer_path):
    with openslide.OpenSlide(peer_path) as opened:
        yield opened


def pixels(image) -> np.ndarray:
    return np.asarray(image).astype(int)


def weighted(image) -> np.ndarray:
    """Colour times alpha, and alpha: where little shows, its colour hardly matters."""
    rgba = pixels(image)
    return np.concatenate([rgba[..., :3] * rgba[..., 3:] / 255, rgba[..., 3:]], -1)


# Like OpenSlide


def test_levels(slide, peer):
    assert slide.dimensions == peer.dimensions
    assert slide.level_count == peer.level_count
    assert slide.level_dimensions == peer.level_dimensions
    assert slide.level_downsamples == (1.0, 2.0, 4.0, 8.0)
    assert slide.level_downsamples == pytest.approx(peer.level_downsamples, rel=0.01)


@settings(max_examples=60)
@given(st.data())
def test_regions_at_whole_pixels(described, peer_path, data):
    level = data.draw(st.integers(0, 2))  # of level 3 OpenSlide takes the downsample to be 7.96
    x, y = (data.draw(st.integers(-300, 1200)) * 2**level for _ in "xy")
    size = data.draw(st.integers(1, 400)), data.draw(st.integers(1, 400))
    with RripSlide(described) as ours, openslide.OpenSlide(peer_path) as theirs:
        np.testing.assert_array_equal(
            pixels(ours.read_region((x, y), level, size)), pixels(theirs.read_region((x, y), level, size))
        )


@settings(max_examples=60)
@given(st.data())
def test_regions_between_pixels(described, peer_path, data):
    """Both interpolate; OpenSlide rounds a little differently where two of its tiles meet."""
    level = data.draw(st.integers(1, 2))
    x, y = (data.draw(st.integers(-50, 1000)) for _ in "xy")
    size = data.draw(st.integers(20, 300)), data.draw(st.integers(20, 300))
    with RripSlide(described) as ours, openslide.OpenSlide(peer_path) as theirs:
        found, wanted = (weighted(one.read_region((x, y), level, size)) for one in (ours, theirs))
    wrong = np.abs(found - wanted).max(-1)
    assert wrong.max() <= 8
    assert (wrong > 2).mean() <= 0.02


def test_a_region_between_pixels_at_the_edge_fades_out(slide):
    edge = pixels(slide.read_region((899, 100), 1, (3, 1)))
    assert edge[0, :, 3].tolist() == [127, 0, 0]
    inside = pixels(slide.read_region((898, 100), 1, (1, 1)))
    assert abs(edge[0, 0, :3] - inside[0, 0, :3]).max() <= 1


def outcome(call):
    """What a call gives: an image's size, mode and colours, or which of the exceptions that callers catch."""
    try:
        image = call()
    except openslide.OpenSlideError:
        return openslide.OpenSlideError
    except (TypeError, ctypes.ArgumentError):
        return TypeError
    return image.size, image.mode, image.getextrema()


REQUESTS = {
    "level too coarse": ((0, 0), 9, (10, 20)),
    "level negative": ((0, 0), -1, (10, 20)),
    "width negative": ((0, 0), 0, (-1, 20)),
    "height negative": ((0, 0), 0, (10, -20)),
    "both negative": ((0, 0), 0, (-10, -20)),
    "negative at a bad level": ((0, 0), 9, (-10, 20)),
    "no width": ((0, 0), 0, (0, 20)),
    "nothing": ((0, 0), 0, (0, 0)),
    "nothing of a bad level": ((0, 0), 9, (0, 0)),
    "far to the right": ((5000, 0), 0, (10, 20)),
    "far away": ((10**9, 10**9), 1, (10, 20)),
    "left of it": ((-5000, 0), 0, (10, 20)),
    "partly left": ((-5, -7), 0, (10, 20)),
    "partly left at a coarse level": ((-5, -7), 1, (10, 20)),
    "partly right": ((895, 690), 0, (10, 20)),
    "larger than the slide": ((-10, -10), 0, (1000, 1000)),
    "odd place at a coarse level": ((401, 301), 2, (10, 20)),
    "NumPy integers": ((np.int64(3), np.uint8(4)), 1, (np.int32(10), 20)),
    "fractions for a place": ((1.5, 0), 0, (10, 20)),
    "fractions for a size": ((0, 0), 0, (10.0, 20)),
    "a fraction for a level": ((0, 0), 1.0, (10, 20)),
    "text": (("0", 0), 0, (10, 20)),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_outcomes(slide, peer, name):
    location, level, size = REQUESTS[name]
    ours, theirs = (outcome(lambda s=s: s.read_region(location, level, size)) for s in (slide, peer))
    if isinstance(theirs, tuple) and "coarse" in name and "level too" not in name:
        assert ours[:2] == theirs[:2]
        np.testing.assert_allclose(ours[2], theirs[2], atol=3)
    else:
        assert ours == theirs


def test_a_huge_region_is_refused_at_once(slide, peer):
    with pytest.raises(RripSlideError, match="read smaller regions"):
        slide.read_region((0, 0), 0, (2**20, 2**20))
    with pytest.raises(MemoryError):
        peer.read_region((0, 0), 0, (2**20, 2**20))
    assert slide.read_region((0, 0), 0, (10, 10)).size == (10, 10)


def test_a_region_beyond_memory_is_an_error_of_openslide(slide, monkeypatch):
    def fail(*_, **_options):
        raise MemoryError

    for level in (0, 99):
        with monkeypatch.context() as patch:
            patch.setattr(np, "empty" if level == 0 else "zeros", fail)
            with pytest.raises(openslide.OpenSlideError, match="not enough memory for the region") as caught:
                slide.read_region((0, 0), level, (300, 300))
        assert caught.value.rule == "limit.memory"
    with monkeypatch.context() as patch:
        patch.setattr("PIL.Image.Image.convert", fail)
        with pytest.raises(openslide.OpenSlideError, match="macro image: not enough memory") as caught:
            slide.associated_images["macro"]
    assert caught.value.rule == "limit.memory"
    assert slide.read_region((0, 0), 0, (10, 10)).size == (10, 10)


@pytest.mark.parametrize("downsample", [-1, 0, 0.5, 1, 1.99, 2, 2.01, 3.9, 4, 5, 1e9, float("nan"), np.float32(3)])
def test_best_level(slide, peer, downsample):
    assert slide.get_best_level_for_downsample(downsample) == peer.get_best_level_for_downsample(downsample)


def test_thumbnail(slide, peer):
    ours, theirs = slide.get_thumbnail((150, 100)), peer.get_thumbnail((150, 100))
    assert (ours.size, ours.mode) == (theirs.size, theirs.mode)
    assert np.abs(pixels(ours) - pixels(theirs)).mean() < 1
    assert ours.info["icc_profile"] == profile()


@pytest.mark.parametrize("limit_bounds", [False, True])
def test_deep_zoom(slide, peer, limit_bounds):
    from openslide.deepzoom import DeepZoomGenerator

    ours = DeepZoomGenerator(slide, 254, 1, limit_bounds)
    theirs = DeepZoomGenerator(peer, 254, 1)
    if limit_bounds:  # bounds are of the source that ours came from
        assert ours.level_dimensions[-1][0] == 500
        return
    assert ours.level_tiles == theirs.level_tiles
    assert ours.get_dzi("jpeg") == theirs.get_dzi("jpeg")
    for level, (cols, rows) in enumerate(ours.level_tiles):
        exact = level >= ours.level_count - 3
        for at in ((col, row) for row in range(rows) for col in range(cols)):
            wrong = np.abs(pixels(ours.get_tile(level, at)) - pixels(theirs.get_tile(level, at)))
            assert wrong.max() == 0 if exact else wrong.mean() < 6


# Of itself


def test_properties(slide):
    found = slide.properties
    assert found["openslide.vendor"] == "aperio"
    assert (found["openslide.mpp-x"], found["openslide.mpp-y"]) == ("0.25", "0.5")
    assert found["openslide.objective-power"] == "40"
    assert found["openslide.background-color"] == "FFFFFF"
    assert found["openslide.level-count"] == "4"
    assert found["openslide.level[3].downsample"] == "8"
    assert (found["openslide.level[1].width"], found["openslide.level[1].height"]) == ("450", "350")
    assert found["openslide.level[1].tile-width"] == found["openslide.level[1].tile-height"] == "128"
    assert (found["openslide.associated.macro.width"], found["openslide.associated.macro.height"]) == ("20", "50")
    assert found["aperio.AppMag"] == "40"
    assert found["openslide.bounds-x"] == "10"
    assert not {"openslide.level[8].width", "openslide.associated.label.width", "openslide.quickhash-1"} & set(found)
    assert list(found) == sorted(found)
    with pytest.raises(TypeError):
        found["new"] = "property"


def test_names_are_those_of_openslide(slide, peer):
    """Whatever OpenSlide says of any TIFF, this says too, but for the hash of the file."""
    names = {name for name in peer.properties if name.startswith("openslide.")} - {"openslide.quickhash-1"}
    assert names <= set(slide.properties)


def test_a_slide_that_says_nothing(container):
    with RripSlide(str(container.path)) as slide:
        assert slide.properties["openslide.vendor"] == "rrip"
        assert "openslide.mpp-x" not in slide.properties
        assert "openslide.objective-power" not in slide.properties
        assert dict(slide.associated_images) == {}
        assert slide.color_profile is None
        assert "icc_profile" not in slide.read_region((0, 0), 0, (5, 5)).info


def test_associated_images(slide):
    assert list(slide.associated_images) == ["macro"]
    assert len(slide.associated_images) == 1
    image = slide.associated_images["macro"]
    assert (image.size, image.mode) == ((20, 50), "RGBA")
    assert np.abs(pixels(image)[..., :3] - tissue(50, 20)).mean() < 12
    with pytest.raises(KeyError):
        slide.associated_images["label"]


def test_colour_profile(slide):
    assert ImageCms.getProfileDescription(slide.color_profile).startswith("sRGB")
    assert slide.read_region((0, 0), 0, (5, 5)).info["icc_profile"] == profile()


def test_the_format(described, peer_path):
    assert RripSlide.detect_format(described) == "rrip"
    assert RripSlide.detect_format(str(peer_path)) is None
    assert RripSlide.detect_format("nothing.rrip.zarr") is None
    assert issubclass(RripSlide, openslide.AbstractSlide)
    assert rrip_format.RripSlide is RripSlide


@pytest.mark.parametrize("name", ["nothing.rrip.zarr", "peer.tif", "."])
def test_no_slide(peer_path, name):
    path = peer_path.parent / name
    with pytest.raises(UnsupportedSlideError) as caught:
        RripSlide(path)
    assert isinstance(caught.value, openslide.OpenSlideUnsupportedFormatError)
    assert isinstance(caught.value, RripError)
    assert path.name in str(caught.value) or name == "."


def test_closed(described):
    slide = RripSlide(described)
    images = slide.associated_images
    slide.close()
    slide.close()
    for look in (
        lambda: slide.dimensions,
        lambda: slide.level_count,
        lambda: slide.level_downsamples,
        lambda: slide.properties,
        lambda: slide.associated_images,
        lambda: slide.get_best_level_for_downsample(1),
        lambda: slide.read_region((0, 0), 0, (5, 5)),
        lambda: slide.get_thumbnail((5, 5)),
    ):
        with pytest.raises(ctypes.ArgumentError, match="closed"):
            look()
    assert issubclass(ClosedSlideError, RripError)
    assert repr(slide).startswith("RripSlide(")
    del images


def test_damage_is_an_error_that_passes(spoiled):
    tile_path(spoiled, 0, 1, 1).unlink()
    with RripSlide(spoiled) as slide:
        for _ in range(2):
            with pytest.raises(openslide.OpenSlideError, match="missing"):
                slide.read_region((300, 300), 0, (10, 10))
        assert slide.read_region((600, 300), 0, (10, 10)).size == (10, 10)
        assert slide.read_region((300, 300), 1, (10, 10)).size == (10, 10)


# At work


def test_every_kind(tmp_path, container):
    made = make_kinds(tmp_path, container)
    with serve(tmp_path) as server:
        for path in (*made.all, f"{server.url}/slide.rrip.tif"):
            with RripSlide(path) as slide:
                for level, rgb in enumerate(container.decoded):
                    region = np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]))
                    np.testing.assert_array_equal(region[..., :3], rgb)
                    assert (region[..., 3] == 255).all()


def test_threads_and_pickles(described, container):
    with RripSlide(described) as slide:
        copy = pickle.loads(pickle.dumps(slide))

        def read(at):
            return np.asarray((slide, copy)[at % 2].read_region((at * 3, at * 2), 0, (200, 200)))[..., :3]

        with ThreadPoolExecutor(8) as pool:
            for at, region in enumerate(pool.map(read, range(40))):
                np.testing.assert_array_equal(region, container.decoded[0][at * 2 :, at * 3 :][:200, :200])
        copy.close()


def test_the_cache(slide, monkeypatch):
    decoded = []
    decode = family.decode_tile
    monkeypatch.setattr(family, "decode_tile", lambda *args: decoded.append(args[1:4]) or decode(*args))
    for at in range(20):
        slide.read_region((300 + at, 300), 0, (20, 20))
    assert set(decoded) == {(0, 1, 1)}
    assert len(decoded) < 10  # the first ones alone, until it is seen that the tile is requested again
    slide.set_cache(openslide.OpenSlideCache(0))
    for _ in range(2):
        slide.read_region((200, 200), 0, (200, 200))
    assert len(slide._slide._recent._tiles) == 1
    with pytest.raises(TypeError, match=r"cache is .*, expected openslide.OpenSlideCache"):
        slide.set_cache(None)


def test_a_real_slide(testdata, tmp_path):
    source = testdata("CMU-1-Small-Region.svs")
    rrip_format.convert(source, tmp_path / "slide.rrip.zarr")
    with openslide.OpenSlide(source) as theirs, RripSlide(tmp_path / "slide.rrip.zarr") as ours:
        assert ours.dimensions == theirs.dimensions
        assert ours.properties["openslide.vendor"] == theirs.properties["openslide.vendor"]
        for name in ("openslide.objective-power", "openslide.mpp-x", "openslide.mpp-y"):
            assert float(ours.properties[name]) == float(theirs.properties[name])
        assert ours.properties["aperio.AppMag"] == theirs.properties["aperio.AppMag"]
        region = (500, 700), 0, (600, 600)
        wrong = pixels(ours.read_region(*region)) - pixels(theirs.read_region(*region))
        assert 10 * np.log10(255**2 / np.mean(wrong[..., :3] ** 2)) > 30
