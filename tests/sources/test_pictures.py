"""Which picture of several, and what a file says of pixel size and objective."""

from __future__ import annotations

import json

import numpy as np
import pytest
import pyvips
import tifffile
from raw_tiff import ASCII, LONG, RATIONAL, SHORT, Page, basic_tags, write_raw_tiff
from source_pictures import read, refuse
from tiff_readers import picture

from rrip_format.sources import open_source


def write(path, *pages, **options):
    with tifffile.TiffWriter(path, **options) as tif:
        for pixels, changes in pages:
            tif.write(pixels, **({"photometric": "rgb", "metadata": None, "compression": "zlib"} | changes))
    return path


SMALL, OTHER = picture()[:20, :30], picture()[::-1]


@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("order", ["first", "last", "between"])
def test_the_largest_page_wherever_it_is(order, tile, tmp_path):
    pages = {"first": [picture(), SMALL], "last": [SMALL, picture()], "between": [SMALL, picture(), SMALL]}[order]
    path = write(tmp_path / "a.tif", *((page, {"tile": tile}) for page in pages))
    pixels, info = read(path)
    np.testing.assert_array_equal(pixels, picture())
    assert info.notes == ()
    assert info.image == {"first": 0}.get(order, 1)


def test_a_page_in_a_sub_directory_may_be_the_largest(tmp_path):
    """As in DNG and TIFF/EP, whose first page is a preview."""
    path = write(tmp_path / "a.tif", (SMALL, {"subifds": 1}), (picture(), {}))
    np.testing.assert_array_equal(read(path)[0], picture())


def test_levels_masks_and_labels_are_no_candidates(tmp_path):
    large = np.pad(picture(), ((0, 60), (0, 60), (0, 0)))
    path = write(
        tmp_path / "a.tif",
        (SMALL, {"subifds": 1}),
        (large, {"subfiletype": 1}),
        (picture(), {}),
        (large, {"description": "Macro"}),
        (large, {"description": "<PerkinElmer-QPI-ImageDescription><ImageType>Overview</ImageType>"}),
    )
    pixels, info = read(path)
    np.testing.assert_array_equal(pixels, picture())
    assert info.notes == ()


def test_a_mask_is_no_candidate(tmp_path):
    pages = []
    for samples, photometric, kind in ((np.pad(picture(1), ((0, 9), (0, 9), (0, 0))), 4, 4), (picture(), 2, 0)):
        tags = basic_tags(samples, photometric=photometric, rows=60) | {254: (LONG, [kind])}
        pages.append(Page(tags, [samples.tobytes()]))
    pixels, info = read(write_raw_tiff(tmp_path / "a.tif", pages))
    np.testing.assert_array_equal(pixels, picture())
    assert info.notes == ()


def test_of_equals_the_first_and_a_note(tmp_path):
    path = write(tmp_path / "a.tif", (SMALL, {}), (picture(), {}), (OTHER, {}))
    pixels, info = read(path)
    np.testing.assert_array_equal(pixels, picture())
    assert "2 pictures of 70x44 px" in info.notes[0]
    assert "--image 1…2" in info.notes[0]
    for choice in (2, "2", "page 2", "PAGE 2"):
        pixels, info = read(path, image=choice)
        np.testing.assert_array_equal(pixels, OTHER)
        assert (info.notes, info.properties["rrip.image"]) == ((), "2")
    np.testing.assert_array_equal(read(path, image=0)[0], SMALL)
    for choice in (3, -1, "page 7", ""):
        refuse(path, "expected one of 0 ('page 0') of 30x20, 1", image=choice)


def test_several_gray_pictures_may_be_channels(tmp_path):
    gray = picture(1)[..., 0]
    path = write(tmp_path / "a.tif", *((gray + k, {"photometric": "minisblack"}) for k in range(3)))
    refuse(path, "3 gray pictures of 70x44 px, which may be channels")
    np.testing.assert_array_equal(read(path, image=1)[0][..., 2], gray + 1)


def test_an_imagej_stack(tmp_path):
    stack = np.stack([picture(), OTHER])
    tifffile.imwrite(tmp_path / "rgb.tif", stack, imagej=True, metadata={"axes": "ZYXS"})
    pixels, info = read(tmp_path / "rgb.tif")
    np.testing.assert_array_equal(pixels, picture())
    assert "2 pictures" in info.notes[0]
    tifffile.imwrite(tmp_path / "gray.tif", stack[..., 0], imagej=True, metadata={"axes": "CYX"})
    refuse(tmp_path / "gray.tif", "gray")


