"""Focal planes of slides that OpenSlide composes: it shows one, and any of them may be damaged."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from tiff_readers import picture

from rrip_format.errors import SourceError
from rrip_format.second_reader.check import check_source
from rrip_format.sources import open_source

SLIDE = np.kron(picture(), np.ones((2, 2, 1), np.uint8))
OFFSETS, COUNTS = 324, 325


def argos(path, planes, *, lost=None):
    """A slide of Argos whose middle plane shows the picture; of one plane a tile may be lost."""
    low, high = -(planes // 2), (planes - 1) // 2
    text = f"<Argos.Scan.Metadata><MinZ>{low}</MinZ><MaxZ>{high}</MaxZ></Argos.Scan.Metadata>"
    shown = [SLIDE if plane == (planes - 1) // 2 else 255 - SLIDE for plane in range(planes)]
    tags = [(65000, "s", 0, text, True)]
    with tifffile.TiffWriter(path) as tif:
        for level in (level for plane in shown for level in (plane, plane[::2, ::2])):
            tif.write(level, photometric="rgb", tile=(16, 16), compression="lzw", metadata=None, extratags=tags)
            tags = []
    if lost is not None:
        with tifffile.TiffFile(path, mode="r+") as tif:
            for code in (OFFSETS, COUNTS):
                tag = tif.pages[2 * lost].tags[code]
                tag.overwrite((*tag.value[:7], 0, *tag.value[8:]))
    return path


@pytest.mark.parametrize("planes", [1, 2, 3, 5])
def test_the_middle_plane_is_shown(planes, tmp_path):
    with open_source(argos(tmp_path / "a.tif", planes)) as source:
        assert source.info.vendor == "argos"
        np.testing.assert_array_equal(source.read(0, 0, *SLIDE.shape[:2]), SLIDE)
        assert check_source(source).reader == "tifffile"
        assert [f"holds {planes} focal planes" in note for note in source.info.notes] == [True] * (planes > 1)


@pytest.mark.parametrize(("planes", "lost"), [(1, 0), (2, 0), (3, 0), (3, 1), (3, 2), (5, 2), (5, 4)])
def test_a_tile_that_is_lost(planes, lost, tmp_path):
    path = argos(tmp_path / "a.tif", planes, lost=lost)
    with pytest.raises(SourceError, match=r"1 of \d+ tiles .* of level 0 without data"):
        open_source(path)
    with open_source(path, allow_missing_tiles=True) as source:
        equal = (source.read(0, 0, *SLIDE.shape[:2]) == SLIDE).all(axis=-1)
    assert equal.all() == (lost != (planes - 1) // 2)
