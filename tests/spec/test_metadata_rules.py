"""Rules and limits of the ``rrip`` attributes are told one by one (spec section 8)."""

from __future__ import annotations

import copy

import pytest
from metadata_cases import CODING, HUGE, METADATA, REMOVED, SLIDE, resealed

from rrip_format.errors import FormatError, LimitError
from rrip_format.spec.geometry import MAX_SIDE
from rrip_format.spec.limits import LIMITS
from rrip_format.spec.metadata import parse_coding, parse_metadata, seal, validate_coding, validate_metadata

# Rules, one by one


NUMBERS_THAT_ARE_NONE = [None, True, "1", 1.0, 1.5, [1], {}]
CODING_RULES = [
    *[(["width"], v, "coding.width: is") for v in [0, -1, MAX_SIDE + 1, *NUMBERS_THAT_ARE_NONE, REMOVED]],
    *[(["height"], v, "coding.height: is") for v in [0, -1, MAX_SIDE + 1, *NUMBERS_THAT_ARE_NONE, REMOVED]],
    *[
        (["tile"], v, "coding.tile: is")
        for v in [0, 16, 48, 63, 65, 72, 513, 528, 1024, -64, "64", True, 64.0, REMOVED]
    ],
    *[
        (["uuid"], v, "coding.uuid: is")
        for v in [str(SLIDE).upper(), SLIDE.hex, f"{{{SLIDE}}}", f"urn:uuid:{SLIDE}", "", 7, None, [], REMOVED]
    ],
    *[(["residuals"], v, "coding.residuals: expected a list") for v in [None, [], [{}], [{}] * 3, {}, "ab", REMOVED]],
    *[(["residuals", 1], v, r"coding.residuals\[1\]: expected an object") for v in [None, [], 1]],
    *[
        (["residuals", 0, name], v, rf"coding.residuals\[0\].{name}: is")
        for name in ("taps", "chroma_taps")
        for v in [
            [0, 48, 16, 1],  # sum 65
            [-14, 78, 0, 0],  # magnitudes 92
            [-13, 77, 1, -1],  # magnitudes 92
            [64, 0, 0],
            [64, 0, 0, 0, 0],
            [64.0, 0, 0, 0],
            [True, 63, 0, 0],
            [2**52, 64 - 2**52, 0, 0],
            ["64", 0, 0, 0],
            64,
            None,
            {},
            REMOVED,
        ]
    ],
    *[
        (["residuals", 1, "cfl"], v, r"coding.residuals\[1\].cfl: is")
        for v in [[0], [0, 0, 0], [128, 0], [0, -128], [0.0, 0], [None, 0], None, 0, REMOVED]
    ],
    *[
        (["residuals", 0, "planes"], v, r"coding.residuals\[0\].planes: is")
        for v in [0, 2, 4, -1, 1.0, True, "1", None, REMOVED]
    ],
    *[
        (["background"], v, "coding.background: is")
        for v in [[255, 255], [255] * 4, [256] * 3, [-1] * 3, [255.0] * 3, "white", None, REMOVED]
    ],
    (["background"], [255, 255, 254], "coding.background: .* expected a grey"),
]


@pytest.mark.parametrize(("path", "value", "told"), CODING_RULES)
def test_every_rule_of_coding(path, value, told):
    document = resealed(CODING.to_json(), path, value)
    with pytest.raises(FormatError, match=told):
        parse_coding(document)
    assert len(validate_coding(document)) == 1
    whole = METADATA.to_json()
    whole["coding"] = document
    with pytest.raises(FormatError, match=told):
        parse_metadata(seal(whole))


def test_background_without_empty_families_may_have_a_colour():
    """Nothing is filled with it then."""
    document = resealed(resealed(CODING.to_json(), ["empty"], None), ["background"], [1, 2, 3])
    assert parse_coding(document).background == (1, 2, 3)


def test_the_edges_of_the_rules_are_inside():
    for path, value in [
        (["residuals", 0, "taps"], [-13, 77, 0, 0]),
        (["residuals", 0, "cfl"], [-127, 127]),
        (["tile"], 512),
    ]:
        document = resealed(resealed(CODING.to_json(), ["empty"], None), path, value)
        assert validate_coding(document) == []
        parse_coding(document)


