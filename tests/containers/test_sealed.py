"""A sealed TIFF file: the slide for readers of this format, one page that says so for others (spec section 10.10)."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import BRIEF, WHITE, tissue

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.copying import transmux
from rrip_format.containers.opening import open_container
from rrip_format.errors import FormatError


@pytest.fixture(scope="module")
def sealed(tmp_path_factory, kinds):
    path = tmp_path_factory.mktemp("sealed") / "slide.rrip"
    transmux(kinds.zarr, path)
    return path


def test_pixels_and_attachments_are_those_of_the_other_kinds(kinds, sealed):
    assert rrip_format.validate(sealed, "pixels") == []
    with rrip_format.open(sealed) as slide, rrip_format.open(kinds.tif) as other:
        assert slide.metadata == other.metadata
        assert slide.icc_profile() == other.icc_profile()
        assert dict(slide.associated_images()) == dict(other.associated_images())
        for level, wanted in zip(slide.levels, kinds.decoded, strict=True):
            np.testing.assert_array_equal(slide.read_region(level.index, 0, 0, level.height, level.width), wanted)


def test_copies_go_both_ways(kinds, sealed, tmp_path):
    transmux(sealed, tmp_path / "back.rrip.tif")
    assert (tmp_path / "back.rrip.tif").read_bytes() == kinds.tif.read_bytes()


def test_what_is_empty_has_neither_offset_nor_length(tmp_path):
    image = tissue(300, 700)
    image[:, 256:512] = WHITE
    path = tmp_path / "a.rrip"
    rrip_format.convert(image, path, BRIEF)
    assert rrip_format.validate(path, "pixels") == []
    assert (rrip_format.imread(path, region=(0, 256, 300, 256)) == WHITE).all()
    container = open_container(path)
    assert container.metadata.coding.is_empty(2, 0, 1)
    container.close()


def test_tifffile_sees_one_small_page_without_a_pixel_size(sealed):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(sealed) as tif:
        (page,) = tif.pages
        assert max(page.shape) < 500
        assert "no tissue" in page.description
        assert "XResolution" not in page.tags
        assert 0.02 < 1 - page.asarray().mean() < 0.3  # black text on white


def test_openslide_refuses_it(sealed):
    openslide = pytest.importorskip("openslide")
    assert openslide.OpenSlide.detect_format(str(sealed)) is None
    with pytest.raises(openslide.OpenSlideUnsupportedFormatError):
        openslide.OpenSlide(str(sealed))


def test_libvips_and_pillow_see_the_page(sealed):
    pyvips, image = pytest.importorskip("pyvips"), pytest.importorskip("PIL.Image")
    found = pyvips.Image.new_from_file(str(sealed))
    assert found.get("n-pages") == 1 if "n-pages" in found.get_fields() else max(found.width, found.height) < 500
    with image.open(sealed) as opened:
        assert opened.n_frames == 1
        assert max(opened.size) < 500


def test_the_first_page_of_the_open_kind_says_what_it_is(kinds):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(kinds.tif) as tif:
        text = tif.pages[0].description
    assert text.startswith("Level 2 of a whole-slide image in RRIP format, 1/4 of the resolution")
    assert "rrip-format" in text


@pytest.mark.parametrize(("name", "is_told"), [("a.rrip.tif", True), ("a.rrip", False), ("a.rrip.zarr.zip", False)])
def test_convert_says_what_other_software_sees(kinds, tmp_path, name, is_told):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(tissue(200, 200)).save(tmp_path / "a.png")
    for source in (kinds.zarr, tmp_path / "a.png"):
        result = CliRunner().invoke(main, ["convert", str(source), str(tmp_path / name), "--overwrite"])
        assert result.exit_code == 0
        assert ("level 2" in result.stderr) is is_told
        assert len(result.stdout.splitlines()) == 1


def test_other_software_is_not_offered_the_name(tmp_path, kinds):
    with pytest.raises(rrip_format.RripError, match="RRIP container"):
        rrip_format.export(kinds.zarr, tmp_path / "a.rrip")


def test_a_sealed_file_with_a_page_more_is_refused(sealed, tmp_path):
    data = bytearray(sealed.read_bytes())
    start = int.from_bytes(data[8:16], "little")
    count = int.from_bytes(data[start : start + 8], "little")
    data[start + 8 + 20 * count :][:8] = b""
    data[start + 8 + 20 * count : start + 16 + 20 * count] = start.to_bytes(8, "little")
    (tmp_path / "b.rrip").write_bytes(data)
    with pytest.raises(FormatError) as caught:
        rrip_format.open(tmp_path / "b.rrip")
    assert caught.value.rule == "tiff.chain"
