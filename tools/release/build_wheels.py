"""Build and check the wheels of all platforms, and the decoder as a WebAssembly module, on one machine.

::

    pip install '.[release]'
    python tools/release/build_wheels.py --out dist --check

All are compiled by Zig's package, whatever CC says. Checks read the library of each wheel: its format and processor,
the functions that it exports against those of ``rrip.h``, what it needs of the system, and its size. Where this machine
can run a library, itself or through qemu-user, Wine or Node, ``core_probe.c`` runs its kernels, and those of all
targets have to give the same bytes.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import compile_core
import lief
from compile_core import TARGETS, Target
from packaging.utils import parse_wheel_filename

WASM = "wasm32"

LARGEST = 2_000_000
"""Bytes of a wheel."""

GLIBC = (2, 17)
"""That of manylinux2014."""

_PROCESSORS = {
    "x86_64-linux": (lief.ELF.Binary, lief.ELF.ARCH.X86_64),
    "aarch64-linux": (lief.ELF.Binary, lief.ELF.ARCH.AARCH64),
    "x86_64-macos": (lief.MachO.Binary, lief.MachO.Header.CPU_TYPE.X86_64),
    "aarch64-macos": (lief.MachO.Binary, lief.MachO.Header.CPU_TYPE.ARM64),
    "x86_64-windows": (lief.PE.Binary, lief.PE.Header.MACHINE_TYPES.AMD64),
}

_SYSTEM_LIBRARIES = {
    "linux-gnu": {"libc.so.6"},
    "linux-musl": {"libc.so"},
    "macos": {"/usr/lib/libSystem.B.dylib"},
    "windows": set(),
}
"""All that a library may need, by the system part of a target."""

_EXPORTS = """\
const module = new WebAssembly.Module(require("fs").readFileSync(process.argv[1]));
const { exports } = new WebAssembly.Instance(module, {});
const at = exports.__heap_base.value;
exports.memory.grow(16);
new Uint8Array(exports.memory.buffer).set(Buffer.from("123456789"), at);
console.log(JSON.stringify({
    names: WebAssembly.Module.exports(module).map((entry) => entry.name),
    crc: exports.rrip_crc32c(exports.rrip_core_best(), 0, at, 9) >>> 0,
    abi: exports.rrip_abi(),
}));
"""
"""Program for Node that loads the decoder without anything to import."""

_WASI = """\
const { WASI } = require("wasi");
const wasi = new WASI({ version: "preview1", args: ["core_probe"], returnOnExit: true });
const module = new WebAssembly.Module(require("fs").readFileSync(process.argv[1]));
process.exit(wasi.start(new WebAssembly.Instance(module, wasi.getImportObject())));
"""
"""Program for Node that runs another."""


@dataclass
class Finding:
    """Results of the checks of one file."""

    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    checksum: str = ""
    """Of what the kernels give, if they were run."""

    def expect(self, fact: bool, fault: str) -> None:
        """Record a fault unless a condition holds."""
        if not fact:
            self.faults.append(fault)


def declared() -> set[str]:
    """Return the names of the functions that ``rrip.h`` declares."""
    header = (compile_core.SOURCES / "rrip.h").read_text(encoding="utf-8")
    return set(re.findall(r"^RRIP_API [^;(]*?(\w+)\(", header, re.MULTILINE))


def make_wheel(name: str, out: Path) -> Path:
    """Build the wheel of one target."""
    environment = {key: value for key, value in os.environ.items() if key != "CC"} | {"RRIP_BUILD_TARGET": name}
    with tempfile.TemporaryDirectory(prefix="rrip-") as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        done = subprocess.run(
            command, cwd=compile_core.ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise compile_core.CompileError(f"{name} was not built:\n{done.stderr}")
        [made] = Path(folder).glob("*.whl")
        return Path(shutil.move(made, out / made.name))


def extract_library(wheel: Path, target: Target, folder: Path) -> Path:
    """Extract the library from a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        member = f"rrip_format/core/{compile_core.library_name(target.system)}"
        path = Path(archive.extract(member, folder))
    path.chmod(0o755)
    return path


def check_names(wheel: Path, target: Target, finding: Finding) -> None:
    """Check the name of a wheel, and the names of its files."""
    _, _, build, tags = parse_wheel_filename(wheel.name)
    finding.expect(not build, "it has a build number")
    expected = {f"py3-none-{part}" for part in target.platform.split(".")}
    finding.expect({str(tag) for tag in tags} == expected, f"its tags are not {sorted(expected)}")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/WHEEL"))
        finding.expect("Root-Is-Purelib: false" in archive.read(metadata).decode(), "it says that it is pure")
    library = f"rrip_format/core/{compile_core.library_name(target.system)}"
    compiled = [name for name in names if name.endswith((".so", ".dylib", ".dll", ".pyd", ".lib", ".pdb"))]
    finding.expect(compiled == [library], f"its libraries are {compiled}, not {[library]}")
    sources = [name for name in names if name.startswith("rrip_format/core/src/")]
    finding.expect(sources == ["rrip_format/core/src/rrip.h"], f"its sources are {sources}, not rrip.h alone")
    finding.expect(len(names) == len(set(names)), "a name is there twice")


