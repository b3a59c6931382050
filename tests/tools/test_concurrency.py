"""Many readers at once, and readers while a writer replaces what they read (tools/harnesses/concurrency.py)."""

from __future__ import annotations

import dataclasses

import concurrency
import numpy as np
import pytest
from damage.specimens import MAIN_FILE, pair

SECONDS = 3


def test_many_readers_of_one_container():
    """4 processes with 8 threads: none of their reads is wrong, and none fails."""
    report = concurrency.run(SECONDS, 4, 8, is_replaced=False)
    assert report["faults"] == []
    assert report["refused"] == {}
    assert set(report["reads_by_way"]) == {
        f"{k}: {way.__name__}" for k in concurrency.KINDS for way in concurrency.WAYS
    }


def test_readers_of_a_container_that_is_replaced():
    """Pixels wholly of the old or wholly of the new one, or an error of ours."""
    report = concurrency.run(SECONDS, 2, 4, is_replaced=True)
    assert report["faults"] == []
    assert report["replacements"] > 3
    assert report["reads"] > 20


@pytest.fixture
def readers(tmp_path):
    path = tmp_path / MAIN_FILE["tiff"]
    path.write_bytes(pair(concurrency.SIDE)[0].files["tiff"][path.name])
    return {"tiff": concurrency.Reader(str(path))}


def read(readers, truths):
    tally = concurrency.Tally()
    rng = np.random.default_rng(1)
    for _ in range(20):
        concurrency._read_once(rng, readers, truths, tally)
    return tally


def test_a_mix_would_be_seen(readers):
    first, second = (slide.truth for slide in pair(concurrency.SIDE))
    assert read(readers, [first]).faults == read(readers, [second, first]).faults == []
    assert all("wrong pixels" in fault for fault in read(readers, [second]).faults)
    mixed = [level.copy() for level in first.levels]
    for level in mixed:
        level[:, level.shape[1] // 2 :] ^= 1
    assert read(readers, [dataclasses.replace(first, levels=mixed), second]).faults


def test_a_failed_read_would_be_seen(readers):
    truth = pair(concurrency.SIDE)[0].truth
    readers["tiff"] = concurrency.Reader("no-such-container.rrip.tif")
    assert len(read(readers, [truth]).faults) == 20
