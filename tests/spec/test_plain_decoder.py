"""The decoder of ``conformance/plain``, written from the specification alone, and the package agree on every bit."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from kinds import tiny_image
from PIL import Image

import rrip_format

ROOT = Path(__file__).resolve().parents[2]
TOOLS, VECTORS = ROOT / "tools" / "conformance", ROOT / "spec" / "vectors"
CLASSES = json.loads((VECTORS / "manifest.json").read_bytes())["classes"]


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line, in an interpreter that has no rrip_format."""
    blocked = "import sys; sys.modules['rrip_format'] = None; sys.argv[0] = 'plain_decoder.py'; "
    code = f"{blocked}sys.path.insert(0, {str(TOOLS)!r}); from plain_decoder import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_it_knows_nothing_but_numpy_and_one_jpeg_decoder() -> None:
    found = set()
    for path in [TOOLS / "plain_decoder.py", *(TOOLS / "plain").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    assert found - sys.stdlib_module_names == {"numpy", "PIL", "plain"}


def test_the_conformance_set() -> None:
    done = _run("vectors")
    assert done.returncode == 0, done.stdout + done.stderr
    for title in ("base reader", "full reader"):
        invalid = sum(name.startswith("invalid/") for name in CLASSES[title])
        assert f"{title}: {len(CLASSES[title]) - invalid} valid and {invalid} invalid cases" in done.stdout


def test_both_jpeg_decoders_agree_on_every_stream_of_the_set() -> None:
    from plain import jpeg
    from plain.metadata import read_coding
    from plain.tile import split

    compared = 0
    for path in sorted(VECTORS.glob("*/case.json")):
        case = json.loads(path.read_bytes())
        for text, name in case.get("tiles", {}).items():
            level, coding = int(text), read_coding(case["coding"])
            colours, count = (3, 1) if level >= 2 else (1, coding.residuals[level].planes)
            side, tile = coding.side(level), (path.parent / name).read_bytes()
            for stream in filter(None, split(tile, level, case["row"], case["col"], coding.uuid, count, side)):
                own, pillow = (jpeg.decode(stream, side, colours, decoder=which) for which in ("own", "pillow"))
                np.testing.assert_array_equal(own, pillow)
                compared += 1
    assert compared > 100


def _small_set(folder: Path, *names: str) -> None:
    """A conformance set of some of the cases."""
    for name in names:
        shutil.copytree(VECTORS / name, folder / name)
    _list_files(folder)


def _list_files(folder: Path) -> None:
    names = sorted(path.parent.relative_to(folder).as_posix() for path in folder.rglob("case.json"))
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    invalid = sum(name.startswith("invalid/") for name in names)
    manifest = {
        "cases": {"valid": len(names) - invalid, "invalid": invalid},
        "classes": {title: [name for name in names if name in known] for title, known in CLASSES.items()},
        "sha256": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_set_that_lost_or_gained_a_file_fails(tmp_path, capsys) -> None:
    from plain.conformance import check_set

    _small_set(tmp_path, "zero-all", "invalid/short")
    assert check_set(tmp_path, "own") == 0
    (tmp_path / "stray").write_text("")
    assert check_set(tmp_path, "own") == 1
    (tmp_path / "stray").unlink()
    shutil.rmtree(tmp_path / "invalid" / "short")
    assert check_set(tmp_path, "own") == 1
    found = capsys.readouterr().out
    assert "stray: is not listed" in found
    assert "invalid/short/case.json: is missing" in found


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("cfl", '"rgb_sha256": "', '"rgb_sha256": "0'),
        ("cfl", '"planes_sha256": "', '"planes_sha256": "0'),
        ("edge-odd", '"inside": [131, 77]', '"inside": [131, 78]'),
        ("zero-all", '"l1.tile"', '"l0.tile"'),
        ("invalid/other-row", "tile.place", "tile.trailer"),
        ("invalid/coding-tile-72", "FormatError", "DamagedError"),
        ("invalid/coding-tile-72", '"tile": 72', '"tile": 80'),
        ("invalid/container-folder-swapped", '"0/0/0", "1/0/0", ', ""),
        ("containers/tiff", '"2/0/0": "', '"2/0/0": "0'),
        ("containers/tiff", '"macro": "', '"macro": "0'),
    ],
)
def test_a_case_that_says_something_else_fails(tmp_path, capsys, name: str, old: str, new: str) -> None:
    from plain.conformance import check_set

    _small_set(tmp_path, name)
    assert check_set(tmp_path, "own") == 0
    if new:
        _replace(tmp_path / name / "case.json", old, new)
    else:  # a tile that cannot be read is listed as one that can be
        _replace(tmp_path / name / "case.json", '"tiles": {', '"tiles": {"1/0/0": "", ')
    _list_files(tmp_path)
    assert check_set(tmp_path, "own") == 1
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("decoder", ["own", "pillow"])
@pytest.mark.parametrize("kind", ["zarr", "zip", "tif"])
def test_a_converted_slide(kinds, kind: str, decoder: str, capsys) -> None:
    from compare_decoders import compare

    assert compare(getattr(kinds, kind), decoder) == 0
    assert "3 attachments, all equal" in capsys.readouterr().out


