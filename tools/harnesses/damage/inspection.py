"""Test `rrip validate` and `rrip repair` on damaged containers.

Both are held against what readers make of the same bytes: whatever a reader refuses has to be found, a tile that is
reported has to be refused, and what a repair writes reads as the truth, or is lost or filled and says so.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import rrip_format
from rrip_format.cli import main
from rrip_format.errors import RripError
from rrip_format.family.decode import needed_levels
from rrip_format.integrity.repairing import Repair
from rrip_format.slides.slide import Slide

from .doors import DOORS, Door, ForeignError, Judge, WrongError, true_tile
from .specimens import Place, Truth

__all__ = ["ALL_DOORS"]

Json = Any

_MAX_FAMILIES = 4096
"""What these doors accept: metadata that are sealed again may promise 2^28, and every tile of them is looked at."""

_PASSED_OVER = {"tile.unexpected", "zip.method", "zip.duplicate", "file.range"}
"""Rules that a validator reports at a tile that readers may give."""

_READERS = ("open", "RripStore, v3", "zarr, plain path", "zarr, references", "RripSlide", "references")
"""Doors that together read all that a container has, but for Zarr's own zip store: the names and checksums in the
headers of an archive's members, at which that looks, are no business of this format (spec section 9.1)."""


def _kind(path: str) -> str:
    """Return the kind of a container."""
    if path.startswith("reference::"):
        return "references"
    return {".zip": "zip", ".tif": "tiff"}.get(Path(path).suffix, "folder")


@contextmanager
def _few_families() -> Iterator[None]:
    os.environ["RRIP_MAX_FAMILIES"] = str(_MAX_FAMILIES)
    try:
        yield
    finally:
        del os.environ["RRIP_MAX_FAMILIES"]


def _findings(path: str) -> list[Json]:
    """Return the output of ``rrip validate`` at its greatest depth; an error without a rule if it cannot run."""
    with _few_families():
        result = CliRunner().invoke(main, ["validate", path, "--depth", "pixels", "--json", "-j", "1"])
    lines = result.stderr.splitlines()
    if result.exit_code == 2 and len(lines) == 1 and lines[0].startswith("rrip: ") and not result.stdout:
        return [{"rule": "storage.failed", "severity": "error", "level": None, "found": lines[0]}]
    if result.exit_code not in {0, 1, 2, 3} or lines or not result.stdout:
        raise ForeignError(f"rrip validate: exit code {result.exit_code}: {result.output}") from result.exception
    *findings, summary = map(json.loads, result.stdout.splitlines())
    if summary["valid"] != (result.exit_code == 0) or summary["errors"] + summary["warnings"] != len(findings):
        raise WrongError(f"rrip validate contradicts itself: exit code {result.exit_code}, {summary}")
    if summary["valid"] != all(finding["severity"] == "warning" for finding in findings):
        raise WrongError(f"rrip validate calls {'valid' if summary['valid'] else 'not valid'} what has {findings}")
    return findings


def _is_refused(path: str, judge: Judge) -> str:
    """Return which reader refuses a part of a container, and why; empty if none does."""
    for name in _READERS:
        door = DOORS[name]
        if _kind(path) not in door.kinds:
            continue
        reading = Judge(judge.truths, judge.is_strict)
        try:
            door.read(path, reading)
        except WrongError:
            raise
        except Exception as error:  # noqa: BLE001  (of Zarr too, which reads its own documents)
            return f"{name}: {type(error).__name__}: {error}"
        if reading.refused:
            return f"{name}: {reading.refused[0]}"
    return ""


