"""Options of ``convert`` about how a source is read, and where a container says that they were given."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import tissue

import rrip_format
from rrip_format.cli import main
from rrip_format.errors import SourceError
from rrip_format.sources import open_source

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("openslide")


def run(*args: object):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def write_tiff(path, missing=()) -> None:
    """A tiled TIFF of which some tiles have no data."""
    tifffile.imwrite(path, tissue(200, 256), tile=(64, 64), photometric="rgb", compression="deflate", metadata=None)
    with tifffile.TiffFile(path) as tif:
        tag, kind = tif.pages[0].tags[325], {3: ("H", 2), 4: ("I", 4)}[tif.pages[0].tags[325].dtype]
    with path.open("r+b") as file:
        for index in missing:
            file.seek(tag.valueoffset + kind[1] * index)
            file.write(struct.pack(f"<{kind[0]}", 0))


def test_missing_tiles_are_refused_or_background(tmp_path):
    source = tmp_path / "a.tif"
    write_tiff(source, missing=(0, 5))
    for options in ([], ["--missing-tiles", "error"]):
        result = run("convert", source, tmp_path / "a.rrip.zarr", *options)
        assert result.exit_code == 1
        assert "2 of 16 tiles" in result.stderr
        assert "--missing-tiles background" in result.stderr
    assert run("convert", source, tmp_path / "a.rrip.zarr", "--missing-tiles", "background").exit_code == 0
    with rrip_format.open(tmp_path / "a.rrip.zarr") as slide:
        assert slide.read_region(0, 0, 0, 64, 64).mean() > 250
        assert slide.read_region(0, 64, 64, 64, 64).mean() > 250
        assert slide.read_region(0, 0, 64, 64, 64).mean() < 250
        assert slide.metadata.slide.missing_tiles == 2
        assert slide.metadata.writer["given"] == {"missing_tiles": "background"}
    assert "2 tiles of the source had no data" in run("info", tmp_path / "a.rrip.zarr").stdout
    rrip_format.convert(source, tmp_path / "b.rrip.zarr", missing_tiles="background")
    assert rrip_format.open(tmp_path / "b.rrip.zarr").metadata == rrip_format.open(tmp_path / "a.rrip.zarr").metadata
    with pytest.raises(SourceError, match="without data"):
        rrip_format.convert(source, tmp_path / "c.rrip.zarr")


def test_a_whole_slide_says_nothing_of_missing_tiles(tmp_path):
    write_tiff(tmp_path / "a.tif")
    assert run("convert", tmp_path / "a.tif", tmp_path / "a.rrip.zarr", "--missing-tiles", "background").exit_code == 0
    slide = rrip_format.info(tmp_path / "a.rrip.zarr")["metadata"]["slide"]
    assert "missing_tiles" not in slide["source"]


@pytest.mark.parametrize(("text", "expected"), [("0.25", [0.25, 0.25]), ("0.25,0.5", [0.25, 0.5]), ("2", [2, 2])])
def test_pixel_size_and_objective(text, expected, tmp_path):
    write_tiff(tmp_path / "a.tif")
    target = tmp_path / "a.rrip.tif"
    assert run("convert", tmp_path / "a.tif", target, "--mpp", text, "--objective", "40").exit_code == 0
    with rrip_format.open(target) as slide:
        assert (list(slide.metadata.slide.mpp), slide.metadata.slide.objective) == (expected, 40)
        assert slide.metadata.writer["given"] == {"mpp": expected, "objective": 40}
        assert slide.properties["openslide.mpp-x"] == str(expected[0])
        assert slide.properties["openslide.objective-power"] == "40"
    assert "40x" in run("info", target).stdout
    sizes = expected[0] if expected[0] == expected[1] else tuple(expected)
    rrip_format.convert(tmp_path / "a.tif", tmp_path / "b.rrip.tif", mpp=sizes, objective=40)
    ours = rrip_format.open(tmp_path / "b.rrip.tif").metadata
    assert (ours.slide.mpp, ours.slide.objective) == (tuple(expected), 40)


@pytest.mark.parametrize(
    "options",
    [
        ["--mpp", "0"],
        ["--mpp", "a"],
        ["--mpp", "1,2,3"],
        ["--mpp", "-1"],
        ["--mpp", "nan"],
        ["--objective", "0"],
        ["--missing-tiles", "black"],
    ],
)
def test_wrong_values_are_refused(options, tmp_path):
    write_tiff(tmp_path / "a.tif")
    assert run("convert", tmp_path / "a.tif", tmp_path / "a.rrip.zarr", *options).exit_code == 2
    assert not (tmp_path / "a.rrip.zarr").exists()


@pytest.mark.parametrize("given", [{"missing_tiles": "background"}, {"mpp": 0.25}, {"objective": 40}])
def test_a_source_that_is_open_is_read_as_it_was_opened(given, tmp_path):
    with open_source(tissue(100, 100)) as source, pytest.raises(ValueError, match="open already"):
        rrip_format.convert(source, tmp_path / "a.rrip.zarr", **given)
    with pytest.raises(ValueError, match="expected 'error' or 'background'"):
        rrip_format.convert(tissue(100, 100), tmp_path / "a.rrip.zarr", missing_tiles="black")


def test_an_array_takes_them_too(tmp_path):
    rrip_format.convert(tissue(100, 100), tmp_path / "a.rrip.zarr", mpp=(0.25, 0.5), objective=20)
    about = rrip_format.open(tmp_path / "a.rrip.zarr").metadata.slide
    assert (about.mpp, about.objective) == ((0.25, 0.5), 20)


def test_a_container_keeps_what_it_has(tmp_path):
    rrip_format.convert(np.zeros((100, 100, 3), np.uint8), tmp_path / "a.rrip.zarr")
    for options in (["--mpp", "0.25"], ["--objective", "40"], ["--missing-tiles", "background"]):
        result = run("convert", tmp_path / "a.rrip.zarr", tmp_path / "b.rrip.tif", *options)
        assert result.exit_code == 2
        assert "is a container" in result.output


def test_a_container_with_filled_tiles_is_compared_with_its_source(tmp_path):
    write_tiff(tmp_path / "a.tif", missing=(3,))
    assert run("convert", tmp_path / "a.tif", tmp_path / "a.rrip.tif", "--missing-tiles", "background").exit_code == 0
    result = run("validate", tmp_path / "a.rrip.tif", "--source", tmp_path / "a.tif")
    assert result.exit_code == 0, result.output
