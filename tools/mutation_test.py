"""Take a check out of the package, and see that a test fails: for every check that keeps a promise.

    python tools/mutation_test.py                all of them; some minutes
    python tools/mutation_test.py NAME …         those whose name contains one of these
    python tools/mutation_test.py --list         what there is

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
from dataclasses import dataclass
from pathlib import Path

import core_build
from mutation_core import CORE_EDITS

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 300
"""After which a run of tests is stopped."""


@dataclass(frozen=True)
class Edit:
    """A check to be taken out.

    Parameters
    ----------
    name : str
        What no longer happens.
    file : str
        Module of the package, or source of the compiled core.
    old, new : str
        Text that is there exactly once, and what comes in its place.
    tests : str
        What to hand to pytest, as for a shell.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str


EDITS = (
    # Stored tiles (spec sections 6 and 7)
    Edit("checksum of a tile", "spec/tile.py", "if crc32c(data) != _RESIDUE:", "if False:", "tests/test_tile.py"),
    Edit(
        "slide of a tile",
        "spec/tile.py",
        "if (level, row, col, slide) != (place.level, place.row, place.col, place.slide.bytes[:8]):",
        "if (level, row, col) != (place.level, place.row, place.col):",
        "tests/test_tile.py",
    ),
    Edit(
        "place of a tile",
        "spec/tile.py",
        "if (level, row, col, slide) != (place.level, place.row, place.col, place.slide.bytes[:8]):",
        "if slide != place.slide.bytes[:8]:",
        "tests/test_tile.py",
    ),
    Edit(
        "sum of the lengths of streams",
        "spec/tile.py",
        "sum(lengths) + TRAILER_BYTES != len(data)",
        "False",
        "tests/test_tile.py",
    ),
    Edit("lengths of unused streams", "spec/tile.py", " or any(lengths[count:])", "", "tests/test_tile.py"),
    Edit("number of streams", "spec/tile.py", "if found != count or zero or", "if zero or", "tests/test_tile.py"),
    Edit(
        "size before slicing a tile", "spec/tile.py", "if len(data) < TRAILER_BYTES:", "if False:", "tests/test_tile.py"
    ),
    Edit(
        "place of a packet",
        "family/packet.py",
        "if row >= rows or col >= cols or coding.is_empty(level, row, col):",
        "if False:",
        "tests/test_store.py -k packet",
    ),
    # Metadata (section 8)
    Edit(
        "seals",
        "spec/metadata/sealing.py",
        'if document.get("crc32c") != expected:',
        "if False:",
        "tests/test_metadata.py -k seal_notices",
    ),
    Edit(
        "number of families",
        "spec/metadata/coding.py",
        '    check_limit("families", rows * cols, "the slide", rule="limit.families")\n',
        "",
        "tests/test_metadata.py -k too_many",
    ),
    Edit(
        "length of the bitmap of empty families",
        "spec/metadata/bitmap.py",
        "if len(bits) != size_bytes or",
        "if",
        "tests/test_metadata.py -k bitmaps",
    ),
    Edit(
        "end of the bitmap's stream",
        "spec/metadata/bitmap.py",
        " or not inflate.eof",
        "",
        "tests/test_metadata.py -k bitmaps",
    ),
    Edit(
        "bytes behind the bitmap",
        "spec/metadata/bitmap.py",
        " or inflate.unused_data",
        "",
        "tests/test_metadata.py -k bitmaps",
    ),
    Edit(
        "bound on inflating the bitmap",
        "spec/metadata/bitmap.py",
        "validate=True), size_bytes + 1)",
        "validate=True))",
        "tests/test_metadata.py -k bomb",
    ),
    Edit(
        "version",
        "spec/metadata/coding.py",
        "if version > FORMAT_VERSION:",
        "if False:",
        "tests/test_metadata.py -k newer",
    ),
    Edit(
        "required features",
        "spec/metadata/coding.py",
        "if requires:",
        "if False:",
        "tests/test_metadata.py -k required",
    ),
    Edit(
        "range of the taps",
        "spec/metadata/rules.py",
        " or sum(taps) != 64 or sum(map(abs, taps)) > 90",
        "",
        "tests/test_metadata.py -k every_rule",
    ),
    Edit(
        "grey where families are empty",
        "spec/metadata/rules.py",
        'elif document.get("empty") is not None and len(set(background)) != 1:',
        "elif False:",
        "tests/test_metadata.py -k every_rule",
    ),
    # Absent tiles (section 7.3)
    Edit(
        "an absent tile is an error",
        "family/decode.py",
        "        if tile is None:\n",
        "        if tile is None:\n            return np.full((3, 64, 64), 255, np.uint8)\n",
        "tests/test_family.py -k missing_tiles",
    ),
    Edit(
        "an absent tile is an error through Zarr",
        "zarr_views/hierarchy.py",
        "    if tile is None:\n",
        "    if tile is None:\n        return b''\n",
        "tests/test_store.py -k missing_tile",
    ),
    Edit(
        "a tile is checked before it is served",
        "zarr_views/hierarchy.py",
        "    split_tile(tile, place, coding.streams(level))\n",
        "",
        'tests/test_store.py -k "damaged_tile or another_place"',
    ),
    Edit(
        "what is copied is checked",
        "containers/copying.py",
        "split_tile(tile, coding.place(*place), coding.streams(place[0]))",
        "pass",
        "tests/test_transmux.py -k damaged_tile",
    ),
    # TIFF (section 10.8)
    Edit(
        "visited IFDs of the chain",
        "containers/tiff_parser.py",
        "if at in visited:",
        "if False:",
        "tests/test_tiff.py -k bad_files",
    ),
    Edit(
        "visited private IFDs",
        "containers/tiff_reader.py",
        "if offset in visited:",
        "if False:",
        "tests/test_tiff.py -k bad_files",
    ),
    Edit(
        "extent of a tag",
        "containers/tiff_parser.py",
        "if at + field.size > source.size:",
        "if False:",
        "tests/test_tiff.py -k bad_files",
    ),
    Edit(
        "number of tags",
        "containers/tiff_parser.py",
        "if not 1 <= count <= MAX_FIELDS:",
        "if False:",
        "tests/test_tiff.py -k bad_files",
    ),
    Edit(
        "order of tags", "containers/tiff_parser.py", "if tag <= last:", "if False:", "tests/test_tiff.py -k bad_files"
    ),
    Edit(
        "end of the chain",
        "containers/tiff_parser.py",
        "    if at:\n",
        "    if False:\n",
        "tests/test_tiff.py -k bad_files",
    ),
    Edit(
        "length of a tile in the tables",
        "containers/tiff_reader.py",
        "if length > most or offset + length > self._source.size:",
        "if offset + length > self._source.size:",
        "tests/test_tiff.py -k huge_values",
    ),
    Edit(
        "size of the metadata",
        "containers/tiff_reader.py",
        '        check_limit("metadata_bytes", field.size, f"{self.name}: the object rrip", rule="limit.metadata")\n',
        "",
        "tests/test_tiff.py -k huge_values",
    ),
    Edit(
        "another container in its place",
        "containers/base.py",
        "if container.metadata.coding.uuid != uuid:",
        "if False:",
        "tests/test_transmux.py -k replaced",
    ),
    # Bytes, stores and archives
    Edit(
        "range inside the file",
        "storage/byte_source.py",
        "if min(offset, length) < 0 or offset + length > source.size:",
        "if False:",
        'tests/test_tiff.py -k "bad_files or truncated"',
    ),
    Edit(
        "short answers of a server",
        "storage/byte_source.py",
        "if len(part) != length:",
        "if False:",
        "tests/test_store.py -k server",
    ),
    Edit(
        "size of a value",
        "storage/zarr_stores.py",
        "if value is not None and len(value) > limit:",
        "if False:",
        "tests/test_robustness.py -k largest_size",
    ),
    Edit(
        "size of a small file",
        "storage/zarr_stores.py",
        "wanted = min(most, os.fstat(file).st_size)",
        "wanted = most",
        "tests/test_robustness.py -k memory",
    ),
    Edit(
        "size of a member of an archive",
        "containers/zip_reader.py",
        "if member is not None and size > most:",
        "if False:",
        "tests/test_robustness.py -k huge_member",
    ),
    Edit(
        "bound on inflating a member",
        "containers/zip_reader.py",
        ".decompress(stored, max(1, member.file_size))",
        ".decompress(stored)",
        "tests/test_robustness.py -k inflates",
    ),
    Edit(
        "the listed attachment",
        "containers/base.py",
        "if attachment_checksum(data) != container.metadata.attachments[name]:",
        "if False:",
        "tests/test_robustness.py -k attachment",
    ),
    Edit(
        "checksum of an attachment",
        "spec/attachments.py",
        'if len(stored) < 4 or crc32c(data).to_bytes(4, "little") != stored[-4:]:',
        "if False:",
        "tests/test_robustness.py -k attachment",
    ),
    # The Zarr codec (section 9.3)
    Edit(
        "shape around the codec",
        "zarr_views/codec.py",
        "if tuple(shape) != expected or tuple(found_chunk or ()) != (3, side, side):",
        "if False:",
        "tests/test_codec.py -k document",
    ),
    Edit(
        "name of the array around the codec",
        "zarr_views/codec.py",
        'if len(parts) < 5 or parts[-5:-2] != [str(level), "c", "0"]:',
        "if len(parts) < 5:",
        'tests/test_codec.py -k "told_by_its_key or another_name or other_chunk_keys"',
    ),
    # Writing (section 9.5)
    Edit("fsync", "storage/workplace.py", "os.fsync(handle)", "pass", "tests/test_durability.py"),
    Edit(
        "fsync of the folder above",
        "storage/workplace.py",
        "    flush(target.parent)\n",
        "",
        "tests/test_durability.py",
    ),
    Edit(
        "fsync of the files of a folder",
        "storage/sinks.py",
        "        _flush_all(self._unsettled)\n",
        "",
        "tests/test_durability.py",
    ),
    Edit(
        "fsync of the folders of a folder",
        "storage/sinks.py",
        "        _flush_all(folder for folder, _, _ in os.walk(self._folder))\n",
        "",
        "tests/test_durability.py",
    ),
    Edit(
        "fsync of an archive, and of the header of a TIFF",
        "storage/sinks.py",
        "            self.file.close()\n            flush(self.path)\n",
        "            self.file.close()\n",
        "tests/test_durability.py",
    ),
    Edit(
        "fsync before the header of a TIFF",
        "containers/tiff_writer.py",
        "            self._partial.settle()  # the header must not be there before what it points to\n",
        "",
        "tests/test_durability.py",
    ),
    Edit(
        "tiles of level 0 as decoded",
        "conversion/blocks.py",
        "if found is not None and _digest(found) != tile.digest:",
        "if found is not None and tile.place[0] > 0 and _digest(found) != tile.digest:",
        "tests/test_crash.py -k expects_something_else",
    ),
    Edit(
        "durable before it is noted",
        "conversion/run.py",
        "            durable.result()\n",
        "",
        "tests/test_durability.py -k noted_only_when",
    ),
    # The compiled core, which is compiled anew for each: stored tiles (section 6.2)
    Edit(
        "checksum of a tile, compiled",
        "core/src/decode.c",
        "if (core->crc32c(0, data, size - 4) != number_at(trailer + 32))",
        "if (0)",
        "tests/test_family.py -k damage_names",
    ),
    Edit(
        "place of a tile, compiled",
        "core/src/decode.c",
        "if (number_at(trailer + 12) != row || number_at(trailer + 16) != col || trailer[20] != level ||\n        ",
        "if (",
        "tests/test_family.py -k tiles_of_other_places",
    ),
    Edit(
        "slide of a tile, compiled",
        "core/src/decode.c",
        " ||\n        memcmp(trailer + 24, coding->slide, 8) != 0)",
        ")",
        "tests/test_family.py -k tiles_of_other_places",
    ),
    Edit(
        "number of streams, compiled",
        "core/src/decode.c",
        "if (trailer[21] != count || ",
        "if (",
        "tests/test_family.py -k another_number_of_planes",
    ),
    Edit(
        "sum of the lengths of streams, compiled",
        "core/src/decode.c",
        " || at != size - RRIP_TRAILER)",
        ")",
        "tests/test_vectors.py -k invalid",
    ),
    Edit(
        "a base tile without a picture, compiled",
        "core/src/decode.c",
        "return level >= 2 && streams[0].size == 0 ? RRIP_TILE_EMPTY : 0;",
        "return 0;",
        "tests/test_family.py -k bad_streams",
    ),
    # JPEG streams (section 6.1)
    Edit(
        "frame size before decoding",
        "core/src/jpeg_header.c",
        "if (numbers[0] != side || numbers[1] != side || numbers[2] != planes)",
        "if (numbers[2] != planes)",
        "tests/test_jpeg.py -k a_size_that",
    ),
    Edit(
        "subsampling",
        "core/src/jpeg_header.c",
        "if (component[1] != 0x11)",
        "if (0)",
        "tests/test_jpeg.py -k subsampled",
    ),
    Edit(
        "end of the scan's data",
        "core/src/jpeg_scan.c",
        "return spent > bits ? RRIP_EARLY : bits",
        "return bits",
        "tests/test_jpeg_decoder.py -k ends_early",
    ),
    Edit(
        "data behind the last block",
        "core/src/jpeg_scan.c",
        "bits - spent >= 8 ? RRIP_LATE : 0",
        "0",
        "tests/test_jpeg_decoder.py -k goes_on",
    ),
    Edit(
        "order of restart markers",
        "core/src/jpeg_scan.c",
        " || (data[at + 1] & 7) != ((part - 1) & 7)",
        "",
        "tests/test_jpeg_decoder.py -k out_of_order",
    ),
    Edit(
        "a code that is none",
        "core/src/kernel_scan.h",
        "if (found.taken == 0)",
        "if (0)",
        "tests/test_jpeg_decoder.py -k symbol_that_is_none",
    ),
    Edit(
        "coefficients behind the last one",
        "core/src/kernel_scan.h",
        "if (last > 63)",
        "if (0)",
        "tests/test_jpeg_decoder.py -k too_many_coefficients",
    ),
)

