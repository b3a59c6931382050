"""``rrip validate``: every damage is found, named by its rule and its place, and nothing where there is none."""

from __future__ import annotations

import json
import re
import shutil
import zipfile

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from conftest import tile_path
from damaging import all_places, change_metadata, flip, forge
from kinds import serve
from versions import skip_below

import rrip_format
from rrip_format.cli import main
from rrip_format.containers import zarr_reader as container_module
from rrip_format.containers.copying import transmux
from rrip_format.containers.opening import open_container
from rrip_format.errors import RULES, StorageError
from rrip_format.integrity import validation
from rrip_format.integrity.comparison import compare
from rrip_format.integrity.findings import EXPECTED, SEVERITIES, Finding
from rrip_format.integrity.validation import DEPTHS, validate
from rrip_format.sources import open_source
from rrip_format.spec.attachments import attachment_checksum, seal_attachment
from rrip_format.spec.tile import split_tile
from rrip_format.spec.zarr_layout import tile_key
from rrip_format.zarr_views.kerchunk import references


def run(*arguments):
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


def told(path, depth="checksums"):
    """(rule, place) of all findings."""
    return [(finding.rule, finding.place) for finding in validate(path, depth)]


def test_every_rule_has_an_expectation():
    assert set(EXPECTED) == {*RULES, *SEVERITIES}
    assert rrip_format.validate is validate


@pytest.mark.parametrize("depth", DEPTHS)
def test_nothing_is_wrong(kinds, strip, depth):
    for path in (*kinds.all, strip.path):
        assert validate(path, depth) == [], path


def test_all_damaged_tiles_are_told_not_the_first(folder):
    places = all_places(folder)
    assert len(places) > 25
    for place in places:
        flip(tile_path(folder, *place))
    found = validate(folder, workers=2)
    assert {finding.tile for finding in found} == set(places)
    assert len(found) == len(places)
    assert {(finding.rule, finding.severity) for finding in found} == {("tile.checksum", "error")}
    assert validate(folder, "index") == []
    report = run(folder)
    assert report.stdout.count("\n") == 20 + 2
    assert f"and {len(places) - 20} more of tile.checksum" in report.stdout
    lines = [json.loads(line) for line in run(folder, "--json").stdout.splitlines()]
    assert len(lines) == len(places) + 1
    assert lines[-1]["rules"] == {"tile.checksum": len(places)}
    assert lines[0].keys() == {"rule", "severity", "place", "level", "row", "col", "found", "expected"}


def test_a_deleted_base_tile_that_zarr_fills(folder):
    """The one silence that the format cannot break: Zarr without this package, or under ``base``."""
    tile_path(folder, 2, 1, 1).unlink()
    assert (zarr.open_group(folder / "base", mode="r")["0"][:, 64:128, 64:128] == 255).all()
    for depth in DEPTHS[1:]:
        (finding,) = validate(folder, depth)
        assert (finding.rule, finding.place, finding.tile) == ("tile.missing", "base/0/c/0/1/1", (2, 1, 1))
    assert validate(folder, "header") == []


def cut_short(path):
    path.write_bytes(path.read_bytes()[:20])


def grow(path):
    with path.open("r+b") as file:
        file.truncate(1 << 30)


def exchange(path):
    path.write_bytes(path.with_name("2").read_bytes())


def make_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize(
    ("damage", "rule", "at_index"),
    [
        (cut_short, "tile.short", True),
        (grow, "tile.size", True),
        (exchange, "tile.place", False),
        (flip, "tile.checksum", False),
        (make_folder, "tile.missing", True),
    ],
)
def test_one_tile(folder, level, damage, rule, at_index):
    damage(tile_path(folder, level, 1, 1))
    expected = [(rule, tile_key(level, 1, 1))]
    assert told(folder) == expected
    assert told(folder, "pixels") == expected
    assert told(folder, "index") == (expected if at_index else [])


