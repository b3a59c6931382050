"""bioio, by the entry point of this package."""

import sys
from functools import partial

from bioio import BioImage
from judge import Judge

judge = Judge(sys.argv[1])


def read(path: str, level: int):
    image = BioImage(path)
    image.set_resolution_level(level)
    return image.get_image_data("YXS")


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    for level in range(len(judge.levels)):
        judge.look(f"`{suffix}`, array `{level}`", partial(read, judge.path(suffix), level))
judge.tell("bioio")
