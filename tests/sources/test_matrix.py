"""Every way to store a picture in a TIFF that we could think of: right, or refused with the reason.

What is right is known twice: the pictures are made here, and libtiff (through libvips or Pillow) or tifffile read them
too, as far as they can.
"""

from __future__ import annotations

import itertools
import zlib

import imagecodecs
import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms
from raw_tiff import ASCII, RATIONAL, SHORT, UNDEFINED, Page, basic_tags, pack_bits, segments_of, write_raw_tiff
from tiff_readers import HEIGHT, WIDTH, picture, readers
from versions import skip_below

from rrip_format.errors import SourceError
from rrip_format.sources import open_source

TILE, ROWS = (16, 32), 20
WHITE0, BLACK0, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
BYTES = {
    "none": (1, lambda data: data),
    "lzw": (5, imagecodecs.lzw_encode),
    "deflate": (8, zlib.compress),
    "old-deflate": (32946, zlib.compress),
    "packbits": (32773, imagecodecs.packbits_encode),
    "lzma": (34925, imagecodecs.lzma_encode),
    "zstd": (50000, imagecodecs.zstd_encode),
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def read(path, **options):
    with open_source(path, **options) as source:
        return source.read(0, 0, source.info.height, source.info.width), source.info


def check(path, truth, tolerance=0, *, witness=True):
    """Ours is the truth, and what at least one other library reads, if one does."""
    pixels, info = read(path)
    assert pixels.shape == truth.shape
    assert np.abs(pixels.astype(int) - truth).max() <= tolerance
    others = [np.abs(other.astype(int) - pixels).max() for other in readers(path) if other.shape == pixels.shape]
    if witness:
        assert others
        assert min(others) <= max(2, tolerance)
    return info


def refuse(path, *words):
    with pytest.raises(SourceError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert any(word in message for word in words), message
    return message


# --- A: compressions of bytes -----------------------------------------------------------------------------------------

CORE = [
    (name, predictor, photometric, planar, tiled, order, big)
    for name, predictor, photometric, planar, tiled, (order, big) in itertools.product(
        BYTES, (1, 2), (WHITE0, BLACK0, RGB, PALETTE), (False, True), (False, True), (("<", False), (">", True))
    )
    if (photometric == RGB or not planar) and (predictor == 1 or name not in {"none", "packbits"})
]


@pytest.mark.parametrize(("name", "predictor", "photometric", "planar", "tiled", "order", "big"), CORE)
def test_compressions_of_bytes(name, predictor, photometric, planar, tiled, order, big, tmp_path):
    samples = picture(3 if photometric == RGB else 1)
    code, encode = BYTES[name]
    tile, rows = (TILE, None) if tiled else (None, ROWS)
    tags = basic_tags(samples, photometric=photometric, compression=code, planar=planar, tile=tile, rows=rows)
    segments = segments_of(samples, tile, rows, planar=planar)
    if predictor == 2:
        tags[317] = (SHORT, [2])
        segments = [np.diff(segment, axis=1, prepend=np.uint8(0)) for segment in segments]
    truth = samples
    if photometric == PALETTE:
        colours = np.random.default_rng(1).integers(0, 65536, (3, 256))
        tags[320] = (SHORT, colours.ravel().tolist())
        truth = (colours >> 8).astype(np.uint8).T[samples[..., 0]]
    elif photometric == WHITE0:
        truth = 255 - samples
    truth = np.broadcast_to(truth, (HEIGHT, WIDTH, 3))
    page = Page(tags, [encode(segment.tobytes()) for segment in segments], tiled)
    # not every libtiff has these two, and tifffile gives no RGB of palettes
    witness = photometric in {BLACK0, RGB} or name not in {"lzma", "zstd"}
    check(write_raw_tiff(tmp_path / "a.tif", [page], byteorder=order, bigtiff=big), truth, witness=witness)


@pytest.mark.parametrize(("bits", "fill"), [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (16, 1)])
@pytest.mark.parametrize("photometric", [WHITE0, BLACK0, PALETTE])
@pytest.mark.parametrize("name", ["none", "lzw", "packbits", "deflate"])
@pytest.mark.parametrize("tiled", [False, True])
def test_bits(bits, photometric, name, tiled, fill, tmp_path):
    samples = picture(1) >> max(8 - bits, 0)
    tile, rows = (TILE, None) if tiled else (None, ROWS)
    code, encode = BYTES[name]
    tags = basic_tags(samples, photometric=photometric, compression=code, bits=bits, tile=tile, rows=rows)
    tags[266] = (SHORT, [fill])
    colours = np.random.default_rng(1).integers(0, 65536, (3, 1 << bits))
    if photometric == PALETTE:
        tags[320] = (SHORT, colours.ravel().tolist())
    packed = [encode(pack_bits(segment, bits)) for segment in segments_of(samples, tile, rows)]
    if fill == 2:
        packed = [imagecodecs.bitorder_decode(data) for data in packed]
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, packed, tiled)])
    if bits == 16:
        refuse(path, "16-bit samples")
        return
    if photometric == PALETTE:
        truth = (colours >> 8).astype(np.uint8).T[samples[..., 0]]
    else:
        gray = samples * np.uint8(255 // ((1 << bits) - 1))
        truth = np.repeat(gray if photometric == BLACK0 else 255 - gray, 3, -1)
    check(path, truth, witness=False)


@pytest.mark.parametrize("code", [2, 3, 4])
@pytest.mark.parametrize("photometric", [WHITE0, BLACK0])
def test_fax(code, photometric, tmp_path):
    """libtiff writes these; what it reads of them is the truth."""
    skip_below("imagecodecs", "2026.3", "decoding CCITT")
    skip_below("tifffile", "2026.3", "decoding CCITT")
    black = picture(1)[..., 0] > 127
    path = tmp_path / "fax.tif"
    image = Image.fromarray(black)
    name = {2: "tiff_ccitt", 3: "group3", 4: "group4"}[code]
    image.save(path, compression=name, tiffinfo={262: photometric})
    pixels, _ = read(path)
    with Image.open(path) as again:
        np.testing.assert_array_equal(pixels[..., 0], np.asarray(again.convert("L")))


# --- B: orientation ---------------------------------------------------------------------------------------------------

STORED = {
    "mapped": (1, "none", False, False),
    "strips": (1, "lzw", False, False),
    "tiles": (1, "deflate", True, False),
    "planes": (1, "deflate", True, True),
}


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", STORED)
def test_orientation(kind, orientation, tmp_path):
    _, name, tiled, planar = STORED[kind]
    samples = picture()
    tile, rows = (TILE, None) if tiled else (None, HEIGHT if kind == "mapped" else ROWS)
    tags = basic_tags(samples, photometric=RGB, compression=BYTES[name][0], planar=planar, tile=tile, rows=rows)
    tags |= {274: (SHORT, [orientation]), 282: (RATIONAL, [40000, 1]), 283: (RATIONAL, [20000, 1]), 296: (SHORT, [3])}
    segments = [BYTES[name][1](segment.tobytes()) for segment in segments_of(samples, tile, rows, planar=planar)]
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, segments, tiled)])
    turned = {
        2: samples[:, ::-1],
        3: samples[::-1, ::-1],
        4: samples[::-1],
        5: samples.swapaxes(0, 1),
        6: np.rot90(samples, -1),
        7: np.rot90(samples, 2).swapaxes(0, 1),
        8: np.rot90(samples),
    }.get(orientation, samples)
    info = check(path, turned, witness=orientation in range(1, 9))
    wide, tall = (0.5, 0.25) if orientation in {5, 6, 7, 8} else (0.25, 0.5)
    assert (info.mpp_x, info.mpp_y) == (pytest.approx(wide), pytest.approx(tall))
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(7, 11, 20, 25), turned[7:27, 11:36])


