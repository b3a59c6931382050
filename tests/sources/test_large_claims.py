"""Small files that say they are large."""

from __future__ import annotations

import io
import struct
import tracemalloc

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from raw_tiff import ASCII, LONG, Page, basic_tags, write_raw_tiff
from tiff_readers import picture
from wsi_dicom import write_dicom

import rrip_format
from rrip_format.errors import SourceError
from rrip_format.second_reader.check import check_source
from rrip_format.sources import open_source

LARGE = imagecodecs.jpeg2k_encode(np.zeros((4000, 4000, 3), np.uint8), level=0, codecformat="j2k")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["tiff", "dicom"])
def test_a_tile_of_jpeg_2000_that_is_larger_than_its_place(kind, tmp_path, monkeypatch):
    path = tmp_path / "a"
    if kind == "tiff":
        tags = basic_tags(picture(), photometric=2, compression=34712, rows=44)
        write_raw_tiff(path, [Page(tags, [LARGE])])
    else:
        write_dicom(path, syntax="1.2.840.10008.1.2.4.90", photometric="YBR_RCT", encode=lambda *_: LARGE)
    monkeypatch.setattr(imagecodecs, "jpeg2k_decode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(SourceError, match="a JPEG 2000 tile of 4000x4000 px, expected at most"):
        open_source(path)


@pytest.mark.parametrize("kind", ["png", "jpegxl", "lerc", "jpegxr"])
def test_tiles_of_more_bits_than_the_tags_say(kind, tmp_path):
    """The low bytes would be shown."""
    code = {"png": 34933, "jpegxl": 50002, "lerc": 34887, "jpegxr": 34934}[kind]
    deep = picture().astype(np.uint16) * 200
    options = {"lossless": True} if kind == "jpegxl" else {}
    stream = getattr(imagecodecs, f"{kind}_encode")(deep, **options)
    tags = basic_tags(picture(), photometric=2, compression=code, rows=44)
    path = write_raw_tiff(tmp_path / "a.tif", [Page(tags, [stream])])
    with pytest.raises(SourceError, match="samples of uint16, expected 8 bits"):
        open_source(path)


SIZED = {"png": 34933, "webp": 50001, "jpegxl": 50002, "jpegxr": 34934, "lerc": 34887}


@pytest.mark.parametrize("kind", [*SIZED, "jpegls", "ljpeg", "rle"])
@pytest.mark.parametrize("side", ["height", "width", "both"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_tile_that_says_to_be_larger_than_its_place(kind, side, tmp_path):
    """It is refused by its header: none of its pixels is decoded, and memory is not taken for them."""
    path = tmp_path / "a"
    shape = {"height": (40000, 70, 3), "width": (44, 60000, 3), "both": (2000, 2000, 3)}[side]
    if kind in SIZED:
        if kind == "webp":
            shape = tuple(min(size, 16000) for size in shape)
        options = {"effort": 1} if kind == "jpegxl" else {}
        stream = getattr(imagecodecs, f"{kind}_encode")(np.zeros(shape, np.uint8), **options)
        write_raw_tiff(path, [Page(basic_tags(picture(), photometric=2, compression=SIZED[kind], rows=44), [stream])])
    else:
        gray = np.zeros(shape[:2], np.uint8)
        if kind == "rle":
            stream = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * (gray.size // 128)  # runs of 128
        else:
            stream = getattr(imagecodecs, f"{kind}_encode")(gray)
        syntax = {"jpegls": "1.2.840.10008.1.2.4.80", "ljpeg": "1.2.840.10008.1.2.4.70", "rle": "1.2.840.10008.1.2.5"}
        write_dicom(path, syntax=syntax[kind], photometric="MONOCHROME2", encode=lambda *_: stream)
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match=r"expected|TOO_SMALL"):
            open_source(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 << 20


@pytest.mark.parametrize("progressive", [False, True])
def test_a_small_jpeg_that_says_to_be_large(progressive, tmp_path):
    """A progressive one would take 6 bytes for each pixel before the first code is read."""
    out = io.BytesIO()
    Image.fromarray(picture()).save(out, "JPEG", progressive=progressive)
    stream = out.getvalue()
    at = stream.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    path = tmp_path / "a.jpg"
    path.write_bytes(stream[:at] + b"\x7f\xf0\x7f\xf0" + stream[at + 4 :])
    with pytest.raises(SourceError, match="32752x32752 px, for which"):
        open_source(path)


@pytest.mark.parametrize("sizes", [(10**8, 10**5, 1), (1, 10**9, 1), (100, 100, 20), ("9" * 40, 1, 1)])
def test_ome_xml_that_speaks_of_many_planes(sizes, tmp_path):
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels DimensionOrder="XYCZT" '
        'Type="uint8" SizeX="70" SizeY="44" SizeC="3" SizeZ="{}" SizeT="{}"><Channel SamplesPerPixel="3"/><TiffData/>'
        "</Pixels></Image></OME>"
    ).format(*sizes)
    images = text.replace("</OME>", "") + text[text.index("<Image") : text.index("</OME>")] * (sizes[2] - 1) + "</OME>"
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, picture(), photometric="rgb", metadata=None, description=images)
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="planes, limit 30000"):
            open_source(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize("name", ["thumbnail", "macro", "label"])
def test_an_associated_image_that_says_to_be_large(name, tmp_path):
    image = (
        '<Image Name="{}"><Pixels DimensionOrder="XYCZT" Type="uint8" SizeX="{}" SizeY="{}" SizeC="3" SizeZ="1" '
        'SizeT="1"><Channel SamplesPerPixel="3"/><TiffData IFD="{}"/></Pixels></Image>'
    )
    images = image.format("slide", 70, 44, 0) + image.format(name, 60000, 60000, 1)
    text = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{images}</OME>\0'
    slide = basic_tags(picture(), photometric=2, rows=44) | {270: (ASCII, text.encode())}
    small = basic_tags(picture(), photometric=2, rows=60000, compression=8)
    small |= {256: (LONG, [60000]), 257: (LONG, [60000])}
    path = tmp_path / "a.ome.tif"
    write_raw_tiff(path, [Page(slide, [picture().tobytes()]), Page(small, [imagecodecs.zlib_encode(bytes(100))])])
    with open_source(path) as source, pytest.raises(SourceError, match="10800000000 bytes, limit"):
        source.associated()[name]()


@pytest.mark.parametrize("size", [1e-12, 1e9])
@pytest.mark.parametrize("kind", ["ome", "keyed", "dicom"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_pixel_size_that_no_slide_has(kind, size, tmp_path):
    path = tmp_path / "a"
    if kind == "ome":
        metadata = {"axes": "YXS", "PhysicalSizeX": size, "PhysicalSizeY": 0.5}
        tifffile.imwrite(path, picture(), ome=True, metadata=metadata, photometric="rgb")
    elif kind == "keyed":
        tifffile.imwrite(path, picture(), photometric="rgb", metadata=None, description=f"|MPP = {size}|")
    else:

        def change(dataset):
            measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
            measures.PixelSpacing = [size / 1000, 0.0005]

        write_dicom(path, change=change)
    rrip_format.convert(path, tmp_path / "a.rrip.tif")
    with rrip_format.open(tmp_path / "a.rrip.tif") as slide:
        assert slide.mpp is None
    with open_source(path) as source:
        assert any(f"{size:g}" in note and "which is left out" in note for note in source.info.notes)
    with open_source(path, mpp=0.25) as source:
        assert (source.info.mpp_x, source.info.mpp_y) == (0.25, 0.25)


@pytest.mark.filterwarnings("error")
def test_a_picture_that_pillow_thinks_large(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 44 * 70 - 1)
    Image.fromarray(picture()).save(tmp_path / "a.png")
    with open_source(tmp_path / "a.png") as source:
        assert check_source(source).reader == "Pillow"
