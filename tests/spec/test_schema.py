"""``spec/metadata.schema.json`` and the validators of the package say the same about every document.

What a JSON Schema cannot say is listed in `BEYOND_A_SCHEMA`; nothing else may differ.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rrip_format.errors import FormatError, LimitError
from rrip_format.spec.metadata import parse_coding, parse_metadata, seal

SPEC = Path(__file__).resolve().parents[2] / "spec"
SCHEMA = json.loads((SPEC / "metadata.schema.json").read_bytes())
RRIP = Draft202012Validator(SCHEMA)
CODING = Draft202012Validator({**SCHEMA["$defs"]["coding"], "$defs": SCHEMA["$defs"]})

CASES = {path.parent.relative_to(SPEC / "vectors").as_posix(): json.loads(path.read_bytes())
         for path in sorted((SPEC / "vectors").rglob("case.json"))}  # fmt: skip
DOCUMENTS = [name for name, case in CASES.items() if case["kind"] != "container"]

BEYOND_A_SCHEMA = {
    "invalid/coding-seal-wrong": "the checksum of a seal",
    "invalid/coding-seal-extra": "the checksum of a seal",
    "invalid/metadata-seal-wrong": "the checksum of a seal",
    "invalid/metadata-seal-inner": "the checksum of a seal",
    "invalid/metadata-integer-huge": "the canonical form",
    "invalid/coding-width-point-zero": "an integer that is written with a fraction",
    "invalid/coding-taps-sum": "the sum of the taps",
    "invalid/coding-chroma-taps-sum": "the sum of the taps",
    "invalid/coding-filter-sum": "the sum of the weights",
    "invalid/coding-background-colour": "three equal values, where families are empty",
    "invalid/coding-empty-not-base64": "what a text decodes to",
    "invalid/coding-empty-not-zlib": "what a text decodes to",
    "invalid/coding-empty-short": "what a text decodes to",
    "invalid/coding-empty-long": "what a text decodes to",
    "invalid/coding-empty-bomb": "what a text decodes to",
    "invalid/coding-empty-trailing": "what a text decodes to",
    "invalid/coding-empty-cut": "what a text decodes to",
    "invalid/coding-too-many-families": "the product of width and height",
}


def _accepted(document: dict[str, Any]) -> bool:
    """Whether the package reads a case's ``coding`` or ``rrip``."""
    try:
        parse_metadata(document["rrip"]) if "rrip" in document else parse_coding(document["coding"])
    except (FormatError, LimitError):
        return False
    return True


def _fits(document: dict[str, Any]) -> bool:
    """Whether the schema admits a case's ``coding`` or ``rrip``."""
    return RRIP.is_valid(document["rrip"]) if "rrip" in document else CODING.is_valid(document["coding"])


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_schema_and_package_agree_on_the_vectors(name: str) -> None:
    case = CASES[name]
    if name in BEYOND_A_SCHEMA:
        assert _fits(case)
        assert not _accepted(case)
    else:
        assert _fits(case) == _accepted(case)


def test_every_exception_is_a_case() -> None:
    assert BEYOND_A_SCHEMA.keys() <= CASES.keys()


def _resealed(rrip: Any) -> Any:
    if not isinstance(rrip, dict):
        return rrip
    coding = rrip.get("coding")
    return seal({**rrip, "coding": seal(coding) if isinstance(coding, dict) else coding})


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where every value of a document is."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in _paths(part, (*path, key)))]


FULL = CASES["metadata-full"]["rrip"]
SEALS = {("crc32c",), ("coding", "crc32c")}
SUMS = {("coding", "residuals", k, name) for k in (0, 1) for name in ("taps", "chroma_taps")}
PATHS = [path for path in _paths(FULL) if path and path not in SEALS and path[:4] not in SUMS]
REMOVE = object()

VALUES = st.one_of(
    st.sampled_from([None, True, False, "", "text", [], {}, [1], [1, 2], [1, 2, 3], {"name": "a"}, REMOVE]),
    st.integers(-200, 600),
    st.sampled_from([2**31 - 1, 2**31, 2**53 - 1, 2**53, 10**30, -(2**60)]),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: not value.is_integer()),
    st.lists(st.integers(-140, 300), max_size=4),
)


def _changed(path: tuple[str | int, ...], value: Any) -> Any:
    document = copy.deepcopy(FULL)
    parent: Any = document
    for key in path[:-1]:
        parent = parent[key]
    if value is REMOVE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return document


def _beyond(document: Any) -> bool:
    """Whether a changed document touches a rule that a schema cannot say: bitmap, background or number of families."""
    coding = document.get("coding")
    if not isinstance(coding, dict):
        return False
    changed = {name for name in FULL["coding"] if name in coding and coding[name] != FULL["coding"][name]}
    if isinstance(coding.get("empty"), str) and "empty" in changed:
        return True
    return bool(changed & {"width", "height", "tile", "background"})


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PATHS), VALUES)
def test_schema_and_package_agree_on_changed_documents(path: tuple[str | int, ...], value: Any) -> None:
    document = _changed(path, value)
    fits = RRIP.is_valid(document)
    try:
        document = _resealed(document)
    except ValueError:  # an integer that canonical JSON does not admit: nobody can seal it
        assert not _accepted({"rrip": document})
        return
    if _beyond(document):
        assert fits or not _accepted({"rrip": document})
    else:
        assert fits == _accepted({"rrip": document})


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-100, 100), min_size=3, max_size=3), st.sampled_from(["taps", "chroma_taps"]))
def test_taps(first: list[int], name: str) -> None:
    taps = [*first, 64 - sum(first)]
    document = copy.deepcopy(FULL)
    document["coding"]["residuals"][0][name] = taps
    fits, accepted = RRIP.is_valid(document), _accepted({"rrip": _resealed(document)})
    assert accepted == (sum(map(abs, taps)) <= 90)
    assert fits or not accepted


@pytest.mark.parametrize(
    ("path", "value"),
    [(("coding", "width"), 768.0), (("coding", "version"), 1.0), (("coding", "residuals", 0, "planes"), 1.0)],
)
def test_an_integer_written_with_a_fraction_is_refused(path: tuple[str | int, ...], value: float) -> None:
    document = _changed(path, value)
    assert RRIP.is_valid(document)  # to a JSON Schema, 1.0 is an integer
    assert not _accepted({"rrip": _resealed(document)})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**53, "\ud800"])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    document = copy.deepcopy(FULL)
    document["writer"]["settings"]["quality"] = value
    assert not _accepted({"rrip": document})
