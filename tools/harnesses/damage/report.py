"""Summaries of the results of many cases."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from .pool import FINDINGS, Outcome

__all__ = ["print_table", "summarise"]


def summarise(outcomes: Iterator[Outcome], total: int) -> dict[str, Any]:
    """Return counts by group and result, all findings, and the extremes."""
    started, groups, findings = time.monotonic(), dict[str, Counter[str]](), []
    slowest = largest = 0.0
    done = 0
    for outcome in outcomes:
        done += 1
        groups.setdefault(outcome.group, Counter())[outcome.result] += 1
        slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.peak_bytes)
        if outcome.result in FINDINGS:
            findings.append({"number": outcome.number, "result": outcome.result, "detail": outcome.detail})
        _progress(done, total, started)
    return {
        "cases": done,
        "seconds": round(time.monotonic() - started, 1),
        "slowest_seconds": round(slowest, 3),
        "largest_bytes": int(largest),
        "groups": {name: dict(groups[name]) for name in sorted(groups)},
        "findings": findings,
    }


def print_table(report: dict[str, Any]) -> None:
    """Print the counts."""
    columns = ("equal", "refused", "accepted", "uncovered", *FINDINGS)
    print(f"{'':<58}" + "".join(f"{name:>10}" for name in columns))
    sums: Counter[str] = Counter()
    for name, counts in report["groups"].items():
        sums.update(counts)
        print(f"{name:<58}" + "".join(f"{counts.get(column, 0):>10}" for column in columns))
    print(f"{'all, ' + str(report['cases']):<58}" + "".join(f"{sums[column]:>10}" for column in columns))
    print(
        f"in {report['seconds']:.0f} s; slowest {report['slowest_seconds']:.2f} s of processor time, most memory "
        f"{report['largest_bytes'] / 2**20:.0f} MiB more than before"
    )
    for finding in report["findings"][:20]:
        print(f"\n{finding['result']}, --only {finding['number']}: {finding['detail']}")


def _progress(done: int, total: int, started: float) -> None:
    """Print the progress on a terminal."""
    if sys.stderr.isatty() and (done % 50 == 0 or done == total):
        rate = done / max(1e-9, time.monotonic() - started)
        print(f"\r{done} of {total}, {rate:.0f} a second ", end="\n" if done == total else "", file=sys.stderr)
