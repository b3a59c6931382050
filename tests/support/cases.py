"""The cases of ``spec/vectors``, and checks of them that several tests need."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import reference
from numpy.typing import NDArray

from rrip_format.core import colour, predict
from rrip_format.core.luma_filter import filter_luma
from rrip_format.family.decode import decode_base, decode_tile, needed_levels
from rrip_format.family.jpeg import decode_gray
from rrip_format.spec.geometry import BASE_LEVEL
from rrip_format.spec.metadata import Coding, parse_coding, parse_metadata
from rrip_format.spec.tile import split_tile

SPEC = Path(__file__).resolve().parents[2] / "spec"
VECTORS = SPEC / "vectors"
CASES = sorted(path.parent.relative_to(VECTORS).as_posix() for path in VECTORS.rglob("case.json"))
VALID = [name for name in CASES if not name.startswith("invalid/")]
INVALID = [name for name in CASES if name.startswith("invalid/")]
KINDS = {"family", "overview", "empty", "coding", "metadata", "container"}
MANIFEST: dict[str, Any] = json.loads((VECTORS / "manifest.json").read_bytes())


def load_case(name: str) -> dict[str, Any]:
    """Read the description of a case."""
    return json.loads((VECTORS / name / "case.json").read_bytes())


def stored_tiles(name: str, case: dict[str, Any]) -> dict[int, bytes]:
    """Read the stored tiles of a case, by level."""
    return {int(level): (VECTORS / name / file).read_bytes() for level, file in case["tiles"].items()}


def pixel_cases(kind: str) -> list[str]:
    """List the valid cases of a kind."""
    return [name for name in VALID if load_case(name)["kind"] == kind]


PIXELS = [name for kind in ("family", "overview", "empty") for name in pixel_cases(kind)]
"""Cases with pixels to decode."""


def sha256(array: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def streams_of(coding: Coding, case: dict[str, Any], level: int, tile: bytes) -> list[memoryview | None]:
    return split_tile(tile, coding.place(level, case["row"], case["col"]), coding.streams(level))


def planes_by_level(name: str, kernel: ModuleType) -> dict[int, NDArray[np.uint8]]:
    """Reconstruct the planes of every level of a family with `kernel`, not with the code that made the vectors."""
    case = load_case(name)
    coding, tiles = parse_coding(case["coding"]), stored_tiles(name, case)
    planes = decode_base(coding, BASE_LEVEL, case["row"], case["col"], tiles[BASE_LEVEL])
    result = {BASE_LEVEL: planes}
    for level in (1, 0):
        how, side = coding.residuals[level], coding.geometry.tile_side(level)
        streams = streams_of(coding, case, level, tiles[level])
        residuals = [None if stream is None else decode_gray(stream, side) for stream in [*streams, None, None][:3]]
        planes = np.stack(kernel.reconstruct(planes, tuple(residuals), how.taps, how.cfl, how.chroma_taps))
        if how.luma_filter is not None:
            planes[0] = (filter_luma if kernel is predict else reference.filter_luma)(planes[0], how.luma_filter)
        result[level] = planes
    return result


def check_family(name: str, kernel: ModuleType) -> None:
    """Compare planes and RGB of every level of a family with the digests of its case."""
    case = load_case(name)
    coding = parse_coding(case["coding"])
    for level, planes in planes_by_level(name, kernel).items():
        wanted = case["expected"][str(level)]
        rgb = np.asarray(colour.ycc_to_rgb(planes) if kernel is predict else reference.ycc_to_rgb(*planes))
        assert list(planes.shape) == list(rgb.shape) == wanted["shape"]
        assert sha256(planes) == wanted["planes_sha256"]
        assert sha256(rgb) == wanted["rgb_sha256"]
        assert planes[:, 0, :4].T.tolist() == wanted["first_pixels_ycbcr"]
        assert rgb[:, 0, :4].T.tolist() == wanted["first_pixels_rgb"]
        assert list(coding.geometry.tile_shape(level, case["row"], case["col"])) == wanted["inside"]


def check_tiles(name: str) -> None:
    """Compare the decoded tiles of every level in a case with its digests."""
    case = load_case(name)
    coding, tiles = parse_coding(case["coding"]), stored_tiles(name, case)
    assert case["expected"]
    for level, wanted in case["expected"].items():
        needed = [tiles.get(k) for k in needed_levels(int(level))] if tiles else []
        rgb = decode_tile(coding, int(level), case["row"], case["col"], needed)
        assert list(rgb.shape) == wanted["shape"]
        assert sha256(rgb) == wanted["rgb_sha256"]


def decode_anything(name: str, case: dict[str, Any]) -> None:
    """Parse the document of a case, or decode its tile."""
    if "rrip" in case:
        parse_metadata(case["rrip"])
        return
    coding = parse_coding(case["coding"])
    tiles = stored_tiles(name, case)
    decode_tile(coding, case["level"], case["row"], case["col"], [tiles.get(k) for k in needed_levels(case["level"])])
