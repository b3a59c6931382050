"""zarr-python where this package is not installed."""

import sys

import zarr
from judge import Judge

judge = Judge(sys.argv[1])
for suffix in (".rrip.zarr", ".rrip.zarr.zip"):
    store = zarr.storage.ZipStore(judge.path(suffix), mode="r") if suffix.endswith("zip") else judge.path(suffix)
    for name in (*map(str, range(len(judge.levels))), "base/0", "base/1"):
        judge.look(
            f"`{suffix}`, array `{name}`",
            lambda name=name, store=store: zarr.open_array(store, path=name, mode="r")[:].transpose(1, 2, 0),
        )
judge.tell("zarr")
