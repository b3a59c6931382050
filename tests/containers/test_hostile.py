"""Files made to hurt: each ends in our error, of its rule, in under a second and in little memory (spec section 12)."""

from __future__ import annotations

import base64
import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from itertools import islice
from pathlib import Path

import pytest
from conftest import tile_path
from damaging import change_metadata, changed_root

import rrip_format
from rrip_format.containers.base import load_json
from rrip_format.containers.opening import open_container
from rrip_format.errors import FormatError, LimitError, RripError
from rrip_format.integrity.validation import find_problems
from rrip_format.spec.attachments import attachment_checksum, seal_attachment
from rrip_format.spec.limits import LIMITS, limit
from rrip_format.spec.metadata import seal
from rrip_format.spec.tile import join_tile, split_tile
from rrip_format.spec.zarr_layout import dump, tile_key
from rrip_format.zarr_views.hierarchy import Hierarchy

MIB = 1 << 20


def sealed(kinds, **coding):
    """The root document of a container with another coding, sealed again."""
    return changed_root(kinds.zarr, lambda rrip: rrip["coding"].update(coding))


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def documents(kinds):
    """(name, bytes of a root document, rule)."""
    open_, close = b'{"attributes": {"rrip": ', b"}}"
    yield "brackets", b"[" * (64 * MIB), "limit.metadata"
    yield "lists", open_ + b"[" + b"[]," * (21 * MIB) + b"[]]" + close, "limit.metadata"
    yield "objects", open_ + b"[" + b'{"a":0},' * 250_000 + b"0]" + close, "limit.metadata"
    yield "escapes", open_ + b'"' + b'\\"' * (30 * MIB) + b'"' + close, "limit.metadata"
    yield "deep", open_ + b"[" * 60_000 + b"]" * 60_000 + close, "limit.metadata"
    yield "not too deep for Python", open_ + b"[" * 100 + b"]" * 100 + close, "limit.metadata"
    yield "digits", open_ + b"9" * (60 * MIB) + close, "metadata.json"
    yield "fraction", open_ + b"0." + b"9" * (60 * MIB) + close, "metadata.absent"
    yield "numbers", open_ + b"[" + (b"9" * 4000 + b",") * 16_000 + b"0]" + close, "metadata.json"
    yield "many numbers", open_ + b"[" + (b"9" * 400 + b",") * 100_000 + b"0]" + close, "metadata.absent"
    yield "UTF-16", dump({"attributes": {}}).decode().encode("utf-16"), "metadata.json"
    yield "beyond 64 MiB", b" " * (65 * MIB), "limit.metadata"
    text = "x" * (4 * MIB)
    for name in ("tile", "uuid", "background", "empty"):
        yield f"long {name}", json.dumps(sealed(kinds, **{name: text})).encode(), "metadata.member"
    zeros = base64.b64encode(zlib.compress(bytes(64 * MIB), 1)).decode()
    yield "bitmap", json.dumps(sealed(kinds, empty=zeros)).encode(), "metadata.member"
    yield "families", json.dumps(sealed(kinds, width=2**31 - 1, height=2**31 - 1)).encode(), "limit.families"


def archives(kinds):
    """(name, bytes of an archive, rule)."""
    packed = zlib.compress(bytes(128 * MIB), 1)[2:-4]
    yield "a member of 1 GiB", one_member(packed, 1 << 30), "limit.metadata"
    yield "a member that says 1000 bytes", one_member(packed, 1000), "metadata.json"
    lists = zlib.compress(b"[" + b"[]," * (20 * MIB) + b"[]]", 1)[2:-4]
    yield "a member of lists", one_member(lists, 60 * MIB + 4), "limit.metadata"
    names = directory_entry(b"a", 8, 1, 1, 0) * 600_000
    yield "a directory of 600,000 members", names + end(600_000, len(names), 0), "limit.directory"
    yield "a directory that is not there", end(60_000, 0xFFFFFFF0, 0), "zip.structure"


