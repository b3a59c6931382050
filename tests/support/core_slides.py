"""Make streams and tiles of a small slide, for tests of the compiled core."""

from __future__ import annotations

import dataclasses
import functools
import io
from uuid import UUID

import numpy as np
from conftest import tissue
from damage.streams import join_segments, split_segments
from PIL import Image

from rrip_format.core import library as lib
from rrip_format.core import predict
from rrip_format.core.jpeg_encoder import Quantiser, encode_gray, encode_ycc
from rrip_format.family.decode import needed_levels
from rrip_format.family.encode import Quality, encode_base, encode_family
from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import BILINEAR, SHARP, Coding, ResidualCoding

SIDE = 80


def pointer(core: str) -> int:
    return lib.library.rrip_core_named(core.encode())


@functools.cache
def sound_streams() -> list[tuple[bytes, int]]:
    """Streams of 80 x 80 px and their planes: of several encoders, long and short ones, with restart markers."""
    rgb, found = tissue(SIDE, SIDE), []
    noise = np.random.default_rng(0).normal(0, 40, (3, SIDE, SIDE)).clip(-128, 127).astype(np.float32)
    for step in (1, 30):
        how = Quantiser(np.full(64, step, np.uint8), 0.1)
        found += [(encode_gray(noise[0], how), 1), (encode_ycc(noise, how, how), 3)]
    for blocks in (0, 1, 7, 50):
        for picture, planes in ((rgb, 3), (rgb[..., 1], 1)):
            file = io.BytesIO()
            options = {"restart_marker_blocks": blocks} if blocks else {}
            Image.fromarray(picture.copy()).save(file, "JPEG", quality=90, subsampling=0, **options)
            parts = [part for part in split_segments(file.getvalue()) if part.marker != 0xE0]
            found.append((join_segments(parts), planes))
    return found


LEVELS = (ResidualCoding(SHARP, (-20, 30), 1, BILINEAR), ResidualCoding(BILINEAR, (-10, 15), 3, SHARP))
OTHERS = (ResidualCoding((-13, 77, 0, 0), (127, -127), 3, BILINEAR), ResidualCoding(SHARP, (0, 0), 1))
FILTERED = (dataclasses.replace(LEVELS[0], luma_filter=(-31, 44, -11, 17)), LEVELS[1])
FILTERED_OTHERS = (dataclasses.replace(OTHERS[0], luma_filter=(63, 63, 28, 0)), OTHERS[1])


@functools.cache
def stored(tile: int, ways: tuple[ResidualCoding, ResidualCoding] = LEVELS) -> tuple[Coding, dict[int, bytes]]:
    """A slide of 3 x 2 families, and the tiles at row 1 and column 2 of levels 0, 1, 2, and of level 3 at (0, 1)."""
    coding = Coding(UUID(int=7 << 80), Geometry(12 * tile, 8 * tile, tile), ways)
    rgb = tissue(4 * tile, 4 * tile)
    half = predict.box2(rgb)
    quality = Quality(base=90, luma=(80, 78), chroma=(86, 86))
    tiles = dict(enumerate(encode_family(coding, 1, 2, [rgb, half, predict.box2(half)], quality).tiles))
    tiles[3] = encode_base(coding, 3, 0, 1, rgb, quality)
    return coding, tiles


def at(level: int) -> tuple[int, int]:
    return (0, 1) if level == 3 else (1, 2)


def of(tiles: dict[int, bytes], level: int) -> list[bytes]:
    return [tiles[needed] for needed in needed_levels(level)]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
