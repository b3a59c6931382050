"""GDAL, through rasterio: its drivers for Zarr and TIFF."""

import sys

import rasterio
from judge import Judge

judge = Judge(sys.argv[1])


def read(path: str):
    with rasterio.open(path) as opened:
        return opened.read().transpose(1, 2, 0)


for name in (*map(str, range(len(judge.levels))), "base/0", "base/1"):
    judge.look(f"`.rrip.zarr`, array `{name}`", lambda name=name: read(f'ZARR:"{judge.path(".rrip.zarr")}":/{name}'))
judge.look("`.rrip.tif`", lambda: read(judge.path(".rrip.tif")))
judge.tell("rasterio")
