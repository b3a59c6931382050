"""Make the test vectors in ``spec/vectors``, or check that the stored ones decode as they say.

::

    python tools/make_vectors.py            check the stored vectors, change nothing
    python tools/make_vectors.py --write    make them again and say which files changed

The bytes of the streams depend on the version of libvips and its JPEG encoder, so making them again elsewhere may
give other streams. That is why the vectors are stored: a decoder has to agree with the stored ones.
"""

from __future__ import annotations

import argparse
import base64
import copy
import hashlib
import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from rrip_format import errors, reference
from rrip_format.family import decode_base, decode_planes, decode_tile, needed_levels
from rrip_format.geometry import BASE_LEVEL, Geometry
from rrip_format.jpeg import decode_gray, decode_ycc
from rrip_format.metadata import (
    BILINEAR,
    SHARP,
    Coding,
    Metadata,
    ResidualCoding,
    SlideMetadata,
    parse_coding,
    parse_metadata,
    seal,
)
from rrip_format.overview import pad
from rrip_format.tile import TRAILER_BYTES, crc32c, join_tile, split_tile

VECTORS = Path(__file__).resolve().parent.parent / "spec" / "vectors"

SLIDE = UUID("7f3a52c4-90de-4b1e-8c06-5d2f1a9be377")
OTHER_SLIDE = UUID("c0ffee00-1234-4abc-8def-0123456789ab")

Json = Any
Image = NDArray[np.uint8]
Taps = tuple[int, int, int, int]
Change = Callable[[dict[str, Json]], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One test vector: stored tiles at one place, or metadata alone, and what has to come of them.

    Parameters
    ----------
    name : str
        Its folder, ``invalid/…`` for one that has to be refused.
    about : str
    sections : str
        Sections of the spec that it tests.
    document : dict
        ``{"coding": …}`` or ``{"rrip": …}``.
    level, row, col : int or None
        Which tile to decode, None for metadata alone.
    tiles : mapping of int to bytes
        Stored tiles by level.
    error : str or None
        Name of the exception class that decoding has to raise.
    """

    name: str
    about: str
    sections: str
    document: dict[str, Json]
    level: int | None = None
    row: int = 0
    col: int = 0
    tiles: dict[int, bytes] = field(default_factory=dict)
    error: str | None = None

    @property
    def kind(self) -> str:
        """The class of the case: what a reader needs to run it."""
        if self.level is None:
            return "metadata" if "rrip" in self.document else "coding"
        if self.error is None and not self.tiles:
            return "empty"
        return "overview" if self.level > BASE_LEVEL else "family"

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path and content of every file of the case."""
        head: dict[str, Json] = {
            "description": self.about,
            "sections": self.sections.split(),
            "class": self.kind,
            **self.document,
        }
        if self.level is not None:
            names = {level: tile_name(level) for level in self.tiles}
            head |= {"level": self.level, "row": self.row, "col": self.col}
            head["tiles"] = {str(level): name for level, name in names.items()}
            for level, name in names.items():
                yield f"{self.name}/{name}", self.tiles[level]
        if self.error:
            head["error"] = self.error
        elif self.level is not None:
            head["expected"] = expected(parse_coding(self.document["coding"]), self.row, self.col, self.tiles)
        yield f"{self.name}/case.json", dump(head, depth=2)


def tile_name(level: int) -> str:
    """File name of a stored tile in the folder of its case."""
    return "base.tile" if level == BASE_LEVEL else f"l{level}.tile"


def dump(document: dict[str, Json], depth: int = 1) -> bytes:
    """JSON with a line for each member down to `depth`: short, and still to be read by people."""

    def text(value: Json, indent: int) -> str:
        if isinstance(value, dict) and value and indent <= depth:
            space = " " * indent
            members = (f"{space}{json.dumps(name)}: {text(part, indent + 1)}" for name, part in value.items())
            return "{\n" + ",\n".join(members) + f"\n{' ' * (indent - 1)}}}"
        return json.dumps(value, ensure_ascii=False)

    return (text(document, 1) + "\n").encode()


def sha256(data: bytes | NDArray[Any]) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()).hexdigest()


def expected(coding: Coding, row: int, col: int, tiles: dict[int, bytes]) -> dict[str, Json]:
    """What decoding gives at each level that `tiles` reach; of an empty family, at every level that is empty."""
    geometry = coding.geometry
    if not tiles:
        levels = [level for level in range(geometry.levels) if coding.is_empty(level, row, col)]
        return {str(level): _of_level(coding, level, row, col, None, []) for level in levels}
    result = {}
    for level in sorted(tiles, reverse=True):
        if level >= BASE_LEVEL:
            planes = decode_base(coding, level, row, col, tiles[level])
        else:
            planes = decode_planes(coding, row, col, [tiles[k] for k in needed_levels(level)])
        stored = [tiles[k] for k in needed_levels(level)]
        result[str(level)] = _of_level(coding, level, row, col, planes, stored)
    return result


def _of_level(
    coding: Coding, level: int, row: int, col: int, planes: Image | None, stored: Sequence[bytes]
) -> dict[str, Json]:
    rgb = decode_tile(coding, level, row, col, stored)
    part: dict[str, Json] = {
        "shape": list(rgb.shape),
        "inside": list(coding.geometry.tile_shape(level, row, col)),
        "rgb_sha256": sha256(rgb),
        "first_pixels_rgb": rgb[:, 0, :4].T.tolist(),
    }
    if planes is not None:
        part |= {"planes_sha256": sha256(planes), "first_pixels_ycbcr": planes[:, 0, :4].T.tolist()}
        part["streams"] = list(_streams(coding, level, row, col, stored[-1]))
    return part


def _streams(coding: Coding, level: int, row: int, col: int, tile: bytes) -> Iterator[dict[str, Json]]:
    """Length of each stream and, of a residual, the digest of its samples, to find where a decoder goes astray."""
    for stream in split_tile(tile, coding.place(level, row, col), coding.streams(level)):
        if level >= BASE_LEVEL:
            yield {"bytes": len(stream or b"")}
        else:
            samples = None if stream is None else sha256(decode_gray(stream, coding.geometry.tile_side(level)))
            yield {"bytes": len(stream or b""), "samples_sha256": samples}