def directory_entry(name, method, packed, size, at):
    return (
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, method, 0, 33, 0, packed, size, len(name), 0, 0, 0, 0, 0, at)
        + name
    )


def end(count, size, at):
    return struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, size, at, 0)


def one_member(packed, size):
    name = b"zarr.json"
    head = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(packed), size, len(name), 0) + name
    directory = directory_entry(name, 8, len(packed), size, 0)
    return head + packed + directory + end(1, len(directory), len(head) + len(packed))


def tiffs(kinds):
    """(name, bytes of a TIFF file, rule)."""
    data = kinds.tif.read_bytes()
    start = int.from_bytes(data[8:16], "little")
    count = int.from_bytes(data[start : start + 8], "little")
    following = start + 8 + 20 * count

    def changed(at, value):
        return data[:at] + value + data[at + len(value) :]

    def tag(number):
        return next(
            at for at in range(start + 8, following, 20) if int.from_bytes(data[at : at + 2], "little") == number
        )

    yield "IFD loop", changed(following, start.to_bytes(8, "little")), "tiff.loop"
    yield "2^60 values", changed(tag(65380) + 4, (1 << 60).to_bytes(8, "little")), "file.range"
    yield (
        "65 MiB of metadata",
        changed(tag(65380) + 4, (65 * MIB).to_bytes(8, "little")) + bytes(70 * MIB),
        "limit.metadata",
    )
    yield "2^63 tags", changed(start, (1 << 63).to_bytes(8, "little")), "tiff.ifd"


MEASURE = """
import json, re, sys, time
from pathlib import Path
import rrip_format
from rrip_format.errors import RripError

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

rrip_format.open(sys.argv[1]).close()
before = peak()
for path in sys.argv[2:]:
    start = time.process_time()
    try:
        rrip_format.open(path)
        rule, length = None, 0
    except RripError as error:
        rule, length = error.rule, len(str(error))
    print(json.dumps([rule, length, time.process_time() - start, peak() - before]), flush=True)
"""


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")


@needs_proc
@pytest.mark.parametrize("make", [documents, archives, tiffs])
def test_bombs(kinds, tmp_path, make):
    names, rules, paths = [], [], []
    for k, (name, data, rule) in enumerate(make(kinds)):
        names.append(name)
        rules.append(rule)
        paths.append(tmp_path / f"{k}")
        if make is documents:
            paths[-1].mkdir()
        (paths[-1] / "zarr.json" if make is documents else paths[-1]).write_bytes(data)
    program = [sys.executable, "-c", MEASURE, str(kinds.zarr), *map(str, paths)]
    found = subprocess.run(program, capture_output=True, text=True, timeout=120, check=True)
    results = [json.loads(line) for line in found.stdout.splitlines()]
    assert len(results) == len(names)
    for name, wanted, (rule, length, seconds, megabytes) in zip(names, rules, results, strict=True):
        print(f"{name:35} {rule:18} {seconds:6.3f} s {megabytes:6.0f} MiB")
        assert (rule, seconds < 1, megabytes < 256) == (wanted, True, True), (name, seconds, megabytes)
        assert length < 2000, name


