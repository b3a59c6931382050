"""List DICOM attributes as properties with OpenSlide's names: ``dicom.PixelSpacing[0]``, sequences by index."""

from __future__ import annotations

from typing import Any

__all__ = ["flat_properties"]

LEFT_OUT = {"PerFrameFunctionalGroupsSequence", "PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"}
BINARY = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
MAX_LENGTH, MAX_DEPTH, MAX_ITEMS = 10_000, 8, 100


def flat_properties(dataset: Any) -> dict[str, str]:
    """Return all named attributes that are text or numbers, including those of the file header."""
    found: dict[str, str] = {}
    _collect(dataset.file_meta, "dicom.", 0, found)
    _collect(dataset, "dicom.", 0, found)
    return dict(sorted(found.items()))


def _collect(dataset: Any, prefix: str, depth: int, found: dict[str, str]) -> None:
    for element in dataset:
        if not element.keyword or element.keyword in LEFT_OUT or element.VR in BINARY:
            continue
        name = prefix + element.keyword
        if element.VR == "SQ":
            for index, item in enumerate(element.value[:MAX_ITEMS] if depth < MAX_DEPTH else []):
                _collect(item, f"{name}[{index}].", depth + 1, found)
            continue
        value = element.value
        if element.VR == "AT" and value is not None and element.VM == 1:
            value = [value.group, value.element]
        if isinstance(value, (list, tuple)) or element.VM > 1:
            for index, part in enumerate(list(value)[:MAX_ITEMS]):
                found[f"{name}[{index}]"] = str(part)[:MAX_LENGTH]
        elif value is not None:
            found[name] = str(value)[:MAX_LENGTH]
