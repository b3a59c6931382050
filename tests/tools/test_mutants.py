"""Damage in its quick form, and that it would be seen (tools/harnesses/mutants.py, tools/harnesses/exhaustive.py)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import exhaustive
import mutants
import numpy as np
import pytest
from damage.doors import Judge, WrongError
from damage.inspection import ALL_DOORS
from damage.mutate import make_mutant
from damage.pool import FINDINGS, run_case, run_cases
from damage.specimens import KINDS, Bench, pair
from damage.streams import STREAM_MUTATORS, join_segments, mutate_stream, split_segments
from damage.structure import STRUCTURE_MUTATORS
from damage.workplaces import SUFFIXES, workplaces
from misbehaviour import misbehave

from rrip_format.errors import DamagedError
from rrip_format.integrity.findings import Finding
from rrip_format.spec.tile import split_tile


def findings(outcomes):
    return [f"--only {o.number}: {o.result} at {o.group}: {o.detail}" for o in outcomes if o.result in FINDINGS]


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("RRIP_SCRATCH", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_five_thousand_mutants():
    """None crashes, hangs, floods the memory, raises a foreign error or reads as something else."""
    outcomes = list(run_cases(mutants.container_case, (1, pair(mutants.SIDE)), range(5_000), 2))
    assert findings(outcomes) == []
    groups = {outcome.group for outcome in outcomes}
    assert groups == {f"{kind}: {name}" for name, door in ALL_DOORS.items() for kind in door.kinds}
    results = Counter(outcome.result for outcome in outcomes)
    assert results.total() == 5_000
    assert min(results[name] for name in ("equal", "refused", "accepted")) > 200


def test_mutants_of_streams():
    outcomes = list(run_cases(mutants.stream_case, (1, pair(mutants.SIDE)), range(6_000), 1))
    assert findings(outcomes) == []
    results = Counter(outcome.result for outcome in outcomes)
    assert results.total() == 6_000
    assert min(results[name] for name in ("refused", "accepted")) > 500


def test_mutants_of_workplaces():
    """What an interrupted conversion has left is resumed to the same bytes, or refused."""
    slide = workplaces(mutants.SIDE, mutants.SIDE)
    outcomes = list(run_cases(mutants.workplace_case, (1, slide), range(36), 0))
    assert findings(outcomes) == []
    assert {outcome.group for outcome in outcomes} == {f"interrupted {suffix}" for suffix in SUFFIXES}
    results = Counter(outcome.result for outcome in outcomes)
    assert results.total() == 36
    assert results["equal"] > 20
    assert results["refused"] > 2


def test_some_flips_and_truncations():
    reports = exhaustive.run(exhaustive.KINDS, 307, 0)
    assert [report["findings"] for report in reports.values()] == [[], [], []]
    for kind, report in reports.items():
        assert report["cases"] == -(-exhaustive.damages(exhaustive.specimen(), kind) // 307)


# The harness itself


def test_a_mutant_is_made_again_by_its_number():
    slides = pair(mutants.SIDE)
    for number in range(40):
        first, second = (make_mutant(7, number, slides) for _ in range(2))
        assert first == second
    assert make_mutant(8, 1, slides) != make_mutant(7, 1, slides)


def test_every_mutator_and_every_kind_occurs():
    found = [make_mutant(1, number, pair(mutants.SIDE)) for number in range(600)]
    assert {mutant.kind for mutant in found} == set(KINDS)
    assert set(STRUCTURE_MUTATORS) <= {mutant.what.partition(":")[0] for mutant in found}
    assert any(mutant.resealed for mutant in found)


def test_streams_are_taken_apart_and_joined():
    truth = pair(mutants.SIDE)[0].truth
    tile = truth.tiles[0, 0, 0]
    (stream, *_) = split_tile(tile, truth.coding.place(0, 0, 0), truth.coding.streams(0))
    assert join_segments(split_segments(bytes(stream))) == bytes(stream)
    done = " ".join(mutate_stream(np.random.default_rng(n), bytes(stream))[0] for n in range(300))
    assert all(name in done for name in STREAM_MUTATORS)


def test_other_pixels_are_seen():
    truth = pair(mutants.SIDE)[0].truth
    judge = Judge({"": truth}, is_strict=True)
    wrong = truth.levels[2].copy()
    wrong[0, 3, 3] ^= 1
    judge.compare(truth.levels[2], truth.levels[2])
    judge.pixels(truth.levels[2], 2)
    with pytest.raises(WrongError):
        judge.compare(wrong, truth.levels[2])
    with pytest.raises(WrongError):
        judge.pixels(wrong, 2)


@pytest.fixture
def damaged(tmp_path):
    """A folder of which one tile is lost, and what judges it."""
    slide = pair(mutants.SIDE)[0]
    files = {name: data for name, data in slide.files["folder"].items() if name != "0/c/0/0/0"}
    path = Bench(tmp_path / "bench").put("folder", files)
    return str(path), Judge({slide.truth.coding.to_json()["uuid"]: slide.truth}, is_strict=True)


def test_a_blind_validator_is_seen(damaged, monkeypatch):
    ALL_DOORS["rrip validate"].read(*damaged)
    assert "tile.missing" in str(damaged[1].refused)
    monkeypatch.setattr("rrip_format.integrity.validation.check_batch", lambda *_, **__: [])
    with pytest.raises(WrongError, match=r"finds nothing, but open: .* is missing"):
        ALL_DOORS["rrip validate"].read(*damaged)


def test_a_validator_that_cries_wolf_is_seen(damaged, monkeypatch):
    finding = Finding("tile.checksum", "0/c/0/1/1", "is wrong", (0, 1, 1))
    monkeypatch.setattr("rrip_format.integrity.validation.check_batch", lambda *_, **__: [finding])
    with pytest.raises(WrongError, match="but that tile reads"):
        ALL_DOORS["rrip validate"].read(*damaged)


def test_a_repair_in_silence_is_seen(damaged, monkeypatch):
    for turn, done in enumerate(("'lost': [[0, 0, 0]]", "'filled': [[0, 0, 0]]")):
        damaged[1].turn = turn
        ALL_DOORS["repair"].read(*damaged)
        assert done in str(damaged[1].refused.pop())
    monkeypatch.setattr("rrip_format.integrity.repairing._metadata", lambda old, _: old)
    with pytest.raises(WrongError, match="the metadata of a repair say"):
        ALL_DOORS["repair"].read(*damaged)


def test_a_repair_that_changes_its_source_is_seen(damaged, monkeypatch):
    def meddle(source, *_, **__):
        Path(source, "zarr.json").write_bytes(b"")
        raise DamagedError("refused")

    monkeypatch.setattr("rrip_format.repair", meddle)
    with pytest.raises(WrongError, match="the source of a repair was changed"):
        ALL_DOORS["repair"].read(*damaged)


def test_a_resume_that_believes_its_journal_is_seen(monkeypatch):
    """A tile that changed on the disk is taken over if only its digest is not looked at."""

    def believe(writer, coding, block, note):
        spans = [(tuple(tile[:3]), writer.span(*tile)) for tile in note["tiles"]]
        return [(place, span, span.read()) for place, span in spans]

    slide = workplaces(mutants.SIDE, mutants.SIDE)
    case = mutants.workplace_case(1, slide)
    monkeypatch.setattr("rrip_format.conversion.pipeline.recall_block", believe)
    assert any(run_case(case, number).result == "wrong" for number in range(12))


def test_a_crash_a_hang_and_a_flood_are_seen_and_named(monkeypatch, capfd):
    monkeypatch.setattr("damage.pool.SILENT_SECONDS", 1.0)
    found = {outcome.number: outcome.result for outcome in run_cases(misbehave, (), range(6), 1)}
    assert found == {0: "equal", 1: "crash", 2: "memory", 3: "foreign", 4: "hang", 5: "equal"}
    assert "Segmentation fault" in capfd.readouterr().err


def test_slow_cases_are_seen(monkeypatch):
    monkeypatch.setattr("damage.pool.SLOW_SECONDS", 0.0)
    assert run_case(lambda number: ("", "equal", str(sum(range(100_000)))), 1).result == "slow"


def test_the_report_is_json(capsys, monkeypatch):
    few = ["--count", "10", "--streams", "10", "--workplaces", "3"]
    monkeypatch.setattr("sys.argv", ["mutants.py", *few, "--workers", "0", "--json"])
    assert mutants.main() == 0
    report = json.loads(capsys.readouterr().out)
    assert report["containers"]["cases"] == report["streams"]["cases"] == 10
    assert report["workplaces"]["cases"] == 3
    assert sum(sum(counts.values()) for counts in report["containers"]["groups"].values()) == 10
