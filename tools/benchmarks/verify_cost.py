"""Measure the cost of `--verify`: processor time of interleaved conversions with and without it, and of its checks.

python tools/benchmarks/verify_cost.py SLIDE [--runs 3] [--effort fast|default|best] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rrip_format import Settings, convert
from rrip_format.conversion import blocks

_lock = threading.Lock()
_spent = [0.0]


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose processor time is added up."""

    def call(*arguments: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*arguments)
        finally:
            with _lock:
                _spent[0] += time.thread_time() - start

    return call


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--effort", default="default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name in ("_decode", "_digest"):
        setattr(blocks, name, timed(getattr(blocks, name)))
    processor: dict[bool, list[float]] = {True: [], False: []}
    checking: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(options.runs + 1):
            for verify in (True, False):
                _spent[0], start = 0.0, os.times()
                settings = Settings(effort=options.effort)
                convert(options.slide, Path(folder) / "a.rrip.tif", settings, verify=verify, overwrite=True)
                end = os.times()
                if run:  # the first loads the kernels
                    processor[verify].append(end.user + end.system - start.user - start.system)
                    checking[verify].append(_spent[0])
    seconds = {verify: statistics.median(processor[verify]) for verify in processor}
    share = (statistics.median(checking[True]) - statistics.median(checking[False])) / seconds[True]
    found = {
        "verify": seconds[True],
        "no_verify": seconds[False],
        "ratio": seconds[True] / seconds[False],
        "share": share,
    }
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"processor time {seconds[True]:.2f} s with and {seconds[False]:.2f} s without --verify, {found['ratio']:.3f} "
        f"times; decoding and comparing takes {share:.1%} of it"
    )


if __name__ == "__main__":
    main()