def _validate(path: str, judge: Judge) -> None:
    findings = _findings(path)
    errors = [finding for finding in findings if finding["severity"] == "error"]
    if not errors and (refusal := _is_refused(path, judge)):
        raise WrongError(f"rrip validate finds nothing, but {refusal}")
    suspects = [finding for finding in errors if finding["level"] is not None and finding["rule"] not in _PASSED_OVER]
    try:
        opened = rrip_format.open(path)
    except RripError:
        suspects = []
    else:
        with opened as slide:
            for finding in suspects[:8]:
                place = finding["level"], finding["row"], finding["col"]
                if judge.attempt(slide.read_tile, *place) is not None:
                    raise WrongError(f"rrip validate reports {finding}, but that tile reads")
    judge.refused += [RripError(f"{finding['rule']}: {finding['found']}") for finding in findings]


def _snapshot(path: str) -> dict[str, tuple[bytes, int]]:
    """Return all files of a container: bytes and times of change."""
    folder = Path(path.removeprefix("reference::file://"))
    files = [folder] if folder.is_file() else [file for file in folder.rglob("*") if file.is_file()]
    return {str(file): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def _repair(path: str, judge: Judge) -> None:
    """Repair: the result opens, and shows the truth except where it is recorded as lost."""
    folder = Path("mended").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    target = folder / ("a.rrip.tif" if _kind(path) == "zip" else "a.rrip.zarr.zip")
    before = _snapshot(path)
    with _few_families():
        done = judge.attempt(lambda: rrip_format.repair(path, target, fill_lost=judge.turn % 2 == 1, workers=1))
    if _snapshot(path) != before:
        raise WrongError("the source of a repair was changed")
    if done is None:
        if list(folder.iterdir()):
            raise WrongError(f"a refused repair left {[entry.name for entry in folder.iterdir()]}")
        return
    if list(folder.iterdir()) != [target]:
        raise WrongError(f"a repair left {[entry.name for entry in folder.iterdir()]}")
    found = {(finding["rule"], finding["level"], finding["row"], finding["col"]) for finding in _findings(str(target))}
    if found != {("tile.missing", *place) for place in done.lost}:
        raise WrongError(f"a repair lost {done.lost}, but what it wrote has {sorted(found, key=str)}")
    with rrip_format.open(target) as slide:
        _compare(slide, done, judge)
    if done:
        judge.refused.append(RripError(f"repaired: {done.to_json()}"))


def _compare(slide: Slide, done: Repair, judge: Judge) -> None:
    """Compare a repaired slide with the damaged one."""
    document = slide.metadata.to_json()
    record = document["writer"].get("repair", {})
    said = {name: {tuple(place) for place in record.get(name, ())} for name in ("lost", "rebuilt", "filled")}
    if done and said != {name: set(getattr(done, name)) for name in said}:
        raise WrongError(f"the metadata of a repair say {record}, and it did {done.to_json()}")
    truth = judge.truths.get(record.get("uuid", document["coding"]["uuid"]))
    if judge.is_strict and truth is None:
        raise WrongError("a repair made a slide that is none")
    for place in _promised(slide, truth):
        try:
            pixels = slide.read_tile(*place)
        except RripError as error:
            if said["lost"].isdisjoint((needed, *place[1:]) for needed in needed_levels(place[0])):
                raise WrongError(f"a repair wrote {place} so that it does not read: {error}") from error
        else:
            if place not in said["rebuilt"] | said["filled"]:
                judge.compare(pixels, true_tile(truth, place))
    if truth is not None and not done.lost_root:
        kept = {name: data for name, data in truth.associated.items() if name not in done.lost_attachments}
        judge.compare(slide.associated_images(), kept)
        judge.compare(slide.icc_profile(), None if "icc_profile" in done.lost_attachments else truth.icc)


def _promised(slide: Slide, truth: Truth | None) -> Iterator[Place]:
    for level in range(slide.geometry.levels):
        for place in slide.geometry.tiles(level) if truth is not None else [(0, 0)]:
            yield level, *place


ALL_DOORS: dict[str, Door] = {
    **DOORS,
    "rrip validate": Door(("folder", "zip", "tiff", "references"), _validate),
    "repair": Door(("folder", "zip", "tiff"), _repair),
}
"""Those of readers, and these; by name."""
