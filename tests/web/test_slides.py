"""Real slides in the reader for browsers, and one of a thousand megapixels: the same pixels, and few requests."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
from conftest import tissue
from test_reader import needs_node, run_node

import rrip_format
from rrip_format import Settings
from rrip_format.containers.creating import open_writer
from rrip_format.containers.opening import open_container
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import Metadata, SlideMetadata
from rrip_format.spec.tile import join_tile

TILES = 100
"""Of each real slide."""

LARGE = 31_623
"""Side of a slide of 10^9 px."""


def expect(path, frame_rows, frame_cols, requests, size, count=TILES):
    """What the reader has to find in a slide: digests of some blocks, and what a frame may cost."""
    with rrip_format.open(path) as slide:
        geometry = slide.geometry
        side = geometry.tile_side(0)
        blocks = [
            (level, y, x)
            for level in range(geometry.levels)
            for y in range(0, geometry.shape(level)[0], side)
            for x in range(0, geometry.shape(level)[1], side)
        ]
        digests = {}
        for level, y, x in random.Random(1).sample(blocks, min(count, len(blocks))):
            height, width = geometry.shape(level)
            pixels = slide.read_region(level, y, x, min(side, height - y), min(side, width - x))
            digests[f"{level}/{y // side}/{x // side}"] = hashlib.sha256(pixels.tobytes()).hexdigest()
        rows, cols = geometry.grid(0)
    frame = [(row, col) for row in range(rows)[:frame_rows] for col in range(cols)[:frame_cols]]
    return {"digests": digests, "frame": frame, "most": {"requests": requests, "bytes": size}}


@needs_node
def test_real_slides(testdata, tmp_path):
    wanted = {}
    for name, size in (("CMU-1-Small-Region.svs", 1_200_000), ("TCGA-CR-7395-01A-01-TS1.svs", 1_500_000)):
        target = tmp_path / f"{name}.rrip.tif"
        rrip_format.convert(testdata(name), target, Settings(effort="fast"))
        wanted[target.name] = expect(target, 4, 5, 8, size)
    (tmp_path / "expected.json").write_text(json.dumps(wanted))
    assert "a frame by" in run_node("slides.test.mjs", RRIP_WEB_SLIDES=str(tmp_path))


def streams_of(path, level, count):
    """The streams of the first tile of a level."""
    container = open_container(path)
    tile = container.read_tile(level, 0, 0)
    container.close()
    assert tile is not None
    ends = np.cumsum(np.frombuffer(tile[-36:-24], "<u4")[:count])
    return [tile[start:end] for start, end in pairwise([0, *ends])]


@needs_node
def test_a_thousand_megapixels(tmp_path):
    """All tiles of a level have the same streams, so that the slide is made in a moment."""
    small = tmp_path / "small.rrip.tif"
    rrip_format.convert(tissue(512, 2048, seed=5), small, Settings(effort="fast"))
    with rrip_format.open(small) as slide:
        coding = replace(slide.metadata.coding, geometry=Geometry(LARGE, LARGE, 128), empty_bits=b"", document=None)
    streams = {level: streams_of(small, level, coding.streams(level)) for level in range(4)}
    target = tmp_path / "large.rrip.tif"
    with open_writer(target) as writer:
        for level in range(coding.geometry.levels):
            for row, col in coding.geometry.tiles(level):
                writer.write_tile(level, row, col, join_tile(streams[min(level, 3)], coding.place(level, row, col)))
        writer.finish(Metadata(coding, SlideMetadata(mpp=(0.25, 0.25)), {"name": "a test"}), None)
    (tmp_path / "expected.json").write_text(json.dumps({target.name: expect(target, 3, 5, 10, 2_000_000, count=10)}))
    assert "opened by 2 requests" in run_node("slides.test.mjs", RRIP_WEB_SLIDES=str(tmp_path))
