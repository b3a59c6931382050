"""What sources say of their lossy history, and what conversions make of it (spec section 8.9)."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import tissue

import rrip_format
from rrip_format.cli import main
from rrip_format.conversion.lossy import describe_loss, own_quality
from rrip_format.core.annex_k import nearest_quality, scaled_table
from rrip_format.errors import SourceError
from rrip_format.sources import open_source
from rrip_format.sources.compressions import find_compressions
from rrip_format.sources.jpegtables import read_loss
from rrip_format.spec.metadata import JPEG, JPEG_2000, Compression, find_history, history_text
from rrip_format.tuning.settings import Settings

Image = pytest.importorskip("PIL.Image")
tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")


def run(*args: object):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def jpeg(quality: int, subsampling: int = 0, **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(tissue(64, 64)).save(out, "JPEG", quality=quality, subsampling=subsampling, **options)
    return out.getvalue()


@pytest.mark.parametrize("quality", [*range(1, 101, 7), 50, 75, 90, 95, 100])
def test_the_quality_of_libjpeg_is_found_exactly(quality):
    assert read_loss(jpeg(quality)).quality == quality


def test_every_luma_table_is_nearest_to_itself():
    # below 4 many steps are 255, and several qualities have tables that are near
    assert [nearest_quality(scaled_table(0, quality)) for quality in range(1, 101)] == list(range(1, 101))


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_other_tables_are_estimated(factor):
    table = np.maximum(1, np.round(scaled_table(0, 75) * factor)).astype(np.int64)
    assert 70 <= nearest_quality(table) <= 80
    assert 65 <= nearest_quality(np.full(64, 25, np.int64)) <= 80


@pytest.mark.parametrize(("number", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_subsampling(number, name):
    assert read_loss(jpeg(80, number)).subsampling == name


def test_of_gray_and_progressive():
    out = io.BytesIO()
    Image.fromarray(tissue(64, 64)[..., 0]).save(out, "JPEG", quality=60)
    assert (read_loss(out.getvalue()).quality, read_loss(out.getvalue()).subsampling) == (60, None)
    assert read_loss(jpeg(60, progressive=True)).quality == 60


def test_what_is_no_jpeg():
    assert read_loss(b"") is None
    assert read_loss(b"\x89PNG\r\n") is None
    whole = jpeg(80)
    found = [read_loss(whole[:length]) for length in range(0, len(whole), 7)]
    assert {None if one is None else one.quality for one in found} == {None, 80}
    rng = np.random.default_rng(1)
    for _ in range(500):
        damaged = bytearray(whole[:700])
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        read_loss(bytes(damaged))  # whatever it finds, no exception


def found_in(path):
    with open_source(path) as source:
        return find_compressions(source)


TIFF = [
    ({"compression": "jpeg", "compressionargs": {"level": 83}, "subsampling": (1, 1)}, (JPEG, True, 83)),
    ({"compression": "jpeg", "compressionargs": {"level": 40}, "subsampling": (2, 2)}, (JPEG, True, 40)),
    ({"compression": "deflate"}, ("Deflate", False, None)),
    ({"compression": "lzw"}, ("LZW", False, None)),
    ({"compression": "zstd"}, ("Zstandard", False, None)),
    ({"compression": "jpeg2000", "compressionargs": {"level": 40, "reversible": False}}, (JPEG_2000, True, None)),
    ({"compression": "jpeg2000", "compressionargs": {"level": 0, "reversible": True}}, (JPEG_2000, None, None)),
]


@pytest.mark.parametrize(("options", "expected"), TIFF)
@pytest.mark.parametrize("tile", [(64, 64), None])
def test_tiff(options, expected, tile, tmp_path):
    rgb = tissue(192, 200)
    tifffile.imwrite(tmp_path / "a.tif", rgb, tile=tile, photometric="rgb", metadata=None, **options)
    (found,) = found_in(tmp_path / "a.tif")
    assert (found.method, found.lossy, found.quality) == expected
    if expected[0] == JPEG:
        assert found.subsampling == ("4:2:0" if options["subsampling"] == (2, 2) else "4:4:4")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert found.ratio == pytest.approx(rgb.nbytes / sum(tif.pages[0].databytecounts), abs=0.01)


def test_uncompressed_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", tissue(100, 100), photometric="rgb", metadata=None)
    assert found_in(tmp_path / "a.tif") == ()


@pytest.mark.parametrize(
    ("suffix", "options", "expected"),
    [
        ("jpg", {"quality": 71}, (JPEG, True, 71)),
        ("png", {}, ("Deflate", False, None)),
        ("webp", {"quality": 71}, ("WebP", None, None)),
    ],
)
def test_pictures(suffix, options, expected, tmp_path):
    pytest.importorskip("pyvips")
    Image.fromarray(tissue(100, 100)).save(tmp_path / f"a.{suffix}", **options)
    (found,) = found_in(tmp_path / f"a.{suffix}")
    assert (found.method, found.lossy, found.quality) == expected


def test_an_array_tells_nothing():
    with open_source(tissue(100, 100)) as source:
        assert find_compressions(source) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CMU-1-Small-Region.svs", [(JPEG, True, 30, None), (JPEG, True, 30, "4:4:4")]),  # exported once by Aperio
        ("TCGA-CR-7395-01A-01-TS1.svs", [(JPEG_2000, True, None, None)]),
        ("ki67-hamamatsu.ome.tif", [(JPEG, True, 75, "4:2:0")]),
        ("fluorescence.ndpi", [(JPEG, True, 90, "4:4:4")]),
        ("lymph-node-j2k-lossless.dcm", [(JPEG_2000, False, None, None)]),
        ("odd/osp-boxes_0.dcm", [(JPEG, True, 30, "4:4:4")]),
        ("field-colon-IHC.png", [("Deflate", False, None, None)]),
    ],
)
def test_slides(name, expected, testdata):
    found = found_in(testdata(name))
    assert [(one.method, one.lossy, one.quality, one.subsampling) for one in found] == expected


def test_text_of_a_history_is_found_again():
    history = [Compression("ISO_10918_1", True, 30, "4:2:0", 15.5), Compression("RRIP", None)]
    text = history_text(history)
    assert find_history(f"Aperio … |{text} and more") == tuple(history)
    assert find_history(f"<Description>{text.replace(chr(34), '&quot;')}</Description>") == tuple(history)
    for other in ("", "nothing", "Compressions: ", "Compressions: null", 'Compressions: [{"method": 5}]', text[:-9]):
        assert find_history(other) is None
    assert find_history(history_text(history * 20)) is None


def test_the_history_goes_through_container_and_export(tmp_path):
    pytest.importorskip("openslide")
    source = tmp_path / "a.tif"
    options = {"tile": (64, 64), "photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 70}}
    tifffile.imwrite(source, tissue(192, 200), metadata=None, subsampling=(1, 1), **options)
    expected = [("ISO_10918_1", 70), ("RRIP", 80), ("ISO_10918_1", 85)]
    for suffix in ("tif", "ome.tif", "svs"):
        made, exported = tmp_path / f"{suffix}.rrip.tif", tmp_path / f"out.{suffix}"
        assert run("convert", source, made, "-q", 80).exit_code == 0
        slide = rrip_format.info(made)["metadata"]["slide"]
        assert [(one["method"], one["quality"]) for one in slide["source"]["compressions"]] == expected[:1]
        assert "  source     JPEG quality 70 4:4:4" in run("info", made).stdout
        assert run("export", made, exported, "-q", 85).exit_code == 0
        assert [(one.method, one.quality) for one in found_in(exported)] == expected
    assert run("export", made, tmp_path / "out.dzi", "-q", 85).exit_code == 0
    properties = json.loads((tmp_path / "out_files" / "properties.json").read_text("utf-8"))
    assert [(one["method"], one["quality"]) for one in properties["compressions"]] == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-q", "90"], "--quality 90 is finer than its own 70"),
        (["-q", "70"], "--quality 70 is its own"),
        (["-q", "source"], "--quality 70 is its own"),
        (["-q", "50"], "--quality 50 is coarser than its own 70"),
        (["--target", "psnr=38"], "a.jpg is lossy already: JPEG quality 70 4:4:4"),
    ],
)
def test_convert_says_it_in_one_line(options, said, tmp_path):
    pytest.importorskip("pyvips")
    Image.fromarray(tissue(300, 280)).save(tmp_path / "a.jpg", quality=70, subsampling=0)
    result = run("convert", tmp_path / "a.jpg", tmp_path / "a.rrip.zarr", *options)
    assert result.exit_code == 0
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    again = run("convert", tmp_path / "a.jpg", tmp_path / "b.rrip.zarr", *options, "--json")
    assert again.stderr == ""
    assert json.loads(again.stdout)["compressions"][0]["quality"] == 70


def test_nothing_is_said_of_a_source_that_lost_nothing():
    assert describe_loss("a", None, Settings()) is None
    assert describe_loss("a", (), Settings()) is None
    assert describe_loss("a", (Compression("Deflate", False),), Settings()) is None
    said = describe_loss("a", (Compression(JPEG, True, 30), Compression("Deflate", False)), Settings())
    assert (
        said == "a is lossy already: JPEG quality 30; --quality 90 is finer than its own 30, so bytes go into what it "
        "has lost already; see --quality source"
    )
    said = describe_loss("a", (Compression(JPEG, True, 30),) * 3, Settings(quality=30))
    assert said == "a is lossy already: JPEG quality 30, after 2 earlier lossy compressions; --quality 30 is its own"


def test_quality_source_is_the_number(tmp_path):
    pytest.importorskip("pyvips")
    Image.fromarray(tissue(300, 280)).save(tmp_path / "a.jpg", quality=64)
    done = rrip_format.convert(tmp_path / "a.jpg", tmp_path / "a.rrip.tif", quality="source")
    assert done.quality == 64
    rrip_format.convert(tmp_path / "a.jpg", tmp_path / "b.rrip.tif", quality=64)
    assert (tmp_path / "a.rrip.tif").read_bytes() == (tmp_path / "b.rrip.tif").read_bytes()
    assert run("convert", tmp_path / "a.jpg", tmp_path / "c.rrip.tif", "-q", "source").exit_code == 0
    assert (tmp_path / "a.rrip.tif").read_bytes() == (tmp_path / "c.rrip.tif").read_bytes()
    assert (
        "exists already"
        in run("convert", tmp_path / "a.jpg", tmp_path / "c.rrip.tif", "-q", "source", "--resume").stdout
    )


@pytest.mark.parametrize("source", ["array", "png"])
def test_quality_source_needs_jpeg(source, tmp_path):
    pytest.importorskip("pyvips")
    rgb = tissue(300, 280)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    with (
        open_source(rgb if source == "array" else tmp_path / "a.png") as opened,
        pytest.raises(SourceError, match="JPEG"),
    ):
        own_quality(opened)
    with pytest.raises(SourceError, match="give a number"):
        rrip_format.convert(
            rgb if source == "array" else tmp_path / "a.png", tmp_path / "a.rrip.zarr", quality="source"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_other_words_are_no_quality(tmp_path):
    result = run("convert", tmp_path / "a.jpg", tmp_path / "a.rrip.tif", "-q", "best")
    assert result.exit_code == 2


def test_data_files_of_folders(tmp_path):
    from rrip_format.sources.compressions import find_in_data_files

    (tmp_path / "a.mrxs").write_bytes(jpeg(99))  # a stand-in, not the slide
    assert find_in_data_files(tmp_path / "a.mrxs") is None
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Data0000.dat").write_bytes(b"head" + jpeg(80, 2) + b"\0" * 9 + jpeg(80, 2))
    (tmp_path / "a" / "Index.dat").write_bytes(jpeg(95))
    assert find_in_data_files(tmp_path / "a.mrxs") == (Compression(JPEG, True, 80, "4:2:0"),)
    (tmp_path / "b.vms").write_text(
        "[Virtual Microscope Specimen]\nImageFile=b.jpg\nMacroImage=m.jpg\nImageFile(1,0)=c.jpg\n"
    )
    assert find_in_data_files(tmp_path / "b.vms") is None
    (tmp_path / "b.jpg").write_bytes(jpeg(70))
    (tmp_path / "m.jpg").write_bytes(jpeg(99))
    assert find_in_data_files(tmp_path / "b.vms") == (Compression(JPEG, True, 70, "4:4:4"),)


def test_a_long_description_is_read_in_one_pass(tmp_path):
    text = "Aperio" + "JPEG/JPEG/" * 50_000 + " Q" * 50_000
    tifffile.imwrite(tmp_path / "a.tif", tissue(64, 64), photometric="rgb", description=text, metadata=None)
    with open_source(tissue(64, 64)) as source:
        source._path = tmp_path / "a.tif"
        assert find_compressions(source) == ()


def test_evaluate_takes_the_quality_of_the_source_too(tmp_path):
    pytest.importorskip("pyvips")
    pytest.importorskip("matplotlib")
    Image.fromarray(tissue(300, 280)).save(tmp_path / "a.jpg", quality=64)
    options = ["-q", "source", "--codecs", "jpeg-420", "--no-ssimulacra2", "--families", 1, "--json"]
    result = run("evaluate", tmp_path / "a.jpg", "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["settings"]["quality"] == 64
