"""Compiled kernels on disk: kept where that is possible, and missed by nobody where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rrip_format.core import predict

PROGRAM = """
import resource, sys
if sys.argv[1] == "full":  # as a full disk: files can be made, but take not a byte
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
import numpy as np
from rrip_format.core import predict
assert predict.box2(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)).tolist() == [[[5, 6, 7]]]
print(sum(predict._box2.stats.cache_hits.values()))
"""


def hits(cache, disk="free", **environment):
    """How many kernels a new process finds in a cache."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), **environment}
    command = [sys.executable, "-W", "error", "-c", PROGRAM, disk]
    options = {
        "cwd": cache.parent,
        "capture_output": True,
        "text": True,
        "timeout": 120,
    }  # not where the package may be
    result = subprocess.run(command, env=environment, check=False, **options)
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    assert hits(cache) == 0
    return cache


def test_the_next_process_loads_what_the_first_compiled(warm):
    assert hits(warm) == 1


def test_machine_code_of_other_sources_is_compiled_anew(tmp_path):
    """Also if the file of the kernel itself is the same: what it calls may be another."""
    package = Path(predict.__file__).parent
    copy = tmp_path / "copy" / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    cache, path = tmp_path / "cache", {"PYTHONPATH": str(copy.parent)}
    assert [hits(cache, **path) for _ in range(2)] == [0, 1]
    with (copy / "jpeg_idct.py").open("a") as file:
        file.write("# changed\n")
    assert [hits(cache, **path) for _ in range(2)] == [0, 1]
    with (copy / "layout.py").open("a") as file:  # without kernels
        file.write("# changed\n")
    assert hits(cache, **path) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_is_no_error(tmp_path):
    assert hits(tmp_path, "full") == 0
    assert not [path for path in tmp_path.rglob("*.nb*") if path.stat().st_size]


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"\x80\x05rubbish"], ids=["empty", "rubbish"])
def test_a_damaged_cache_is_no_error(warm, kind, content):
    (file,) = warm.rglob(f"*.{kind}")
    whole = file.read_bytes()
    file.write_bytes(content)
    try:
        assert hits(warm) == 0
    finally:
        file.write_bytes(whole)