# --- C: extra samples -------------------------------------------------------------------------------------------------

EXTRA = [
    *[
        (colours, extra, declared)
        for colours in (1, 3)
        for extra in ((0,), (1,), (2,), (0, 2), (2, 0))
        for declared in (1,)
    ],
    (3, (0,), 0),
    (1, (0,), 0),
    (3, (0, 0), 1),
]


@pytest.mark.parametrize(("colours", "extra", "declared"), EXTRA)
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("name", ["none", "deflate"])
def test_extra_samples(colours, extra, declared, tiled, planar, name, tmp_path):
    colour = picture(colours)
    alpha = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    alpha[:, 30:] = 255
    if 1 in extra:
        colour = np.where(alpha > 0, colour, 0).astype(np.uint8)
    parts = [alpha if kind in {1, 2} else np.zeros_like(alpha) for kind in extra]
    samples = np.concatenate([colour, *parts], -1)
    tile, rows = (TILE, None) if tiled else (None, ROWS)
    code, encode = BYTES[name]
    photometric = RGB if colours == 3 else BLACK0
    tags = basic_tags(
        samples, photometric=photometric, compression=code, planar=planar, tile=tile, rows=rows, extra=extra * declared
    )
    segments = [encode(segment.tobytes()) for segment in segments_of(samples, tile, rows, planar=planar)]
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, segments, tiled)])
    seen = np.where(alpha > 0, colour, 255) if {1, 2} & set(extra) else colour
    truth = np.broadcast_to(seen, (HEIGHT, WIDTH, 3))
    info = check(path, truth.astype(np.uint8), witness=False)
    assert any("unknown kind" in note for note in info.notes) == (0 in extra)


