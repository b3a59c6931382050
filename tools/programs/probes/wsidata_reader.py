"""wsidata, with the reader that an import of this package enters in its table."""

import sys
from functools import partial

from judge import Judge
from wsidata import open_wsi

import rrip_format.viewers.wsidata_reader  # noqa: F401

judge = Judge(sys.argv[1])


def read(path: str, level: int):
    return open_wsi(path, store=None).reader.get_level(level)


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    for level in range(len(judge.levels)):
        judge.look(f"`{suffix}`, array `{level}`", partial(read, judge.path(suffix), level))
judge.tell("wsidata")