def test_streams_are_found_by_decoding_only(folder):
    with rrip_format.open(folder) as slide:
        coding, planes = slide.metadata.coding, slide.metadata.coding.residuals[0].planes
        tile = slide.container.read_tile(2, 2, 0)
        (good,) = split_tile(tile, coding.place(2, 2, 0), 1)
    forge(folder, 0, 1, 1, [b"\xff\xd8 no \xff\xd9", *[b""] * (planes - 1)])
    forge(folder, 2, 1, 1, [b""])
    forge(folder, 2, 2, 0, [bytes(good[:2]) + bytes(good[200:])])
    forge(folder, 3, 0, 0, [bytes(good)])  # of another size
    assert validate(folder) == []
    assert sorted(told(folder, "pixels")) == [
        ("stream.decode", "0/c/0/1/1"),
        ("stream.decode", "base/0/c/0/2/0"),
        ("stream.decode", "base/1/c/0/0/0"),
        ("stream.empty", "base/0/c/0/1/1"),
    ]


# Documents


def documents(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("zarr.json") if p.parent != folder)


def test_each_document_is_missed(folder):
    for key in documents(folder):
        data = (folder / key).read_bytes()
        rule = "array.document" if json.loads(data)["node_type"] == "array" else "group.document"
        (folder / key).unlink()
        assert told(folder, "index") == [(rule, key)]
        (folder / key).write_bytes(b"[")
        assert told(folder, "index") == [("metadata.json", key)]
        (folder / key).write_bytes(data)
    assert validate(folder, "index") == []


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("key", "change", "rule"),
    [
        ("0/zarr.json", lambda d: d.update(shape=[3, 700, 901]), "array.document"),
        ("0/zarr.json", lambda d: d["codecs"][0]["configuration"].update(level=1), "array.document"),
        ("1/zarr.json", lambda d: d["codecs"].append({"name": "gzip"}), "array.document"),
        ("3/zarr.json", lambda d: d.update(storage_transformers=[{"name": "x"}]), "array.document"),
        ("base/0/zarr.json", lambda d: d.update(fill_value=0), "array.document"),
        ("base/1/zarr.json", lambda d: d["codecs"].pop(), "array.document"),
        ("icc_profile/zarr.json", lambda d: d.update(shape=[5]), "array.document"),
        ("icc_profile/zarr.json", lambda d: d.update(dimension_names=0.5), "array.document"),
        ("associated/zarr.json", lambda d: d.update(node_type="array"), "group.document"),
        ("zarr.json", lambda d: d["attributes"]["ome"]["multiscales"][0]["datasets"][0].update(path="1"), "group.ome"),
        ("base/zarr.json", lambda d: d["attributes"]["ome"]["multiscales"][0]["datasets"].pop(), "group.ome"),
        ("base/zarr.json", lambda d: d.update(attributes={}), "group.ome"),
    ],
)
def test_a_document_that_says_something_else(folder, key, change, rule):
    edit(folder / key, change)
    assert told(folder, "index") == [(rule, key)]


def test_documents_of_other_writers(folder):
    """White space, order, further members, rounding and an empty configuration left out are no faults."""

    def rewrite(document):
        document.setdefault("attributes", {})["more"] = 1
        for codec in document.get("codecs", []):
            if codec.get("configuration") == {}:
                del codec["configuration"]
        for image in document["attributes"].get("ome", {}).get("multiscales", []):
            image["name"] = "another"
            scale = image["datasets"][-1]["coordinateTransformations"][0]["scale"]
            scale[:] = [1, scale[1] * (1 + 1e-15), scale[2]]

    for key in ("zarr.json", *documents(folder)):
        edit(folder / key, rewrite)
    assert validate(folder, "index") == []


def test_consolidated_metadata(folder):
    with pytest.warns(UserWarning, match="Consolidated"):
        zarr.consolidate_metadata(folder)
    assert told(folder, "index") == [("group.consolidated", "zarr.json")]


