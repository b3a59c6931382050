"""Damage containers in every known way, and read them through every interface.

    python tools/harnesses/mutants.py              200,000 of containers, 100,000 of streams, 5,000 of workplaces
    python tools/harnesses/mutants.py --quick      5,000, 20,000 and 200, in a few minutes
    python tools/harnesses/mutants.py --only 4711  one of them in this process, with all that it did

A mutant of a container must read as the slide that it was, or be refused with an error that its door promises, within
2 s of processor time and 256 MiB of memory, and never end the process. Where checksums were made again over the damage
("accepted"), other pixels are what was asked for; everything else still holds. "Uncovered" are arrays whose document
was exchanged for one without our codec, so that Zarr reads them without us. Mutants of streams are fed to the decoder
of stored JPEG streams directly, and its verdict and pixels are compared with those of libjpeg-turbo. Mutants of a
workplace are what an interrupted conversion has left; going on from them has to give the bytes of a conversion that
nothing interrupts, or a refusal. Exit code 1 if there are findings.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from damage.doors import ForeignError, Judge, WrongError, path_of
from damage.inspection import ALL_DOORS
from damage.mutate import TURNS, make_mutant
from damage.pool import FINDINGS, Case, Outcome, blame, is_out_of_memory, run_case, run_cases
from damage.report import print_table, summarise
from damage.specimens import KINDS, Bench, Files, Slides, pair
from damage.streams import mutate_stream
from damage.workplaces import SUFFIXES, Desk, Workplaces, mutate_workplace, workplaces

from rrip_format.errors import RripError
from rrip_format.family.jpeg import decode_gray, decode_ycc
from rrip_format.integrity.validation import validate
from rrip_format.spec.tile import split_tile

SIDE = 272
"""Width and height of the slides, px: four families, of which one is empty, and a fourth level."""


def container_case(seed: int, slides: tuple[Slides, Slides], keep: str | None = None) -> Case:
    """Return a function that runs one mutant of a container; called in a child, which it warms up.

    Parameters
    ----------
    seed : int
    slides : two Slides
    keep : str, optional
        Folder to work in and to leave the mutant in; a temporary one if not given.
    """
    scratch = Path(keep or tempfile.mkdtemp(dir=os.environ.get("RRIP_SCRATCH"))).absolute()
    bench = Bench(scratch)
    truths = {slide.truth.coding.to_json()["uuid"]: slide.truth for slide in slides}

    def put(kind: str, files: Files) -> str:
        folder = bench.put(kind, files)
        os.chdir(folder if kind == "references" else scratch)  # references name their file relative to it
        return path_of(kind, folder)

    def case(number: int) -> tuple[str, str, str]:
        mutant = make_mutant(seed, number, slides)
        names = [name for name, door in ALL_DOORS.items() if mutant.kind in door.kinds]
        turn, at = divmod(number // len(TURNS), len(names))
        name = names[at]
        door, judge = ALL_DOORS[name], Judge(truths, is_strict=not mutant.resealed, turn=turn)
        group, what = f"{mutant.kind}: {name}", f"{mutant.what} [{'resealed' if mutant.resealed else 'as it is'}]"
        path = put(mutant.kind, mutant.files)
        try:
            door.read(path, judge)
        except WrongError as error:
            return group, "wrong", f"{what}: {error}"
        except RripError as error:
            judge.refused.append(error)
        except Exception as error:  # noqa: BLE001  (this is what is looked for)
            result, detail = blame(error)
            if (
                result == "foreign"
                and door.is_zarr_first
                and mutant.is_document
                and not isinstance(error, ForeignError)
            ):
                result = "refused"  # by Zarr, which reads its own documents and archives in its own way
            return group, result, f"{what}: {detail}"
        if any(map(is_out_of_memory, judge.refused)):
            return group, "memory", f"{what}: {judge.refused}"
        if judge.refused and mutant.files == slides[0].files[mutant.kind]:
            return group, "wrong", f"{what}, and nothing is damaged: {judge.refused}"
        if judge.refused:
            return group, "refused", f"{what}: {type(judge.refused[0]).__name__}: {judge.refused[0]}"
        if judge.uncovered:
            return group, "uncovered", f"{what}: {judge.uncovered}"
        return group, "accepted" if mutant.resealed else "equal", what

    for kind in KINDS:  # compile, import, start threads: not part of any case
        for door in ALL_DOORS.values():
            if kind in door.kinds:
                judge = Judge(truths, is_strict=True)
                door.read(put(kind, slides[0].files[kind]), judge)
                if judge.refused:
                    raise RuntimeError(f"a sound {kind} was refused: {judge.refused}")
    return case


def stream_case(seed: int, slides: tuple[Slides, Slides]) -> Case:
    """Return a function that runs one mutant of a JPEG stream; called in a child, which it warms up."""
    coding = slides[0].truth.coding
    streams = [
        (bytes(stream), coding.geometry.tile_side(place[0]), place[0] >= 2)
        for place, tile in slides[0].truth.tiles.items()
        for stream in split_tile(tile, coding.place(*place), coding.streams(place[0]))
        if stream is not None
    ]
    streams.sort(key=lambda entry: len(entry[0]))

    def case(number: int) -> tuple[str, str, str]:
        rng = np.random.default_rng([seed, number, 1])
        stream, side, is_colour = streams[int(len(streams) * rng.random() ** 2)]  # short ones more often
        what, damaged = mutate_stream(rng, stream)
        group = "stream, colour" if is_colour else "stream, gray"
        top, bottom = 0, side
        if not is_colour and rng.random() >= 0.7:
            top, bottom = sorted(rng.choice(side + 1, 2, replace=False).tolist())
        try:
            ours = decode_ycc(damaged, side) if is_colour else decode_gray(damaged, side, (top, bottom))
        except RripError as error:
            return group, "memory" if is_out_of_memory(error) else "refused", f"{what}: {error}"
        theirs = _libjpeg(damaged, is_colour)
        if theirs is None:
            return f"{group}, which libjpeg-turbo refuses", "accepted", what
        if theirs.shape != ours.shape or not np.array_equal(theirs[..., top:bottom, :], ours[..., top:bottom, :]):
            return f"{group}, which libjpeg-turbo decodes to other pixels", "accepted", what
        return f"{group}, the same pixels", "accepted", what

    for stream, side, is_colour in streams:
        (decode_ycc if is_colour else decode_gray)(stream, side)
    return case


def workplace_case(seed: int, slide: Workplaces) -> Case:
    """Return a function that runs one mutant of an interrupted conversion; called in a child, which it warms up.

    The run that goes on from it gives the bytes of one that nothing interrupts, or refuses; then one that begins anew
    gives them. Where a note was sealed again, another container may rightly come of it, but a whole one.
    """
    scratch = os.environ.get("RRIP_SCRATCH")

    def case(number: int) -> tuple[str, str, str]:
        rng, suffix = np.random.default_rng([seed, number, 2]), SUFFIXES[number % len(SUFFIXES)]
        what, left = mutate_workplace(rng, suffix, slide)
        group = f"interrupted {suffix}"
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            desk = Desk(Path(folder), suffix, slide.source, left)
            try:
                found = desk.run(resume=True)
            except RripError as error:
                if desk.target.exists() or len(desk.others()) > 1:
                    return group, "wrong", f"{what}: a refused run left {desk.others()}: {error}"
                if desk.run(resume=False) != slide.wanted[suffix]:
                    return group, "wrong", f"{what}: what was begun anew has other bytes"
                return group, "refused", f"{what}: {type(error).__name__}: {error}"
            if found == slide.wanted[suffix]:
                return group, "equal", what
            if "resealed" in what and not desk.others() and not validate(desk.target, "pixels"):
                return group, "accepted", what
            return group, "wrong", f"{what}: what was resumed has other bytes"

    for suffix in SUFFIXES:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            if Desk(Path(folder), suffix, slide.source, slide.left[suffix][0]).run(resume=True) != slide.wanted[suffix]:
                raise RuntimeError(f"an interrupted {suffix} does not resume")
    return case


def _libjpeg(stream: bytes, is_colour: bool) -> Any:
    """Decode a stream with libjpeg-turbo; None if it refuses it."""
    colours = {"colorspace": "YCBCR", "outcolorspace": "YCBCR"} if is_colour else {}
    try:
        pixels = imagecodecs.jpeg8_decode(stream, **colours)
    except Exception:  # noqa: BLE001  (imagecodecs raises several types)
        return None
    return pixels.transpose(2, 0, 1) if is_colour else pixels


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few mutants")
    parser.add_argument("--count", type=int, help="mutants of containers")
    parser.add_argument("--streams", type=int, help="mutants of JPEG streams")
    parser.add_argument("--workplaces", type=int, help="mutants of what interrupted conversions leave")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="this mutant of a container alone, in this process")
    parser.add_argument("--only-stream", type=int, help="this mutant of a stream alone, in this process")
    parser.add_argument("--only-workplace", type=int, help="this mutant of a workplace alone, in this process")
    parser.add_argument("--keep", help="with --only, a folder to leave the mutant in")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    return parser.parse_args()


def _alone(given: argparse.Namespace, slides: tuple[Slides, Slides]) -> Outcome | None:
    """Return the outcome of the one mutant that was asked for, if any."""
    if given.only is not None:
        return run_case(container_case(given.seed, slides, given.keep), given.only)
    if given.only_stream is not None:
        return run_case(stream_case(given.seed, slides), given.only_stream)
    if given.only_workplace is not None:
        return run_case(workplace_case(given.seed, workplaces(SIDE, SIDE)), given.only_workplace)
    return None


def main() -> int:
    given = _arguments()
    slides = pair(SIDE)
    alone = _alone(given, slides)
    if alone is not None:
        print(f"{alone.group}\n{alone.result}, {alone.seconds:.2f} s\n{alone.detail}")
        return alone.result in FINDINGS
    found, reports = 0, {}
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="rrip-", dir=memory) as scratch:
        os.environ["RRIP_SCRATCH"] = scratch
        for name, setup, subject, asked, few, many in (
            ("containers", container_case, slides, given.count, 5_000, 200_000),
            ("streams", stream_case, slides, given.streams, 20_000, 100_000),
            ("workplaces", workplace_case, workplaces(SIDE, SIDE), given.workplaces, 200, 5_000),
        ):
            number = asked if asked is not None else few if given.quick else many
            outcomes = run_cases(setup, (given.seed, subject), range(number), given.workers)
            reports[name] = summarise(outcomes, number)
            found += len(reports[name]["findings"])
            if not given.json:
                print_table(reports[name])
    if given.json:
        print(json.dumps({"seed": given.seed, **reports}))
    return found > 0


if __name__ == "__main__":
    sys.exit(main())
