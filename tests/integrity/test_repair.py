"""``rrip repair``: what can be made again is made again, what cannot is said, and nothing else changes."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import hash_tree, tile_path
from damaging import all_places, flip, forge
from kinds import ICC, SUFFIXES

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.opening import open_container
from rrip_format.containers.zarr_reader import ZarrContainer
from rrip_format.core import colour, predict
from rrip_format.errors import LimitError, MissingTileError, RripError, StorageError, TargetError
from rrip_format.integrity import remaking, repairing
from rrip_format.integrity.repairing import repair
from rrip_format.integrity.salvage import scan_members
from rrip_format.integrity.validation import validate
from rrip_format.spec.zarr_layout import tile_key
from rrip_format.storage.byte_source import LocalBytes


@pytest.fixture
def long(strip, tmp_path):
    """A folder container with five levels, to do damage to."""
    return Path(shutil.copytree(strip.path, tmp_path / "long.rrip.zarr"))


def run(*arguments):
    return CliRunner().invoke(main, ["repair", *map(str, arguments)])


def read_tiles(path, places):
    """Pixels of tiles by place, None where reading fails because a tile is missing."""
    found = {}
    with rrip_format.open(path) as slide:
        for place in places:
            try:
                found[place] = slide.read_tile(*place)
            except MissingTileError:
                found[place] = None
    return found


def record(path):
    with rrip_format.open(path) as slide:
        return slide.metadata.writer.get("repair")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_whole_container_is_copied(kinds, tmp_path, suffix):
    for source in kinds.all:
        target = tmp_path / f"a{suffix}"
        done = repair(source, target, overwrite=True)
        assert (done.lost, done.rebuilt, done.filled, done.lost_attachments) == ((), (), (), ())
        assert not done
        same = dict(zip(SUFFIXES, kinds.all, strict=True))[suffix]
        if target.is_dir():
            assert hash_tree(target) == hash_tree(same)
        else:
            assert target.read_bytes() == same.read_bytes()


def test_documents_are_made_again(folder, kinds, tmp_path):
    """From the sealed root; tiles, metadata and UUID stay."""
    for path in folder.rglob("zarr.json"):
        if path.parent != folder:
            path.write_bytes(b"no JSON")
    (folder / "junk").write_bytes(b"1")
    result = run(folder, tmp_path / "a.rrip.zarr")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].endswith("0 lost, 0 rebuilt, 0 filled tiles")
    assert hash_tree(tmp_path / "a.rrip.zarr") == hash_tree(kinds.zarr)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lost_tiles_fail_alone(folder, kinds, tmp_path, suffix):
    """Readers fail at the families that lost a tile, and nowhere else; what is read is what was."""
    tile_path(folder, 2, 1, 1).unlink()
    flip(tile_path(folder, 1, 2, 0))
    forge(folder, 0, 2, 1, [b"no JPEG", b"", b""][: open_container(folder).metadata.coding.streams(0)])
    target = tmp_path / f"a{suffix}"
    done = repair(folder, target, workers=2)
    assert done.lost == ((0, 2, 1), (1, 2, 0), (2, 1, 1))
    assert (done.rebuilt, done.filled) == ((), ())
    fails = {(2, 1, 1), (1, 1, 1), (0, 1, 1), (1, 2, 0), (0, 2, 0), (0, 2, 1)}
    before, after = (read_tiles(path, all_places(kinds.zarr)) for path in (kinds.zarr, target))
    for place, pixels in after.items():
        assert (pixels is None) == (place in fails), place
        assert pixels is None or np.array_equal(pixels, before[place])
    assert {finding.rule for finding in validate(target)} == {"tile.missing"}
    assert {finding.tile for finding in validate(target, "pixels")} == set(done.lost)
    assert record(target)["lost"] == [[0, 2, 1], [1, 2, 0], [2, 1, 1]]
    with rrip_format.open(target) as slide:
        assert slide.metadata.coding == open_container(kinds.zarr).metadata.coding
        assert slide.icc_profile() == ICC


def test_overviews_are_made_again(long, strip, tmp_path):
    """From the level below, whose tiles may have been made again too."""
    places = [place for place in all_places(long) if place[0] > 2]
    assert max(level for level, _, _ in places) >= 5
    for place in places:
        tile_path(long, *place).unlink()
    target = tmp_path / "a.rrip.zarr"
    done = repair(long, target)
    assert done.rebuilt == tuple(sorted(places))
    assert not done.lost
    assert validate(target, "pixels") == []
    coding = open_container(target).metadata.coding
    assert coding.uuid != strip.coding.uuid  # other pixels
    assert record(target)["uuid"] == str(strip.coding.uuid)
    with rrip_format.open(target) as slide:
        for level, decoded in enumerate(strip.decoded):
            found = slide.read_region(level, 0, 0, *decoded.shape[:2])
            if level <= 2:
                np.testing.assert_array_equal(found, decoded)
            else:
                assert np.abs(found.astype(int) - decoded).mean() < 4
    again = tmp_path / "b.rrip.zarr"
    repair(long, again)
    assert hash_tree(again) == hash_tree(target)


def test_overviews_are_made_again_in_little_memory(long, tmp_path, monkeypatch):
    """What is not kept for the next coarser level is made once more, to the same bytes."""
    for place in all_places(long):
        if place[0] > 2:
            tile_path(long, *place).unlink()
    repair(long, tmp_path / "a.rrip.zarr")
    monkeypatch.setattr(remaking, "KEPT_BYTES", 1)
    repair(long, tmp_path / "b.rrip.zarr")
    assert hash_tree(tmp_path / "b.rrip.zarr") == hash_tree(tmp_path / "a.rrip.zarr")


def test_an_overview_over_a_lost_base_tile_is_lost(long, tmp_path):
    tile_path(long, 2, 0, 0).unlink()
    tile_path(long, 3, 0, 0).unlink()
    done = repair(long, tmp_path / "a.rrip.zarr", fill_lost=True)
    assert done.lost == ((2, 0, 0), (3, 0, 0))
    assert (done.rebuilt, done.filled) == ((), ())


def test_more_lost_tiles_than_metadata_can_list(folder, tmp_path, monkeypatch):
    """A container that readers would refuse is not written."""
    for col in range(2):
        tile_path(folder, 0, 1, col).unlink()
    marks = sum((folder / "zarr.json").read_bytes().count(mark) for mark in (b",", b"[", b"{", b'"', b"\\"))
    monkeypatch.setenv("RRIP_MAX_METADATA_MARKS", str(marks))
    target = tmp_path / "b.rrip.tif"
    with pytest.raises(LimitError, match=r"with 2 lost tiles, has \d+ marks.*RRIP_MAX_METADATA_MARKS"):
        repair(folder, target)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    monkeypatch.setenv("RRIP_MAX_METADATA_MARKS", str(2 * marks))
    assert len(repair(folder, target).lost) == 2
    rrip_format.open(target).close()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_filling(folder, kinds, tmp_path, suffix):
    tile_path(folder, 2, 1, 1).unlink()
    tile_path(folder, 1, 2, 0).unlink()
    tile_path(folder, 0, 1, 2).unlink()
    target = tmp_path / f"a{suffix}"
    result = run(folder, target, "--fill-lost", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["filled"] == [[0, 1, 1], [0, 1, 2], [0, 2, 0], [1, 1, 1], [1, 2, 0], [2, 1, 1]]
    assert found["lost"] == []
    assert validate(target, "pixels") == []
    coding, old = open_container(target).metadata.coding, open_container(kinds.zarr).metadata.coding
    assert coding.uuid != old.uuid
    filled = {tuple(place) for place in found["filled"]}
    before, after = (read_tiles(path, all_places(kinds.zarr)) for path in (kinds.zarr, target))
    for place, pixels in after.items():
        if place not in filled:
            np.testing.assert_array_equal(pixels, before[place])
        else:
            assert 0 < np.abs(pixels.astype(int) - before[place]).mean() < 20
    # A filled residual tile is the prediction itself.
    base = colour.rgb_to_ycc(np.ascontiguousarray(before[2, 2, 0].transpose(1, 2, 0)))
    luma = colour.rgb_to_ycc(np.ascontiguousarray(after[1, 2, 0].transpose(1, 2, 0)))[0]
    assert np.abs(luma.astype(int) - predict.up2(base[0], coding.residuals[1].taps)).mean() < 1
    info = CliRunner().invoke(main, ["info", str(target)]).stdout
    assert "repaired   0 tiles lost, 0 rebuilt, 6 filled from the coarser level" in info


def test_a_repair_of_a_repair_says_both(folder, tmp_path):
    tile_path(folder, 0, 1, 1).unlink()
    first, second, third = (tmp_path / f"{name}.rrip.zarr" for name in "abc")
    repair(folder, first)
    repair(first, second)
    repair(second, third, fill_lost=True)
    assert record(second)["earlier"]["lost"] == record(second)["lost"] == [[0, 1, 1]]
    assert record(third)["filled"] == [[0, 1, 1]]
    assert record(third)["earlier"]["earlier"]["lost"] == [[0, 1, 1]]
    assert validate(third, "pixels") == []


def test_unknown_members_survive(folder, tmp_path):
    from damaging import change_metadata

    def add(rrip):
        rrip["note"], rrip["coding"]["comment"], rrip["writer"]["lab"] = "a", "c", {"d": 1}

    change_metadata(folder, add)
    tile_path(folder, 0, 1, 1).unlink()
    repair(folder, tmp_path / "a.rrip.tif", fill_lost=True)
    with rrip_format.open(tmp_path / "a.rrip.tif") as slide:
        document = slide.metadata.to_json()
    assert (document["note"], document["coding"]["comment"], document["writer"]["lab"]) == ("a", "c", {"d": 1})


def test_attachments(folder, tmp_path):
    flip(folder / "icc_profile/c/0")
    (folder / "associated/macro/c/0/0/0").unlink()
    result = run(folder, tmp_path / "a.rrip.zarr")
    assert result.exit_code == 1
    assert "lost: the ICC profile\nlost: the macro image\n" in result.stdout
    assert validate(tmp_path / "a.rrip.zarr", "pixels") == []
    with rrip_format.open(tmp_path / "a.rrip.zarr") as slide:
        assert slide.icc_profile() is None
        assert list(slide.associated_images()) == ["thumbnail"]
    assert record(tmp_path / "a.rrip.zarr")["lost_attachments"] == ["icc_profile", "macro"]


def test_a_failing_disk_is_no_damage(folder, tmp_path, monkeypatch):
    def fail(*_):
        raise StorageError("no answer")

    monkeypatch.setattr(ZarrContainer, "read_tiles", fail)
    with pytest.raises(StorageError, match="no answer"):
        repair(folder, tmp_path / "a.rrip.zarr")
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_tile_that_breaks_while_it_is_copied(folder, tmp_path, monkeypatch):
    """It was whole when it was looked at: nothing is written then."""
    look = repairing._look

    def look_and_break(*arguments):
        found = look(*arguments)
        flip(tile_path(folder, 0, 1, 1))
        return found

    monkeypatch.setattr(repairing, "_look", look_and_break)
    with pytest.raises(RripError, match="damaged"):
        repair(folder, tmp_path / "a.rrip.tif")
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_targets(folder, tmp_path):
    before = hash_tree(folder)
    with pytest.raises(TargetError, match="in place"):
        repair(folder, folder, overwrite=True)
    (tmp_path / "link.rrip.zarr").symlink_to(folder)
    with pytest.raises(TargetError, match="in place"):
        repair(tmp_path / "link.rrip.zarr", folder, overwrite=True)
    assert run(folder, tmp_path / "a.rrip.tif").exit_code == 0
    assert run(folder, tmp_path / "a.rrip.tif").exit_code == 1
    assert run(folder, tmp_path / "a.rrip.tif", "--overwrite").exit_code == 0
    assert run(tmp_path / "nothing", tmp_path / "b.rrip.tif").exit_code == 1
    assert hash_tree(folder) == before
    assert rrip_format.repair is repair
    seen = []
    repair(folder, tmp_path / "c.rrip.zarr", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert tile_key(0, 0, 0) == "0/c/0/0/0"


# Containers that do not open


@pytest.mark.parametrize("damage", ["flip", "cut", "delete", "members"])
def test_a_lost_root(folder, kinds, tmp_path, damage):
    """Pixels survive: every array has the sealed coding. What is not sealed twice is not guessed."""
    root = folder / "zarr.json"
    if damage == "flip":
        flip(root, root.read_bytes().index(b'"mpp"') + 12)
    elif damage == "cut":
        cut = root.read_bytes()
        root.write_bytes(cut[: len(cut) // 2])
    elif damage == "delete":
        root.unlink()
    else:
        flip(root, root.read_bytes().index(b'"taps"') + 20)
        (folder / "0/zarr.json").write_text("{}")
    with pytest.raises(RripError):
        open_container(folder)
    target = tmp_path / "a.rrip.tif"
    result = run(folder, target)
    assert result.exit_code == 1, result.output
    assert "lost: the root's metadata" in result.stdout
    assert validate(target, "pixels") == []
    with rrip_format.open(target) as slide:
        assert slide.metadata.slide.mpp is None
        assert slide.metadata.coding == open_container(kinds.zarr).metadata.coding
        assert slide.icc_profile() == ICC
        assert sorted(slide.associated_images()) == ["macro", "thumbnail"]
        for level, decoded in enumerate(kinds.decoded):
            np.testing.assert_array_equal(slide.read_region(level, 0, 0, *decoded.shape[:2]), decoded)
    assert record(target)["lost_root"] is True


def test_nothing_can_be_saved(folder, kinds, tmp_path):
    for key in ("zarr.json", "0/zarr.json", "1/zarr.json", "2/zarr.json"):
        (folder / key).write_text("{}")
    (tmp_path / "b.rrip.tif").write_bytes(kinds.tif.read_bytes()[:-5000])
    (tmp_path / "c.rrip.zarr.zip").write_bytes(b"PK")
    (tmp_path / "text").write_text("text")
    for name in (folder.name, "b.rrip.tif", "c.rrip.zarr.zip", "text", "nothing"):
        with pytest.raises(RripError):
            repair(tmp_path / name, tmp_path / "a.rrip.zarr")
    assert not (tmp_path / "a.rrip.zarr").exists()


def test_a_newer_container_is_not_repaired(folder, tmp_path):
    from rrip_format.errors import NewerFormatError

    document = json.loads((folder / "zarr.json").read_text())
    document["attributes"]["rrip"]["coding"]["version"] = 2
    (folder / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(NewerFormatError):
        repair(folder, tmp_path / "a.rrip.zarr")


def test_an_archive_without_its_directory(kinds, tmp_path):
    """Members are found by their own headers; one whose header is damaged is lost, and no other."""
    data = kinds.zip.read_bytes()
    path, target = tmp_path / "a.rrip.zarr.zip", tmp_path / "b.rrip.zarr.zip"
    path.write_bytes(data[: data.index(b"PK\1\2") + 100])
    assert not repair(path, target)
    assert target.read_bytes() == data
    key = tile_key(0, 1, 1).encode()
    spoiled = bytearray(path.read_bytes())
    spoiled[re.search(rb"PK\x03\x04.{26}" + key, spoiled, re.DOTALL).start()] ^= 1
    path.write_bytes(spoiled)
    assert repair(path, tmp_path / "c.rrip.tif").lost == ((0, 1, 1),)
    spoiled = bytearray(data)
    with zipfile.ZipFile(kinds.zip) as archive:
        spoiled[archive.getinfo("zarr.json").header_offset] ^= 1
    path.write_bytes(spoiled)
    done = repair(path, tmp_path / "f.rrip.tif")
    assert (done.lost_root, done.lost) == (True, ())
    assert [(finding.rule, finding.place) for finding in validate(path)] == [("zip.member", "")]
    flip(path, data.index(tile_key(0, 1, 1).encode()) + 100)
    assert [finding.rule for finding in validate(path)] == ["zip.member", "tile.checksum"]
    cut = data[: data.index(b"zarr.json", data.index(b"base/zarr.json") + 20) + 200]  # in the root, which is the last
    path.write_bytes(cut)
    done = repair(path, tmp_path / "d.rrip.tif")
    assert (done.lost_root, done.lost) == (True, ())
    assert validate(tmp_path / "d.rrip.tif", "pixels") == []


class Pipe(io.RawIOBase):
    """Bytes that cannot be gone back to, so that zipfile writes sizes behind its members."""

    def __init__(self):
        super().__init__()
        self.written = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.written += data
        return len(data)


def test_an_archive_with_sizes_behind_its_members_is_read_once(tmp_path, monkeypatch):
    """However many members lead nowhere; those between them are found."""
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for k in range(600):
            archive.writestr(f"{k}", bytes(4096))
    path = tmp_path / "a.rrip.zarr.zip"
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("whole", b"1234")
    data = pipe.written[: pipe.written.index(b"PK\1\2")]
    middle = data.index(b"PK\3\4", len(data) // 2)
    path.write_bytes(data[:middle] + whole.getvalue()[: whole.getvalue().index(b"PK\1\2")] + data[middle:])
    source, lengths = LocalBytes(str(path)), []
    read = source.read
    monkeypatch.setattr(source, "read", lambda at, length: lengths.append(length) or read(at, length))
    (member,) = scan_members(source)
    assert (member.filename, member.header_offset, member.file_size) == ("whole", middle, 4)
    assert sum(lengths) < 2 * source.size
    assert len(lengths) < 20
