"""ICC profiles that are damaged, padded or of another kind."""

from __future__ import annotations

import pytest
import tifffile
from PIL import ImageCms
from tiff_readers import picture

from rrip_format.sources import open_source
from rrip_format.sources.icc import fitting_profile

MADE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SRGB = MADE[:24] + bytes(12) + MADE[36:]  # without its date, so that every process has the same
SIZE = len(SRGB).to_bytes(4, "big")


@pytest.mark.parametrize("padding", [b"", b"\0", bytes(1000)])
def test_padding_is_cut_off(padding, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", picture(), photometric="rgb", iccprofile=SRGB + padding)
    with open_source(tmp_path / "a.tif") as source:
        assert (source.info.icc_profile, source.info.notes) == (SRGB, ())


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (SRGB[:-1], "damaged or cut off"),
        (SRGB[:200], "damaged or cut off"),
        (SRGB[:128], "damaged or cut off"),
        (bytes(4) + SRGB[4:], "damaged or cut off"),
        (SIZE + SRGB[4:128] + b"\xff" * 4 + SRGB[132:], "damaged or cut off"),
        (SIZE + SRGB[4:128] + bytes(4) + SRGB[132:], "damaged or cut off"),
        (SIZE + SRGB[4:136] + b"\xff" * 8 + SRGB[144:], "damaged or cut off"),
        (SRGB[:12] + b"link" + SRGB[16:], "class 'link'"),
        (SRGB[:12] + b"abst" + SRGB[16:], "class 'abst'"),
        (SRGB[:16] + b"Lab " + SRGB[20:], "for Lab"),
        (b"x" * 300, "no kind that is known"),
    ],
)
def test_what_does_not_fit_is_left_out_with_a_note(profile, words, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", picture(), photometric="rgb", iccprofile=profile)
    with open_source(tmp_path / "a.tif") as source:
        assert source.info.icc_profile is None
        assert words in source.info.notes[0]
        assert "left out" in source.info.notes[0]


def test_mutations_never_raise():
    for at in range(160):
        for value in (0, 127, 255):
            kept, notes = fitting_profile(SRGB[:at] + bytes([value]) + SRGB[at + 1 :])
            assert (kept is None) == bool(notes)
