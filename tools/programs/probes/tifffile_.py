"""tifffile and Pillow, which take the first page of a TIFF file."""

import sys
from functools import partial

import numpy as np
import tifffile
from judge import Judge
from PIL import Image

judge = Judge(sys.argv[1])


def pillow(path: str):
    with Image.open(path) as page:
        return np.asarray(page)


for suffix in (".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`, by tifffile", partial(tifffile.imread, judge.path(suffix)))
    judge.look(f"`{suffix}`, by Pillow", partial(pillow, judge.path(suffix)))
judge.tell("tifffile", "pillow")
