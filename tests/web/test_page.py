"""The page of ``rrip view`` in Chromium and Firefox, on slides of every kind; Node drives them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from kinds import make_kinds
from test_reader import needs_node, run_node

import rrip_format
from rrip_format.containers.base import ZarrContainer, open_container
from rrip_format.containers.copying import transmux
from rrip_format.spec.metadata import seal

SCRIPT = "<img src=x onerror='globalThis.wasHacked = 1'>"


def hostile(path: Path) -> None:
    """Give a container text that is markup, and a pixel size."""
    document = json.loads((path / "zarr.json").read_text())
    rrip = document["attributes"]["rrip"]
    rrip["slide"] |= {"mpp": [0.25, 0.25], "vendor": SCRIPT, "properties": {SCRIPT: SCRIPT}}
    document["attributes"]["rrip"] = seal(rrip)
    (path / "zarr.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def slides(tmp_path_factory, container) -> Path:
    """One slide as every kind of container, digests of its blocks, and a copy with a flipped byte."""
    folder = tmp_path_factory.mktemp("slides")
    kinds = make_kinds(tmp_path_factory.mktemp("kinds"), container)
    shutil.copytree(kinds.zarr, folder / "slide.rrip.zarr")
    hostile(folder / "slide.rrip.zarr")
    for suffix in (".rrip.tif", ".rrip.zarr.zip"):
        transmux(folder / "slide.rrip.zarr", folder / f"slide{suffix}")
    digests = {}
    with rrip_format.open(folder / "slide.rrip.tif") as slide:
        side = slide.geometry.tile_side(0)
        for level in range(slide.geometry.levels):
            height, width = slide.geometry.shape(level)
            for y in range(0, height, side):
                for x in range(0, width, side):
                    block = slide.read_region(level, y, x, min(side, height - y), min(side, width - x))
                    digests[f"{level}/{y // side}/{x // side}"] = hashlib.sha256(block.tobytes()).hexdigest()
    (folder / "digests.json").write_text(json.dumps(digests))
    damage(folder)
    return folder


def damage(folder: Path) -> None:
    """Flip a byte of a tile of level 0."""
    data = bytearray((folder / "slide.rrip.tif").read_bytes())
    opened = open_container(folder / "slide.rrip.tif")
    assert not isinstance(opened, ZarrContainer)
    offset, length = opened.locate(0, 1, 1)
    opened.close()
    data[offset + length // 2] ^= 1
    (folder / "damaged.rrip.tif").write_bytes(data)
    (folder / "damaged.json").write_text(json.dumps({"x": 384, "y": 384}))


@needs_node
def test_the_page(slides):
    printed = run_node("page.test.mjs", RRIP_WEB_SLIDES=str(slides))
    reasons = {line.partition("# SKIP ")[2] for line in printed.splitlines() if "# SKIP " in line}
    if reasons:
        pytest.skip(" and ".join(sorted(reasons)))
