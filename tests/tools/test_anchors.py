"""Other codecs beside a slide's own file: its tiles, the draw of families, equal quality, the command and the plot."""

from __future__ import annotations

import importlib
import json
import math
from itertools import pairwise
from pathlib import Path

import anchor_tables
import bench_anchors
import bench_page
import equal_psnr
import numpy as np
import own_tiles
import plot_anchors
import pytest
from click.testing import CliRunner
from conftest import tissue

from rrip_format import RripError
from rrip_format.evaluate import method_keys
from rrip_format.evaluate.peers import ANCHOR, peers
from rrip_format.evaluate.sample import Sample
from rrip_format.sources import open_source

imagecodecs = pytest.importorskip("imagecodecs")
tifffile = pytest.importorskip("tifffile")
pytest.importorskip("matplotlib")


def without_marker(stream: bytes, marker: int) -> bytes:
    at = stream.index(bytes((0xFF, marker)))
    return stream[:at] + stream[at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big") :]


def write_slide(path: Path, rgb: np.ndarray, *, coded_as_rgb: bool = False, side: int = 256) -> list[bytes]:
    """Write a TIFF with JPEG tiles, those coded as RGB without a marker that says so; return the tiles."""
    height, width = rgb.shape[:2]
    padded = np.pad(rgb, ((0, -height % side), (0, -width % side), (0, 0)), mode="edge")
    corners = [(y, x) for y in range(0, height, side) for x in range(0, width, side)]
    crops = [np.ascontiguousarray(padded[y : y + side, x : x + side]) for y, x in corners]
    if coded_as_rgb:
        how = {"colorspace": "rgb", "outcolorspace": "rgb"}
        tiles = [without_marker(imagecodecs.jpeg8_encode(crop, level=80, **how), 0xEE) for crop in crops]
    else:
        tiles = [imagecodecs.jpeg8_encode(crop, level=80, subsampling="420") for crop in crops]
    with tifffile.TiffWriter(path) as file:
        photometric = "rgb" if coded_as_rgb else "ycbcr"
        extra = {} if coded_as_rgb else {"subsampling": (2, 2)}
        file.write(
            iter(tiles),
            shape=rgb.shape,
            dtype="uint8",
            tile=(side, side),
            photometric=photometric,
            compression="jpeg",
            **extra,
        )
    return tiles


# ----------------------------------------------------------------------------------------------------- the file's tiles


def test_bytes_of_squares_are_those_of_their_tiles(tmp_path):
    tiles = write_slide(tmp_path / "a.tif", tissue(600, 700))
    sizes = np.array([len(tile) for tile in tiles], float).reshape(3, 3)
    with own_tiles.own_tiles(tmp_path / "a.tif") as own:
        assert own.is_jpeg
        assert own.total == sizes.sum()
        assert own.bytes_of(0, 0, 700) == pytest.approx(sizes.sum())
        assert own.bytes_of(256, 256, 256) == pytest.approx(sizes[1, 1])
        assert own.bytes_of(0, 128, 256) == pytest.approx((sizes[0, 0] + sizes[0, 1]) / 2)
        # the last tiles hold 88 rows and 188 columns of the picture
        assert own.bytes_of(512, 512, 88) == pytest.approx(sizes[2, 2] * 88 / 188)
        assert own.touching(250, 0, 10) == [0, 3]
        assert own.stored(4) == tiles[4]


@pytest.mark.parametrize("coded_as_rgb", [False, True])
def test_own_tiles_go_to_jpeg_xl_and_back(tmp_path, coded_as_rgb):
    rgb = tissue(256, 512)
    write_slide(tmp_path / "a.tif", rgb, coded_as_rgb=coded_as_rgb)
    with own_tiles.own_tiles(tmp_path / "a.tif") as own:
        stream = own.stream(1)
    small = own_tiles.transcode(stream)  # compares the streams
    assert len(small) < len(stream)
    for decoded in (imagecodecs.jpeg8_decode(stream), imagecodecs.jpegxl_decode(small)):
        assert np.abs(decoded.astype(int) - rgb[:, 256:]).mean() < 8, "the right colours"


def test_strips_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", tissue(64, 64))
    with pytest.raises(RripError, match=r"a\.tif: level 0 is in strips"), own_tiles.own_tiles(tmp_path / "a.tif"):
        pass


# ------------------------------------------------------------------------------------------------------------- the draw


@pytest.mark.parametrize("count", [3, 6, 100])
def test_a_draw_estimates_the_whole_slide(tmp_path, count):
    write_slide(tmp_path / "a.tif", np.vstack([tissue(256, 1024), np.full((512, 1024, 3), 240, np.uint8)]))
    places = [(row, col) for row in range(3) for col in range(4)]
    with own_tiles.own_tiles(tmp_path / "a.tif") as own:
        draw = own_tiles.draw_families(own, places, 256, 0, count)
        assert sum(draw.weights) == pytest.approx(1)
        assert len(set(draw.places)) == len(draw.places) <= min(count, 12)  # one that is drawn twice weighs twice
        assert draw.bytes == [own.bytes_of(256 * row, 256 * col, 256) for row, col in draw.places]
        assert draw.part([0.5 * size for size in draw.bytes]) == pytest.approx(0.5)
        drawn_glass = [place for place in draw.places if place[0] > 0]
        assert len(drawn_glass) < len(draw.places) * 8 / 12 or count == 100  # bytes count, not places
        if count == 100:
            sizes = [7 + 3 * k for k in range(12)]
            assert draw.part(sizes) == pytest.approx(sum(sizes) / own.total)


def test_a_draw_of_nothing_is_an_error(tmp_path):
    write_slide(tmp_path / "a.tif", tissue(256, 256))
    with own_tiles.own_tiles(tmp_path / "a.tif") as own, pytest.raises(RripError, match="no whole family"):
        own_tiles.draw_families(own, [], 256, 0, 3)


# -------------------------------------------------------------------------------------------------------- equal quality


def test_bytes_are_those_at_the_wanted_quality():
    jpeg = next(method for method in peers() if method.key == ANCHOR)
    with open_source(tissue(256, 512)) as source:
        sample = Sample(source, 64, [])
        families = [sample.family(0, col) for col in (0, 1)]
    draw = own_tiles.Draw([], [1.0, 1.0], [1.0, 1.0])
    wanted, _, parts = equal_psnr.encode(jpeg, families, 70)
    found = equal_psnr.match(jpeg, families, wanted, draw)
    assert found.psnr_y == pytest.approx(wanted, abs=0.3)
    assert found.whole == pytest.approx(sum(sum(part.sizes) for part in parts), rel=0.02)
    assert found.level_0 == pytest.approx(sum(part.sizes[0] for part in parts), rel=0.02)
    best = equal_psnr.match(jpeg, families, 99.0, draw)
    assert best.setting == jpeg.settings[-1]  # what cannot be reached is said by the PSNR in the report


# -------------------------------------------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def testdata(tmp_path_factory) -> Path:
    from PIL import Image

    folder = tmp_path_factory.mktemp("testdata")
    Image.fromarray(tissue(512, 512)).save(folder / "field-breast-HE.png")
    write_slide(folder / "CMU-1-Small-Region.svs", tissue(520, 520, 1))
    return folder


@pytest.fixture(scope="module")
def report(testdata) -> dict:
    arguments = ["--testdata", str(testdata), "--quick", "--codecs", "jpegli-420,htj2k-one,webp", "--json"]
    result = CliRunner().invoke(bench_anchors.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=pytest.fail)


def test_fields_and_slides_are_measured(report):
    (field,), (slide,) = report["fields"].values(), report["slides"].values()
    keys = {"rrip", "jpeg-420", "htj2k-one", "webp"}
    assert keys <= set(field["codecs"]) <= keys | {"jpegli-420"}
    assert set(slide["codecs"]) == set(field["codecs"]) | {"own", "own-jxl", "own-jxl-jpeg"}
    assert ("jpegli-420" in field["codecs"]) != ("jpegli 4:2:0" in field["left_out"])
    for image in (field, slide):
        for key, row in image["codecs"].items():
            times = {"level_0", "level_1", "level_1_from_0"}
            times -= (
                {"level_1"} if key.startswith("own") else {"level_1_from_0"} if key in {"rrip", "htj2k-one"} else set()
            )
            assert set(row["decode"]) == times
            assert all(math.isfinite(time["to_jpeg"]["median"]) for time in row["decode"].values())
    assert field["codecs"][ANCHOR]["bytes_to_jpeg"] == 1
    assert field["codecs"]["rrip"]["bytes_to_file"] is None
    rows = slide["codecs"]
    assert rows["own"]["level_0_to_file"] == pytest.approx(slide["level_0_bytes"] / slide["file_bytes"], abs=1e-4)
    assert rows["own-jxl"]["level_0_to_file"] < rows["own"]["level_0_to_file"]
    assert rows["htj2k-one"]["level_0_to_file"] == rows["htj2k-one"]["bytes_to_file"]
    assert rows["webp"]["level_0_to_file"] < rows["webp"]["bytes_to_file"]
    for image in (field, slide):
        for row in image["codecs"].values():
            assert "psnr_y" not in row or row["psnr_y"] == pytest.approx(image["codecs"]["rrip"]["psnr_y"], abs=1.5)


def test_tables_and_plot(report, tmp_path):
    found = anchor_tables.tables(report)
    assert found[0].startswith("| mean of fields: breast |")
    assert any(table.startswith("| CMU-1-Small-Region.svs |") for table in found)
    assert "| JPEG 4:2:0 | 100.0 |" in found[0]
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    picture = tmp_path / "picture.png"
    result = CliRunner().invoke(
        plot_anchors.main, [str(tmp_path / "report.json"), str(picture)], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_means_are_geometric_and_need_every_image():
    def image(size: float, **more: dict) -> dict:
        row = {"label": "A", "bytes_to_jpeg": size, "psnr_rgb_to_rrip": 1.0}
        return {"codecs": {"a": row | {"decode": {"level_0": {"to_jpeg": {"median": 4 * size}}}}, **more}}

    rows = anchor_tables.mean_rows([image(0.2), image(0.8, b={"label": "B", "bytes_to_jpeg": 1.0, "decode": {}})])
    assert rows["a"]["bytes_to_jpeg"] == pytest.approx(0.4)
    assert rows["a"]["level_0"] == pytest.approx(1.6)
    assert rows["a"]["bytes_to_file"] is None
    assert rows["b"]["bytes_to_jpeg"] is None  # one image lacks it


def test_points_of_the_plot():
    row = {"bytes_to_jpeg": 0.8, "level_0_to_jpeg": 0.6, "level_0": 2.0, "level_1": 3.0, "level_1_from_0": 8.0}
    assert plot_anchors.points(row, "jpeg", 0) == ([(2.0, 80.0)], [(2.0, 60.0)])
    assert plot_anchors.points(row, "jpeg", 1) == ([(3.0, 80.0)], [(8.0, 60.0)])
    stream = row | {"level_0_to_jpeg": 0.8, "level_1_from_0": None}
    assert plot_anchors.points(stream, "jpeg", 0) == ([(2.0, 80.0)], [])  # one stream has no other form
    own = row | {"bytes_to_jpeg": None, "level_1": None}
    assert plot_anchors.points(own, "jpeg", 1) == ([], [(8.0, 60.0)])


@pytest.mark.parametrize(
    ("options", "said"), [((), "has none of the images"), (("--codecs", "gif"), "unknown codec gif")]
)
def test_what_cannot_be_measured_is_an_error(testdata, tmp_path, options, said):
    folder = testdata if options else tmp_path
    result = CliRunner().invoke(bench_anchors.main, ["--testdata", str(folder), "--quick", *options])
    assert result.exit_code == 1
    assert said in result.output


def test_every_command_of_the_record_exists():
    page = Path(bench_anchors.__file__).parents[2] / "docs" / "records" / "anchors.md"
    found = bench_page.commands(page.read_text(encoding="utf-8"))
    assert len(found) == 3
    for command in found:
        _, tool, *options = command.split()
        module = importlib.import_module(Path(tool).stem)
        known = {flag for parameter in module.main.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        assert {option for option in options if option.startswith("--")} <= known
        given = dict(pairwise(options))
        names = {"--images": {*bench_anchors.FIELDS, *bench_anchors.SLIDES}, "--codecs": set(method_keys())}
        for option, allowed in names.items():
            assert set(given.get(option, "").split(",")) - {""} <= allowed
