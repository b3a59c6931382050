"""wsidata, which LazySlide is built on, run by ``python -m rrip_format.openslide``."""

import subprocess
import sys
from functools import partial

if len(sys.argv) == 2:
    command = [sys.executable, "-m", "rrip_format.openslide", __file__, sys.argv[1], "-"]
    sys.exit(subprocess.run(command, check=False).returncode)

from judge import Judge
from wsidata import open_wsi

judge = Judge(sys.argv[1])


def read(path: str):
    slide = open_wsi(path)
    height, width = slide.properties.shape
    return slide.reader.get_region(0, 0, width, height, level=0)


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("wsidata")
