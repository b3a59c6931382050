"""napari's model of a viewer, as its window opens a path, once the reader of this package is chosen in its settings."""

import os
import sys
from functools import partial

os.environ |= {"QT_QPA_PLATFORM": "offscreen", "NAPARI_CONFIG": f"{sys.argv[1]}/napari.yaml"}

import npe2
import numpy as np
from judge import Judge
from napari.components import ViewerModel

from rrip_format.viewers.napari_reader import make_default

judge = Judge(sys.argv[1])
SUFFIXES = (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip")
npe2.PluginManager.instance().discover()


def read(path: str, level: int, **options: str):
    (layer,) = ViewerModel().open(path, **options)
    levels = layer.data if layer.multiscale else [layer.data]
    pixels = np.asarray(levels[level])
    return pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels  # napari's own reader leaves axes as they are


for suffix in SUFFIXES:
    judge.look(f"`{suffix}`, `viewer.open(path)`", partial(read, judge.path(suffix), 0))
for suffix in SUFFIXES:
    judge.look(f"`{suffix}`, window", partial(read, judge.path(suffix), 0, plugin=None))
make_default()
for suffix in SUFFIXES:
    for level in range(len(judge.levels)):
        judge.look(
            f"`{suffix}`, window after `make_default()`, array `{level}`",
            partial(read, judge.path(suffix), level, plugin=None),
        )
judge.tell("napari")