def test_every_problem_of_the_metadata(folder):
    change_metadata(folder, lambda rrip: (rrip["slide"].update(mpp=[0, 0], vendor=3), rrip["coding"].update(tile=65)))
    assert told(folder, "header") == [("metadata.member", "zarr.json")] * 3
    flip(folder / "zarr.json", (folder / "zarr.json").read_bytes().index(b'"taps"') - 30)
    assert "metadata" in told(folder, "header")[0][0]


def test_tiles_under_a_damaged_root(folder, kinds, tmp_path):
    """What is wrong with them is told all the same: every array has the coding."""
    flip(folder / "zarr.json", (folder / "zarr.json").read_bytes().rindex(b"0.2431") + 3)
    tile_path(folder, 0, 1, 1).unlink()
    flip(tile_path(folder, 2, 2, 0))
    assert told(folder, "header")[0] == ("metadata.seal", "zarr.json")
    assert told(folder)[-2:] == [("tile.missing", "0/c/0/1/1"), ("tile.checksum", "base/0/c/0/2/0")]
    archive = tmp_path / "a.rrip.zarr.zip"
    data = bytearray(kinds.zip.read_bytes()[:-30])
    member = re.search(rb"PK\x03\x04.{26}" + tile_key(0, 1, 1).encode(), data, re.DOTALL)
    data[member.end() + 51] ^= 1
    archive.write_bytes(data)
    assert told(archive) == [("zip.structure", ""), ("tile.checksum", "0/c/0/1/1")]


def test_what_should_not_be_there(folder, kinds):
    """Warnings: no reader of ours is misled."""
    empty = next(place for place in ((0, 0), (0, 1)) if open_container(folder).metadata.coding.is_empty(0, *place))
    for key in (tile_key(0, *empty), tile_key(0, 9, 9), "notes.txt", "associated/label/c/0/0/0"):
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(b"x")
    found = validate(folder)
    assert sorted((finding.rule, finding.place) for finding in found) == [
        ("key.unexpected", "associated/label/c/0/0/0"),
        ("key.unexpected", "notes.txt"),
        ("tile.unexpected", tile_key(0, *empty)),
        ("tile.unexpected", tile_key(0, 9, 9)),
    ]
    assert {finding.severity for finding in found} == {"warning"}
    assert run(folder).exit_code == 0
    assert run(folder, "--strict").exit_code == 1


@pytest.mark.parametrize("key", ["icc_profile/c/0", "associated/macro/c/0/0/0"])
def test_attachments(folder, key):
    data = (folder / key).read_bytes()
    flip(folder / key)
    assert told(folder, "index") == [("attachment.checksum", key)]
    (folder / key).unlink()
    assert told(folder, "index") == [("attachment.missing", key)]
    (folder / key).write_bytes(data)
    assert validate(folder, "index") == []


def test_an_associated_image_that_cannot_be_decoded(folder):
    """Cut in its scan, under right checksums."""
    key = "associated/macro/c/0/0/0"
    jpeg = (folder / key).read_bytes()[:-4]
    jpeg = jpeg[: jpeg.index(b"\xff\xda") + 20]
    (folder / key).write_bytes(seal_attachment(jpeg))
    change_metadata(folder, lambda rrip: rrip["attachments"].update(macro=attachment_checksum(jpeg)))
    assert told(folder, "checksums") == []
    assert told(folder, "pixels") == [("attachment.jpeg", key)]


# Other kinds of containers


