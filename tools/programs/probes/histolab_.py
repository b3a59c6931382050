"""histolab, which opens slides with openslide-python."""

import sys
from functools import partial

import numpy as np
from histolab.slide import Slide
from judge import Judge

judge = Judge(sys.argv[1])


def read(path: str):
    return np.asarray(Slide(path, sys.argv[1]).scaled_image(scale_factor=1))


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("histolab")
