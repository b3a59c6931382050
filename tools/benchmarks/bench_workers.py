"""Measure the time until worker processes for training have read their first batch, by start method.

::

    python tools/benchmarks/bench_workers.py --testdata ../shared/testdata --json > workers.json

A process that has opened a slide and read a patch starts four workers, as PyTorch's ``DataLoader`` does; each opens the
slide and reads 32 random patches of 512 x 512 px of level 0. OpenSlide reads the same tissue from a JPEG TIFF.
CPU seconds are those of one worker, its start and imports too (but for forkserver, where imports are the server's);
memory is what a worker does not share.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import mean

import benchlib
import click
from bench_readers import Files, make_files
from benchlib import Json, Spread

from rrip_format.evaluate.tables import markdown_table

ROUNDS, QUICK_ROUNDS = 7, 1
MEGAPIXELS, QUICK_MEGAPIXELS = 16.0, 1.0
WORKERS = 4
METHODS = ("spawn", "forkserver", "fork")
READERS = {"rrip": "`rrip_format.open`", "rrip-slide": "`RripSlide`", "openslide": "OpenSlide, JPEG TIFF"}
_PROGRAM = Path(__file__).with_name("patch_worker.py")


def one_run(method: str, key: str, files: Files) -> list[list[float]]:
    """Return CPU seconds, seconds and memory of each worker of a new program."""
    path = files.tiff if key == "openslide" else files.rrip_tiff
    job = json.dumps([method, key, str(path), files.shapes[0], WORKERS])
    code = f"import sys, json; sys.path.insert(0, {str(_PROGRAM.parent)!r}); import patch_worker\n"
    # not as a script: spawned processes would import it once more
    code += "json.dump(patch_worker.run(*json.loads(sys.argv[1])), sys.stdout)"
    found: list[list[float]] = json.loads(
        benchlib.run_child([sys.executable, "-c", code, job], benchlib.all_cores()).output
    )
    return found


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of level 0.")
def main(*, testdata: Path, rounds: int | None, quick: bool, as_json: bool, megapixels: float | None) -> None:
    """Measure the time and memory to the first batch of worker processes."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    data: dict[str, Json] = {"machine": benchlib.machine(), "rounds": rounds}
    found: dict[str, list[list[list[float]]]] = {}
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as scratch:
        files = make_files(testdata, Path(scratch), megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS))

        def run(method: str, key: str) -> None:
            found.setdefault(f"{method} {key}", []).append(one_run(method, key, files))

        cases = {f"{method} {key}": partial(run, method, key) for method in METHODS for key in READERS}
        benchlib.interleave(cases, rounds, warm=False)

    def spread(name: str, part: int) -> Spread:
        return Spread.of([mean(worker[part] for worker in workers) for workers in found[name]])

    rows = [
        [method, label, *(str(spread(f"{method} {key}", part)) for part in range(3))]
        for method in METHODS
        for key, label in READERS.items()
    ]
    head = ["start method", "reader", "CPU, s a worker", "first batch after, s", "own memory, MiB"]
    ratios = Spread.of(
        [
            mean(worker[0] for worker in ours) / mean(worker[0] for worker in theirs)
            for ours, theirs in zip(found["spawn rrip"], found["spawn openslide"], strict=True)
        ]
    )
    what = "512² patches, 4 spawned workers: CPU to the first batch of 32, to OpenSlide's"
    holds = benchlib.requirement(what, "tissue", ratios, 1.2, 0.8, below=True)
    data |= {"runs": found, "must_hold": [holds]}
    benchlib.emit(data, [markdown_table(head, rows), benchlib.requirements_table(data["must_hold"])], as_json=as_json)


if __name__ == "__main__":
    main()
