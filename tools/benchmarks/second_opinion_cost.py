"""What the second opinion on a source costs: its processor time as a share of that of the whole conversion.

python tools/benchmarks/second_opinion_cost.py SLIDE… [--runs 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from rrip_format import convert
from rrip_format.second_reader.check import check_source
from rrip_format.sources import open_source


def cost(slide: str, runs: int) -> dict[str, Any]:
    """Processor time, s, of a conversion without the second opinion and of that opinion, medians of some runs."""
    asking, converting = [], []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs + 1):
            start = time.process_time()
            convert(slide, Path(folder) / "a.rrip.tif", second_opinion=False, overwrite=True)
            middle = time.process_time()
            with open_source(slide) as source:
                opened = time.process_time()
                opinion = check_source(source)
                asked = time.process_time() - opened
            if run:  # the first imports what both need
                converting.append(middle - start)
                asking.append(asked)
    seconds, more = statistics.median(converting), statistics.median(asking)
    found = {"slide": Path(slide).name, "opinion": str(opinion), "seconds": more, "convert": seconds}
    return {**found, "share": more / seconds}


def main() -> None:
    """Print a line for each slide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", nargs="+")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for slide in options.slides:
        found = cost(slide, options.runs)
        if options.json:
            print(json.dumps(found))
        else:
            print(
                f"{found['slide']}: {found['opinion']}, {1000 * found['seconds']:.0f} ms, {found['share']:.1%} of the "
                f"{found['convert']:.2f} s of the conversion"
            )


if __name__ == "__main__":
    main()