# --- OME-TIFF ---------------------------------------------------------------------------------------------------------


def ome(path, pixels, axes, channels=None, **options):
    metadata = {"axes": axes, **({"Channel": channels} if channels else {})}
    tifffile.imwrite(path, pixels, ome=True, metadata=metadata, **options)
    return path


CYX = np.moveaxis(picture(), -1, 0)
COLOURS = {"red": -16776961, "green": 16711935, "blue": 65535}


@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize(
    "channels",
    [
        {"Name": ["Red", "Green", "Blue"]},
        {"Name": ["R", "G", "B"]},
        {"Color": list(COLOURS.values())},
        {"Name": ["Channel 0", "Channel 1", "Channel 2"], "Color": list(COLOURS.values())},
        {"ContrastMethod": ["Brightfield"] * 3},
        {"IlluminationType": ["Transmitted"] * 3},
    ],
)
def test_three_gray_channels_that_are_colours(channels, tile, tmp_path):
    path = ome(tmp_path / "a.ome.tif", CYX, "CYX", channels, photometric="minisblack", tile=tile)
    pixels, info = read(path)
    np.testing.assert_array_equal(pixels, picture())
    assert info.notes == ()
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(5, 9, 30, 40), picture()[5:35, 9:49])


def test_channels_in_another_order(tmp_path):
    channels = {"Name": ["Blue", "Red", "Green"]}
    path = ome(tmp_path / "a.ome.tif", CYX[[2, 0, 1]], "CYX", channels, photometric="minisblack")
    np.testing.assert_array_equal(read(path)[0], picture())


@pytest.mark.parametrize(
    "channels",
    [
        None,
        {"Name": ["DAPI", "FITC", "TRITC"]},
        {"Name": ["TRITC", "FITC", "DAPI"], "Color": list(COLOURS.values())},
        {"Name": ["Red", "Green", "Blue"], "EmissionWavelength": [600, 520, 460], "EmissionWavelengthUnit": ["nm"] * 3},
        {"Color": list(COLOURS.values()), "Fluor": ["a", "b", "c"]},
        {"Name": ["Red", "Green", "Red"]},
        {"ContrastMethod": ["Brightfield", "Brightfield", "Fluorescence"]},
    ],
)
def test_three_channels_that_nothing_says_to_be_colours(channels, tmp_path):
    path = ome(tmp_path / "a.ome.tif", CYX, "CYX", channels, photometric="minisblack")
    refuse(path, "3 gray channels", "nothing says to be red, green and blue", "--image 0…2")
    np.testing.assert_array_equal(read(path, image=1)[0][..., 0], CYX[1])


def test_planes_and_images_of_an_ome_tiff(tmp_path):
    stack = np.stack([picture(), OTHER, picture()])
    path = ome(tmp_path / "z.ome.tif", stack, "ZYXS", photometric="rgb")
    pixels, info = read(path)
    np.testing.assert_array_equal(pixels, picture())
    assert "3 pictures of 70x44 px" in info.notes[0]
    np.testing.assert_array_equal(read(path, image=1)[0], OTHER)
    with tifffile.TiffWriter(tmp_path / "s.ome.tif", ome=True) as tif:
        tif.write(SMALL, photometric="rgb", metadata={"axes": "YXS", "Name": "first", "PhysicalSizeX": 9.0})
        tif.write(picture(), photometric="rgb", metadata={"axes": "YXS", "Name": "second", "PhysicalSizeX": 0.5})
        tif.write(
            np.pad(picture(), ((0, 9), (0, 9), (0, 0))), photometric="rgb", metadata={"axes": "YXS", "Name": "Macro"}
        )
    pixels, info = read(tmp_path / "s.ome.tif")
    np.testing.assert_array_equal(pixels, picture())
    assert (info.mpp_x, info.notes) == (0.5, ())
    pixels, info = read(tmp_path / "s.ome.tif", image="First")
    np.testing.assert_array_equal(pixels, SMALL)
    assert info.mpp_x == 9


def test_an_ome_tiff_whose_planes_lie_elsewhere(tmp_path):
    path = ome(tmp_path / "a.ome.tif", np.stack([picture(), OTHER]), "ZYXS", photometric="rgb")
    with tifffile.TiffFile(path) as tif:
        xml = tif.ome_metadata
    uuid = xml.split('UUID="')[1].split('"')[0]
    other = xml.replace(
        '<TiffData IFD="0" PlaneCount="2"/>',
        f'<TiffData IFD="0" FirstZ="0" PlaneCount="1"><UUID FileName="a.ome.tif">{uuid}</UUID></TiffData>'
        '<TiffData IFD="0" FirstZ="1" PlaneCount="1"><UUID FileName="b.ome.tif">urn:uuid:2</UUID></TiffData>',
    )
    tifffile.tiffcomment(path, other)
    refuse(path, "other files of the same set")


