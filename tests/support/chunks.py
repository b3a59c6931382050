"""Read and copy containers by Zarr, tile by tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from zarr.core.buffer import cpu
from zarr.storage import MemoryStore


def rgb_first(image: np.ndarray) -> np.ndarray:
    return image.transpose(2, 0, 1)


def stored_tiles(container):
    """(level, row, col) of every tile that is there."""
    geometry = container.coding.geometry
    return [
        (level, row, col)
        for level in range(geometry.levels)
        for row, col in geometry.tiles(level)
        if not container.coding.is_empty(level, row, col)
    ]


def chunk(array, row: int, col: int):
    side = array.chunks[1]
    return array[:, row * side : (row + 1) * side, col * side : (col + 1) * side]


def memory_copy(root: Path) -> MemoryStore:
    return MemoryStore(
        {
            file.relative_to(root).as_posix(): cpu.Buffer.from_bytes(file.read_bytes())
            for file in root.rglob("*")
            if file.is_file()
        }
    )
