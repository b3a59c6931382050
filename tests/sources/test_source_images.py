"""PNG and JPEG files and arrays as sources."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from source_pictures import picture, read_all, refuse

from rrip_format.sources import open_source
from rrip_format.sources.color import to_rgb

pytest.importorskip("tifffile")
pytest.importorskip("openslide")
pyvips = pytest.importorskip("pyvips")

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
