"""Check the members of the ``rrip`` attribute and of its ``coding`` object (spec section 8)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ...errors import shown
from ..geometry import BASE_LEVEL, MAX_SIDE, TILE_SIZES
from .compression import compression_problems
from .sealing import FeatureProblem, seal_problems

__all__ = ["LUMA_FILTER", "is_int", "validate_coding", "validate_metadata"]

MPP_RANGE = (1e-6, 1e6)
"""Smallest and largest pixel size, µm (spec section 8.3)."""

LUMA_FILTER = "luma-filter"
"""Name of the feature of spec section 5.8 in the list ``requires``, the only one of version 1."""

Json = Any


def validate_coding(document: Json) -> list[str]:
    """Return every problem of a ``coding`` object, as ``member: found, expected`` (spec section 8.2)."""
    if not isinstance(document, dict):
        return ["coding: expected an object"]
    problems = seal_problems(document, "coding")
    for name in ("width", "height"):
        if not is_int(document.get(name), 1, MAX_SIDE):
            problems.append(f"coding.{name}: is {shown(document.get(name))}, expected an integer in 1 … {MAX_SIDE}")
    if not (is_int(document.get("tile"), 1, 512) and document["tile"] in TILE_SIZES):
        problems.append(f"coding.tile: is {shown(document.get('tile'))}, expected a multiple of 16 in 64 … 512")
    if not _is_uuid(document.get("uuid")):
        problems.append(f"coding.uuid: is {shown(document.get('uuid'))}, expected a UUID in lower case")
    residuals = document.get("residuals")
    if not isinstance(residuals, list) or len(residuals) != BASE_LEVEL:
        problems.append(f"coding.residuals: expected a list of {BASE_LEVEL} objects")
    else:
        for k, residual in enumerate(residuals):
            problems += _residual_problems(residual, f"coding.residuals[{k}]")
            problems += _filter_problems(residual, k, document.get("requires"))
    background: Json = document.get("background")
    if not _is_ints(background, 3, 0, 255):
        problems.append(f"coding.background: is {shown(background)}, expected three integers in 0 … 255")
    elif document.get("empty") is not None and len(set(background)) != 1:
        problems.append(f"coding.background: is {background}, expected a grey because families are empty")
    return problems


def _residual_problems(residual: Json, where: str) -> list[str]:
    if not isinstance(residual, dict):
        return [f"{where}: expected an object"]
    problems = []
    for name in ("taps", "chroma_taps"):
        taps: Json = residual.get(name)
        if not _is_ints(taps, 4, -90, 90) or sum(taps) != 64 or sum(map(abs, taps)) > 90:
            problems.append(
                f"{where}.{name}: is {shown(taps)}, expected four integers with sum 64, sum of magnitudes at most 90"
            )
    if not _is_ints(residual.get("cfl"), 2, -127, 127):
        problems.append(f"{where}.cfl: is {shown(residual.get('cfl'))}, expected two integers in -127 … 127")
    if not (is_int(residual.get("planes"), 1, 3) and residual["planes"] != 2):
        problems.append(f"{where}.planes: is {shown(residual.get('planes'))}, expected 1 or 3")
    return problems


def _filter_problems(residual: Json, level: int, requires: Json) -> list[str]:
    """Return what is wrong with the filter of a level, which level 0 has if and only if the feature is required."""
    where, is_there = f"coding.residuals[{level}].luma_filter", isinstance(residual, dict) and "luma_filter" in residual
    is_wanted = level == 0 and isinstance(requires, list) and LUMA_FILTER in requires
    problems: list[str] = []
    if is_there != is_wanted:
        found = ("is absent", "is there")[is_there]
        wanted = "the same as whether requires names it" if level == 0 else "no filter of this level"
        problems.append(FeatureProblem(f"{where}: {found}, expected {wanted}"))
    if is_there:
        found = residual["luma_filter"]
        if not (_is_ints(found, 4, -63, 63) and any(found) and abs(found[2]) + abs(found[3]) <= 28):
            problems.append(
                f"{where}: is {shown(found)}, expected four integers, not all 0, the first two in -63 … 63 and the "
                "others with sum of magnitudes at most 28"
            )
    return problems


def validate_metadata(document: Json) -> list[str]:
    """Return every problem of an ``rrip`` attribute, as ``member: found, expected`` (spec section 8)."""
    if not isinstance(document, dict):
        return ["rrip: expected an object"]
    problems = seal_problems(document, "rrip") + validate_coding(document.get("coding"))
    slide, writer = document.get("slide"), document.get("writer")
    if not isinstance(slide, dict):
        return [*problems, "rrip.slide: expected an object"]
    mpp, objective, vendor = slide.get("mpp"), slide.get("objective"), slide.get("vendor")
    if mpp is not None and not (isinstance(mpp, list) and len(mpp) == 2 and all(map(_is_mpp, mpp))):
        problems.append(f"rrip.slide.mpp: is {shown(mpp)}, expected null or two numbers in 1e-6 … 1e6")
    if objective is not None and not _is_positive(objective):
        problems.append(f"rrip.slide.objective: is {shown(objective)}, expected null or a positive number")
    if vendor is not None and not isinstance(vendor, str):
        problems.append(f"rrip.slide.vendor: is {shown(vendor)}, expected null or a string")
    properties, source = slide.get("properties"), slide.get("source")
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        problems.append("rrip.slide.properties: expected an object of strings")
    if not isinstance(source, dict) or not isinstance(source.get("name"), str):
        problems.append("rrip.slide.source: expected an object with a name")
    else:
        if source.get("bytes") is not None and not is_int(source["bytes"], 0, 2**53 - 1):
            problems.append(f"rrip.slide.source.bytes: is {shown(source['bytes'])}, expected null or a size in bytes")
        missing = source.get("missing_tiles")
        if missing is not None and not is_int(missing, 0, 2**53 - 1):
            problems.append(f"rrip.slide.source.missing_tiles: is {shown(missing)}, expected null or a number of tiles")
        problems += compression_problems(source.get("compressions"))
    if not isinstance(writer, dict):
        problems.append("rrip.writer: expected an object")
    attachments = document.get("attachments")
    if not isinstance(attachments, dict) or not all(map(_is_checksum, attachments.values())):
        problems.append("rrip.attachments: expected an object of checksums, eight hexadecimal digits in lower case")
    return problems


def is_int(value: Json, low: int, high: int) -> bool:
    """Return whether a JSON value is an integer in a range, both ends included; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_ints(value: Json, count: int, low: int, high: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(is_int(item, low, high) for item in value)


def _is_uuid(value: Json) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def _is_checksum(value: Json) -> bool:
    return isinstance(value, str) and len(value) == 8 and all(digit in "0123456789abcdef" for digit in value)


def _is_mpp(value: Json) -> bool:
    return _is_positive(value) and MPP_RANGE[0] <= value <= MPP_RANGE[1]


def _is_positive(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