def check_elf(library: lief.ELF.Binary, finding: Finding) -> set[str]:
    """Check a Linux library; return the exported names."""
    versions = {
        tuple(map(int, version.name.removeprefix("GLIBC_").split(".")))
        for needed in library.symbols_version_requirement
        for version in needed.get_auxiliary_symbols()
    }
    if versions:
        newest = max(versions)
        finding.notes.append(f"glibc {'.'.join(map(str, newest))}")
        finding.expect(newest <= GLIBC, "it needs a newer glibc than 2.17")
    stacks = [segment for segment in library.segments if segment.type == lief.ELF.Segment.TYPE.GNU_STACK]
    executable = any(segment.has(lief.ELF.Segment.FLAGS.X) for segment in stacks)
    finding.expect(bool(stacks) and not executable, "its stack is executable")
    tags = {entry.tag for entry in library.dynamic_entries}
    paths = {lief.ELF.DynamicEntry.TAG.RPATH, lief.ELF.DynamicEntry.TAG.RUNPATH, lief.ELF.DynamicEntry.TAG.TEXTREL}
    finding.expect(not tags & paths, "it has search paths, or code that is changed when it is loaded")
    return {str(symbol.name) for symbol in library.exported_symbols}


def check_macho(library: lief.MachO.Binary, target: Target, finding: Finding) -> set[str]:
    """Check a macOS library; return the exported names."""
    version = library.build_version
    oldest = ".".join(map(str, version.minos[:2])) if version else "unknown"
    finding.notes.append(f"macOS {oldest}")
    finding.expect(f"macos.{oldest}" == target.triple.partition("-")[2], "it needs another macOS than its tag says")
    signed = library.has_code_signature
    finding.expect(signed or not target.triple.startswith("aarch64"), "it is not signed")
    names = {str(symbol.name) for symbol in library.exported_symbols}
    return {name.removeprefix("_") for name in names - {"__mh_dylib_header", "___dso_handle"}}


def check_library(path: Path, target: Target, finding: Finding) -> None:
    """Check the architecture, the exports and the imports of a library."""
    processor, _, system = target.triple.partition("-")
    system = system.partition(".")[0].removesuffix("-gnu") if "windows" in system else system.partition(".")[0]
    kind, machine = _PROCESSORS[f"{processor}-{system.partition('-')[0]}"]
    lief.logging.disable()  # it complains of tables that are empty
    library = lief.parse(str(path))
    if not isinstance(library, kind):
        finding.faults.append(f"its library is not for {system}")
        return
    needed: set[str] = set()
    if isinstance(library, lief.ELF.Binary):
        found: object = library.header.machine_type
        needed = {str(name) for name in library.libraries}
        exported = check_elf(library, finding)
    elif isinstance(library, lief.MachO.Binary):
        found = library.header.cpu_type
        needed = {str(command.name) for command in library.libraries} - {f"@rpath/{path.name}"}  # its own name
        exported = check_macho(library, target, finding)
    else:
        found = library.header.machine
        needed = {str(entry.name) for entry in library.imports}
        exported = {str(entry.name) for entry in library.exported_functions}
    finding.notes.append(f"{len(exported)} functions")
    finding.expect(found == machine, f"its library is not for {processor}")
    expected = declared()
    finding.expect(exported <= expected, f"it exports {sorted(exported - expected)}")
    finding.expect(exported >= expected, f"it does not export {sorted(expected - exported)}")
    more = needed - _SYSTEM_LIBRARIES[system]
    finding.expect(not more, f"it needs {sorted(more)}")


def runner(name: str) -> list[str] | None:
    """Return the command that runs a program of a target on this machine, None if there is none."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    loaders = {"manylinux-x86_64": "/lib64/ld-linux-x86-64.so.2", "musllinux-x86_64": "/lib/ld-musl-x86_64.so.1"}
    if name in loaders:
        return [] if Path(loaders[name]).exists() else None
    if name == "windows-x86_64":
        wine = shutil.which("wine64") or shutil.which("wine")
        return [wine] if wine else None
    qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    folder = Path(os.environ.get("QEMU_LD_PREFIX", "/usr/aarch64-linux-gnu"))  # of the libraries of that processor
    loaders = {"manylinux-aarch64": "lib/ld-linux-aarch64.so.1", "musllinux-aarch64": "lib/ld-musl-aarch64.so.1"}
    if qemu and name in loaders and (folder / loaders[name]).exists():
        return [qemu, "-L", str(folder)]
    return None


def make_probe(target: str, program: Path, flags: Sequence[str]) -> None:
    """Compile `core_probe.c`."""
    source = Path(__file__).with_name("core_probe.c")
    arguments = [
        "-std=gnu11",
        "-O2",
        "-ffp-contract=off",
        "-fno-sanitize=undefined",
        f"-I{compile_core.SOURCES}",
        *flags,
    ]
    compile_core.zig_compiler().run(["-target", target, *arguments, "-o", str(program), str(source)])


def run_probe(command: Sequence[str | Path], finding: Finding, environment: Mapping[str, str] = os.environ) -> None:
    """Run all kernels."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        finding.faults.append(f"it does not run: {done.stderr.strip() or done.returncode}")
    else:
        *kernels, finding.checksum = done.stdout.split()
        finding.notes.append(f"{' '.join(kernels)} give {finding.checksum}")


