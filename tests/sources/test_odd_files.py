"""Files that programs write and bug reports are about: read right, with the second reader's consent, or refused."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
import tifffile
from raw_tiff import SHORT, Page, basic_tags, segments_of, write_raw_tiff
from tiff_readers import picture

from rrip_format.errors import SourceError
from rrip_format.second_reader.check import check_source
from rrip_format.sources import open_source

OTHER = 255 - np.kron(picture(), np.ones((2, 2, 1), np.uint8))
QPTIFF = (
    "<?xml version='1.0'?><PerkinElmer-QPI-ImageDescription><ImageType>{}</ImageType>"
    "</PerkinElmer-QPI-ImageDescription>"
)
OME = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="{}" Type="uint8" SizeX="70" SizeY="44" SizeZ="1" '
    'SizeC="3" SizeT="1">{}{}</Pixels></Image></OME>'
)
CHANNELS = "".join(f'<Channel ID="Channel:0:{k}" Name="{name}"/>' for k, name in enumerate(("red", "green", "blue")))


def read(path):
    with open_source(path) as source:
        assert check_source(source)  # raises where they differ
        return source.read(0, 0, source.info.height, source.info.width)


@pytest.mark.parametrize("kind", ["Overview", "Label"])
def test_a_qptiff_whose_associated_image_is_larger(kind, tmp_path):
    path = tmp_path / "a.qptiff"
    with tifffile.TiffWriter(path) as tif:
        options = {"photometric": "rgb", "metadata": None}
        tif.write(picture(), description=QPTIFF.format("FullResolution"), tile=(16, 16), **options)
        tif.write(OTHER, description=QPTIFF.format(kind), **options)
    np.testing.assert_array_equal(read(path), picture())


@pytest.mark.parametrize("axes", ["XYCZT", "XYZCT"])
@pytest.mark.parametrize("places", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_ome_planes_in_any_order(places, axes, tmp_path):
    """The XML says which page is red, not their order."""
    data = "".join(f'<TiffData IFD="{places[k]}" FirstC="{k}" PlaneCount="1"/>' for k in range(3))
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as tif:
        for number in range(3):
            text = OME.format(axes, CHANNELS, data) if number == 0 else None
            plane = picture()[..., places.index(number)]
            tif.write(plane, photometric="minisblack", metadata=None, description=text)
    np.testing.assert_array_equal(read(path), picture())


@pytest.mark.parametrize("data", ['<TiffData IFD="0"/>', '<TiffData IFD="0" PlaneCount="2"/>'])
def test_ome_planes_that_are_nowhere(data, tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as tif:
        for number in range(3):
            text = OME.format("XYCZT", CHANNELS, data) if number == 0 else None
            tif.write(picture()[..., number], photometric="minisblack", metadata=None, description=text)
    with pytest.raises(SourceError, match=r"of which [12] lie in other files of the same set or nowhere"):
        read(path)


@pytest.mark.parametrize("compression", [1, 5, 8, 34712, 50001])
@pytest.mark.parametrize("side", [(16, 32), (24, 40), (17, 33), (44, 70), (100, 100)])
def test_tiles_of_any_side_whole_or_cut(side, compression, tmp_path):
    """Some writers store the tiles of the right and the lower edge cut; the tags do not say so, and only JPEG does."""
    encode = {
        1: lambda part: part.tobytes(),
        5: lambda part: imagecodecs.lzw_encode(part.tobytes()),
        8: lambda part: imagecodecs.zlib_encode(part.tobytes()),
        34712: lambda part: imagecodecs.jpeg2k_encode(part, level=0, codecformat="j2k"),
        50001: lambda part: imagecodecs.webp_encode(part, lossless=True),
    }[compression]
    tags = basic_tags(picture(), photometric=2, compression=compression, tile=side)
    path = tmp_path / "a.tif"
    write_raw_tiff(path, [Page(tags, [encode(part) for part in segments_of(picture(), side, None)], is_tiled=True)])
    np.testing.assert_array_equal(read(path), picture())
    places = [(y, x) for y in range(0, 44, side[0]) for x in range(0, 70, side[1])]
    cut = [np.ascontiguousarray(picture()[y : y + side[0], x : x + side[1]]) for y, x in places]
    write_raw_tiff(path, [Page(tags, [encode(part) for part in cut], is_tiled=True)])
    try:
        np.testing.assert_array_equal(read(path), picture())
    except SourceError as error:
        assert "expected" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize("behind", [b"\0", bytes(100), b"x", b"\xff\xd8\xff"])
def test_bytes_behind_a_jpeg_tile(behind, tmp_path):
    """Zeros pad it; anything else may be the rest of another tile."""
    stream = imagecodecs.jpeg8_encode(picture(), level=90)
    tags = basic_tags(picture(), photometric=6, compression=7, rows=44) | {530: (SHORT, [2, 2])}
    truth = read(write_raw_tiff(tmp_path / "a.tif", [Page(tags, [stream])]))
    write_raw_tiff(tmp_path / "a.tif", [Page(tags, [stream + behind])])
    if not behind.strip(b"\0"):
        np.testing.assert_array_equal(read(tmp_path / "a.tif"), truth)
        return
    with pytest.raises(SourceError, match=f"{len(behind)} bytes follow its end marker"):
        read(tmp_path / "a.tif")
