"""wsidata, which LazySlide is built on, as it is."""

import sys
from functools import partial

from judge import Judge
from wsidata import open_wsi

judge = Judge(sys.argv[1])


def read(path: str):
    slide = open_wsi(path, store=None)
    return slide.reader.get_level(0)


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("wsidata")
