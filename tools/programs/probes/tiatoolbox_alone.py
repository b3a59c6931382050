"""tiatoolbox, by ``WSIReader.open`` of a path."""

import sys
from functools import partial

from judge import Judge
from tiatoolbox.wsicore.wsireader import WSIReader

judge = Judge(sys.argv[1])


def read(path: str):
    reader = WSIReader.open(path)
    return reader.read_rect((0, 0), reader.info.slide_dimensions, resolution=0, units="level")


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("tiatoolbox")
