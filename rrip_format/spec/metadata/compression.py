"""How a source was compressed before, as DICOM's Lossy Image Compression attributes have it (spec section 8.9)."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import shown

__all__ = ["JPEG", "JPEG_2000", "Compression", "compression_problems", "find_history", "history_text"]

JPEG, JPEG_2000 = "ISO_10918_1", "ISO_15444_1"
"""Two of DICOM's terms (PS3.3, C.7.6.1.1.5.1), by which a method is called that has one."""

_TITLES = {
    JPEG: "JPEG",
    JPEG_2000: "JPEG 2000",
    "ISO_14495_1": "JPEG-LS",
    "ISO_15444_15": "HTJ2K",
    "ISO_18181_1": "JPEG XL",
    "ISO_29199_2": "JPEG XR",
}
"""What people call them."""

_HISTORY, _MOST_CHARACTERS, _MOST_ENTRIES = "Compressions: ", 100_000, 32
"""What stands before the list in a description, how long that and what follows may be, and what is believed of it."""

Json = Any


@dataclass(frozen=True, slots=True)
class Compression:
    """One compression that pixels have gone through.

    Parameters
    ----------
    method : str
        DICOM's term, such as ``ISO_10918_1`` for JPEG, or the codec's usual name where DICOM has none.
    lossy : bool or None
        None where nothing tells.
    quality : int or None
        Of JPEG on libjpeg's scale, 1 … 100: estimated from the quantisation tables, or as the file states it.
    subsampling : str or None
        Of chroma, ``4:2:0`` and the like.
    ratio : float or None
        Bytes of raw 8-bit RGB to compressed bytes.
    """

    method: str
    lossy: bool | None
    quality: int | None = None
    subsampling: str | None = None
    ratio: float | None = None

    def __str__(self) -> str:
        parts = [_TITLES.get(self.method, self.method)]
        parts += [f"quality {self.quality}"] if self.quality is not None else []
        parts += [self.subsampling] if self.subsampling else []
        parts += [f"{self.ratio:.3g}:1"] if self.ratio is not None else []
        loss = {True: "", False: " (lossless)", None: " (lossy or not)"}[self.lossy]
        return " ".join(parts) + loss

    def to_json(self) -> dict[str, Json]:
        """Return an element of ``slide.source.compressions``."""
        return {
            "method": self.method,
            "lossy": self.lossy,
            "quality": self.quality,
            "subsampling": self.subsampling,
            "ratio": self.ratio,
        }

    @classmethod
    def parse(cls, document: Json) -> Compression:
        """Read an element of which :func:`compression_problems` finds nothing wrong."""
        ratio = document.get("ratio")
        return cls(
            document["method"],
            document.get("lossy"),
            document.get("quality"),
            document.get("subsampling"),
            None if ratio is None else float(ratio),
        )


def history_text(compressions: Sequence[Compression]) -> str:
    """Return what a picture has gone through, as text of its description that :func:`find_history` reads again."""
    return _HISTORY + json.dumps([compression.to_json() for compression in compressions], separators=(",", ":"))


def find_history(description: str) -> tuple[Compression, ...] | None:
    """Return what :func:`history_text` has put anywhere in a text; None where there is nothing of the kind."""
    _, found, rest = description.partition(_HISTORY)
    if not found or len(rest) > _MOST_CHARACTERS:
        return None
    try:
        # in XML the quotes are escaped
        document, _ = json.JSONDecoder().raw_decode(html.unescape(rest) if rest.startswith("[{&quot;") else rest)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, list) or len(document) > _MOST_ENTRIES or compression_problems(document):
        return None
    return tuple(map(Compression.parse, document))


def compression_problems(document: Json) -> list[str]:
    """Return what is wrong with ``slide.source.compressions``, which may be null."""
    if document is None:
        return []
    where = "rrip.slide.source.compressions"
    if not isinstance(document, list):
        return [f"{where}: is {shown(document)}, expected null or a list of objects"]
    return [f"{where}[{index}]{problem}" for index, entry in enumerate(document) for problem in _problems_of(entry)]


def _problems_of(entry: Json) -> Sequence[str]:
    if not isinstance(entry, dict):
        return [f": is {shown(entry)}, expected an object"]
    method, lossy, quality = entry.get("method"), entry.get("lossy"), entry.get("quality")
    subsampling, ratio = entry.get("subsampling"), entry.get("ratio")
    problems = []
    if not isinstance(method, str):
        problems.append(f".method: is {shown(method)}, expected a string")
    if lossy is not None and not isinstance(lossy, bool):
        problems.append(f".lossy: is {shown(lossy)}, expected null, true or false")
    if quality is not None and not (_is_number(quality) and isinstance(quality, int) and 1 <= quality <= 100):
        problems.append(f".quality: is {shown(quality)}, expected null or an integer in 1 … 100")
    if subsampling is not None and not isinstance(subsampling, str):
        problems.append(f".subsampling: is {shown(subsampling)}, expected null or a string")
    if ratio is not None and not (_is_number(ratio) and 0 < ratio < float("inf")):
        problems.append(f".ratio: is {shown(ratio)}, expected null or a positive number")
    return problems


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