CORE = Path("core", "src")
CORE_TESTS = "tests/test_core_hostile.py --noconftest"
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
    """Whether an edit is one of the compiled core."""
    return edit.file.startswith(CORE.as_posix())


def out_of_date(edits: tuple[Edit, ...] = ALL_EDITS) -> list[str]:
    """Names of edits whose text is not in its file exactly once, or which leave what is no Python."""
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
    """A copy to edit, with the compiled core."""
    for name in ("rrip_format", "tests", "tools", "spec"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns(".pytest_cache"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, target / name)


def passes(project: Path, tests: str, **environment: str) -> bool:
    """Whether tests pass on a copy."""
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *shlex.split(tests)]
    try:
        return not subprocess.run(
            command, cwd=project, env=environment, capture_output=True, timeout=SECONDS, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return False


def passes_with_core(project: Path, tests: str, edit: Edit | None = None) -> bool:
    """Whether tests pass on a copy with the core compiled anew, after an edit of it or without any.

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
    """Objects of the core as it is, by the names of their files."""
    files = core_build.core_files()
    return dict(zip([path.name for path in files], core_build.objects(core_build.QUICKLY_CHECKED, files), strict=True))


def survives(project: Path, edit: Edit) -> bool:
    """Whether the tests of an edit pass with it, which they must not."""
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
    """What is wrong with an edit, in words; a line is printed of each."""
    started, fault = time.monotonic(), ""
    try:
        if survives(project, edit):
            fault = f"{edit.name}: taken out of {edit.file}, and {edit.tests} still passes"
    except core_build.BuildError as error:
        fault = f"{edit.name}: {error}"
    print(f"{'AT FAULT' if fault else 'noticed':<9}{time.monotonic() - started:>5.0f} s  {edit.name}", flush=True)
    return fault


def run(edits: tuple[Edit, ...], *, is_fast: bool = False) -> list[str]:
    """Make every edit and run its tests, first without any edit if it is not to be fast; what is wrong with them."""
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
