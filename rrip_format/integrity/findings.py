"""Findings of a validator: the broken rule, where, what was found and what was expected.

Readers enforce the rules of :data:`rrip_format.errors.RULES`. The others are about what our readers ignore, since their
pixels do not depend on it, but other software may not (spec section 12).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import RripError, printable
from ..spec.geometry import Place
from ..spec.zarr_layout import tile_key

__all__ = ["EXPECTED", "SEVERITIES", "Finding", "Severity", "Tally", "findings_of"]

Severity = Literal["error", "warning"]

SEVERITIES: dict[str, Severity] = {
    "group.consolidated": "error",
    "group.document": "error",
    "group.ome": "error",
    "key.unexpected": "warning",
    "source.reading": "error",
    "source.size": "error",
    "tile.unexpected": "warning",
    "zip.duplicate": "error",
}
"""Rules that only a validator checks (spec section 12); breaking any other is an error."""

EXPECTED = {
    "array.document": "the array that the metadata imply",
    "attachment.checksum": "bytes with the CRC-32C that follows them and that the metadata list",
    "attachment.jpeg": "a baseline 4:4:4 JPEG of three components",
    "attachment.missing": "every attachment that the metadata list",
    "container.kind": "a folder, a zip archive or a TIFF file with an RRIP container",
    "file.range": "offsets and lengths inside the file",
    "group.consolidated": "no consolidated metadata, which keep software without the codec from opening base",
    "group.document": "a Zarr version 3 group",
    "group.ome": "the NGFF 0.5 multiscales that the metadata imply",
    "key.unexpected": "nothing but the keys of section 9.2",
    "limit.attachment": "an attachment of at most 256 MiB, and of 2^25 pixels to be decoded",
    "limit.directory": "a zip archive's directory of at most 16 MiB",
    "limit.families": "at most as many families as this reader accepts",
    "limit.memory": "a size that fits into memory",
    "limit.metadata": "metadata of at most 64 MiB, not too many values, not nested too deeply",
    "metadata.absent": "the object 'rrip' of section 8 at the root",
    "metadata.feature": "a member of a feature if and only if the list of required features names it",
    "metadata.json": "JSON in UTF-8",
    "metadata.member": "the members of section 8",
    "metadata.requires": "a list",
    "metadata.seal": "the CRC-32C of the object's canonical form",
    "metadata.version": "a positive integer",
    "newer.requires": "no feature that this reader does not know",
    "newer.version": "a version that this reader knows",
    "packet.structure": "the stored tiles that decode one tile, one after another",
    "source.reading": "the same picture by another library",
    "source.size": "the size of the source",
    "storage.failed": "an answer of the disk, network or server",
    "stream.decode": "a complete baseline JPEG stream of the tile's size",
    "stream.empty": "a stream, since at level 2 and coarser none has length 0",
    "tiff.chain": "one IFD for each level from 2 up in the main chain",
    "tiff.header": "the header of a little-endian BigTIFF",
    "tiff.ifd": "1 to 128 tags in ascending order",
    "tiff.loop": "every IFD once",
    "tiff.tables": "one offset and one length for each tile of the grid",
    "tiff.tag": "the tags of sections 10.3 to 10.6",
    "tile.checksum": "the CRC-32C of the tile's bytes at its end",
    "tile.missing": "a stored tile, since its families are not all empty",
    "tile.place": "a tile of this level, row and column of this slide",
    "tile.short": "at least the 36 bytes of a trailer",
    "tile.size": "at most 65,536 + 6 s² bytes, s the tile's side",
    "tile.trailer": "streams whose number and lengths match the coding and the tile",
    "tile.unexpected": "no tile, since its families are all empty, or it is outside the grid",
    "zip.duplicate": "one member of each name",
    "zip.member": "a member at the offset in the directory",
    "zip.method": "members that are stored, not compressed",
    "zip.structure": "a complete zip archive",
}
"""Requirement of each rule, for messages."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of the specification.

    Parameters
    ----------
    rule : str
        Rule id of spec section 12.
    place : str
        Key of the document, tile or attachment in the Zarr hierarchy, for any kind of container; empty for the whole
        container.
    found : str
        What was found.
    tile : three ints, optional
        Level, row and column, if the finding is about a tile.
    expected : str
        What was expected; by default the requirement of the rule.
    """

    rule: str
    place: str
    found: str
    tile: Place | None = None
    expected: str = ""

    @property
    def severity(self) -> Severity:
        """``"error"``, or ``"warning"`` if no reader is affected."""
        return SEVERITIES.get(self.rule, "error")

    def to_json(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        level, row, col = self.tile or (None, None, None)
        return {
            "rule": self.rule,
            "severity": self.severity,
            "place": self.place,
            "level": level,
            "row": row,
            "col": col,
            "found": self.found,
            "expected": self.expected or EXPECTED[self.rule],
        }

    def __str__(self) -> str:
        where = f" {self.place}" if self.place else ""
        expected = self.expected or EXPECTED[self.rule]
        return printable(f"{self.severity} {self.rule}{where}: {self.found}; expected {expected}")


def findings_of(error: RripError, place: str | Place) -> Iterator[Finding]:
    """Convert the error of a reader to findings: one for each problem that it lists."""
    key, tile = (place, None) if isinstance(place, str) else (tile_key(*place), place)
    for part in error.parts or (error,):
        yield Finding(part.rule or "container.kind", key, str(part), tile)


class Tally:
    """Counts findings, and keeps the first of each rule to print them.

    Parameters
    ----------
    shown : int
        Number of findings of each rule to keep.
    """

    def __init__(self, shown: int = 20) -> None:
        self._shown = shown
        self._first: dict[str, list[Finding]] = {}
        self.counts: Counter[str] = Counter()

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        self.counts[finding.rule] += 1
        kept = self._first.setdefault(finding.rule, [])
        if len(kept) < self._shown:
            kept.append(finding)

    def of(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(count for rule, count in self.counts.items() if SEVERITIES.get(rule, "error") == severity)

    def lines(self) -> Iterator[str]:
        """Generate lines of text, grouped by rule."""
        for rule, kept in self._first.items():
            yield from map(str, kept)
            if self.counts[rule] > len(kept):
                yield f"  and {self.counts[rule] - len(kept)} more of {rule}; --json lists all"

    def exit_code(self, *, strict: bool = False) -> int:
        """Return 0 if valid, 1 for findings, 3 if only limits were exceeded, 2 if only the storage failed."""
        rules = {rule for rule in self.counts if strict or SEVERITIES.get(rule, "error") == "error"}
        limits = {rule for rule in rules if rule.startswith("limit.")}
        if rules - limits - {"storage.failed"}:
            return 1
        return 3 if limits else 2 if rules else 0
