"""napari's model of a viewer, as its window opens a path, once the reader of this package is chosen in its settings."""

import os
import sys
from functools import partial

os.environ |= {"QT_QPA_PLATFORM": "offscreen", "NAPARI_CONFIG": f"{sys.argv[1]}/napari.yaml"}

import npe2
from judge import Judge
from napari.components import ViewerModel

from rrip_format.viewers.napari_reader import make_default

judge = Judge(sys.argv[1])
SUFFIXES = (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip")
npe2.PluginManager.instance().discover()


def read(path: str, level: int, **options: str):
    (layer,) = ViewerModel().open(path, **options)
    levels = layer.data if layer.multiscale else [layer.data]
    return levels[level].compute()


for suffix in SUFFIXES[:3]:
    judge.look(f"`{suffix}`, not told which reader", partial(read, judge.path(suffix), 0, plugin=None))
make_default()
for suffix in SUFFIXES:
    for level in range(len(judge.levels)):
        judge.look(
            f"`{suffix}`, after `make_default()`, array `{level}`",
            partial(read, judge.path(suffix), level, plugin=None),
        )
judge.tell("napari")
