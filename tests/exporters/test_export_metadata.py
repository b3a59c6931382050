"""What exports tell of a slide, read back by programs that know nothing of ours, and by our own sources."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from conftest import tissue
from kinds import ICC, MPP

import rrip_format
from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.exporters.run import export
from rrip_format.family.jpeg import encode
from rrip_format.second_reader.check import check_source
from rrip_format.sources import open_source

tifffile = pytest.importorskip("tifffile")
openslide = pytest.importorskip("openslide")
pytest.importorskip("PIL.Image")

PROPERTIES = {
    "aperio.AppMag": "40",
    "aperio.ScanScope ID": "SS1",
    "aperio.Filename": "Müller | 12",
    "hamamatsu.XOffsetFromSlideCentre": "-5",
    "tiff.ImageDescription": "Aperio <&> \"x\"",
    "openslide.level-count": "3",
}  # fmt: skip


@pytest.fixture(scope="module", name="told")
def fixture_told(kinds, tmp_path_factory) -> Path:
    """A container that knows everything that one can know of its slide."""
    path = tmp_path_factory.mktemp("told") / "slide.rrip.tif"
    return copy(kinds.zarr, path, mpp=(0.25, 0.25), objective=40, vendor="aperio", properties=PROPERTIES)


def copy(
    source: Path, path: Path, pictures: tuple[str, ...] = ("thumbnail", "macro", "label"), **about: object
) -> Path:
    container = open_container(source)
    coding = container.metadata.coding
    with open_writer(path) as writer:
        for level in range(coding.geometry.levels):
            for row, col in coding.geometry.tiles(level):
                tile = container.read_tile(level, row, col)
                if tile is not None:
                    writer.write_tile(level, row, col, tile)
        for number, name in enumerate(pictures):
            writer.write_associated(name, encode(tissue(50 + number, 40), 90))
        slide = dataclasses.replace(container.metadata.slide, **about)
        writer.finish(dataclasses.replace(container.metadata, slide=slide), ICC)
    container.close()
    return path


def psnr(found: np.ndarray, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape
    return float(10 * np.log10(255**2 / np.mean((found.astype(float) - wanted) ** 2)))


# --- SVS


def test_openslide_takes_an_svs_for_an_aperio_slide(told, kinds, tmp_path):
    target = tmp_path / "a.svs"
    export(told, target, quality=95, label=True, keep_identifiers=True)
    with openslide.OpenSlide(target) as slide:
        about = slide.properties
        assert about["openslide.vendor"] == "aperio"
        assert about["openslide.objective-power"] == "40"
        assert float(about["openslide.mpp-x"]) == float(about["openslide.mpp-y"]) == 0.25
        assert about["aperio.ScanScope ID"] == "SS1"
        assert "aperio.Filename" not in about, "its value has the sign that parts values"
        assert about["aperio.hamamatsu.XOffsetFromSlideCentre"] == "-5"
        assert {name: picture.size for name, picture in slide.associated_images.items()} == {
            "thumbnail": (40, 50),
            "macro": (40, 51),
            "label": (40, 52),
        }
        assert slide.level_dimensions == tuple((rgb.shape[1], rgb.shape[0]) for rgb in kinds.decoded)
        for level, wanted in enumerate(kinds.decoded):
            region = np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]))
            assert psnr(region[..., :3], wanted) > 40
        assert slide.read_region((0, 0), 0, (1, 1)).info["icc_profile"] == ICC


def test_tifffile_takes_an_svs_for_an_aperio_slide(told, kinds, tmp_path):
    export(told, tmp_path / "a.svs", quality=95, label=True)
    with tifffile.TiffFile(tmp_path / "a.svs") as tif:
        assert tif.is_svs
        assert [series.name for series in tif.series] == ["Baseline", "Thumbnail", "Label", "Macro"]
        assert len(tif.series[0].levels) == 4
        assert tifffile.tifffile.svs_description_metadata(tif.pages[0].description)["AppMag"] == 40
        assert not tif.pages[1].is_tiled
        for level, wanted in zip(tif.series[0].levels, kinds.decoded, strict=True):
            assert psnr(level.asarray(), wanted) > 40


def test_an_svs_without_anything_known(kinds, tmp_path):
    """It has a thumbnail all the same, because the second page of an Aperio slide is one."""
    bare = copy(kinds.zarr, tmp_path / "bare.rrip.tif", (), mpp=None, objective=None, vendor=None, properties={})
    export(bare, tmp_path / "a.svs")
    with openslide.OpenSlide(tmp_path / "a.svs") as slide:
        assert slide.properties["openslide.vendor"] == "aperio"
        assert "openslide.mpp-x" not in slide.properties
        assert "openslide.objective-power" not in slide.properties
        assert slide.associated_images["thumbnail"].size == (900, 700)


def test_pixels_that_are_not_square(kinds, tmp_path):
    """Aperio's layout has one number: the side of a square of the same area."""
    assert MPP[0] != MPP[1]
    export(kinds.zarr, tmp_path / "a.svs")
    with openslide.OpenSlide(tmp_path / "a.svs") as slide:
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx((MPP[0] * MPP[1]) ** 0.5)


