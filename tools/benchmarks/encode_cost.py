"""Measure the processor time of each stage of a conversion, one thread, per megapixel of level 0.

::

    python tools/benchmarks/encode_cost.py SLIDE [--effort fast|default|best] [--blocks 8] [--json]

Blocks of tissue, spread over the slide, are read, encoded and checked as `rrip convert` does it, with given steps, so
that nothing is measured on the slide; left out are finding these, starting, overviews and files. The last line is
libvips writing the whole slide as a JPEG pyramid (``tiffsave``, quality 90), on all its threads.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import click
from bench_convert import PEERS

from rrip_format.conversion import blocks
from rrip_format.core import predict
from rrip_format.core.jpeg_encoder import EFFORTS
from rrip_format.family import encode as family
from rrip_format.sources import Source, open_source
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import Coding
from rrip_format.tuning import settings as encoder
from rrip_format.tuning.settings import UNFITTED, Settings

STEPS = (5.9, 6.2, 4.4, 9.0)
"""About what quality 90 takes."""

LEAST_CONTRAST = 20
"""Standard deviation of the samples of a block of tissue."""

STAGES: list[tuple[Any, str, str]] = [
    (blocks, "read_block", "read the source"),
    (predict, "box2", "halve levels"),
    (family, "difference", "differences from RGB"),
    (encoder, "centred", "YCbCr of the base"),
    (predict, "up2", "predict"),
    (predict, "reconstruct", "reconstruct"),
    (encoder, "encode_gray", "streams of residuals"),
    (encoder, "encode_ycc", "streams of the base"),
    (blocks, "encode_family", "families, the rest"),
    (blocks, "_digest", "checksums of planes"),
    (blocks, "_decode", "decode to verify"),
]
"""Where a function is looked up, its name, and its stage, without those that it calls."""


class Clock:
    """Processor time of this thread by stage, functions that a stage calls included."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    def timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        """Return a function that is timed."""

        def call(*arguments: Any, **options: Any) -> Any:
            self._inside.append(0.0)
            start = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                taken = time.thread_time() - start
                self.seconds[stage] += taken - self._inside.pop()
                if self._inside:
                    self._inside[-1] += taken

        return call


def tissue_blocks(geometry: Geometry, source: Source, count: int) -> list[blocks.Block]:
    """Return up to `count` blocks with tissue, spread over the slide."""
    every = list(blocks.list_blocks(geometry))
    step = next(step for step in range(len(every) // 2 + 1, 0, -1) if len(every) % step or step == 1)
    spread = (every[k * step % len(every)] for k in range(len(every)))
    tissue = (
        block for block in spread if blocks.read_block(source, geometry, block)[::16, ::16].std() > LEAST_CONTRAST
    )
    return list(islice(tissue, count))


def convert(source: Source, coding: Coding, settings: Settings, block: blocks.Block) -> int:
    """Read, encode and verify a block; return the number of its pixels."""
    rgb = blocks.read_block(source, coding.geometry, block)
    for made in blocks.encode_block(rgb, coding, settings.streams, block):
        decoded: dict[Any, Any] = {}
        for tile in reversed(made.tiles):
            found = blocks._decode(coding, tile.place, tile.data, decoded)  # noqa: SLF001  (as blocks.check_block does)
            if blocks._digest(found) != tile.digest:  # noqa: SLF001
                raise click.ClickException(f"{tile.place} does not decode to the pixels that its encoder expects")
    return int(rgb.shape[0] * rgb.shape[1])


def tiffsave(slide: Path) -> float:
    """Return the processor seconds that libvips takes for the whole slide."""
    import pyvips

    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as folder:
        start = time.process_time()
        pyvips.Image.new_from_file(str(slide), access="sequential").tiffsave(
            f"{folder}/{PEERS['tiffsave'][2]}",
            pyramid=True,
            tile=True,
            tile_width=512,
            tile_height=512,
            compression="jpeg",
            Q=90,
            bigtiff=True,
        )
        return time.process_time() - start


@click.command()
@click.argument("slide", type=click.Path(exists=True, path_type=Path))
@click.option("--effort", type=click.Choice(list(EFFORTS)), default="default", show_default=True)
@click.option("--blocks", "count", type=int, default=8, show_default=True, help="Of 2048 px, with tissue.")
@click.option("--json", "as_json", is_flag=True)
def main(*, slide: Path, effort: str, count: int, as_json: bool) -> None:
    """Print the stages in descending order of cost."""
    settings, clock = Settings(steps=STEPS, effort=effort), Clock()
    with open_source(slide) as source:
        geometry = Geometry(source.info.width, source.info.height, settings.tile)
        coding = Coding(UUID(int=0), geometry, settings.residuals((UNFITTED, UNFITTED)), source.info.background)
        chosen = tissue_blocks(geometry, source, count)
        if not chosen:
            raise click.ClickException(f"{slide} has no block with tissue")
        convert(source, coding, settings, chosen[0])  # once before, which asks for memory
        with ExitStack() as stack:
            for where, name, stage in STAGES:
                stack.enter_context(patch.object(where, name, clock.timed(getattr(where, name), stage)))
            start = time.thread_time()
            pixels = sum(convert(source, coding, settings, block) for block in chosen)
            total = time.thread_time() - start
        vips = 1e9 * tiffsave(slide) / (geometry.width * geometry.height)
    stages = {stage: 1e9 * taken / pixels for stage, taken in clock.seconds.items()}
    stages = dict(
        sorted({**stages, "the rest": 1e9 * total / pixels - sum(stages.values())}.items(), key=lambda s: -s[1])
    )
    if as_json:
        print(json.dumps({"megapixels": pixels / 1e6, "ms_per_mp": stages, "tiffsave_ms_per_mp": vips}))
        return
    print(f"{slide.name}, {pixels / 1e6:.0f} MP in {len(chosen)} blocks, effort {effort}; CPU, ms/MP:")
    for stage, taken in stages.items():
        print(f"{taken:8.2f}  {stage}")
    print(
        f"{sum(stages.values()):8.2f}  in all; tiffsave takes {vips:.2f}, {vips / sum(stages.values()):.2f} times that"
    )


if __name__ == "__main__":
    main()