# Pictures


def to_uint8(values: NDArray[np.float64]) -> Image:
    rounded: NDArray[np.float64] = np.clip(np.rint(values), 0, 255)
    return rounded.astype(np.uint8)


def smooth(side: int, seed: int = 0) -> Image:
    """A soft picture in the colours of a stained section, (side, side, 3) uint8."""
    y, x = np.mgrid[0:side, 0:side] * (256 / side)
    a = np.sin((x + 17 * seed) / 31) * np.cos((y - 11 * seed) / 23)
    b = np.sin((x + y) / 41 + seed)
    ring = np.cos(np.hypot(x - 130, y - 110) / 9) * np.exp(-np.hypot(x - 130, y - 110) / 60)
    red, green, blue = 190 + 30 * a + 20 * ring, 120 + 40 * b + 50 * ring, 170 + 25 * a - 20 * b + 25 * ring
    return to_uint8(np.stack([red, green, blue], axis=-1))


def flat_picture(side: int, rgb: tuple[int, int, int]) -> Image:
    """One colour, (side, side, 3) uint8."""
    return np.broadcast_to(np.array(rgb, np.uint8), (side, side, 3)).copy()


def waves(side: int, amplitude: float, period: float = 24) -> Image:
    """A residual plane: waves around 128, (side, side) uint8."""
    y, x = np.mgrid[0:side, 0:side]
    wave = np.sin(2 * np.pi * x / period) * np.cos(2 * np.pi * y / period)
    return to_uint8(128 + amplitude * wave)


