"""The fuzzer and the mutation test, as far as they take seconds (``tools/harnesses``)."""

from __future__ import annotations

import shutil

import core_build
import fuzz
import fuzz_core
import mutation_test
import pytest

REPOSITORY, FOLDER = core_build.ROOT, fuzz_core.FOLDER


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_the_corpus_finds_nothing(target):
    """Every kept input and every sound one gives what it should, or an error of ours."""
    assert fuzz.replay(target, []) == len(fuzz.seeds(target)) + len(fuzz.kept(target))
    assert len(fuzz.kept(target)) > 0


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs GCC and its sanitizers")
@pytest.mark.parametrize("target", fuzz.CORE)
def test_a_target_of_the_core_finds_nothing(target):
    """Its inputs and some changes of them, with sanitizers; ``tools/harnesses/sanitize.py`` makes more."""
    name, inputs = fuzz.CORE[target], [*fuzz.seeds(target), *fuzz.kept(target).values()]
    assert fuzz_core.replay(name, inputs, 20, build=core_build.QUICKLY_CHECKED) == len(inputs) + 20


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs GCC and its sanitizers")
def test_what_a_target_finds_is_told(tmp_path, monkeypatch):
    """An abort and a read beyond a block end the driver, which leaves the input."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz_core, "FOLDER", tmp_path)
    for name in ("driver.c", "fuzz.h"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "bad.c").write_text(
        '#include "fuzz.h"\n'
        "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {\n"
        "    input in = {data, size};\n"
        "    CHECK(size == 0 || data[0] != 'x');\n"
        "    uint8_t *copy = copy_of(in);\n"
        "    int found = size > 1 && copy[size - (data[0] != 'y')];\n"
        "    free(copy);\n"
        "    return found && 0;\n"
        "}\n"
    )
    build = core_build.QUICKLY_CHECKED
    assert fuzz_core.replay("bad", [b"", b"a", b"zz"], build=build) == 3
    for data, words in ((b"xx", "not so: size == 0"), (b"yy", "heap-buffer-overflow")):
        with pytest.raises(fuzz_core.FoundError, match=words):
            fuzz_core.replay("bad", [b"", data], build=build)
        assert (tmp_path / "core-bad.crash-1").read_bytes() == data


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
    edits = mutation_test.ALL_EDITS
    assert mutation_test.out_of_date() == []
    assert len(edits) >= 300
    assert len({edit.name for edit in edits}) == len(edits)
    for edit in edits:
        assert edit.old != edit.new
        assert all((REPOSITORY / word).is_file() for word in edit.tests.split() if word.endswith(".py"))


def test_a_check_that_is_taken_out_is_noticed(tmp_path):
    mutation_test.copy_project(tmp_path)
    (edit,) = (edit for edit in mutation_test.EDITS if edit.name == "checksum of a tile")
    assert mutation_test.passes(tmp_path, edit.tests)
    assert not mutation_test.survives(tmp_path, edit)
    module = tmp_path / "rrip_format" / edit.file
    assert module.read_bytes() == (REPOSITORY / "rrip_format" / edit.file).read_bytes()
