"""Every case of ``spec/vectors`` decodes to the samples that it states, or raises the error that it states."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import plain.jpeg
import pytest
import reference
import rfc8785
import zarr
from cases import (
    CASES,
    INVALID,
    KINDS,
    MANIFEST,
    PIXELS,
    SPEC,
    VALID,
    VECTORS,
    check_family,
    check_tiles,
    decode_anything,
    load_case,
    pixel_cases,
    planes_by_level,
    sha256,
    stored_tiles,
    streams_of,
)

from rrip_format import errors
from rrip_format.containers.opening import open_container
from rrip_format.core import predict
from rrip_format.family.jpeg import decode_gray, decode_ycc
from rrip_format.spec.geometry import BASE_LEVEL
from rrip_format.spec.metadata import parse_coding, parse_metadata, seal
from rrip_format.spec.tile import join_tile


def test_the_manifest_lists_every_file() -> None:
    stored = {
        path.relative_to(VECTORS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VECTORS.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert stored == MANIFEST["sha256"]
    assert MANIFEST["cases"] == {"valid": len(VALID), "invalid": len(INVALID)}


def test_no_case_was_lost() -> None:
    assert (len(VALID), len(INVALID)) == (65, 245)
    sizes = {title: len(names) for title, names in MANIFEST["classes"].items()}
    assert sizes == {"base reader": 224, "full reader": 286, "strict reader": 13, "writer": 57, "validator": 310}
    assert set(MANIFEST["classes"]["validator"]) == set(CASES)
    assert set(MANIFEST["classes"]["base reader"]) < set(MANIFEST["classes"]["full reader"])


def test_the_set_is_small() -> None:
    assert sum(path.stat().st_size for path in VECTORS.rglob("*") if path.is_file()) < 1_700_000


def test_every_file_of_a_case_is_named_by_it() -> None:
    for name in CASES:
        case, folder = load_case(name), VECTORS / name
        assert case["kind"] in KINDS
        if case["kind"] == "container":
            assert {path.name for path in folder.iterdir()} == {"case.json", case["container"]}, name
            assert ("at" in case) == ("error" in case)
        else:
            assert {path.name for path in folder.iterdir()} == {"case.json", *case.get("tiles", {}).values()}, name
        assert ("rule" in case) == name.startswith("invalid/")
        for_readers = {*MANIFEST["classes"]["full reader"], *MANIFEST["classes"]["strict reader"]}
        assert ("error" in case) == (name in for_readers and "rule" in case)
        assert case["description"]
        assert case["sections"]


def test_every_rule_of_the_spec_has_a_case() -> None:
    tables = (SPEC / "rrip.md").read_text(encoding="utf-8").partition("### 10.8")[2]
    rules = set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", tables, re.MULTILINE))
    assert rules > errors.RULES.keys()
    found = {load_case(name)["rule"] for name in INVALID}
    for name in VALID:
        found |= set(load_case(name).get("warnings", []))
    assert {rule for rule in rules - found if not rule.startswith("limit.")} == {
        "packet.structure",  # no container stores packets
        "source.reading",  # these need the slide that was converted
        "source.size",
        "storage.failed",  # says nothing about bytes
    }
    assert not found - rules


def _headings() -> set[str]:
    lines = (SPEC / "rrip.md").read_text(encoding="utf-8").splitlines()
    return {line.split()[1].rstrip(".") for line in lines if line.startswith(("## ", "### "))}


def test_every_section_that_a_case_cites_is_in_the_spec() -> None:
    assert {section for name in CASES for section in load_case(name)["sections"]} <= _headings()


def test_the_worked_examples_of_the_spec_are_the_vectors() -> None:
    text = " ".join((SPEC / "rrip.md").read_text(encoding="utf-8").split())
    for name in ("zero-all", "chroma-l1"):
        tile = (VECTORS / name / "l1.tile").read_bytes()
        for start, end in ((-36, -32), (-32, -28), (-28, -24), (-12, -4)):
            assert tile[start:end].hex(" ") in text
        assert f"{tile[-4:].hex(' ')} CRC-32C 0x{tile[:-5:-1].hex()}" in text
    rrip = load_case("metadata-full")["rrip"]
    unsealed = {key: value for key, value in rrip["coding"].items() if key != "crc32c"}
    assert rfc8785.dumps(unsealed).decode() in text
    assert f"Its CRC-32C is `{rrip['coding']['crc32c']}`" in text
    assert f"as in that file, is `{rrip['crc32c']}`" in text


def _bounds(magnitudes: int) -> dict[str, tuple[int, int]]:
    """Bounds of section 5.6 for taps whose magnitudes add up to `magnitudes`."""
    p, n = (magnitudes + 64) // 2, (magnitudes - 64) // 2
    vertical = -(p * 128 + n * 127), p * 127 + n * 128
    v = (vertical[0] + 16) >> 5, (vertical[1] + 16) >> 5
    horizontal = p * v[0] - n * v[1], p * v[1] - n * v[0]
    q = (horizontal[0] + 64) >> 7, (horizontal[1] + 64) >> 7
    return {"vertical sum": vertical, "V": v, "horizontal sum": horizontal, "Q": q}


def test_the_bounds_of_the_spec() -> None:
    text = (SPEC / "rrip.md").read_text(encoding="utf-8").replace("\N{MINUS SIGN}", "-")
    for name, (least, most) in _bounds(90).items():
        assert f"| {name} | {least} | {most} |" in text
        assert -(2**15) <= least <= most + 64 < 2**15
    beyond = _bounds(92)["horizontal sum"][1]
    assert beyond >= 2**15
    assert f"the same bound on the horizontal sum is {beyond}" in " ".join(text.split())
    assert f"| {116130 * -128} | {116130 * 127 + 32768} |" in text


@pytest.mark.parametrize("kernel", [predict, reference], ids=["predict", "reference"])
@pytest.mark.parametrize("name", pixel_cases("family"))
def test_family(name: str, kernel: ModuleType) -> None:
    check_family(name, kernel)


@pytest.mark.parametrize("name", PIXELS)
def test_decode_tile(name: str) -> None:
    check_tiles(name)


@pytest.mark.parametrize("name", pixel_cases("family") + pixel_cases("overview"))
def test_the_decoder_written_from_the_spec_agrees_on_every_stream(name: str) -> None:
    case = load_case(name)
    coding, tiles = parse_coding(case["coding"]), stored_tiles(name, case)
    for level, tile in tiles.items():
        side = coding.geometry.tile_side(level)
        streams = streams_of(coding, case, level, tile)
        for stream, wanted in zip(streams, case["expected"][str(level)]["streams"], strict=True):
            assert wanted["bytes"] == len(stream or b"")
            if stream is None:
                assert wanted["samples_sha256"] is None
            elif level >= BASE_LEVEL:
                np.testing.assert_array_equal(plain.jpeg.decode(bytes(stream), side, 3), decode_ycc(stream, side))
            else:
                assert sha256(plain.jpeg.decode(bytes(stream), side, 1)) == wanted["samples_sha256"]


@pytest.mark.parametrize(("name", "limit"), [("clip-0", 0), ("clip-255", 255)])
def test_the_clipping_cases_clip(name: str, limit: int) -> None:
    case, planes = load_case(name), planes_by_level(name, predict)
    coding, tiles = parse_coding(case["coding"]), stored_tiles(name, case)
    for level in (1, 0):
        (stream,) = streams_of(coding, case, level, tiles[level])
        residual = decode_gray(stream, coding.geometry.tile_side(level)).astype(int) - 128
        free = reference.up2(planes[level + 1][0], coding.residuals[level].taps) + residual
        beyond = free < 0 if limit == 0 else free > 255
        assert beyond.mean() > 0.05
        assert (planes[level][0][beyond] == limit).all()


@pytest.mark.parametrize("name", pixel_cases("metadata"))
def test_metadata(name: str) -> None:
    document = load_case(name)["rrip"]
    assert parse_metadata(document).to_json() == document


@pytest.mark.parametrize("name", [name for name in INVALID if load_case(name)["kind"] != "container"])
def test_invalid(name: str) -> None:
    case = load_case(name)
    expected = getattr(errors, case["error"])
    with pytest.raises(expected) as caught:
        decode_anything(name, case)
    assert caught.type is expected
    assert caught.value.rule == case["rule"]


@pytest.mark.parametrize("name", [name for name in CASES if load_case(name)["kind"] == "container"])
def test_container(name: str) -> None:
    from vectors.check import problems_of_case

    assert list(problems_of_case(VECTORS / name)) == []


def test_an_array_that_says_another_level_is_refused_by_its_codec() -> None:
    folder = VECTORS / "invalid" / "container-folder-level"
    group = zarr.open_group(folder / "slide.rrip.zarr", mode="r")
    assert group["0"][:, :1, :1].shape == (3, 1, 1)
    with pytest.raises(errors.FormatError) as caught:
        group["1"][:, :1, :1]
    assert caught.value.rule == load_case("invalid/container-folder-level")["rule"]


def test_a_compressed_tile_is_no_byte_range() -> None:
    container = open_container(VECTORS / "invalid" / "container-zip-deflated-tile" / "slide.rrip.zarr.zip")
    with pytest.raises(errors.FormatError) as caught:
        container.locate(0, 0, 2)
    assert caught.value.rule == "zip.method"


@pytest.mark.parametrize("name", [name for kind in ("family", "overview") for name in pixel_cases(kind)])
def test_the_writer_makes_the_same_stored_tiles(name: str) -> None:
    case = load_case(name)
    coding = parse_coding(case["coding"])
    assert name in MANIFEST["classes"]["writer"]
    for level, tile in stored_tiles(name, case).items():
        streams = [bytes(stream or b"") for stream in streams_of(coding, case, level, tile)]
        assert join_tile(streams, coding.place(level, case["row"], case["col"])) == tile


@pytest.mark.parametrize("name", MANIFEST["classes"]["writer"])
def test_the_writer_makes_the_same_seals(name: str) -> None:
    case = load_case(name)
    for document in (case.get("rrip"), case.get("coding") or case["rrip"]["coding"]):
        assert document is None or seal(document) == document


def test_the_tool_finds_a_changed_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import make_vectors as tool

    folder = tmp_path / "luma-only"
    folder.mkdir()
    names = [path.name for path in (VECTORS / "luma-only").iterdir()]
    for name in names:
        (folder / name).write_bytes((VECTORS / "luma-only" / name).read_bytes())
    digests = {f"luma-only/{name}": hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (tmp_path / "manifest.json").write_text(json.dumps({"sha256": digests}))
    monkeypatch.setattr(tool, "VECTORS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_vectors"])
    assert tool.main() == 0
    data = bytearray((folder / "l1.tile").read_bytes())
    data[100] ^= 1
    (folder / "l1.tile").write_bytes(data)
    capsys.readouterr()
    assert tool.main() == 1
    assert "luma-only/l1.tile: is missing, unexpected or not as in manifest.json" in capsys.readouterr().out
