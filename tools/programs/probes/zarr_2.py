"""zarr-python 2, which knows no format but version 2 and an early draft of version 3."""

import sys

import zarr
from judge import Judge

judge = Judge(sys.argv[1])
for suffix in (".rrip.zarr", ".rrip.zarr.zip"):
    store = zarr.ZipStore(judge.path(suffix), mode="r") if suffix.endswith("zip") else judge.path(suffix)
    for name in (*map(str, range(len(judge.levels))), "base/0", "base/1"):
        judge.look(
            f"`{suffix}`, array `{name}`",
            lambda name=name, store=store: zarr.open_group(store, mode="r")[name][:].transpose(1, 2, 0),
        )
judge.tell("zarr")
