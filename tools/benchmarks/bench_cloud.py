"""Reading from a server: requests, bytes and time in round trips; which order of tiles and which gap; opening; objects.

::

    python tools/benchmarks/bench_cloud.py --json > cloud.json

The slide is of 17,124 × 16,610 px, made of the tiles of nine families of real tissue (the picture of ``rrip demo``), or
any TIFF file that ``--container`` names. The server of this process answers each request after ``--delay``. Counts are
exact, times are of one run, in units of the delay.
"""

from __future__ import annotations

import itertools
import logging
import pickle
import random
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import benchlib
import click
import numpy as np
import zarr
from benchlib import Json
from spread_slide import spread
from web_server import WebServer, serve_files

import rrip_format
from rrip_format.containers.base import Place
from rrip_format.containers.opening import open_container
from rrip_format.containers.order import block_order, overview_order
from rrip_format.evaluate.tables import markdown_table
from rrip_format.slides.slide import Slide
from rrip_format.spec.geometry import BASE_LEVEL, Geometry, needed_levels
from rrip_format.storage.ranges import GAP_BYTES, MANY, merge_ranges, plan_ranges

SIZE = (17_124, 16_610)
OPENED = (170_000, 151_000)
"""Width and height of the slide whose opening is measured, px: about 10⁵ families."""

REGIONS: dict[str, tuple[tuple[int, int, int, int, int], int, int]] = {
    "aligned 512² of level 0": ((0, 5120, 5120, 512, 512), 3, 2),
    "unaligned 512²": ((0, 5000, 5300, 512, 512), 12, 5),
    "4096² of level 0": ((0, 3000, 3300, 4096, 4096), 243, 20),
    "1920 × 1080 of level 0": ((0, 3100, 2900, 1080, 1920), 42, 10),
    "1920 × 1080 of level 1": ((1, 3100, 2900, 1080, 1920), 108, 15),
    "1920 × 1080 of level 2": ((2, 1100, 900, 1080, 1920), 160, 20),
}
"""Level, y, x, height, width; requests of a family at a time; the most that are to be."""

GAPS = (0, 1 << 14, 1 << 15, 1 << 16, 1 << 17, None)
"""Bytes; None: as readers do it, by the number of requests."""

Order = Callable[[Geometry], Iterator[Place]]


def make_slide(folder: Path) -> Path:
    """Convert nine families of tissue, and make a large slide of them."""
    from skimage import data

    tissue = data.immunohistochemistry()
    turned = [np.rot90(tissue, turn)[:, :: 1 - 2 * flip] for flip in (0, 1) for turn in range(4)]
    rows = [np.concatenate([turned[(3 * row + col) % 8] for col in range(3)], 1) for row in range(3)]
    small = folder / "small.rrip.zarr"
    rrip_format.convert(np.concatenate(rows, 0), small)
    return spread(small, folder / "slide.rrip.tif", *SIZE, UUID(int=1 << 78))


def measure(server: WebServer, work: Callable[[], object]) -> Json:
    """Count requests, bytes and round trips of some work."""
    server.forget()
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    trips = round(seconds / server.delay, 1) if server.delay else None
    return {"requests": len(server.requests), "bytes": server.sent, "round_trips": trips}


def read_regions(server: WebServer, path: Path) -> list[Json]:
    """Measure what reading each region takes; pixels are compared with those of the file here."""
    url, rows = f"{server.url}/{path.name}", []

    def add(what: str, before: int | None, most: int | None, work: Callable[[], object]) -> None:
        rows.append({"what": what, "before": before, "most": most, **measure(server, work)})

    add("open", 5, 2, lambda: rrip_format.open(url).close())
    with rrip_format.open(path) as local, rrip_format.open(url, cache_mib=0) as slide:
        regions = dict(REGIONS)
        if len(slide.levels) > 3:
            regions["level 3"] = (3, 0, 0, *slide.level_shape(3)), 25, 4
        for what, (region, before, most) in regions.items():
            add(what, before, most, lambda region=region: slide.read_region(*region))  # type: ignore[misc]
            if not np.array_equal(slide.read_region(*region), local.read_region(*region)):
                raise SystemExit(f"{what}: wrong pixels")
        level, y, x, height, width = REGIONS["4096² of level 0"][0]
        array = zarr.open_group(rrip_format.RripStore(url), mode="r")[str(level)]
        assert isinstance(array, zarr.Array)
        most = next(row["requests"] for row in rows if row["what"] == "4096² of level 0") * 13 // 10
        add("the same through RripStore", 243, most, lambda: array[:, y : y + height, x : x + width])
        travelled = pickle.dumps(slide)
        add("open a pickled slide", 5, 0, lambda: pickle.loads(travelled))
        add("500 patches, 1 % of requests fail", None, None, lambda: read_patches(server, slide, local))
    return rows