def noise(side: int, shape: tuple[int, ...] = (), cell: int = 1) -> Image:
    """Black and white at random, in cells of `cell` px: what drives the filter to its bounds."""
    generator = np.random.Generator(np.random.PCG64(5))
    cells = generator.integers(0, 2, (side // cell, side // cell, *shape), np.uint8) * np.uint8(255)
    return cells.repeat(cell, axis=0).repeat(cell, axis=1)


# Valid cases


def make_coding(
    tile: int = 64,
    *,
    size: tuple[int, int] | None = None,
    taps: Taps = SHARP,
    chroma_taps: Taps | None = None,
    cfl: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
    planes: tuple[int, int] = (1, 1),
    empty: Iterable[tuple[int, int]] = (),
) -> Coding:
    """The coding of a slide of (width, height) `size`, by default one of three by two families."""
    width, height = size or (12 * tile, 8 * tile)
    residuals = tuple(ResidualCoding(taps, cfl[k], planes[k], chroma_taps or taps) for k in (0, 1))
    coding = Coding(SLIDE, Geometry(width, height, tile), (residuals[0], residuals[1]))
    places = list(empty)
    if not places:
        return coding
    bitmap = np.zeros(coding.geometry.families, np.bool_)
    for place in places:
        bitmap[place] = True
    return replace(coding, empty_bits=np.packbits(bitmap).tobytes())


def pyramid(rgb: Image, tile: int) -> list[Image]:
    """Levels 0, 1 and 2 of one family, padded to whole tiles."""
    half = reference.box2(rgb)
    return [pad(part, tile << (2 - k)) for k, part in enumerate((rgb, half, reference.box2(half)))]


@dataclass(frozen=True, slots=True)
class Quality:
    """How streams are encoded: quality on libjpeg's scale, flat tables or those of Annex K, rate-distortion or not."""

    q: int
    flat: bool = True
    trellis: bool = True

    def encode(self, pixels: Image, **options: Any) -> bytes:
        """One baseline stream of a plane or an RGB image, by libvips: an encoder other than that of the package."""
        import pyvips

        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels)
        image = pyvips.Image.new_from_memory(data, width, height, 1 if pixels.ndim == 2 else 3, "uchar")
        how = {
            "Q": self.q,
            "keep": "none",
            "subsample_mode": "off",
            "optimize_coding": True,
            "quant_table": 1 if self.flat else 0,
            "trellis_quant": self.trellis,
        }
        stream: bytes = image.jpegsave_buffer(**{**how, **options})
        return stream

    def encode_residual(self, wanted: Image, predicted: Image) -> bytes:
        """Stream of what a prediction misses; no bytes where it decodes to nothing."""
        residual = to_uint8(wanted.astype(np.float64) - predicted + 128)
        stream = self.encode(residual)
        return b"" if (decode_gray(stream, residual.shape[0]) == 128).all() else stream


def encode(pixels: Image, q: int) -> bytes:
    return Quality(q).encode(pixels)


def encode_family(coding: Coding, row: int, col: int, levels: Sequence[Image], how: Quality) -> dict[int, bytes]:
    """Stored tiles of a family by level, each level predicted from what a decoder will have."""
    stream = how.encode(levels[BASE_LEVEL])
    tiles = {BASE_LEVEL: join_tile([stream], coding.place(BASE_LEVEL, row, col))}
    first, second, third = decode_ycc(stream, coding.geometry.tile)
    planes = first, second, third
    for level in (1, 0):
        residual, side = coding.residuals[level], coding.geometry.tile_side(level)
        filters = residual.taps, residual.cfl, residual.chroma_taps
        wanted = reference.rgb_to_ycc(levels[level])
        streams = [how.encode_residual(wanted[0], reference.up2(planes[0], residual.taps))]
        luma = decode_gray(streams[0], side) if streams[0] else None
        predicted = reference.reconstruct(planes, (luma, None, None), *filters)
        if residual.planes == 3:
            streams += [how.encode_residual(wanted[k], predicted[k]) for k in (1, 2)]
            cb, cr = (decode_gray(stream, side) if stream else None for stream in streams[1:])
            predicted = reference.reconstruct(planes, (luma, cb, cr), *filters)
        planes = predicted
        tiles[level] = join_tile(streams, coding.place(level, row, col))
    return dict(sorted(tiles.items()))


def case(
    name: str,
    about: str,
    sections: str,
    coding: Coding,
    tiles: dict[int, bytes],
    *,
    level: int = 0,
    row: int = 0,
    col: int = 0,
) -> Case:
    """A case that decodes."""
    return Case(name, about, sections, {"coding": coding.to_json()}, level, row, col, tiles)


def encoded(
    name: str,
    about: str,
    sections: str,
    coding: Coding,
    q: int | Quality = 60,
    rgb: Image | None = None,
    row: int = 0,
    col: int = 0,
) -> Case:
    """A family as an encoder makes it."""
    tile = coding.geometry.tile
    levels = pyramid(smooth(4 * tile) if rgb is None else rgb, tile)
    tiles = encode_family(coding, row, col, levels, Quality(q) if isinstance(q, int) else q)
    return case(name, about, sections, coding, tiles, row=row, col=col)


def built(
    name: str,
    about: str,
    sections: str,
    coding: Coding,
    base: Image | bytes,
    one: Sequence[Image | bytes],
    zero: Sequence[Image | bytes],
    q: int = 50,
) -> Case:
    """A family put together from given pictures or streams, whatever an encoder would choose."""
    tiles = {}
    for level, parts in ((0, zero), (1, one), (2, [base])):
        streams = [part if isinstance(part, bytes) else encode(part, q) for part in parts]
        tiles[level] = join_tile(streams, coding.place(level, 0, 0))
    return case(name, about, sections, coding, tiles)


def segment(marker: int, payload: bytes) -> bytes:
    """One JPEG marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segments(stream: bytes) -> bytes:
    """`stream` with every harmless segment that a writer may add after its start marker."""
    jfif = segment(0xE0, b"JFIF\0" + bytes((1, 2, 0, 0, 1, 0, 1, 0, 0)))
    adobe = segment(0xEE, b"Adobe" + bytes((0, 100, 0, 0, 0, 0, 1 if count_components(stream) == 3 else 0)))
    other = segment(0xE5, b"\xff\xd9 inside a segment is no end marker") + segment(0xFE, "größer".encode())
    return stream[:2] + jfif + adobe + other + stream[2:]


def count_components(stream: bytes) -> int:
    return stream[stream.index(b"\xff\xc0") + 9]


def with_restarts(pixels: Image, q: int, interval: int) -> bytes:
    """Encode with restart markers."""
    stream = Quality(q).encode(pixels, restart_interval=interval)
    if b"\xff\xdd" not in stream or b"\xff\xd0" not in stream:
        raise RuntimeError("this libvips wrote no restart markers")
    return stream


def ordinary_cases() -> Iterator[Case]:
    """Families as encoders make them."""
    coding, chroma = make_coding(), make_coding(planes=(1, 3))
    yield encoded("luma-only", "luma residuals alone, chroma inherited from the base level", "5.3 6.2", coding)
    yield encoded("chroma-l1", "chroma residuals at level 1", "5.3 6.2", chroma)
    yield encoded("chroma-l0-l1", "chroma residuals at both levels", "5.3 6.2", make_coding(planes=(3, 3)))
    yield encoded("chroma-l0", "chroma residuals at level 0 alone", "5.3 6.2", make_coding(planes=(3, 1)))
    fitted = ((-23, 31), (-41, 52))
    yield encoded("cfl", "chroma-from-luma with other coefficients at each level", "5.4", make_coding(cfl=fitted))
    both = make_coding(cfl=fitted, planes=(1, 3))
    yield encoded("cfl-chroma-l1", "chroma-from-luma and chroma residuals together", "5.3 5.4", both)
    yield encoded("taps-bilinear", "bilinear taps", "5.2", make_coding(taps=BILINEAR))
    two = make_coding(taps=BILINEAR, chroma_taps=(-4, 46, 25, -3))
    yield encoded("taps-chroma", "other taps for chroma than for luma", "5.2 5.3", two)
    levels = make_coding()
    first, second = levels.residuals
    levels = replace(levels, residuals=(first, replace(second, taps=(-9, 63, 10, 0), chroma_taps=BILINEAR)))
    yield encoded("taps-levels", "other taps at level 1 than at level 0", "5.2 8.2", levels)
    yield encoded("tables-flat", "flat tables, coefficients chosen by rate and distortion", "6.1", chroma, 80)
    annex_k = Quality(80, flat=False, trellis=False)
    yield encoded("tables-annex-k", "the tables of Annex K of the JPEG standard", "6.1", chroma, annex_k)
    yield encoded("quality-1", "quality 1: the coarsest tables", "5.1 6.1", chroma, Quality(1, flat=False))
    yield encoded("quality-100", "quality 100: all steps are 1", "5.1 6.1", chroma, 100, smooth(256) // 4 + 96)
    yield encoded("tile-80", "a tile side that is no power of two", "4.2", make_coding(80, planes=(1, 3)))
    yield encoded("tile-128", "the default tile side", "4.2", make_coding(128), 40)
    yield encoded("inner-place", "a family that is not the first", "4.2 7.2", coding, row=1, col=2)
    odd = make_coding(size=(256 + 77, 256 + 131))
    edge = smooth(256)[:131, :77]
    yield encoded("edge-odd", "a last family of odd size, padded", "4.1 4.3", odd, 60, edge, row=1, col=1)
    yield encoded("edge-one-pixel", "a slide of one pixel", "4.1 4.3", make_coding(size=(1, 1)), 60, edge[:1, :1])
    far = make_coding(size=(2**31 - 1, 100))
    narrow = smooth(256)[:100, :255]
    about = "the last family of the widest slide that the format admits"
    yield encoded("edge-farthest", about, "4.1 6.2 12", far, 60, narrow, col=2**23 - 1)


def arithmetic_cases() -> Iterator[Case]:
    """Families built to drive the arithmetic to its bounds."""
    base, plain = smooth(64), [b""]
    yield built(
        "taps-nearest", "one tap: every sample is repeated", "5.2", make_coding(taps=(0, 64, 0, 0)), base, plain, plain
    )
    limits = {"near": (-13, 77, 0, 0), "far": (77, 0, 0, -13), "after": (0, -13, 77, 0), "spread": (-6, 70, 7, -7)}
    for name, taps in limits.items():
        coding = make_coding(taps=taps, cfl=((127, -127), (-127, 127)))
        if sum(taps) != 64 or sum(map(abs, taps)) != 90:
            raise RuntimeError(f"{taps} are not at the limit")
        extremes = noise(64, (3,), cell=4)
        about = f"taps {taps}, whose magnitudes add up to the limit of 90, on black and white cells"
        yield built(f"taps-limit-{name}", about, "5.2 5.6", coding, extremes, [waves(128, 127, 64)], plain, 25)
    for name, b in {"plus": (127, 127), "minus": (-127, -127), "mixed": (127, -127)}.items():
        coding = make_coding(cfl=(b, b))
        about = f"chroma-from-luma coefficients {b} on strong luma residuals"
        yield built(f"cfl-{name}-127", about, "5.4 5.6", coding, base, [waves(128, 120, 40)], [waves(256, 127, 64)], 25)
    clip = make_coding(cfl=((90, -60), (-60, 90)))
    strong = [waves(128, 127, 32)], [waves(256, 127, 64)]
    about = "luma clips at {}: chroma-from-luma takes the change after clipping"
    yield built("clip-0", about.format(0), "5.3 5.4", clip, flat_picture(64, (12, 8, 20)), *strong, 25)
    yield built("clip-255", about.format(255), "5.3 5.4", clip, flat_picture(64, (250, 240, 252)), *strong, 25)
    chroma = [waves(128, 127), waves(128, -127, 40), waves(128, 127, 40)]
    red_blue = smooth(64)
    red_blue[:, :32], red_blue[:, 32:] = (250, 10, 5), (5, 20, 250)
    about = "chroma clips at both ends, once, after chroma-from-luma and residual are added"
    coding = make_coding(cfl=((0, 0), (127, 127)), planes=(1, 3))
    yield built("clip-chroma", about, "5.3 5.6", coding, red_blue, chroma, plain, 25)
    gamut = noise(64, (3,), cell=8)
    yield built(
        "colour-corners", "colours that clip in the conversion to RGB", "5.5", make_coding(), gamut, plain, plain
    )


def stream_cases() -> Iterator[Case]:
    """Families whose streams are unusual."""
    base, chroma = smooth(64), make_coding(planes=(1, 3))
    wave = waves(128, 30, 40)
    yield built(
        "zero-luma", "luma streams of length zero: planes of 128", "6.3", chroma, base, [b"", wave, wave], [b""]
    )
    yield built(
        "zero-chroma", "chroma streams of length zero", "6.3", chroma, base, [wave, b"", b""], [waves(256, 20, 64)]
    )
    yield built("zero-cr", "one chroma stream of length zero", "6.3", chroma, base, [wave, wave, b""], [b""])
    yield built("zero-all", "all residual streams have length zero", "6.3", chroma, base, [b""] * 3, [b""])
    coding = make_coding()
    restarts = [with_restarts(part, 40, k) for k, part in ((3, base), (5, wave), (7, waves(256, 20, 64)))]
    about = "restart markers, at intervals that divide no row of blocks"
    yield built("restart-markers", about, "6.1", coding, restarts[0], [restarts[1]], [restarts[2]])
    segments = [with_segments(encode(part, 40)) for part in (base, wave, waves(256, 20, 64))]
    about = "JFIF, Adobe, COM and other APPn segments, one of which holds the bytes of an end marker"
    yield built("segments", about, "6.1", coding, segments[0], [segments[1]], [segments[2]])
    filled = [encode(part, 40) for part in (base, wave, waves(256, 20, 64))]
    filled = [s[:2] + b"\xff\xff" + s[2:] for s in filled]
    yield built("fill-bytes", "fill bytes before a marker", "6.1", coding, filled[0], [filled[1]], [filled[2]])


def overview_cases() -> Iterator[Case]:
    """Tiles coarser than the base level, and empty families."""
    coding = make_coding(size=(2049, 1100))
    for name, row, col, side in (("overview-3", 0, 0, 256), ("overview-3-edge", 0, 1, 256)):
        stream = encode(smooth(side, 1 + col), 60)
        tile = join_tile([stream], coding.place(3, row, col))
        yield case(name, "an ordinary tile of level 3", "4.1 5.5 6.2", coding, {3: tile}, level=3, row=row, col=col)
    about = "an empty family: no tiles, the background at every level"
    empty = make_coding(empty=[(0, 0), (1, 2)])
    yield case("empty-family", about, "7.3", empty, {}, row=1, col=2)
    grey = replace(make_coding(empty=[(0, 1)]), background=(243, 243, 243))
    yield case("empty-family-grey", "an empty family of a slide with a grey background", "7.3 8.2", grey, {}, col=1)
    everything = make_coding(empty=[(row, col) for row in range(2) for col in range(3)])
    yield case("empty-slide", "all families are empty, and so are the coarser tiles", "7.3", everything, {})
    yield encoded("beside-empty", "a family that is not empty, beside one that is", "7.3", empty, row=0, col=1)


def full_metadata() -> Metadata:
    """The worked example of spec section 8.6."""
    slide = SlideMetadata(
        mpp=(0.2526, 0.2526),
        objective=40.0,
        vendor="aperio",
        properties={"aperio.AppMag": "40", "openslide.comment": "Größe in µm"},
        source_name="example.svs",
        source_bytes=177552579,
    )
    writer = {"name": "rrip_format", "version": "0.1.0", "settings": {"quality": 80, "tile": 64, "luma_only": False}}
    coding = make_coding(cfl=((-23, 31), (-41, 52)), planes=(1, 3), empty=[(1, 2)])
    return Metadata(coding, slide, writer, {"icc_profile": "3b95d2c8", "macro": "00c0ffee"})


def metadata_cases() -> Iterator[Case]:
    """Metadata that have to be accepted."""
    full = full_metadata().to_json()
    yield Case("metadata-full", "every member is there", "8.1 8.2 8.3 8.4 8.6", {"rrip": full})
    plain = Metadata(make_coding(), SlideMetadata(), {}).to_json()
    yield Case("metadata-plain", "nothing is known about the slide", "8.3 8.4", {"rrip": plain})
    extra = copy.deepcopy(full)
    extra["coding"]["comment"], extra["slide"]["scanner"] = "a member of a later minor revision", {"serial": 7}
    extra = resealed({"rrip": extra})["rrip"]
    yield Case("metadata-unknown-members", "unknown members are ignored, and sealed", "8.5 11", {"rrip": extra})
    odd = copy.deepcopy(full)
    odd["slide"]["mpp"], odd["slide"]["objective"] = [1e-6, 1e6], 2.5e21
    odd["slide"]["properties"] = {
        "\u20ac": "euro",
        "\U0001d11e": 'clef \u0007 "\\\u2028',
        "\ufb33": "",
        "1": "one",
        "": "none",
    }
    odd = resealed({"rrip": odd})["rrip"]
    about = "numbers, escapes and member names on which canonical forms differ"
    yield Case("metadata-canonical", about, "8.5", {"rrip": odd})


# Invalid cases


def resealed(document: dict[str, Json]) -> dict[str, Json]:
    """`document` with correct seals around a changed content."""
    rrip = document.get("rrip")
    if isinstance(rrip, dict):
        inner = rrip.get("coding")
        return {"rrip": seal({**rrip, "coding": seal(inner) if isinstance(inner, dict) else inner})}
    return {"coding": seal(document["coding"])}


def reseal_tile(tile: bytes) -> bytes:
    """`tile` with the checksum of its changed content."""
    return tile[:-4] + struct.pack("<I", crc32c(tile[:-4]))


def patched(tile: bytes, at: int, new: bytes, *, sealed: bool = True) -> bytes:
    """`tile` with bytes replaced, counted from its end where `at` is negative."""
    start = at % len(tile)
    changed = tile[:start] + new + tile[start + len(new) :]
    return reseal_tile(changed) if sealed else changed


def flipped(tile: bytes, at: int) -> bytes:
    """`tile` with one bit changed."""
    start = at % len(tile)
    return tile[:start] + bytes([tile[start] ^ 0x10]) + tile[start + 1 :]


def refused(family: Case, name: str, about: str, sections: str, error: str, tiles: dict[int, bytes]) -> Case:
    """`family` with some tiles replaced, which a reader has to refuse; empty bytes: the tile is not there."""
    whole = {**family.tiles, **tiles}
    kept = {level: tile for level, tile in whole.items() if level >= min(tiles) and tile is not None}
    return replace(
        family, name=f"invalid/{name}", about=about, sections=sections, error=error, level=min(tiles), tiles=kept
    )


def seed_family() -> Case:
    """What the invalid tiles are made from."""
    coding, wave = make_coding(planes=(1, 3)), waves(128, 60, 128)
    return built("seed", "", "", coding, smooth(64), [wave, b"", wave], [waves(256, 60, 256)], 10)


def damaged_cases(family: Case) -> Iterator[Case]:
    """Bytes that changed, and whole tiles that are not where they belong."""
    base, one, zero = family.tiles[2], family.tiles[1], family.tiles[0]
    flips = {
        "flip-base": (2, len(base) // 2, "in the entropy-coded data of the base tile"),
        "flip-l1": (1, len(one) // 2, "in the entropy-coded data of a residual"),
        "flip-l0": (0, len(zero) // 2, "in the entropy-coded data of a residual"),
        "flip-table": (2, 10, "in a quantisation table, which every decoder would accept"),
        "flip-start": (2, 0, "in the start marker"),
        "flip-length": (1, -36, "in the length of a stream"),
        "flip-row": (1, -24, "in the row"),
        "flip-level": (1, -16, "in the level"),
        "flip-slide": (1, -12, "in the slide's identity"),
        "flip-checksum": (1, -1, "in the checksum itself"),
    }
    for name, (level, at, where) in flips.items():
        changed = {level: flipped(family.tiles[level], at)}
        yield refused(family, name, f"one bit is flipped {where}", "7.1", "ChecksumError", changed)
    cut = {"truncated": zero[:-10], "truncated-half": zero[: len(zero) // 2], "appended": zero + b"\0"}
    for name, tile in cut.items():
        yield refused(family, name, "bytes at the end are missing or too many", "7.1", "ChecksumError", {0: tile})
    yield refused(family, "short", "fewer bytes than a trailer has", "6.2", "DamagedError", {0: zero[-35:]})
    yield refused(family, "zero-bytes", "a file without content", "6.2", "DamagedError", {0: b""})
    for level, name in ((2, "base"), (1, "l1"), (0, "l0")):
        case_ = refused(
            family,
            f"missing-{name}",
            "a tile of a family that is not empty is absent",
            "7.3",
            "MissingTileError",
            {level: b""},
        )
        kept = {k: tile for k, tile in family.tiles.items() if k != level}
        yield replace(case_, level=0, tiles=kept)


def misplaced_cases(family: Case) -> Iterator[Case]:
    """Tiles with a correct checksum whose trailer says something else."""
    one = family.tiles[1]
    body = len(one) - TRAILER_BYTES
    lengths = struct.unpack_from("<3I", one, body)
    trailers = {
        "other-row": (-24, struct.pack("<I", 1), "row 1", "7.2"),
        "other-column": (-20, struct.pack("<I", 1), "column 1", "7.2"),
        "other-level": (-16, b"\0", "level 0", "7.2"),
        "other-slide": (-12, OTHER_SLIDE.bytes[:8], "another slide", "7.2"),
        "length-long": (-36, struct.pack("<I", lengths[0] + 1), "a stream one byte longer", "6.2"),
        "length-short": (-36, struct.pack("<I", lengths[0] - 1), "a stream one byte shorter", "6.2"),
        "length-huge": (-32, struct.pack("<I", 2**32 - 1), "a stream of 4 GiB", "6.2"),
        "one-stream": (-15, b"\1", "one stream where the metadata promise three", "6.2"),
        "reserved": (-14, b"\1\0", "a reserved field that is not zero", "6.2"),
    }
    for name, (at, new, says, sections) in trailers.items():
        yield refused(
            family, name, f"a sealed trailer says {says}", sections, "DamagedError", {1: patched(one, at, new)}
        )
    zero = family.tiles[0]
    length = len(zero) - TRAILER_BYTES
    split = patched(zero, -36, struct.pack("<2I", length - 5, 5))
    yield refused(
        family, "unused-length", "a tile of one stream gives a length to a second", "6.2", "DamagedError", {0: split}
    )
    three = patched(zero, -15, b"\3")
    yield refused(
        family, "three-streams", "three streams where the metadata promise one", "6.2", "DamagedError", {0: three}
    )


def stream_problems(family: Case) -> Iterator[Case]:
    """Sealed tiles with a stream that breaks a rule of spec section 6.1."""
    coding = parse_coding(family.document["coding"])
    picture, wave, fine = smooth(64), waves(128, 60, 128), waves(256, 60, 256)
    luma = encode(fine, 10)
    coarse = Quality(10, flat=False, trellis=False)
    progressive = coarse.encode(picture, interlace=True)
    subsampled = coarse.encode(picture, subsample_mode="on")
    progressive_gray = coarse.encode(fine, interlace=True)
    frame = luma.index(b"\xff\xc0")
    header = luma[frame : frame + 13]

    def put(stream: bytes, at: int, new: bytes) -> bytes:
        return stream[: frame + at] + new + stream[frame + at + len(new) :]

    tables = luma.index(b"\xff\xdb")
    streams = {
        "base-progressive": (2, progressive, "a progressive base tile"),
        "base-subsampled": (2, subsampled, "a base tile with chroma at half size"),
        "base-gray": (2, encode(picture[..., 0], 10), "a base tile with one component"),
        "base-small": (2, encode(smooth(48), 10), "a base tile that is too small"),
        "base-zero": (2, b"", "a base stream of length zero, which stands for no picture"),
        "l0-progressive": (0, progressive_gray, "a progressive residual"),
        "l0-colour": (0, encode(smooth(256), 10), "a residual with three components"),
        "l0-small": (0, encode(wave, 10), "a residual of the size of another level"),
        "l0-wide": (0, put(luma, 7, b"\2\0"), "a frame that says 512 px where there are 256"),
        "l0-huge": (0, put(luma, 5, b"\xff\xff\xff\xff"), "a frame of 65535 x 65535 px"),
        "l0-height-0": (0, put(luma, 5, b"\0\0"), "a frame of height 0, which a later segment would define"),
        "l0-12-bit": (0, put(luma, 4, b"\x0c"), "12 bits a sample"),
        "l0-extended": (0, put(luma, 1, b"\xc1"), "an extended sequential frame"),
        "l0-arithmetic": (0, put(luma, 1, b"\xc9"), "arithmetic coding"),
        "l0-lossless": (0, put(luma, 1, b"\xc3"), "a lossless frame"),
        "l0-sampling": (0, put(luma, 11, b"\x22"), "a sampling factor of 2 for the only component"),
        "l0-two-frames": (0, luma[:frame] + header + luma[frame:], "two frame headers"),
        "l0-second-frame": (0, luma[:-2] + header + luma[-2:], "a frame header after the scan"),
        "l0-no-frame": (0, luma[:frame] + luma[frame + 13 :], "a scan without a frame header"),
        "l0-no-end": (0, luma[:-2], "no end marker"),
        "l0-after-end": (0, luma + b"\0\0", "bytes after the end marker"),
        "l0-no-start": (0, luma[2:], "no start marker"),
        "l0-no-table": (0, luma[:tables] + luma[tables + 69 :], "no quantisation table"),
        "l0-segment-long": (0, luma[: tables + 2] + b"\xff\xff" + luma[tables + 4 :], "a segment beyond the end"),
        "l0-no-marker": (0, luma[:2] + b"\0" + luma[2:], "a byte between segments that is no marker"),
        "l0-markers-only": (0, b"\xff\xd8\xff\xd9", "start and end markers alone"),
    }
    for name, (level, stream, about) in streams.items():
        tile = join_tile([stream], coding.place(level, 0, 0))
        yield refused(family, name, f"{about}, in a tile with a correct checksum", "6.1", "DamagedError", {level: tile})
    tile = join_tile([encode(wave, 10), encode(wave, 10), luma], coding.place(1, 0, 0))
    about = "a Cr residual of the size of another level, in a tile with a correct checksum"
    yield refused(family, "l1-cr-size", about, "6.1", "DamagedError", {1: tile})


def overview_problems() -> Iterator[Case]:
    """Tiles coarser than the base level that have to be refused."""
    coding = make_coding(size=(2049, 1100), empty=[(0, 0), (0, 1)])
    document = {"coding": coding.to_json()}
    about = "a coarser tile is absent though only some of its families are empty"
    yield Case("invalid/overview-missing", about, "7.3", document, level=3, error="MissingTileError")
    tile = join_tile([encode(smooth(256), 40)], coding.place(3, 0, 1))
    about = "a coarser tile of another place"
    yield Case("invalid/overview-misplaced", about, "7.2", document, level=3, tiles={3: tile}, error="DamagedError")


def bitmap(data: bytes) -> str:
    """Text of the member ``empty``."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


# Name, what is wrong, changed members of the coding object; None removes one.
CODING_PROBLEMS: tuple[tuple[str, str, dict[str, Json]], ...] = (
    ("width-0", "width is 0", {"width": 0}),
    ("width-2-31", "width is 2^31", {"width": 2**31}),
    ("width-text", "width is a string", {"width": "768"}),
    ("width-bool", "width is true, which is no integer", {"width": True}),
    ("width-float", "width has a fraction", {"width": 768.5}),
    ("height-negative", "height is negative", {"height": -1}),
    ("height-missing", "there is no height", {"height": None}),
    ("tile-48", "tile is below 64", {"tile": 48}),
    ("tile-72", "tile is no multiple of 16", {"tile": 72}),
    ("tile-528", "tile is above 512", {"tile": 528}),
    ("uuid-upper", "the UUID is in upper case", {"uuid": str(SLIDE).upper()}),
    ("uuid-hex", "the UUID has no hyphens", {"uuid": SLIDE.hex}),
    ("uuid-missing", "there is no UUID", {"uuid": None}),
    (
        "residuals-one",
        "one residual level",
        {"residuals": [{"taps": [0, 48, 16, 0], "chroma_taps": [0, 48, 16, 0], "cfl": [0, 0], "planes": 1}]},
    ),
    ("residuals-text", "residual levels are strings", {"residuals": ["0", "1"]}),
    ("residuals-missing", "there are no residual levels", {"residuals": None}),
    ("background-256", "background is above 255", {"background": [256, 256, 256]}),
    ("background-two", "background has two values", {"background": [255, 255]}),
    (
        "background-colour",
        "families are empty and background is no grey",
        {"background": [255, 255, 250], "empty": bitmap(b"\4")},
    ),
    ("empty-not-base64", "empty is no base64", {"empty": "*"}),
    ("empty-not-zlib", "empty is no zlib data", {"empty": "AAAA"}),
    ("empty-short", "empty has no bytes when inflated", {"empty": bitmap(b"")}),
    ("empty-long", "empty has one byte too many", {"empty": bitmap(b"\4\0")}),
    ("empty-bomb", "empty inflates to 256 KiB", {"empty": bitmap(bytes(2**18))}),
    (
        "empty-trailing",
        "bytes follow the zlib data",
        {"empty": base64.b64encode(zlib.compress(b"\4") + b"\0").decode()},
    ),
    ("empty-cut", "the zlib data is cut off", {"empty": base64.b64encode(zlib.compress(b"\4")[:-2]).decode()}),
    ("empty-number", "empty is a number", {"empty": 4}),
    ("version-0", "version is 0", {"version": 0}),
    ("version-missing", "there is no version", {"version": None}),
    ("version-text", "version is a string", {"version": "1"}),
    ("requires-missing", "there is no list of required features", {"requires": None}),
    ("requires-text", "requires is a string", {"requires": "colour"}),
)

# Name, what is wrong, changed members of the first residual level.
RESIDUAL_PROBLEMS: tuple[tuple[str, str, dict[str, Json]], ...] = (
    ("taps-sum", "the taps add up to 63", {"taps": [-6, 57, 14, -2]}),
    ("taps-magnitude", "the magnitudes of the taps add up to 92", {"taps": [-14, 78, 0, 0]}),
    ("taps-three", "three taps", {"taps": [0, 48, 16]}),
    ("taps-float", "taps with fractions", {"taps": [0.5, 47.5, 16, 0]}),
    ("taps-missing", "no taps", {"taps": None}),
    ("chroma-taps-sum", "the chroma taps add up to 65", {"chroma_taps": [0, 49, 16, 0]}),
    ("chroma-taps-magnitude", "the magnitudes of the chroma taps add up to 92", {"chroma_taps": [0, 78, 0, -14]}),
    ("chroma-taps-missing", "no chroma taps", {"chroma_taps": None}),
    ("cfl-128", "a chroma-from-luma coefficient of 128", {"cfl": [128, 0]}),
    ("cfl-minus-128", "a chroma-from-luma coefficient of -128", {"cfl": [0, -128]}),
    ("cfl-one", "one chroma-from-luma coefficient", {"cfl": [0]}),
    ("planes-2", "two planes", {"planes": 2}),
    ("planes-0", "no planes", {"planes": 0}),
    ("planes-missing", "the number of planes is missing", {"planes": None}),
)  # fmt: skip


def changed(document: dict[str, Json], members: dict[str, Json]) -> dict[str, Json]:
    """A copy of `document` with other members; None removes one."""
    merged = {**copy.deepcopy(document), **members}
    return {name: value for name, value in merged.items() if name not in members or value is not None}


def coding_problems() -> Iterator[Case]:
    """Coding objects that have to be refused, sealed correctly unless the seal is what is wrong."""
    good = make_coding().to_json()

    def refuse(name: str, about: str, document: Json, error: str = "FormatError", sections: str = "8.2") -> Case:
        return Case(f"invalid/coding-{name}", about, sections, {"coding": document}, error=error)

    for name, about, members in CODING_PROBLEMS:
        yield refuse(name, about, seal(changed(good, members)))
    for name, about, members in RESIDUAL_PROBLEMS:
        first = changed(good["residuals"][0], members)
        yield refuse(name, about, seal({**good, "residuals": [first, good["residuals"][1]]}))
    yield refuse("no-object", "the coding object is a list", [good])
    yield refuse("seal-wrong", "a tap was changed after sealing", {**good, "height": 513}, sections="8.5")
    yield refuse("seal-missing", "there is no seal", changed(good, {"crc32c": None}), sections="8.5")
    yield refuse("seal-upper", "the seal is in upper case", {**good, "crc32c": good["crc32c"].upper()}, sections="8.5")
    yield refuse("seal-extra", "a member was added after sealing", {**good, "comment": ""}, sections="8.5 11")
    newer = seal({**good, "version": 2})
    yield refuse("newer", "version 2", newer, "NewerFormatError", "11")
    unsealed = {**good, "version": 2, "crc32c": "not known to us"}
    yield refuse("newer-seal", "version 2, which may seal in another way", unsealed, "NewerFormatError", "11")
    requires = seal({**good, "requires": ["six-taps"]})
    yield refuse("requires", "a required feature that is not known", requires, "NewerFormatError", "11")
    huge = seal({**good, "width": 2**31 - 1, "height": 2**31 - 1})
    yield refuse("too-many-families", "2^46 families", huge, "LimitError", "12")


def metadata_problems() -> Iterator[Case]:
    """The attribute ``rrip`` with a rule broken outside its coding object."""
    good = full_metadata().to_json()

    def refuse(
        name: str, about: str, sections: str, change: Change, *, sealed: bool = True, error: str = "FormatError"
    ) -> Case:
        document = {"rrip": copy.deepcopy(good)}
        change(document["rrip"])
        sealed_document = resealed(document) if sealed else document
        return Case(f"invalid/metadata-{name}", about, sections, sealed_document, error=error)

    def put(part: str, member: str, value: Json) -> Change:
        return lambda rrip: rrip[part].__setitem__(member, value)

    slide = "8.3"
    yield refuse("mpp-zero", "a pixel of width 0", slide, put("slide", "mpp", [0, 0.25]))
    yield refuse("mpp-huge", "a pixel of 10^308 µm", slide, put("slide", "mpp", [1e308, 0.25]))
    yield refuse("mpp-tiny", "a pixel of 10^-7 µm", slide, put("slide", "mpp", [0.25, 1e-7]))
    yield refuse("mpp-one", "one pixel size", slide, put("slide", "mpp", [0.25]))
    yield refuse("objective-negative", "a negative objective power", slide, put("slide", "objective", -40))
    yield refuse("vendor-number", "the vendor is a number", slide, put("slide", "vendor", 3))
    yield refuse("property-number", "a property is a number", slide, put("slide", "properties", {"a": 1}))
    yield refuse("source-nameless", "the source has no name", slide, put("slide", "source", {"bytes": 1}))
    yield refuse(
        "source-negative", "the source has -1 bytes", slide, put("slide", "source", {"name": "a", "bytes": -1})
    )
    yield refuse("slide-missing", "there is no slide", slide, lambda rrip: rrip.pop("slide"))
    yield refuse("writer-missing", "there is no writer", "8.4", lambda rrip: rrip.pop("writer"))
    yield refuse("attachments-missing", "there is no list of attachments", "8.7", lambda rrip: rrip.pop("attachments"))
    yield refuse("attachments-number", "a checksum is a number", "8.7", put("attachments", "macro", 12648430))
    yield refuse("coding-missing", "there is no coding", "8.1", lambda rrip: rrip.pop("coding"))
    yield refuse("coding-bad", "a rule of its coding object is broken", "8.2", put("coding", "tile", 65))
    yield refuse(
        "newer", "its coding object has version 2", "11", put("coding", "version", 2), error="NewerFormatError"
    )
    change = put("slide", "objective", 20)
    yield refuse("seal-wrong", "the objective power was changed after sealing", "8.5", change, sealed=False)
    change = put("coding", "tile", 80)
    yield refuse("seal-inner", "the coding object was changed after sealing", "8.5", change, sealed=False)


def all_cases() -> Iterator[Case]:
    """Every case, valid ones first."""
    for valid in (ordinary_cases, arithmetic_cases, stream_cases, overview_cases, metadata_cases):
        yield from valid()
    family = seed_family()
    for invalid in (damaged_cases, misplaced_cases, stream_problems):
        yield from invalid(family)
    for others in (overview_problems, coding_problems, metadata_problems):
        yield from others()


# Writing and checking


def make() -> dict[str, bytes]:
    """Every file of the vectors by its path, the manifest included."""
    files: dict[str, bytes] = {}
    counts = {"valid": 0, "invalid": 0}
    for made in all_cases():
        counts["invalid" if made.error else "valid"] += 1
        for path, content in made.files():
            if path in files:
                raise RuntimeError(f"{path} is made twice")
            files[path] = content
    digests = {path: sha256(content) for path, content in sorted(files.items())}
    files["manifest.json"] = dump({"cases": counts, "sha256": digests}, depth=2)
    return files


def write(files: dict[str, bytes]) -> None:
    """Bring the folder to exactly `files` and say what changed."""
    stored = {str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.is_file()}
    for name in sorted(stored - set(files)):
        print(f"removed  {name}")
        (VECTORS / name).unlink()
    for name, content in files.items():
        path = VECTORS / name
        if name in stored and path.read_bytes() == content:
            continue
        print(f"{'changed' if name in stored else 'new'}  {name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for folder in sorted((path for path in VECTORS.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes")


def problems() -> Iterator[str]:
    """What is wrong with the stored vectors, if anything."""
    manifest = json.loads((VECTORS / "manifest.json").read_bytes())
    stored = {
        str(path.relative_to(VECTORS)): sha256(path.read_bytes()) for path in VECTORS.rglob("*") if path.is_file()
    }
    stored.pop("manifest.json")
    for name in sorted(stored.keys() | manifest["sha256"]):
        if stored.get(name) != manifest["sha256"].get(name):
            yield f"{name}: is missing, unexpected or not as in manifest.json"
    for path in sorted(VECTORS.rglob("case.json")):
        name, found = str(path.parent.relative_to(VECTORS)), json.loads(path.read_bytes())
        outcome = run(path.parent, found)
        wanted = found.get("error", found.get("expected"))
        if outcome != wanted:
            yield f"{name}: gives {outcome}, expected {wanted}"


def run(folder: Path, found: dict[str, Json]) -> Json:
    """The name of the error that a stored case raises, or what decoding it gives."""
    try:
        if "rrip" in found:
            parse_metadata(found["rrip"])
            return None
        coding = parse_coding(found["coding"])
        if "level" not in found:
            return None
        tiles = {int(level): (folder / name).read_bytes() for level, name in found["tiles"].items()}
        if "error" in found:
            needed = [tiles.get(level) for level in needed_levels(found["level"])]
            decode_tile(coding, found["level"], found["row"], found["col"], needed)
        return expected(coding, found["row"], found["col"], tiles)
    except errors.RripError as error:
        return type(error).__name__


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the vectors again")
    if parser.parse_args().write:
        write(make())
    found = list(problems())
    print("\n".join(found) or "all vectors decode as they say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
