"""Shared fixtures: tissue-like pictures, containers made of them, and the location of real slides."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, settings

from rrip_format import Settings

settings.register_profile(
    "rrip",
    derandomize=True,
    deadline=None,
    max_examples=50,
    database=None,
    # A session's container serves all examples: nothing in it changes between them.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("rrip")

signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells let what runs in the background ignore

PIPELINES = ["zarr.core.codec_pipeline.BatchedCodecPipeline"]
if hasattr(zarr.core.codec_pipeline, "FusedCodecPipeline"):
    PIPELINES.append("zarr.core.codec_pipeline.FusedCodecPipeline")

LONGEST_NAME = 100
"""Of a value in the name of a test, in bytes or characters."""


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name long values by their length: names stay readable, and equal in all processes that collect the tests."""
    if isinstance(val, bytes | str) and len(val) > LONGEST_NAME:
        return f"{len(val)} {'bytes' if isinstance(val, bytes) else 'characters'}"
    return None


WHITE = 255

SUFFIXES = (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif")
"""Of every kind of container."""

BRIEF = Settings(tile=64, effort="fast", steps=(8.0, 8.0, 6.0, 9.0))
"""With nothing to find out about a slide."""


def tissue(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return RGB (height, width, 3) uint8, the same for the same arguments: pink gradients and dark, sharp nuclei."""
    rng = np.random.default_rng([seed, height, width])
    y, x = np.mgrid[:height, :width].astype(np.float64)
    field = np.zeros((height, width))
    for _ in range(5):
        fy, fx, phase = rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06), rng.uniform(0, 2 * np.pi)
        field += np.sin(fy * y + fx * x + phase)
    rgb = np.stack([210 + 8 * field, 150 + 14 * field, 190 + 10 * field], -1)
    for _ in range(max(1, height * width // 900)):
        cy, cx, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(2, 7)
        top, left = max(0, int(cy - radius)), max(0, int(cx - radius))
        part = (slice(top, int(cy + radius) + 2), slice(left, int(cx + radius) + 2))
        inside = (y[part] - cy) ** 2 + (x[part] - cx) ** 2 < radius**2
        rgb[part][inside] = np.array([90, 60, 130]) + rng.uniform(-25, 25, 3)
    rgb += rng.normal(0, 3, rgb.shape)
    return np.clip(rgb, 0, 254).astype(np.uint8)  # never white, so that only what a test paints white is empty


def slide_image() -> np.ndarray:
    """Return 700 x 900 px; in families of 256 px three are white, two of these cut by an edge, and one is flat."""
    rgb = tissue(700, 900, seed=1)
    rgb[:256, :256] = WHITE
    rgb[256:512, 768:] = WHITE
    rgb[512:, 512:768] = WHITE
    rgb[:256, 256:512] = (200, 120, 160)
    return rgb


def strip_image() -> np.ndarray:
    """Return 260 x 4200 px, white from column 2048 to 4096, so that a tile of an overview level is empty too."""
    rgb = np.tile(tissue(260, 600, seed=2), (1, 7, 1))
    rgb[:, 2048:4096] = WHITE
    return rgb


def hash_tree(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative path."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def contents(path: Path) -> bytes | dict[str, str]:
    """Return a value that is equal for containers with the same bytes."""
    return hash_tree(path) if path.is_dir() else path.read_bytes()


def tile_path(container: Path, level: int, row: int, col: int) -> Path:
    """Return the path of a tile in a container in a folder, independent of the package (spec section 9)."""
    array = str(level) if level < 2 else f"base/{level - 2}"
    return container / array / "c" / "0" / str(row) / str(col)


def _converted(folder: Path, image: np.ndarray, tile: int = 64) -> SimpleNamespace:
    import rrip_format

    path = folder / "slide.rrip.zarr"
    conversion = rrip_format.convert(image, path, rrip_format.Settings(tile=tile), workers=1)
    with rrip_format.open(path) as slide:
        coding = slide.metadata.coding
        decoded = [slide.read_region(k, 0, 0, *coding.geometry.shape(k)) for k in range(coding.geometry.levels)]
    return SimpleNamespace(path=path, image=image, conversion=conversion, coding=coding, decoded=decoded)


@pytest.fixture
def small_blocks(monkeypatch) -> None:
    """Make blocks of one family, so that a small slide has several."""
    monkeypatch.setattr("rrip_format.conversion.blocks.BLOCK_PX", 256)


@pytest.fixture(scope="session")
def slide(tmp_path_factory) -> Path:
    """Write a TIFF file of 600 x 700 px in tiles, 3 x 3 families, the last one empty."""
    import tifffile

    rgb = tissue(600, 700, seed=3)
    rgb[512:, 512:] = 255
    path = tmp_path_factory.mktemp("source") / "slide.tif"
    tifffile.imwrite(path, rgb, photometric="rgb", tile=(128, 128), compression="zlib")
    return path


@pytest.fixture(scope="session")
def wanted(slide, tmp_path_factory) -> dict[str, bytes | dict[str, str]]:
    """Return the contents of uninterrupted conversions of `slide` with `BRIEF`, by suffix."""
    import rrip_format

    folder = tmp_path_factory.mktemp("wanted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rrip_format.conversion.blocks.BLOCK_PX", 256)
        for suffix in SUFFIXES:
            rrip_format.convert(slide, folder / f"a{suffix}", BRIEF, workers=2)
    return {path.name[1:]: contents(path) for path in folder.iterdir()}


@pytest.fixture(scope="session")
def container(tmp_path_factory) -> SimpleNamespace:
    """Make a container in a folder, never changed: ``path``, ``image``, ``conversion``, ``coding``, ``decoded``."""
    return _converted(tmp_path_factory.mktemp("container"), slide_image())


@pytest.fixture(scope="session")
def strip(tmp_path_factory) -> SimpleNamespace:
    """Make a container like `container`, with an empty tile at an overview level."""
    return _converted(tmp_path_factory.mktemp("strip"), strip_image())


@pytest.fixture(scope="session")
def archive(tmp_path_factory, container) -> Path:
    """Write `container` as a zip archive."""
    path = tmp_path_factory.mktemp("archive") / "slide.rrip.zarr.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for file in sorted(container.path.rglob("*")):
            if file.is_file():
                target.write(file, file.relative_to(container.path).as_posix())
    return path


@pytest.fixture(scope="session")
def kinds(tmp_path_factory, container) -> SimpleNamespace:
    """Write `container` with attachments, never changed: paths ``zarr``, ``zip``, ``tif`` and ``all``, ``decoded``."""
    from kinds import make_kinds

    return make_kinds(tmp_path_factory.mktemp("kinds"), container)


@pytest.fixture
def folder(kinds, tmp_path) -> Path:
    """Copy a folder container with attachments, to be damaged."""
    return Path(shutil.copytree(kinds.zarr, tmp_path / "slide.rrip.zarr"))


@pytest.fixture
def spoiled(container, tmp_path) -> Path:
    """Copy `container`, to be damaged."""
    return Path(shutil.copytree(container.path, tmp_path / "slide.rrip.zarr"))


@pytest.fixture(params=PIPELINES, ids=lambda path: path.rpartition(".")[2])
def pipeline(request):
    """Use each of Zarr's ways to call codecs."""
    with zarr.config.set({"codec_pipeline.path": request.param}):
        yield request.param


@pytest.fixture(scope="session")
def testdata() -> Callable[[str], Path]:
    """Return a function that finds a real slide by name, or skips the test if it is absent."""
    repository = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("RRIP_TESTDATA", repository.parent / "shared" / "testdata"))

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"test data {name} is not in {folder}; set RRIP_TESTDATA")
        return path

    return find