def read_patches(server: WebServer, slide: Slide, local: Slide) -> None:
    """Read patches from a server that fails now and then."""
    errors, choice = random.Random(1), random.Random(2)

    def fail(*_: object) -> int | str | None:
        return errors.choice((503, "drop")) if errors.random() < 0.01 else None

    server.misbehave = fail
    delay, server.delay = server.delay, 0.0
    height, width = slide.level_shape(0)
    for _ in range(500):
        y, x = choice.randrange(height - 256), choice.randrange(width - 256)
        if not np.array_equal(slide.read_region(0, y, x, 256, 256), local.read_region(0, y, x, 256, 256)):
            raise SystemExit("wrong pixels")
    server.misbehave, server.delay = None, delay


def in_blocks(side: int, planes: Sequence[Sequence[int]]) -> Order:
    """Blocks of side × side families; in each, levels of a plane together, family by family."""

    def order(geometry: Geometry) -> Iterator[Place]:
        rows, cols = geometry.families
        for top, left in itertools.product(range(0, rows, side), range(0, cols, side)):
            inside = list(itertools.product(range(top, min(rows, top + side)), range(left, min(cols, left + side))))
            for plane in planes:
                for row, col in inside:
                    for level in plane:
                        yield level, row, col
        yield from overview_order(geometry)

    return order


def chosen(geometry: Geometry) -> Iterator[Place]:
    """Yield tiles in the order of this package (spec section 10.1)."""
    rows, cols = geometry.families
    for top, left in itertools.product(range(0, rows, 4), range(0, cols, 4)):
        yield from block_order(itertools.product(range(top, min(rows, top + 4)), range(left, min(cols, left + 4))))
    yield from overview_order(geometry)


ORDERS: dict[str, Order] = {
    "family by family, row by row": in_blocks(1, [(2, 1, 0)]),
    "4 × 4 families, family by family": in_blocks(4, [(2, 1, 0)]),
    "4 × 4 families, levels 2, 1, 0 apart": in_blocks(4, [(2,), (1,), (0,)]),
    "4 × 4 families, levels 2 and 1 together, 0 apart": in_blocks(4, [(2, 1), (0,)]),
    "4 × 4 families, level 2, then 1 and 0 by family (chosen)": chosen,
    "8 × 8 families, level 2, then 1 and 0 by family": in_blocks(8, [(2,), (1, 0)]),
}