def test_extra_samples_that_make_no_sense(tmp_path):
    for samples, photometric, extra in ((4, RGB, (1, 2)), (5, RGB, (1, 2)), (3, BLACK0, ()), (2, RGB, ())):
        data = np.zeros((HEIGHT, WIDTH, samples), np.uint8)
        tags = basic_tags(data, photometric=photometric, rows=HEIGHT, extra=extra)
        refuse(write_raw_tiff(tmp_path / "a.tif", [Page(tags, [data.tobytes()])]), "sample(s) a pixel", "two alpha")


# --- D: JPEG ----------------------------------------------------------------------------------------------------------


def jpeg(segment, *, rgb, markers, subsampling):
    """A stream in RGB or YCbCr with the markers of JFIF, of Adobe, or without."""
    space = "RGB" if rgb else "YCBCR"
    data = imagecodecs.jpeg8_encode(segment, level=97, colorspace="RGB", outcolorspace=space, subsampling=subsampling)
    body = data[2:]
    while body[1] in {0xE0, 0xEE}:  # what libjpeg writes by itself
        body = body[2 + int.from_bytes(body[2:4], "big") :]
    if rgb and markers != "adobe":  # libjpeg names the components R, G, B
        body = body.replace(b"\x52\x11\x00\x47\x11\x00\x42\x11\x00", b"\x01\x11\x00\x02\x11\x00\x03\x11\x00")
        body = body.replace(b"\x03\x52\x00\x47\x00\x42\x00", b"\x03\x01\x00\x02\x00\x03\x00")
    head = {
        "jfif": b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0",
        "adobe": b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0" + (b"\0" if rgb else b"\x01"),
        "bare": b"",
    }[markers]
    return b"\xff\xd8" + head + body


JPEGS = [
    (tag, rgb, markers, subsampling, tiled)
    for tag, (rgb, markers), subsampling, tiled in itertools.product(
        (RGB, YCBCR),
        ((False, "jfif"), (False, "adobe"), (False, "bare"), (True, "adobe"), (True, "bare")),
        ("444", "422", "420", "411", "440"),
        (False, True),
    )
    if not rgb or subsampling == "444"
]