def test_a_slide_is_converted_to_every_kind_and_compared(tmp_path, monkeypatch, capsys) -> None:
    import compare_decoders

    Image.fromarray(tiny_image()).save(tmp_path / "picture.png")
    monkeypatch.setattr(sys, "argv", ["compare_decoders", str(tmp_path / "picture.png")])
    assert compare_decoders.main() == 0
    assert capsys.readouterr().out.count("all equal") == 3


def test_the_comparison_notices_a_difference(kinds, monkeypatch, capsys) -> None:
    from compare_decoders import compare
    from plain import pixels

    real = pixels.to_rgb
    monkeypatch.setattr(pixels, "to_rgb", lambda planes: real(planes) ^ np.uint8(planes.shape[-1] == 256))
    assert compare(kinds.tif, "pillow") > 0
    assert "tile 0/2/0 differs" in capsys.readouterr().out


def test_a_region_across_tiles(kinds, tmp_path) -> None:
    out = tmp_path / "region.npy"
    done = _run("region", kinds.zip, 1, 90, 70, 200, 333, "--out", out)
    assert done.returncode == 0, done.stderr
    with rrip_format.open(kinds.zip) as slide:
        expected = slide.read_region(1, 90, 70, 200, 333).transpose(2, 0, 1)
    np.testing.assert_array_equal(np.load(out), expected)
    assert hashlib.sha256(np.ascontiguousarray(expected).tobytes()).hexdigest() in done.stdout


def test_info_and_digests(kinds) -> None:
    info = _run("info", kinds.tif)
    assert info.returncode == 0, info.stderr
    assert "level 0: 900 × 700 px, 3 × 4 tiles, 3 empty" in info.stdout
    assert "icc_profile: 768 bytes" in info.stdout
    digests = {_run("--jpeg", "pillow", "digest", path).stdout for path in kinds.all}
    assert len(digests) == 1
    assert len(digests.pop().splitlines()) == len(kinds.decoded)


def test_errors_are_one_line_and_an_exit_code(tmp_path) -> None:
    damaged = VECTORS / "invalid" / "container-tiff-loop" / "slide.rrip.tif"
    done = _run("info", damaged)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("FormatError: ")
    assert done.stderr.count("\n") == 1
    assert _run("info", tmp_path / "nothing").returncode == 2


def test_both_decoders_make_the_same_of_damage(capsys) -> None:
    from compare_mutants import run

    different = run(60, 7)
    found = capsys.readouterr().out
    assert different == 0, found
    assert found.count(": 60 mutants, ") == 4


def test_the_comparison_of_mutants_notices_a_difference(monkeypatch, capsys) -> None:
    import compare_mutants

    monkeypatch.setattr(compare_mutants, "read_metadata", lambda document: None)
    assert compare_mutants.run(20, 7) > 0
    assert "metadata, seed 7, mutant" in capsys.readouterr().out


@given(st.binary(max_size=300))
def test_the_checksum(data: bytes) -> None:
    from plain.tile import crc32c

    assert crc32c(data) == google_crc32c.value(data)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner),
    max_leaves=12,
)
ODD_NUMBERS = [1e20, 1e21, 123456789012345680000.0, 1e-6, 1e-7, 5e-324, -0.0, 0.1, 4.35, 1.7976931348623157e308]


@given(JSON)
def test_the_canonical_form(value: object) -> None:
    from plain.canonical import canonical

    assert canonical(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize("value", ODD_NUMBERS)
def test_the_canonical_form_of_numbers(value: float) -> None:
    from plain.canonical import canonical

    assert canonical(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "text", ["[" * 65 + "]" * 65, "[" * 10**6, '{"a":' * 65 + "1" + "}" * 65, f"[{'1,' * 2**17}1]"]
)
def test_a_document_beyond_the_limits_is_not_parsed(text: str) -> None:
    from plain.canonical import parse_json
    from plain.errors import LimitError

    with pytest.raises(LimitError, match=r"limit\.metadata"):
        parse_json(text.encode())
    assert parse_json(b"[" * 64 + b'"' + b"[" * 70 + b'\\\\\\" "' + b"]" * 64)


def test_a_member_name_that_occurs_twice_has_no_seal() -> None:
    from plain.canonical import parse_json, seal
    from plain.errors import FormatError

    for text in ('{"a": 1, "a": 1}', '{"b": [{"a": 1, "a": 2}]}'):
        with pytest.raises(FormatError, match=r"metadata\.seal"):
            seal(parse_json(text.encode()))
