"""Measure the cost of CRC-32C and of all checks of a tile, as fractions of the time to decode a level 0 tile.

``python tools/benchmarks/checksum_cost.py SLIDE.rrip.zarr`` measures families spread over a container; without a path
it converts the tissue picture that scikit-image brings. Exits 1 where checksums cost more than 2 %.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rrip_format import Settings, convert
from rrip_format.containers.base import Container
from rrip_format.containers.opening import open_container
from rrip_format.family.decode import decode_tile, needed_levels
from rrip_format.spec.tile import crc32c, split_tile

MOST = 0.02
FAMILIES, ROUNDS = 24, 7


def families(container: Container) -> list[tuple[int, int]]:
    """Return stored families, spread evenly."""
    coding = container.metadata.coding
    stored = [place for place in coding.geometry.tiles(2) if not coding.is_empty(2, *place)]
    return stored[:: max(1, len(stored) // FAMILIES)][:FAMILIES]


def best(function: Callable[[], object], repeat: int) -> float:
    """Return seconds per call, the fastest of some rounds, because others use the machine too."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(repeat):
            function()
        times.append((time.perf_counter() - start) / repeat)
    return min(times)


def measure(container: Container) -> float:
    """Print the figures; return the fraction of checksums."""
    coding, levels = container.metadata.coding, needed_levels(0)
    crc = checks = decoding = size = 0.0
    places = families(container)
    for row, col in places:
        found = container.read_tiles([(level, row, col) for level in levels])
        tiles = [tile for tile in found if tile is not None]
        place = [coding.place(level, row, col) for level in levels]
        streams = [coding.streams(level) for level in levels]
        size += sum(map(len, tiles))
        crc += best(lambda tiles=tiles: [crc32c(tile[:-4]) for tile in tiles], 50)  # type: ignore[misc]
        checks += best(lambda todo=(tiles, place, streams): list(map(split_tile, *todo)), 50)  # type: ignore[misc]
        decoding += best(lambda todo=(row, col, tiles): decode_tile(coding, 0, *todo), 1)  # type: ignore[misc]
    count = len(places)
    side = coding.geometry.tile_side(0)
    print(f"{container.name}: {count} families, level 0 tiles of {side} px, {size / count:.0f} bytes a family")
    print(f"  decoding, all checks included {1e6 * decoding / count:9.1f} µs a family")
    print(f"  all checks of its three tiles {1e6 * checks / count:9.1f} µs  {checks / decoding:7.3%}")
    print(f"  of which CRC-32C              {1e6 * crc / count:9.1f} µs  {crc / decoding:7.3%}  (at most {MOST:.0%})")
    return crc / decoding


def main() -> int:
    """Measure a container or a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("container", nargs="?", help="a container of any kind")
    path = parser.parse_args().container
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            from skimage.data import immunohistochemistry

            path = str(Path(folder) / "ihc.rrip.zarr")
            convert(immunohistochemistry(), path, Settings(effort="fast"))
        container = open_container(path)
        share = measure(container)
        container.close()
    return int(share > MOST)


if __name__ == "__main__":
    sys.exit(main())