# --- pixel size and objective -----------------------------------------------------------------------------------------


def described(path, text, **tags):
    pixels = picture()
    basic = basic_tags(pixels, photometric=2, rows=44) | {270: (ASCII, text.encode() + b"\0")} | tags.pop("tags", {})
    return write_raw_tiff(path, [Page(basic, [pixels.tobytes()])])


def resolution(across, unit):
    return {282: (RATIONAL, across), 283: (RATIONAL, across), 296: (SHORT, [unit])}


QPI = "<PerkinElmer-QPI-ImageDescription><ImageType>FullResolution</ImageType>{}</PerkinElmer-QPI-ImageDescription>"


VIPS = (
    "<image><properties><property><name>openslide.mpp-x</name><value type='VipsRefString'>0.25</value></property>"
    "<property><name>openslide.mpp-y</name><value>0.25</value></property>"
    "<property><name>openslide.objective-power</name><value>40</value></property></properties></image>"
)


@pytest.mark.parametrize(
    ("text", "tags", "mpp", "power"),
    [
        ("Motic V1.0.0 70x44 [0,0 70x44] JPEG/RGB Q = 75|AppMag = 40|MPP = 0.257290", {}, 0.25729, 40),
        ("Scanner X|AppMag=20|MPP=0,5|x", {}, 0.5, 20),
        ("a|MPP = 0|AppMag = -1", {}, None, None),
        ("a|MPP = nonsense|AppMag = ", {}, None, None),
        ("ImageJ=1.53f\nunit=\\u00B5m", resolution([4, 1], 1), 0.25, None),
        ("ImageJ=1.53f\nunit=micron\nmin=0", resolution([4, 1], 1), 0.25, None),
        ("ImageJ=1.53f\nunit=um", resolution([2, 1], 2), 0.5, None),
        ("ImageJ=1.53f\nunit=mm", resolution([4000, 1], 1), 0.25, None),
        ("ImageJ=1.53f\nunit=cm", resolution([40000, 1], 1), 0.25, None),
        ("ImageJ=1.53f\nunit=inch", resolution([72, 1], 2), None, None),
        ("ImageJ=1.53f\nunit=pixel", resolution([1, 1], 1), None, None),
        ("ImageJ=1.53f", resolution([40000, 1], 3), 0.25, None),
        (QPI.format("<Objective>20x</Objective>"), resolution([20000, 1], 3), 0.5, 20),
        (QPI.format("<ObjectiveName>UPlan 40x/0.9</ObjectiveName>"), resolution([20000, 1], 3), 0.5, 40),
        (QPI.format("<Magnification>20</Magnification><PixelSizeMicrons>0.496</PixelSizeMicrons>"), {}, 0.496, 20),
        (VIPS, resolution([1, 1], 3), 0.25, 40),
        ("plain", resolution([40000, 1], 3), 0.25, None),
        ("plain", resolution([101600, 1], 2), 0.25, None),
        ("plain", resolution([72, 1], 2), None, None),
        ("plain", resolution([0, 1], 3), None, None),
        ("plain", resolution([1, 0], 3), None, None),
        ("plain", resolution([40000, 1], 1), None, None),
    ],
)
def test_pixel_size_and_objective(text, tags, mpp, power, tmp_path):
    info = read(described(tmp_path / "a.tif", text, tags=tags))[1]
    assert info.mpp_x == info.mpp_y == (None if mpp is None else pytest.approx(mpp))
    assert info.objective_power == power


def test_what_the_user_says_comes_first(tmp_path):
    path = described(tmp_path / "a.tif", "x|AppMag = 40|MPP = 0.25")
    info = read(path, mpp=(0.3, 0.4), objective_power=10)[1]
    assert (info.mpp_x, info.mpp_y, info.objective_power) == (0.3, 0.4, 10)


def test_an_svs_whose_first_page_is_a_preview(tmp_path):
    text = "Aperio Image Library v12\r\n70x44 [0,0 70x44] (16x16) JPEG/RGB|AppMag = 40|MPP = 0.25"
    path = write(
        tmp_path / "a.svs",
        (SMALL, {"tile": (16, 16), "description": text}),
        (picture(), {"tile": (16, 16), "description": text}),
        (np.pad(picture(), ((0, 40), (0, 40), (0, 0))), {"description": "Aperio Image Library v12\r\nmacro 110x84"}),
    )
    pixels, info = read(path)
    np.testing.assert_array_equal(pixels, picture())
    assert (info.mpp_x, info.objective_power) == (0.25, 40)


