"""A slide whose luma is filtered (spec section 5.8), through every way that reads, copies or saves it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from conftest import tissue
from plain.slide import Slide as PlainSlide
from plain.slide import open_container as open_plain

import rrip_format
from rrip_format import RripSlide, RripStore, Settings
from rrip_format.containers.copying import transmux

SUFFIXES = (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif", ".rrip")
WIDTH, HEIGHT = 420, 300


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One slide of 2 x 2 families, the right and lower ones cut off, in each kind; levels by the second decoder."""
    folder = tmp_path_factory.mktemp("filtered")
    paths = [folder / f"slide{suffix}" for suffix in SUFFIXES]
    settings = Settings(tile=64, luma_filter=True, steps=(14, 14, 14, 14))
    rrip_format.convert(tissue(HEIGHT, WIDTH), paths[0], settings, mpp=0.5)
    for path in paths[1:]:
        transmux(paths[0], path)
    plain = PlainSlide(open_plain(paths[0]))
    assert plain.coding.residuals[0].luma_filter is not None
    levels = [plain.region(level, 0, 0, *plain.coding.size(level)).transpose(1, 2, 0) for level in range(3)]
    return SimpleNamespace(paths=paths, levels=levels, weights=list(plain.coding.residuals[0].luma_filter))


@pytest.mark.parametrize("kind", range(4))
def test_every_kind_reads_the_pixels_of_the_second_decoder(filtered: SimpleNamespace, kind: int) -> None:
    path = filtered.paths[kind]
    with rrip_format.open(path) as slide:
        for level, wanted in enumerate(filtered.levels):
            np.testing.assert_array_equal(slide.read_region(level, 0, 0, *wanted.shape[:2]), wanted)
        for top, left, height, width in ((0, 0, 1, 1), (255, 255, 2, 2), (299, 419, 1, 1), (100, 200, 90, 130)):
            part = filtered.levels[0][top : top + height, left : left + width]
            np.testing.assert_array_equal(slide.read_region(0, top, left, height, width), part)
        again = pickle.loads(pickle.dumps(slide))
        np.testing.assert_array_equal(again.read_region(0, 0, 0, HEIGHT, WIDTH), filtered.levels[0])
        assert slide.metadata.to_json()["coding"]["residuals"][0]["luma_filter"] == filtered.weights
    np.testing.assert_array_equal(rrip_format.imread(path), filtered.levels[0])
    assert rrip_format.validate(path) == []
    with RripSlide(path) as slide:
        rgba = np.asarray(slide.read_region((100, 50), 0, (90, 80)))
        np.testing.assert_array_equal(rgba[..., :3], filtered.levels[0][50:130, 100:190])
    for zarr_format in (2, 3):
        group = zarr.open_group(RripStore(path, zarr_format=zarr_format), mode="r", zarr_format=zarr_format)
        np.testing.assert_array_equal(np.moveaxis(group["0"][:], 0, -1), filtered.levels[0])


def test_the_codec_reads_it_by_a_plain_path(filtered: SimpleNamespace) -> None:
    group = zarr.open_group(str(filtered.paths[0]), mode="r")
    for level, wanted in enumerate(filtered.levels):
        np.testing.assert_array_equal(np.moveaxis(group[str(level)][:], 0, -1), wanted)
    np.testing.assert_array_equal(group["0"][:, 250:260, 3:300], filtered.levels[0][250:260, 3:300].transpose(2, 0, 1))
    coding = json.loads((filtered.paths[0] / "0" / "zarr.json").read_bytes())["codecs"][0]["configuration"]["coding"]
    assert coding["requires"] == ["luma-filter"]
    assert coding["residuals"][0]["luma_filter"] == filtered.weights


@pytest.mark.parametrize("kind", [1, 2])
def test_references_have_the_filter(filtered: SimpleNamespace, kind: int) -> None:
    refs = rrip_format.references(filtered.paths[kind])["refs"]
    for level in "012":
        document = json.loads(refs[f"{level}/zarr.json"])
        assert document["codecs"][0]["configuration"]["coding"]["requires"] == ["luma-filter"]


@pytest.mark.parametrize("kind", range(4))
def test_a_copy_and_what_is_saved_have_the_same_pixels(filtered: SimpleNamespace, tmp_path: Path, kind: int) -> None:
    for suffix in SUFFIXES:
        copy = tmp_path / f"copy{suffix}"
        transmux(filtered.paths[kind], copy)
        np.testing.assert_array_equal(rrip_format.imread(copy), filtered.levels[0])
    saved = tmp_path / "saved.rrip.tif"
    assert not rrip_format.repair(filtered.paths[kind], saved)
    np.testing.assert_array_equal(rrip_format.imread(saved), filtered.levels[0])


def test_a_slide_without_its_root_is_saved_with_its_filter(filtered: SimpleNamespace, tmp_path: Path) -> None:
    import shutil

    broken = Path(shutil.copytree(filtered.paths[0], tmp_path / "broken.rrip.zarr"))
    (broken / "zarr.json").unlink()
    rrip_format.repair(broken, tmp_path / "saved.rrip.zarr")
    np.testing.assert_array_equal(rrip_format.imread(tmp_path / "saved.rrip.zarr"), filtered.levels[0])


@pytest.mark.parametrize("target", ["a.tif", "a.dzi", "a.dcm"])
def test_an_export_starts_from_filtered_pixels(filtered: SimpleNamespace, tmp_path: Path, target: str) -> None:
    """Exports are JPEG: at quality 100 they are nearer to filtered pixels than to the others."""
    import imagecodecs
    import tifffile

    kind = {"kind": "dicom"} if target == "a.dcm" else {}
    path = tmp_path / (target if not kind else "dicom")
    rrip_format.export(filtered.paths[2], path, quality=100, **kind)
    if target == "a.tif":
        found = tifffile.imread(path, level=0)
    elif target == "a.dzi":
        first = max((tmp_path / "a_files").glob("*/0_0.jpeg"), key=lambda file: int(file.parent.name))
        found = imagecodecs.imread(first)
    else:
        pydicom = pytest.importorskip("pydicom")
        files = [pydicom.dcmread(file) for file in path.rglob("*.dcm")]
        finest = max(files, key=lambda each: getattr(each, "TotalPixelMatrixColumns", 0))
        frame = pydicom.encaps.get_frame(finest.PixelData, 0, number_of_frames=int(finest.NumberOfFrames))
        found = imagecodecs.jpeg8_decode(frame)
    height, width = min(found.shape[0], 200), min(found.shape[1], 200)
    unfiltered = plain_without_filter(filtered.paths[0])
    error, other = (
        np.square(found[:height, :width].astype(float) - levels[:height, :width]).mean()
        for levels in (filtered.levels[0], unfiltered)
    )
    assert error < 0.7 * other


def plain_without_filter(path: Path) -> np.ndarray:
    from dataclasses import replace

    slide = PlainSlide(open_plain(path))
    first, second = slide.coding.residuals
    slide.coding = replace(slide.coding, residuals=(replace(first, luma_filter=None), second))
    return slide.region(0, 0, 0, HEIGHT, WIDTH).transpose(1, 2, 0)


def test_info_tells_of_it(filtered: SimpleNamespace) -> None:
    from rrip_format.slides.describing import format_info

    found = rrip_format.info(filtered.paths[2])
    assert found["metadata"]["coding"]["residuals"][0]["luma_filter"] == filtered.weights
    assert f"luma of level 0, weights {', '.join(map(str, filtered.weights))}" in format_info(found)
