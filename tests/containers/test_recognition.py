"""What is taken for a container: by the marks of its content, not by one private tag."""

from __future__ import annotations

import os
import struct
import zipfile

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from tiff_readers import picture

import rrip_format
from rrip_format.cli import main
from rrip_format.containers.recognition import is_container
from rrip_format.errors import FormatError, SourceError
from rrip_format.sources import open_source

ENTRY = struct.Struct("<HHQ8s")
METADATA, RESIDUALS, DESCRIPTION = 65380, 65381, 270
FOREIGN = {
    "text": (2, b"made by somebody\0"),
    "JSON of others": (7, b'{"exposure": 3}'),
    "bytes": (7, bytes(range(256)) * 300),
    "short": (3, struct.pack("<H", 7)),
    "doubles": (12, struct.pack("<3d", 1, 2, 3)),
}


@pytest.mark.parametrize("bigtiff", [True, False])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_tiff_with_our_private_tag(kind, bigtiff, tmp_path):
    """It is no container, and an ordinary source."""
    path = tmp_path / "a.tif"
    type_, value = FOREIGN[kind]
    count = {3: 1, 12: 3}.get(type_, len(value))
    extra = [(METADATA, type_, count, value, True)]
    tifffile.imwrite(path, picture(), photometric="rgb", bigtiff=bigtiff, extratags=extra, metadata=None)
    assert not is_container(path)
    with open_source(path) as source:
        assert np.array_equal(source.read(0, 0, source.info.height, source.info.width), picture())
    if bigtiff:
        with pytest.raises(FormatError, match="tag 65380 holds no RRIP metadata") as caught:
            rrip_format.open(path)
        assert caught.value.rule == "metadata.absent"
    result = CliRunner().invoke(main, ["convert", str(path), str(tmp_path / "b.rrip.zarr"), "--no-verify"])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module", params=[".rrip.tif", ".rrip"])
def container(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("recognition") / f"a{request.param}"
    rrip_format.convert(np.kron(picture(), np.ones((8, 8, 1), np.uint8)), path)
    return path.read_bytes()


def entries_of(data):
    """Return the place of each entry of the first IFD by its tag."""
    (start,) = struct.unpack_from("<Q", data, 8)
    (count,) = struct.unpack_from("<Q", data, start)
    places = [start + 8 + k * ENTRY.size for k in range(count)]
    return {ENTRY.unpack_from(data, at)[0]: at for at in places}


def value_of(data, tag):
    _, _, count, value = ENTRY.unpack_from(data, entries_of(data)[tag])
    return int.from_bytes(value, "little"), count


def spoil(data, kind):
    """Return a container with damage to its marks."""
    out = bytearray(data)
    entries = entries_of(data)
    if "metadata" in kind:
        at, count = value_of(data, METADATA)
        out[at : at + count] = bytes(count)
    if "object" in kind:
        at, _ = value_of(data, METADATA)
        out[at : at + 12] = b"\xff" * 12
    if "entry" in kind:
        out[entries[METADATA] : entries[METADATA] + ENTRY.size] = bytes(ENTRY.size)
    if "code" in kind:
        struct.pack_into("<H", out, entries[METADATA], METADATA - 1)
    if "residuals" in kind:
        out[entries[RESIDUALS] : entries[RESIDUALS] + ENTRY.size] = bytes(ENTRY.size)
    if "type" in kind:
        struct.pack_into("<H", out, entries[METADATA] + 2, 3)
    if "place" in kind:
        struct.pack_into("<Q", out, entries[METADATA] + 12, 1 << 40)
    if "description" in kind:
        at, count = value_of(data, DESCRIPTION)
        out[at : at + count] = b"x" * count
    if "cut" in kind:
        del out[entries[METADATA] :]
    return bytes(out)


DAMAGE = [
    *("metadata", "object", "entry", "code", "residuals", "type", "place", "description", "cut"),
    *("metadata description", "entry residuals", "code residuals", "type description"),
]


@pytest.mark.parametrize("name", ["a.tif", "a.rrip.tif"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_container_is_never_an_ordinary_slide(kind, name, container, tmp_path):
    """Level 2 must not be converted as if it were the slide."""
    path = tmp_path / name
    path.write_bytes(spoil(container, kind))
    with pytest.raises(SourceError):
        open_source(path)
    if kind == "description":
        assert is_container(path)
        return
    if kind != "cut":
        assert is_container(path)
        with pytest.raises(SourceError, match="is an RRIP container"):
            open_source(path)
    result = CliRunner().invoke(main, ["convert", str(path), str(tmp_path / "b.rrip.zarr")])
    assert result.exit_code != 0
    assert list(tmp_path.iterdir()) == [path]


def test_what_only_has_the_name_of_one(tmp_path):
    """The content decides; the name does where the content is cut off."""
    tifffile.imwrite(tmp_path / "a.rrip.tif", picture(), photometric="rgb")
    (tmp_path / "b.rrip.zarr").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "d.rrip.zarr.zip").write_bytes(b"PK\3\4 and no more")
    (tmp_path / "e.zip").write_bytes(b"PK\3\4 and no more")
    with zipfile.ZipFile(tmp_path / "f.rrip.zarr.zip", "w") as archive:
        archive.writestr("zarr.json", "{}")
    (tmp_path / "g.rrip").write_bytes(b"II+\0" + bytes(3))
    os.mkfifo(tmp_path / "h.rrip.tif")
    found = {path.name[0]: is_container(path) for path in tmp_path.iterdir()}
    assert found == {"a": False, "b": True, "c": False, "d": True, "e": False, "f": False, "g": True, "h": False}
    assert not is_container(3)
    assert not is_container(tmp_path / ("x" * 5000))