# --- OME-TIFF and TIFF


def test_ome_xml_has_everything(told, tmp_path):
    export(told, tmp_path / "a.ome.tif", keep_identifiers=True)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        assert tif.is_ome
        assert len(tif.series[0].levels) == 4
        assert tif.pages[0].iccprofile == ICC
        root = ET.fromstring(tif.ome_metadata)
    objective = root.find("{*}Instrument/{*}Objective")
    image = root.find("{*}Image")
    assert objective.get("NominalMagnification") == "40"
    assert image.find("{*}ObjectiveSettings").get("ID") == objective.get("ID")
    assert root.find("{*}Instrument/{*}Microscope").get("Manufacturer") == "aperio"
    assert [child.tag.partition("}")[2] for child in image] == [
        "Description",
        "InstrumentRef",
        "ObjectiveSettings",
        "Pixels",
        "AnnotationRef",
    ]  # fmt: skip - the order of its schema
    entries = root.findall("{*}StructuredAnnotations/{*}MapAnnotation/{*}Value/{*}M")
    assert {entry.get("K"): entry.text for entry in entries} == PROPERTIES


def test_ome_xml_is_the_same_again(told, tmp_path):
    """Neither time nor chance is in it."""
    for name in ("a.ome.tif", "b.ome.tif"):
        export(told, tmp_path / name)
    assert (tmp_path / "a.ome.tif").read_bytes() == (tmp_path / "b.ome.tif").read_bytes()


def test_tiff_tells_in_json(told, tmp_path):
    export(told, tmp_path / "a.tif", keep_identifiers=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        found = json.loads(tif.pages[0].description.partition("\n")[0])
    assert (found["mpp"], found["objective"], found["vendor"]) == ([0.25, 0.25], 40, "aperio")
    assert found["properties"] == PROPERTIES


@pytest.mark.parametrize("name", ["a.svs", "a.ome.tif", "a.tif"])
def test_identifiers_stay_out_unless_they_are_wanted(told, tmp_path, name):
    export(told, tmp_path / name)
    assert b"ller" not in (tmp_path / name).read_bytes()
    export(told, tmp_path / f"kept-{name}", keep_identifiers=True)
    assert (b"ller" in (tmp_path / f"kept-{name}").read_bytes()) == (name != "a.svs")


@pytest.mark.parametrize("name", ["a.svs", "a.ome.tif"])
def test_a_slide_comes_back_with_pixel_size_and_objective(told, tmp_path, name):
    """Exported and converted again; the second reader of each agrees."""
    export(told, tmp_path / name)
    with open_source(tmp_path / name) as source:
        assert (source.info.mpp_x, source.info.mpp_y) == pytest.approx((0.25, 0.25))
        assert source.info.objective_power == 40
        assert check_source(source).telling
    rrip_format.convert(tmp_path / name, tmp_path / "again.rrip.tif")
    with rrip_format.open(tmp_path / "again.rrip.tif") as slide:
        assert slide.metadata.slide.objective == 40
