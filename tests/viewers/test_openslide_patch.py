"""Programs that were written for OpenSlide read containers, unchanged; other slides open as before."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest

import rrip_format
from rrip_format.containers.copying import transmux

openslide = pytest.importorskip("openslide")
tifffile = pytest.importorskip("tifffile")

from openslide import OpenSlide, open_slide  # noqa: E402  (as programs do, before anything is patched)
from openslide.deepzoom import DeepZoomGenerator  # noqa: E402


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory, kinds):
    """An ordinary tiled TIFF that OpenSlide opens."""
    path = tmp_path_factory.mktemp("ordinary") / "a.tif"
    tifffile.imwrite(path, kinds.decoded[0], tile=(64, 64), photometric="rgb")
    return path


@pytest.fixture(scope="module")
def sealed(tmp_path_factory, kinds):
    path = tmp_path_factory.mktemp("sealed") / "slide.rrip"
    transmux(kinds.zarr, path)
    return path


def whole(slide, level=0):
    return np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]))[..., :3]


@pytest.mark.parametrize("open_it", [OpenSlide, open_slide])
def test_every_kind_opens_at_full_resolution(kinds, sealed, open_it):
    for path in (*kinds.all, sealed, str(kinds.tif)):
        with rrip_format.patch_openslide(), open_it(path) as slide:
            assert isinstance(slide, OpenSlide)
            assert isinstance(slide, rrip_format.RripSlide)
            assert slide.level_count == len(kinds.decoded)
            np.testing.assert_array_equal(whole(slide), kinds.decoded[0])


def test_a_renamed_container_opens_too(kinds, tmp_path):
    shutil.copy(kinds.tif, tmp_path / "renamed.tif")
    with rrip_format.patch_openslide(), OpenSlide(tmp_path / "renamed.tif") as slide:
        np.testing.assert_array_equal(whole(slide), kinds.decoded[0])
        assert OpenSlide.detect_format(str(tmp_path / "renamed.tif")) == "rrip"


def test_other_slides_open_as_before(ordinary, tmp_path):
    (tmp_path / "text.tif").write_text("no slide")
    with rrip_format.patch_openslide():
        with OpenSlide(ordinary) as slide:
            assert type(slide) is OpenSlide
            assert slide.properties["openslide.vendor"] == "generic-tiff"
            assert whole(slide).shape[:2] == slide.dimensions[::-1]
        assert OpenSlide.detect_format(str(ordinary)) == "generic-tiff"
        assert OpenSlide.detect_format(str(tmp_path / "text.tif")) is None
        for path in (tmp_path / "text.tif", tmp_path / "nothing", tmp_path, ""):
            with pytest.raises(openslide.OpenSlideUnsupportedFormatError):
                OpenSlide(path)
        with pytest.raises(TypeError):
            OpenSlide()


def test_it_is_undone(kinds, ordinary):
    with rrip_format.patch_openslide():
        inner = rrip_format.patch_openslide()
        inner.undo()
        inner.undo()
        assert OpenSlide(kinds.tif).level_count == len(kinds.decoded)
        kept = OpenSlide(kinds.tif)
    with OpenSlide(kinds.tif) as slide:
        assert slide.level_count == len(kinds.decoded) - 2
    with OpenSlide(str(ordinary)) as slide:
        assert slide.level_count == 1
    assert OpenSlide.detect_format(str(kinds.tif)) == "generic-tiff"
    with pytest.raises(openslide.OpenSlideUnsupportedFormatError):
        OpenSlide(kinds.zip)
    np.testing.assert_array_equal(whole(kept), kinds.decoded[0])  # a slide that was open stays so


def test_a_damaged_container_is_never_shown_at_level_2(kinds, tmp_path):
    """Each of these opens in OpenSlide, which knows nothing of what is wrong."""
    whole_file = kinds.tif.read_bytes()
    sealed_digit = bytearray(whole_file)
    at = whole_file.rindex(b'"width":')
    sealed_digit[at + 8] ^= 1
    (tmp_path / "a.tif").write_bytes(sealed_digit)
    start = int.from_bytes(whole_file[8:16], "little")
    count = int.from_bytes(whole_file[start : start + 8], "little")
    swapped = bytearray(whole_file)
    first, second = start + 8, start + 28
    swapped[first : first + 20], swapped[second : second + 20] = (
        whole_file[second : second + 20],
        whole_file[first:second],
    )
    (tmp_path / "b.tif").write_bytes(swapped)
    assert count > 2
    for name, reason in (("a.tif", "its content gives"), ("b.tif", "ascending")):
        with OpenSlide(tmp_path / name) as slide:
            assert slide.level_count == len(kinds.decoded) - 2
        with rrip_format.patch_openslide(), pytest.raises(openslide.OpenSlideError, match=reason):
            OpenSlide(tmp_path / name)


def test_deep_zoom_is_that_of_full_resolution(kinds):
    with rrip_format.patch_openslide(), OpenSlide(kinds.tif) as slide:
        zoom = DeepZoomGenerator(slide, tile_size=128, overlap=0, limit_bounds=False)
        assert zoom.level_dimensions[-1] == kinds.decoded[0].shape[1::-1]
        tile = np.asarray(zoom.get_tile(zoom.level_count - 1, (1, 1)))
    np.testing.assert_array_equal(tile, kinds.decoded[0][128:256, 128:256])


class Counting(OpenSlide):
    """A class that a program has derived."""

    def __init__(self, filename):
        super().__init__(filename)
        self.reads = 0

    def read_region(self, *where):
        self.reads += 1
        return super().read_region(*where)


def test_a_derived_class_keeps_its_methods(kinds, ordinary):
    with rrip_format.patch_openslide():
        for path, wanted in ((kinds.tif, kinds.decoded[0]), (ordinary, None)):
            with Counting(path) as slide:
                assert isinstance(slide, Counting)
                found = whole(slide)
                assert slide.reads == 1
                if wanted is not None:
                    np.testing.assert_array_equal(found, wanted)
                    again = pickle.loads(pickle.dumps(slide))
                    assert isinstance(again, Counting)
                    np.testing.assert_array_equal(whole(again), wanted)


def width_of(path):
    with OpenSlide(path) as slide:
        return slide.dimensions[0]


def test_processes_that_are_forked_have_it(kinds):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system does not fork")
    with rrip_format.patch_openslide(), multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(width_of, [str(kinds.tif)]) == [kinds.decoded[0].shape[1]]


def test_open_slides_are_sent_to_other_processes(kinds):
    with rrip_format.patch_openslide(), OpenSlide(kinds.tif) as slide:
        data = pickle.dumps(slide)
    again = pickle.loads(data)  # where nothing is patched
    np.testing.assert_array_equal(whole(again), kinds.decoded[0])


PROGRAM = """
import multiprocessing, subprocess, sys
from openslide import OpenSlide

def width(path):
    with OpenSlide(path) as slide:
        return slide.dimensions[0]

if __name__ == "__main__":
    path = sys.argv[1]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        spawned = pool.map(width, [path])[0]
    code = f"from openslide import OpenSlide; print(OpenSlide({path!r}).dimensions[0])"
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    print(width(path), spawned, started.strip(), sys.argv[2:], __file__)
    sys.exit(3)
"""


def test_a_program_runs_with_it_unchanged(kinds, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import os; os.environ['OWN_SITE'] = 'yes'\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-m", "rrip_format.openslide", str(script), str(kinds.tif), "-x", "--y=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    width = kinds.decoded[0].shape[1]
    assert done.stdout.split(" ", 3)[:3] == [str(width)] * 3, done.stderr
    assert done.stdout.endswith(f"['-x', '--y=1'] {script}\n")
    assert done.returncode == 3
    code = "import os; print(os.environ['OWN_SITE'])"
    command = [sys.executable, "-m", "rrip_format.openslide", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout == "yes\n"


def test_without_arguments_it_says_how(tmp_path):
    done = subprocess.run([sys.executable, "-m", "rrip_format.openslide"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: python -m rrip_format.openslide" in done.stderr
