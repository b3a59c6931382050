"""The seal of the ``rrip`` attributes notices every change, and no document ends in an error that is not ours."""

from __future__ import annotations

import copy
import sys
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from metadata_cases import CODING, HUGE, METADATA, resealed

from rrip_format.errors import FormatError, RripError
from rrip_format.spec.metadata import parse_coding, parse_metadata, validate_coding, validate_metadata

# The seal


def leaves(value, path=()):
    """Every value of a document that is no list or object, with where it is."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, item in items for leaf in leaves(item, (*path, key))]
    return found or [(path, value)]


def other_values(value):
    if isinstance(value, bool) or value is None:
        return [not value]
    if isinstance(value, int):
        return [value ^ 1, value + 1, value - 1, -value - 3]
    if isinstance(value, float):
        return [value * (1 + 1e-15), value * 2]
    if isinstance(value, str):
        return [value + "x", chr(ord(value[0]) ^ 1) + value[1:] if value else "y"]
    return [None]


LEAVES = leaves(METADATA.to_json())


@pytest.mark.parametrize(("path", "value"), LEAVES, ids=[".".join(map(str, path)) for path, _ in LEAVES])
def test_the_seal_notices_every_change_of_one_value(path, value):
    for other in other_values(value):
        document = copy.deepcopy(METADATA.to_json())
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = other
        with pytest.raises(FormatError):
            parse_metadata(document)
        assert any("damaged" in problem for problem in validate_metadata(document))


def test_the_seal_notices_members_that_come_or_go():
    for document in (METADATA.to_json(), CODING.to_json()):
        parse = parse_metadata if "slide" in document else parse_coding
        for name in document:
            without = {key: value for key, value in document.items() if key != name}
            with pytest.raises(FormatError):
                parse(without)
        with pytest.raises(FormatError, match="damaged"):
            parse({**document, "more": 1})


def test_the_order_of_members_does_not_matter():
    document = METADATA.to_json()
    turned = {key: document[key] for key in reversed(document)}
    assert parse_metadata(turned) == METADATA


# Nothing but our errors


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.text(st.characters(categories=["Cs"]), max_size=2),  # half surrogates, which json.loads gives
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def parses_or_is_ours(document):
    for parse, validate in ((parse_metadata, validate_metadata), (parse_coding, validate_coding)):
        with suppress(RripError):
            parse(document)
        assert all(isinstance(problem, str) for problem in validate(document))


@given(JSON)
def test_any_json(document):
    parses_or_is_ours(document)
    parses_or_is_ours({"coding": document, "slide": document, "writer": document})
    parses_or_is_ours({"coding": CODING.to_json(), "slide": document, "writer": document})


@given(st.sampled_from([path for path, _ in LEAVES]), st.integers(1, 4), JSON)
@example(("coding", "residuals", 0, "taps", 0), 4, {})
@example(("slide", "properties", "ünï"), 3, "\ud800")
def test_any_json_in_any_place(path, depth, value):
    """Sealed again where it can be, so that the rules behind the seal are reached."""
    path = path[:depth]
    document = copy.deepcopy(METADATA.to_json())
    try:
        document = resealed(document, list(path), value)
    except Exception:  # noqa: BLE001  # no canonical form: leave it with the stale seal
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value
    parses_or_is_ours(document)
    if path[0] == "coding" and isinstance(document.get("coding"), dict):
        parses_or_is_ours(document["coding"])


def test_deep_nesting():
    deep = current = []
    for _ in range(10 * sys.getrecursionlimit()):
        inner = []
        current.append(inner)
        current = inner
    parses_or_is_ours({**METADATA.to_json(), "writer": {"deep": deep}})
    parses_or_is_ours({**METADATA.to_json(), "coding": {**CODING.to_json(), "deep": deep}})


def test_enormous_integers():
    for name in ("version", "width", "uuid", "background", "crc32c", "requires"):
        parses_or_is_ours({**CODING.to_json(), name: HUGE})
        parses_or_is_ours({**CODING.to_json(), name: [HUGE]})
