"""DICOM exports of the slide of the tests, and readers of them.

A module of tests that imports this is skipped where one of the readers is missing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kinds import MPP
from test_export_metadata import copy

from rrip_format.exporters.run import export
from rrip_format.spec.metadata import JPEG, Compression

imagecodecs = pytest.importorskip("imagecodecs")
openslide = pytest.importorskip("openslide")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("PIL.Image")
try:
    import wsidicom
except ImportError:
    wsidicom = None  # type: ignore[assignment]  # which only some tests need

PROPERTIES = {
    "dicom.PatientName": "Müller^Anna",
    "dicom.PatientID": "P-0815",
    "dicom.PatientBirthDate": "on a monday",
    "dicom.StudyInstanceUID": "1.2.826.0.1.77",
    "dicom.SpecimenDescriptionSequence[0].SpecimenIdentifier": "S-0815",
    "dicom.Manufacturer": "Maker",
    "dicom.ManufacturerModelName": "Model 5",
    "dicom.SoftwareVersions[0]": "1.2.3",
    "dicom.FocusMethod": "MANUAL",
    "aperio.Filename": "0815",
}  # fmt: skip
COMPRESSIONS = (Compression(JPEG, True, 30), Compression("WebP", True, None, None, 12.5), Compression("LZW", False))


@pytest.fixture(scope="module", name="told")
def fixture_told(kinds, tmp_path_factory) -> Path:
    """A container that knows everything that one can know of its slide."""
    path = tmp_path_factory.mktemp("told") / "slide.rrip.tif"
    about = {"objective": 40, "vendor": "dicom", "properties": PROPERTIES, "source_name": "Müller.svs"}
    return copy(kinds.zarr, path, mpp=MPP, compressions=COMPRESSIONS, **about)


@pytest.fixture(scope="module", name="exported")
def fixture_exported(kinds, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "out"
    assert export(kinds.tif, folder, kind="dicom", quality=95) == sum(path.stat().st_size for path in folder.iterdir())
    return folder


def jpegs(path: Path) -> list[bytes]:
    dataset = pydicom.dcmread(path)
    extended = dataset.get("ExtendedOffsetTable")
    tables = None if extended is None else (extended, dataset.ExtendedOffsetTableLengths)
    count = int(dataset.NumberOfFrames)
    return list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=count, extended_offsets=tables))


def joined(path: Path, tiles: list[np.ndarray]) -> np.ndarray:
    """Put frames together to the picture of an instance."""
    header = pydicom.dcmread(path, stop_before_pixels=True)
    height, width = header.TotalPixelMatrixRows, header.TotalPixelMatrixColumns
    across, down = -(-width // header.Columns), -(-height // header.Rows)
    assert len(tiles) == across * down
    rows = [np.concatenate(tiles[row * across : (row + 1) * across], axis=1) for row in range(down)]
    return np.concatenate(rows)[:height, :width]


def decoded(path: Path) -> np.ndarray:
    """What the JPEG frames of an instance decode to."""
    return joined(path, [imagecodecs.jpeg8_decode(jpeg) for jpeg in jpegs(path)])


def by_openslide(folder: Path) -> list[np.ndarray]:
    with openslide.OpenSlide(folder / "level-0.dcm") as slide:
        sizes = slide.level_dimensions
        regions = [np.asarray(slide.read_region((0, 0), level, size)) for level, size in enumerate(sizes)]
    assert all((region[..., 3] == 255).all() for region in regions)
    return [region[..., :3] for region in regions]


def read_header(path: Path):
    return pydicom.dcmread(path, stop_before_pixels=True)