def rezip(source, target, change):
    """A copy of an archive; `change` gets each member and gives (compression, times it is written)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            method, times = change(member.filename)
            for _ in range(times):
                new.writestr(member.filename, old.read(member), method)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives(kinds, tmp_path):
    path, key = tmp_path / "a.rrip.zarr.zip", tile_key(0, 1, 1)
    rezip(kinds.zip, path, lambda name: (zipfile.ZIP_DEFLATED if name == key else 0, 1))
    assert told(path, "index") == [("zip.method", key)]
    rezip(kinds.zip, path, lambda name: (0, 2 if name == key else 1))
    assert told(path, "index") == [("zip.duplicate", key)]
    rezip(kinds.zip, path, lambda name: (0, name not in {key, "1/zarr.json"}))
    assert told(path) == [("array.document", "1/zarr.json"), ("tile.missing", key)]
    path.write_bytes(kinds.zip.read_bytes()[:-30])
    assert told(path) == [("zip.structure", "")]


def test_tiff_files(kinds, tmp_path):
    path, data = tmp_path / "a.rrip.tif", bytearray(kinds.tif.read_bytes())
    with rrip_format.open(kinds.tif) as slide:
        table = slide.container._tables[0]
        cols = slide.geometry.grid(0)[1]
        at = table.lengths.offset + 4 * (cols + 1)
        start, _ = slide.container.locate(0, 2, 0)
        empty = next(k for k in range(cols) if slide.metadata.coding.is_empty(0, 0, k))
    data[at : at + 4] = bytes(4)
    data[start + 60] ^= 1
    path.write_bytes(data)
    assert told(path, "index") == [("tile.missing", "0/c/0/1/1")]
    assert told(path) == [("tile.missing", "0/c/0/1/1"), ("tile.checksum", "0/c/0/2/0")]
    data[at : at + 4] = b"\xff\xff\xff\xff"
    place = table.offsets.offset + 8 * (2 * cols)
    data[place : place + 8] = (1 << 40).to_bytes(8, "little")
    path.write_bytes(data)
    assert sorted(told(path, "index")) == [("file.range", "0/c/0/2/0"), ("tile.size", "0/c/0/1/1")]
    data = bytearray(kinds.tif.read_bytes())
    data[table.lengths.offset + 4 * empty] = 9
    path.write_bytes(data)
    assert told(path) == [("tile.unexpected", tile_key(0, 0, empty))]
    path.write_bytes(kinds.tif.read_bytes()[:5000])
    assert told(path, "header") == [("file.range", "")]


def test_every_wrong_tag_of_a_tiff_file(kinds, tmp_path):
    """Not the first: two tags of IFD 0 and one of another level."""
    data = bytearray(kinds.tif.read_bytes())
    for number, wanted in ((259, 2), (277, 1), (284, 1)):
        at = int.from_bytes(data[8:16], "little") + 8
        for _ in range(wanted):
            at = data.index(number.to_bytes(2, "little") + b"\3\0" + (1).to_bytes(8, "little"), at) + 1
        data[at + 11] = 99
    path = tmp_path / "a.rrip.tif"
    path.write_bytes(data)
    assert told(path, "header") == [("tiff.tag", "")] * 3


@pytest.mark.parametrize("kind", ["zarr", "zip", "tif"])
def test_remote(kinds, tmp_path, kind):
    pytest.importorskip("aiohttp")
    path = tmp_path / getattr(kinds, kind).name
    shutil.copytree(kinds.zarr, path) if kind == "zarr" else shutil.copy(getattr(kinds, kind), path)
    with serve(tmp_path) as server:
        assert validate(f"{server.url}/{path.name}") == []
        if kind == "zarr":  # a server that lists nothing is asked for each
            tile_path(path, 1, 1, 1).unlink()
            assert told(f"{server.url}/{path.name}", "index") == [("tile.missing", "1/c/0/1/1")]
            (path / "1/zarr.json").unlink()
            assert told(f"memory://{path.name}", "header") == [("metadata.absent", "zarr.json")]


def test_references_that_cannot_be_listed(kinds, tmp_path):
    """Where the listing of a store breaks, every tile is asked for, and the broken one is told."""
    pytest.importorskip("fsspec")
    skip_below("fsspec", "2026.9", "reading a part of what a reference names")
    refs = references(kinds.tif)
    refs["refs"]["1/c/0/1/1"].append(5)
    (tmp_path / "refs.json").write_text(json.dumps(refs))
    assert told(f"reference::file://{tmp_path}/refs.json") == [("storage.failed", "1/c/0/1/1")]


# Command


def fail(*_):
    raise StorageError("no answer")


def test_exit_codes(folder, tmp_path, monkeypatch):
    assert run(folder).exit_code == 0
    assert run(tmp_path / "nothing").exit_code == 2
    assert run(folder, "--depth", "bottom").exit_code == 2
    assert run(folder, "--source", tmp_path / "nothing.svs").exit_code == 2
    (tmp_path / "text.rrip.tif").write_text("no")
    assert run(tmp_path / "text.rrip.tif").exit_code == 1
    with monkeypatch.context() as patch:
        patch.setattr(container_module.ZarrContainer, "read_tiles", fail)
        assert run(folder).exit_code == 2
    flip(tile_path(folder, 1, 1, 1))
    assert run(folder).exit_code == 1
    with (folder / "zarr.json").open("r+b") as file:
        file.truncate(1 << 27)
    assert run(folder).exit_code == 3
    with pytest.raises(StorageError):
        validate(tmp_path / "nothing")


def test_a_disk_that_keeps_failing(folder, monkeypatch):
    monkeypatch.setattr(container_module.ZarrContainer, "read_tiles", fail)
    assert {finding.rule for finding in validate(folder)} == {"storage.failed"}
    monkeypatch.setattr(validation, "STORAGE_FAILURES", 5)
    with pytest.raises(StorageError, match="could not be read"):
        validate(folder)


def test_progress_and_a_person_in_a_hurry(folder):
    seen = []
    validate(folder, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == sum(rows * cols for rows, cols in map(geometry(folder).grid, range(4)))

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validate(folder, progress=stop)


def geometry(path):
    return open_container(path).metadata.coding.geometry


def test_control_characters_do_not_reach_a_terminal():
    assert "\x1b" not in str(Finding("key.unexpected", "a\x1b[2J", "x"))


# Source


def test_the_source_is_compared_pixel_by_pixel(kinds, container, folder):
    from skimage.color import deltaE_ciede2000, rgb2lab

    source = open_source(container.image)
    found = compare(open_container(kinds.tif), source)
    difference = (container.decoded[0].astype(float) - container.image) @ [0.299, 0.587, 0.114]
    assert found.psnr_y == pytest.approx(10 * np.log10(255**2 / (difference**2).mean()), abs=1e-3)
    delta_e = deltaE_ciede2000(rgb2lab(container.image), rgb2lab(container.decoded[0]))
    assert found.delta_e == pytest.approx(delta_e.mean(), abs=1e-3)
    assert found.delta_e_p95 == pytest.approx(np.percentile(delta_e, 95), abs=0.02)
    errors = {
        (row, col): (difference[row * 256 : row * 256 + 256, col * 256 : col * 256 + 256] ** 2).mean()
        for row, col in geometry(kinds.tif).tiles(0)
    }
    assert found.worst == max(errors, key=errors.get)
    assert (found.families, found.unreadable) == (12, 0)
    tile_path(folder, 1, *found.worst).unlink()
    again = compare(open_container(folder), source)
    assert (again.families, again.unreadable) == (11, 1)
    assert again.worst != found.worst


def test_the_command_compares_with_a_source(folder, tmp_path, container):
    from PIL import Image

    Image.fromarray(container.image).save(tmp_path / "a.png")
    assert "PSNR-Y" in run(folder, "--source", tmp_path / "a.png").stdout
    summary = json.loads(run(folder, "--source", tmp_path / "a.png", "--json").stdout.splitlines()[-1])
    assert summary["source"]["psnr_y"] > 35
    Image.fromarray(container.image[:500]).save(tmp_path / "b.png")
    result = run(folder, "--source", tmp_path / "b.png", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout.splitlines()[0])["rule"] == "source.size"


def test_a_copy_is_checked_like_its_original(folder, tmp_path):
    transmux(folder, tmp_path / "a.rrip.tif")
    assert validate(tmp_path / "a.rrip.tif", "pixels") == []
