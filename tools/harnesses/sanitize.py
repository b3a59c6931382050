"""Run hostile input through the core with AddressSanitizer and UndefinedBehaviorSanitizer.

    python tools/harnesses/sanitize.py                    the quick form, for every change: some minutes
    python tools/harnesses/sanitize.py --only fuzz tests  some of the steps

The steps are: ``fuzz``, the targets of ``core_fuzz`` on their inputs and on changes of them; ``tests``, those of
decoding, prediction, encoding, the conformance set and each check of the core; ``mutants``, damaged streams and
containers (``mutants.py``). They need GCC and its sanitizers. What searches new inputs is ``fuzz.py core-…``. Exit code
1 if there are findings, whose reports are printed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import core_build
import fuzz
import fuzz_core

ROOT = core_build.ROOT

TESTS = (
    *(f"tests/core/test_core_hostile_{part}.py" for part in ("sources", "steps", "streams", "tiles")),
    "tests/core/test_luma_filter.py",
    "tests/spec/test_vectors.py",
    "tests/core/test_jpeg_decoder.py",
    "tests/core/test_predict.py",
    "tests/core/test_jpeg_encoder.py",
)

CHANGES = {"contract": 20_000, "encode": 1000, "source": 10_000, "stream": 2000, "tile": 600}
"""Changed inputs of each fuzz target."""

MUTANTS = ("--quick", "--count", "400", "--streams", "4000", "--workplaces", "0", "--workers", "2")


def _command(library: Path, *arguments: str) -> bool:
    """Run Python with the checked core; return whether nothing is found. Reports of sanitizers go to files."""
    with tempfile.TemporaryDirectory() as folder:
        checked = core_build.asan_environment(library)
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            checked[name] += f":log_path={folder}/report"
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env={**os.environ, **checked}, check=False)
        reports = sorted(Path(folder).iterdir())
        for report in reports:
            print(report.read_text("utf-8", "replace"), flush=True)
    return not done.returncode and not reports


def fuzz_targets(_: Path) -> bool:
    """Run the fuzz targets, one after another."""
    for target, name in fuzz.CORE.items():
        try:
            print(f"{target}: {fuzz.replay(target, [], CHANGES[name])} inputs, nothing found", flush=True)
        except fuzz_core.FoundError as error:
            print(error, flush=True)
            return False
    return True


def run_tests(library: Path) -> bool:
    """Run the tests of the core."""
    return _command(library, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)


def run_mutants(library: Path) -> bool:
    """Read damaged streams and containers."""
    return _command(library, "tools/harnesses/mutants.py", *MUTANTS)


STEPS: dict[str, Callable[[Path], bool]] = {"fuzz": fuzz_targets, "tests": run_tests, "mutants": run_mutants}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS))
    given = parser.parse_args()
    started = time.monotonic()
    library = core_build.library(core_build.CHECKED, core_build.KEPT / "librrip-checked.so")
    print(f"compiled in {time.monotonic() - started:.0f} s", flush=True)
    findings = []
    for name in given.only:
        started = time.monotonic()
        if not STEPS[name](library):
            findings.append(name)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    print(f"findings in {', '.join(findings)}" if findings else "both sanitizers are silent")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