def compare_orders(path: Path) -> list[Json]:
    """Compare orders and gaps: mean requests for random regions, and bytes that are read per byte that is wanted."""
    container = open_container(path)
    geometry = container.metadata.coding.geometry
    sizes = {
        place: located[1]
        for level in range(geometry.levels)
        for row, col in geometry.tiles(level)
        if (located := container.locate(*(place := (level, row, col)))) is not None
    }
    choice = random.Random(3)
    views: dict[str, list[tuple[int, int, int, int, int]]] = {}
    for what, (level, height, width, step) in {
        "512², aligned": (0, 512, 512, 512),
        "512²": (0, 512, 512, 1),
        "4096²": (0, 4096, 4096, 1),
        "level 0": (0, 1080, 1920, 1),
        "level 1": (1, 1080, 1920, 1),
        "level 2": (2, 1080, 1920, 1),
    }.items():
        most = [side - extent for side, extent in zip(geometry.shape(level), (height, width), strict=True)]
        views[what] = [
            (level, choice.randrange(most[0]) // step * step, choice.randrange(most[1]) // step * step, height, width)
            for _ in range(30)
        ]
    rows = []
    for name, order in ORDERS.items():
        placed: dict[Place, tuple[int, int]] = {}
        at = 0
        for place in order(geometry):
            if place in sizes:
                placed[place] = at, sizes[place]
                at += -(-sizes[place] // 8) * 8
        for gap in GAPS:
            found = {what: _cost(geometry, placed, regions, gap) for what, regions in views.items()}
            rows.append({"order": name, "gap": gap, "views": found})
    return rows


def _cost(
    geometry: Geometry, places: dict[Place, tuple[int, int]], regions: Sequence[tuple[int, ...]], gap: int | None
) -> Json:
    requests, read, wanted = 0, 0, 0
    for level, y, x, height, width in regions:
        side = geometry.tile_side(level)
        tiles = itertools.product(range(y // side, -(-(y + height) // side)), range(x // side, -(-(x + width) // side)))
        ranges = [places[needed, row, col] for row, col in tiles for needed in needed_levels(level)]
        plan = plan_ranges(ranges) if gap is None else merge_ranges(ranges, gap)
        requests += len(plan)
        read += sum(one.length for one in plan)
        wanted += sum(length for _, length in ranges)
    return {"requests": round(requests / len(regions), 1), "read_per_wanted": round(read / wanted, 2)}


def measure_opening(folder: Path) -> list[Json]:
    """Time and memory of opening a slide of many families, as a TIFF file and as a zip archive, from a local disk."""
    rows = []
    for suffix in (".rrip.tif", ".rrip.zarr.zip"):
        path = spread(folder / "small.rrip.zarr", folder / f"wide{suffix}", *OPENED, UUID(int=1 << 79))
        rrip_format.open(path).close()
        begin = time.perf_counter()
        rrip_format.open(path).close()
        seconds = time.perf_counter() - begin
        tracemalloc.start()
        slide = rrip_format.open(path)
        memory = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        slide.close()
        path.unlink()
        rows.append({"kind": suffix, "seconds": round(seconds, 3), "mib": round(memory / (1 << 20), 1)})
    return rows


def count_objects(side: int = 100_000) -> Json:
    """How many objects a slide of side × side px is in a bucket, by kind."""
    geometry = Geometry(side, side, 128)
    tiles = sum(rows * cols for rows, cols in map(geometry.grid, range(geometry.levels)))
    documents = 3 + geometry.levels + geometry.levels - BASE_LEVEL
    return {"side": side, "tiles": tiles, "folder": tiles + documents, "zip": 1, "tiff": 1}


def tables(found: Json) -> list[str]:
    """Everything as Markdown."""
    parts = [
        markdown_table(
            ["what", "a family at a time", "at most", "requests", "round trips", "kB"],
            [
                [
                    row["what"],
                    "–" if row["before"] is None else str(row["before"]),
                    "–" if row["most"] is None else str(row["most"]),
                    str(row["requests"]),
                    "–" if row["round_trips"] is None else str(row["round_trips"]),
                    str(row["bytes"] // 1000),
                ]
                for row in found["regions"]
            ],
        )
    ]
    views = list(found["orders"][0]["views"])
    for gap in GAPS:
        rows = [row for row in found["orders"] if row["gap"] == gap]
        title = f"Gaps of up to {(gap or 0) // 1024} KiB are read:"
        if gap is None:
            title = f"In use: {GAP_BYTES // 1024} KiB, twice that where more than {MANY} requests are left:"
        cells = [
            [row["order"], *(f"{cost['requests']} (× {cost['read_per_wanted']})" for cost in row["views"].values())]
            for row in rows
        ]
        parts.append(f"{title}\n\n{markdown_table(['order', *views], cells)}")
    if found["opening"]:
        rows = [[row["kind"], str(row["seconds"]), str(row["mib"])] for row in found["opening"]]
        parts.append(markdown_table([f"opening {OPENED[0]} × {OPENED[1]} px", "s", "MiB"], rows))
    objects = found["objects"]
    parts.append(
        f"A slide of {objects['side']} × {objects['side']} px has {objects['tiles']} stored tiles: {objects['folder']} "
        "objects as a folder, one as an archive or TIFF file."
    )
    return parts


@click.command()
@click.option("--container", type=click.Path(exists=True, path_type=Path), help="A TIFF file to read instead.")
@click.option("--delay", type=float, default=50.0, show_default=True, help="Of every answer, ms.")
@click.option("--opening/--no-opening", default=True, help="Measure the opening of a slide of 10⁵ families too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def main(*, container: Path | None, delay: float, opening: bool, as_json: bool) -> None:
    """Count what reading from a server takes."""
    logging.getLogger("rrip_format").setLevel(logging.ERROR)  # of the requests that are to fail
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make_slide(folder)
        path = container or made
        with serve_files(path.parent, delay=delay / 1000) as server:
            found: Json = {"machine": benchlib.machine(), "delay_ms": delay, "regions": read_regions(server, path)}
        found |= {"orders": compare_orders(path), "objects": count_objects()}
        found["opening"] = measure_opening(folder) if opening else []
    benchlib.emit(found, tables(found), as_json=as_json)


if __name__ == "__main__":
    main()