@pytest.mark.parametrize(("tag", "rgb", "markers", "subsampling", "tiled"), JPEGS)
def test_jpeg_colours(tag, rgb, markers, subsampling, tiled, tmp_path):
    samples = picture()
    tile, rows = (TILE, None) if tiled else (None, 16)
    tags = basic_tags(samples, photometric=tag, compression=7, tile=tile, rows=rows)
    across, down = {"444": (1, 1), "422": (2, 1), "420": (2, 2), "411": (4, 1), "440": (1, 2)}[subsampling]
    tags[530] = (SHORT, [across, down])
    streams = [
        jpeg(np.ascontiguousarray(segment), rgb=rgb, markers=markers, subsampling=subsampling)
        for segment in segments_of(samples, tile, rows)
    ]
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, streams, tiled)])
    if markers == "bare" and subsampling == "444" and rgb == (tag == YCBCR):
        pixels, _ = read(path)  # nothing but the tag tells: as others read it
        assert min(np.abs(other.astype(int) - pixels).max() for other in readers(path)) <= 2
        return
    pixels, _ = read(path)
    whole = imagecodecs.jpeg8_decode(
        jpeg(samples, rgb=rgb, markers="adobe" if rgb else "jfif", subsampling=subsampling)
    )
    error = np.abs(pixels.astype(int) - samples)
    assert error.mean() <= np.abs(whole.astype(int) - samples).mean() * 1.5 + 1
    if (tag == RGB) == rgb:
        assert min(np.abs(other.astype(int) - pixels).max() for other in readers(path)) <= 2


def test_jpeg_of_other_components(tmp_path):
    gray = picture(1)
    tags = basic_tags(picture(), photometric=RGB, compression=7, rows=HEIGHT)
    stream = imagecodecs.jpeg8_encode(gray[..., 0], level=90)
    refuse(write_raw_tiff(tmp_path / "a.tif", [Page(tags, [stream])]), "1 component(s) of 8 bits, expected 3")
    tags = basic_tags(gray, photometric=BLACK0, compression=7, rows=HEIGHT)
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, [stream])])
    check(path, np.repeat(gray, 3, -1), tolerance=24)
    stream = imagecodecs.jpeg8_encode(picture(4), level=90, colorspace="CMYK", outcolorspace="CMYK")
    tags = basic_tags(picture(4), photometric=RGB, compression=7, rows=HEIGHT, extra=(2,))
    refuse(write_raw_tiff(tmp_path / "a.tif", [Page(tags, [stream])]), "Adobe's marker")


# --- E: YCbCr that is not JPEG ----------------------------------------------------------------------------------------