def test_focal_planes_of_an_svs(tmp_path):
    text = "Aperio Image Library v12\r\n70x44 [0,0 70x44] (16x16) JPEG/RGB|AppMag = 40|MPP = 0.25|OffsetZ = {}"
    pages = [(page, {"tile": (16, 16), "description": text.format(z)}) for z, page in enumerate([picture(), OTHER])]
    path = write(tmp_path / "a.svs", *pages)
    pixels, info = read(path)
    np.testing.assert_array_equal(pixels, picture())
    assert "2 pictures of 70x44 px" in info.notes[0]
    np.testing.assert_array_equal(read(path, image=1)[0], OTHER)


# --- pictures through libvips -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_orientation(suffix, orientation, tmp_path):
    image = pyvips.Image.new_from_array(picture()).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    options = {".webp": {"lossless": True}, ".jpg": {"Q": 98, "subsample_mode": "off"}}.get(suffix, {})
    image.write_to_file(str(tmp_path / f"a{suffix}"), **options)
    pillow = pytest.importorskip("PIL.Image")
    ops = pytest.importorskip("PIL.ImageOps")
    with pillow.open(tmp_path / f"a{suffix}") as again:
        expected = np.asarray(ops.exif_transpose(again).convert("RGB"))
    pixels, _ = read(tmp_path / f"a{suffix}")
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 2


def test_pages_of_a_gif(tmp_path):
    frames = np.concatenate([picture() // 64 * 64, OTHER // 64 * 64])
    image = pyvips.Image.new_from_array(frames).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "page-height", 44)
    image.write_to_file(str(tmp_path / "a.gif"), effort=1, dither=0)
    pixels, info = read(tmp_path / "a.gif")
    assert pixels.shape == (44, 70, 3)
    assert "2 pictures of 70x44 px" in info.notes[0]
    second, info = read(tmp_path / "a.gif", image=1)
    assert np.abs(second.astype(int) - pixels).max() > 50
    assert info.image == 1


def test_a_picture_with_a_gray_profile(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    data = bytearray(
        pytest.importorskip("PIL.ImageCms")
        .ImageCmsProfile(pytest.importorskip("PIL.ImageCms").createProfile("sRGB"))
        .tobytes()
    )
    pillow.fromarray(picture()).save(tmp_path / "rgb.png", icc_profile=bytes(data))
    assert read(tmp_path / "rgb.png")[1].icc_profile == bytes(data)
    data[16:20] = b"GRAY"
    pillow.fromarray(picture(1)[..., 0]).save(tmp_path / "gray.png", icc_profile=bytes(data))
    info = read(tmp_path / "gray.png")[1]
    assert info.icc_profile is None
    assert "for GRAY" in info.notes[0]


def test_the_only_picture_may_be_named_by_number(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    pillow.fromarray(picture()).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png", image="0")[0], picture())
    refuse(tmp_path / "a.png", "no picture(s) '1'", image=1)


def test_a_sub_ifd_that_leads_nowhere(tmp_path):
    pixels = picture()
    tags = basic_tags(pixels, photometric=2, rows=44) | {330: (LONG, [7_000_000])}
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, [pixels.tobytes()])])
    np.testing.assert_array_equal(read(path)[0], pixels)


def test_validate_compares_with_the_picture_that_was_chosen(tmp_path):
    from click.testing import CliRunner

    from rrip_format.cli import main

    path, target = tmp_path / "a.tif", str(tmp_path / "a.rrip.zarr")
    write(path, (picture(), {}), (OTHER, {}))
    done = CliRunner().invoke(main, ["convert", str(path), target, "-q", "95"])
    assert "note: the source holds 2 pictures of 70x44 px" in done.output
    done = CliRunner().invoke(main, ["convert", str(path), target, "-q", "95", "--image", "1", "--overwrite"])
    assert (done.exit_code, "note" in done.output) == (0, False)
    done = CliRunner().invoke(main, ["validate", target, "--source", str(path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output.splitlines()[-1])["source"]["psnr_y"] > 30
    done = CliRunner().invoke(main, ["convert", str(path), str(tmp_path / "b.rrip.zarr"), "--image", "5"])
    assert done.exit_code == 1
    assert not (tmp_path / "b.rrip.zarr").exists()
