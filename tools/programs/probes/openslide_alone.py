"""openslide-python where this package is not installed."""

import sys
from functools import partial

import numpy as np
import openslide
from judge import Judge

judge = Judge(sys.argv[1])


def read(path: str):
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions))


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("openslide-python")