SLIDE_RULES = [
    *[
        (["slide", "mpp"], v, "rrip.slide.mpp: is")
        for v in [
            0.25,
            [0.25],
            [0.25] * 3,
            [0, 1],
            [-1, 1],
            [1e308, 1],
            [1, 1.1e6],
            [0.9e-6, 1],
            ["1", 1],
            [True, 1],
            [None, None],
            {},
            "x",
        ]
    ],
    *[(["slide", "objective"], v, "rrip.slide.objective: is") for v in [0, -40, "40", True, [40]]],
    *[(["slide", "vendor"], v, "rrip.slide.vendor: is") for v in [7, [], {}, True]],
    *[
        (["slide", "properties"], v, "rrip.slide.properties: expected an object of strings")
        for v in [None, [], "x", {"a": 1}, {"a": None}, {"a": ["b"]}, REMOVED]
    ],
    *[
        (["slide", "source"], v, "rrip.slide.source: expected an object with a name")
        for v in [None, [], "x", {}, {"name": 1}, {"name": None}, REMOVED]
    ],
    *[(["slide", "source", "bytes"], v, "rrip.slide.source.bytes: is") for v in [-1, 1.5, "1", True, []]],
    *[(["slide"], v, "rrip.slide: expected an object") for v in [None, [], 1, REMOVED]],
    *[(["writer"], v, "rrip.writer: expected an object") for v in [None, [], 1, "x", REMOVED]],
]


@pytest.mark.parametrize(("path", "value", "told"), SLIDE_RULES)
def test_every_rule_of_slide_and_writer(path, value, told):
    document = resealed(METADATA.to_json(), path, value)
    with pytest.raises(FormatError, match=told):
        parse_metadata(document)
    assert len(validate_metadata(document)) == 1


def test_all_problems_are_told_at_once():
    document = resealed(resealed(CODING.to_json(), ["width"], 0), ["tile"], 65)
    with pytest.raises(FormatError, match=r"coding\.width.*coding\.tile"):
        parse_coding(document)


@pytest.mark.parametrize("document", [None, [], "x", 1, True])
def test_no_object_at_all(document):
    with pytest.raises(FormatError, match="not an RRIP container"):
        parse_metadata(document)
    with pytest.raises(FormatError, match="is this an RRIP container"):
        parse_coding(document)
    assert validate_metadata(document) == ["rrip: expected an object"]
    assert validate_coding(document) == ["coding: expected an object"]


# Limits


def test_too_many_families():
    coding = CODING.to_json()
    side = 256 * 2**14
    coding = resealed(resealed(resealed(coding, ["empty"], None), ["width"], side), ["height"], side)
    assert parse_coding(coding).geometry.families == (2**14, 2**14)  # exactly as many as there may be
    assert LIMITS["families"] == 2**28
    with pytest.raises(LimitError, match="families"):
        parse_coding(resealed(coding, ["width"], side + 1))


@pytest.mark.parametrize("path", [["width"], ["height"], ["tile"], ["residuals", 0, "planes"]])
@pytest.mark.parametrize(
    "value", [10**30, -(10**30), HUGE, 2**53, 1e400, -1e400, float("nan"), 1e22], ids=lambda value: str(value)[:6]
)
def test_numbers_without_measure(path, value):
    document = copy.deepcopy(CODING.to_json())
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    with pytest.raises(FormatError):
        parse_coding(document)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), HUGE, -HUGE], ids=lambda value: str(value)[:6]
)
@pytest.mark.parametrize(
    "path", [["slide", "objective"], ["slide", "mpp"], ["slide", "source", "bytes"], ["writer", "x"]]
)
def test_numbers_without_measure_in_slide(path, value):
    document = copy.deepcopy(METADATA.to_json())
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = [value, value] if path[-1] == "mpp" else value
    with pytest.raises(FormatError):
        parse_metadata(document)
