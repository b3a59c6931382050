"""The napari door: its layers, and the way through npe2 and napari themselves where they are installed."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from kinds import MPP

from rrip_format.errors import FormatError

pytest.importorskip("dask.array")

from rrip_format.viewers.napari_reader import get_reader, read_layers


def check(layers, decoded):
    ((levels, options, kind),) = layers
    assert kind == "image"
    assert options["rgb"]
    assert options["multiscale"]
    assert options["scale"] == (MPP[1], MPP[0])
    for level, wanted in zip(levels, decoded, strict=True):
        assert type(level).__module__.startswith("dask.")
        assert level.shape == wanted.shape
        np.testing.assert_array_equal(level.compute(scheduler="threads"), wanted)


@pytest.mark.parametrize("kind", ["zarr", "zip", "tif"])
def test_layers(kinds, kind):
    path = str(getattr(kinds, kind))
    check(get_reader(path)(path), kinds.decoded)


def test_only_what_is_looked_at_is_read(spoiled):
    from conftest import tile_path

    tile_path(spoiled, 0, 1, 1).unlink()
    ((levels, _, _),) = read_layers(spoiled)
    assert levels[0][600:, 800:].compute().shape == (100, 100, 3)
    with pytest.raises(Exception, match="missing"):
        levels[0][300:310, 300:310].compute()


def test_several_and_without_pixel_size(kinds, container):
    layers = get_reader([str(kinds.zarr), str(container.path)])([str(kinds.zarr), str(container.path)])
    assert ["scale" in options for _, options, _ in layers] == [True, False]


@pytest.mark.parametrize("path", ["slide.zarr", "slide.tif", "slide.svs", ["a.rrip.tif", "b.tif"]])
def test_other_files_are_left_to_others(path):
    assert get_reader(path) is None


def test_no_slide(tmp_path):
    with pytest.raises(FormatError, match="no such"):
        read_layers(tmp_path / "nothing.rrip.zarr")


def run(code, *arguments, **environment):
    """In a process of its own: napari's imports warn, and its threads stay."""
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def installed(name):
    import importlib.util

    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")


NPE2 = """
import sys, npe2
npe2.PluginManager.instance().discover()
for path in sys.argv[1:]:
    layers, reader = npe2.io_utils.read_get_reader([path], stack=False, plugin_name="rrip-format")
    assert reader.command == "rrip-format.get_reader", reader
    (levels, options, kind), = layers
    print(kind, [level.shape for level in levels], options["scale"], int(levels[2].compute().sum()))
"""


@installed("npe2")
def test_npe2_finds_the_reader(kinds):
    lines = run(NPE2, *kinds.all).splitlines()
    shapes = [level.shape for level in kinds.decoded]
    assert lines == [f"image {shapes} {(MPP[1], MPP[0])} {int(kinds.decoded[2].sum())}"] * 3


MODEL = """
import sys, npe2
from napari.components import ViewerModel
npe2.PluginManager.instance().discover()
viewer = ViewerModel()
(layer,) = viewer.open(sys.argv[1], plugin="rrip-format")
print(layer.rgb, layer.multiscale, *layer.scale, *layer.units, len(layer.data))
"""


@installed("napari")
@pytest.mark.parametrize("kind", ["zarr", "zip", "tif"])
def test_napari_opens_it(kinds, kind):
    said = run(MODEL, getattr(kinds, kind), QT_QPA_PLATFORM="offscreen")
    assert said.split() == ["True", "True", str(MPP[1]), str(MPP[0]), "micrometer", "micrometer", "4"]


BUILT_IN = """
import shutil, sys, npe2
from napari.components import ViewerModel
npe2.PluginManager.instance().discover()
shutil.copytree(sys.argv[1], sys.argv[2])
for _ in range(2):
    try:
        print(ViewerModel().open(sys.argv[2]))
    except ValueError as error:
        print(str(error).replace(sys.argv[2], "PATH"))
    shutil.rmtree(f"{sys.argv[2]}/associated", ignore_errors=True)
"""


@installed("napari")
def test_its_own_reader_refuses_a_folder(kinds, tmp_path):
    """As ``viewer.open(path)`` opens it, which takes that reader; with associated images, and without."""
    said = run(BUILT_IN, kinds.zarr, tmp_path / "a.rrip.zarr", QT_QPA_PLATFORM="offscreen").splitlines()
    assert said == ["No arrays found in zarr group: PATH"] * 2


CHOICE = """
import sys, npe2
from napari.components import ViewerModel
from napari.errors.reader_errors import MultipleReaderError
from rrip_format.viewers.napari_reader import make_default
npe2.PluginManager.instance().discover()
try:
    ViewerModel().open(sys.argv[1], plugin=None)
except MultipleReaderError:
    print("asks")
make_default()
for path in sys.argv[1:]:
    (layer,) = ViewerModel().open(path, plugin=None)
    print(layer.source.reader_plugin, layer.data[0].shape)
"""


@installed("napari")
def test_napari_chooses_it_when_told_once(kinds, tmp_path):
    """As its window and command line open a path: without a plug-in in the call, it asks; then never again."""
    settings = {"NAPARI_CONFIG": str(tmp_path / "settings.yaml"), "QT_QPA_PLATFORM": "offscreen"}
    lines = run(CHOICE, *kinds.all, **settings).splitlines()
    assert lines == ["asks", *[f"rrip-format {kinds.decoded[0].shape}"] * 3]
    assert "'*.rrip.tif': rrip-format" in (tmp_path / "settings.yaml").read_text("utf-8")


SCREEN = """
import sys, time, napari
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer(show=True)
viewer.open(sys.argv[1], plugin="rrip-format")
viewer.reset_view()
for _ in range(40):
    QApplication.processEvents()
    time.sleep(0.05)
picture = viewer.screenshot(canvas_only=True)[..., :3].reshape(-1, 3)
print(*picture[picture.sum(1) > 30].mean(0))
viewer.close()
"""


@installed("napari")
@pytest.mark.skipif("DISPLAY" not in os.environ, reason="no display: Qt has no OpenGL offscreen; use xvfb-run")
def test_napari_shows_it(kinds):
    shown = [float(number) for number in run(SCREEN, kinds.zarr).split()]
    np.testing.assert_allclose(shown, kinds.decoded[1].reshape(-1, 3).mean(0), atol=6)
