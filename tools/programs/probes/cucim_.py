"""cuCIM, on the CPU."""

import sys
from functools import partial

import numpy as np
from cucim import CuImage
from judge import Judge

judge = Judge(sys.argv[1])


def read(path: str):
    return np.asarray(CuImage(path).read_region(device="cpu"))


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("cucim-cu12")
