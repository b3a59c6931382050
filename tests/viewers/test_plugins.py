"""What the plug-ins of other programs need of this package, whether these programs are installed or not."""

from __future__ import annotations

import importlib.util
from importlib.metadata import distribution, requires

import pytest

import rrip_format
from rrip_format.containers.recognition import is_container
from rrip_format.errors import ExtraMissingError

MODULES = {"xarray.backends": "xarray", "large_image.source": "large_image", "bioio.readers": "bioio_base"}
"""By the group of an entry point, the module that it needs."""


def test_bioio_finds_one_version_of_its_base():
    """It raises for every image where a package with a reader names bioio-base otherwise than once."""
    assert len([name for name in requires("rrip-format") or [] if name.startswith("bioio-base")]) == 1
    assert [point.name for point in distribution("rrip-format").entry_points if point.group == "bioio.readers"] == [
        "rrip-format"
    ]


@pytest.mark.parametrize("group", MODULES)
def test_a_plug_in_without_its_program_names_the_extra(group):
    (point,) = (point for point in distribution("rrip-format").entry_points if point.group == group)
    if importlib.util.find_spec(MODULES[group]):
        assert point.load() is not None
    else:
        with pytest.raises(ExtraMissingError, match="pip install 'rrip-format"):
            point.load()


def test_containers_are_told_from_other_files(kinds, tmp_path):
    assert all(is_container(path) and is_container(str(path)) for path in kinds.all)
    (tmp_path / "text").write_text("II+")
    (tmp_path / "folder").mkdir()
    for other in (tmp_path / "text", tmp_path / "folder", tmp_path / "nothing", None, 3, "", "x" * 5000, "\0"):
        assert not is_container(other)
    assert is_container("https://host/a.rrip.tif?key=1")
    assert not is_container("https://host/a.tif")


def test_a_damaged_container_is_still_one(kinds, tmp_path):
    data = bytearray(kinds.tif.read_bytes())
    data[data.rindex(b'"width":') + 8] ^= 1
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(rrip_format.FormatError):
        rrip_format.open(tmp_path / "a.tif")
    assert is_container(tmp_path / "a.tif")
