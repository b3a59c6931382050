"""Compiled kernels on disk: kept where that is possible, and missed by nobody where it is not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
if sys.argv[1] == "full":  # as a full disk: files can be made, but take not a byte
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
import numpy as np
from rrip_format import predict
assert predict.box2(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)).tolist() == [[[5, 6, 7]]]
print(sum(predict._box2.stats.cache_hits.values()))
"""


def hits(cache, disk="free"):
    """How many kernels a new process finds in a cache."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-W", "error", "-c", PROGRAM, disk]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    assert hits(cache) == 0
    return cache


def test_the_next_process_loads_what_the_first_compiled(warm):
    assert hits(warm) == 1


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
