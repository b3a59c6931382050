"""The fuzzer and the mutation test, as far as they take seconds (tools/fuzz.py, tools/mutation_test.py)."""

from __future__ import annotations

from pathlib import Path

import fuzz
import mutation_test
import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.parametrize("target", [target for target in fuzz.TARGETS if target != "kernel"])
def test_the_corpus_finds_nothing(target):
    """Every kept input and every sound one gives what it should, or an error of ours."""
    assert fuzz.replay(target, []) == len(fuzz.seeds(target)) + len(fuzz.kept(target))
    assert len(fuzz.kept(target)) > 0


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in fuzz.CORPUS.iterdir()) < 100_000


def test_inputs_are_kept_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "CORPUS", tmp_path)
    fuzz.keep("tile", [b"bb", b"a", b"bb", b""])
    first = (tmp_path / "tile.tar.xz").read_bytes()
    assert list(fuzz.kept("tile").values()) == [b"", b"a", b"bb"]
    fuzz.keep("tile", [b"", b"bb", b"a"])
    assert (tmp_path / "tile.tar.xz").read_bytes() == first


def test_a_foreign_error_is_not_swallowed(monkeypatch):
    def fail():
        raise KeyError("no error of ours")

    with pytest.raises(KeyError):
        fuzz._ours(fail)


def test_every_check_to_take_out_is_there():
    """An edit whose text has changed would test nothing, and one that leaves what is no Python fails everywhere."""
    assert mutation_test.out_of_date() == []
    assert len(mutation_test.EDITS) >= 50
    assert len({edit.name for edit in mutation_test.EDITS}) == len(mutation_test.EDITS)
    for edit in mutation_test.EDITS:
        assert edit.old != edit.new
        assert all((REPOSITORY / word).is_file() for word in edit.tests.split() if word.endswith(".py"))


def test_a_check_that_is_taken_out_is_noticed(tmp_path):
    mutation_test.copy_project(tmp_path)
    (edit,) = (edit for edit in mutation_test.EDITS if edit.name == "checksum of a tile")
    assert mutation_test.passes(tmp_path, edit.tests)
    assert not mutation_test.survives(tmp_path, edit)
    module = tmp_path / "rrip_format" / edit.file
    assert module.read_bytes() == (REPOSITORY / "rrip_format" / edit.file).read_bytes()