@needs_proc
def test_a_slide_of_nothing(kinds, tmp_path):
    """2^28 empty families in 45 KB are a valid slide; its bitmap stays packed."""
    side = 256 * 2**14
    bits = base64.b64encode(zlib.compress(b"\xff" * (1 << 25), 9)).decode()
    folder = tmp_path / "a.rrip.zarr"
    folder.mkdir()
    document = sealed(kinds, width=side, height=side, empty=bits)
    document["attributes"]["rrip"] = seal({**document["attributes"]["rrip"], "attachments": {}})
    (folder / "zarr.json").write_bytes(dump(document))
    assert (folder / "zarr.json").stat().st_size < 60_000
    program = (
        MEASURE.partition("rrip_format.open")[0] + "before = peak()\n"
        "slide = rrip_format.open(sys.argv[1])\n"
        "assert all(slide.read_tile(level.index, 0, 0).min() == 255 for level in slide.levels)\n"
        "print(peak() - before)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    print(found.stdout)
    assert float(found.stdout) < 256


def test_a_slide_that_promises_petabytes(kinds, tmp_path):
    """2^28 families that are not there: nothing is allocated or listed for all of them."""
    path = tmp_path / "a.rrip.zarr"
    path.mkdir()
    (path / "zarr.json").write_bytes(dump(sealed(kinds, width=2**31 - 1, height=2**13, empty=None)))
    with rrip_format.open(path) as slide:
        assert slide.geometry.families == (32, 2**23)
        for read in (lambda: slide.read_region(0, 0, 0, *slide.geometry.shape(0)), lambda: rrip_format.imread(path)):
            with pytest.raises(LimitError, match="not enough memory") as caught:
                read()
            assert caught.value.rule == "limit.memory"
    hierarchy = Hierarchy(slide.container)
    assert list(hierarchy.children("0/c/0")) == [str(k) for k in range(32)]
    assert list(islice(hierarchy.children("base/0/c/0/31"), 3)) == ["0", "1", "2"]
    assert list(hierarchy.children("0/c")) == ["0"]
    for folder in ("0/c/0/32", "0/c/0/x", "0/c/0/01", "0/c/0/1/1", "0/c/1", "nothing"):
        assert list(hierarchy.children(folder)) == []
    problems = find_problems(path, "checksums")
    assert {finding.rule for finding in islice(problems, 100)} >= {"array.document", "tile.missing"}
    problems.close()


def resized(jpeg, height, width):
    """A JPEG that says that it has another size."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">2H", height, width) + jpeg[at + 4 :]


def test_a_tile_that_says_it_is_large(folder):
    container = open_container(folder)
    coding = container.metadata.coding
    for level in (0, 2):
        place = coding.place(level, 1, 1)
        (stream, *rest) = (
            bytes(s or b"") for s in split_tile(container.read_tile(level, 1, 1), place, coding.streams(level))
        )
        tile_path(folder, level, 1, 1).write_bytes(join_tile([resized(stream, 65500, 65500), *rest], place))
        with rrip_format.open(folder) as slide, pytest.raises(RripError, match="65500x65500") as caught:
            slide.read_tile(level, 1, 1)
        assert caught.value.rule == "stream.decode"


def test_an_associated_image_that_says_it_is_large(folder):
    pytest.importorskip("openslide")
    path = folder / "associated/macro/c/0/0/0"
    jpeg = resized(path.read_bytes()[:-4], 10_000, 10_000)
    path.write_bytes(seal_attachment(jpeg))
    change_metadata(folder, lambda rrip: rrip["attachments"].update(macro=attachment_checksum(jpeg)))
    with rrip_format.RripSlide(folder) as slide, pytest.raises(RripError, match="100000000 px") as caught:
        slide.associated_images["macro"]
    assert caught.value.rule == "limit.attachment"


def test_an_associated_image_of_two_sizes(folder):
    """What is looked at before decoding has to be what the decoder goes by."""
    pytest.importorskip("openslide")
    path = folder / "associated/macro/c/0/0/0"
    jpeg = path.read_bytes()[:-4]
    at = jpeg.index(b"\xff\xc0")
    end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    jpeg = jpeg[:end] + resized(jpeg, 8_000, 8_000)[at:end] + jpeg[end:]
    path.write_bytes(seal_attachment(jpeg))
    change_metadata(folder, lambda rrip: rrip["attachments"].update(macro=attachment_checksum(jpeg)))
    with rrip_format.RripSlide(folder) as slide, pytest.raises(RripError, match="another 8000 x 8000") as caught:
        slide.associated_images["macro"]
    assert caught.value.rule == "attachment.jpeg"


def test_members_that_overlap(kinds, tmp_path):
    """Many names for the bytes of one tile: the trailer knows which it is."""
    path = tmp_path / "a.rrip.zarr.zip"
    with zipfile.ZipFile(kinds.zip) as archive:
        members = {member.filename: member for member in archive.infolist()}
        same = members[tile_key(0, 1, 1)]
        for key in (tile_key(0, 1, 2), tile_key(0, 2, 0)):
            members[key].header_offset, members[key].file_size = same.header_offset, same.file_size
            members[key].compress_size = same.compress_size
        out = io.BytesIO(kinds.zip.read_bytes()[: archive.start_dir])
        with zipfile.ZipFile(out, "a") as target:
            target.filelist, target.NameToInfo = list(members.values()), members
            target.start_dir, target._didModify = archive.start_dir, True
    path.write_bytes(out.getvalue())
    with rrip_format.open(path) as slide:
        slide.read_tile(0, 1, 1)
        for place in ((0, 1, 2), (0, 2, 0)):
            with pytest.raises(RripError) as caught:
                slide.read_tile(*place)
            assert caught.value.rule == "tile.place"


# Limits can be changed


def test_limits_are_those_of_the_spec():
    text = (Path(__file__).resolve().parents[2] / "spec" / "rrip.md").read_text(encoding="utf-8")
    units = {
        "2²⁸": 2**28,
        "64 MiB": 64 * MIB,
        "2¹⁷": 2**17,
        "64": 64,
        "256 MiB": 256 * MIB,
        "2²⁵": 2**25,
        "16 MiB": 16 * MIB,
    }
    for name, most in LIMITS.items():
        row = next(line for line in text.splitlines() if f"`RRIP_MAX_{name.upper()}`" in line)
        assert units[row.split("|")[2].strip()] == most


def test_limits_can_be_changed(kinds, monkeypatch):
    monkeypatch.setenv("RRIP_MAX_FAMILIES", "5")
    for path in kinds.all:
        with pytest.raises(LimitError, match="RRIP_MAX_FAMILIES") as caught:
            open_container(path)
        assert caught.value.rule == "limit.families"
    monkeypatch.setenv("RRIP_MAX_FAMILIES", "12")
    open_container(kinds.zarr).close()
    monkeypatch.setenv("RRIP_MAX_ATTACHMENT_BYTES", "100")
    for path in kinds.all:
        with pytest.raises(LimitError), rrip_format.open(path) as slide:
            slide.icc_profile()
    monkeypatch.setenv("RRIP_MAX_METADATA_BYTES", "100")
    for path in kinds.all:
        with pytest.raises(LimitError):
            open_container(path)
    for text in ("0", "-1", "many", "", "1e9", "9" * 30, "²"):
        monkeypatch.setenv("RRIP_MAX_FAMILIES", text)
        with pytest.raises(RripError, match="expected a positive integer"):
            limit("families")


def test_depth_and_marks_are_counted_exactly(monkeypatch):
    assert load_json(json.dumps(nested(64)).encode(), "x") == nested(64)
    with pytest.raises(LimitError, match="65 depth"):
        load_json(json.dumps(nested(65)).encode(), "x")
    monkeypatch.setenv("RRIP_MAX_METADATA_MARKS", "4")
    assert load_json(b'["a",1]', "x") == ["a", 1]
    with pytest.raises(LimitError, match="5 marks"):
        load_json(b'["a",1,2]', "x")
    with pytest.raises(FormatError):
        load_json(b"\xff\xfe1\0", "x")


def test_a_converter_writes_nothing_that_is_refused(tmp_path, monkeypatch):
    from conftest import tissue

    monkeypatch.setenv("RRIP_MAX_METADATA_MARKS", "50")
    with pytest.raises(RripError, match="cannot be stored"):
        rrip_format.convert(tissue(64, 64), tmp_path / "a.rrip.zarr")
    assert list(tmp_path.iterdir()) == []
