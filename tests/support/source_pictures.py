"""Make pictures and read sources whole."""

from __future__ import annotations

import numpy as np
import pytest

from rrip_format.errors import SourceError
from rrip_format.sources import open_source


def picture(height=300, width=421, channels=3, seed=0):
    """Return a smooth picture with some noise: JPEG-friendly, no two tiles alike."""
    y, x = np.mgrid[:height, :width]
    planes = [127 + 90 * np.sin(x / (17 + 5 * c)) * np.cos(y / (23 - 4 * c)) for c in range(channels)]
    noise = np.random.default_rng(seed).integers(-4, 5, (height, width, channels))
    return (np.stack(planes, -1) + noise).clip(0, 255).astype(np.uint8)


def read_all(source):
    return source.read(0, 0, source.info.height, source.info.width)


def read(path, **options):
    """All pixels of a source and what it tells about itself."""
    with open_source(path, **options) as source:
        return read_all(source), source.info


def refuse(path, *words, **options):
    """Expect one line of SourceError, at open or on read, that names the path and says `words`."""
    with pytest.raises(SourceError) as caught, open_source(path, **options) as source:
        read_all(source)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
    return message


def tile_of(path, index):
    """Offset and length of a tile of the first page."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        return tif.pages[0].dataoffsets[index], tif.pages[0].databytecounts[index]