def ycbcr_units(rgb, across, down):
    """Data units of TIFF 6.0, section 21, of constant chroma in each block; and the YCbCr samples they stand for."""
    height, width = rgb.shape[:2]
    padded = np.pad(rgb, ((0, -height % down), (0, -width % across), (0, 0)), mode="edge")
    ycc = np.asarray(Image.fromarray(padded).convert("YCbCr")).copy()
    blocks = ycc.reshape(ycc.shape[0] // down, down, ycc.shape[1] // across, across, 3)
    blocks[..., 1:] = blocks[:, :1, :, :1, 1:]
    luma = blocks[..., 0].swapaxes(1, 2).reshape(blocks.shape[0], blocks.shape[2], -1)
    units = np.concatenate([luma, blocks[:, 0, :, 0, 1:]], -1)
    back = Image.fromarray(np.ascontiguousarray(blocks.reshape(ycc.shape)), "YCbCr").convert("RGB")
    return units.tobytes(), np.asarray(back)[:height, :width]


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("across", [1, 2, 4])
@pytest.mark.parametrize("down", [1, 2, 4])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("name", ["none", "lzw", "deflate"])
def test_plain_ycbcr(across, down, tiled, name, tmp_path):
    samples = picture()
    tile, rows = (TILE, None) if tiled else (None, ROWS)
    code, encode = BYTES[name]
    tags = basic_tags(samples, photometric=YCBCR, compression=code, tile=tile, rows=rows)
    tags[530] = (SHORT, [across, down])
    parts = [ycbcr_units(np.ascontiguousarray(part), across, down) for part in segments_of(samples, tile, rows)]
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, [encode(data) for data, _ in parts], tiled)])
    truth = np.zeros((64, 96, 3), np.uint8)
    for index, (_, part) in enumerate(parts):
        y, x = (index // 3 * TILE[0], index % 3 * TILE[1]) if tiled else (index * ROWS, 0)
        truth[y : y + part.shape[0], x : x + part.shape[1]] = part
    check(path, truth[:HEIGHT, :WIDTH], tolerance=2, witness=False)


# --- F: JPEG 2000 and other pictures ----------------------------------------------------------------------------------


def jpeg2000(pixels, *, mct, jp2, mode="RGB"):
    import io

    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if mode == "YCbCr":
        image = image.convert("YCbCr")
    image.save(out, "JPEG2000", mct=mct, no_jp2=not jp2, irreversible=False)
    return out.getvalue()


@pytest.mark.parametrize("compression", [33003, 33005, 34712])
@pytest.mark.parametrize("tag", [RGB, YCBCR])
@pytest.mark.parametrize("mct", [0, 1])
@pytest.mark.parametrize("jp2", [False, True])
@pytest.mark.parametrize("tiled", [False, True])
def test_jpeg_2000_colours(compression, tag, mct, jp2, tiled, tmp_path):
    """With the stream's own transform it is RGB; without it and outside JP2 only the container tells."""
    samples = picture()
    is_ycc = not mct and not jp2 and (compression == 33003 or tag == YCBCR)
    tile, rows = (TILE, None) if tiled else (None, ROWS)
    stored = samples
    if is_ycc:
        stored = np.asarray(Image.fromarray(samples).convert("YCbCr"))
    tags = basic_tags(samples, photometric=tag, compression=compression, tile=tile, rows=rows)
    if compression == 33003:
        tags[270] = (ASCII, b"Aperio Image Library v12\0")
    streams = [jpeg2000(segment, mct=mct, jp2=jp2) for segment in segments_of(stored, tile, rows)]
    check(write_raw_tiff(tmp_path / "a.tif", [Page(tags, streams, tiled)]), samples, 3, witness=False)


OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels '
    f'ID="P" DimensionOrder="XYCZT" Type="uint8" SizeX="{WIDTH}" SizeY="{HEIGHT}" SizeC="3" SizeZ="1" SizeT="1">'
    '<Channel SamplesPerPixel="3"/><TiffData/></Pixels></Image></OME>'
)


@pytest.mark.parametrize("description", ["", OME, "ImageJ=\nimages=1", "an Aperio file"])
@pytest.mark.parametrize("tag", [RGB, YCBCR])
@pytest.mark.parametrize("mct", [0, 1])
@pytest.mark.parametrize("jp2", [False, True])
def test_jpeg_2000_of_aperios_number_by_others(description, tag, mct, jp2, tmp_path):
    """Bio-Formats writes RGB under 33003, which is YCbCr in files of Aperio."""
    samples = picture()
    stored = np.asarray(Image.fromarray(samples).convert("YCbCr")) if tag == YCBCR and not mct and not jp2 else samples
    tags = basic_tags(samples, photometric=tag, compression=33003, tile=TILE) | {
        270: (ASCII, description.encode() + b"\0")
    }
    streams = [jpeg2000(segment, mct=mct, jp2=jp2) for segment in segments_of(stored, TILE, None)]
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, streams, is_tiled=True)])
    if tag == RGB and not mct and not jp2 and description != OME:
        refuse(path, "nothing says by whom it is")
    else:
        check(path, samples, 3, witness=False)


