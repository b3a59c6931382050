"""Stacks, channels and arrays whose description is not that of their pixels."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile
from tiff_readers import picture

import rrip_format
from rrip_format.errors import SourceError
from rrip_format.second_reader.check import check_source
from rrip_format.sources import open_source


def refuse(source, *words, **options):
    with pytest.raises(SourceError) as caught, open_source(source, **options) as opened:
        opened.read(0, 0, opened.info.height, opened.info.width)
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), caught.value


CYX = np.moveaxis(picture(), -1, 0)
PLANES = np.stack([CYX, CYX[:, ::-1], CYX[:, :, ::-1]])


@pytest.mark.parametrize("axes", ["ZCYX", "CZYX", "TCYX", "CTYX"])
@pytest.mark.parametrize("planes", [1, 2, 3, 12])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_the_second_reader_puts_channels_of_stacks_together(axes, planes, order, tmp_path):
    pixels = PLANES[np.arange(planes) % 3][:, :: 1 if order == "RGB" else -1]
    channels = {"Name": [{"R": "Red", "G": "Green", "B": "Blue"}[letter] for letter in order]}
    pixels = pixels if axes[1] == "C" else pixels.swapaxes(0, 1)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, pixels, ome=True, metadata={"axes": axes, "Channel": channels}, photometric="minisblack")
    for image in range(min(planes, 3)):
        with open_source(path, image=image) as source:
            np.testing.assert_array_equal(source.read(0, 0, *picture().shape[:2]), np.moveaxis(PLANES[image], 0, -1))
            opinion = check_source(source)
        assert opinion.reader == ("libvips" if planes < 12 else None), opinion


XML = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels '
    'ID="P" DimensionOrder="XYCZT" Type="uint8" SizeX="{}" SizeY="{}" SizeC="3" SizeZ="1" SizeT="1">'
    '<Channel SamplesPerPixel="3"/>{}</Pixels></Image></OME>'
)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (XML.format(44, 70, "<TiffData/>"), "SizeX=44 SizeY=70"),
        (XML.format(70, 44, "<TiffData IFD='7'/>"), "SizeX=70 SizeY=44"),
        (
            XML.format(70, 44, "<TiffData PlaneCount='1'><UUID FileName='b.tif'>urn:uuid:1</UUID></TiffData>"),
            "SizeX=70 SizeY=44",
        ),
        ('<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"></OME>', "no Pixels"),
    ],
)
def test_ome_xml_of_another_file(description, words, tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, picture(), photometric="rgb", metadata=None, description=description)
    refuse(path, "its OME-XML describes no picture that is in this file", words, "its pages are 70x44")


OTHER = np.ascontiguousarray(picture()[:30, :50][::-1])


def described(path, pages, images, **options):
    """Write pages and OME-XML with images of (attributes, size of a pixel, inner elements)."""
    text = "".join(
        f'<Image ID="Image:{k}" {said}><Pixels ID="P{k}" DimensionOrder="XYCZT" Type="uint8" SizeC="3" SizeZ="1" '
        f'SizeT="1" SizeX="{width}" SizeY="{height}" PhysicalSizeX="{mpp}" PhysicalSizeY="{mpp}">{inner}</Pixels>'
        "</Image>"
        for k, (said, (height, width), mpp, inner) in enumerate(images)
    )
    text = f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{text}</OME>'
    with tifffile.TiffWriter(path) as tif:
        for number, page in enumerate(pages):
            tif.write(page, metadata=None, description=None if number else text, **options)
    return path


WHOLE = '<Channel SamplesPerPixel="3"/><TiffData IFD="{}" PlaneCount="1">{}</TiffData>'
ELSEWHERE = '<UUID FileName="gone.ome.tif">urn:uuid:1</UUID>'
SIZES = [OTHER.shape[:2], picture().shape[:2]]


@pytest.mark.parametrize(
    "names", [("Scan", "Scan 2"), ("x.svs", "x.svs"), (None, None), ("", "b"), ("b", "a"), ("Scan 2", "Scan")]
)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_pixel_size_of_an_image_is_its_own(names, order, tmp_path):
    pages, said = [OTHER, picture()], [(SIZES[0], 2.0), (SIZES[1], 0.5)]
    images = [
        ("" if name is None else f'Name="{name}"', *said[k], WHOLE.format(number, ""))
        for number, (k, name) in enumerate(zip(order, names, strict=True))
    ]
    path = described(tmp_path / "a.ome.tif", [pages[k] for k in order], images, photometric="rgb")
    with open_source(path) as source:
        assert (source.info.height, source.info.mpp_x, source.info.mpp_y) == (44, 0.5, 0.5)
        assert source.info.image == order.index(1)
    with open_source(path, image=order.index(0)) as source:
        assert (source.info.height, source.info.mpp_x) == (30, 2.0)


@pytest.mark.parametrize("name", ["label", "Macro", "label image", "macro image", "Thumbnail Image", "overview"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_label_that_is_larger_than_the_slide(name, order, tmp_path):
    pages, said = [OTHER, picture()], [("", SIZES[0], 0.5), (f'Name="{name}"', SIZES[1], 2.0)]
    images = [(*said[k], WHOLE.format(number, "")) for number, k in enumerate(order)]
    path = described(tmp_path / "a.ome.tif", [pages[k] for k in order], images, photometric="rgb")
    with open_source(path) as source:
        assert (source.info.height, source.info.mpp_x) == (30, 0.5)
        np.testing.assert_array_equal(source.read(0, 0, *SIZES[0]), OTHER)


def channels(*names):
    data = "".join(f'<TiffData IFD="{k}" FirstC="{k}" PlaneCount="1">{{}}</TiffData>' for k in range(3))
    return "".join(f'<Channel ID="C{k}" Name="{name}"/>' for k, name in enumerate(names)) + data


@pytest.mark.parametrize("where", [ELSEWHERE, None])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [SIZES[0], SIZES[1], (900, 800)])
@pytest.mark.parametrize("gray", [True, False])
def test_images_of_which_some_are_elsewhere(where, first, size, gray, tmp_path):
    """Which of them is here cannot be told, and neither can its channels and the size of its pixels."""
    if gray:
        here, there = channels("red", "green", "blue").format("", "", ""), channels("blue", "green", "red")
        there = there.format(where, where, where) if where else ""
    else:
        here, there = WHOLE.format(0, ""), WHOLE.format(0, where) if where else ""
    images = [("", SIZES[1], 0.5, here), ("", size, 2.0, there)]
    pages, kind = (list(CYX), "minisblack") if gray else ([picture()], "rgb")
    images = images[::-1] if first else images
    path = described(tmp_path / "a.ome.tif", pages, images, photometric=kind)
    refuse(path, "describes 2 images, but finds pages for only 1")


@pytest.mark.parametrize("planes", [2, 3, 5])
@pytest.mark.parametrize("kind", ["rgb", "minisblack"])
@pytest.mark.parametrize("writer", ["tifffile", "ImageJ", "MetaMorph"])
def test_planes_behind_one_page(planes, kind, writer, tmp_path):
    one = picture() if kind == "rgb" else CYX[0]
    path = tmp_path / "a.tif"
    if writer == "MetaMorph":
        tags = [(33628, 4, 2, (0, 0), True), (33629, 5, 3 * planes, (1, 1) * 3 * planes, True)]
        tifffile.imwrite(path, one, photometric=kind, metadata=None, extratags=tags)
        said = struct.pack("<HHI", 33629, 5, 3 * planes)  # MetaMorph counts planes, of three fractions each
        data = path.read_bytes().replace(said, struct.pack("<HHI", 33629, 5, planes))
        path.write_bytes(data + one[::-1].tobytes() * (planes - 1))
    else:
        stack = np.stack([one] + [one[::-1]] * (planes - 1))
        tifffile.imwrite(path, stack, photometric=kind, truncate=True, imagej=writer == "ImageJ")
    refuse(path, f"of {planes} ", "planes", "--image 0")
    with open_source(path, image=0) as source:
        np.testing.assert_array_equal(source.read(0, 0, 44, 70), one if kind == "rgb" else np.stack([one] * 3, -1))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("options", [{"rowsperstrip": 7}, {"tile": (16, 16)}, {"planarconfig": "separate"}])
def test_samples_that_bio_formats_counts_as_planes(compression, options, tmp_path):
    description = "ImageJ=\nhyperstack=true\nimages=3\nchannels=3\nslices=1\nframes=1"
    path = tmp_path / "a.tif"
    pixels = CYX if "planarconfig" in options else picture()
    options |= {"photometric": "rgb", "metadata": None, "description": description, "compression": compression}
    tifffile.imwrite(path, pixels, **options)
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(0, 0, 44, 70), picture())
        assert check_source(source).reader
    tifffile.imwrite(path, pixels, **options | {"description": description.replace("channels=3", "channels=1")})
    refuse(path, "an ImageJ stack of 3 planes behind 1 page(s)")


def test_an_imagej_stack_behind_one_page(tmp_path):
    path = tmp_path / "a.tif"
    description = "ImageJ=1.53\nimages=2\nslices=2\n"
    tifffile.imwrite(path, picture(), photometric="rgb", metadata=None, description=description)
    path.write_bytes(path.read_bytes() + picture()[::-1].tobytes())
    refuse(path, "an ImageJ stack of 2 planes behind 1 page(s)", "--image 0")
    with open_source(path, image=0) as source:
        np.testing.assert_array_equal(source.read(0, 0, 44, 70), picture())


def test_imagej_numbers_that_are_none(tmp_path):
    path = tmp_path / "a.tif"
    description = "ImageJ=1.53\nimages=1\nslices=two\n"
    tifffile.imwrite(path, picture(), photometric="rgb", metadata=None, description=description)
    with pytest.raises(SourceError, match="its series cannot be listed"):
        rrip_format.convert(path, tmp_path / "a.rrip.tif")
    assert [file.name for file in tmp_path.iterdir()] == ["a.tif"]


class Lying:
    """An array of other samples than its data type says, as Dask makes of a wrong ``meta``."""

    shape, dtype = (44, 70, 3), np.dtype(np.uint8)

    def __init__(self, kind):
        self._kind = kind

    def __getitem__(self, where):
        return picture()[where].astype(self._kind)


@pytest.mark.parametrize("kind", ["float64", "int16", "uint16", "bool", "int8"])
def test_an_array_of_other_samples_than_it_says(kind, tmp_path):
    refuse(Lying(kind), f"gives {kind} though its data type is uint8")
    with pytest.raises(SourceError, match="though its data type is uint8"):
        rrip_format.convert(Lying(kind), tmp_path / "a.rrip.tif")
    assert not list(tmp_path.iterdir())


def test_arrays_that_numpy_does_not_know():
    other, unknown = Lying("uint8"), Lying("uint8")
    other.dtype, unknown.shape = "torch.uint8", (np.nan, 70, 3)
    for array in (other, unknown):
        refuse(array, "which NumPy does not understand")
    refuse(np.ma.masked_array(picture(), picture() > 9), "is masked")
