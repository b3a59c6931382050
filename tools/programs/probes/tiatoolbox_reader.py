"""tiatoolbox, by ``WSIReader.open`` of the reader of this package."""

import sys
from functools import partial

from judge import Judge
from tiatoolbox.wsicore.wsireader import WSIReader

from rrip_format.viewers.tiatoolbox_reader import RripWSIReader

judge = Judge(sys.argv[1])


def read(path: str, level: int):
    reader = WSIReader.open(RripWSIReader(path))
    return reader.read_rect((0, 0), reader.info.level_dimensions[level], resolution=level, units="level")


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    for level in range(len(judge.levels)):
        judge.look(f"`{suffix}`, array `{level}`", partial(read, judge.path(suffix), level))
judge.tell("tiatoolbox")
