"""Cases that a reader has to decode or accept."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import reference

from rrip_format.family.jpeg import decode_gray, decode_ycc
from rrip_format.family.overviews import pad
from rrip_format.spec.geometry import BASE_LEVEL, Geometry
from rrip_format.spec.metadata import BILINEAR, SHARP, Coding, Metadata, ResidualCoding, SlideMetadata, seal
from rrip_format.spec.tile import join_tile

from .case import Case, Image, Json
from .pictures import Quality, encode, flat_picture, noise, smooth, waves, with_restarts, with_segments

SLIDE = UUID("7f3a52c4-90de-4b1e-8c06-5d2f1a9be377")

Taps = tuple[int, int, int, int]


def make_coding(
    tile: int = 64,
    *,
    size: tuple[int, int] | None = None,
    taps: Taps = SHARP,
    chroma_taps: Taps | None = None,
    cfl: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
    planes: tuple[int, int] = (1, 1),
    empty: Iterable[tuple[int, int]] = (),
    luma_filter: Taps | None = None,
) -> Coding:
    """Return the coding of a slide of (width, height) `size`, by default one of three by two families."""
    width, height = size or (12 * tile, 8 * tile)
    fine, middle = (ResidualCoding(taps, cfl[k], planes[k], chroma_taps or taps) for k in (0, 1))
    coding = Coding(SLIDE, Geometry(width, height, tile), (replace(fine, luma_filter=luma_filter), middle))
    places = list(empty)
    if not places:
        return coding
    bitmap = np.zeros(coding.geometry.families, np.bool_)
    for place in places:
        bitmap[place] = True
    return replace(coding, empty_bits=np.packbits(bitmap).tobytes())


def pyramid(rgb: Image, tile: int) -> list[Image]:
    """Return levels 0, 1 and 2 of one family, padded to whole tiles."""
    half = reference.box2(rgb)
    return [pad(part, tile << (2 - k)) for k, part in enumerate((rgb, half, reference.box2(half)))]


def encode_family(coding: Coding, row: int, col: int, levels: Sequence[Image], how: Quality) -> dict[int, bytes]:
    """Return the stored tiles of a family by level, each level predicted from the decoded coarser one."""
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
    """Return a case that decodes."""
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
    """Return a case of a family as an encoder makes it."""
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
    """Return a case of a family of given pictures or streams, whatever an encoder would choose."""
    tiles = {}
    for level, parts in ((0, zero), (1, one), (2, [base])):
        streams = [part if isinstance(part, bytes) else encode(part, q) for part in parts]
        tiles[level] = join_tile(streams, coding.place(level, 0, 0))
    return case(name, about, sections, coding, tiles)


def ordinary_cases() -> Iterator[Case]:
    """Return families as encoders make them."""
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
    """Return families that drive the arithmetic to its bounds."""
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


def filter_cases() -> Iterator[Case]:
    """Return families with a filter of the luma of level 0."""
    weights, fitted = (10, 14, 7, -9), ((-23, 31), (-41, 52))
    coding = make_coding(cfl=fitted, planes=(1, 3), luma_filter=weights)
    yield encoded("luma-filter", "a filter of the luma of level 0", "5.8 8.2 11", coding)
    both = make_coding(cfl=fitted, planes=(3, 3), luma_filter=weights)
    about = "chroma residuals at level 0, whose chroma-from-luma takes luma that is not filtered"
    yield encoded("luma-filter-chroma", about, "5.3 5.8", both)
    odd = make_coding(80, size=(320 + 77, 320 + 131), luma_filter=(-20, 31, -12, 5))
    edge = smooth(320)[:131, :77]
    about = "a filtered last family of odd size: the edge of the tile repeats, not that of the level"
    yield encoded("luma-filter-edge", about, "4.3 5.8", odd, 60, edge, row=1, col=1)
    corners = np.full((256, 256), 128, np.uint8)
    corners[:32, :32] = corners[-32:, -32:] = noise(32)
    limits = {"edge": (63, 63, 28, 0), "diagonal": (-63, -63, 0, -28), "both": (-63, 63, 14, -14)}
    for name, weights in limits.items():
        about = f"weights {weights}, which are at their limits, on black and white samples at two corners of the tile"
        coding = make_coding(luma_filter=weights)
        yield built(
            f"luma-filter-limit-{name}", about, "5.8", coding, flat_picture(64, (128, 128, 128)), [b""], [corners], 100
        )


def stream_cases() -> Iterator[Case]:
    """Return families with unusual streams."""
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
    """Return tiles coarser than the base level, and empty families."""
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
    """Return the worked example of spec section 8.6."""
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
    """Return metadata that have to be accepted."""
    full = full_metadata().to_json()
    yield Case("metadata-full", "every member is there", "8.1 8.2 8.3 8.4 8.6", {"rrip": full})
    filtered = replace(full_metadata(), coding=make_coding(planes=(1, 3), luma_filter=(10, 14, 7, -9))).to_json()
    yield Case(
        "metadata-luma-filter", "a filter of luma, and the feature that it requires", "8.2 11", {"rrip": filtered}
    )
    plain = Metadata(make_coding(), SlideMetadata(), {}).to_json()
    yield Case("metadata-plain", "nothing is known about the slide", "8.3 8.4", {"rrip": plain})
    sparse = {
        "coding": {name: value for name, value in make_coding().to_json().items() if name != "empty"},
        "slide": {"properties": {}, "source": {"name": ""}},
        "writer": {},
        "attachments": {},
    }
    yield Case("metadata-sparse", "every member that may be absent is", "8.2 8.3 8.4", resealed({"rrip": sparse}))
    history = copy.deepcopy(full)
    history["slide"]["source"] |= {
        "missing_tiles": 3,
        "compressions": [
            {"method": "ISO_10918_1", "lossy": True, "quality": 30, "subsampling": "4:2:0", "ratio": 15.5},
            {"method": "ISO_15444_1", "lossy": None, "ratio": 12},
            {"method": "Deflate"},
        ],
    }
    about = "a source with missing tiles that was compressed three times"
    yield Case("metadata-history", about, "8.3 8.9", resealed({"rrip": history}))
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


def resealed(document: dict[str, Json]) -> dict[str, Json]:
    """Return `document` with correct checksums of its changed content."""
    rrip = document.get("rrip")
    if isinstance(rrip, dict):
        inner = rrip.get("coding")
        return {"rrip": seal({**rrip, "coding": seal(inner) if isinstance(inner, dict) else inner})}
    return {"coding": seal(document["coding"])}


def cases() -> Iterator[Case]:
    """Return all cases of this module."""
    for group in (ordinary_cases, arithmetic_cases, filter_cases, stream_cases, overview_cases, metadata_cases):
        yield from group()
