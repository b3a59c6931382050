"""Stacks, channels and arrays whose description is not that of their pixels."""

from __future__ import annotations

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
