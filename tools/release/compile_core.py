"""Compile ``rrip_format/core/src`` with a C compiler that takes the options of GCC, or with that of Zig's package.

Wheels (``hatch_build.py``, ``build_wheels.py``) and harnesses compile by this module alone, and it imports nothing of
the package, which is not installed yet while a wheel is built. As a command it renews the library of a source tree, or
the decoder for browsers, which is kept in the repository because few machines can compile it::

    python tools/release/compile_core.py
    python tools/release/compile_core.py --wasm
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "rrip_format" / "core"
SOURCES = CORE / "src"
WASM = ROOT / "rrip_format" / "web" / "rrip.wasm"

library_name: Callable[[str], str] = runpy.run_path(str(CORE / "names.py"))["library_name"]

ZIG_REQUIREMENT = "ziglang==0.17.*"
"""The package that brings a C compiler for all targets; its options change from version to version."""

FLAGS = (
    *("-std=c11", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno", "-fvisibility=hidden", "-g0"),
    *("-Wall", "-Wextra"),
)

_TIME_LIMIT = 600
"""Of one call of a compiler, s: one that found no place for its cache has been seen to wait for ever."""

_TRIAL = """\
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
__attribute__((target("avx512bw,avx512vbmi,crc32"))) __m512i rrip_trial(__m512i a, __m512i b)
{
    return _mm512_permutexvar_epi8(a, b);
}
#else
void rrip_trial(void *to, const void *from, size_t size) { memcpy(to, from, size); }
#endif
"""
"""What a compiler of ours has: C11, the headers of a C library, and the newest instructions that we name."""

DECODER = (
    "rrip_abi",
    "rrip_core_best",
    "rrip_core_list",
    "rrip_core_name",
    "rrip_core_named",
    "rrip_crc32c",
    "rrip_decode_scratch",
    "rrip_decode_stream",
    "rrip_decode_tile",
    "rrip_sources",
)
"""Functions that the WebAssembly module exports."""

WASM_PROCESSOR = "generic+simd128+bulk_memory"
"""What every browser has had since 2023."""


class CompileError(Exception):
    """No compiler was found, or one failed; the message is for the person who installs the package."""


@dataclass(frozen=True)
class Target:
    """Platform to compile for."""

    triple: str
    """As Zig names it, with the oldest C library or system that has to do."""
    platform: str
    """Platform tags of a wheel."""
    system: str
    """``sys.platform``."""


TARGETS = {
    "manylinux-x86_64": Target("x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64.manylinux2014_x86_64", "linux"),
    "manylinux-aarch64": Target("aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64.manylinux2014_aarch64", "linux"),
    "musllinux-x86_64": Target("x86_64-linux-musl", "musllinux_1_2_x86_64", "linux"),
    "musllinux-aarch64": Target("aarch64-linux-musl", "musllinux_1_2_aarch64", "linux"),
    "macos-x86_64": Target("x86_64-macos.11.0", "macosx_11_0_x86_64", "darwin"),
    "macos-arm64": Target("aarch64-macos.11.0", "macosx_11_0_arm64", "darwin"),
    "windows-x86_64": Target("x86_64-windows-gnu", "win_amd64", "win32"),
}
"""By name, those that wheels are made for."""


@dataclass(frozen=True)
class Compiler:
    """Command line of a C compiler."""

    command: tuple[str, ...]
    zig: bool = False

    def run(self, arguments: Sequence[str], folder: Path = SOURCES) -> str:
        """Call the compiler in a folder and return its output.

        Raises
        ------
        CompileError
            With what the compiler printed, if it fails or does not come to an end.
        """
        command = [*self.command, *arguments]
        with tempfile.TemporaryDirectory(prefix="rrip-") as cache:
            environment = dict(os.environ)
            if self.zig:  # its cache's usual place is in a home folder, which there may be none of
                environment.setdefault("ZIG_GLOBAL_CACHE_DIR", cache)
                environment.setdefault("ZIG_LOCAL_CACHE_DIR", environment["ZIG_GLOBAL_CACHE_DIR"])
            try:
                done = subprocess.run(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    timeout=_TIME_LIMIT,
                    check=False,
                )
            except OSError as error:
                raise CompileError(f"The C compiler does not start: {error}\n{shlex.join(command)}") from None
            except subprocess.TimeoutExpired:
                raise CompileError(f"The C compiler took over {_TIME_LIMIT} s:\n{shlex.join(command)}") from None
        if done.returncode:
            raise CompileError(
                f"The C compiler failed (exit status {done.returncode}); the environment variable CC chooses another:\n"
                f"{shlex.join(command)}\n{done.stdout}"
            )
        return done.stdout


def named_compiler(environment: Mapping[str, str] = os.environ) -> Compiler | None:
    """Return the compiler in the environment variable CC, with its arguments."""
    words = shlex.split(environment.get("CC", ""), posix=os.name == "posix")
    if not words:
        return None
    if os.path.dirname(words[0]):  # noqa: PTH120 - Path drops the dot of ./cc
        words[0] = str(Path(words[0]).resolve())  # because it is called in another folder
    return Compiler(tuple(words))


@functools.cache
def system_compiler() -> Compiler | None:
    """Return the compiler of a Linux machine, if it works: some lack the headers of a C library."""
    if sys.platform != "linux":
        return None
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if not found:
            continue
        with tempfile.TemporaryDirectory(prefix="rrip-") as folder:
            trial = Path(folder, "trial.c")
            trial.write_text(_TRIAL)
            try:
                Compiler((found,)).run(["-std=c11", "-fPIC", "-shared", "-o", "trial.so", trial.name], Path(folder))
            except CompileError:
                continue
        return Compiler((found,))
    return None


def zig_compiler() -> Compiler:
    """Return the compiler of Zig's package, None if it is not installed."""
    return Compiler((sys.executable, "-m", "ziglang", "cc"), zig=True)


