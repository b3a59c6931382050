"""Measure reading of patches by PyTorch's ``DataLoader``, by start method and number of workers.

::

    python tools/benchmarks/bench_training.py --testdata ../shared/testdata --json > training.json
    python tools/benchmarks/bench_training.py --testdata ../shared/testdata --workers 4  the cases with four workers

Each run is a new program with one ``DataLoader``, batches of 32 random patches of level 0, and workers that stay for
two epochs of different patches; the first epoch gives the time to the first batch (imports of the workers too), the
second one patches a second and the CPU time of the workers, and at its end the memory of a worker is looked at. The
slide is a mosaic of tissue, as a container of the default quality and as JPEG 4:2:0 TIFF of quality 90, with tiles of
512 px at level 0 in both. Needs PyTorch, which no extra installs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import benchlib
import click
from bench_readers import Files, make_files
from benchlib import Json, Spread

from rrip_format.evaluate.tables import markdown_table

ROUNDS, QUICK_ROUNDS = 3, 1
MEGAPIXELS, QUICK_MEGAPIXELS = 64.0, 1.0
BATCHES, QUICK_BATCHES = 12, 2
SIDE = 256
CASES = [("fork", 0), *((method, workers) for method in ("fork", "spawn", "forkserver") for workers in (2, 4))]
"""Start methods and numbers of workers; without workers nothing is started."""

READERS = {
    "rrip": "`rrip_format.open`",
    "rrip-slide": "`RripSlide`",
    "rrip-zarr": "zarr",
    "openslide": "OpenSlide, JPEG TIFF",
    "tifffile": "tifffile, JPEG TIFF",
}
MEASURES = {
    "per_second": "patches/s",
    "cpu_ms": "CPU of the workers, ms a patch",
    "first_s": "first batch after, s",
    "own_mib": "own memory of a worker, MiB",
    "pss_mib": "memory of a worker, shared parts divided (PSS), MiB",
}
_PROGRAM = Path(__file__).with_name("patch_worker.py")


def one_run(method: str, workers: int, key: str, files: Files, side: int, batches: int) -> dict[str, float]:
    """Return what :func:`patch_worker.run_loader` measures in a new program."""
    path = {"openslide": files.tiff, "tifffile": files.tiff, "rrip-zarr": files.rrip}.get(key, files.rrip_tiff)
    job = json.dumps([method, key, str(path), files.shapes[0], workers, side, batches])
    code = f"import sys, json; sys.path.insert(0, {str(_PROGRAM.parent)!r}); import patch_worker\n"
    # not as a script: spawned processes would import it once more
    code += "json.dump(patch_worker.run_loader(*json.loads(sys.argv[1])), sys.stdout)"
    output = benchlib.run_child([sys.executable, "-c", code, job], benchlib.all_cores()).output
    found: dict[str, float] = json.loads(output)
    return found


def case_name(method: str, workers: int) -> str:
    """Return how the tables call a start method and a number of workers."""
    return f"{method}, {workers} workers" if workers else "no workers"


def ratios(runs: dict[str, dict[str, list[dict[str, float]]]], case: str, key: str, measure: str) -> Spread:
    """Return the ratio of a reader's measure to OpenSlide's in the same round."""
    return Spread.of(ratios_of(runs, case, key, measure))


def ratios_of(runs: dict[str, dict[str, list[dict[str, float]]]], case: str, key: str, measure: str) -> list[float]:
    """Return the same of each round; 0 where the measure is not known on this system."""
    pairs = zip(runs[case][key], runs[case]["openslide"], strict=True)
    return [ours[measure] / theirs[measure] if theirs[measure] else 0.0 for ours, theirs in pairs]


def tables(runs: dict[str, dict[str, list[dict[str, float]]]]) -> list[str]:
    """Format a table for each measure; ours has the ratio to OpenSlide too."""
    found = []
    for measure, label in MEASURES.items():
        rows = []
        for case, readers in runs.items():
            cells = []
            for key in READERS:
                middle = Spread.of([run[measure] for run in readers[key]]).median
                text = f"{middle:.0f}" if middle >= 10 else f"{middle:.2f}"
                beside = "" if key == "openslide" else f" ({ratios(runs, case, key, measure).median:.2f} ×)"
                cells.append(text + beside)
            rows.append([case, *cells])
        found.append(markdown_table([f"{label} (× OpenSlide's)", *READERS.values()], rows))
    return found


def requirements(runs: dict[str, dict[str, list[dict[str, float]]]]) -> list[dict[str, Json]]:
    """Compare four workers with the requirements for training."""
    rows = []
    for key in [key for key in ("rrip", "rrip-slide") if key in READERS]:
        for case in (case for case in runs if "4 workers" in case):
            on = f"{READERS[key]}, {case}"
            speed, memory = (ratios(runs, case, key, measure) for measure in ("per_second", "own_mib"))
            of_cpu = ratios_of(runs, case, key, "cpu_ms")
            saved = Spread.of([1 / ratio for ratio in of_cpu]) if all(of_cpu) else None
            rows.append(benchlib.requirement("patches a second to OpenSlide's", on, speed, 2.0, 3.0, cpu=saved))
            rows.append(benchlib.requirement("own memory of a worker to OpenSlide's", on, memory, 1.5, 1.0, below=True))
    return rows


@click.command()
@benchlib.common_options
@click.option("--megapixels", type=float, help="Size of level 0.")
@click.option("--workers", type=click.Choice(["0", "2", "4"]), multiple=True, help="Only these numbers of workers.")
@click.option("--side", type=click.IntRange(min=16), default=SIDE, show_default=True, help="Side of a patch, px.")
def main(
    *,
    testdata: Path,
    rounds: int | None,
    quick: bool,
    as_json: bool,
    megapixels: float | None,
    workers: tuple[str, ...],
    side: int,
) -> None:
    """Measure patches a second, time to the first batch and memory with PyTorch's DataLoader."""
    load_torch()
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    batches = QUICK_BATCHES if quick else BATCHES
    data: dict[str, Json] = {"machine": benchlib.machine(), "rounds": rounds, "side": side}
    wanted = [case for case in CASES if not workers or str(case[1]) in workers]
    runs: dict[str, dict[str, list[dict[str, float]]]] = {case_name(*case): {} for case in wanted}
    with tempfile.TemporaryDirectory(prefix="rrip-bench-") as scratch:
        benchlib.say("making the slide", quiet=as_json)
        files = make_files(testdata, Path(scratch), megapixels or (QUICK_MEGAPIXELS if quick else MEGAPIXELS))

        def run(method: str, workers: int, key: str) -> None:
            found = one_run(method, workers, key, files, side, batches)
            runs[case_name(method, workers)].setdefault(key, []).append(found)

        cases = {f"{case} {key}": partial(run, *case, key) for case in wanted for key in READERS}
        benchlib.interleave(cases, rounds, warm=False)
    data |= {"runs": runs, "must_hold": requirements(runs)}
    benchlib.emit(data, [*tables(runs), benchlib.requirements_table(data["must_hold"])], as_json=as_json)


def load_torch() -> None:
    """Raise an error that says what is missing unless PyTorch is installed."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        raise click.ClickException("PyTorch is not installed: pip install torch")


if __name__ == "__main__":
    main()
