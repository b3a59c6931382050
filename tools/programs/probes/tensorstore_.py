"""tensorstore, whose driver zarr3 knows no codecs but its own."""

import sys

import tensorstore
from judge import Judge

judge = Judge(sys.argv[1])


def read(name: str):
    store = {"driver": "file", "path": f"{judge.path('.rrip.zarr')}/{name}/"}
    return tensorstore.open({"driver": "zarr3", "kvstore": store}).result().read().result().transpose(1, 2, 0)


for name in (*map(str, range(len(judge.levels))), "base/0", "base/1"):
    judge.look(f"`.rrip.zarr`, array `{name}`", lambda name=name: read(name))
judge.tell("tensorstore")
