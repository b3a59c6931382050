"""Arrays of the root have a chunk key encoding of their own, which software without this package refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import zarr
from conftest import BRIEF
from zarr.core.chunk_key_encodings import DefaultChunkKeyEncoding, parse_chunk_key_encoding

import rrip_format
from rrip_format.zarr_views.key_encoding import RripKeyEncoding

SPEC = Path(__file__).parents[2] / "spec"
EXTENSIONS = SPEC / "zarr-extensions"
DOCUMENTS = sorted((SPEC / "vectors" / "containers" / "folder" / "slide.rrip.zarr").rglob("zarr.json"))


def arrays(*, ours: bool) -> list[dict]:
    found = [json.loads(path.read_bytes()) for path in DOCUMENTS]
    is_ours = [any(codec["name"] == "rrip" for codec in one.get("codecs", [])) for one in found]
    return [one for one, own in zip(found, is_ours, strict=True) if own is ours and one["node_type"] == "array"]


def schema(place: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((EXTENSIONS / place / "schema.json").read_bytes()))


def test_what_would_be_registered_describes_the_arrays():
    assert len(arrays(ours=True)) == 4
    for array in arrays(ours=True):
        schema("codecs/rrip").validate(array["codecs"][0])
        schema("chunk-key-encodings/rrip").validate(array["chunk_key_encoding"])
    assert {array["chunk_key_encoding"]["name"] for array in arrays(ours=False)} == {"default"}


def test_the_schemas_refuse_what_is_wrong():
    codec = arrays(ours=True)[0]["codecs"][0]
    assert not schema("codecs/rrip").is_valid({**codec, "name": "other"})
    assert not schema("codecs/rrip").is_valid({"name": "rrip", "configuration": {"level": 0}})
    assert not schema("chunk-key-encodings/rrip").is_valid({"name": "rrip", "configuration": {"separator": "."}})


def test_the_example_of_the_codec_is_valid():
    text = (EXTENSIONS / "codecs" / "rrip" / "README.md").read_text().split("```json")[1].split("```")[0]
    schema("codecs/rrip").validate(json.loads(text)["codecs"][0])


def test_keys_are_those_of_the_default_encoding():
    ours, theirs = RripKeyEncoding(), DefaultChunkKeyEncoding()
    for index in [(0, 0, 0), (0, 12, 345)]:
        assert ours.encode_chunk_key(index) == theirs.encode_chunk_key(index)
        assert ours.decode_chunk_key(ours.encode_chunk_key(index)) == index
    assert parse_chunk_key_encoding(ours.to_dict()) == parse_chunk_key_encoding({"name": "rrip"}) == ours


def test_zarr_finds_it_by_its_entry_point(container):
    group = zarr.open_group(str(container.path), mode="r")
    assert group["2"].metadata.chunk_key_encoding == RripKeyEncoding()
    assert (np.moveaxis(group["2"][:], 0, -1) == rrip_format.imread(container.path, level=2)).all()


ALONE = """
import importlib.metadata as metadata, sys
real = metadata.Distribution.entry_points.fget
metadata.Distribution.entry_points = property(
    lambda self: metadata.EntryPoints(point for point in real(self) if not point.value.startswith("rrip_format"))
)
import zarr
for name in sys.argv[2:]:
    try:
        zarr.open_array(sys.argv[1], path=name, mode="r")
        print(name, "opened")
    except Exception as error:
        print(name, type(error).__name__, error)
"""


def test_zarr_without_this_package_opens_no_array_of_the_root(container):
    names = [str(level) for level in range(3)]
    command = [sys.executable, "-c", ALONE, str(container.path), *names]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(told) == len(names)
    assert not [line for line in told if "opened" in line or "rrip" not in line]


@pytest.mark.parametrize("kind", ["zarr", "zip"])
def test_the_first_group_by_name_is_empty(kinds, kind):
    """Software that shows the first group of a hierarchy finds no array there (spec section 9.2)."""
    path = getattr(kinds, kind)
    root = zarr.open_group(path if kind == "zarr" else zarr.storage.ZipStore(path, mode="r"), mode="r")
    first, *others = sorted(root.group_keys())
    assert others == ["associated", "base"]
    assert not list(root[first].members())
    assert not dict(root[first].attrs)


def test_the_directory_of_an_archive_begins_with_documents(tmp_path):
    target = tmp_path / "a.rrip.zarr.zip"
    rrip_format.convert(np.full((300, 300, 3), 90, np.uint8), target, BRIEF)
    with zipfile.ZipFile(target) as archive:
        names, comment = archive.namelist(), json.loads(archive.comment)
    documents = [name for name in names if name.endswith("zarr.json")]
    assert names[0] == "zarr.json"
    assert names[: len(documents)] == documents == sorted(documents, key=lambda name: name.count("/"))
    assert comment["ome"] == {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": True}}}


@pytest.mark.parametrize("cut", [1, 40])
def test_a_validator_notices_that_the_comment_of_an_archive_was_cut(tmp_path, cut):
    target = tmp_path / "a.rrip.zarr.zip"
    rrip_format.convert(np.full((300, 300, 3), 90, np.uint8), target, BRIEF)
    whole = target.read_bytes()
    assert rrip_format.validate(target) == []
    for data in (whole[:-cut], whole + b"x"):
        target.write_bytes(data)
        assert [finding.rule for finding in rrip_format.validate(target)] == ["zip.structure"]
