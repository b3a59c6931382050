"""Rule ids: the spec, the code and an error on its way up say the same (section 12)."""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path

import pytest
from conftest import tile_path

import rrip_format
from rrip_format import errors
from rrip_format.errors import RULES, ChecksumError, DamagedError, FormatError, MissingTileError, RripError
from rrip_format.integrity.findings import SEVERITIES

PACKAGE = Path(rrip_format.__file__).parent
SPEC = (Path(__file__).resolve().parents[2] / "spec" / "rrip.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z0-9]+\.[a-z0-9]+)` \| .* \| ([a-z]+) \| `([A-Za-z]+)` \|$", re.MULTILINE)


def spec_rules() -> dict[str, set[str]]:
    """Names of the exceptions by rule, of all tables of the spec."""
    found: dict[str, set[str]] = {}
    for rule, _, exception in ROW.findall(SPEC):
        found.setdefault(rule, set()).add(exception)
    return found


def test_the_spec_and_the_code_list_the_same_rules():
    assert spec_rules() == {rule: {kind.__name__} for rule, kind in RULES.items()}
    assert list(RULES) == sorted(RULES)


def test_the_spec_lists_what_only_a_validator_knows():
    found = re.findall(r"^\| `([a-z0-9.]+)` \| [^|]* \| (error|warning) \|$", SPEC, re.MULTILINE)
    assert dict(found) == SEVERITIES
    assert not SEVERITIES.keys() & RULES.keys()


def raised_rules() -> list[tuple[str, str]]:
    """(name of what is called, rule) of every ``rule="…"`` in the package."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if keyword.arg == "rule":
                        literals = [part.value for part in ast.walk(keyword.value) if isinstance(part, ast.Constant)]
                        rules = [text for text in literals if isinstance(text, str) and "." in text]
                        found += [(ast.unparse(node.func), rule) for rule in rules]
    return found


def test_every_rule_is_raised_by_its_class():
    raised = raised_rules()
    assert len(raised) > 40  # the checks below would pass on none too
    for name, rule in raised:
        assert rule in RULES, rule
        assert getattr(errors, name, RULES[rule]) is RULES[rule], f"{name}(…, rule={rule!r})"
    defaults = {kind.rule for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RripError)}
    by_argument = {"metadata.feature", "metadata.seal"}  # among the problems of a document
    assert set(RULES) == {rule for _, rule in raised} | by_argument | (defaults - {None})


@pytest.mark.parametrize("kind", sorted(RULES.values(), key=lambda kind: kind.__name__))
def test_an_error_keeps_its_rule(kind):
    error = kind("what", rule="tile.place").within("slide").within("disk")
    assert (type(error), error.rule, str(error)) == (kind, "tile.place", "disk: slide: what")
    again = pickle.loads(pickle.dumps(error))  # from a worker process
    assert (type(again), again.rule, str(again)) == (kind, "tile.place", str(error))
    assert RULES[kind("what").rule] is kind
    assert kind("what").within("slide").rule == kind.rule


def test_what_is_not_about_a_container_has_no_rule():
    for kind in (errors.RripError, errors.SourceError, errors.TargetError, errors.ExtraMissingError):
        assert kind("what").rule is None
        assert kind("what").within("where").rule is None


@pytest.mark.parametrize(
    ("damage", "kind", "rule"),
    [
        (lambda path: path.unlink(), MissingTileError, "tile.missing"),
        (lambda path: path.write_bytes(b"x" * 20), DamagedError, "tile.short"),
        (lambda path: path.write_bytes(b"x" * 500_000), DamagedError, "tile.size"),
        (lambda path: path.write_bytes(b"x" * 200), ChecksumError, "tile.checksum"),
        (lambda path: path.write_bytes(path.with_name("2").read_bytes()), DamagedError, "tile.place"),
    ],
)
def test_rules_reach_every_door(spoiled, damage, kind, rule):
    import zarr

    damage(tile_path(spoiled, 0, 1, 1))
    part = (slice(None), slice(256, 512), slice(256, 512))
    with rrip_format.open(spoiled) as slide, pytest.raises(kind) as caught:
        slide.read_tile(0, 1, 1)
    assert caught.value.rule == rule
    with pytest.raises(kind) as caught:
        zarr.open_group(spoiled, mode="r")["0"][part]
    assert caught.value.rule == rule
    openslide = pytest.importorskip("openslide")
    with rrip_format.RripSlide(spoiled) as slide, pytest.raises(openslide.OpenSlideError) as caught:
        slide.read_region((256, 256), 0, (9, 9))
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "metadata.json"),
        ("{}", "metadata.absent"),
        ('{"attributes": {"rrip": {"coding": {}}}}', "metadata.version"),
        ('{"attributes": {"rrip": {"coding": {"version": 2}}}}', "newer.version"),
        ('{"attributes": {"rrip": {"coding": {"version": 1}}}}', "metadata.requires"),
        ('{"attributes": {"rrip": {"coding": {"version": 1, "requires": ["x"]}}}}', "newer.requires"),
        ('{"attributes": {"rrip": {"coding": {"version": 1, "requires": []}}}}', "metadata.seal"),
    ],
)
def test_rules_of_opening(tmp_path, text, rule):
    path = tmp_path / "a.rrip.zarr"
    path.mkdir()
    (path / "zarr.json").write_text(text)
    with pytest.raises(FormatError) as caught:
        rrip_format.open(path)
    assert (caught.value.rule, type(caught.value)) == (rule, RULES[rule])
    with pytest.raises(FormatError) as caught:
        rrip_format.open(tmp_path / "nothing.rrip.tif")
    assert caught.value.rule == "container.kind"
