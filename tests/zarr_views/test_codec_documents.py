"""The Zarr codec refuses array documents that do not fit the container around them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import zarr

from rrip_format.errors import FormatError, RripError


def edit(path: Path, change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def coding_in(document) -> dict:
    return document["codecs"][0]["configuration"]["coding"]


CODING_CHANGES = {
    "a tap": lambda d: coding_in(d)["residuals"][0].update(taps=[-6, 57, 15, -2]),
    "chroma": lambda d: coding_in(d)["residuals"][0].update(cfl=[1, 1]),
    "planes": lambda d: coding_in(d)["residuals"][1].update(planes=1),
    "width": lambda d: coding_in(d).update(width=901),
    "empty": lambda d: coding_in(d).update(empty=None),
    "background": lambda d: coding_in(d).update(background=[254] * 3),
    "uuid": lambda d: coding_in(d).update(uuid="00112233-4455-4677-8899-aabbccddeeff"),
    "seal": lambda d: coding_in(d).update(crc32c="00000000"),
    "no coding": lambda d: d["codecs"][0]["configuration"].pop("coding"),
    "no level": lambda d: d["codecs"][0]["configuration"].pop("level"),
    "a level that is not there": lambda d: d["codecs"][0]["configuration"].update(level=4),
    "level below 0": lambda d: d["codecs"][0]["configuration"].update(level=-1),
    "level as text": lambda d: d["codecs"][0]["configuration"].update(level="0"),
    "level true": lambda d: d["codecs"][0]["configuration"].update(level=True),
    "another level": lambda d: d["codecs"][0]["configuration"].update(level=1),
    "no configuration": lambda d: d["codecs"][0].pop("configuration"),
    "shape": lambda d: d.update(shape=[3, 700, 899]),
    "channels": lambda d: d.update(shape=[4, 700, 900]),
    "chunks": lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[3, 128, 128]),
    "one channel a chunk": lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[1, 256, 256]),
    "data type": lambda d: d.update(data_type="int8", fill_value=1),
    "wider data type": lambda d: d.update(data_type="uint16"),
}


@pytest.mark.parametrize("change", CODING_CHANGES.values(), ids=CODING_CHANGES)
def test_a_changed_array_document_is_refused(spoiled, change, pipeline):
    edit(spoiled / "0" / "zarr.json", change)
    with pytest.raises(FormatError):
        zarr.open_array(str(spoiled / "0"), mode="r")[:]
    with pytest.raises(FormatError):
        zarr.open_group(str(spoiled), mode="r")["0"][:]


def test_another_level_that_fits_is_told_by_its_key(spoiled):
    """Level 3 has tiles of the size of level 0's."""
    edit(spoiled / "3" / "zarr.json", lambda d: d["codecs"][0]["configuration"].update(level=2))
    with pytest.raises(FormatError):
        zarr.open_group(str(spoiled), mode="r")["3"][:]


AROUND = {
    "crc32c behind": lambda rrip: [rrip, {"name": "crc32c"}],
    "gzip behind": lambda rrip: [rrip, {"name": "gzip", "configuration": {"level": 1}}],
    "transpose before": lambda rrip: [{"name": "transpose", "configuration": {"order": [0, 2, 1]}}, rrip],
    "idle transpose before": lambda rrip: [{"name": "transpose", "configuration": {"order": [0, 1, 2]}}, rrip],
    "sharding": lambda rrip: [
        {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": [3, 256, 256],
                "codecs": [rrip],
                "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
                "index_location": "end",
            },
        }
    ],
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_another_codec_around_it_is_an_error(spoiled, around, pipeline):
    edit(spoiled / "0" / "zarr.json", lambda d: d.update(codecs=around(d["codecs"][0])))
    for read in (
        lambda: zarr.open_array(str(spoiled / "0"), mode="r")[:],
        lambda: zarr.open_group(str(spoiled), mode="r")["0"][:],
        lambda: zarr.open_group(str(spoiled), mode="r")["0"][:, 300:303, 300:303],
    ):
        with pytest.raises((RripError, ValueError, OSError)):  # the other codec may be the first to notice
            read()


@pytest.mark.parametrize("name", [name for name in AROUND if name != "sharding"])
def test_another_codec_around_it_is_an_error_for_absent_tiles_too(spoiled, name):
    """Where no chunk is, Zarr would fill. Sharding and the fused pipeline do, without asking any codec inside."""
    edit(spoiled / "0" / "zarr.json", lambda d: d.update(codecs=AROUND[name](d["codecs"][0])))
    shutil.rmtree(spoiled / "0" / "c")
    with pytest.raises((RripError, ValueError)):
        zarr.open_array(str(spoiled / "0"), mode="r")[:]


def test_other_chunk_keys_are_an_error(spoiled, pipeline):
    edit(
        spoiled / "0" / "zarr.json",
        lambda d: d.update(chunk_key_encoding={"name": "default", "configuration": {"separator": "."}}),
    )
    with pytest.raises(FormatError, match="chunk key"):
        zarr.open_group(str(spoiled), mode="r")["0"][:]


def test_an_array_of_another_name_is_an_error(spoiled, pipeline):
    """Its neighbours are found by name, so its own name must be the level's."""
    (spoiled / "0").rename(spoiled / "finest")
    with pytest.raises(FormatError, match=r"chunk key.*does not end in 0/c/0"):
        zarr.open_group(str(spoiled), mode="r")["finest"][:]