@pytest.mark.parametrize("name", ["webp", "jpegxl", "png", "jpegxr"])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("photometric", [RGB, YCBCR])
def test_codecs_of_pictures(name, tiled, photometric, tmp_path):
    code = {"webp": 50001, "jpegxl": 50002, "png": 34933, "jpegxr": 34934}[name]
    samples = picture()
    tile, rows = (TILE, None) if tiled else (None, ROWS)
    options = {"lossless": True} if name in {"webp", "jpegxl"} else {}
    encode = getattr(imagecodecs, f"{name}_encode")
    tags = basic_tags(samples, photometric=photometric, compression=code, tile=tile, rows=rows)
    streams = [encode(np.ascontiguousarray(segment), **options) for segment in segments_of(samples, tile, rows)]
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, streams, tiled)])
    if photometric == YCBCR:
        refuse(path, "YCBCR with compression")
        return
    check(path, samples, tolerance=2 if name == "jpegxr" else 0)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize(("kind", "see_through"), [(0, ()), (2, ()), (2, (0,)), (2, (1, 2)), (2, range(9))])
def test_webp_that_is_opaque_in_some_tiles(tiled, kind, see_through, tmp_path):
    """WebP keeps no alpha of a tile that is opaque everywhere."""
    tile, rows = (TILE, None) if tiled else (None, ROWS)
    samples = np.dstack([picture(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    parts = [np.ascontiguousarray(part) for part in segments_of(samples, tile, rows)]
    truth = samples[..., :3].copy()
    for index in (k for k in see_through if k < len(parts)):
        parts[index][..., 3] = 0
        y, x = (index // 3 * TILE[0], index % 3 * TILE[1]) if tiled else (index * ROWS, 0)
        truth[y : y + parts[index].shape[0], x : x + parts[index].shape[1]] = 255
    tags = basic_tags(samples, photometric=RGB, compression=50001, tile=tile, rows=rows) | {338: (SHORT, [kind])}
    streams = [imagecodecs.webp_encode(part, lossless=True) for part in parts]
    check(write_raw_tiff(tmp_path / "a.tif", [Page(tags, streams, tiled)]), truth, witness=False)


# --- G: inks and profiles ---------------------------------------------------------------------------------------------


def profile(space):
    """The head of a profile, which is all that is looked at; for inks a real one of libvips."""
    if space == "CMYK":
        image = pyvips.Image.black(8, 8, bands=4).copy(interpretation="cmyk")
        return pyvips.Image.new_from_buffer(image.tiffsave_buffer(profile="cmyk"), "").get("icc-profile-data")
    data = bytearray(SRGB)
    data[16:20] = space.ljust(4).encode()
    return bytes(data)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("planar", [False, True])
def test_inks(tiled, planar, tmp_path):
    samples = picture(4)
    samples[..., 3] //= 3
    tile, rows = (TILE, None) if tiled else (None, ROWS)
    tags = basic_tags(samples, photometric=CMYK, compression=8, planar=planar, tile=tile, rows=rows)
    segments = [zlib.compress(segment.tobytes()) for segment in segments_of(samples, tile, rows, planar=planar)]
    refuse(write_raw_tiff(tmp_path / "a.tif", [Page(tags, segments, tiled)]), "without an ICC profile")
    tags[34675] = (UNDEFINED, profile("RGB"))
    refuse(write_raw_tiff(tmp_path / "a.tif", [Page(tags, segments, tiled)]), "without an ICC profile")
    tags[34675] = (UNDEFINED, profile("CMYK"))
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, segments, tiled)])
    pixels, info = read(path)
    inks = pyvips.Image.new_from_array(samples).copy(interpretation="cmyk")
    inks.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile("CMYK"))
    expected = inks.icc_transform("srgb", embedded=True).numpy()
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    assert info.icc_profile is None


