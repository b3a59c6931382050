"""The reader for browsers: its compiled core, and its tests in Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec

import compile_core
import pytest

TESTS = compile_core.WASM.parent / "test"
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(not NODE, reason="Node is not installed")


def test_the_compiled_core_is_of_these_sources():
    """It says so itself; after a change of the C files, 'python tools/release/compile_core.py --wasm' renews it."""
    assert compile_core.sources_digest().encode() in compile_core.WASM.read_bytes()


@pytest.mark.skipif(not find_spec("ziglang"), reason="Zig's package is not installed")
def test_the_compiled_core_is_what_its_sources_give(tmp_path):
    compile_core.compile_wasm(tmp_path / "rrip.wasm")
    assert (tmp_path / "rrip.wasm").read_bytes() == compile_core.WASM.read_bytes()


def run_node(*names: str, **variables: str) -> str:
    """Run tests in Node; what they print is returned."""
    command = [str(NODE), "--test", "--test-reporter=tap", *(str(TESTS / name) for name in names)]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_node
def test_the_conformance_set():
    assert "valid" in run_node("vectors.test.mjs")


@needs_node
def test_requests_documents_and_servers():
    run_node("reader.test.mjs")
