"""The fast look at JPEG tiles, held against libjpeg's warnings; tiles read past OpenSlide, against OpenSlide."""

from __future__ import annotations

import random
import struct

import imagecodecs
import numpy as np
import openslide
import pytest
import pyvips
import tifffile

from rrip_format.errors import SourceError
from rrip_format.sources import open_source
from rrip_format.sources.color import to_rgb
from rrip_format.sources.jpegcheck import check_jpeg
from rrip_format.sources.jpegscan import is_sound

SIDES = (120, 72)


def picture(height: int, width: int, bands: int = 3) -> np.ndarray:
    """Smooth colour with some noise."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin((k + 2) * x / 31) + np.cos((3 - k) * y / 17) for k in range(bands)], axis=-1)
    noise = np.random.default_rng(7).normal(0, 6, (height, width, bands))
    return np.clip(128 + 50 * waves + noise, 0, 255).astype(np.uint8)


def jpeg(bands: int = 3, **options: object) -> bytes:
    image = pyvips.Image.new_from_array(picture(*SIDES, bands), interpretation="srgb" if bands == 3 else "b-w")
    return image.jpegsave_buffer(**{"Q": 85, "keep": "none", **options})


def reads_without_warning(data: bytes) -> bool:
    try:
        pyvips.Image.jpegload_buffer(data, fail_on="warning").write_to_memory()
    except pyvips.Error:
        return False
    return True


KINDS = {
    "4:2:0": {"subsample_mode": "on"},
    "4:4:4": {"subsample_mode": "off"},
    "optimised tables": {"optimize_coding": True},
    "restarts": {"restart_interval": 3},
    "grey": {"bands": 1},
    "fine": {"Q": 99},
}


@pytest.mark.parametrize("kind", KINDS)
def test_ordinary_streams_are_sound(kind):
    data = jpeg(**KINDS[kind])
    assert is_sound(data, None, *SIDES)
    assert is_sound(data + bytes(3), None, *SIDES)  # padding
    assert not is_sound(data, None, SIDES[0] + 8, SIDES[1])
    assert not is_sound(data + b"x", None, *SIDES)


def test_tables_may_stand_apart():
    data = jpeg()
    frame = data.index(b"\xff\xc0")
    scan = data.index(b"\xff\xda")
    length = struct.unpack(">H", data[frame + 2 : frame + 4])[0]
    tables = data[:frame] + data[frame + 2 + length : scan] + b"\xff\xd9"
    abbreviated = data[:2] + data[frame : frame + 2 + length] + data[scan:]
    assert is_sound(abbreviated, tables, *SIDES)
    assert not is_sound(abbreviated, None, *SIDES)
    assert not is_sound(data, b"\xff\xd8", *SIDES)


def test_what_is_unusual_is_in_doubt():
    assert not is_sound(jpeg(interlace=True), None, *SIDES)
    data = jpeg()
    assert not is_sound(data[:-2] + b"\xff\xff\xd9", None, *SIDES)  # a fill byte: libjpeg does not mind
    assert reads_without_warning(data[:-2] + b"\xff\xff\xd9")
    assert not is_sound(b"", None, *SIDES)
    assert not is_sound(data[:100], None, *SIDES)


@pytest.mark.parametrize("kind", ["4:2:0", "restarts", "optimised tables"])
def test_damage_that_libjpeg_warns_of_is_never_sound(kind):
    """What a decoder refuses by itself may pass: nobody sees pixels of it."""
    whole, at_random = jpeg(**KINDS[kind]), random.Random(5)
    scan = whole.index(b"\xff\xda")
    verdicts = []
    for _ in range(200):
        data = bytearray(whole)
        at = at_random.randrange(scan if at_random.random() < 0.2 else len(data) - 2)
        data[at] = at_random.choice([data[at] ^ 1 << at_random.randrange(8), 0, 0xFF, at_random.randrange(256)])
        if at_random.random() < 0.2:
            del data[at : at + at_random.randrange(40)]
        verdicts.append((is_sound(bytes(data), None, *SIDES), reads_without_warning(bytes(data)), bytes(data)))
    passed = [data for sound, reads, data in verdicts if sound and not reads]
    for data in passed:
        with pytest.raises(imagecodecs.Jpeg8Error):
            imagecodecs.jpeg8_decode(data)
    assert sum(sound for sound, *_ in verdicts) > 20
    assert sum(not reads for _, reads, _ in verdicts) > 40


def test_the_slow_judge_is_asked_in_doubt(monkeypatch):
    asked = []
    monkeypatch.setattr("rrip_format.sources.jpegcheck.load_reader", lambda *_: asked.append(1) or pyvips)
    check_jpeg(jpeg(), None, {SIDES[0]}, {SIDES[1]})
    assert not asked
    check_jpeg(jpeg(interlace=True), None, {SIDES[0]}, {SIDES[1]})
    assert asked
    data = jpeg()
    with pytest.raises(ValueError, match="damaged JPEG tile"):
        check_jpeg(data[:1500] + bytes(200) + data[1700:], None, {SIDES[0]}, {SIDES[1]})


# --- tiles past OpenSlide -----------------------------------------------------------------------------------------


def write_tiff(path, height=600, width=700, tile=(112, 160), **options):
    with tifffile.TiffWriter(path) as file:
        for level in (picture(height, width), picture(height // 2, width // 2)):
            file.write(level, tile=tile, photometric="rgb", compression="jpeg", metadata=None, **options)
    return path


def composed(path, box):
    y, x, height, width = box
    with openslide.OpenSlide(path) as slide:
        return to_rgb(np.asarray(slide.read_region((x, y), 0, (width, height))), (255, 255, 255))


@pytest.mark.parametrize("options", [{"subsampling": (2, 2)}, {"subsampling": (1, 1)}, {"subsampling": (2, 1)}])
@pytest.mark.parametrize("box", [(0, 0, 600, 700), (111, 159, 2, 2), (448, 480, 152, 220), (130, 50, 60, 400)])
def test_tiles_are_what_openslide_composes(options, box, tmp_path, monkeypatch):
    path = write_tiff(tmp_path / "slide.tif", **options)
    wanted = composed(path, box)
    with open_source(path) as source:
        monkeypatch.setattr(openslide.OpenSlide, "read_region", None)  # nobody asks it
        np.testing.assert_array_equal(source.read(*box), wanted)


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "duodenum-BS9-40x.svs"])
def test_tiles_of_real_slides_are_what_openslide_composes(name, testdata, monkeypatch):
    boxes = [(1000, 1100, 700, 900), (2500, 1800, 467, 420)]
    wanted = [composed(testdata(name), box) for box in boxes]
    with open_source(testdata(name)) as source:
        monkeypatch.setattr(openslide.OpenSlide, "read_region", None)
        for box, pixels in zip(boxes, wanted, strict=True):
            np.testing.assert_array_equal(source.read(*box), pixels)


def test_openslide_judges_a_tile_in_doubt(tmp_path):
    path = write_tiff(tmp_path / "slide.tif")
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages[0].dataoffsets[6], tif.pages[0].databytecounts[6]
    data = bytearray(path.read_bytes())
    data[offset + count - 2 : offset + count] = b"\xff\xff"  # the marker is gone: OpenSlide reads on, and warns
    path.write_bytes(data)
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(0, 0, 100, 600), composed(path, (0, 0, 100, 600)))
        with pytest.raises(SourceError, match="block y=120"):
            source.read(120, 170, 20, 20)


@pytest.mark.parametrize("compression", ["deflate", "lzw"])
def test_other_compressions_are_left_to_openslide(compression, tmp_path):
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, picture(300, 300), tile=(128, 128), photometric="rgb", compression=compression)
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(10, 20, 200, 250), picture(300, 300)[10:210, 20:270])
