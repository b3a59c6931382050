"""Run the conformance set, ``spec/vectors``, as its README describes, with this decoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from plain.canonical import Object
from plain.errors import RripError
from plain.metadata import Metadata, read_coding, read_metadata
from plain.slide import Slide, open_container

Case = dict[str, Any]


class TilesOfCase:
    """The stored tiles of a ``case.json``, all of one family, as a container."""

    kind = "case"

    def __init__(self, folder: Path, case: Case) -> None:
        self.folder, self.files = folder, case["tiles"]
        self.metadata = Metadata(read_coding(case["coding"]), {}, {}, {})

    def tile(self, level: int, _row: int, _col: int) -> bytes | None:
        """Return the file that the case names for a level."""
        name = self.files.get(str(level))
        return None if name is None else (self.folder / name).read_bytes()

    def attachment(self, _name: str) -> bytes | None:
        """Return None, since these cases have no attachments."""
        return None


def digest(samples: np.ndarray[Any, Any]) -> str:
    """Return the SHA-256 of samples in C order."""
    return hashlib.sha256(samples.astype(np.uint8).tobytes()).hexdigest()


def _load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"), object_pairs_hook=Object)


def _problems_of_files(root: Path, manifest: Case) -> Iterator[str]:
    """Find files that are missing, changed or not listed, and cases that are in no class."""
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    found.pop("manifest.json", None)
    for name in sorted(found.keys() ^ manifest["sha256"].keys()):
        yield f"{name}: {'is not listed' if name in found else 'is missing'}"
    for name in sorted(found.keys() & manifest["sha256"].keys()):
        if hashlib.sha256(found[name].read_bytes()).hexdigest() != manifest["sha256"][name]:
            yield f"{name}: is not the file that manifest.json lists"
    cases = {name.removesuffix("/case.json") for name in manifest["sha256"] if name.endswith("/case.json")}
    if cases != {name for names in manifest["classes"].values() for name in names}:
        yield "the classes in manifest.json are not of exactly the cases that there are"
    invalid = sum(name.startswith("invalid/") for name in cases)
    if manifest["cases"] != {"valid": len(cases) - invalid, "invalid": invalid}:
        yield f"{len(cases) - invalid} valid and {invalid} invalid cases, expected {manifest['cases']}"


def _problems_of_tile(slide: Slide, case: Case, level: int) -> Iterator[str]:
    """Compare the decoded tile of a level with what a valid case expects."""
    expected, row, col = case["expected"][str(level)], case["row"], case["col"]
    image = slide.tile(level, row, col)
    found: Case = {
        "shape": list(image.shape),
        "inside": list(slide.inside(level, row, col)),
        "rgb_sha256": digest(image),
        "first_pixels_rgb": image[:, 0, :4].T.tolist(),
    }
    if case["tiles"]:
        planes = slide.planes(level, row, col)
        found |= {"planes_sha256": digest(planes), "first_pixels_ycbcr": planes[:, 0, :4].T.tolist()}
        found["streams"] = [{"bytes": len(stream)} for stream in slide.streams(level, row, col)]
        expected = {**expected, "streams": [{"bytes": stream["bytes"]} for stream in expected["streams"]]}
    if found != expected:
        yield f"level {level}: {found}, expected {expected}"


def _refusal(action: Callable[[], object], case: Case) -> Iterator[str]:
    """Return a problem unless an action raises an error with the class and rule of an invalid case."""
    expected = case["error"], case["rule"]
    try:
        action()
    except RripError as error:
        if (type(error).__name__, error.rule) != expected:
            yield f"{type(error).__name__}: {error}, expected {expected}"
    else:
        yield f"was accepted, expected {expected}"


def _problems_of_container(folder: Path, case: Case, decoder: str, finest: int) -> Iterator[str]:
    path = folder / case["container"]
    if case.get("at") == ["open"]:
        yield from _refusal(lambda: open_container(path), case)
        return
    slide = Slide(open_container(path), decoder)
    for place in case.get("at", []):
        if place in slide.attachments:
            yield from _refusal(partial(slide.attachment, place), case)
            continue
        level, row, col = map(int, place.split("/"))
        if level >= finest:
            yield from _refusal(partial(slide.tile, level, row, col), case)
    for place, expected in case["tiles"].items():
        level, row, col = map(int, place.split("/"))
        if level >= finest and digest(slide.tile(level, row, col)) != expected:
            yield f"tile {place} has other pixels"
    for name, expected in case["attachments"].items():
        if hashlib.sha256(slide.attachment(name)).hexdigest() != expected:
            yield f"{name} has other bytes"


def problems(folder: Path, decoder: str, finest: int) -> Iterator[str]:
    """Return the differences between this decoder and a case.

    Parameters
    ----------
    folder : Path
        Of the case.
    decoder : {"own", "pillow"}
        Which JPEG decoder.
    finest : int
        0 for a full reader; 2 for a base reader, which decodes no finer level.
    """
    case = _load(folder / "case.json")

    def read(level: int) -> object:
        if case["kind"] == "coding":
            return read_coding(case["coding"])
        if case["kind"] == "metadata":
            return read_metadata(case["rrip"])
        return Slide(TilesOfCase(folder, case), decoder).tile(level, case["row"], case["col"])

    if case["kind"] == "container":
        yield from _problems_of_container(folder, case, decoder, finest)
    elif "error" in case:
        yield from _refusal(lambda: read(max(finest, case.get("level", 0))), case)
    elif case["kind"] in {"coding", "metadata"}:
        read(finest)
    else:
        for level in map(int, case["expected"]):
            if level >= finest:
                yield from _problems_of_tile(Slide(TilesOfCase(folder, case), decoder), case, level)


def check_set(root: Path, decoder: str) -> int:
    """Run all cases of both classes of readers; print faults and figures, and return an exit code."""
    manifest = _load(root / "manifest.json")
    wrong = list(_problems_of_files(root, manifest))
    for title, finest in (("base reader", 2), ("full reader", 0), ("strict reader", 0)):
        names = manifest["classes"][title]
        for name in names:
            try:
                wrong += [f"{name}: {problem}" for problem in problems(root / name, decoder, finest)]
            except (RripError, OSError) as error:
                wrong.append(f"{name}: {type(error).__name__}: {error}")
        invalid = sum(name.startswith("invalid/") for name in names)
        print(f"{title}: {len(names) - invalid} valid and {invalid} invalid cases")
    print("\n".join(wrong) or "all as they should be")
    return 1 if wrong else 0
