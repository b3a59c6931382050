"""histolab, which opens slides with openslide-python."""

import sys
from functools import partial

import numpy as np
from histolab.slide import Slide
from histolab.types import CoordinatePair
from judge import Judge

judge = Judge(sys.argv[1])


def read(path: str):
    slide = Slide(path, sys.argv[1])
    width, height = slide.dimensions
    return np.asarray(slide.extract_tile(CoordinatePair(0, 0, width, height), (width, height), level=0).image)


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("histolab")
