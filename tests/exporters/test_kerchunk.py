"""``rrip export`` of kerchunk references: a file that fsspec opens as a Zarr hierarchy."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from kinds import serve
from versions import skip_below

import rrip_format
from rrip_format.cli import main
from rrip_format.errors import StorageError, TargetError

fsspec = pytest.importorskip("fsspec")


def opened(path) -> zarr.Group:
    store = zarr.storage.FsspecStore.from_url(
        "reference://",
        storage_options={"fo": str(path), "asynchronous": True, "remote_options": {"asynchronous": True}},
    )
    return zarr.open_group(store, mode="r")


@pytest.mark.parametrize("kind", ["tif", "zip"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_all_levels_of_one_file(kinds, tmp_path, kind):
    skip_below("fsspec", "2026.9", "reading a part of what a reference names")
    target = tmp_path / "a.refs.json"
    source = getattr(kinds, kind)
    with serve(source.parent) as server:
        done = CliRunner().invoke(main, ["export", f"{server.url}/{source.name}", str(target)])
        assert done.exit_code == 0, done.output
        group = opened(target)
        for level, wanted in enumerate(kinds.decoded):
            np.testing.assert_array_equal(np.moveaxis(group[str(level)][:], 0, -1), wanted)
    assert json.loads(target.read_text())["version"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.refs.json"]


def test_a_label_is_left_out_unless_asked_for(tmp_path, kinds):
    from rrip_format.containers.pictures import shows_label

    with rrip_format.open(kinds.tif) as slide:
        hidden = {name for name in slide.associated_images if shows_label(slide.container, name)}
        every = set(slide.associated_images)
    for label, wanted in ((False, every - hidden), (True, every)):
        rrip_format.export(kinds.tif, tmp_path / "a.refs.json", label=label, overwrite=True)
        keys = json.loads((tmp_path / "a.refs.json").read_text())["refs"]
        found = {key.split("/")[1] for key in keys if key.startswith("associated/") and key.count("/") > 1}
        assert found == wanted


def test_refusals(kinds, tmp_path):
    with pytest.raises(StorageError, match="is a folder"):
        rrip_format.export(kinds.zarr, tmp_path / "a.refs.json")
    with pytest.raises(TargetError, match=r"\.refs\.json"):
        rrip_format.export(kinds.tif, tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