def find_compiler(*, cross: bool = False) -> Compiler:
    """Return CC if it is set, for this machine its own compiler, otherwise that of Zig's package."""
    return named_compiler() or (None if cross else system_compiler()) or zig_compiler()


def native_target() -> Target | None:
    """Return the target whose wheels this Python accepts, if there is one."""
    from packaging.tags import platform_tags

    accepted = set(platform_tags())
    return next((target for target in TARGETS.values() if accepted & set(target.platform.split("."))), None)


def source_files(folder: Path = SOURCES) -> list[Path]:
    """Return the C files in the order of compilation."""
    return sorted(folder.glob("*.c"))


def sources_digest(folder: Path = SOURCES) -> str:
    """Return the SHA-256 of all C files and headers, which is compiled into the library."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.c"), *folder.glob("*.h")]):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _zig_folder() -> Path:
    spec = importlib.util.find_spec("ziglang")
    if not spec or not spec.origin:
        raise CompileError(
            "No C compiler: the environment variable CC names none, this machine has none that works, and the package "
            f'"{ZIG_REQUIREMENT}" is not installed.'
        )
    return Path(spec.origin).parent


def _definitions() -> list[str]:
    return [f'-DRRIP_SOURCES="{sources_digest()}"']


def _names() -> list[str]:
    names = [path.name for path in source_files()]  # without folders, so that the result does not depend on them
    if not names:
        raise CompileError(f"There are no C files in {SOURCES}.")
    return names


def _zig_flags(target: Target) -> list[str]:
    # Zig compiles for the processor that it runs on, unless told otherwise, and checks for undefined behaviour.
    flags = ["-target", target.triple, "-mcpu=baseline", "-fno-sanitize=undefined"]
    if target.system == "win32":
        # Zig would compile the whole of MinGW's C library first, a minute's work for four functions, which its own
        # small library has too. What has no C library has no headers of one either.
        headers = _zig_folder() / "lib" / "libc" / "include" / "any-windows-any"
        flags += ["-nostdlib", "-isystem", str(headers), "-lcompiler_rt", "-Wl,--no-entry"]
    return flags


def compile_library(output: Path, compiler: Compiler, target: Target | None = None, flags: Sequence[str] = ()) -> str:
    """Compile the core to a shared library and return the output of the compiler.

    Parameters
    ----------
    output : Path
        The library, which is replaced in one step, so that whoever has opened it or opens it sees a whole one.
    compiler : Compiler
        As `find_compiler` chooses it.
    target : Target, optional
        What the compiler compiles for; this machine where there is none.
    flags : sequence of str, optional
        Further arguments of the compiler, which come behind ours.

    Raises
    ------
    CompileError
        If it fails, or Zig knows no target for this machine.
    """
    system = target.system if target else sys.platform
    arguments = [*FLAGS, "-shared", *_definitions()]
    if compiler.zig:
        _zig_folder()
        target = target or native_target()
        if not target:
            raise CompileError("No C compiler works, and Zig's is not used for such machines: set CC to one.")
        arguments += _zig_flags(target)
    if system != "win32":
        arguments.append("-fPIC")
    if system == "darwin":
        arguments.append(f"-Wl,-install_name,@rpath/{library_name(system)}")
    elif system != "win32":
        arguments.append("-Wl,-z,defs")  # what is missing shows now, not when the library is opened
    if compiler.zig or system != "darwin":
        arguments.append("-s")  # Apple's linker calls it obsolete
    with tempfile.TemporaryDirectory(prefix="rrip-") as folder:
        made = Path(folder, library_name(system))  # with what else linkers leave beside it
        printed = compiler.run([*arguments, *flags, "-o", str(made), *_names()])
        replace_file(made, output)
    return printed


def replace_file(made: Path, output: Path) -> None:
    """Move a file to its destination, maybe on another file system, in one step."""
    handle, name = tempfile.mkstemp(prefix=f"{output.name}.", suffix=".tmp", dir=output.parent)
    os.close(handle)
    beside = Path(name)
    try:
        shutil.copyfile(made, beside)
        beside.chmod(0o755)
        beside.replace(output)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def compile_wasm(output: Path) -> None:
    """Compile the decoder to a WebAssembly module that needs nothing from its host.

    It exports `DECODER`, ``memory``, which grows, and ``__heap_base``, behind which memory is the host's.
    """
    include = _zig_folder() / "lib" / "libc" / "include"
    arguments = [*FLAGS, *_definitions(), "-DRRIP_DECODER_ONLY", "-s", "-fno-sanitize=undefined"]
    arguments += ["-target", "wasm32-freestanding", f"-mcpu={WASM_PROCESSOR}"]
    for headers in ("wasm-wasi-musl", "generic-musl"):  # of a C library, which this target has none of
        arguments += ["-isystem", str(include / headers)]
    arguments.append("-Wl,--no-entry")
    arguments += [f"-Wl,--export={name}" for name in (*DECODER, "__heap_base")]
    with tempfile.TemporaryDirectory(prefix="rrip-") as folder:
        made = Path(folder, "rrip.wasm")
        zig_compiler().run([*arguments, "-o", str(made), *_names()])
        replace_file(made, output)


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--wasm"]:
            compile_wasm(WASM)
        else:
            print(compile_library(CORE / library_name(sys.platform), find_compiler()), end="")
    except CompileError as failure:
        sys.exit(str(failure))
