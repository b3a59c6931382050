"""How the core comes into wheels, with a compiler that only pretends, in a small copy of the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import textwrap
import zipfile

import compile_core
import pytest

pytest.importorskip("hatchling")

LIBRARY = f"rrip_format/core/{compile_core.library_name()}"

SOURCE = '#include "rrip.h"\nint rrip_abi(void) { return RRIP_ABI; }\n'


@pytest.fixture
def tree(tmp_path):
    """What a wheel is built from, with one short C file."""
    tree = tmp_path / "tree"
    (tree / "tools/release").mkdir(parents=True)
    (tree / "rrip_format/core/src").mkdir(parents=True)
    for name in (
        ".gitignore",
        "LICENSE",
        "README.md",
        "hatch_build.py",
        "pyproject.toml",
        "rrip_format/__init__.py",
        "rrip_format/core/__init__.py",
        "rrip_format/core/names.py",
        "rrip_format/core/src/rrip.h",
        "tools/release/compile_core.py",
    ):
        shutil.copyfile(compile_core.ROOT / name, tree / name)
    (tree / "rrip_format/core/src/abi.c").write_text(SOURCE)
    return tree


@pytest.fixture
def compiler(tmp_path):
    """Make a command for CC that writes down its arguments, pauses, and writes its name as the library."""

    def make(name, *, pause=0.0):
        script = tmp_path / f"{name}.py"
        script.write_text(
            textwrap.dedent(f"""\
            import sys, time
            from pathlib import Path

            Path({str(tmp_path / f"{name}.arguments")!r}).write_text("\\n".join(sys.argv[1:]))
            time.sleep({pause})
            Path(sys.argv[sys.argv.index("-o") + 1]).write_text({name!r})
            """)
        )
        return f'"{sys.executable}" "{script}"' if os.name == "nt" else f"'{sys.executable}' '{script}'"

    return make


def start(tree, what, out, **environment):
    """A build that goes on in the background."""
    out.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if key not in {"CC", "RRIP_BUILD_TARGET"}}
    code = f"from hatchling.build import *; build_{what}({str(out)!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=tree, env=kept | environment, text=True, stderr=subprocess.PIPE
    )


def build(tree, what, out, **environment):
    """The file that a build makes."""
    process = start(tree, what, out, **environment)
    _, printed = process.communicate()
    assert process.returncode == 0, printed
    [made] = out.iterdir()
    return made


def refusal(tree, what, out, **environment):
    """What a build that fails prints."""
    process = start(tree, what, out, **environment)
    _, printed = process.communicate()
    assert process.returncode == 1
    assert not list(out.iterdir())
    assert "Traceback" not in printed
    return printed


def requirements(tree, **environment):
    """What is installed before a wheel is built."""
    kept = {key: value for key, value in os.environ.items() if key not in {"CC", "RRIP_BUILD_TARGET"}}
    code = "from hatchling.build import *; print(get_requires_for_build_wheel())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, env=kept | environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_is_for_every_python_of_one_platform(tree, tmp_path, compiler):
    wheel = build(tree, "wheel", tmp_path / "out", CC=compiler("one"))
    tag = wheel.name.removesuffix(".whl").split("-", 2)[2]
    assert tag.startswith("py3-none-")
    assert not tag.endswith("any")
    assert "linux_2_" not in tag  # nobody knows which glibc a compiler of this machine aims at
    files = contents(wheel)
    assert files[LIBRARY] == b"one"
    assert [name for name in files if "/src/" in name] == ["rrip_format/core/src/rrip.h"]
    [metadata] = [text.decode() for name, text in files.items() if name.endswith(".dist-info/WHEEL")]
    assert "Root-Is-Purelib: false" in metadata
    assert f"Tag: {tag}" in metadata
    assert (tree / LIBRARY).read_bytes() == b"one"  # where tests run


def test_cc_is_honoured_with_its_arguments(tree, tmp_path, compiler):
    build(tree, "wheel", tmp_path / "out", CC=f"{compiler('one')} -march=native")
    arguments = (tmp_path / "one.arguments").read_text().split("\n")
    assert arguments[0] == "-march=native"
    assert {"-std=c11", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-shared", "abi.c"} <= set(arguments)
    digest = compile_core.sources_digest(tree / "rrip_format/core/src")
    assert f'-DRRIP_SOURCES="{digest}"' in arguments


@pytest.mark.skipif(os.name != "posix", reason="starts a script by its name")
def test_cc_can_be_a_path_from_the_tree(tree, tmp_path, compiler):
    script = tree / "cc.sh"
    script.write_text(f'#!/bin/sh\nexec {compiler("one")} "$@"\n')
    script.chmod(0o755)
    assert contents(build(tree, "wheel", tmp_path / "out", CC="./cc.sh"))[LIBRARY] == b"one"


def test_failing_compiler_is_one_error(tree, tmp_path):
    script = tmp_path / "bad.py"
    script.write_text("import sys; print('abi.c:1: what is this?'); sys.exit(3)")
    printed = refusal(tree, "wheel", tmp_path / "out", CC=f"'{sys.executable}' '{script}'".replace("'", '"'))
    assert printed.count("abi.c:1: what is this?") == 1
    assert "exit status 3" in printed
    assert "CC" in printed
    assert not (tree / LIBRARY).exists()


def test_missing_compiler_is_one_error(tree, tmp_path):
    assert "does not start" in refusal(tree, "wheel", tmp_path / "out", CC="no-such-compiler")


def test_zig_is_installed_only_where_it_is_needed(tree, tmp_path):
    assert "ziglang" not in requirements(tree, CC="cc")
    assert "ziglang" in requirements(tree, PATH=str(tmp_path))
    assert "ziglang" in requirements(tree, RRIP_BUILD_TARGET="windows-x86_64")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' compilers are not looked for")
def test_compiler_that_cannot_compile_is_not_used(tree, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cc", "gcc"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    assert "ziglang" in requirements(tree, PATH=str(folder))


def test_editable_install_has_its_library_in_the_tree(tree, tmp_path, compiler):
    pytest.importorskip("editables")
    wheel = build(tree, "editable", tmp_path / "out", CC=compiler("one"))
    assert LIBRARY not in contents(wheel)
    assert (tree / LIBRARY).read_bytes() == b"one"


def test_target_is_one_that_there_is(tree, tmp_path):
    printed = refusal(tree, "wheel", tmp_path / "out", RRIP_BUILD_TARGET="amiga", CC="cc")
    assert "'amiga'" in printed
    assert "windows-x86_64" in printed


def test_library_for_another_machine_stays_out_of_the_tree(tree, tmp_path, compiler):
    environment = {"RRIP_BUILD_TARGET": "windows-x86_64", "CC": compiler("one")}
    wheel = build(tree, "wheel", tmp_path / "out", **environment)
    assert wheel.name.endswith("-py3-none-win_amd64.whl")
    assert contents(wheel)["rrip_format/core/rrip.dll"] == b"one"
    assert sorted(path.name for path in (tree / "rrip_format/core").iterdir()) == ["__init__.py", "names.py", "src"]
    pytest.importorskip("editables")
    assert "unset RRIP_BUILD_TARGET" in refusal(tree, "editable", tmp_path / "editable", **environment)


def test_sdist_has_the_sources_and_no_binary(tree, tmp_path, compiler):
    (tree / LIBRARY).write_bytes(b"of an earlier build")
    sdist = build(tree, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    [unpacked] = (tmp_path / "unpacked").iterdir()
    assert (unpacked / "rrip_format/core/src/abi.c").read_text() == SOURCE
    assert not (unpacked / LIBRARY).exists()
    ours = build(tree, "wheel", tmp_path / "ours", CC=compiler("one"))
    theirs = build(unpacked, "wheel", tmp_path / "theirs", CC=compiler("one"))
    assert ours.name == theirs.name
    assert contents(ours) == contents(theirs)


def test_two_builds_at_once_keep_apart(tree, tmp_path, compiler):
    outs = {name: tmp_path / name for name in ("one", "two")}
    running = [start(tree, "wheel", out, CC=compiler(name, pause=0.5)) for name, out in outs.items()]
    for process in running:
        _, printed = process.communicate()
        assert process.returncode == 0, printed
    for name, out in outs.items():
        [wheel] = out.iterdir()
        assert contents(wheel)[LIBRARY] == name.encode()
        assert not [file for file in contents(wheel) if file.endswith(".tmp")]
    assert (tree / LIBRARY).read_text() in outs
    assert not list(tree.rglob("*.tmp"))


def test_digest_knows_every_source(tree):
    folder = tree / "rrip_format/core/src"
    digests = {compile_core.sources_digest(folder)}
    (folder / "abi.c").write_text(SOURCE + "\n")
    digests.add(compile_core.sources_digest(folder))
    (folder / "abi.c").rename(folder / "abc.c")
    digests.add(compile_core.sources_digest(folder))
    (folder / "more.h").touch()
    digests.add(compile_core.sources_digest(folder))
    assert len(digests) == 4


@pytest.mark.parametrize("name", ["manylinux-x86_64", "macos-arm64", "windows-x86_64"])
def test_wheel_for_another_machine(name, tmp_path):
    pytest.importorskip("lief")
    pytest.importorskip("ziglang")
    build_wheels = pytest.importorskip("build_wheels")
    wheel = build_wheels.make_wheel(name, tmp_path)
    assert wheel.stat().st_size < build_wheels.LARGEST
    assert not build_wheels.check_wheel(wheel, name, run=False).faults


def test_decoder_for_webassembly(tmp_path):
    pytest.importorskip("lief")
    pytest.importorskip("ziglang")
    build_wheels = pytest.importorskip("build_wheels")
    assert not build_wheels.check_wasm(build_wheels.make_wasm(tmp_path)).faults


def test_webassembly_decodes_the_conformance_set(tmp_path):
    """With each of its kernels: the pixels of all valid tiles, and no pixel of an invalid one."""
    pytest.importorskip("ziglang")
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node")
    compile_core.compile_wasm(tmp_path / "rrip.wasm")
    root = compile_core.ROOT
    command = [node, root / "tools/conformance/wasm_vectors.mjs", tmp_path / "rrip.wasm", root / "spec/vectors"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["plain", "simd128"]
