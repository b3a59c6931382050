"""Files that only stand for a slide, kinds that are known and not read, and names that are hard to handle."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import subprocess
import sys
import threading

import imagecodecs
import numpy as np
import pytest
import pyvips
import tifffile
from raw_tiff import BYTE, Page, basic_tags, write_raw_tiff
from tiff_readers import picture

import rrip_format
from rrip_format.errors import SourceError, SourceNotFoundError
from rrip_format.sources import open_source
from rrip_format.sources.files import fingerprint_files
from rrip_format.sources.parts import find_slide


def refuse(path, *words, kind=SourceError):
    with pytest.raises(kind) as caught, open_source(path) as source:
        source.read(0, 0, source.info.height, source.info.width)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
    return message


def jpeg(path):
    pyvips.Image.new_from_array(picture()).copy(interpretation="srgb").jpegsave(str(path))
    return path


# --- slides of several files ------------------------------------------------------------------------------------------

SLIDEDAT = "[HIERARCHICAL]\nINDEXFILE = Index.dat\n[DATAFILE]\nFILE_COUNT = 1\nFILE_0 = Data0000.dat\n"


def make_mirax(path):
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".mrxs":
        path.write_bytes(jpeg(path.with_suffix(".jpg")).read_bytes())
        path.with_suffix(".jpg").unlink()
    folder = path.with_suffix("")
    folder.mkdir()
    (folder / "Slidedat.ini").write_text("\ufeff" + SLIDEDAT, encoding="utf-8")
    (folder / "Index.dat").write_bytes(b"i" * 20)
    (folder / "Data0000.dat").write_bytes(b"d" * 70)
    return path


@pytest.mark.parametrize("lost", ["", "Slidedat.ini", "Index.dat", "Data0000.dat"])
def test_a_mirax_slide_without_its_data(lost, tmp_path):
    path = make_mirax(tmp_path / "a" / "slide.mrxs")
    assert fingerprint_files(path, find_slide(path))["size_bytes"] > 90 + path.stat().st_size
    if lost:
        (tmp_path / "a" / "slide" / lost).unlink()
    else:
        (tmp_path / "a" / "slide").rename(tmp_path / "a" / "elsewhere")
    missing = tmp_path / "a" / "slide" / lost if lost else tmp_path / "a" / "slide"
    refuse(path, str(missing), "missing")
    (tmp_path / "work").mkdir()
    for name in ("slide.mrxs", "input", "input.jpg"):
        (tmp_path / "work" / name).symlink_to(path)
        refuse(tmp_path / "work" / name, "missing")


def test_a_link_finds_the_data_at_its_end_or_beside_itself(tmp_path):
    path = make_mirax(tmp_path / "store" / "case 1.mrxs")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "input.mrxs").symlink_to(path)
    assert find_slide(tmp_path / "work" / "input.mrxs")[0] == path
    blob = tmp_path / "blob"
    path.rename(blob)  # a store by content has the file alone under another name
    path.symlink_to(blob)
    assert find_slide(path)[0] == path
    assert len(find_slide(path)) == 4


def test_the_folder_of_a_mirax_slide_is_named(tmp_path):
    make_mirax(tmp_path / "slide.mrxs")
    refuse(tmp_path / "slide", "the data folder of a MIRAX slide", "slide.mrxs")


def make_vms(folder):
    for name in ("s-0.jpg", "s-1.jpg", "map.jpg", "macro.jpg"):
        jpeg(folder / name)
    (folder / "s.opt").write_bytes(bytes(40))
    text = (
        "[Virtual Microscope Specimen]\nNoJpegColumns=2\nNoJpegRows=1\nImageFile=s-0.jpg\nImageFile(1,0)=s-1.jpg\n"
        "MapFile=map.jpg\nMacroImage=macro.jpg\nOptimisationFile=s.opt\n"
    )
    (folder / "s.vms").write_text(text)
    return folder / "s.vms"


def test_a_vms_slide_is_counted_whole(tmp_path):
    path = make_vms(tmp_path)
    files = find_slide(path)
    assert {file.name for file in files} == {"s.vms", "s-0.jpg", "s-1.jpg", "map.jpg", "macro.jpg", "s.opt"}
    assert fingerprint_files(path, files)["size_bytes"] == sum(file.stat().st_size for file in tmp_path.iterdir())
    (tmp_path / "s.opt").unlink()  # OpenSlide does without
    find_slide(path)
    (tmp_path / "s-1.jpg").unlink()
    refuse(path, str(tmp_path / "s-1.jpg"), "missing")


def make_sakura(path, pixels, magic=b"SVGigaPixelImage", side=32):
    """A slide of Sakura: a database with a gray JPEG for each colour of each tile."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("create table DataManagerSQLiteConfigXPO (TableName text)")
        database.execute("insert into DataManagerSQLiteConfigXPO values ('tiles')")
        database.execute("create table tiles (id text primary key, data blob)")
        height, width = pixels.shape[:2]
        rows = {"++MagicBytes": magic, "Header": struct.pack("<6I", side, width, height, 8, 1, 0)}
        padded = np.pad(pixels, ((0, -height % side), (0, -width % side), (0, 0)))
        for y, x, colour in np.ndindex(-(-height // side), -(-width // side), 3):
            tile = np.ascontiguousarray(padded[y * side : (y + 1) * side, x * side : (x + 1) * side, colour])
            rows[f"T;{x * side}|{y * side};1;{colour};0"] = imagecodecs.jpeg8_encode(tile, level=98)
        database.executemany("insert into tiles values (?, ?)", rows.items())
        database.commit()
    return path


def test_a_database_is_a_slide_if_it_is_of_sakura(tmp_path):
    with open_source(make_sakura(tmp_path / "a.svslide", picture())) as source:
        assert (source.info.vendor, source.info.reader) == ("sakura", "openslide")
        pixels = source.read(0, 0, *picture().shape[:2])
        assert np.abs(pixels.astype(int) - picture()).mean() < 2
    refuse(make_sakura(tmp_path / "b.svslide", picture(), magic=b"SVOther"), "SQLite database is not supported")


def test_a_vsi_is_a_stand_in(tmp_path):
    tifffile.imwrite(tmp_path / "a.vsi", picture(), photometric="rgb")
    refuse(tmp_path / "a.vsi", "VSI is not supported", f"{tmp_path / '_a_'}, which holds its pixels, is missing")
    (tmp_path / "_a_" / "stack1").mkdir(parents=True)
    assert "missing" not in refuse(tmp_path / "a.vsi", "VSI is not supported")
    (tmp_path / "b.tif").symlink_to(tmp_path / "a.vsi")
    refuse(tmp_path / "b.tif", "VSI is not supported")


# --- kinds by name ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.czi", b"ZISRAWFILE\0\0\0\0\0\0", "Zeiss CZI"),
        ("renamed.svs", b"ZISRAWFILE\0\0\0\0\0\0", "Zeiss CZI"),
        ("a.nd2", b"\xda\xce\xbe\x0a\x10\0\0\0", "Nikon ND2"),
        ("a.lif", b"\x70\0\0\0\x10\0\0\0", "Leica LIF"),
        ("a.oir", b"OLYMPUSRAWFORMAT", "Olympus OIR"),
        ("a.zvi", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Zeiss ZVI"),
        ("a.ims", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("a.isyntax", b'<?xml version="1.0"?><DataObject ObjectType="DPUfsImport">', "Philips iSyntax"),
        ("a.xml", b'<?xml version="1.0"?><DataObject ObjectType="DPUfsImport">', "Philips iSyntax"),
        ("a.companion.ome", b'<?xml version="1.0"?><OME xmlns="x">', "OME-XML"),
        ("a.afi", b"<ImageList><Image><Path>x.svs</Path></Image></ImageList>", "Aperio AFI"),
        ("a.ndpis", b"[NanoZoomer Digital Pathology Image Set]\n", "Hamamatsu NDPIS"),
        ("a.kfb", b"KFB\0\0\0", "KFBio KFB"),
        ("a.sdpc", b"SQ\0\0", "Sqray SDPC"),
        ("a.tmap", b"TMAP", "UNIC TMAP"),
        ("a.mds", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Motic MDS"),
        ("a.mdsx", b"\1\2\3\4", "Motic MDSX"),
        ("a.pdf", b"%PDF-1.7", "PDF"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
        ("a.zip", b"PK\x03\x04", "zip archive"),
        ("a.svs.gz", b"\x1f\x8b\x08\0", "gzip archive"),
        ("a.nii", b"\x5c\x01\0\0", "NIfTI"),
        ("a.ets", b"SIS\0", "Olympus ETS"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(30), "JPEG 2000"),
        ("a.jxl", b"\xff\x0a" + bytes(30), "JPEG XL"),
        ("a.bmp", b"BM" + bytes(60), "BMP"),
        ("a.html", b"<!DOCTYPE html><html>", "HTML"),
        *((f"a.p{kind}m", f"P{kind}\n2 2\n255\n".encode(), "netpbm") for kind in "1234567fF"),
        ("a.hdr", b"#?RADIANCE\n", "Radiance HDR"),
        ("a.qoi", b"qoif\0\0\0\x02", "QOI"),
        ("a.xcf", b"gimp xcf v011\0", "GIMP XCF"),
        ("a.dds", b"DDS |\0\0\0", "DDS"),
        ("a.sgi", b"\x01\xda\x01\x01\0\x03", "SGI image"),
        ("a.pcx", b"\x0a\x05\x01\x08", "PCX"),
        ("a.ico", b"\0\0\x01\0\x01\0", "Windows icon"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        ("a.tar", b"a.svs".ljust(257, b"\0") + b"ustar\0", "tar archive"),
        ("a.svs.bz2", b"BZh91AY", "bzip2 archive"),
        ("a.svs.xz", b"\xfd7zXZ\0\0", "xz archive"),
        ("a.svs.zst", b"\x28\xb5\x2f\xfd\x24", "Zstandard archive"),
        ("a.mat", b"MATLAB 5.0 MAT-file", "MATLAB file"),
        ("a.db", b"SQLite format 3\0", "SQLite database"),
        ("a.jls", imagecodecs.jpegls_encode(picture()), "JPEG-LS"),
        ("a.jpg", imagecodecs.jpegls_encode(picture(1)[..., 0]), "JPEG-LS"),
        ("b.jpg", imagecodecs.jpeg8_encode(picture().astype(np.uint16) * 16, bitspersample=12), "JPEG with 12 bits"),
    ],
)
def test_known_kinds_are_named(name, head, kind, tmp_path):
    (tmp_path / name).write_bytes(head + bytes(100))
    message = refuse(tmp_path / name, kind, "is not supported")
    assert "check the file" not in message


@pytest.mark.parametrize("name", ["a.txt", "a.svs", "a.tif", "noname"])
def test_other_files_are_of_unknown_kind(name, tmp_path):
    for content, words in ((b"hello, world", "begins with 68 65 6c 6c 6f"), (bytes(70000), "zero")):
        (tmp_path / name).write_bytes(content)
        assert "check the file" not in refuse(tmp_path / name, words)


def test_a_damaged_picture_is_no_unknown_kind(tmp_path):
    for suffix in (".png", ".gif", ".webp", ".jpg"):
        data = pyvips.Image.new_from_array(picture()).copy(interpretation="srgb").write_to_buffer(suffix)
        (tmp_path / "a").write_bytes(data[: len(data) // 2])
        assert "known kind" not in refuse(tmp_path / "a")
    data = imagecodecs.jpeg8_encode(picture())
    (tmp_path / "a").write_bytes(data[:30])
    assert "ff d8" not in refuse(tmp_path / "a", "its header is cut off")


def test_a_directory_without_tags(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + bytes(1000))
    refuse(tmp_path / "a.tif", "has no tags; get a complete copy")


def test_a_name_alone_decides_nothing_about_pictures(tmp_path):
    tifffile.imwrite(tmp_path / "a.czi", picture(), photometric="rgb")
    with open_source(tmp_path / "a.czi") as source:
        np.testing.assert_array_equal(source.read(0, 0, 44, 70), picture())


def test_bif_of_newer_scanners_is_refused_for_the_true_reason(tmp_path):
    """OpenSlide knows tiles that are joined to the right and up only."""
    pixels = picture()
    iscan = b'<?xml version="1.0"?><Metadata><iScan Magnification="40" ScanRes="0.25"/></Metadata>'
    joint = (
        b'<?xml version="1.0"?><EncodeInfo Ver="2"><SlideInfo/><SlideStitchInfo><ImageInfo AOIScanned="1" AOIIndex="0" '
        b'NumRows="3" NumCols="3" Width="32" Height="16" Pos-X="0" Pos-Y="0"><TileJointInfo FlagJoined="1" '
        b'Confidence="99" Direction="LEFT" Tile1="1" Tile2="2" OverlapX="0" OverlapY="0"/></ImageInfo>'
        b'</SlideStitchInfo><AoiOrigin><AOI0 OriginX="0" OriginY="0"/></AoiOrigin></EncodeInfo>'
    )
    pages = []
    for description, xml in ((b"Label Image\0", iscan), (b"level=0 mag=40 quality=90\0", joint)):
        tags = basic_tags(pixels, photometric=2, tile=(16, 32)) | {270: (2, description), 700: (BYTE, xml)}
        padded = np.pad(pixels, ((0, 4), (0, 26), (0, 0)), mode="edge")
        tiles = [padded[y : y + 16, x : x + 32].tobytes() for y in range(0, 48, 16) for x in range(0, 96, 32)]
        pages.append(Page(tags, tiles, is_tiled=True))
    path = write_raw_tiff(tmp_path / "a.bif", pages)
    message = refuse(path, 'Bad direction attribute "LEFT" is not supported by this version of OpenSlide')
    assert "check the file" not in message


# --- what is no file --------------------------------------------------------------------------------------------------


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    pipe = tmp_path / "pipe.svs"
    os.mkfifo(pipe)
    done = threading.Event()

    def look():
        for path in (pipe, "/dev/zero", "/dev/null"):
            refuse(path, "not a regular file")
        with pytest.raises(SourceError, match="not a regular file"):
            rrip_format.convert(pipe, tmp_path / "a.rrip.zarr")
        done.set()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    assert done.wait(60)
    command = [sys.executable, "-m", "rrip_format", "convert", str(pipe), str(tmp_path / "a.rrip.zarr")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, "not a regular file" in run.stderr) == (1, True)
    assert [file.name for file in tmp_path.iterdir()] == ["pipe.svs"]


def test_a_link_to_nothing_says_where_it_leads(tmp_path):
    (tmp_path / "a.svs").symlink_to(tmp_path / "gone.svs")
    refuse(tmp_path / "a.svs", "gone.svs", "not there", kind=SourceNotFoundError)


NAMES = [
    "with space.tif",
    "100%.tif",
    "a#b?.tif",
    "Ünïcödé 病理.tif",
    "a::b.tif",
    "[page=1].tif",
    "-q.tif",
    "a:b@c;d&e.tif",
    "new\nline.tif",
    os.fsdecode(b"not\xffunicode.tif"),
]
if sys.platform in {"win32", "darwin"}:  # whose file systems refuse these
    NAMES = NAMES[:-2]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".svs"])
def test_names_that_mean_something_elsewhere(name, suffix, tmp_path, monkeypatch):
    folder = tmp_path / name.removesuffix(".tif")
    folder.mkdir()
    path = folder / (name.removesuffix(".tif") + suffix)
    if suffix in {".tif", ".svs"}:
        description = "Aperio Image Library v1\n70x44 |AppMag = 40|MPP = 0.25" if suffix == ".svs" else None
        tifffile.imwrite(
            path,
            picture(),
            photometric="rgb",
            tile=(16, 16),
            compression="zlib",
            description=description,
            metadata=None,
        )
    else:
        path.write_bytes(pyvips.Image.new_from_array(picture()).copy(interpretation="srgb").write_to_buffer(suffix))
    monkeypatch.chdir(folder)
    (tmp_path / "link").symlink_to(path)
    pixels = []
    for place in (path, path.name, f"./{path.name}", tmp_path / "link", os.path.relpath(path)):
        with open_source(place) as source:
            pixels.append(source.read(0, 0, 44, 70))
            assert source.info.mpp_x == (0.25 if suffix == ".svs" else None)
    assert all((found == pixels[0]).all() for found in pixels)
    assert np.abs(pixels[0].astype(int) - picture()).mean() < 8


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_takes_such_names(name, tmp_path):
    from click.testing import CliRunner

    from rrip_format.cli import main

    folder = tmp_path / name.removesuffix(".tif")
    folder.mkdir()
    tifffile.imwrite(folder / name, picture(), photometric="rgb")
    target = folder / f"{name}.rrip.zarr"
    done = CliRunner().invoke(main, ["convert", "--", str(folder / name), str(target)])
    assert done.exit_code == 0, done.output
    assert sorted(file.name for file in folder.iterdir()) == sorted([name, target.name])
    assert rrip_format.imread(target).shape == (44, 70, 3)
