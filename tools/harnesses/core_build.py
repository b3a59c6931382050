"""Compile the core for harnesses, with sanitizers or for libFuzzer; only files that have changed are compiled.

A file's object is found again by what the preprocessor makes of the file, so an edit of a header costs no more than the
files that it changes. Objects are kept in ``build/core``.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "CHECKED",
    "FUZZED",
    "KEPT",
    "QUICKLY_CHECKED",
    "SOURCES",
    "Build",
    "BuildError",
    "asan_environment",
    "core_files",
    "library",
    "link",
    "objects",
]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "rrip_format" / "core" / "src"
KEPT = ROOT / "build" / "core"

_COMMON = ("-std=c11", "-ffp-contract=off", "-fPIC", "-g1", "-fno-omit-frame-pointer", "-DRRIP_SANITIZED")
_SANITIZERS = ("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")


class BuildError(Exception):
    """The compiler or the linker failed; the message is its output."""


@dataclass(frozen=True)
class Build:
    """Compiler and options.

    Parameters
    ----------
    compiler : str
    flags : tuple of str
        For compiling and linking.
    """

    compiler: str
    flags: tuple[str, ...]

    def run(self, *arguments: str | Path) -> str:
        """Call the compiler and return its output."""
        done = subprocess.run(
            [self.compiler, *self.flags, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BuildError(f"{self.compiler} {' '.join(map(str, arguments))}:\n{done.stderr}")
        return done.stdout

    def object_of(self, source: Path, folder: Path = KEPT) -> Path:
        """Return the object of one file, compiled into a folder if there is none."""
        text = self.run("-E", "-P", f"-I{SOURCES}", source)
        key = hashlib.sha256("\0".join((self.compiler, *self.flags, text)).encode()).hexdigest()[:24]
        name = f"{source.stem}-{key}.o"
        if (KEPT / name).exists():
            return KEPT / name
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{name}.{os.getpid()}-{threading.get_ident()}"
        self.run("-c", f"-I{SOURCES}", "-o", partial, source)
        return partial.replace(folder / name)


def _find_clang() -> str:
    """Return the name of the newest Clang on this machine; Debian's package clang-14 has only that name."""
    names = ["clang", *(f"clang-{version}" for version in range(30, 13, -1))]
    return next((name for name in names if shutil.which(name)), "clang")


CHECKED = Build("gcc", (*_COMMON, *_SANITIZERS, "-O1", "-fno-var-tracking"))
"""With AddressSanitizer and UndefinedBehaviorSanitizer: whatever they notice ends the process."""

QUICKLY_CHECKED = Build("gcc", (*_COMMON, *_SANITIZERS, "-O0"))
"""The same, sooner made and slower to run."""

FUZZED = Build(_find_clang(), (*_COMMON, *_SANITIZERS, "-O1", "-fsanitize=fuzzer-no-link"))
"""The same, instrumented for libFuzzer."""


def objects(build: Build, sources: Sequence[Path], folder: Path = KEPT) -> list[Path]:
    """Compile files in parallel and return their objects in order."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        made = {  # first those that take longest
            path: pool.submit(build.object_of, path, folder)
            for path in sorted(sources, key=lambda path: not path.name.startswith("variant"))
        }
        return [made[path].result() for path in sources]


def core_files(folder: Path = SOURCES) -> list[Path]:
    """Return the C files of the core."""
    return sorted(folder.glob("*.c"))


def link(build: Build, parts: Sequence[Path], out: Path, *options: str) -> Path:
    """Link objects to a program or, with ``-shared``, a library."""
    out.parent.mkdir(parents=True, exist_ok=True)
    build.run(*options, "-o", out, *parts)
    return out


def library(build: Build, out: Path) -> Path:
    """Return the core as a shared library."""
    return link(build, objects(build, core_files()), out, "-shared")


@functools.cache
def _runtimes() -> tuple[str, ...]:
    """Return the paths of the libraries of the sanitizers."""
    names = ("libasan.so", "libubsan.so")
    return tuple(CHECKED.run(f"-print-file-name={name}").strip() for name in names)


def asan_environment(library: Path) -> dict[str, str]:
    """Return the environment in which Python can load a library of :data:`CHECKED`.

    Memory comes from malloc() alone, whose blocks are watched; Python itself leaks by design.
    """
    return {
        "LD_PRELOAD": " ".join(_runtimes()),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=16",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "RRIP_LIBRARY": str(library),
    }
