"""PyTorch: a level in rows, read by the workers of a ``DataLoader`` from a slide that was opened before."""

import sys
from functools import partial

import numpy as np
import torch
from judge import Judge
from torch.utils.data import DataLoader, Dataset

import rrip_format

ROWS = 16


class Rows(Dataset):
    """Strips of a level."""

    def __init__(self, path: str, level: int) -> None:
        self.slide, self.level = rrip_format.open(path), level
        self.shape = self.slide.level_shape(level)

    def __len__(self) -> int:
        return self.shape[0] // ROWS

    def __getitem__(self, index: int) -> np.ndarray:
        return self.slide.read_region(self.level, index * ROWS, 0, ROWS, self.shape[1])


def read(path: str, level: int, method: str):
    loader = DataLoader(Rows(path, level), batch_size=4, num_workers=2, multiprocessing_context=method)
    return torch.cat([rows.flatten(0, 1) for rows in loader]).numpy()


if __name__ == "__main__":
    judge = Judge(sys.argv[1])
    for suffix, method in (
        (".rrip.zarr", "fork"),
        (".rrip.zarr.zip", "forkserver"),
        (".rrip.tif", "spawn"),
        (".rrip", "fork"),
    ):
        for level in range(2):
            judge.look(f"`{suffix}`, {method}, array `{level}`", partial(read, judge.path(suffix), level, method))
    judge.tell("torch")
