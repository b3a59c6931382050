"""Files that change or are cut off while they are open: an error, and never a crash or a mixture."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image
from source_pictures import read_all

import rrip_format
from rrip_format.cli import main
from rrip_format.errors import SourceError
from rrip_format.sources import open_source

SIDE = 600
NOISE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
KINDS = {
    "array.tif": lambda path, pixels: tifffile.imwrite(path, pixels, photometric="rgb"),
    "planes.tif": lambda path, pixels: tifffile.imwrite(
        path, np.moveaxis(pixels, -1, 0), photometric="rgb", planarconfig="separate"
    ),
    "tiles.tif": lambda path, pixels: tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64)),
    "lzw.tif": lambda path, pixels: tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), compression="lzw"),
    "a.png": lambda path, pixels: Image.fromarray(pixels).save(path, compress_level=0),
    "a.jpg": lambda path, pixels: Image.fromarray(pixels).save(path, quality=95),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_cut_off_while_it_is_open(name, tmp_path):
    """What was mapped would end the process with a bus error."""
    path = tmp_path / name
    KINDS[name](path, NOISE)
    with open_source(path) as source:
        truth = read_all(source)
    with open_source(path) as source:
        os.truncate(path, 5000)
        try:
            np.testing.assert_array_equal(read_all(source), truth)  # it was in memory
        except SourceError as error:
            assert "cut off since it was opened" in str(error)  # noqa: PT017 - either is right
        assert source.fingerprint() != source.as_opened


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("how", ["cut off", "replaced", "written"])
def test_a_source_that_changes_before_it_is_converted(name, how, tmp_path):
    """The record of a container is that of the file whose pixels it has."""
    path, other = tmp_path / name, tmp_path / f"other-{name}"
    KINDS[name](path, NOISE)
    KINDS[name](other, 255 - NOISE)
    os.utime(path, ns=(1, 1))
    target = tmp_path / "a.rrip.zarr"
    with open_source(path) as source:
        if how == "cut off":
            os.truncate(path, 5000)
        elif how == "replaced":
            other.replace(path)
        else:
            path.write_bytes(other.read_bytes())
        with pytest.raises(SourceError):
            rrip_format.convert(source, target)
    assert not target.exists()


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_written_while_it_is_opened(name, tmp_path, monkeypatch):
    path = tmp_path / name
    KINDS[name](path, NOISE)
    real = rrip_format.sources._open_path

    def open_late(*arguments, **options):
        source = real(*arguments, **options)
        os.utime(path, ns=(1, 1))
        return source

    monkeypatch.setattr(rrip_format.sources, "_open_path", open_late)
    result = CliRunner().invoke(main, ["convert", str(path), str(tmp_path / "a.rrip.zarr")])
    assert result.exit_code == 1
    assert "has changed while it was opened" in result.output
