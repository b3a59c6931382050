"""Compare the results of the package for a stored case with those expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rrip_format.containers.base import read_attachment
from rrip_format.errors import RripError
from rrip_format.family.decode import decode_tile, needed_levels
from rrip_format.integrity.validation import validate
from rrip_format.slides.slide import Slide, open_slide
from rrip_format.spec.metadata import parse_coding, parse_metadata

from .case import Json, expected, sha256


def problems_of_case(folder: Path) -> Iterator[str]:
    """Return the differences between the package and a case."""
    case = json.loads((folder / "case.json").read_bytes())
    try:
        if case["kind"] == "container":
            yield from _problems_of_container(folder, case)
        elif "error" in case:
            yield from refusal_problems(lambda: _decode(folder, case), case)
        elif (found := _decode(folder, case)) != case.get("expected"):
            yield f"gives {found}, expected {case['expected']}"
    except RripError as error:
        yield f"raises {type(error).__name__}: {error}"


def refusal_problems(action: Callable[[], object], case: Json) -> Iterator[str]:
    """Return a problem unless an action raises an error of the class and rule of a case."""
    wanted = case["error"], case["rule"]
    try:
        action()
    except RripError as error:
        found = type(error).__name__, error.rule
        if found != wanted:
            yield f"raises {found}, expected {wanted}: {error}"
    else:
        yield f"is accepted, expected {wanted}"


def _decode(folder: Path, case: Json) -> Json:
    """Return the result of decoding a case; nothing for metadata."""
    if "rrip" in case:
        parse_metadata(case["rrip"])
        return None
    coding = parse_coding(case["coding"])
    if "level" not in case:
        return None
    tiles = {int(level): (folder / name).read_bytes() for level, name in case["tiles"].items()}
    if "error" in case:
        needed = [tiles.get(level) for level in needed_levels(case["level"])]
        decode_tile(coding, case["level"], case["row"], case["col"], needed)
    return expected(coding, case["row"], case["col"], tiles)


def _problems_of_container(folder: Path, case: Json) -> Iterator[str]:
    path = folder / case["container"]
    yield from _problems_of_validation(path, case)
    if case.get("at") == ["open"]:
        yield from refusal_problems(lambda: open_slide(path), case)
        return
    with open_slide(path) as slide:
        for place in case.get("at", []):
            yield from (f"{place} {problem}" for problem in refusal_problems(partial(_read, slide, place), case))
        for place, digest in {**case["tiles"], **case["attachments"]}.items():
            if sha256(_read(slide, place)) != digest:
                yield f"{place} is not what is expected"


def _problems_of_validation(path: Path, case: Json) -> Iterator[str]:
    """Check that the validator finds the rule of an invalid container, and nothing in a valid one."""
    findings = validate(path, "pixels", workers=1)
    wrong = sorted({finding.rule for finding in findings if finding.severity == "error"})
    warnings = sorted({finding.rule for finding in findings if finding.severity == "warning"})
    if (case["rule"] not in wrong) if "rule" in case else wrong:
        yield f"is said to break {wrong}, expected {case.get('rule')}"
    if "rule" not in case and warnings != case.get("warnings", []):
        yield f"is warned of for {warnings}, expected {case.get('warnings', [])}"


def _read(slide: Slide, place: str) -> Json:
    """Read a tile or an attachment."""
    if "/" in place:
        level, row, col = map(int, place.split("/"))
        return slide.read_tile(level, row, col)
    return read_attachment(slide.container, place)
