"""ngff-zarr, which reads OME-Zarr."""

import sys
from functools import partial

import numpy as np
from judge import Judge
from ngff_zarr import from_ngff_zarr

judge = Judge(sys.argv[1])


def read(path: str):
    pixels = np.asarray(from_ngff_zarr(path).images[0].data)
    return np.moveaxis(pixels, 0, -1)


for suffix in (".rrip.zarr", ".rrip.zarr.zip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.look("`.rrip.zarr`, group `base`", partial(read, f"{judge.path('.rrip.zarr')}/base"))
judge.tell("ngff-zarr")