def try_library(path: Path, name: str, finding: Finding) -> None:
    """Run the kernels of a library, if this machine can."""
    prefix = runner(name)
    if prefix is None:
        finding.notes.append("not run here")
        return
    program = path.with_name("probe.exe")
    # Zig's choice for musl is a static program, which opens no libraries.
    make_probe(TARGETS[name].triple, program, ["-mcpu=baseline", *(["-dynamic"] if "musl" in name else [])])
    wine = {"WINEDEBUG": "-all", "WINEPREFIX": str(path.with_name("wine"))}
    run_probe([*prefix, program, path], finding, os.environ | wine)


def check_wheel(wheel: Path, name: str, *, run: bool = True) -> Finding:
    """Check a wheel of a target, and run its library if this machine can."""
    finding, target = Finding(), TARGETS[name]
    check_names(wheel, target, finding)
    if not finding.faults:
        with tempfile.TemporaryDirectory(prefix="rrip-") as folder:
            path = extract_library(wheel, target, Path(folder))
            finding.notes.append(f"library {path.stat().st_size} bytes")
            check_library(path, target, finding)
            if run:
                try_library(path, name, finding)
    return finding


def check_wasm(module: Path) -> Finding:
    """Load the decoder in Node, and run all kernels."""
    finding = Finding()
    node = shutil.which("node")
    if not node:
        finding.notes.append("not loaded here")
        return finding
    done = subprocess.run([node, "-e", _EXPORTS, module], capture_output=True, text=True, check=False)
    if done.returncode:
        finding.faults.append(f"it does not load: {done.stderr.strip()}")
        return finding
    found = json.loads(done.stdout)
    expected = {*compile_core.DECODER, "memory", "__heap_base"}
    finding.expect(set(found["names"]) == expected, f"it exports {sorted(found['names'])}, not {sorted(expected)}")
    finding.expect(found["crc"] == 0xE3069283, "it gives a wrong checksum")
    finding.notes.append(f"{len(compile_core.DECODER)} functions, loads in Node")
    with tempfile.TemporaryDirectory(prefix="rrip-") as folder:
        program = Path(folder, "probe.wasm")
        sources = [str(path) for path in compile_core.source_files()]
        make_probe("wasm32-wasi", program, [f"-mcpu={compile_core.WASM_PROCESSOR}", "-DPROBE_LINKED", *sources])
        run_probe([node, "--no-warnings", "-e", _WASI, program], finding)
    return finding


def make_wasm(out: Path) -> Path:
    """Compile the decoder to WebAssembly."""
    compile_core.compile_wasm(out / "rrip.wasm")
    return out / "rrip.wasm"


@click.command(help=__doc__.partition("\n")[0] if __doc__ else None)
@click.option("--out", type=click.Path(path_type=Path), default=Path("dist"), show_default=True, help="Folder.")
@click.option("--targets", default=",".join([*TARGETS, WASM]), show_default=True, help="Which, with commas between.")
@click.option("--check", is_flag=True, help="Check each file; exit with 1 if there is a fault.")
def main(out: Path, targets: str, check: bool) -> None:
    names = targets.split(",")
    if unknown := set(names) - {*TARGETS, WASM}:
        raise click.UsageError(f"No targets of ours: {', '.join(sorted(unknown))}.")
    out.mkdir(parents=True, exist_ok=True)
    failed, checksum = False, ""
    with tempfile.TemporaryDirectory(prefix="rrip-") as cache:
        os.environ.setdefault("ZIG_GLOBAL_CACHE_DIR", cache)  # of all targets together
        for name in names:
            start = time.perf_counter()
            try:
                made = make_wasm(out) if name == WASM else make_wheel(name, out)
            except compile_core.CompileError as error:
                raise click.ClickException(str(error)) from None
            size = made.stat().st_size
            click.echo(f"{made.name}: {size} bytes, {time.perf_counter() - start:.1f} s")
            if not check:
                continue
            finding = check_wasm(made) if name == WASM else check_wheel(made, name)
            finding.expect(size < LARGEST, f"it is larger than {LARGEST} bytes")
            checksum = checksum or finding.checksum
            finding.expect(finding.checksum in {"", checksum}, f"kernels of another target give {checksum}")
            click.echo(f"    {', '.join(finding.notes)}")
            for fault in finding.faults:
                click.echo(f"    fault: {fault}")
            failed = failed or bool(finding.faults)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
