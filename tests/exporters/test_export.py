"""Exports, read back by those who know nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import hash_tree, tile_path, tissue
from kinds import ICC, MPP

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.creating import open_writer
from rrip_format.containers.zarr_reader import ZarrContainer
from rrip_format.errors import MissingTileError, RripError, StorageError, TargetError
from rrip_format.exporters.run import export
from rrip_format.exporters.tiles import export_side
from rrip_format.family.jpeg import encode
from rrip_format.spec.geometry import Geometry

tifffile = pytest.importorskip("tifffile")
openslide = pytest.importorskip("openslide")
pyvips = pytest.importorskip("pyvips")
Image = pytest.importorskip("PIL.Image")

FORMATS = ("out.tif", "out.ome.tif", "out.dzi")


@pytest.fixture(scope="module")
def exported(tmp_path_factory, kinds):
    """One export of each format, at a quality where little is lost, from another kind of container each."""
    folder = tmp_path_factory.mktemp("exported")
    for name, source in zip(FORMATS, kinds.all, strict=True):
        assert export(source, folder / name, quality=95, label=True) > 1000  # the macro image too
    return folder


def psnr(found, wanted) -> float:
    assert found.shape == wanted.shape
    return float(10 * np.log10(255**2 / np.mean((found.astype(float) - wanted) ** 2)))


def test_nothing_else_is_left(exported):
    assert {path.name for path in exported.iterdir()} == {*FORMATS, "out_files"}


# TIFF


@pytest.mark.parametrize("name", FORMATS[:2])
def test_tifffile_sees_the_pyramid(exported, kinds, name):
    with tifffile.TiffFile(exported / name) as tiff:
        slide, *others = tiff.series
        assert len(slide.levels) == 4
        for level, wanted in zip(slide.levels, kinds.decoded, strict=True):
            assert psnr(level.asarray(), wanted) > 40
        assert [series.shape for series in others] == [(50, 20, 3), (30, 40, 3)]
        assert psnr(others[0].asarray(), tissue(50, 20)) > 25
        assert tiff.pages[0].tags["InterColorProfile"].value == ICC
        resolution = [tiff.pages[0].tags[f"{axis}Resolution"].value for axis in "XY"]
        assert [1e4 * below / above for above, below in resolution] == pytest.approx(MPP, rel=1e-5)
        assert not tiff.is_bigtiff


def test_openslide_sees_the_pyramid(exported, kinds):
    with openslide.OpenSlide(exported / "out.tif") as slide:
        assert slide.level_dimensions == tuple((rgb.shape[1], rgb.shape[0]) for rgb in kinds.decoded)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(MPP[0], rel=1e-5)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(MPP[1], rel=1e-5)
        for level, wanted in enumerate(kinds.decoded):
            region = np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]))
            assert (region[..., 3] == 255).all()
            assert psnr(region[..., :3], wanted) > 40
        assert slide.read_region((0, 0), 0, (1, 1)).info["icc_profile"] == ICC


@pytest.mark.parametrize(("name", "option"), [("out.tif", "page"), ("out.ome.tif", "subifd")])
def test_libvips_sees_the_pyramid(exported, kinds, name, option):
    for level, wanted in enumerate(kinds.decoded):
        options = {option: level - (option == "subifd")} if level else {}
        image = pyvips.Image.new_from_file(str(exported / name), **options)
        assert psnr(image.numpy(), wanted) > 40
        assert image.get("icc-profile-data") == ICC
        assert 1000 / image.xres == pytest.approx(MPP[0] * 2**level, rel=1e-5)


def test_ome_metadata(exported):
    with tifffile.TiffFile(exported / "out.ome.tif") as tiff:
        root = ET.fromstring(tiff.ome_metadata)
    images = root.findall("{*}Image")
    assert [image.get("Name") for image in images] == ["array", "macro", "thumbnail"]
    found = images[0].find("{*}Pixels")
    assert [float(found.get(f"PhysicalSize{axis}")) for axis in "XY"] == list(MPP)
    assert found.get("PhysicalSizeXUnit") == "µm"


# Deep Zoom


def test_deep_zoom(exported, kinds):
    root = ET.parse(exported / "out.dzi").getroot()
    side, overlap = int(root.get("TileSize")), int(root.get("Overlap"))
    size = root.find("{*}Size")
    assert (int(size.get("Width")), int(size.get("Height")), overlap) == (900, 700, 0)
    folder = exported / "out_files"
    assert sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit()) == list(range(11))
    for number in range(11):
        below = 10 - number
        height, width = -(-700 // 2**below), -(-900 // 2**below)
        found = np.zeros((height, width, 3), np.uint8)
        for tile in (folder / str(number)).iterdir():
            col, row = map(int, tile.stem.split("_"))
            part = np.asarray(Image.open(tile))
            place = found[row * side : (row + 1) * side, col * side : (col + 1) * side]
            assert place.shape == part.shape
            place[:] = part
        if below < 4:
            assert psnr(found, kinds.decoded[below]) > 40
        assert found.mean() == pytest.approx(kinds.decoded[0].mean(), abs=8)
    assert (folder / "icc_profile.icc").read_bytes() == ICC
    assert json.loads((folder / "properties.json").read_text("utf-8"))["mpp"] == list(MPP)
    assert {path.name for path in (folder / "associated").iterdir()} == {"macro.jpeg", "thumbnail.jpeg"}


# Options


def test_quality(kinds, tmp_path):
    sizes = [export(kinds.zarr, tmp_path / f"{quality}.tif", quality=quality) for quality in (30, 89, 90)]
    assert sizes == sorted(sizes)
    with tifffile.TiffFile(tmp_path / "89.tif") as low, tifffile.TiffFile(tmp_path / "90.tif") as high:
        assert low.pages[0].tags["YCbCrSubSampling"].value == (2, 2)
        assert high.pages[0].tags["YCbCrSubSampling"].value == (1, 1)
    for quality in (0, 101):
        with pytest.raises(RripError, match="expected a JPEG quality"):
            export(kinds.zarr, tmp_path / "bad.tif", quality=quality)


def test_the_label_only_when_asked_for(container, tmp_path):
    source = rrip_format.open(container.path).container
    coding = source.metadata.coding
    with open_writer(tmp_path / "slide.rrip.tif") as writer:
        for level in range(4):
            for row, col in coding.geometry.tiles(level):
                if not coding.is_empty(level, row, col):
                    writer.write_tile(level, row, col, source.read_tile(level, row, col))
        writer.write_associated("label", encode(tissue(10, 20), 90))
        writer.finish(source.metadata)
    for label in (False, True):
        export(tmp_path / "slide.rrip.tif", tmp_path / f"{label}.tif", label=label)
        export(tmp_path / "slide.rrip.tif", tmp_path / f"{label}.dzi", label=label)
        with tifffile.TiffFile(tmp_path / f"{label}.tif") as tiff:
            assert len(tiff.series) == 1 + label
        assert (tmp_path / f"{label}_files" / "associated" / "label.jpeg").exists() == label


@pytest.mark.parametrize("name", FORMATS)
def test_progress(kinds, tmp_path, name):
    seen = []
    export(kinds.zarr, tmp_path / name, progress=lambda *pair: seen.append(pair), workers=2)
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}


@pytest.mark.parametrize("tile", [64, 128, 144, 208, 256, 272, 512])
def test_export_tiles(tile):
    side = export_side(Geometry(100, 100, tile))
    assert 128 <= side <= 1024
    assert side % 16 == 0
    assert 4 * tile % side == 0


def test_the_same_bytes_again(kinds, tmp_path):
    for name in ("out.tif", "out.dzi"):
        export(kinds.zarr, tmp_path / name, workers=1)
    first = hash_tree(tmp_path)
    for name in ("out.tif", "out.dzi"):
        export(kinds.tif, tmp_path / name, workers=3, overwrite=True)
    assert hash_tree(tmp_path) == first


# What must not happen


@pytest.mark.parametrize("name", FORMATS)
def test_damage_leaves_nothing(spoiled, tmp_path, name):
    tile_path(spoiled, 1, 2, 3).unlink()
    target = tmp_path / "out" / name
    target.parent.mkdir()
    with pytest.raises(MissingTileError):
        export(spoiled, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_storage_that_fails_is_not_the_target(kinds, tmp_path, name, monkeypatch):
    def fail(*_):
        raise StorageError("the disk of the slide failed")

    monkeypatch.setattr(ZarrContainer, "read_tiles", fail)
    with pytest.raises(StorageError, match="the disk of the slide failed"):
        export(kinds.zarr, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_an_interrupt_leaves_what_was_there(kinds, tmp_path, name):
    export(kinds.zarr, tmp_path / name)
    before = hash_tree(tmp_path)

    def interrupt(done, total):
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(kinds.zarr, tmp_path / name, quality=20, overwrite=True, progress=interrupt)
    assert hash_tree(tmp_path) == before


def test_targets(kinds, tmp_path):
    (tmp_path / "there.tif").write_text("something")
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "there_files").mkdir()
    for name, overwrite, said in (
        ("out.png", False, "unknown extension"),
        ("out.rrip.tif", False, "rrip convert"),
        ("there.tif", False, "already exists"),
        ("folder.tif", True, "is a folder"),
        ("there.dzi", True, "already exists"),
        ("nowhere/out.tif", False, "no such folder"),
    ):
        with pytest.raises(TargetError, match=said):
            export(kinds.zarr, tmp_path / name, overwrite=overwrite)
    assert export(kinds.zarr, tmp_path / "there.tif", overwrite=True) > 1000


def test_command(kinds, tmp_path):
    target = str(tmp_path / "out.dzi")
    done = CliRunner().invoke(main, ["export", str(kinds.zip), target, "-q", "70", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["path"] == target
    again = CliRunner().invoke(main, ["export", str(kinds.zip), target])
    assert again.exit_code == 1
    assert "already exists" in again.output
    assert CliRunner().invoke(main, ["export", str(kinds.zip), target, "--overwrite"]).output.startswith(target)


MEMORY = """
import resource, sys
from rrip_format.exporters.run import export
export(sys.argv[1], sys.argv[2], quality=80)  # once small, for all that is loaded
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
export(sys.argv[3], sys.argv[2], quality=80, overwrite=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A slide of 100 MB of pixels."""
    path = tmp_path_factory.mktemp("large") / "large.rrip.zarr"
    image = np.tile(tissue(512, 512), (8, 16, 1))
    rrip_format.convert(image, path, rrip_format.Settings(tile=64))
    return path, image.nbytes


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in Linux's unit")
@pytest.mark.parametrize("name", FORMATS)
def test_memory_is_bounded(container, large, tmp_path, name):
    """The slide does not have to fit once, let alone twice."""
    path, size = large
    command = [sys.executable, "-c", MEMORY, str(container.path), str(tmp_path / name), str(path)]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=200).stdout) * 1024
    assert grown < 0.9 * size
