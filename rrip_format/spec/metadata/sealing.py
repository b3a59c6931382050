"""The seal of a JSON object: the CRC-32C of its canonical form, as one of its members (spec section 8.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rfc8785

from ...errors import FormatError, all_of, shown
from ..tile import crc32c

__all__ = ["FeatureProblem", "error_of", "seal", "seal_problems"]

Json = Any


def seal(document: dict[str, Json]) -> dict[str, Json]:
    """Return a copy of `document` with the member ``crc32c`` of its canonical JSON (spec section 8.5)."""
    body = {key: value for key, value in document.items() if key != "crc32c"}
    return {**body, "crc32c": f"{crc32c(rfc8785.dumps(body)):08x}"}


class _SealProblem(str):
    """Description of a wrong checksum, as opposed to a wrong member."""

    __slots__ = ()
    rule = "metadata.seal"


class FeatureProblem(str):
    """Description of a member whose feature is not required, or of a feature without its member."""

    __slots__ = ()
    rule = "metadata.feature"


def seal_problems(document: Mapping[str, Json], where: str) -> list[str]:
    """Return what is wrong with the checksum of `document`, which messages call `where`."""
    try:
        expected = seal(dict(document))["crc32c"]
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        return [_SealProblem(f"{where}: has no canonical JSON form: {error}")]
    if document.get("crc32c") != expected:
        found = f"is {shown(document.get('crc32c'))}, its content gives {shown(expected)}"
        return [_SealProblem(f"{where}.crc32c: {found}; the file is damaged")]
    return []


def error_of(problems: list[str]) -> FormatError:
    """Combine all problems into one error that has the rule of the first."""
    return all_of([FormatError(problem, rule=getattr(problem, "rule", "metadata.member")) for problem in problems])
