"""GDAL, through rasterio: its drivers for Zarr and TIFF."""

import sys
from functools import partial

import rasterio
from judge import Judge

judge = Judge(sys.argv[1])


def read(path: str):
    with rasterio.open(path) as opened:
        return opened.read().transpose(1, 2, 0).squeeze()


for name in (*map(str, range(len(judge.levels))), "base/0", "base/1"):
    judge.look(f"`.rrip.zarr`, array `{name}`", lambda name=name: read(f'ZARR:"{judge.path(".rrip.zarr")}":/{name}'))
for suffix in (".rrip.tif", ".rrip"):
    judge.look(f"`{suffix}`", partial(read, judge.path(suffix)))
judge.tell("rasterio")
