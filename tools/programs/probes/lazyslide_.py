"""LazySlide through the reader of this package: tissue is found, and tiles of the whole slide are put together."""

import sys
import warnings
from functools import partial

import lazyslide
import numpy as np
from judge import Judge
from wsidata import open_wsi

import rrip_format.viewers.wsidata_reader  # noqa: F401

SIDE = 512
warnings.filterwarnings("ignore")
judge = Judge(sys.argv[1])


def read(path: str):
    slide = open_wsi(path, store=None)
    lazyslide.pp.find_tissues(slide)
    lazyslide.pp.tile_tissues(slide, SIDE, mpp=slide.properties.mpp, tissue_key=None, edge=True)
    assert len(slide["tissues"])
    height, width = slide.properties.shape
    whole = np.zeros((height + SIDE, width + SIDE, 3), np.uint8)
    for left, top, _, _ in slide["tiles"].bounds.to_numpy(int):
        tile = slide.read_region(left, top, SIDE, SIDE, level=slide.tile_spec("tiles").ops_level)
        whole[top : top + SIDE, left : left + SIDE] = tile[..., :3]
    return whole[:height, :width]


for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("lazyslide")
