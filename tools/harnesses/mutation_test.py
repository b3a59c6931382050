"""Remove one check of the package after the other, and verify that a test fails each time.

    python tools/harnesses/mutation_test.py                all of them; some minutes
    python tools/harnesses/mutation_test.py NAME …         those whose name contains one of these
    python tools/harnesses/mutation_test.py --list         what there is

Each edit is made in a copy of the package, one at a time, and its tests are run on the copy. An edit that survives
shows a missing test, one whose text is not found exactly once is out of date, and tests that fail without any edit
prove nothing: each of the three gives exit code 1. A test that does not end is stopped, and counts as failed.

Edits of the compiled core (most in ``mutation_core.py``) are compiled with AddressSanitizer and
UndefinedBehaviorSanitizer, which notice a read or a write that nothing keeps in bounds; the portable kernels are used.
"""

from __future__ import annotations

import argparse
import ast
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import core_build
from mutation_core import CORE_EDITS
from mutation_edits import EDITS, Edit

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
"""After which a run of tests is stopped."""


CORE = Path("core", "src")
CORE_TESTS = " ".join(
    (*(f"tests/core/test_core_hostile_{part}.py" for part in ("sources", "steps", "streams", "tiles")), "--noconftest")
)
OTHER_KERNELS = {path.name for path in core_build.SOURCES.glob("variant_*.c")} - {"variant_plain.c"}
"""Files that an edit leaves as they are: all kernels are of the same text."""

ALL_EDITS = (
    *(
        Edit(f"{file}: {name}", (CORE / file).as_posix(), old, new, CORE_TESTS)
        for file, edits in CORE_EDITS.items()
        for name, old, new in edits
    ),
    *EDITS,
)


def is_of_core(edit: Edit) -> bool:
    """Return whether an edit is one of the compiled core."""
    return edit.file.startswith(CORE.as_posix())


def out_of_date(edits: tuple[Edit, ...] = ALL_EDITS) -> list[str]:
    """Return names of edits whose text is not in its file exactly once, or whose result is not valid Python."""
    texts = {edit.file: (ROOT / "rrip_format" / edit.file).read_text("utf-8") for edit in edits}

    def fits(edit: Edit) -> bool:
        try:
            if not is_of_core(edit):
                ast.parse(texts[edit.file].replace(edit.old, edit.new))
        except SyntaxError:
            return False
        return texts[edit.file].count(edit.old) == 1

    return [edit.name for edit in edits if not fits(edit)]


def copy_project(target: Path) -> None:
    """Make a copy to edit, with the compiled core."""
    for name in ("rrip_format", "tests", "tools", "spec"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns(".pytest_cache"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, target / name)


def passes(project: Path, tests: str, **environment: str) -> bool:
    """Return whether tests pass on a copy."""
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *shlex.split(tests)]
    try:
        return not subprocess.run(
            command, cwd=project, env=environment, capture_output=True, timeout=SECONDS, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return False


def passes_with_core(project: Path, tests: str, edit: Edit | None = None) -> bool:
    """Return whether tests pass on a copy with the core compiled again, after an edit of it or without any.

    Raises
    ------
    BuildError
        If it does not compile.
    """
    kept, changed = dict(_sound_objects()), []
    with tempfile.TemporaryDirectory() as name:
        sources = Path(shutil.copytree(ROOT / "rrip_format" / CORE, Path(name, "src")))
        if edit:
            path = sources / Path(edit.file).name
            path.write_text(path.read_text("utf-8").replace(edit.old, edit.new), "utf-8")
            changed = [path] if path.suffix == ".c" else [sources / file for file in kept if file not in OTHER_KERNELS]
        made = core_build.objects(core_build.QUICKLY_CHECKED, changed, Path(name))
        parts = {**kept, **{path.name: found for path, found in zip(changed, made, strict=True)}}
        library = core_build.link(core_build.QUICKLY_CHECKED, list(parts.values()), Path(name, "librrip.so"), "-shared")
        checked = core_build.asan_environment(library)
        fast = {"PYTHONDONTWRITEBYTECODE": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} if tests == CORE_TESTS else {}
        return passes(project, tests, RRIP_CORE="plain", **fast, **checked)


@functools.cache
def _sound_objects() -> dict[str, Path]:
    """Return the objects of the unchanged core, by the names of their files."""
    files = core_build.core_files()
    return dict(zip([path.name for path in files], core_build.objects(core_build.QUICKLY_CHECKED, files), strict=True))


def survives(project: Path, edit: Edit) -> bool:
    """Return whether the tests of an edit pass with it, which is a fault."""
    if is_of_core(edit):
        return passes_with_core(project, edit.tests, edit)
    path = project / "rrip_format" / edit.file
    sound = path.read_text("utf-8")
    try:
        path.write_text(sound.replace(edit.old, edit.new), "utf-8")
        return passes(project, edit.tests)
    finally:
        path.write_text(sound, "utf-8")


def _try(project: Path, edit: Edit) -> str:
    """Return what is wrong with an edit, in words, and print a line about it."""
    started, fault = time.monotonic(), ""
    try:
        if survives(project, edit):
            fault = f"{edit.name}: taken out of {edit.file}, and {edit.tests} still passes"
    except core_build.BuildError as error:
        fault = f"{edit.name}: {error}"
    print(f"{'AT FAULT' if fault else 'noticed':<9}{time.monotonic() - started:>5.0f} s  {edit.name}", flush=True)
    return fault


def run(edits: tuple[Edit, ...], *, is_fast: bool = False) -> list[str]:
    """Make every edit and run its tests, first without any edit unless `fast`; return what is wrong with them."""
    faults = [
        f"{name}: its text is not there exactly once, or it leaves what is no Python" for name in out_of_date(edits)
    ]
    core, others = [edit for edit in edits if is_of_core(edit)], [edit for edit in edits if not is_of_core(edit)]
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        copy_project(project)
        if core and not passes_with_core(project, CORE_TESTS):
            return [*faults, f"{CORE_TESTS}: fails without any edit"]
        selections = [] if is_fast else sorted({edit.tests for edit in others})
        faults += [f"{tests}: fails without any edit" for tests in selections if not passes(project, tests)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            faults += pool.map(lambda edit: _try(project, edit), core)
        faults += [_try(project, edit) for edit in others]  # in the copy itself, so one at a time
    return [fault for fault in faults if fault]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--core", action="store_true", help="edits of the compiled core alone")
    parser.add_argument("--fast", action="store_true", help="do not run the tests without any edit first")
    given = parser.parse_args()
    edits = tuple(edit for edit in ALL_EDITS if not given.names or any(name in edit.name for name in given.names))
    edits = tuple(filter(is_of_core, edits)) if given.core else edits
    if given.list:
        for edit in edits:
            print(f"{edit.file:<24}{edit.name:<45}{edit.tests}")
        return 0
    faults = run(edits, is_fast=given.fast)
    print(f"{len(edits)} edits, {len(faults)} faults", *faults, sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