@pytest.mark.parametrize("space", ["RGB", "GRAY", "CMYK", "Lab"])
@pytest.mark.parametrize("photometric", [RGB, BLACK0])
def test_only_a_profile_of_rgb_stays(space, photometric, tmp_path):
    samples = picture(3 if photometric == RGB else 1)
    tags = basic_tags(samples, photometric=photometric, rows=HEIGHT) | {34675: (UNDEFINED, profile(space))}
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, [samples.tobytes()])])
    info = check(path, np.broadcast_to(samples, (HEIGHT, WIDTH, 3)))
    assert info.icc_profile == (profile("RGB") if space == "RGB" else None)
    assert bool(info.notes) == (space != "RGB")


# --- H: refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({262: (SHORT, [LAB])}, "photometric CIELAB, which is not supported"),
        ({262: (SHORT, [32845])}, "photometric LOGLUV, which is not supported"),
        ({259: (SHORT, [34676])}, "compression SGILOG, which is not supported"),
        ({259: (SHORT, [6])}, "compression OJPEG, which is not supported"),
        ({339: (SHORT, [2, 2, 2])}, "8-bit samples (int8)"),
        ({339: (SHORT, [3, 3, 3])}, "8-bit samples"),
        ({258: (SHORT, [5, 6, 5])}, "(5, 6, 5)-bit samples"),
        ({258: (SHORT, [16, 16, 16])}, "16-bit samples"),
        ({317: (SHORT, [2])}, "Predictor 2 with compression NONE"),
        ({32997: (SHORT, [2])}, "a volume of 2 planes"),
        ({262: (ASCII, b"x\0")}, "tag 262"),
        ({266: (SHORT, [3])}, "FillOrder 3"),
        ({256: (SHORT, [WIDTH - 1])}, "bytes"),
        ({257: (SHORT, [HEIGHT - 1])}, "bytes"),
        ({284: (SHORT, [2])}, "tile offsets"),
    ],
)
def test_what_is_refused_has_its_reason(change, words, tmp_path):
    samples = picture()
    tags = basic_tags(samples, photometric=RGB, rows=HEIGHT) | change
    refuse(write_raw_tiff(tmp_path / "a.tif", [Page(tags, [samples.tobytes()])]), words)


def test_no_photometric_interpretation_is_not_guessed(tmp_path):
    samples = picture(1)
    tags = basic_tags(samples, photometric=BLACK0, rows=HEIGHT)
    del tags[262]
    refuse(write_raw_tiff(tmp_path / "a.tif", [Page(tags, [samples.tobytes()])]), "no PhotometricInterpretation")


# --- all the way ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["turned", "jpeg that says otherwise", "palette", "plain ycbcr"])
def test_the_whole_way(kind, tmp_path):
    """What a source gives is what the container holds."""
    import rrip_format

    samples = picture(1 if kind == "palette" else 3)
    if kind == "turned":
        page = Page(basic_tags(samples, photometric=RGB, rows=HEIGHT) | {274: (SHORT, [6])}, [samples.tobytes()])
    elif kind == "palette":
        tags = basic_tags(samples, photometric=PALETTE, rows=HEIGHT)
        page = Page(tags | {320: (SHORT, list(range(0, 65536, 256)) * 3)}, [samples.tobytes()])
    elif kind == "plain ycbcr":
        tags = basic_tags(samples, photometric=YCBCR, rows=HEIGHT) | {530: (SHORT, [1, 1])}
        page = Page(tags, [np.asarray(Image.fromarray(samples).convert("YCbCr")).tobytes()])
    else:
        stream = jpeg(samples, rgb=False, markers="jfif", subsampling="420")
        page = Page(basic_tags(samples, photometric=RGB, compression=7, rows=HEIGHT), [stream])
    path = write_raw_tiff(tmp_path / "a.tif", [page])
    rrip_format.convert(path, tmp_path / "a.rrip.zarr", quality=95)
    stored = rrip_format.imread(tmp_path / "a.rrip.zarr")
    truth = np.rot90(samples, -1) if kind == "turned" else np.broadcast_to(samples, (HEIGHT, WIDTH, 3))
    assert stored.shape == truth.shape
    assert np.abs(stored.astype(int) - truth).mean() < 4
