"""Small files that say they are large."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from raw_tiff import Page, basic_tags, write_raw_tiff
from tiff_readers import picture
from wsi_dicom import write_dicom

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


@pytest.mark.filterwarnings("error")
def test_a_picture_that_pillow_thinks_large(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 44 * 70 - 1)
    Image.fromarray(picture()).save(tmp_path / "a.png")
    with open_source(tmp_path / "a.png") as source:
        assert check_source(source).reader == "Pillow"
